"""Motion between neighbouring frames: dense optical flow over the time that truly passed, and what stands out.

Neighbours are sampled frames of one run, within a burst or across bursts; what counts is the time between them. Flow
over much less than a tenth of a second rounds slow motion away, and over more than ``MAX_GAP_S`` it says nothing about
speed: the first is avoided by the choice of the neighbour, the second is said.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.normality.background import Background, Grey
from streamproc.normality.shake import Shift, Sway, background_shift, steadied
from streamproc.types import Frame, on_host

_SMALLER = cv2.INTER_AREA
MAX_GAP_S = 0.25
"""Five frames a second, with room for jitter of the camera's clock."""
_BEST_GAP_S = 0.1
"""Among the last frames, the one nearest to this ago is compared with: at 25 frames/s and two frames a burst it is one
of the burst before, not the direct neighbour a twenty-fifth of a second ago."""
_MIN_GAP_S = 0.008
"""Less is a broken timestamp: dividing by it would make speed out of nothing."""
_DARK_LEVEL, _BRIGHT_SHARE = 30.0, 0.05
"""Grey level that such a share of the picture must reach for flow to have something to hold on to."""
_MOVED_PX = 0.3
"""Pixels between two frames below which something that stands out stands still."""
_MARGIN_PX = 24
"""Around what stands out, at flow size: flow is computed there alone. As far as anything that matters moves within a
tenth of a second."""
_SHAKEN_PX = 0.15
"""Between two frames, of the background: what is less is flow's own error there, and is left as it is."""
_LEAST_SIDE_PX = 96
"""Of a part that flow is computed in: its coarsest scale needs several patches of 8 px at an eighth of the size."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What moved between a frame and the one before it."""

    pts_s: float
    elapsed_s: float
    """Media time since motion was last asked for; 0 for a run's first frame."""
    velocity: npt.NDArray[np.float32] | None
    """(height, width, 2) at flow size: x and y in px/s, the camera's own motion taken out; None where it cannot be
    measured."""
    foreground: npt.NDArray[np.bool_]
    """(height, width): what stands out from the background."""
    moved: float
    """Share of the picture that stands out and moved, 0..1; that stands out, where motion cannot be measured."""
    why_not: str | None = None
    """Why there is no velocity, in words; None for a run's first frame, which has nothing before it."""
    camera: Shift | None = None
    """How the camera itself moved, in px/s; None where that is not known."""
    gap_s: float = 0.0
    """Between the two pictures that the velocity is from; 0 where there is none."""


ANOTHER_PICTURE = "the whole picture changed"
"""Why nothing was measured where lights were switched or the camera was turned."""
TOO_SLOW = ", needs 5"
"""How it ends where pictures come too seldom, and nothing else is wrong with them."""


