"""Things drawn by code, lying on a plain ground: (side, side, 3) float32 RGB 0..1 and where the thing is.

A thing is a height over the ground (0..1); one light from a random side shades its slopes, so that rings, screws, caps
and gears look round without a renderer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from streamproc.inspection.nouns import Floats
from streamproc.inspection.training.noise import Rng, soft
from streamproc.inspection.training.surfaces import SURFACES, colour

Height = Callable[[Rng, int], Floats]


def _polar(side: int) -> tuple[Floats, Floats]:
    """How far from the middle (1 at the edge), and in which direction (radians)."""
    y, x = (np.mgrid[0:side, 0:side].astype(np.float32) + 0.5) / side * 2 - 1
    return np.hypot(y, x), np.arctan2(y, x)


def _bevel(inside: np.ndarray, edge_px: float) -> Floats:
    """Height of what is ``inside``: rises from its outline over ``edge_px``."""
    far = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(np.sqrt(np.clip(far / edge_px, 0, 1)), np.float32)


def ring(rng: Rng, side: int) -> Floats:
    """A washer or a sealing ring."""
    far, _ = _polar(side)
    outer = rng.uniform(0.55, 0.9)
    return _bevel((far < outer) & (far > outer * rng.uniform(0.3, 0.85)), rng.uniform(2, 12))


def cap(rng: Rng, side: int) -> Floats:
    """A bottle or its top from above: steps about one centre."""
    far, _ = _polar(side)
    steps = np.sort(rng.uniform(0.2, 0.9, int(rng.integers(2, 6))))
    height = np.zeros((side, side), np.float32)
    for step in steps:
        height += np.asarray(np.clip((step - far) * side / rng.uniform(2, 10), 0, 1) * rng.choice([-0.6, 1.0]))
    return np.where(far < steps[-1], np.maximum(np.abs(height), 0.05), 0).astype(np.float32)


def gear(rng: Rng, side: int) -> Floats:
    """Teeth about a bore; with six of them, a nut."""
    far, angle = _polar(side)
    teeth, depth = int(rng.integers(5, 28)), rng.uniform(0.03, 0.12)
    rim = rng.uniform(0.55, 0.85) + depth * np.tanh(4 * np.sin(teeth * angle))
    return _bevel((far < rim) & (far > rng.uniform(0.1, 0.35)), rng.uniform(2, 8))


def screw(rng: Rng, side: int) -> Floats:
    """A head, a shaft and its thread."""
    y, x = (np.mgrid[0:side, 0:side].astype(np.float32) + 0.5) / side * 2 - 1
    half, head, top = rng.uniform(0.08, 0.2), rng.uniform(0.22, 0.4), rng.uniform(-0.8, -0.5)
    pitch = rng.uniform(0.05, 0.14)
    bottom = rng.uniform(0.5, 0.9)
    thread = half * (1 + 0.15 * np.sin(2 * np.pi * (y + 0.2 * x) / pitch))
    tip = np.clip((bottom - y) / 0.2, 0, 1)
    shaft = (np.abs(x) < thread * tip) & (y > top) & (y < bottom)
    crown = (np.abs(x) < head) & (y > top - rng.uniform(0.08, 0.16)) & (y <= top)
    lit = np.sqrt(np.clip(1 - (x / np.maximum(thread * tip, 1e-3)) ** 2, 0, 1)) * shaft
    ridges = 1 - 0.25 * (np.sin(2 * np.pi * (y + 0.2 * x) / pitch) > 0)
    return np.asarray(np.maximum(lit * ridges, _bevel(crown, 5)), np.float32)


def pills(rng: Rng, side: int) -> Floats:
    """Several alike in rows: tablets, capsules, beans."""
    count = int(rng.integers(1, 5))
    step = side / count
    half, long = step * rng.uniform(0.18, 0.3), rng.uniform(1.0, 1.5)
    turn = rng.uniform(0, 180)
    drawn = np.zeros((side, side), np.uint8)
    for row in range(count):
        for column in range(count):
            centre = (np.array([column, row]) + 0.5) * step + rng.normal(0, step * 0.03, 2)
            axes = (int(half * long), int(half))
            angle = turn + rng.normal(0, 4)
            cv2.ellipse(drawn, (int(centre[0]), int(centre[1])), axes, angle, 0, 360, 1, -1)
    return _bevel(drawn > 0, half)


def cable(rng: Rng, side: int) -> Floats:
    """Cut wires within a round sheath."""
    far, _ = _polar(side)
    outer = rng.uniform(0.7, 0.9)
    drawn = ((far < outer) & (far > outer * 0.9)).astype(np.uint8)
    wires = int(rng.integers(2, 8))
    radius = outer * 0.9 / (1 + 1 / np.sin(np.pi / max(wires, 3))) * 0.9
    for wire in range(wires):
        angle = 2 * np.pi * wire / wires + 0.3
        centre = side / 2 * (1 + (outer * 0.88 - radius) * np.array([np.cos(angle), np.sin(angle)]))
        cv2.circle(drawn, (int(centre[0]), int(centre[1])), int(radius * side / 2), 1, -1)
    return _bevel(drawn > 0, rng.uniform(3, 14))


def plate(rng: Rng, side: int) -> Floats:
    """A stamped part with holes and slots."""
    drawn = np.zeros((side, side), np.uint8)
    inset = int(side * rng.uniform(0.06, 0.22))
    cv2.rectangle(drawn, (inset, inset * 2), (side - inset, side - inset * 2), 1, -1)
    columns = int(rng.integers(1, 6))
    radius = max(3, int(side * rng.uniform(0.02, 0.4 / (columns + 2))))
    for column in range(columns):
        x = inset + (side - 2 * inset) * (column + 1) // (columns + 1)
        for y in (side // 3, 2 * side // 3) if rng.random() < 0.9 else (side // 2,):
            cv2.circle(drawn, (x, y), radius, 0, -1)
    return _bevel(drawn > 0, rng.uniform(2, 8))


def lens(rng: Rng, side: int) -> Floats:
    """A dome, or a ball."""
    far, _ = _polar(side)
    return np.asarray(np.sqrt(np.clip(1 - (far / rng.uniform(0.5, 0.9)) ** 2, 0, 1)), np.float32)


THINGS: Mapping[str, Height] = {shape.__name__: shape for shape in (ring, cap, gear, screw, pills, cable, plate, lens)}
"""By name, in the order that a seed counts them."""


def shaded(rng: Rng, side: int, shape: Height) -> tuple[Floats, np.ndarray]:
    """The thing ``shape`` on a ground, lit from a random side: its picture, and (side, side) bool where it is."""
    height = shape(rng, side)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(0, 360), rng.uniform(0.75, 1.05))
    height = np.asarray(cv2.warpAffine(height, turn, (side, side)), np.float32)
    there = height > 0.02
    smooth = np.asarray(cv2.GaussianBlur(height, (0, 0), rng.uniform(0.8, 2)), np.float32)
    down, right = np.gradient(smooth * rng.uniform(4, 20))
    light = rng.uniform(0, 2 * np.pi)
    facing = np.asarray(-(np.cos(light) * right + np.sin(light) * down), np.float32)
    level = rng.uniform(0.4, 0.9) + rng.uniform(0.1, 0.4) * np.tanh(facing) + rng.uniform(0, 0.2) * smooth
    skin = colour(rng, 0.15, 0.95)
    if rng.random() < 0.4:
        names = ("metal", "wood", "paint", "stone", "leather")
        skin = SURFACES[names[int(rng.integers(len(names)))]](rng, side)
    ground = colour(rng, 0.0, 1.0) + rng.uniform(0, 0.04) * soft(rng, side, rng.uniform(0.8, 3))[..., None]
    cover = np.asarray(cv2.GaussianBlur(there.astype(np.float32), (0, 0), 0.7), np.float32)[..., None]
    return np.asarray(ground * (1 - cover) + skin * level[..., None] * cover, np.float32), there
