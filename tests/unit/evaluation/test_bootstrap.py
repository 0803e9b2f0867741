from __future__ import annotations

import math
import random

import pytest

from streamproc.evaluation.bootstrap import Pair, over_seeds, over_videos
from streamproc.evaluation.metrics import ScoredVideo, measure


def videos(seed: int, skill: float, count: int = 8) -> tuple[ScoredVideo, ...]:
    """Of ``count`` videos with the same labels whatever the seed; scores are coarse, so that many are equal."""
    truth, noise = random.Random(7), random.Random(seed)
    made = []
    for number in range(count):
        labels = tuple(int(truth.random() < 0.4) for _ in range(40))
        scores = tuple(round(skill * label + noise.random(), 1) for label in labels)
        made.append(ScoredVideo(str(number), labels, scores))
    return tuple(made)


def test_the_difference_is_that_of_the_frame_level_aurocs() -> None:
    ours, theirs = videos(1, 0.8), videos(2, 0.2)
    expected = (measure(ours, 0.5, 10).auroc or 0) - (measure(theirs, 0.5, 10).auroc or 0)

    found = over_videos([Pair(ours, theirs)])

    assert found.mean == pytest.approx(expected, abs=1e-12)
    assert 0.1 < found.low < found.mean < found.high


def test_the_same_scores_differ_by_nothing_and_surely() -> None:
    found = over_videos([Pair(videos(1, 0.5), videos(1, 0.5))])

    assert (found.mean, found.low, found.high) == (0, 0, 0)


def test_a_difference_by_chance_has_an_interval_around_nothing() -> None:
    found = over_videos([Pair(videos(1, 0.5), videos(2, 0.5))])

    assert found.low < 0 < found.high


def test_videos_are_what_is_resampled() -> None:
    # One video alone makes the difference: with frames resampled that would look sure.
    theirs = videos(1, 0.5)
    ours = (ScoredVideo(theirs[0].name, theirs[0].labels, tuple(map(float, theirs[0].labels))), *theirs[1:])

    found = over_videos([Pair(ours, theirs)])

    assert found.mean > 0
    assert found.low == 0


def test_pairs_may_leave_out_other_videos_and_their_mean_is_told() -> None:
    ours, theirs = videos(1, 0.8), videos(2, 0.2)
    first, second = Pair(ours[2:], theirs[2:]), Pair(ours[:-2], theirs[:-2])

    found = over_videos([first, second])

    assert found.mean == pytest.approx((over_videos([first]).mean + over_videos([second]).mean) / 2)
    assert found.low < found.mean < found.high


def test_a_video_is_drawn_for_all_pairs_at_once() -> None:
    ours, theirs = videos(1, 0.8), videos(2, 0.2)

    found = over_videos([Pair(ours, theirs), Pair(ours[::-1], theirs[::-1])])

    alone = over_videos([Pair(ours, theirs)])
    assert (found.mean, found.low, found.high) == pytest.approx((alone.mean, alone.low, alone.high))


def test_seeded() -> None:
    pair = Pair(videos(1, 0.8), videos(2, 0.2))

    assert over_videos([pair], seed=3) == over_videos([pair], seed=3)
    assert over_videos([pair], seed=3) != over_videos([pair], seed=4)


def test_over_seeds() -> None:
    found = over_seeds([0.01, 0.02, 0.03, 0.02, 0.02])

    assert found.mean == pytest.approx(0.02)
    assert 0.01 <= found.low < found.mean < found.high <= 0.03


def test_one_video_of_one_kind_tells_nothing() -> None:
    found = over_videos([Pair((ScoredVideo("a", (1, 1), (0.1, 0.2)),), (ScoredVideo("a", (1, 1), (0.3, 0.2)),))])

    assert math.isnan(found.mean)
    assert math.isnan(found.low)


def test_a_pair_is_of_the_same_videos() -> None:
    with pytest.raises(ValueError, match="same videos"):
        Pair(videos(1, 0.5), videos(1, 0.5)[1:])
