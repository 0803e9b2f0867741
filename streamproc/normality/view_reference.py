"""What a camera showed in its normal footage, as one small picture, and how it is learned."""

from __future__ import annotations

import base64
import binascii
import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from streamproc.normality.structure import SIZE, Grey, coarse, fine, likeness, lost, sharpness, structure

CHECK_S = 0.5
_MEDIAN_OF = 5
"""Pictures ``CHECK_S`` apart: what passes within a second leaves no trace in their median."""
_GAP_S = 5.0
"""Longer without a picture, and the pictures before tell nothing about now."""
ALIKE = 0.5
"""Likeness from which two structures are believed to be one place: unlike pictures reach .2 in the best alignment."""
MOST_LOST = 0.5
"""Share of the picture that may be hidden: in the rest things are still where they were."""
_MOST_SAMPLES = 512
_FOLDS = 4


def _is_picture(text: str) -> str:
    _decoded(text)
    return text


class ViewReference(BaseModel):
    """What the camera showed in its normal footage; a few kB."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    picture: Annotated[str, AfterValidator(_is_picture)]
    """The median over the footage: grey PNG of 96x72 pixels, base64."""
    least_likeness: Annotated[float, Field(ge=-1, le=1)]
    """Least correlation of its pieces' structure with that of the other pieces' median."""
    least_sharpness: Annotated[float, Field(ge=0)]
    """Least sharpness of its pieces, see ``structure.sharpness``."""

    @property
    def grey(self) -> npt.NDArray[np.uint8]:
        """(72, 96)."""
        return _decoded(self.picture)


class Recent:
    """The median of the last few pictures, ``CHECK_S`` apart."""

    def __init__(self) -> None:
        self._pictures: deque[Grey] = deque(maxlen=_MEDIAN_OF)
        self._at_s = -math.inf

    def add(self, grey: npt.NDArray[np.uint8] | Grey, pts_s: float) -> Grey | None:
        """None where it is too early for another, or there are too few."""
        if pts_s < self._at_s or pts_s - self._at_s > _GAP_S:
            self._pictures.clear()
        elif pts_s - self._at_s < CHECK_S:
            return None
        self._at_s = pts_s
        self._pictures.append(fine(grey))
        if len(self._pictures) < _MEDIAN_OF:
            return None
        return _median_of_five(*self._pictures)


class ViewLearner:
    """Told of the normal footage's pictures in order; keeps a few MB."""

    def __init__(self) -> None:
        self._recent = Recent()
        self._pictures: list[Grey] = []
        self._sharpness: list[float] = []
        self._every, self._seen = 1, 0

    def begin_run(self) -> None:
        """Another clip begins."""
        self._recent = Recent()

    def add(self, grey: npt.NDArray[np.uint8] | Grey, pts_s: float) -> None:
        """``grey`` (height, width), 0..255, at flow size or larger; any rate. 0.1 ms, 6 ms twice a second."""
        picture = self._recent.add(grey, pts_s)
        if picture is None:
            return
        self._seen += 1
        if self._seen % self._every:
            return
        self._pictures.append(coarse(picture))
        self._sharpness.append(sharpness(picture))
        if len(self._pictures) > _MOST_SAMPLES:
            del self._pictures[::2], self._sharpness[::2]
            self._every *= 2

    def learned(self) -> ViewReference | None:
        """None where there was too little footage, or it is not of one view: pieces are unlike each other."""
        if len(self._pictures) < _FOLDS:
            return None
        count = len(self._pictures)
        bounds = [count * fold // _FOLDS for fold in range(_FOLDS + 1)]
        least, most_lost = 1.0, 0.0
        for begin, end in pairwise(bounds):
            others = structure(_median(self._pictures[:begin] + self._pictures[end:]))
            for live in map(structure, self._pictures[begin:end]):
                least, most_lost = min(least, likeness(live, others)), max(most_lost, lost(live, others))
        if least < ALIKE or most_lost > MOST_LOST or not min(self._sharpness):
            return None
        return ViewReference(
            picture=_encoded(_median(self._pictures)), least_likeness=least, least_sharpness=min(self._sharpness)
        )


def _median_of_five(a: Grey, b: Grey, c: Grey, d: Grey, e: Grey) -> Grey:
    """As numpy's, twenty times as fast: the lower of two pairs' lower ones and the higher of their higher ones are
    neither the middle; of the three that are left it is the median."""
    a, b = np.minimum(a, b), np.maximum(a, b)
    c, d = np.minimum(c, d), np.maximum(c, d)
    a, d = np.maximum(a, c), np.minimum(b, d)
    low, high = np.minimum(a, d), np.maximum(a, d)
    return np.asarray(np.maximum(low, np.minimum(high, e)), np.float32)


def _median(pictures: Sequence[Grey]) -> Grey:
    return np.asarray(np.median(np.stack(pictures), axis=0), np.float32)


def _encoded(picture: Grey) -> str:
    _, data = cv2.imencode(".png", np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    return base64.b64encode(data.tobytes()).decode("ascii")


def _decoded(text: str) -> npt.NDArray[np.uint8]:
    try:
        data = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    except (binascii.Error, cv2.error):
        picture = None
    if picture is None or picture.shape != SIZE[::-1]:
        raise ValueError(f"not a PNG of {SIZE[0]}x{SIZE[1]} pixels in base64")
    return np.asarray(picture, np.uint8)
