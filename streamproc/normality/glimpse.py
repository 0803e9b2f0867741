"""What the embedded eyes take in of a frame: what moves, and now and then what it is and looks like.

It does not depend on what is normal. So footage that is learned from is looked at once, and held against as many
calibrations as learning needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.normality.background import Grey
from streamproc.normality.flow import TOO_SLOW, FlowMeter, Motion
from streamproc.normality.memory import Texture
from streamproc.normality.posture import PostureLook
from streamproc.normality.shake import Shift
from streamproc.normality.speed import SpeedSample, measure_speed, places
from streamproc.types import Box, Frame, on_host

_LEAST_SHARE = 0.25
"""Of a place in the detector's grid that must stand out for its texture to be that of the thing, not of the ground."""


class Detection(Protocol):
    """One object found in one picture."""

    @property
    def label(self) -> str: ...
    @property
    def pred_score(self) -> float: ...
    @property
    def box_norm(self) -> Box: ...


class Detector(Protocol):
    """Finds objects; ``models.nanodet.NanoDet`` is one."""

    def detect(self, picture: npt.NDArray[np.uint8]) -> Sequence[Detection]:
        """Objects in ``picture``, (height, width, 3) uint8 RGB.

        Raises:
            InferenceError: the model failed.
        """
        ...


@runtime_checkable
class FeelsTexture(Protocol):
    """A detector that also tells what each place of the picture is like."""

    revision: str

    def look(self, picture: npt.NDArray[np.uint8]) -> tuple[Sequence[Detection], npt.NDArray[np.float32] | None]:
        """Objects, and (rows, columns, channels) over the picture; None where the model has no such layer.

        Raises:
            InferenceError: the model failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """What the detector saw."""

    detections: tuple[Detection, ...]
    texture: Texture | None
    """Of what stands out; None from a detector that does not tell."""


@dataclass(frozen=True, slots=True, eq=False)
class Glimpse:
    """One frame, taken in."""

    run: int
    pts_s: float
    picture_px: tuple[int, int]
    """Width and height of the picture."""
    size_px: tuple[int, int]
    """Width and height at which motion is measured."""
    sample: SpeedSample | None
    """What moves; None where that cannot be measured."""
    moved: float
    """Share of the picture that stands out and moved, 0..1."""
    why_not: str | None
    """Why motion was not measured; None for a run's first frame."""
    look: Look | None = None
    """None where the detector did not look."""
    standing: SpeedSample | None = None
    """What stands out where nothing can be said to move: in a run's first frame, and where pictures come too seldom."""
    camera: Shift | None = None
    """How the camera itself moved, in px/s; None where that is not known."""
    postures: tuple[PostureLook, ...] = ()
    """Of whom the pose model was asked about, mostly nobody."""


class Eyes:
    """Takes in one camera's frames, in order."""

    def __init__(self, meter: FlowMeter, detector: Detector | None) -> None:
        self._meter = meter
        self.detector = detector
        self._frame: Frame | None = None
        self._motion: Motion | None = None

    def know(self, background: Grey) -> None:
        """From the next run on ``background`` (height, width) is what the camera shows when nothing is there."""
        self._meter.know(background)

    def begin_run(self) -> None:
        """Another session with the camera."""
        self._meter.begin_run()

    def see(self, frame: Frame) -> Glimpse:
        """What moves in ``frame``."""
        motion = self._meter.add(frame)
        self._frame, self._motion = frame, motion
        height, width = motion.foreground.shape
        picture_height, picture_width = frame.picture.shape[:2]
        sample = measure_speed(motion, frame.run)
        return Glimpse(
            run=frame.run,
            pts_s=frame.pts_s,
            picture_px=(picture_width, picture_height),
            size_px=(width, height),
            sample=sample,
            moved=motion.moved,
            why_not=motion.why_not,
            standing=places(motion, frame.run) if sample is None and _well_seen(motion) else None,
            camera=motion.camera,
        )

    def pass_by(self, frame: Frame) -> None:
        """Take note of ``frame`` as the next one's neighbour, and no more."""
        self._meter.pass_by(frame)

    def look(self) -> Look | None:
        """What the detector says of the frame that was seen last; None without a detector.

        Raises:
            InferenceError: the model failed.
        """
        if self.detector is None or self._frame is None or self._motion is None:
            return None
        picture = on_host(self._frame.picture)
        if not isinstance(self.detector, FeelsTexture):
            return Look(tuple(self.detector.detect(picture)), None)
        detections, features = self.detector.look(picture)
        texture = None if features is None else _texture_of(features, self._motion.foreground)
        return Look(tuple(detections), texture)

    @property
    def grey(self) -> npt.NDArray[np.uint8]:
        """(height, width): the last frame at flow size."""
        return self._meter.grey

    @property
    def revision(self) -> str:
        """Of the model that textures are told by; empty where none does."""
        return self.detector.revision if isinstance(self.detector, FeelsTexture) else ""


def _well_seen(motion: Motion) -> bool:
    return motion.why_not is None or motion.why_not.endswith(TOO_SLOW)


def _texture_of(features: npt.NDArray[np.float32], foreground: npt.NDArray[np.bool_]) -> Texture:
    rows, columns, channels = features.shape
    share = cv2.resize(foreground.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    cells = np.flatnonzero(share > _LEAST_SHARE)
    standing_out = features.reshape(-1, channels)[cells]
    return Texture((rows, columns), cells.astype(np.uint32), standing_out.astype(np.float16))
