"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_MODE = 0o600


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """What the body writes becomes ``path`` once it is on the disk, with the mode of what it replaces.

    A new file is for its owner alone.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    draft = path.with_name(f".{path.name}.new")
    mode = path.stat().st_mode & 0o777 if path.exists() else _MODE
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, _MODE), "wb") as file:
        os.fchmod(file.fileno(), mode)
        yield file
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
