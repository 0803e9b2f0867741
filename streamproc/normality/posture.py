"""How a person holds the body, from its points: upright, bent, crouching or lying; and when that is worth asking."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from streamproc.types import Box

Kind = Literal["upright", "bent", "crouching", "lying"]

_WIDE = 0.8
"""Width by height of a box above which pose is worth asking: of people who walk, one in a hundred reaches .63."""
_LOW = 0.65
"""The same for its height, in standing persons' heights; one in a hundred of those who walk is below .87."""
_SEEN = 0.3
"""Confidence from which a point counts. Of people who walk, all four of the torso reach it in 94 of 100 boxes."""
_LIES_DEG = 60.0
"""From upright: nearer to lying than to standing, with room for a camera's view from above and a slope."""
_BENT_DEG = 35.0
"""From upright: three times what people who walk reach once in a hundred boxes (13)."""
_LEGS_BY_TORSO = 1.7
"""Hip to ankle beside shoulder to hip in a standing person: .491 by .288 of the height (Drillis and Contini, 1966)."""
_THIGH_BY_TORSO = 0.85
"""Hip to knee, in the same way: .245 by .288."""
_CROUCHED = 0.5
"""Of what a standing person's hips are above ankles or knees."""
_TURNS_DEG = (0.0, 90.0, -90.0)
_TORSO = (5, 6, 11, 12)
_KNEES, _ANKLES = (13, 14), (15, 16)


class Pose(Protocol):
    """A person's points, in COCO's order; ``models.movenet.Pose`` is one."""

    @property
    def points_px(self) -> npt.NDArray[np.float32]:
        """(17, 2): x and y."""
        ...

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """(17,): confidence, 0..1."""
        ...


class PoseEstimator(Protocol):
    """Finds a person's points; ``models.movenet.MoveNet`` is one."""

    def pose(self, picture: npt.NDArray[np.uint8], box_norm: Box, turn_deg: float = 0.0) -> Pose:
        """The points of the person at ``box_norm`` of ``picture`` (height, width, 3), looked at turned.

        Raises:
            InferenceError: the model failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Posture:
    """How somebody holds the body at one moment."""

    kind: Kind
    torso_deg: float
    """Of the line from hips to shoulders from upright, 0..180."""
    height: float | None
    """Of the box beside a standing person's there; None where that is not known."""
    pred_score: float
    """The least confidence among the points that it rests on."""

    def __str__(self) -> str:
        doing = {"upright": "stands upright", "bent": "is bent over", "crouching": "crouches", "lying": "lies"}[
            self.kind
        ]
        text = f"{doing} (torso {self.torso_deg:.0f} degrees from upright"
        return text + (f", {self.height:.1f} of a standing person's height here)" if self.height is not None else ")")


@dataclass(frozen=True, slots=True)
class PostureLook:
    """Somebody who was asked about once."""

    track_id: int
    """Whose it is, or was when they were last found as a person."""
    box_norm: Box
    posture: Posture | None
    """None where it could not be told."""


def unusual(box_px: tuple[float, float, float, float], standing_px: float | None) -> bool:
    """Whether pose is worth asking: the box is wide, or low beside the height of who stands there."""
    x0, y0, x1, y1 = box_px
    height = y1 - y0
    return x1 - x0 > _WIDE * height or (standing_px is not None and height < _LOW * standing_px)


def measure_posture(
    estimator: PoseEstimator, picture: npt.NDArray[np.uint8], box_norm: Box, standing_px: float | None = None
) -> Posture | None:
    """The posture of the person at ``box_norm``; None when unsure. One look for who stands, three for who lies.

    ``standing_px``: how high a standing person is there, in the pixels of ``picture``.

    Raises:
        InferenceError: the model failed.
    """
    looks = []
    for turn_deg in _TURNS_DEG:
        pose = estimator.pose(picture, box_norm, turn_deg)
        looks.append((float(pose.scores[list(_TORSO)].min()), pose))
        if turn_deg == 0.0 and looks[0][0] >= _SEEN:
            break
    _, best = max(looks, key=lambda look: look[0])
    height_px = (box_norm[3] - box_norm[1]) * picture.shape[0]
    return judge(best, height_px / standing_px if standing_px else None)


def judge(pose: Pose, height: float | None = None) -> Posture | None:
    """What ``pose`` says; None where torso or legs are not surely seen."""
    torso_seen = float(pose.scores[list(_TORSO)].min())
    if torso_seen < _SEEN:
        return None
    points = pose.points_px.astype(np.float64)
    shoulders, hips = points[[5, 6]].mean(axis=0), points[[11, 12]].mean(axis=0)
    torso_deg = _from_upright_deg(hips - shoulders)
    ankles, knees = ([one for one in joints if pose.scores[one] >= _SEEN] for joints in (_ANKLES, _KNEES))
    if not ankles and not knees:
        return None
    legs = points[ankles or knees].mean(axis=0) - hips
    standing = math.dist(shoulders, hips) * (_LEGS_BY_TORSO if ankles else _THIGH_BY_TORSO)
    raised = float(legs[1]) / max(1.0, standing)
    kind: Kind
    if torso_deg > _LIES_DEG:
        kind = "lying" if _from_upright_deg(legs) > _LIES_DEG else "bent"
    elif raised < _CROUCHED:
        kind = "crouching"
    else:
        kind = "bent" if torso_deg > _BENT_DEG else "upright"
    return Posture(kind, torso_deg, height, min(torso_seen, float(pose.scores[ankles or knees].min())))


def _from_upright_deg(down: npt.NDArray[np.float64]) -> float:
    """Angle between ``down`` (x, y) and straight down."""
    return abs(math.degrees(math.atan2(down[0], down[1])))
