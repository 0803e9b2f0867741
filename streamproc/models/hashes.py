"""What files hash to, and what they should."""

from __future__ import annotations

import hashlib
from pathlib import Path

from streamproc.errors import ModelLoadError


def sha256_of(path: Path) -> str:
    """The file's sha256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_sha256(path: Path, expected: str) -> None:
    """Delete ``path`` if it does not hash to ``expected``.

    Raises:
        ModelLoadError: naming the file, the hash it should have and the one it had.
    """
    found = sha256_of(path)
    if found != expected:
        path.unlink()
        raise ModelLoadError(f"{path.name}: expected sha256 {expected}, found {found}; the file was deleted")
