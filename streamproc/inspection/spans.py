"""How many tokens a crop takes before the language model (LLaVA-OneVision's ``anyres_max_9`` and Anomaly-OV's own)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamproc.inspection.nouns import Layout

MOST_PICTURES = 9
"""``anyres_max_9``: close-ups beyond the tokens of nine pictures are scaled down to them."""
PHRASE_TOKENS = 6
"""Of "with … suspicious features: " in Qwen2's tokenizer, whichever of the three words it holds."""


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens that stand for one crop, in the order they stand in."""

    whole: int
    """Of view 0."""
    rows: int
    """Of the close-ups, margins removed; each row is followed by a newline token."""
    columns: int
    suspicious: int
    """r, the four tokens of view 0, and those of the close-ups with a newline token a row."""

    @property
    def image(self) -> int:
        """Tokens of all pictures."""
        return self.whole + self.rows * (self.columns + 1)

    @property
    def total(self) -> int:
        """Tokens of pictures, phrase and suspicious tokens."""
        return self.image + PHRASE_TOKENS + self.suspicious


def span_of(layout: Layout, side: int) -> Span:
    """The span of a crop whose pictures have ``side`` x ``side`` tokens."""
    grid_rows, grid_columns = layout.grid
    rows, columns = without_margins(layout.crop_px, grid_rows * side, grid_columns * side)
    shrink = math.sqrt(rows * columns / (MOST_PICTURES * side * side))
    if shrink > 1.1:  # below that LLaVA-OneVision leaves them as they are
        rows, columns = int(rows // shrink), int(columns // shrink)
    return Span(side * side, rows, columns, 1 + 4 + 2 * grid_rows * (2 * grid_columns + 1))


def without_margins(crop_px: tuple[int, int], rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns that are left of a canvas of tokens when the black margins are cut off on both sides alike."""
    height, width = crop_px
    if width / height > columns / rows:
        margin = (rows - int(height * (columns / width))) // 2
        return rows - 2 * margin, columns
    margin = (columns - int(width * (rows / height))) // 2
    return rows, columns - 2 * margin


def inside_margins(crop_px: tuple[int, int], rows: int, columns: int) -> tuple[slice, slice]:
    """What ``without_margins`` leaves of the canvas."""
    kept_rows, kept_columns = without_margins(crop_px, rows, columns)
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return slice(top, top + kept_rows), slice(left, left + kept_columns)
