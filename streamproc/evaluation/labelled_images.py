"""Pictures with labels: a CSV file ``image,label`` with, where known, ``mask`` and ``class``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from streamproc.errors import ConfigError, Fault

_NEEDED = ("image", "label")


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One line of the file."""

    path: Path
    label: int
    """1 where something is not as it should be, else 0."""
    mask: Path | None
    """Where: not black there."""
    kind: str
    """The file's ``class``: what thing it is, or which defect it has; empty where the file does not say."""


def load_labels(images: Path, labels: Path) -> tuple[LabelledImage, ...]:
    """The lines of ``labels``; paths in it are relative to the folder ``images``.

    Raises:
        ConfigError: names the file, and the line where a line is at fault.
    """
    try:
        text = labels.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{labels} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    if missing := [name for name in _NEEDED if name not in (rows.fieldnames or ())]:
        raise _fault(labels, 1, "", f"needs a first line with the columns image,label; without {', '.join(missing)}")
    read, seen = [], dict[Path, int]()
    for row in rows:
        line = rows.line_num
        image = _labelled(images, labels, line, {key: (value or "").strip() for key, value in row.items() if key})
        if image.path in seen:
            raise _fault(labels, line, "image", f"{image.path.name} stands in line {seen[image.path]} too")
        seen[image.path] = line
        read.append(image)
    if not read:
        raise ConfigError(f"{labels} holds no labels")
    return tuple(read)


def _labelled(images: Path, labels: Path, line: int, row: dict[str, str]) -> LabelledImage:
    if row["label"] not in ("0", "1"):
        raise _fault(labels, line, "label", f"is 0 (as it should be) or 1 (not), not {row['label']!r}")
    path, mask = images / row["image"], row.get("mask", "")
    for name, file in (("image", path), ("mask", images / mask if mask else path)):
        if not file.is_file():
            raise _fault(labels, line, name, f"there is no file {file}")
    return LabelledImage(path, int(row["label"]), images / mask if mask else None, row.get("class", ""))


def _fault(path: Path, line: int, field: str, message: str) -> ConfigError:
    return ConfigError(faults=(Fault(str(path), line, None, field, message),))