class FlowMeter:
    """Measures the motion of one camera, told of its frames in order."""

    def __init__(
        self, width_px: int, quality: Literal["fine", "quick"] = "fine", background: Grey | None = None
    ) -> None:
        """``width_px``: the width at which flow is computed; the height follows the picture's shape, and narrower
        pictures are taken as they are. ``background``: what the camera shows when nothing is there, if it is known.
        """
        self._width_px = width_px
        self._flow = _flow(quality)
        self._background = Background(background)
        self._sway = Sway()
        self._before: deque[tuple[float, npt.NDArray[np.uint8]]] = deque(maxlen=3)
        self._added_s: float | None = None
        self.grey = np.zeros((1, 1), np.uint8)
        """(height, width): the last frame at flow size."""

    def know(self, background: Grey) -> None:
        """From now on ``background`` (height, width) is what the camera shows when nothing is there."""
        self._background.know(background)

    def begin_run(self) -> None:
        """Forget the frame before, not the background: after a reconnect the camera mostly shows the same place."""
        self._before.clear()
        self._added_s = None
        self._background.begin_run()
        self._sway.reset()

    def pass_by(self, frame: Frame) -> None:
        """Take note of a frame in which motion is not measured, as the next one's neighbour. 0.1 ms at 360x240."""
        self._before.append((frame.pts_s, self._grey_of(frame)))

    def add(self, frame: Frame) -> Motion:
        """The motion up to ``frame``, from the best of the frames before."""
        grey, now_s = self._grey_of(frame), frame.pts_s
        elapsed_s = now_s - self._added_s if self._before and self._added_s is not None else 0.0
        self._added_s = now_s
        elapsed = min(max(elapsed_s, 0.0), 1.0)
        foreground = self._background.foreground(grey.astype(np.float32), elapsed, self._sway.slack_px)
        neighbours = [(now_s - at_s, before) for at_s, before in self._before if now_s - at_s >= _MIN_GAP_S]
        gap_s, before = min(neighbours, key=_unfitness, default=(0.0, None))
        why_not = self._why_not(grey, gap_s) if self._before else None
        if self._background.renewed:
            self._before.clear()
        self._before.append((now_s, grey))
        if before is None or why_not:
            return Motion(now_s, elapsed_s, None, foreground, float(foreground.mean()), why_not)
        shift, camera = self._shift(grey, before, foreground)
        moving = foreground & (cv2.magnitude(*cv2.split(shift)) > _MOVED_PX)
        velocity = (shift / np.float32(gap_s)).astype(np.float32, copy=False)
        if camera is not None:
            camera = camera.times(1.0 / gap_s)
            seen = min(elapsed, gap_s)
            self._sway.add(camera.across * seen, camera.down * seen, seen)
        return Motion(now_s, elapsed_s, velocity, foreground, float(moving.mean()), camera=camera, gap_s=gap_s)

    def _grey_of(self, frame: Frame) -> npt.NDArray[np.uint8]:
        self.grey = grey_of(frame, self._width_px)
        if self._before and self._before[-1][1].shape != self.grey.shape:
            self._before.clear()
        return self.grey

    def _shift(
        self, grey: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8], foreground: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.float32], Shift | None]:
        """(height, width, 2) pixels, 0 away from what stands out; and the camera's, which is taken out of it."""
        shift = np.zeros((*grey.shape, 2), np.float32)
        if not foreground.any():
            return shift, Shift(0.0, 0.0, 0.0)
        part = _around(foreground)
        # Backward: the vectors belong to the newer frame's pixels, where the foreground was found.
        part_now, part_before = np.ascontiguousarray(grey[part]), np.ascontiguousarray(before[part])
        flow = np.asarray(-self._flow.calc(part_now, part_before, None), np.float32)
        camera = background_shift(flow, foreground[part])
        if camera is not None and camera.far <= max(_SHAKEN_PX, camera.rest):
            # By night the background seems to move by as much in all directions.
            camera = Shift(0.0, 0.0, camera.rest)
        shift[part] = flow if camera is None or not camera.far else steadied(flow, camera)
        return shift, camera

    def _why_not(self, grey: npt.NDArray[np.uint8], gap_s: float) -> str | None:
        if self._background.renewed:
            return ANOTHER_PICTURE
        if gap_s > MAX_GAP_S:
            rate = f"{1.0 / gap_s:.2g}"
            return f"{rate} frame{'' if rate == '1' else 's'}/s{TOO_SLOW}"
        if gap_s < _MIN_GAP_S:
            return "the camera's timestamps do not advance"
        if float((grey[::4, ::4] >= _DARK_LEVEL).mean()) < _BRIGHT_SHARE:
            return "the picture is too dark"
        return None


def grey_of(frame: Frame, width_px: int) -> npt.NDArray[np.uint8]:
    """(height, width): the frame as motion is measured in it."""
    picture = on_host(frame.picture)
    height, width = picture.shape[:2]
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    size = flow_size(width_px, (width, height))
    return grey if size == (width, height) else np.asarray(cv2.resize(grey, size, interpolation=_SMALLER), np.uint8)


def flow_size(width_px: int, picture_px: tuple[int, int]) -> tuple[int, int]:
    """Width and height at which the motion of pictures of ``picture_px`` is measured."""
    width, height = picture_px
    return (width, height) if width <= width_px else (width_px, max(16, round(height * width_px / width)))


def _flow(quality: Literal["fine", "quick"]) -> cv2.DISOpticalFlow:
    flow = cv2.DISOpticalFlow.create(cv2.DISOpticalFlow_PRESET_MEDIUM)
    # Half of the preset's 25 steps: vectors differ by 1 %, in seven eighths of the time.
    flow.setGradientDescentIterations(12)
    if quality == "quick":
        # As fine a scale, with fewer patches and steps. The library's own faster presets begin at half the scale, where
        # a walker 30 px high is one patch.
        flow.setPatchStride(4)
        flow.setVariationalRefinementIterations(2)
    return flow


def _around(foreground: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """The part of the picture that holds all that stands out."""
    rows, columns = (np.flatnonzero(foreground.any(axis=axis)) for axis in (1, 0))
    return _stretch(rows, foreground.shape[0]), _stretch(columns, foreground.shape[1])


def _stretch(found: npt.NDArray[np.intp], size: int) -> slice:
    first, end = int(found[0]) - _MARGIN_PX, int(found[-1]) + 1 + _MARGIN_PX
    short = max(0, _LEAST_SIDE_PX - (end - first))
    first = max(0, min(first - short // 2, size - _LEAST_SIDE_PX))
    return slice(first, min(size, max(end + short, first + _LEAST_SIDE_PX)))


def _unfitness(neighbour: tuple[float, object]) -> float:
    return abs(math.log(neighbour[0] / _BEST_GAP_S))
