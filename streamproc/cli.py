"""The command ``streamproc``.

Exit codes: 0 done, 2 the operator's mistake (a file, an address, a flag), 1 any other failure, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from streamproc import __version__
from streamproc.commands import (
    assets,
    evaluating,
    feedback,
    inspecting,
    learning,
    normality,
    planning,
    rulefiles,
    setup,
    watching,
)
from streamproc.commands.output import FAILURE, MISTAKE, note
from streamproc.errors import ConfigError, StreamprocError
from streamproc.observability import logs
from streamproc.secrets import check_address

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://.*", re.DOTALL)

app = typer.Typer(
    name="streamproc",
    help="Learns what is normal on each camera, then watches: RTSP in, explained alerts on a Kafka topic out.\n\n"
    "Start with `streamproc demo`, or with your own camera: `init`, `probe`, `induce`, `check`, `run`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamproc {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # noqa: ARG001 - its callback acts on it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    # Standard output belongs to what a command prints; `run` sets up logging anew, as its site file says.
    logs.configure("console", "warning")


def _refuse_passwords(arguments: Sequence[str]) -> None:
    """Other users see the arguments of a process, and a message about an argument would repeat it.

    Raises:
        ConfigError: an argument holds an address with a literal password; without the password.
    """
    for argument in arguments:
        address = _ADDRESS.search(argument)
        try:
            check_address(address.group() if address else "")
        except ValueError as error:
            raise ConfigError(str(error)) from None


for module in (setup, learning, normality, rulefiles, watching, feedback, evaluating, inspecting, planning, assets):
    module.register(app)


def main() -> None:
    """Run the command line; failures become one clear message and an exit code.

    Typer itself sees to Ctrl-C and to a reader of the output that went away.
    """
    # Products here are small, and cameras are watched side by side: a pool's threads that spin while they wait for each
    # other took two fifths of a replay's processor time. numpy reads this when it is loaded, by the command.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        _refuse_passwords(sys.argv[1:])
        app(prog_name="streamproc")
    except ConfigError as error:
        note(str(error))
        sys.exit(MISTAKE)
    except StreamprocError as error:
        note(f"error: {error}")
        sys.exit(FAILURE)


if __name__ == "__main__":
    main()
