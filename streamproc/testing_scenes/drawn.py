"""A van, a bicycle with its rider and a suitcase, drawn: for a machine that has no other source of them.

Drawn four times as large as needed and made small, shaded from above, with a texture; all face right.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.testing_scenes.cutouts import Sprite
from streamproc.testing_scenes.scene import to_pixels

_PX_M = 240
"""Pixels for one metre while drawing."""
_SMALLER = 3
VAN_M, BICYCLE_M, SUITCASE_M = 2.15, 1.72, 0.68
"""How tall each is, in metres, as drawn (the van with its roof, seen from a little above)."""
PHASES = 12
"""Pictures for one turn of the pedals."""
Colour = tuple[int, int, int]
_Points = Sequence[tuple[float, float]]


class _Canvas:
    """Metres, from the lower left corner of the ground; y upwards."""

    def __init__(self, wide_m: float, high_m: float) -> None:
        self._high = round(high_m * _PX_M)
        self.rgb = np.zeros((self._high, round(wide_m * _PX_M), 3), np.uint8)
        self.matte = np.zeros(self.rgb.shape[:2], np.uint8)

    def _px(self, point: tuple[float, float]) -> tuple[int, int]:
        return round(point[0] * _PX_M), self._high - round(point[1] * _PX_M)

    def shape(self, points: _Points, colour: Colour) -> None:
        corners = [np.array([self._px(point) for point in points], np.int32)]
        cv2.fillPoly(self.rgb, corners, colour, cv2.LINE_AA)
        cv2.fillPoly(self.matte, corners, 255)

    def limb(self, points: _Points, thick_m: float, colour: Colour) -> None:
        thick = max(1, round(thick_m * _PX_M))
        for begin, end in itertools.pairwise(points):
            cv2.line(self.rgb, self._px(begin), self._px(end), colour, thick, cv2.LINE_AA)
            cv2.line(self.matte, self._px(begin), self._px(end), 255, thick)

    def disc(self, centre: tuple[float, float], radius_m: float, colour: Colour, ring_m: float | None = None) -> None:
        thick = -1 if ring_m is None else max(1, round(ring_m * _PX_M))
        cv2.circle(self.rgb, self._px(centre), round(radius_m * _PX_M), colour, thick, cv2.LINE_AA)
        cv2.circle(self.matte, self._px(centre), round(radius_m * _PX_M), 255, thick)

    def sprite(self, seed: int, grain: float = 9.0) -> Sprite:
        """Made small, textured, lit from above, cut close."""
        high, wide = self.matte.shape
        small = (wide // _SMALLER, high // _SMALLER)
        rgb = cv2.resize(self.rgb, small, interpolation=cv2.INTER_AREA).astype(np.float32)
        matte = cv2.resize(self.matte, small, interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
        rgb /= np.maximum(matte, 0.2)[..., None]
        random = np.random.default_rng(seed)
        coarse: npt.NDArray[np.float32] = random.normal(0, grain, (small[1] // 6 + 1, small[0] // 6 + 1)).astype(
            np.float32
        )
        rgb += cv2.resize(coarse, small, interpolation=cv2.INTER_CUBIC)[..., None]
        rgb *= np.linspace(1.12, 0.82, small[1], dtype=np.float32)[:, None, None]
        rows, columns = np.nonzero(matte > 0.1)
        part = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        return Sprite(to_pixels(rgb[part]), matte[part])


def van(body: Colour = (196, 202, 206), turned: float = 0.0) -> Sprite:
    """A delivery van, 4.8 m long; ``turned``: how far its wheels have turned, in radians."""
    canvas = _Canvas(5.2, 2.6)
    dark, glass, tyre = (24, 25, 27), (52, 62, 70), (28, 28, 29)
    roof = tuple(min(255, round(c * 1.12)) for c in body)
    side = [(0.2, 0.35), (0.2, 1.75), (3.45, 1.8), (4.1, 1.15), (4.85, 0.95), (4.98, 0.4)]
    canvas.shape([(0.2, 1.7), (0.5, 2.25), (3.35, 2.3), (3.5, 1.75)], (roof[0], roof[1], roof[2]))
    canvas.shape([(3.4, 1.8), (3.3, 2.28), (3.62, 2.05), (4.4, 1.3), (4.1, 1.12)], glass)
    canvas.shape([(4.1, 1.15), (4.4, 1.3), (5.05, 1.1), (4.85, 0.92)], (roof[0], roof[1], roof[2]))
    canvas.shape(side, body)
    canvas.shape([(2.55, 1.12), (2.55, 1.66), (3.4, 1.68), (3.9, 1.16)], glass)
    canvas.limb([(2.45, 0.45), (2.45, 1.72)], 0.02, (120, 124, 128))
    canvas.limb([(1.1, 0.45), (1.1, 1.72)], 0.02, (140, 144, 148))
    canvas.shape([(0.35, 1.0), (0.35, 1.35), (2.3, 1.35), (2.3, 1.0)], (40, 74, 138))
    canvas.limb([(0.2, 0.5), (4.95, 0.5)], 0.07, (90, 93, 96))
    canvas.shape([(4.72, 0.62), (4.66, 0.85), (4.93, 0.8), (4.96, 0.6)], (235, 230, 205))
    canvas.shape([(0.18, 0.8), (0.18, 1.2), (0.27, 1.2), (0.27, 0.8)], (160, 40, 34))
    for centre in ((1.0, 0.34), (4.1, 0.34)):
        canvas.disc(centre, 0.4, dark)
        canvas.disc(centre, 0.33, tyre)
        canvas.disc(centre, 0.19, (150, 152, 155))
        for spoke in range(5):
            angle = -turned + spoke * 2 * np.pi / 5
            tip = (centre[0] + 0.17 * np.cos(angle), centre[1] + 0.17 * np.sin(angle))
            canvas.limb([centre, tip], 0.035, (70, 72, 74))
    return canvas.sprite(seed=21, grain=6.0)


def cyclist(phase: float, jacket: Colour = (150, 44, 40), trousers: Colour = (46, 54, 74)) -> Sprite:
    """A bicycle and who rides it; ``phase``: turns of the pedals."""
    canvas = _Canvas(2.0, 1.95)
    back, front, pedals, saddle, bar = (0.42, 0.34), (1.5, 0.34), (0.88, 0.3), (0.72, 0.93), (1.36, 1.0)
    frame, skin, shoe = (30, 92, 96), (196, 152, 128), (30, 28, 28)
    hip, shoulder = (0.74, 1.0), (1.06, 1.45)
    angle = -2 * np.pi * phase
    feet = [(pedals[0] + 0.17 * np.cos(a), pedals[1] + 0.17 * np.sin(a)) for a in (angle, angle + np.pi)]
    far_trousers = tuple(round(c * 0.7) for c in trousers)
    canvas.limb([hip, _knee(hip, feet[1]), feet[1]], 0.12, (far_trousers[0], far_trousers[1], far_trousers[2]))
    canvas.limb([feet[1], (feet[1][0] + 0.13, feet[1][1] - 0.02)], 0.08, shoe)
    for hub in (back, front):
        for spoke in range(9):
            turn = angle * 2.2 + spoke * 2 * np.pi / 9
            canvas.limb([hub, (hub[0] + 0.31 * np.cos(turn), hub[1] + 0.31 * np.sin(turn))], 0.008, (120, 120, 120))
        canvas.disc(hub, 0.32, (26, 26, 26), ring_m=0.045)
    canvas.limb([back, pedals, saddle, back], 0.035, frame)
    canvas.limb([saddle, (1.3, 0.86), pedals], 0.038, frame)
    canvas.limb([front, (1.32, 0.94), bar], 0.035, frame)
    canvas.limb([(0.62, 0.96), (0.84, 0.96)], 0.05, (22, 22, 22))
    canvas.limb([(1.3, 1.02), (1.45, 1.03)], 0.035, (30, 30, 30))
    canvas.limb([hip, _knee(hip, feet[0]), feet[0]], 0.135, trousers)
    canvas.limb([feet[0], (feet[0][0] + 0.13, feet[0][1] - 0.02)], 0.085, shoe)
    canvas.limb([hip, shoulder], 0.27, jacket)
    canvas.limb([(0.8, 1.16), (0.98, 1.42)], 0.3, jacket)
    canvas.limb([shoulder, (1.22, 1.2), bar], 0.1, tuple(round(c * 0.8) for c in jacket))  # type: ignore[arg-type]
    canvas.disc((1.18, 1.64), 0.105, skin)
    canvas.shape([(1.05, 1.66), (1.08, 1.77), (1.2, 1.8), (1.3, 1.7), (1.18, 1.69)], (40, 34, 30))
    return canvas.sprite(seed=22)


def suitcase(colour: Colour = (36, 48, 96)) -> Sprite:
    """A suitcase that stands on its wheels, its handle up."""
    canvas = _Canvas(0.7, 0.8)
    top = tuple(min(255, c + 46) for c in colour)
    canvas.limb([(0.2, 0.5), (0.2, 0.66), (0.42, 0.66), (0.42, 0.5)], 0.025, (60, 60, 62))
    canvas.shape([(0.08, 0.53), (0.15, 0.6), (0.61, 0.6), (0.54, 0.53)], (top[0], top[1], top[2]))
    canvas.shape([(0.54, 0.05), (0.54, 0.53), (0.61, 0.6), (0.61, 0.12)], tuple(c // 2 for c in colour))  # type: ignore[arg-type]
    canvas.shape([(0.08, 0.05), (0.08, 0.53), (0.54, 0.53), (0.54, 0.05)], colour)
    for x in (0.2, 0.31, 0.42):
        canvas.limb([(x, 0.1), (x, 0.48)], 0.018, tuple(round(c * 0.7) for c in colour))  # type: ignore[arg-type]
    canvas.disc((0.15, 0.04), 0.035, (20, 20, 20))
    canvas.disc((0.48, 0.04), 0.035, (20, 20, 20))
    return canvas.sprite(seed=23, grain=5.0)


def _knee(hip: tuple[float, float], foot: tuple[float, float]) -> tuple[float, float]:
    """Where thigh and shin, 0.44 m each, meet, bent forward."""
    dx, dy = foot[0] - hip[0], foot[1] - hip[1]
    half = min(0.43, np.hypot(dx, dy) / 2)
    out = float(np.sqrt(0.44**2 - half**2))
    length = 2 * half
    return hip[0] + dx / 2 - dy / length * out, hip[1] + dy / 2 + dx / length * out
