"""What prototypes stand for: cut out of the pictures where they were seen, the most frequent first."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from streamproc.normality.arrays import Packed
from streamproc.normality.examples import TILE_PX, Examples, Looked, LookLearner, find_examples
from streamproc.normality.memory import Memory, Texture
from streamproc.normality.picture import packed

CHANNELS = 4
GRID = (10, 10)
KINDS = np.eye(3, CHANNELS, dtype=np.float16) * 8


def memory() -> Memory:
    return Memory(
        detector="1",
        mean=Packed.of(np.zeros(CHANNELS, np.float16)),
        deviation=Packed.of(np.ones(CHANNELS, np.float16)),
        prototypes=Packed.of(KINDS),
        patches=6,
    )


def looked(brightness: int, **cells: tuple[int, float]) -> Looked:
    """At each cell, named ``c12``, features of a kind, off by so much; the cell itself as bright as 10 times its kind
    and ``brightness``."""
    grey = np.zeros((300, 400), np.uint8)
    features, places = [], []
    for name, (kind, off) in cells.items():
        cell = int(name[1:])
        row, column = divmod(cell, GRID[1])
        grey[row * 30 : row * 30 + 30, column * 40 : column * 40 + 40] = brightness + 10 * kind
        features.append(KINDS[kind] + np.float16(off))
        places.append(cell)
    return Looked(Texture(GRID, np.array(places, np.uint32), np.array(features, np.float16)), grey)


def test_each_example_is_the_place_most_like_its_prototype_the_most_frequent_first() -> None:
    looks = [looked(100, c11=(2, 0.5), c33=(0, 0.1), c55=(2, 0.4)), looked(200, c77=(2, 0.1), c99=(0, 0.9))]
    examples = find_examples(memory(), looks)
    assert examples is not None
    assert examples.shares == (0.6, 0.4)
    first, second = examples.tiles
    assert first.shape == (TILE_PX[1], TILE_PX[0])
    # Kind 2 was most itself in the second look, kind 0 in the first; kind 1 was not seen.
    assert first.mean() == pytest.approx(220, abs=3)
    assert second.mean() == pytest.approx(100, abs=3)


def test_at_the_edge_of_the_picture_an_example_is_as_large() -> None:
    examples = find_examples(memory(), [looked(100, c0=(1, 0.0))])
    assert examples is not None
    assert examples.tiles[0].shape == (TILE_PX[1], TILE_PX[0])


def test_where_nothing_stood_out_there_is_none() -> None:
    assert find_examples(memory(), []) is None
    nothing = Texture(GRID, np.empty(0, np.uint32), np.empty((0, CHANNELS), np.float16))
    assert find_examples(memory(), [Looked(nothing, np.zeros((300, 400), np.uint8))]) is None


def test_a_picture_that_does_not_hold_the_examples_is_refused() -> None:
    picture = packed(np.zeros((28, 200), np.uint8))
    assert len(Examples(picture=picture, shares=(0.5, 0.2)).tiles) == 2
    with pytest.raises(ValidationError, match="are not 11 examples"):
        Examples(picture=picture, shares=(0.05,) * 11)


def test_looks_are_kept_from_all_of_the_footage_and_not_more_than_needed() -> None:
    learner = LookLearner()
    for number in range(1000):
        if learner.wants():
            learner.add(looked(number % 256))
            learner._kept[-1].grey[0, :2] = divmod(number, 256)
    numbers = [int(one.grey[0, 0]) * 256 + int(one.grey[0, 1]) for one in learner.learned()]
    assert 60 <= len(numbers) <= 120
    assert numbers[0] == 0
    assert numbers[-1] >= 980
    assert len(set(np.diff(numbers))) == 1
