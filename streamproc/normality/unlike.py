"""Where a picture shows something else than another does, and not merely the same in another light."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from streamproc.normality.structure import Grey

_WINDOW = 0.13
"""Side of the windows in which light is taken to be one gain and offset, as a share of the width: about two people's
width in the middle distance, so that what stays there is a part of its window and not the whole of it."""
_LEAST_GAIN, _MOST_GAIN = 0.3, 3.0
"""Of a window beside the whole picture's: hard shadows by day leave a third of the light or more. And where the whole
picture has less, its noise and its rounding are as much as what is to be seen."""
_NOISE_LEVEL = 3.0
"""Grey levels: what a camera by day leaves of noise after shrinking and the median over time, as in ``structure``."""
_STRANGE_LEVEL = 14.0
"""Residual at which a pixel has half a say in its window's light; the background's least difference."""
_TONES = 0.5
"""Share of a neighbourhood's standard deviation by which tones may come out otherwise: a camera's curve is not
straight, and at night it crushes the dark ones."""
_MOST_SHIFT = 0.022
"""Share of the width by which the camera may have moved and is followed; from there on ``View`` tells of it."""
_SHIFT_SURE = 0.2
"""Response of the phase correlation: unlike pictures stay below .1."""
_AROUND = np.ones((3, 3), np.uint8)


class Likening:
    """Holds pictures against one ``reference`` (height, width), 0..255."""

    def __init__(self, reference: Grey) -> None:
        self._reference = reference
        self._side = round(reference.shape[1] * _WINDOW) | 1
        self._brightest = np.asarray(cv2.dilate(reference, _AROUND), np.float32)
        self._darkest = np.asarray(cv2.erode(reference, _AROUND), np.float32)
        self._spread = _spread(reference)
        near = (7, 7)
        mean = cv2.blur(reference, near)
        deviation = np.sqrt(np.maximum(cv2.blur(reference * reference, near) - mean * mean, 0.0))
        self._allowance = np.asarray(1.0 + _TONES * deviation / _STRANGE_LEVEL, np.float32)
        self._hanning = np.asarray(cv2.createHanningWindow(reference.shape[::-1], cv2.CV_32F), np.float32)
        self.moved = False
        """Whether the camera moved farther than is followed, as of the last picture."""
        self._seen = (reference - reference.mean()) * self._hanning

    def unlike(self, live: Grey) -> Grey:
        """(height, width): grey levels of the reference by which no light explains ``live``, signed; 4 ms at 192x144.

        Light is a gain and an offset of each window. A pixel is judged by the best of five, one around it and four that
        have it near a corner: so beside a hard shadow's edge there is one that lies on one side of it. Where what was
        there is gone, no window fits. A camera that moved a little is followed; up to a pixel beside its place what was
        there is taken to be there.
        """
        live = self._aligned(live)
        gain = float(np.clip((_spread(live) + _NOISE_LEVEL) / (self._spread + _NOISE_LEVEL), 0.1, 10.0))
        around = self._residual(live, *self._light(live, np.ones_like(live), gain))
        weight = np.asarray(1.0 / (1.0 + (around / (_STRANGE_LEVEL * gain)) ** 2), np.float32)
        reach = self._side // 2 - 1
        slope, offset = (_padded(light, reach) for light in self._light(live, weight, gain))
        best: Grey | None = None
        for down, right in ((reach, reach), *itertools.product((0, 2 * reach), repeat=2)):
            at = slice(down, down + live.shape[0]), slice(right, right + live.shape[1])
            residual = self._residual(live, slope[at], offset[at])
            best = residual if best is None else np.where(np.abs(residual) < np.abs(best), residual, best)
        return np.asarray(best, np.float32) / (self._allowance * np.float32(max(gain, _LEAST_GAIN)))

    def _aligned(self, live: Grey) -> Grey:
        """Moved back by what the camera moved, if that is little."""
        (across, down), response = cv2.phaseCorrelate(self._seen, (live - live.mean()) * self._hanning)
        shift = max(abs(across), abs(down)) / live.shape[1] if response > _SHIFT_SURE else 0.0
        self.moved = shift > _MOST_SHIFT
        if self.moved or not shift:
            return live
        back = np.array([[1, 0, -across], [0, 1, -down]], np.float32)
        return np.asarray(cv2.warpAffine(live, back, live.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.float32)

    def _light(self, live: Grey, weight: Grey, gain: float) -> tuple[Grey, Grey]:
        """Gain and offset of each window, by weighted least squares; a flat one has the whole picture's gain."""
        known, total = self._reference, self._mean(weight) + 1e-6
        weighted = weight * known
        level, known_level = self._mean(weight * live) / total, self._mean(weighted) / total
        together = self._mean(weighted * live) / total - level * known_level
        variance = np.maximum(self._mean(weighted * known) / total - known_level * known_level, 0.0)
        steady = np.float32(_NOISE_LEVEL**2)
        slope = np.clip((together + steady * gain) / (variance + steady), _LEAST_GAIN * gain, _MOST_GAIN * gain)
        return slope, level - slope * known_level

    def _mean(self, values: Grey) -> Grey:
        return np.asarray(cv2.blur(values, (self._side, self._side)), np.float32)

    def _residual(self, live: Grey, slope: Grey, offset: Grey) -> Grey:
        """How far ``live`` lies outside what a pixel and those around it look like in this light."""
        high = np.minimum(slope * self._brightest + offset, 255.0)
        low = np.minimum(slope * self._darkest + offset, 255.0)
        return np.asarray(live - np.clip(live, low, high), np.float32)


def _padded(values: Grey, by: int) -> Grey:
    return np.asarray(cv2.copyMakeBorder(values, by, by, by, by, cv2.BORDER_REPLICATE), np.float32)


def _spread(picture: Grey) -> float:
    return float(np.subtract(*np.percentile(picture[::2, ::2], (90, 10))))
