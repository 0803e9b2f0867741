"""Heat maps against masks, in anomalib's terms: AUROC over all pixels, and AUPRO (Bergmann et al., IJCV 2021).

Scores are counted in bins, so that a set of any size takes the memory of one picture.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.inspection.nouns import Floats

SIDE_PX = 256
"""Maps and masks are compared at this size, as is usual for both measures."""
MOST_FALSE = 0.3
"""AUPRO is taken up to this share of false pixels (anomalib's ``fpr_limit``)."""
_BINS = 2**14

Mask = npt.NDArray[np.bool_]
_Counts = npt.NDArray[np.float64]


class PixelScores:
    """Takes pictures one by one."""

    def __init__(self) -> None:
        self._normal: _Counts = np.zeros(_BINS)
        self._anomalous: _Counts = np.zeros(_BINS)
        self._regions: _Counts = np.zeros(_BINS)
        self._region_count = 0

    def add(self, heat: Floats, mask: Mask | None) -> None:
        """A picture's heat (h, w) 0..1 and where it is anomalous, of any size; None: nowhere."""
        sized = cv2.resize(heat, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
        bins = np.clip((sized * _BINS).astype(np.int64), 0, _BINS - 1)
        if mask is None:
            self._normal += np.bincount(bins.ravel(), minlength=_BINS)
            return
        where = cv2.resize(mask.astype(np.uint8), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_NEAREST)
        self._normal += np.bincount(bins[where == 0], minlength=_BINS)
        self._anomalous += np.bincount(bins[where > 0], minlength=_BINS)
        count, regions = cv2.connectedComponents(where, connectivity=8)
        for region in range(1, count):
            inside = np.bincount(bins[regions == region], minlength=_BINS)
            self._regions += inside / inside.sum()
        self._region_count += count - 1

    @property
    def auroc(self) -> float | None:
        """None where there is no anomalous or no normal pixel."""
        if not self._anomalous.sum() or not self._normal.sum():
            return None
        false, right = _shares(self._normal), _shares(self._anomalous)
        return float(np.trapezoid(right, false))

    @property
    def aupro(self) -> float | None:
        """Mean share of a region that is found, over shares of false pixels up to 0.3; 1 is perfect, 0.15 is chance."""
        if not self._region_count or not self._normal.sum():
            return None
        false, found = _shares(self._normal), _shares(self._regions)
        limit = float(np.interp(MOST_FALSE, false, found))
        kept = false < MOST_FALSE
        return float(np.trapezoid([*found[kept], limit], [*false[kept], MOST_FALSE]) / MOST_FALSE)


def _shares(counts: _Counts) -> _Counts:
    """The share of all counts at or above each bin, from none to all."""
    return np.asarray(np.concatenate([[0.0], np.cumsum(counts[::-1])]) / counts.sum(), np.float64)
