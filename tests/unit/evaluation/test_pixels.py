"""Heat maps against masks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from streamproc.evaluation.pixels import SIDE_PX, PixelScores
from streamproc.inspection.nouns import Floats


def picture(seed: int, lift: float) -> tuple[Floats, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    rng = np.random.default_rng(seed)
    mask = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    mask[10:60, 20:40] = True
    heat = rng.random((SIDE_PX, SIDE_PX), np.float32) * 0.5
    return (heat + np.float32(lift) * mask).astype(np.float32), mask


def test_auroc_is_that_of_all_pixels() -> None:
    scores, labels, heats = PixelScores(), [], []
    for seed in range(2):
        heat, mask = picture(seed, 0.1)
        scores.add(heat, mask)
        heats.append(heat.ravel())
        labels.append(mask.ravel())
    normal, _ = picture(5, 0.0)
    scores.add(normal, None)
    heats.append(normal.ravel())
    labels.append(np.zeros(normal.size, np.bool_))
    expected = roc_auc_score(np.concatenate(labels), np.concatenate(heats))
    assert scores.auroc == pytest.approx(expected, abs=1e-3)


def test_perfect_and_blind_maps() -> None:
    perfect, blind = PixelScores(), PixelScores()
    for scores, lift in ((perfect, 0.5), (blind, 0.0)):
        for seed in range(3):
            scores.add(*picture(seed, lift))
    assert perfect.auroc == pytest.approx(1, abs=1e-3)
    assert perfect.aupro == pytest.approx(1, abs=1e-2)
    assert blind.auroc == pytest.approx(0.5, abs=0.02)
    assert blind.aupro == pytest.approx(0.15, abs=0.03)


def test_a_small_region_counts_as_much_as_a_large_one() -> None:
    """Half of the regions found is an AUPRO of a half, however few pixels they have."""
    mask = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    mask[:100, :100] = True
    mask[200:204, 200:204] = True
    heat = np.where(mask, 0.9, 0.5).astype(np.float32)
    heat[:100, :100] = 0.1  # the large one is missed
    scores = PixelScores()
    scores.add(heat, mask)
    assert scores.aupro == pytest.approx(0.5, abs=0.02)
    assert scores.auroc is not None
    assert scores.auroc < 0.1


def test_sizes_need_not_be_the_same() -> None:
    mask = np.zeros((100, 60), np.bool_)
    mask[50:, 30:] = True
    scores = PixelScores()
    scores.add(np.array([[0, 0], [0, 1]], np.float32), mask)
    assert scores.auroc == pytest.approx(1, abs=0.01)


def test_without_masks_there_is_nothing_to_tell() -> None:
    scores = PixelScores()
    assert (scores.auroc, scores.aupro) == (None, None)
    scores.add(np.zeros((4, 4), np.float32), None)
    assert (scores.auroc, scores.aupro) == (None, None)
