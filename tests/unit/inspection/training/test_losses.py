"""Balanced losses, by hand on small numbers."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from streamproc.inspection.training.losses import balanced_bce, class_weights, map_loss  # noqa: E402


def test_each_class_has_half_of_the_whole_sets_loss() -> None:
    flawless, defective = class_weights(defective=2, flawless=6)

    assert (flawless, defective) == pytest.approx((8 / 12, 8 / 4))
    assert 6 * flawless == pytest.approx(2 * defective)
    assert class_weights(5, 5) == (1, 1)
    assert class_weights(0, 5) == class_weights(5, 0) == (1, 1)


def test_balanced_bce_weighs_by_label() -> None:
    logits, labels = torch.tensor([0.0, math.log(3)]), torch.tensor([0.0, 1.0])

    found = balanced_bce(logits, labels, (0.5, 2.0))

    assert float(found) == pytest.approx((0.5 * math.log(2) + 2.0 * math.log(4 / 3)) / 2)


def test_the_map_counts_defective_and_sound_tokens_alike() -> None:
    maps = torch.tensor([[0.5, 0.25, 0.25, 0.25]])
    shares = torch.tensor([[1.0, 0.0, 0.0, 0.0]])

    found = map_loss(maps, shares, torch.ones(1))

    assert float(found) == pytest.approx((math.log(2) - math.log(0.75)) / 2)


def test_a_defect_that_nobody_outlined_does_not_count() -> None:
    maps = torch.tensor([[0.5, 0.25], [0.9, 0.9]])
    shares = torch.tensor([[1.0, 0.0], [1.0, 0.0]])

    both = map_loss(maps, shares, torch.tensor([1.0, 0.0]))

    assert float(both) == pytest.approx(float(map_loss(maps[:1], shares[:1], torch.ones(1))))


def test_a_saturated_map_gives_a_number() -> None:
    maps = torch.tensor([[0.0, 1.0]], requires_grad=True)

    found = map_loss(maps, torch.tensor([[1.0, 0.0]]), torch.ones(1))
    found.backward()

    assert math.isfinite(float(found.detach()))
    assert maps.grad is not None
    assert bool(torch.isfinite(maps.grad).all())
