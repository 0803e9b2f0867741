"""Stick figures: who lies, crouches or bends is told, who walks is not, and what is not seen is not said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from streamproc.normality.posture import judge, measure_posture, unusual
from streamproc.types import Box

PICTURE = np.zeros((100, 200, 3), np.uint8)
BOX = (0.4, 0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Stick:
    points_px: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]


def figure(
    torso_deg: float = 0.0, thigh_deg: float = 0.0, shin_deg: float = 0.0, *, unseen: Sequence[int] = ()
) -> Stick:
    """Hips at the origin; each limb by its angle from upright, turned to the right."""

    def limb(length: float, degrees: float) -> npt.NDArray[np.float64]:
        return length * np.array((math.sin(math.radians(degrees)), math.cos(math.radians(degrees))))

    points = np.zeros((17, 2))
    points[:11] = -limb(28.8, torso_deg)
    points[[13, 14]] = limb(24.5, thigh_deg)
    points[[15, 16]] = points[13] + limb(24.6, shin_deg)
    scores = np.full(17, 0.6, np.float32)
    scores[list(unseen)] = 0.1
    return Stick(points.astype(np.float32), scores)


@pytest.mark.parametrize(
    ("stick", "kind"),
    [
        (figure(), "upright"),
        (figure(torso_deg=20, thigh_deg=-25, shin_deg=10), "upright"),
        (figure(torso_deg=-50), "bent"),
        (figure(torso_deg=85, thigh_deg=5), "bent"),
        (figure(torso_deg=20, thigh_deg=-110, shin_deg=40), "crouching"),
        (figure(torso_deg=90, thigh_deg=90, shin_deg=90), "lying"),
        (figure(torso_deg=-80, thigh_deg=-100, shin_deg=-70), "lying"),
        (figure(torso_deg=120, thigh_deg=100, shin_deg=100), "lying"),
        (figure(unseen=(15, 16)), "upright"),
        (figure(torso_deg=20, thigh_deg=-110, shin_deg=40, unseen=(15, 16)), "crouching"),
        (figure(unseen=(0, 1, 2, 3, 4, 7, 8, 9, 10, 15)), "upright"),
    ],
)
def test_a_figure_is_told(stick: Stick, kind: str) -> None:
    found = judge(stick)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize("unseen", [(5,), (12,), (13, 14, 15, 16)])
def test_what_is_not_surely_seen_is_not_said(unseen: tuple[int, ...]) -> None:
    assert judge(figure(torso_deg=90, thigh_deg=90, shin_deg=90, unseen=unseen)) is None


def test_it_is_told_in_words_and_numbers() -> None:
    lying = judge(figure(torso_deg=88, thigh_deg=90, shin_deg=90), height=0.35)
    assert lying is not None
    assert (lying.torso_deg, lying.pred_score) == pytest.approx((88, 0.6), abs=0.1)
    assert str(lying) == "lies (torso 88 degrees from upright, 0.3 of a standing person's height here)"
    assert str(judge(figure(torso_deg=50))) == "is bent over (torso 50 degrees from upright)"


@pytest.mark.parametrize(
    ("box_px", "standing_px", "asked"),
    [
        ((0, 0, 40, 100), 100, False),
        ((0, 0, 63, 100), 100, False),
        ((0, 0, 100, 60), None, True),
        ((0, 0, 40, 60), 100, True),
        ((0, 0, 40, 60), None, False),
    ],
)
def test_pose_is_worth_asking_where_a_box_is_wide_or_low(box_px: Box, standing_px: float | None, asked: bool) -> None:
    assert unusual(box_px, standing_px) is asked


@dataclass
class Estimator:
    """Sees what it is given for each turn."""

    by_turn: dict[float, Stick]
    asked: list[float] = field(default_factory=list)

    def pose(self, picture: npt.NDArray[np.uint8], box_norm: Box, turn_deg: float = 0.0) -> Stick:
        assert (picture.shape, box_norm) == (PICTURE.shape, BOX)
        self.asked.append(turn_deg)
        return self.by_turn[turn_deg]


def test_who_stands_costs_one_look() -> None:
    estimator = Estimator({0.0: figure()})
    found = measure_posture(estimator, PICTURE, BOX, standing_px=160)
    assert found is not None
    assert (found.kind, found.height, estimator.asked) == ("upright", 0.5, [0.0])


def test_who_lies_is_looked_at_turned() -> None:
    down = figure(torso_deg=90, thigh_deg=90, shin_deg=90)
    blurred = figure(unseen=range(17))
    estimator = Estimator({0.0: blurred, 90.0: blurred, -90.0: down})
    found = measure_posture(estimator, PICTURE, BOX)
    assert found is not None
    assert (found.kind, found.height) == ("lying", None)
    assert measure_posture(Estimator({0.0: blurred, 90.0: blurred, -90.0: blurred}), PICTURE, BOX) is None
