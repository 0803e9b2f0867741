"""Frames larger than what a model is sent are scaled quickly, and as well as OpenCV's mean over areas does."""

from __future__ import annotations

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from skimage import data

from streamproc.perception.pictures import scaled
from streamproc.types import Frame

PHOTOGRAPH = np.ascontiguousarray(data.astronaut()[60:348])


@pytest.mark.parametrize(("width", "sent"), [(960, 640), (1280, 640), (1280, 448), (704, 640), (1920, 448)])
def test_it_differs_from_the_mean_over_areas_by_less_than_jpeg_does(width: int, sent: int) -> None:
    pixels = cv2.resize(PHOTOGRAPH, (width, width * 9 // 16), interpolation=cv2.INTER_AREA)
    ours = scaled(Frame("gate", 1, 0.0, datetime(2026, 1, 1, tzinfo=UTC), np.asarray(pixels, np.uint8)), sent)
    size = (sent, round(sent * 9 / 16))
    best = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    assert ours.shape == best.shape == (*size[::-1], 3)
    assert cv2.PSNR(ours, best) > 40
    jpeg = cv2.imdecode(cv2.imencode(".jpg", best, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)
    assert cv2.PSNR(ours, best) > cv2.PSNR(jpeg, best)
