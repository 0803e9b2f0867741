"""Whether the place that is named lies on what is anomalous, by masks of labelled clips."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from streamproc.backtest.labels import Recording
from streamproc.backtest.standing_out import standing_out, times_threshold
from streamproc.errors import ConfigError
from streamproc.replay import Judged
from streamproc.types import Box, Verdict

AROUND_PX = 8
"""By how much a mask is widened before the centre of a box must lie on it: people mark objects roughly."""
ALERT = "alert"
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Located:
    """Of pictures in alarm on which something is masked."""

    pictures: int = 0
    """Last pictures of windows in alarm."""
    centre: int = 0
    """Of them, those where the centre of the box named first lies on the mask, widened by ``AROUND_PX``."""
    overlap: int = 0
    """Those where that box and the mask have something in common."""
    unplaced: int = 0
    """Those where no place was named: they count as missed."""

    def and_box(self, box: Box | None, mask: Mask) -> Located:
        """With one more picture."""
        centre, overlap = (False, False) if box is None else on_mask(box, mask)
        return Located(self.pictures + 1, self.centre + centre, self.overlap + overlap, self.unplaced + (box is None))

    def __add__(self, other: Located) -> Located:
        return Located(
            self.pictures + other.pictures,
            self.centre + other.centre,
            self.overlap + other.overlap,
            self.unplaced + other.unplaced,
        )

    def __str__(self) -> str:
        if not self.pictures:
            return "no picture in alarm has a mask"
        unplaced = f", none named in {self.unplaced}" if self.unplaced else ""
        return (
            f"centre on the object (or {AROUND_PX} px beside it) in {self.centre / self.pictures:.1%} of "
            f"{self.pictures} pictures, box touches it in {self.overlap / self.pictures:.1%}{unplaced}"
        )


class Locating:
    """Compares what is named with the masks of a folder: ``CLIP/FRAME.png``, frames from 0, whatever is not black."""

    def __init__(self, masks: Path) -> None:
        """
        Raises:
            ConfigError: it is no folder.
        """
        if not masks.is_dir():
            raise ConfigError(f"--masks {masks} is no folder; it holds a folder a clip with a picture a frame")
        self._masks = masks
        self._files = cache(self._files_of)
        self.found: dict[str, Located] = {ALERT: Located()}
        """Of the alerts, and of each measurement that is at or above its threshold, by its name."""

    def heed(self, recording: Recording, at_s: float, judged: Judged) -> None:
        """A window whose last picture was taken ``at_s`` into the recording."""
        frame = bisect_right(recording.times_s, at_s + 1e-3) - 1
        boxes: dict[str, Box | None] = {
            m.name: m.box_norm  # of several of a name, what stands out most
            for m in sorted(judged.observed.measurements, key=times_threshold)
            if m.score >= m.threshold
        }
        if judged.verdict is not None and judged.verdict.alarm:
            boxes[ALERT] = leading_box(judged.verdict, judged)
        path = self._files(recording.path.stem).get(frame) if boxes else None
        if path is None:
            return
        mask = read_mask(path)
        for name, box in boxes.items():
            self.found[name] = self.found.get(name, Located()).and_box(box, mask)

    def _files_of(self, clip: str) -> Mapping[int, Path]:
        return {int(path.stem): path for path in (self._masks / clip).glob("*.png") if path.stem.isdecimal()}


def leading_box(verdict: Verdict, judged: Judged) -> Box | None:
    """The place that an alert names first: its first object's, else that of what stands out most."""
    if verdict.objects:
        return verdict.objects[0].box_norm
    leading = standing_out(judged.observed)
    return leading.box_norm if leading is not None else None


def read_mask(path: Path) -> Mask:
    """Where ``path`` is not black, (height, width).

    Raises:
        ConfigError: it is no picture.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L")) > 0
    except OSError as error:
        raise ConfigError(f"{path} cannot be read as a mask: {error}") from None


def on_mask(box: Box, mask: Mask) -> tuple[bool, bool]:
    """Whether the centre of ``box`` lies on ``mask`` widened by ``AROUND_PX``, and whether the two overlap."""
    height, width = mask.shape
    x0, y0, x1, y1 = box
    column, row = (min(size - 1, int((a + b) / 2 * size)) for a, b, size in ((x0, x1, width), (y0, y1, height)))
    side = 2 * AROUND_PX + 1
    wide = cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    inside = mask[
        int(y0 * height) : max(int(y0 * height) + 1, int(np.ceil(y1 * height))),
        int(x0 * width) : max(int(x0 * width) + 1, int(np.ceil(x1 * width))),
    ]
    return bool(wide[row, column]), bool(inside.any())
