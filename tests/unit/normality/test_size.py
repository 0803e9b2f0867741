"""What is too large or too small for its place is told; perspective is learned and cut boxes say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.normality.size import SizeModel, SizeSample, fit_size
from streamproc.types import Box


def person(foot: float, times: float = 1.0, x: float = 0.5) -> Box:
    """Twice as high as the row less a tenth over ten, and a fifth as wide."""
    tall = 0.3 * (foot - 0.1) * times
    return (x - tall / 5, foot - tall, x + tall / 5, foot)


def people(count: int = 200, seed: int = 1, spread: float = 0.06) -> list[SizeSample]:
    random = np.random.default_rng(seed)
    return [
        SizeSample((1, at // 10), "person", person(random.uniform(0.3, 0.95), float(np.exp(random.normal(0, spread)))))
        for at in range(count)
    ]


@pytest.fixture(scope="module")
def model() -> SizeModel:
    return fit_size(people())


def test_perspective_is_learned(model: SizeModel) -> None:
    for foot in (0.35, 0.6, 0.9):
        assert model.height("person", foot) == pytest.approx(0.3 * (foot - 0.1), rel=0.03)


def test_one_as_large_as_usual_is_normal_and_one_half_as_large_again_is_not(model: SizeModel) -> None:
    for foot in (0.35, 0.9):
        usual, large, small = (model.judge("person", person(foot, times)) for times in (1.05, 1.6, 0.5))
        assert usual is not None
        assert large is not None
        assert small is not None
        assert usual.score < 1.0 < large.score
        assert small.score > 1.0
    near = model.judge("person", person(0.9))
    assert near is not None
    far = model.judge("person", (0.4, 0.35 - 0.24, 0.496, 0.35))
    assert far is not None
    assert near.score < 1.0 < far.score


def test_wide_for_its_height_is_told_as_width(model: SizeModel) -> None:
    size = model.judge("person", (0.3, 0.66, 0.6, 0.8))
    assert size is not None
    assert size.side == "width"
    assert size.score > 1.0
    assert size.ratio == pytest.approx(0.3 / (0.3 * 0.7 * 0.4), rel=0.05)


def test_half_hidden_people_do_not_bend_the_line() -> None:
    hidden = [
        SizeSample((2, at), "person", (0.5, foot - 0.1 * (foot - 0.1), 0.53, foot))
        for at, foot in enumerate(np.linspace(0.3, 0.95, 40).tolist())
    ]
    model = fit_size([*people(), *hidden])
    assert model.height("person", 0.6) == pytest.approx(0.15, rel=0.05)


@pytest.mark.parametrize(
    ("label", "box"),
    [
        ("person", (0.3, 0.0, 0.4, 0.5)),
        ("person", (0.0, 0.4, 0.4, 0.5)),
        ("person", (0.3, 0.4, 0.4, 1.0)),
        ("person", (0.3, 0.05, 0.4, 0.15)),
        ("car", (0.3, 0.4, 0.6, 0.5)),
    ],
    ids=["cut above", "cut at the side", "cut below", "where no feet were", "another class"],
)
def test_what_cannot_be_judged_is_not(model: SizeModel, label: str, box: Box) -> None:
    assert model.judge(label, box) is None


def test_boxes_all_alike_do_not_make_a_small_difference_odd() -> None:
    even = fit_size(people(spread=0.0)).judge("person", person(0.6, 1.15))
    assert even is not None
    assert even.score < 1.0


def test_too_little_is_said() -> None:
    assert fit_size([]).why_not.startswith("too few things are seen whole to know their size: 0 boxes")
    one = [SizeSample((1, 1), "person", sample.box_norm) for sample in people()]
    assert fit_size(one).why_not
    cut_ones = [SizeSample(sample.thing, "person", (0.0, *sample.box_norm[1:])) for sample in people()]
    assert fit_size(cut_ones).classes == {}


def test_it_is_small_and_comes_back(model: SizeModel) -> None:
    text = model.model_dump_json()
    assert len(text) < 600
    assert SizeModel.model_validate_json(text) == model
