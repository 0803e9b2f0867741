"""The heat map of an alert: what inspection looked at, and beside it the same with where it is not as it should be."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from streamproc.alerts.clip import Pixels
from streamproc.types import CloseUp, on_host

LEAST_PX, MOST_PX = 256, 512
"""Longer edge of the crop as it is drawn: it can be made out on a telephone, and a pair of them stays below 200 kB."""
_GAP_PX = 6
_COOL, _HOT = np.array((250, 176, 5), np.float32), np.array((237, 24, 24), np.float32)
_FROM = 0.25
"""Heat below half of what raises an alarm is not drawn: it would colour everything."""
_STRONGEST = 0.65
"""Most that colour covers of the picture, which has to be seen beneath."""


def overlay(close_up: CloseUp) -> bytes:
    """The crop, and the crop under its heat, side by side; JPEG. What is black by a privacy mask stays black."""
    crop = Image.fromarray(on_host(close_up.picture))
    longer_px = max(crop.size)
    scale = min(max(longer_px, LEAST_PX), MOST_PX) / longer_px
    size = max(1, round(crop.width * scale)), max(1, round(crop.height * scale))
    plain = np.asarray(crop.resize(size, Image.Resampling.BICUBIC))
    masked = np.asarray(crop.resize(size, Image.Resampling.NEAREST)).max(2) == 0
    whole = Image.new("RGB", (2 * size[0] + _GAP_PX, size[1]), (17, 21, 27))
    whole.paste(Image.fromarray(plain), (0, 0))
    whole.paste(Image.fromarray(_coloured(plain, close_up.heat, masked)), (size[0] + _GAP_PX, 0))
    out = io.BytesIO()
    whole.save(out, "JPEG", quality=85)
    return out.getvalue()


def _coloured(plain: Pixels, heat: np.ndarray[tuple[int, ...], np.dtype[np.float32]], masked: np.ndarray) -> Pixels:
    heights = Image.fromarray(np.ascontiguousarray(heat, np.float32)).resize(
        (plain.shape[1], plain.shape[0]), Image.Resampling.BICUBIC
    )
    hot = np.clip((np.nan_to_num(np.asarray(heights)) - _FROM) / (1 - _FROM), 0, 1)
    hot[masked] = 0
    hot = hot[..., None]
    cover = _STRONGEST * np.sqrt(hot)
    drawn: Pixels = np.rint((1 - cover) * plain + cover * (_COOL + hot * (_HOT - _COOL))).astype(np.uint8)
    return drawn
