"""When a score is remarkable."""

from __future__ import annotations

import pytest

from streamproc.inspection.scale import Scale, few, share


def test_the_threshold_lies_twice_as_far_out_as_normals_commonly_do() -> None:
    scale = Scale(median=2.0, p95=3.0)
    assert scale.threshold == 4.0
    assert [scale.times(score) for score in (1.0, 2.0, 3.0, 4.0, 6.0)] == [-0.5, 0.0, 0.5, 1.0, 2.0]
    assert [share(times) for times in (-2.0, 0.0, 1.0, 3.0)] == [0.0, 0.0, 0.5, 0.75]


def test_it_comes_from_normal_scores() -> None:
    scale = Scale.of([float(n) for n in range(101)])
    assert (scale.median, scale.p95) == (50.0, 95.0)


def test_shifting_or_stretching_all_scores_changes_nothing() -> None:
    normal = [1.0, 2.0, 4.0, 3.0, 2.5]
    moved = Scale.of([10 * score - 70 for score in normal])
    assert moved.times(10 * 5.0 - 70) == pytest.approx(Scale.of(normal).times(5.0))


def test_normals_that_are_all_alike_do_not_make_everything_remarkable() -> None:
    scale = Scale.of([1.0, 1.0, 1.0])
    assert scale.times(1.05) < 1 < scale.times(1.2)
    assert Scale.of([0.0, 0.0]).times(0.0) == 0.0


@pytest.mark.parametrize("normal", [[], [1.0], [1.0, float("nan")]])
def test_what_tells_nothing_is_refused(normal: list[float]) -> None:
    with pytest.raises(ValueError, match="two finite scores"):
        Scale.of(normal)


@pytest.mark.parametrize(("normal", "share"), [(2, "33 %"), (4, "half"), (11, "half"), (12, "7 %"), (15, "7 %")])
def test_what_to_expect_of_few_is_told_by_how_few(normal: int, share: str) -> None:
    told = few(normal)
    assert told is not None
    assert told.startswith(f"{normal} normal pictures are few")
    assert share in told
    assert "on single pictures of solar cells and magnetic tiles" in told


@pytest.mark.parametrize("normal", [0, 1, 16])
def test_of_enough_and_of_what_is_refused_nothing_is_told(normal: int) -> None:
    assert few(normal) is None
