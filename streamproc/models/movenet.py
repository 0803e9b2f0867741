"""MoveNet (lightning, single pose) on ONNX Runtime: 17 points of the person in the middle of a picture.

The network takes a square of 192 px. It was made for pictures that show one person nearly filling them; the caller cuts
the person out, with some room around.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.errors import InferenceError, ModelLoadError
from streamproc.models.sessions import open_session
from streamproc.types import Box

_SIDE_PX = 192
_ROOM = 1.25
"""Side of the square cut out, in multiples of the box's longer side: the room around a person in MoveNet's own tracker
(its crop reaches 1.2 to 1.9 times as far as the torso and the limbs)."""
Point = Literal[
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
POINTS: tuple[Point, ...] = get_args(Point)
"""In the network's order, COCO's."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The points of one person."""

    points_px: npt.NDArray[np.float32]
    """(17, 2): x and y in the picture's pixels, in the order of ``POINTS``."""
    scores: npt.NDArray[np.float32]
    """(17,): the network's confidence in each, 0..1."""


class MoveNet:
    """Finds a person's points; ``pose`` may be called from several threads at once."""

    name = "movenet-lightning-192"

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the converted model.

        Raises:
            ModelLoadError: naming the file.
        """
        self._session, self.revision = open_session(path, threads)
        """``revision``: first 12 digits of the weights' sha256."""
        (taken, *more), outputs = self._session.get_inputs(), self._session.get_outputs()
        if more or taken.shape != [1, _SIDE_PX, _SIDE_PX, 3] or [o.shape for o in outputs] != [[1, 1, len(POINTS), 3]]:
            raise ModelLoadError(f"{path}: inputs and outputs are not those of MoveNet lightning")
        self._input = taken.name

    def pose(self, picture: npt.NDArray[np.uint8], box_norm: Box, turn_deg: float = 0.0) -> Pose:
        """The points of the person at ``box_norm`` of ``picture``, (height, width, 3) uint8 RGB; 13 ms on one thread.

        The network knows people who stand: one who lies is found where it is shown the picture turned by ``turn_deg``
        (anticlockwise). Points are given in the picture as it is.

        Raises:
            ValueError: the picture has another shape or type, or the box is empty.
            InferenceError: the network failed.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"a picture is (height, width, 3) uint8, not {picture.shape} {picture.dtype}")
        height, width = picture.shape[:2]
        x0, y0, x1, y1 = (edge * side for edge, side in zip(box_norm, (width, height) * 2, strict=True))
        if x1 - x0 < 1.0 or y1 - y0 < 1.0:
            raise ValueError(f"the box {box_norm} is empty")
        centre = ((x0 + x1) / 2, (y0 + y1) / 2)
        scale = _SIDE_PX / (_ROOM * max(x1 - x0, y1 - y0))
        matrix = np.asarray(cv2.getRotationMatrix2D(centre, turn_deg, scale), np.float64)
        matrix[:, 2] += _SIDE_PX / 2 - np.array(centre)
        cut = cv2.warpAffine(picture, matrix, (_SIDE_PX, _SIDE_PX), flags=cv2.INTER_LINEAR)
        try:
            ((found,),) = self._session.run(None, {self._input: cut[None].astype(np.int32)})
        except Exception as error:  # ONNX Runtime's errors have no common base of their own
            raise InferenceError(f"{self.name}: {error}") from error
        rows = np.asarray(found[0], np.float32)  # y, x, score
        points = cv2.transform(rows[None, :, 1::-1] * _SIDE_PX, cv2.invertAffineTransform(matrix))[0]
        return Pose(np.asarray(points, np.float32), rows[:, 2])
