"""What moves or stands out in a window, followed back through its frames.

Boxes are known of the last frame: measurements beyond normal, tracks, and patches that changed. Each is looked for in
the frame before, and so on to the first, by its own looks. How far it came, in its own heights, is how much moves: a
person far away and one near by walk alike, and neither needs normal footage to compare with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.types import Box, Frame, ObservedWindow, on_host

WORK_PX = 384
"""Width at which frames are compared, that of the motion measurement."""
NOISE_GREY = 12.0
"""Difference of two frames' grey levels below which nothing changed: three times the noise of a small sensor by day
(standard deviation about 3) times the root of two."""
_RECOGNISED = 0.5
"""Correlation below which a patch is not the same thing as in the frame after."""
_LEAST_PX = 6
"""Side below which a patch has no looks of its own."""
_MOST_FOLLOWED = 12
"""Candidates that are followed; each costs about a millisecond a window."""
Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Region:
    """Something that moves or stands out."""

    boxes: tuple[Box | None, ...]
    """Where it is in each of the window's frames; None where it was not recognised."""
    track_id: int | None
    """Whose it is, if a track carries it."""
    travel: float
    """How far it came through the window, in its own heights."""

    @property
    def tube(self) -> Box:
        """What it passes through: around all its boxes."""
        known = [box for box in self.boxes if box is not None]
        return (
            min(box[0] for box in known),
            min(box[1] for box in known),
            max(box[2] for box in known),
            max(box[3] for box in known),
        )


def shades(frames: Sequence[Frame]) -> list[Grey]:
    """The frames in grey, at the width at which they are compared."""
    result: list[Grey] = []
    for frame in frames:
        pixels = on_host(frame.picture)
        height, width = pixels.shape[:2]
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        if width > WORK_PX:
            size = (WORK_PX, max(1, round(height * WORK_PX / width)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        result.append(np.asarray(grey, np.uint8))
    return result


def regions(observed: ObservedWindow, greys: Sequence[Grey], most: int) -> tuple[Region, ...]:
    """At most ``most``: what was measured beyond normal first, then what came farthest for its size."""
    found: list[tuple[bool, Region]] = []
    for beyond, box, track_id in _candidates(observed, greys):
        if len(found) == _MOST_FOLLOWED:
            break
        if not any(_same(box, region.boxes[-1]) for _, region in found):
            found.append((beyond, _followed(box, track_id, greys)))
    # What was measured came in the order of its scores, which stays.
    found.sort(key=lambda one: (not one[0], 0.0 if one[0] else -one[1].travel))
    return tuple(region for beyond, region in found if beyond or region.travel > 0.0)[:most]


def _candidates(observed: ObservedWindow, greys: Sequence[Grey]) -> Iterator[tuple[bool, Box, int | None]]:
    beyond = [m for m in observed.measurements if m.box_norm is not None and m.score >= m.threshold]
    for measured in sorted(beyond, key=lambda m: -m.score):
        if measured.box_norm is not None:
            yield True, measured.box_norm, measured.track_id
    fast = [t for t in observed.tracks if t.speed is not None and t.speed.score >= t.speed.threshold]
    for track in sorted(fast, key=lambda t: -(t.speed.score if t.speed else 0.0)):
        yield True, track.box_norm, track.track_id
    changed = changed_at_last(greys)
    rest: list[tuple[Box, int | None]] = [(track.box_norm, track.track_id) for track in observed.tracks]
    # People close together change one patch together; where there are tracks they tell them apart.
    patches = [box for box in _patches(changed) if not any(_same(box, track.box_norm) for track in observed.tracks)]
    rest += [(patch, None) for patch in patches]
    for box, track_id in sorted(rest, key=lambda one: -_amount(changed, one[0])):
        yield False, box, track_id


def changed_at_last(greys: Sequence[Grey]) -> npt.NDArray[np.bool_]:
    """What of the last frame was not there before: unlike the first frame and unlike one in the middle."""
    last = greys[-1]
    if len(greys) < 2:
        return np.zeros(last.shape, np.bool_)
    # Against one frame alone the place that something left would count as well.
    unlike = [cv2.absdiff(last, before) for before in (greys[0], greys[(len(greys) - 1) // 2])]
    return np.asarray(cv2.blur(np.minimum(*unlike), (3, 3)) > NOISE_GREY, np.bool_)


def _patches(changed: npt.NDArray[np.bool_]) -> list[Box]:
    """Around each connected patch of some size."""
    closed = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(closed)
    height, width = changed.shape
    return [
        (float(x / width), float(y / height), float((x + w) / width), float((y + h) / height))
        for x, y, w, h, _ in (stats[i] for i in range(1, count))
        if min(w, h) >= _LEAST_PX
    ]


def _followed(box: Box, track_id: int | None, greys: Sequence[Grey]) -> Region:
    height, width = greys[-1].shape
    x, y = round(box[0] * width), round(box[1] * height)
    w, h = max(1, round(box[2] * width) - x), max(1, round(box[3] * height) - y)
    boxes: list[Box | None] = [box]
    at, there = (x, y), True
    for after, before in zip(greys[:0:-1], greys[-2::-1], strict=True):
        place = _found(after[at[1] : at[1] + h, at[0] : at[0] + w], before, at) if there else None
        there = place is not None
        if place is not None:
            at = place
        shift = ((at[0] - x) / width, (at[1] - y) / height)
        boxes.append((box[0] + shift[0], box[1] + shift[1], box[2] + shift[0], box[3] + shift[1]) if there else None)
    travel = float(np.hypot(at[0] - x, at[1] - y)) / h
    return Region(tuple(boxes[::-1]), track_id, travel)


def _found(patch: Grey, before: Grey, at: tuple[int, int]) -> tuple[int, int] | None:
    """Where the patch is in the frame before: within its own size, for what moves farther between two looks is gone."""
    h, w = patch.shape
    if min(h, w) < _LEAST_PX or patch.std() < 1.0:
        return None
    reach = max(4, max(h, w) // 2)
    x0, y0 = max(0, at[0] - reach), max(0, at[1] - reach)
    around = before[y0 : at[1] + h + reach, x0 : at[0] + w + reach]
    likeness = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
    _, best, _, place = cv2.minMaxLoc(likeness)
    return (x0 + place[0], y0 + place[1]) if best >= _RECOGNISED else None


def _amount(changed: npt.NDArray[np.bool_], box: Box) -> int:
    height, width = changed.shape
    rows, columns = (
        slice(round(box[1] * height), round(box[3] * height)),
        slice(round(box[0] * width), round(box[2] * width)),
    )
    return int(changed[rows, columns].sum())


def _same(one: Box, other: Box | None) -> bool:
    """Whether the middle of one lies in the other, either way: a patch of a person that is told already."""
    return other is not None and (_holds(one, other) or _holds(other, one))


def _holds(outer: Box, inner: Box) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]
