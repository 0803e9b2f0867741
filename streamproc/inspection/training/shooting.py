"""How a camera sees a scene: light, lens, sensor, compression; the same for what is flawless and what is not."""

from __future__ import annotations

import cv2
import numpy as np

from streamproc.inspection.nouns import Floats, Pixels
from streamproc.inspection.training.noise import Rng, perlin


def shoot(rng: Rng, scene: Floats) -> Pixels:
    """``scene`` (side, side, 3) 0..1 as a camera gives it: (side, side, 3) uint8 RGB.

    Brightness, contrast, uneven light, blur, noise, grey instead of colour and JPEG, each at a random strength.
    """
    side = scene.shape[0]
    seen = scene * rng.uniform(0.75, 1.15) + rng.uniform(-0.06, 0.06)
    seen = (seen - 0.5) * rng.uniform(0.7, 1.2) + 0.5
    if rng.random() < 0.6:
        seen = seen * (1 + rng.uniform(0.05, 0.35) * perlin(rng, side, (1, 1)))[..., None]
    if rng.random() < 0.3:
        y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        seen = seen * (1 - rng.uniform(0.05, 0.3) * (y * y + x * x) / 2)[..., None]
    if rng.random() < 0.4:
        seen = np.repeat(seen.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.4:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.3, 1.3))
    if rng.random() < 0.6:
        seen = seen + rng.normal(0, rng.uniform(0.002, 0.03), (side, side, 1 if rng.random() < 0.5 else 3))
    pixels = np.asarray(np.clip(seen, 0, 1) * 255 + 0.5, np.uint8)
    if rng.random() < 0.4:
        _, packed = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 95))])
        pixels = np.ascontiguousarray(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
    return pixels
