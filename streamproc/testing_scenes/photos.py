"""The photograph of a car from the side, from a package that brings it as an example; nothing of the package is run."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from streamproc.models.catalog import Asset, DebianPackage, NpmPackage, PinnedFile
from streamproc.models.store import ModelStore
from streamproc.testing_scenes.cutouts import Sprite

CAR = Asset(
    name="car",
    role="footage",
    what="photograph of a car from the side (an example of node-opencv)",
    licence="MIT (package)",
    origins=(
        NpmPackage(
            name="opencv",
            version="7.0.0",
            sha256="d13eb317dc6fe58e2697033eba9377cc4475eb430fc18b9efeafc2d1ca8c941a",
            size_bytes=5_519_397,
        ),
        DebianPackage(name="node-opencv", size_bytes=4_576_844),
    ),
    files=(
        PinnedFile(
            name="car1.jpg",
            member="examples/files/car1.jpg",
            sha256="799857fdd4927e8bae3b0ae3307f62ffdc96e5548c62d03e26df00abc21020d6",
            size_bytes=276_690,
        ),
    ),
    result="car1.jpg",
    size_bytes=276_690,
)
CAR_M = 1.47
"""How tall the car is, in metres."""
_AROUND = (0.035, 0.27, 0.95, 0.71)
"""Left, top, right, bottom of the car, in parts of the photograph."""
_WIDTH_PX = 512


def store() -> ModelStore:
    """Where the photograph is kept, beside the models."""
    return ModelStore(catalog=(CAR,))


def car(path: Path) -> Sprite:
    """The car, cut out of its photograph (GrabCut, from the box around it), facing right."""
    photo = np.asarray(cv2.imread(str(path)), np.uint8)
    photo = cv2.resize(
        photo, (_WIDTH_PX, round(photo.shape[0] * _WIDTH_PX / photo.shape[1])), interpolation=cv2.INTER_AREA
    )
    height, width = photo.shape[:2]
    left, top, right, bottom = (round(edge * side) for edge, side in zip(_AROUND, (width, height) * 2, strict=True))
    mask = np.zeros((height, width), np.uint8)
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(photo, mask, (left, top, right - left, bottom - top), *models, 8, cv2.GC_INIT_WITH_RECT)
    inside = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    inside = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    inside = cv2.morphologyEx(inside, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, wide, high, _ = stats[largest].tolist()
    matte = cv2.GaussianBlur((labels == largest).astype(np.float32), (0, 0), 1.0)
    part = slice(y, y + high), slice(x, x + wide)
    cut = Sprite(np.ascontiguousarray(photo[part][..., ::-1]), np.ascontiguousarray(matte[part]))
    return cut.mirrored()
