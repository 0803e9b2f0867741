"""What commands print, JSON for programs and sentences for people, and the exit codes."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from streamproc.errors import ConfigError, Fault
from streamproc.secrets import redact

OK, FAILURE, MISTAKE = 0, 1, 2

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]
SiteArgument = Annotated[Path, typer.Argument(metavar="SITE", help="The site's YAML file, e.g. configs/site.yaml.")]


def say(text: str = "") -> None:
    """Print a line for people on standard output."""
    sys.stdout.write(redact(text) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a line for people on standard error, beside output that a program reads."""
    sys.stderr.write(redact(text) + "\n")
    sys.stderr.flush()


def coloured(text: str, colour: str) -> str:
    """``text`` in a colour where standard output is a terminal that may have it; as it is if ``colour`` is empty."""
    wanted = bool(colour) and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return typer.style(text, fg=colour) if wanted else text


def emit_json(value: object, *, indent: int | None = 2) -> None:
    """Print ``value`` as JSON on standard output; one line if ``indent`` is None."""
    sys.stdout.write(redact(json.dumps(value, default=_plain, indent=indent, ensure_ascii=False)) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def faults_as_dicts(error: ConfigError) -> list[dict[str, object]]:
    """The error's faults for ``--json``; one without a place where it has none."""
    faults = error.faults or (Fault("", None, None, "", error.message),)
    return [asdict(fault) for fault in faults]
