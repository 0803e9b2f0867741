"""The expert's maps in the memory's distances: in times of the nearest normal token's significance."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.inspection.agreement import WEIGHT, Agreement
from streamproc.inspection.distances import Kind
from streamproc.inspection.memory import LEVEL, Memory
from streamproc.inspection.nouns import TAPS, Features, Layout

SIDE = 4


def crop(seed: int) -> Features:
    """Tokens of their own place's direction, and a little noise: the nearest known one is of the same place."""
    rng = np.random.default_rng(seed)
    tokens = (np.eye(16, dtype=np.float32) + 0.05 * rng.normal(size=(16, 16))).astype(np.float32)
    taps = np.zeros((TAPS, 1, 16, 16), np.float32)
    taps[LEVEL, 0] = tokens
    return Features(taps[LEVEL], taps, SIDE, Layout((SIDE, SIDE), (1, 1), (0, 0, 1, 1), same_first=True))


CROPS = [[crop(seed)] for seed in range(6)]
WELD = np.full((1, SIDE, SIDE), 0.01, np.float32)
WELD[0, 1, 2] = 0.8  # what the expert suspects in every crop of this thing


def test_what_is_suspected_in_every_normal_crop_is_no_evidence() -> None:
    memory = Memory.learn(CROPS)
    agreement = Agreement.learn(memory, [[WELD]] * 6)
    recalled = memory.judge(crop(9))
    both = agreement.judge(recalled, WELD)
    np.testing.assert_allclose(both.distances, recalled.distances, rtol=1e-4)
    assert both.times == pytest.approx(recalled.times, abs=1e-3)


def test_what_is_suspected_here_alone_raises_the_distance_there() -> None:
    memory = Memory.learn(CROPS)
    agreement = Agreement.learn(memory, [[WELD]] * 6)
    recalled = memory.judge(crop(9))
    here = WELD.copy()
    here[0, 3, 0] = 0.9
    both = agreement.judge(recalled, here)
    raised = (both.distances / recalled.distances).reshape(SIDE, SIDE)
    assert raised[3, 0] == pytest.approx((0.901 / 0.011) ** WEIGHT, rel=1e-3)
    assert np.delete(raised.reshape(-1), 12) == pytest.approx(1, rel=1e-4)
    assert both.maps[0, 3, 0] > recalled.maps[0, 3, 0]


@pytest.mark.parametrize("kind", ["knn", "subspace"])
def test_mirrored_crops_and_both_kinds_are_taken(kind: Kind) -> None:
    shown = [[*one, crop(50 + number)] for number, one in enumerate(CROPS)]
    memory = Memory.learn(shown, kind)
    agreement = Agreement.learn(memory, [[WELD, WELD[:, :, ::-1]]] * 6)
    assert len(agreement.logs) == len(memory.known.tokens) == 6 * 2 * 16
    assert np.isfinite(agreement.judge(memory.judge(crop(9)), WELD).times)
