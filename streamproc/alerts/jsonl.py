"""Alerts as JSON lines, appended to a file and synced to the disk, or written to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from streamproc.alerts.sinks import Outgoing, Receipt
from streamproc.config import JsonlSinkSettings
from streamproc.errors import DeliveryError


class JsonlSink:
    """A ``Sink``; health messages are acknowledged and left out, so that each line is an alert."""

    def __init__(self, settings: JsonlSinkSettings, stdout: BinaryIO | None = None) -> None:
        self._path = settings.path
        self._stdout = stdout

    def send(self, messages: Sequence[Outgoing]) -> Receipt:
        """Append the alerts, one line each.

        Raises:
            DeliveryError: the file cannot be written; names it.
        """
        lines = b"".join(message.body + b"\n" for message in messages if message.topic == "alerts")
        try:
            if self._path is None:
                out = self._stdout or sys.stdout.buffer
                out.write(lines)
                out.flush()
            elif lines:
                _append(self._path, lines)
        except OSError as error:
            raise DeliveryError(f"{self._path or 'standard output'} cannot be written: {error.strerror}") from error
        return Receipt(tuple(message.id for message in messages))

    def close(self) -> None:
        """Nothing is kept open."""


def _append(path: Path, lines: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if file.tell() and _last_byte(file) != b"\n":
            lines = b"\n" + lines  # what was half written when the power went stays a line of its own
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def _last_byte(file: BinaryIO) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)
