"""The versions of a rule file, kept beside it: ``.history/gate/000003-1a2b3c4d5e6f.yaml``.

What is kept is what was replaced, and what a running pipeline took over: people's edits have the number of the version
that they were made to, and a hash of their own.
Beside them lie the calibrations that they were learned with, so that a version can be put back whole.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streamproc.errors import ConfigError
from streamproc.rules.atomic import replace
from streamproc.yamlfile import read_bytes

KEPT_VERSIONS = 50
"""A year of weekly inductions; at most 50 MB, as a rule file may be 1 MB, and usually less than one."""
_NAME = re.compile(r"(?P<version>\d{6,})-(?P<sha>[0-9a-f]{12})\.yaml")
_VERSION = re.compile(rb"(?:^(?:\xef\xbb\xbf)?|[{,]\s*)version:\s*(\d{1,9})\b", re.MULTILINE)
_CALIBRATION = ".normality.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """A version that was replaced."""

    path: Path
    version: int
    sha: str
    """The first 12 digits of its bytes' sha256."""
    written_at: datetime
    """When it was last written, edits included; UTC."""

    @property
    def name(self) -> str:
        """``3-1a2b3c4d5e6f``: tells versions of the same number apart."""
        return f"{self.version}-{self.sha}"


def folder(rules: Path) -> Path:
    """Where the history of the rule file at ``rules`` lies; of the file itself where ``rules`` is a link."""
    file = rules.resolve()
    return file.parent / ".history" / file.stem


def kept(rules: Path) -> list[Kept]:
    """The versions that were written or replaced, oldest first."""
    try:
        files = [(path, _NAME.fullmatch(path.name)) for path in folder(rules).iterdir()]
    except OSError:
        return []
    found = [
        Kept(path, int(name["version"]), name["sha"], datetime.fromtimestamp(path.stat().st_mtime, UTC))
        for path, name in files
        if name is not None
    ]
    return sorted(found, key=lambda one: (one.version, one.written_at, one.sha))


def version_of(data: bytes) -> int:
    """The version that a rule file says it is, also where it does not load; 0 where it does not say."""
    said = _VERSION.search(data)
    return int(said[1]) if said else 0


def keep(rules: Path, data: bytes) -> None:
    """Keep ``data``, what is in the rule file or was until now; the oldest beyond the bound goes.

    What does not load is kept too: it may be an edit gone wrong.

    Raises:
        ConfigError: it cannot be written.
    """
    before, version = kept(rules), version_of(data)
    path = folder(rules) / f"{version:06d}-{hashlib.sha256(data).hexdigest()[:12]}.yaml"
    replace(path, data, like=rules)
    older = [one for one in before if one.path != path]
    for one in older[: max(0, len(older) + 1 - KEPT_VERSIONS)]:
        one.path.unlink(missing_ok=True)
    _drop_calibrations(rules)


def find(rules: Path, name: str) -> Kept:
    """The version called ``name``: ``3``, or ``3-1a2b`` where there are several of that number.

    Raises:
        ConfigError: there is none, or more than one.
    """
    number, _, sha = name.partition("-")
    every = kept(rules)
    found = [one for one in every if str(one.version) == number and one.sha.startswith(sha)]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(one.name for one in found)
        raise ConfigError(f"{rules}: version {name} was kept more than once; say which: {several}")
    there = f"there are {', '.join(str(one.version) for one in every)}" if every else "none was replaced yet"
    raise ConfigError(f"{rules}: no version {name} is kept; {there} (`streamproc rules history {rules}`)")


def keep_calibration(rules: Path, sha256: str, data: bytes, like: Path | None = None) -> None:
    """Keep the calibration of that hash for the versions that name it, with the mode of ``like``; not where none does.

    Raises:
        ConfigError: it cannot be written.
    """
    if any(sha256.encode() in read_bytes(one.path) for one in kept(rules)):
        replace(folder(rules) / f"{sha256}{_CALIBRATION}", data, like=like)
    _drop_calibrations(rules)


def kept_calibration(rules: Path, sha256: str) -> Path | None:
    """The file of a calibration that was kept; None where it was not."""
    path = folder(rules) / f"{sha256}{_CALIBRATION}"
    return path if path.is_file() else None


def _drop_calibrations(rules: Path) -> None:
    """Those that no version names any more."""
    calibrations = list(folder(rules).glob(f"*{_CALIBRATION}"))
    texts = [read_bytes(one.path) for one in kept(rules)] if calibrations else []
    for path in calibrations:
        sha256 = path.name.removesuffix(_CALIBRATION).encode()
        if not any(sha256 in text for text in texts):
            path.unlink(missing_ok=True)
