"""`inspect`: looking closely at pictures of one thing, and teaching what does."""

from __future__ import annotations

import typer

from streamproc.commands.inspecting_answers import explain
from streamproc.commands.inspecting_enrolment import enrol
from streamproc.commands.inspecting_exports import export, projector
from streamproc.commands.inspecting_images import images
from streamproc.commands.inspecting_instructions import instructions
from streamproc.commands.inspecting_training import train
from streamproc.commands.inspecting_tuning import train_answers

inspect_app = typer.Typer(no_args_is_help=True, help="Look closely: is a thing as it should be, and where not.")


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    inspect_app.command("enrol")(enrol)
    inspect_app.command("explain")(explain)
    inspect_app.command("export")(export)
    inspect_app.command("images")(images)
    inspect_app.command("instructions")(instructions)
    inspect_app.command("projector")(projector)
    inspect_app.command("train")(train)
    inspect_app.command("train-answers")(train_answers)
    app.add_typer(inspect_app, name="inspect")
