"""What people say is to be seen in single pictures: the labels that captions are held against.

A line a picture, ``{"clip": "01", "frame": 60, "objects": ["bicycle|bike", "cart"], "actions": ["ride|cycle"]}``, or a
CSV file ``clip,frame,objects,actions`` with semicolons between entries. An entry is one thing, with words that name it
just as well after a ``|``. ``60-179`` as a frame stands for all from the first to the last. What some picture of the
file lists and another does not is not there in the other.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamproc.errors import ConfigError, Fault

_FRAMES = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?")
_COLUMNS = ("clip", "frame", "objects", "actions")


@dataclass(frozen=True, slots=True)
class Scene:
    """What one picture shows."""

    objects: frozenset[str]
    """Entries: a word, or several that mean the same, joined by ``|``."""
    actions: frozenset[str]


Scenes = Mapping[str, Mapping[int, Scene]]
"""By clip, by its file's name without suffix, and picture, from 0."""


def load_scenes(path: Path) -> Scenes:
    """The labels in a ``.jsonl`` or ``.csv`` file.

    Raises:
        ConfigError: names the file, and the line where a line is at fault.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    read = {".jsonl": _json_rows, ".csv": _csv_rows}.get(path.suffix)
    if read is None:
        raise ConfigError(f"{path}: labels of objects and actions come as .jsonl or .csv")
    scenes: dict[str, dict[int, Scene]] = {}
    for number, row in read(path, text):
        clip, frame, objects, actions = (row.get(column) for column in _COLUMNS)
        if not isinstance(clip, str) or not clip:
            raise _fault(path, number, "clip", "must be a clip's name")
        found = _FRAMES.fullmatch(str(frame))
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, -1)
        if last < first:
            raise _fault(path, number, "frame", f"must be a whole number from 0 on, or first-last, not {frame!r}")
        scene = Scene(_entries(path, number, "objects", objects), _entries(path, number, "actions", actions))
        scenes.setdefault(Path(clip).stem, {}).update(dict.fromkeys(range(first, last + 1), scene))
    if not scenes:
        raise ConfigError(f"{path} holds no labels")
    return scenes


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise _fault(path, number, "", f"not a JSON object: {error}") from None
            if not isinstance(row, dict):
                raise _fault(path, number, "", "not a JSON object")
            yield number, row


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    rows = csv.DictReader(io.StringIO(text))
    if missing := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
        raise _fault(path, 1, "", f"no column {', '.join(missing)}; the first line names {','.join(_COLUMNS)}")
    for row in rows:
        lists = {name: [part.strip() for part in (row[name] or "").split(";") if part.strip()] for name in _COLUMNS[2:]}
        yield rows.line_num, {"clip": (row["clip"] or "").strip(), "frame": (row["frame"] or "").strip(), **lists}


def _entries(path: Path, line: int, field: str, value: object) -> frozenset[str]:
    entries = value if isinstance(value, list) else [] if value is None else [value]
    if wrong := [one for one in entries if not isinstance(one, str) or not one.strip("| ")]:
        raise _fault(path, line, field, f"must be a list of words, not {wrong[0]!r}")
    return frozenset(str(one).strip().lower() for one in entries)


def _fault(path: Path, line: int, field: str, message: str) -> ConfigError:
    return ConfigError(faults=(Fault(str(path), line, None, field, message),))
