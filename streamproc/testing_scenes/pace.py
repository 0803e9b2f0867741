"""Footage in another order or at another pace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from streamproc.testing_footage import Pixels
from streamproc.testing_scenes.scene import Scene


def backwards(pictures: Sequence[Pixels]) -> Iterator[Pixels]:
    """From the last picture to the first."""
    yield from reversed(pictures)


def looped(pictures: Sequence[Pixels], times: int = 3) -> Iterator[Pixels]:
    """Over and over, as a player does that begins anew: each seam is a jump."""
    for _ in range(times):
        yield from pictures


def cut(pictures: Sequence[Pixels], piece: int = 60, gap: int = 61) -> Iterator[Pixels]:
    """Pieces of ``piece`` pictures, ``gap`` pictures left out after each."""
    for first in range(0, len(pictures), piece + gap):
        yield from pictures[first : first + piece]


def faster(pictures: Sequence[Pixels], times: int) -> Iterator[Pixels]:
    """As many times as fast: every so many pictures at the same picture rate."""
    yield from pictures[::times]


def dropped(pictures: Sequence[Pixels], *, share: float = 0.3, fps: float = 10.0, seed: int = 1) -> Scene:
    """A share of the pictures lost on the way, in spells of one to three; those that came keep their true times."""
    random = np.random.default_rng(seed)
    kept: list[int] = []
    index = 0
    while index < len(pictures):
        if kept and random.random() < share / 2:
            index += int(random.integers(1, 4))
            continue
        kept.append(index)
        index += 1
    kept = [at for at in kept if at < len(pictures)]
    return Scene((pictures[at] for at in kept), times_s=[at / fps for at in kept])
