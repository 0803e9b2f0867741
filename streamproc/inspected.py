"""What `inspect images` does: a folder of pictures, scored and shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from streamproc.errors import ConfigError
from streamproc.inspection.distances import Kind
from streamproc.inspection.fused import Expert, Fused, learn, look, show
from streamproc.inspection.nouns import Backbone, Floats, Pixels
from streamproc.inspection.reading import read_picture

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One picture's line."""

    image: str
    """Relative to the folder."""
    score: float
    """0..1; 0.5 is the threshold."""
    defect: bool
    by: str
    memory: float | None
    """In times of its threshold; None where there is no memory."""
    expert: float | None


def inspect_folder(
    directory: Path,
    normal: Path | None,
    backbone: Backbone,
    expert: Expert | None,
    *,
    kind: Kind,
    heatmaps: Path | None,
    tell: Tell,
    unread: Callable[[str], None],
) -> list[Row]:
    """Score each picture under ``directory``, in the order of their names; overlays go to ``heatmaps`` as PNG.

    ``unread`` is told of each picture that cannot be read, in words; the others are scored.

    Raises:
        ConfigError: there is nothing to hold pictures against, a folder holds none, a normal picture cannot be read, or
            an overlay cannot be written.
        InferenceError: a part failed.
    """
    pictures = pictures_in(directory)
    fused = learned(normal, backbone, expert, kind, tell)
    rows = []
    for number, path in enumerate(pictures):
        tell("inspecting", number, len(pictures))
        try:
            pixels = read_picture(path)
        except ConfigError as error:
            unread(str(error))
            continue
        said = fused.judge(look(backbone, pixels, expert))
        name = path.relative_to(directory)
        rows.append(Row(str(name), said.score.value, said.times >= 1, said.score.by, said.memory, said.expert))
        if heatmaps is not None:
            _write(heatmaps / name.parent / f"{name.name}.png", overlay(pixels, said.score.heat))
    tell("inspecting", len(pictures), len(pictures))
    return rows


def learned(normal: Path | None, backbone: Backbone, expert: Expert | None, kind: Kind, tell: Tell) -> Fused:
    """What judges: a memory of the pictures under ``normal``, the expert, or both.

    Raises:
        ConfigError: there is neither, or ``normal`` holds fewer than two pictures, or one cannot be read.
        InferenceError: a part failed.
    """
    if normal is None and expert is None:
        raise ConfigError("nothing to hold pictures against: give --normal with two pictures or more, or --expert")
    if normal is None:
        return Fused(expert=expert)
    known = pictures_in(normal)
    if len(known) < 2:
        raise ConfigError(f"{normal} holds one picture; two or more tell what is normal")
    shown = []
    for number, path in enumerate(known):
        tell("learning", number, len(known))
        shown.append(show(backbone, read_picture(path), expert))
    tell("learning", len(known), len(known))
    return learn(shown, expert, kind)


def overlay(pixels: Pixels, heat: Floats) -> Pixels:
    """The picture (h, w, 3) RGB with its heat 0..1 in colours over it: nothing below 0.25, red at 0.75 and above."""
    height, width = pixels.shape[:2]
    sized = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR)
    strength = np.clip((sized - 0.25) * 2, 0.0, 1.0)[..., None]
    coloured = cv2.applyColorMap((strength * 255).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    return np.asarray(pixels * (1 - 0.6 * strength) + coloured * (0.6 * strength), np.uint8)


def as_csv(rows: list[Row]) -> str:
    """With a first line of names; empty where nobody was asked."""
    held = io.StringIO()
    writer = csv.DictWriter(held, [one.name for one in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = asdict(row) | {"defect": int(row.defect)}
        writer.writerow({key: f"{value:.4f}" if isinstance(value, float) else value for key, value in values.items()})
    return held.getvalue()


def pictures_in(directory: Path) -> list[Path]:
    """The pictures under a folder, in the order of their names.

    Raises:
        ConfigError: there is no such folder, or no pictures in it.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory}: there is no such folder")
    found = sorted(path for path in directory.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ConfigError(f"{directory} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return found


def _write(path: Path, picture: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture[..., ::-1]):
        raise ConfigError(f"{path} cannot be written")
