"""`models`, `demo`: the models, embedded and on servers, and what shows them at work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamproc.commands.output import FAILURE, JsonFlag, emit_json, say
from streamproc.errors import ConfigError

models_app = typer.Typer(
    no_args_is_help=True, help="The embedded models: pinned, hash-checked, cached; and model servers, tried."
)


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    models_app.command("list")(list_models)
    models_app.command("pull")(pull)
    models_app.command("check")(check)
    app.add_typer(models_app, name="models")
    app.command("demo")(demo)


def list_models(json: JsonFlag = False) -> None:
    """What there is, what it is for, and whether it is cached."""
    from streamproc.models.store import ModelStore

    rows = ModelStore().list()
    if json:
        emit_json(rows)
        return
    for row in rows:
        say(f"{row.name:18} {row.role:9} {row.size_bytes / 1e6:7.1f} MB  {'cached' if row.cached else 'not cached'}")


def pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names from `models list`; all but inspection's if left out.")
    ] = None,
) -> None:
    """Fetch models now, so that a later start needs no network."""
    from streamproc.models.catalog import ON_DEMAND
    from streamproc.models.store import ModelStore

    store = ModelStore()
    known = [row.name for row in store.list()]
    if unknown := [name for name in names or () if name not in known]:
        raise ConfigError(f"no model is called {', '.join(unknown)}; there are {', '.join(known)}")
    for name in names or [row.name for row in store.list() if row.role not in ON_DEMAND]:
        say(f"{name}: {store.ensure(name)}")


def check(
    pipeline: Annotated[str, typer.Option(help="Preset, or its file, whose model servers are asked.")] = "gpu-vllm",
    clip: Annotated[
        Path | None, typer.Option(help="A video file whose windows are put into words; drawn pictures if left out.")
    ] = None,
    windows: Annotated[int, typer.Option(help="So many one after the other, and as many at once.", min=1)] = 20,
    json: JsonFlag = False,
) -> None:
    """Try a preset's model servers: whether they serve the models, whether the vision model sees, how fast it is.

    Exits with 1 where one fails, saying why and what to change.
    """
    from streamproc.runtime.clock import SystemClock
    from streamproc.site import load_preset
    from streamproc.trial import try_servers

    report = try_servers(load_preset(pipeline), clip, windows, SystemClock())
    if json:
        emit_json(report.as_dict())
    else:
        say(str(report))
    if not report.passed:
        raise typer.Exit(FAILURE)


def demo(
    workdir: Annotated[Path, typer.Option(help="Where the demo keeps its files.")] = Path("var/demo"),
    video: Annotated[Path | None, typer.Option(help="Another video of an ordinary scene.")] = None,
    minutes: Annotated[float | None, typer.Option(help="End by itself after so many minutes.", min=0.1)] = None,
) -> None:
    """Two looping cameras of real footage, a development broker, the pipeline, and an independent consumer."""
    from streamproc.demo.run import run_demo

    raise typer.Exit(run_demo(workdir, video, minutes))
