"""Which normal clips are learned from, and which are kept to see that nothing is raised on them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from streamproc.backtest.benchmark import Benchmark
from streamproc.errors import ConfigError

CLIPS_A_DRAW = 2
"""The fewest that a camera should be able to start from."""


def learning_from(benchmark: Benchmark, names: Sequence[str]) -> Benchmark:
    """Learned from the normal clips of these file names, with or without suffix; the others may be held out.

    Raises:
        ConfigError: there is no normal clip of a name.
    """
    if unknown := [name for name in names if not any(_is(clip, name) for clip in benchmark.normal)]:
        there = ", ".join(clip.stem for clip in benchmark.normal)
        raise ConfigError(f"--learn-from {','.join(unknown)} is no normal clip; there are {there}"[:300])
    learned = tuple(clip for clip in benchmark.normal if any(_is(clip, name) for name in names))
    return replace(benchmark, normal=learned, held_out=tuple(c for c in benchmark.normal if c not in learned))


def holding_out(benchmark: Benchmark, count: int) -> Benchmark:
    """``count`` normal clips of each camera held out, spread evenly: of those not learned from, where there are any,
    else they are taken from those to learn from.

    Raises:
        ConfigError: there are not as many, or nothing would be left to learn from.
    """

    def one(camera: Benchmark) -> Benchmark:
        candidates = camera.held_out or camera.normal
        if count > len(candidates) - (not camera.held_out):
            raise ConfigError(
                f"--held-out {count}: of {len(camera.normal) + len(camera.held_out)} normal clips "
                f"{len(candidates) - (not camera.held_out)} can be left unlearned"
            )
        held = tuple(candidates[int((i + 0.5) * len(candidates) / count)] for i in range(count))
        return replace(camera, normal=tuple(c for c in camera.normal if c not in held), held_out=held)

    return _each(benchmark, one)


def drawn(benchmark: Benchmark, draws: int, seed: int = 0) -> Iterator[Benchmark]:
    """Each time learned from ``CLIPS_A_DRAW`` random normal clips of each camera; the others may be held out.

    Raises:
        ConfigError: a camera has too few.
    """
    for number in range(draws):
        chance = random.Random(seed + number)  # noqa: S311 - a draw that anybody can repeat

        def one(camera: Benchmark, chance: random.Random = chance) -> Benchmark:
            if len(camera.normal) <= CLIPS_A_DRAW:
                raise ConfigError(f"--draws: a camera has {len(camera.normal)} normal clips, {CLIPS_A_DRAW} are drawn")
            learned = sorted(chance.sample(camera.normal, CLIPS_A_DRAW))
            return replace(camera, normal=tuple(learned), held_out=tuple(c for c in camera.normal if c not in learned))

        yield _each(benchmark, one)


def _is(clip: Path, name: str) -> bool:
    return name in (clip.name, clip.stem)


def _each(benchmark: Benchmark, change: Callable[[Benchmark], Benchmark]) -> Benchmark:
    """``change`` made to each camera's clips."""
    cameras = [change(camera) for camera in benchmark.by_camera().values()]
    return replace(
        benchmark,
        normal=tuple(clip for camera in cameras for clip in camera.normal),
        held_out=tuple(clip for camera in cameras for clip in camera.held_out),
    )
