"""Textures beside what normal footage looked like."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.normality.memory import Memory, Recall, Texture, fit_memory

RANDOM = np.random.default_rng(3)
GRID = (12, 12)


def texture(cells: list[int], mean: float = 0.0) -> Texture:
    features = RANDOM.normal(mean, 1.0, (len(cells), 8)).astype(np.float16)
    return Texture(GRID, np.array(cells, np.uint32), features)


@pytest.fixture(scope="module")
def memory() -> Memory:
    found = fit_memory([texture(list(range(100))) for _ in range(40)], "rev")
    assert found is not None
    return found


def test_what_looks_like_normal_footage_is_near_and_what_does_not_is_far(memory: Memory) -> None:
    recall = Recall(memory)
    usual = recall.distances(texture(list(range(100))))
    odd = recall.distances(texture(list(range(100)), mean=6.0))
    assert usual.shape == GRID
    assert odd[:6].min() > 2 * usual.max()
    assert usual.reshape(-1)[100:].max() == 0.0  # nothing stands out there


def test_a_patch_by_itself_counts_less_than_one_among_its_like(memory: Memory) -> None:
    recall = Recall(memory)
    among = texture([13, 14, 15, 25, 26, 27, 37, 38, 39], mean=6.0)
    alone = Texture(GRID, np.array([26], np.uint32), among.features[4:5])
    assert recall.distances(alone)[2, 2] < 0.6 * recall.distances(among)[2, 2]


def test_the_memory_is_the_same_each_time_and_small(memory: Memory) -> None:
    same = [texture(list(range(60))) for _ in range(40)]
    one, other = fit_memory(same, "rev"), fit_memory(same, "rev")
    assert one == other
    assert len(memory.model_dump_json()) < 20_000
    assert memory.patches == 4000
    assert memory.detector == "rev"


def test_too_little_is_no_memory() -> None:
    assert fit_memory([texture(list(range(10)))], "rev") is None
    assert fit_memory([], "rev") is None


def test_nothing_that_stands_out_is_nothing_far(memory: Memory) -> None:
    assert Recall(memory).distances(texture([])).max() == 0.0
