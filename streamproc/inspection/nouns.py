"""What passes between the parts of inspection: pictures, their features, and a score with its heat map.

Letters in shapes: n pictures, t = side x side tokens a picture (row-major), c channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
"""An array of float32."""
Pixels = npt.NDArray[np.uint8]
"""(height, width, 3) uint8 RGB, as everywhere in streamproc."""
By = Literal["expert", "memory", "both"]
"""Who spoke."""

TAPS = 4
"""How many levels of the encoder are looked at (Anomaly-OV, section 3.2)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a crop was cut into pictures, so that what is found in them can be put back over the crop."""

    crop_px: tuple[int, int]
    """Height and width of the crop, pixels."""
    grid: tuple[int, int]
    """Rows and columns of close-up pictures; (1, 1) is one picture of the whole."""
    inside: tuple[float, float, float, float]
    """Left, top, right and bottom of the crop within the grid's canvas, 0..1; the rest is black margin."""
    same_first: bool
    """True where the whole (view 0) and the only close-up (view 1) are one and the same picture, held once."""

    @property
    def pictures(self) -> int:
        """How many different pictures there are (n): those that an encoder has to see."""
        rows, columns = self.grid
        return 1 if self.same_first else 1 + rows * columns

    @property
    def views(self) -> int:
        """How many views the method counts; one more than the pictures where two are the same."""
        rows, columns = self.grid
        return 1 + rows * columns


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """The pictures a crop becomes (the set I of equation 1): first the whole, then close-ups row by row.

    Two views that are identical are one picture here, so encoding ``pictures`` as they are encodes nothing twice.
    """

    pictures: Floats
    """(n, 3, side_px, side_px) float32, RGB 0..1; an encoder subtracts its own mean itself."""
    layout: Layout

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of close-ups."""
        return self.layout.grid

    @property
    def same_first(self) -> bool:
        """True where view 0 and view 1 are identical and ``pictures`` holds them once."""
        return self.layout.same_first


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What an encoder made of one crop's pictures; in the order of ``Views.pictures``."""

    tokens: Floats
    """(n, t, c) float32: v^o, the encoder's last tokens, without a class token."""
    taps: Floats
    """(4, n, t, c) float32: v^i of equation 2, the tokens at four levels from shallow to deep."""
    side: int
    """Tokens along one edge of a picture; t = side * side."""
    layout: Layout

    @property
    def whole(self) -> Features:
        """Of view 0 alone: the whole crop without close-ups."""
        if self.layout.pictures == 1:
            return self
        layout = Layout(self.layout.crop_px, (1, 1), (0.0, 0.0, 1.0, 1.0), same_first=True)
        return Features(self.tokens[:1], self.taps[:, :1], self.side, layout)


class Backbone(Protocol):
    """An image encoder that gives its tokens at four levels."""

    @property
    def name(self) -> str:
        """Which encoder, e.g. ``dinov2-s``; an expert trained on one never reads another's features."""
        ...

    @property
    def revision(self) -> str:
        """Which weights, e.g. the first 12 digits of the file's sha256 or a hub commit."""
        ...

    @property
    def side_px(self) -> int:
        """The edge of the square pictures it takes, pixels."""
        ...

    def encode(self, views: Views) -> Features:
        """The features of one crop's pictures.

        Raises:
            InferenceError: the encoder failed.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """How anomalous a crop is, where, and who says so."""

    value: float
    """0..1; the expert's own is sigma of equation 9, a fused one is calibrated on normal crops."""
    heat: Floats
    """(h, w) float32 0..1 over the crop, row 0 at its top; as fine as the features, to be resized by who draws it."""
    by: By


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """All that the expert says of one crop."""

    score: Score
    logit: float
    """What the sigmoid of equation 9 is taken of; it does not saturate as the score does."""
    maps: Floats
    """(n, side, side) float32 0..1: m_j of equation 5, one a picture."""
    selected: Floats
    """(n, 4, c) float32: v^s_j of equation 7, the picture's suspicious tokens; quadrants row by row."""
    summary: Floats
    """(c,) float32: r of equation 8, the whole crop in one token."""
