"""One outbox, one process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from streamproc.alerts.private import make_file, make_folder
from streamproc.errors import SinkError


class Claim:
    """A process's claim on an outbox: a lock on an empty file beside it, which the kernel ends with the process."""

    def __init__(self, path: Path) -> None:
        """Claim the outbox ``path``; its folder and file are made where they are missing, for their owner alone.

        Raises:
            SinkError: another process has it, or a file cannot be made or locked.
        """
        lock = path.with_name(path.name + ".lock")
        try:
            make_folder(path.parent.absolute())
        except OSError as error:
            raise SinkError(f"outbox {path}: its folder cannot be made: {error.strerror}") from error
        try:
            self._file = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise SinkError(f"outbox {path}: {lock.name} cannot be opened: {error.strerror}") from error
        try:
            self._lock(path)
        except BaseException:
            self.end()
            raise

    def _lock(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            make_file(path)  # SQLite gives the files beside it the same mode
        except BlockingIOError:
            said = "is in use: another `streamproc run` works with it, and each needs its own"
            raise SinkError(f"outbox {path} {said}") from None
        except OSError as error:
            raise SinkError(f"outbox {path} cannot be claimed: {error.strerror}") from error

    def end(self) -> None:
        """Leave it to others. The lock file stays: were it removed, two processes could lock two files of its name."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
