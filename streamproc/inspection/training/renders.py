"""Things in space as nine pictures: point clouds turned about their upright axis and looked at from a little above.

Reads what Real3D-AD and Anomaly-ShapeNet are handed out as (``CLASS/{train,test}/*.pcd``, ``gt`` or ``GT`` with
a text file for each defective one) and writes the folders that ``readers.rendered`` reads. A picture is a
shaded depth map.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from streamproc.errors import ConfigError
from streamproc.inspection.nouns import Pixels
from streamproc.inspection.training.readers import SIDES

DOWN_DEG = 25.0
"""How far above the thing the camera stands: high enough to see its top, low enough to see its sides."""


def render_set(root: Path, out: Path, side_px: int) -> int:
    """Render every cloud of a set of classes to ``out``; how many there were.

    Raises:
        ConfigError: there is none, or one cannot be read.
    """
    count = 0
    for split in ("train", "test"):
        for path in sorted(root.glob(f"*/{split}/*.pcd")):
            category = path.parent.parent
            truth = [category / name / f"{path.stem}.txt" for name in ("gt", "GT")]
            bad = split == "test" and any(t.is_file() for t in truth)
            folder = out / category.name / split / ("defective" if bad else "good") / path.stem
            folder.mkdir(parents=True, exist_ok=True)
            for number, picture in enumerate(render(read_cloud(path), side_px)):
                cv2.imwrite(str(folder / f"{number}.png"), picture)
            count += 1
    if not count:
        raise ConfigError(f"{root}: no clouds found; expected CLASS/train/*.pcd and CLASS/test/*.pcd")
    return count


def render(points: np.ndarray, side_px: int) -> list[Pixels]:
    """Nine (side_px, side_px, 3) pictures of a cloud (n, 3), evenly about its third axis; black is nothing."""
    centred = points - (points.min(0) + points.max(0)) / 2
    centred = centred / (np.linalg.norm(centred, axis=1).max() or 1.0)
    down = np.radians(DOWN_DEG)
    tilt = np.array([[1, 0, 0], [0, np.sin(down), -np.cos(down)], [0, np.cos(down), np.sin(down)]])
    pictures = []
    for turn in np.arange(SIDES) * 2 * np.pi / SIDES:
        cos, sin = np.cos(turn), np.sin(turn)
        seen = centred @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) @ tilt.T
        pictures.append(_shaded(seen, side_px))
    return pictures


def _shaded(seen: np.ndarray, side_px: int) -> Pixels:
    """Points (n, 3) as x to the right, y down and z towards the eye, -1..1: the nearest of each pixel, lit."""
    # As many cells as the cloud can fill, so that it looks closed; the picture is scaled up from them.
    cells = int(np.clip(np.sqrt(len(seen)) * 0.8, 16, side_px))
    column, row = ((seen[:, axis] + 1) / 2 * (cells - 1) + 0.5 for axis in (0, 1))
    depth = np.full((cells, cells), -2.0, np.float32)
    np.maximum.at(depth, (row.astype(int), column.astype(int)), seen[:, 2].astype(np.float32))
    there = depth > -2
    closed = cv2.dilate(depth, np.ones((3, 3), np.uint8))
    kept = cv2.morphologyEx(there.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
    depth = np.where(there, depth, closed)
    down, right = np.gradient(cv2.GaussianBlur(depth, (0, 0), 0.8) * cells / 4)
    level = 0.55 - 0.3 * np.tanh(down + right) + 0.15 * np.clip(depth, -1, 1)
    grey = np.where(kept, np.clip(level, 0.05, 1) * 255, 0).astype(np.uint8)
    grey = np.asarray(cv2.resize(grey, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.stack([grey] * 3, axis=-1)


def read_cloud(path: Path) -> np.ndarray:
    """The points (n, 3) of a PCD file, version 0.7, ASCII or uncompressed binary.

    Raises:
        ConfigError: it is none, is compressed, or has no x, y, z.
    """
    try:
        content = path.read_bytes()
        head, _, _ = content.partition(b"\nDATA ")
        lines = [line.split() for line in head.decode("ascii").splitlines() if line and not line.startswith("#")]
        said = {line[0]: line[1:] for line in lines if line}
        body_at = content.index(b"\n", len(head) + 1) + 1
        kind = content[len(head) + 6 : body_at].strip().decode("ascii")
        fields, count = said["FIELDS"], int(said["POINTS"][0])
        columns = [fields.index(axis) for axis in "xyz"]
        if kind == "ascii":
            rows = np.loadtxt(content[body_at:].decode("ascii").splitlines(), ndmin=2)
            points = rows[:, columns]
        elif kind == "binary":
            types = [f"<{_KINDS[t]}{size}" for t, size in zip(said["TYPE"], said["SIZE"], strict=True)]
            each = np.dtype([(str(n), t, (int(c),)) for n, (t, c) in enumerate(zip(types, said["COUNT"], strict=True))])
            table = np.frombuffer(content[body_at:], each, count)
            points = np.stack([table[str(column)][:, 0] for column in columns], axis=1)
        else:
            raise ValueError(f"data of kind {kind!r}; ascii and binary are read")
        if not len(points) or len(points) != count:
            raise ValueError(f"{len(points)} points where {count} are named")
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ConfigError(f"{path}: no point cloud could be read: {error}") from error
    points = np.asarray(points, np.float64)
    return points[np.isfinite(points).all(axis=1)]


_KINDS = {"F": "f", "U": "u", "I": "i"}
