"""Stamps: what the files of a finished folder hash to, and by what it is seen cheaply that they still do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from streamproc.models.hashes import sha256_of

_NAME = "stamp.json"


class FileStamp(TypedDict):
    """One file as it was when it was last hashed."""

    sha256: str
    size_bytes: int
    mtime_ns: int


def read(folder: Path) -> dict[str, FileStamp]:
    """The folder's files by name; empty if there is no stamp, or none that can be read."""
    try:
        files = json.loads((folder / _NAME).read_bytes())["files"]
        return {
            name: FileStamp(sha256=str(s["sha256"]), size_bytes=int(s["size_bytes"]), mtime_ns=int(s["mtime_ns"]))
            for name, s in files.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write(folder: Path) -> None:
    """Hash every file of ``folder`` and write its stamp."""
    files = {path.name: _stamp(path) for path in sorted(folder.iterdir()) if path.name != _NAME}
    (folder / _NAME).write_text(json.dumps({"files": files}, indent=2) + "\n")


def unchanged(folder: Path) -> bool:
    """Whether every stamped file has the size and time it had when it was hashed; no file is read."""
    files = read(folder)
    return bool(files) and all(_looks_like(folder / name, stamp) for name, stamp in files.items())


def confirmed(folder: Path, pinned: Mapping[str, str]) -> bool:
    """Whether every stamped file still hashes to its stamp, and to its pin in ``pinned`` where it has one.

    If so, the stamp gets the files' present times: a folder copied from another machine is good from then on.
    """
    files = read(folder)
    try:
        found = {name: sha256_of(folder / name) for name in files}
    except OSError:
        return False
    if not files or any(found[name] != pinned.get(name, stamp["sha256"]) for name, stamp in files.items()):
        return False
    write(folder)
    return True


def _stamp(path: Path) -> FileStamp:
    stat = path.stat()
    return FileStamp(sha256=sha256_of(path), size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns)


def _looks_like(path: Path, stamp: FileStamp) -> bool:
    try:
        stat = path.stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (stamp["size_bytes"], stamp["mtime_ns"])
