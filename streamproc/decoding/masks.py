"""Privacy masks: parts of the picture that become black before anything looks at it or keeps it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.config import Area


def mask_picture(picture: npt.NDArray[np.uint8], masks: Sequence[Area]) -> npt.NDArray[np.uint8]:
    """``picture``, (height, width, 3) uint8, with ``masks`` black; in place, or in a copy where it is read-only.

    The polygons' edges are black too, one pixel wider than drawn, so that scaling leaves nothing visible along them.
    """
    if not masks:
        return picture
    if not (picture.flags.writeable and picture.flags.c_contiguous):
        picture = np.array(picture, order="C")
    height_px, width_px = picture.shape[:2]
    for mask in masks:
        corners = np.rint(np.asarray(mask.polygon) * (width_px - 1, height_px - 1)).astype(np.int32)
        cv2.fillPoly(picture, [corners], (0, 0, 0))
        cv2.polylines(picture, [corners], isClosed=True, color=(0, 0, 0), thickness=3)
    return picture
