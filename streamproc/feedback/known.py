"""An alert's messages, found by its id where they were kept: the outbox, a file of JSON lines."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from streamproc.alerts.message import Alert
from streamproc.config import AlertSettings, JsonlSinkSettings
from streamproc.errors import ConfigError

_ID = re.compile(r"([0-9a-f]{32})(-\d{1,9})?")


def alert_id_of(text: str) -> str:
    """The alert's id, from it or from the id of one of its messages.

    Raises:
        ConfigError: it is neither.
    """
    found = _ID.fullmatch(text.strip().lower())
    if found is None:
        raise ConfigError(f"{text!r} is no alert's id: 32 hexadecimal digits, as `streamproc alerts tail` prints them")
    return found[1]


def messages_of(alert_id: str, settings: AlertSettings, file: Path | None = None) -> tuple[Alert, ...]:
    """The alert's messages in order, from ``file`` alone where it is given, else from outbox and files of alerts.

    Raises:
        ConfigError: there are none, or a file cannot be read.
    """
    files = [sink.path for sink in settings.sinks if isinstance(sink, JsonlSinkSettings) and sink.path]
    looked_in = [file] if file is not None else [settings.outbox, *files]
    found: dict[str, Alert] = {}
    for path in looked_in:
        if path.exists():
            stored = _in_outbox if path == settings.outbox and file is None else _in_lines
            found |= {one.id: one for one in stored(path, alert_id) if one.data.alert_id == alert_id}
        elif file is not None:
            raise ConfigError(f"{file}: no such file of alerts")
    if not found:
        raise ConfigError(
            f"there is no alert {alert_id} in {', '.join(map(str, looked_in))}. The outbox keeps alerts for "
            f"{settings.evidence.retention_days:g} days; for others, and for what a replay printed, name a file of "
            "JSON lines with --alerts"
        )
    return tuple(sorted(found.values(), key=lambda one: one.data.revision))


def _in_outbox(path: Path, alert_id: str) -> Iterator[Alert]:
    try:
        # Beside a process that has the outbox: nothing is claimed, and nothing can be changed.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5.0)) as db:
            db.execute("PRAGMA query_only = ON")
            rows = db.execute("SELECT body FROM messages WHERE id GLOB ?", (f"{alert_id}-*",)).fetchall()
    except sqlite3.Error as error:
        raise ConfigError(f"outbox {path} cannot be read: {error}") from None
    for (body,) in rows:
        yield from _parsed(body)


def _in_lines(path: Path, alert_id: str) -> Iterator[Alert]:
    wanted = alert_id.encode()
    try:
        with path.open("rb") as lines:
            for line in lines:
                if wanted in line:
                    yield from _parsed(line)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _parsed(body: bytes) -> Iterator[Alert]:
    try:
        yield Alert.model_validate(json.loads(body))
    except (ValueError, ValidationError):
        return  # half a line of a power cut, or no alert of this version: not found is what follows
