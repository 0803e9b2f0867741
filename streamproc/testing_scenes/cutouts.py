"""People cut out of footage from a fixed camera, by what differs from its background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.testing_footage import Pixels

Matte = npt.NDArray[np.float32]
_FAINT, _SURE = 12, 42
"""Difference from the background, of 255, at which a pixel begins to belong to what moves, and surely does."""
_LEAST_PX = 350
_MARGIN_PX = 3


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A thing with a soft edge, cut close."""

    rgb: Pixels
    matte: Matte
    """0 outside, 1 inside."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    def mirrored(self) -> Sprite:
        """Facing the other way."""
        return Sprite(np.ascontiguousarray(self.rgb[:, ::-1]), np.ascontiguousarray(self.matte[:, ::-1]))


@dataclass(frozen=True, slots=True, eq=False)
class Walker:
    """Someone followed through neighbouring pictures."""

    sprites: tuple[Sprite, ...]
    feet: tuple[tuple[float, float], ...]
    """Where the middle of the sprite's lower edge stood, picture by picture."""

    @property
    def height_px(self) -> float:
        """Middle height."""
        return float(np.median([sprite.size[1] for sprite in self.sprites]))


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """Something that differs from the background, in one picture."""

    box: tuple[int, int, int, int]
    """Left, top, right, bottom, px."""
    inside: npt.NDArray[np.bool_]
    """Which pixels of the box."""
    area_px: int


def background_of(pictures: Sequence[Pixels], looks: int = 41) -> Pixels:
    """The median of pictures spread over the footage."""
    chosen = np.linspace(0, len(pictures) - 1, min(looks, len(pictures))).astype(int)
    return np.asarray(np.median(np.stack([pictures[at] for at in chosen]), axis=0), np.uint8)


def blobs(picture: Pixels, background: Pixels) -> list[Blob]:
    """What differs from ``background``, each piece for itself."""
    differs = cv2.absdiff(picture, background).max(axis=2)
    mask = cv2.medianBlur((differs > 26).astype(np.uint8), 5)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    found = []
    for label, (left, top, wide, high, area) in enumerate(stats.tolist()):
        if label and area >= _LEAST_PX:
            inside = labels[top : top + high, left : left + wide] == label
            found.append(Blob((left, top, left + wide, top + high), inside, area))
    return found


def sprite_of(picture: Pixels, background: Pixels, blob: Blob) -> Sprite:
    """The blob, with a soft edge of what differs a little."""
    left, top, right, bottom = blob.box
    height, width = picture.shape[:2]
    x0, y0 = max(0, left - _MARGIN_PX), max(0, top - _MARGIN_PX)
    x1, y1 = min(width, right + _MARGIN_PX), min(height, bottom + 1)
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    inside[top - y0 : bottom - y0, left - x0 : right - x0] = blob.inside
    differs = cv2.absdiff(picture[y0:y1, x0:x1], background[y0:y1, x0:x1]).max(axis=2).astype(np.float32)
    soft = np.clip((differs - _FAINT) / (_SURE - _FAINT), 0, 1)
    core = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((7, 5), np.uint8))
    soft = np.maximum(soft * cv2.dilate(inside, np.ones((3, 3), np.uint8)), cv2.erode(core, np.ones((3, 3), np.uint8)))
    return Sprite(picture[y0:y1, x0:x1].copy(), cv2.GaussianBlur(soft, (0, 0), 0.7).astype(np.float32))


def walkers(
    pictures: Sequence[Pixels], background: Pixels, hidden: npt.NDArray[np.bool_] | None = None, least: int = 30
) -> list[Walker]:
    """Everyone who walks alone and whole for ``least`` pictures or more, the longest first.

    ``hidden``: where something stands in front, so that nobody is whole there.
    """
    open_chains: list[tuple[list[Blob], list[Sprite]]] = []
    done: list[tuple[list[Blob], list[Sprite]]] = []
    for picture in pictures:
        height, width = picture.shape[:2]
        seen = [one for one in blobs(picture, background) if _upright(one.box, width, height)]
        if hidden is not None:
            seen = [one for one in seen if not hidden[one.box[1] : one.box[3], one.box[0] : one.box[2]].any()]
        going_on = []
        for chain in open_chains:
            after = [one for one in seen if _same(chain[0][-1], one)]
            if len(after) == 1:
                seen.remove(after[0])
                chain[0].append(after[0])
                chain[1].append(sprite_of(picture, background, after[0]))
                going_on.append(chain)
            else:
                done.append(chain)
        open_chains = going_on + [([one], [sprite_of(picture, background, one)]) for one in seen]
    return [
        Walker(tuple(sprites), _smooth([((box[0] + box[2]) / 2, float(box[3])) for box in (one.box for one in chain)]))
        for chain, sprites in sorted(done + open_chains, key=lambda chain: -len(chain[0]))
        if len(chain) >= least
    ]


def _upright(box: tuple[int, int, int, int], width: int, height: int) -> bool:
    left, top, right, bottom = box
    whole = left > 1 and top > 1 and right < width - 1 and bottom < height - 1
    return whole and 1.5 <= (bottom - top) / (right - left) <= 4.5


def _same(before: Blob, after: Blob) -> bool:
    old, new = before.box, after.box
    high, now = old[3] - old[1], new[3] - new[1]
    near = abs((new[0] + new[2]) - (old[0] + old[2])) < 0.5 * high and abs(new[3] - old[3]) < 0.15 * high
    return near and 0.87 < now / high < 1.15 and 0.75 < after.area_px / before.area_px < 1.33


def _smooth(feet: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    values = np.asarray(feet, np.float64)
    padded = np.pad(values, ((3, 3), (0, 0)), mode="edge")
    mean = np.stack([np.convolve(padded[:, axis], np.ones(7) / 7, mode="valid") for axis in (0, 1)], axis=1)
    return tuple((float(x), float(y)) for x, y in mean)
