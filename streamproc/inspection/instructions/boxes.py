"""A mask as boxes: the visual hint by which a describing model sees what is wrong (section A1.1)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.types import Box

_APART = 0.03
"""Of the longer edge: nearer parts of a mask share a box. The paper dilates and merges but gives no figure."""


def boxes_of(mask: npt.NDArray[np.bool_]) -> tuple[Box, ...]:
    """Of a mask (h, w) bool: left, top, right, bottom as 0..1 of it, the largest first; none of an empty mask."""
    height, width = mask.shape
    reach = max(1, round(max(height, width) * _APART / 2))
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    count, parts = cv2.connectedComponents(grown, connectivity=8)
    found: list[Box] = []
    for part in range(1, count):
        rows, columns = np.nonzero(mask & (parts == part))
        found.append(
            (
                float(columns.min()) / width,
                float(rows.min()) / height,
                float(columns.max() + 1) / width,
                float(rows.max() + 1) / height,
            )
        )
    return tuple(sorted(found, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1])))


def place(box: Box) -> str:
    """Where its middle is, in words: ``at the upper left``, ``in the middle``."""
    across, down = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    words = f"{_third(down, 'upper', 'lower')} {_third(across, 'left', 'right')}".split()
    if not words:
        return "in the middle"
    at = {"upper": "top", "lower": "bottom"}.get(words[0], words[0]) if len(words) == 1 else " ".join(words)
    return f"at the {at}"


def _third(at: float, low: str, high: str) -> str:
    return low if at < 1 / 3 else high if at > 2 / 3 else ""
