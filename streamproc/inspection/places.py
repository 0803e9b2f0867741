"""How much normal crops differ from one another, place by place.

Along a thing's rim, or where it is printed or worn, one normal crop is further from the others than in its middle. A
distance counts in times of what is common at its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from streamproc.inspection.nouns import Floats

_AROUND = 3  # tokens along an edge that a place's distance is averaged over: crops are not aligned to a token
_LEAST = 0.1  # of the whole crop's: where a few normal crops happen to be alike, nothing is ten times as strange


def commonly(distances: Sequence[Floats], side: int) -> Floats:
    """What is common at each place of a crop, (n * t,), in times of the whole crop's mean, from normal crops' own.

    Each is (n * t,) of n pictures of ``side`` x ``side`` tokens, by what the other crops know. Memories know mirror
    images, so that a crop of one picture, and what is common, is mirrored too: four times as much to average.
    """
    maps = np.stack(distances).reshape(len(distances), -1, side, side).mean(axis=0)
    if len(maps) == 1:
        maps = (maps + maps[:, ::-1] + maps[:, :, ::-1] + maps[:, ::-1, ::-1]) / 4
    smooth = [cv2.blur(one, (_AROUND, _AROUND), borderType=cv2.BORDER_REPLICATE) for one in maps]
    common = np.stack(smooth).reshape(-1)
    mean = float(common.mean())
    if mean <= 0:
        return np.ones(len(common), np.float32)
    return np.asarray(np.maximum(common / mean, _LEAST), np.float32)
