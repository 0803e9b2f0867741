"""The memory of what is normal: distances by hand, leaving out, levels, limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from streamproc.errors import InferenceError
from streamproc.inspection import distances as searched
from streamproc.inspection import memory as module
from streamproc.inspection.distances import Kind
from streamproc.inspection.memory import LEVEL, Known, Memory, pooled, unit_tokens
from streamproc.inspection.nouns import TAPS, Features, Floats, Layout

KINDS = pytest.mark.parametrize("kind", ["knn", "subspace"])


def features(tokens: Floats, level: int = LEVEL) -> Features:
    """Of one picture, with ``tokens`` (t, c) at one level and noughts at the others."""
    side = round(len(tokens) ** 0.5)
    taps = np.zeros((TAPS, 1, *tokens.shape), np.float32)
    taps[level, 0] = tokens
    return Features(taps[level], taps, side, Layout((side, side), (1, 1), (0, 0, 1, 1), same_first=True))


def normals(count: int, seed: int = 0, channels: int = 8) -> list[Features]:
    """Tokens near a plane of two directions."""
    rng = np.random.default_rng(seed)
    each = []
    for _ in range(count):
        tokens = 0.02 * rng.normal(size=(16, channels))
        tokens[:, :2] += rng.uniform(1, 2, size=(16, 2))
        each.append(features(tokens.astype(np.float32)))
    return each


def shown(crops: Sequence[Features]) -> list[list[Features]]:
    """Without mirror images."""
    return [[features] for features in crops]


def with_defect(given: Features, token: int = 5) -> Features:
    tokens = given.taps[LEVEL, 0].copy()
    tokens[token] = np.eye(tokens.shape[1], dtype=np.float32)[-1]
    return features(tokens)


def test_nearest_distances_are_one_minus_the_cosine() -> None:
    known = Known.of([[features(np.array([[2, 0], [2, 0], [0, 3], [0, 3]], np.float32))]])
    asked = np.array([[1, 0], [np.sqrt(0.5), np.sqrt(0.5)], [-1, 0]], np.float32)
    np.testing.assert_allclose(known.distance("knn")(asked).distances, [0, 1 - np.sqrt(0.5), 1], atol=1e-6)


def test_what_lies_outside_the_directions_searched_in_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searched, "_DIRECTIONS", 1)
    known = np.array([[-2, 0, 0], [-1, 0, 0], [1, 0, 0], [2, 0, 0]], np.float32)
    asked = np.array([[1, 3, 0], [2, 0, 0], [0, 0, 1]], np.float32)
    np.testing.assert_allclose(searched.distance_to(known, "knn")(asked).distances, [4.5, 0, 1], atol=1e-5)


def test_what_the_main_directions_leave_over_is_a_squared_length() -> None:
    tokens = np.array([[1, 0, 0], [-1, 0, 0], [1, 0, 0], [-1, 0, 0]], np.float32)
    known = Known(tokens, np.zeros(4, np.int32), np.arange(4))
    asked = np.array([[5, 0, 0], [0, 2, 0], [1, 1, 1]], np.float32)
    np.testing.assert_allclose(known.distance("subspace")(asked).distances, [0, 4, 2], atol=1e-5)


@KINDS
def test_a_defect_stands_out_and_where_it_is(kind: Kind) -> None:
    memory = Memory.learn(shown(normals(40)), kind)
    good = normals(1, seed=9)[0]
    said, fine = memory.judge(with_defect(good)), memory.judge(good)
    assert fine.times < 1 < said.times
    assert said.maps.shape == (1, 4, 4)
    assert int(said.maps.argmax()) == 5
    assert float(fine.maps.max()) < 1 < float(said.maps.max())


@KINDS
def test_a_normal_crop_is_judged_by_the_others(kind: Kind) -> None:
    """One odd normal crop among eight has a score of its own from what it is like, not nought."""
    crops = normals(7)
    odd = with_defect(crops[0])
    memory = Memory.learn(shown([*crops, odd]), kind)
    alone = Memory.learn(shown(crops), kind)
    assert memory.places.p95 > alone.places.p95 * 1.5
    assert Known.of(shown(crops)).distance(kind, without=0)(unit_tokens(crops[0], LEVEL)).distances.max() > 0


def test_a_left_out_crop_is_not_among_what_is_known() -> None:
    crops = normals(2)
    own = unit_tokens(crops[0], LEVEL)
    known = Known.of(shown(crops))
    assert known.distance("knn")(own).distances.max() == pytest.approx(0, abs=1e-6)
    assert known.distance("knn", without=0)(own).distances.max() > 1e-4


def test_a_crop_is_as_its_most_distant_hundredth() -> None:
    assert pooled(np.arange(1000, dtype=np.float32)) == pytest.approx(np.mean(np.arange(990, 1000)))
    assert pooled(np.array([1, 9, 3], np.float32)) == 9


def test_the_threshold_is_of_crops_that_were_left_out() -> None:
    """What the memory knows by heart is at no distance; the threshold is of what the others know of each crop."""
    crops = normals(6)
    memory = Memory.learn(shown(crops))
    assert [memory.judge(crop).score for crop in crops] == pytest.approx([0] * 6, abs=1e-6)
    without = [Memory.learn(shown(crops[:n] + crops[n + 1 :])).judge(crops[n]).score for n in range(6)]
    assert memory.scale.median == pytest.approx(np.median(without), rel=1e-3)
    assert memory.scale.p95 == pytest.approx(np.quantile(without, 0.95), rel=1e-3)


def test_levels_are_told_apart() -> None:
    tokens = np.eye(4, dtype=np.float32)
    assert unit_tokens(features(tokens, level=1), 1).sum() == 4
    assert unit_tokens(features(tokens, level=1), 0).sum() == 0


def test_large_tokens_in_half_precision_stay_finite() -> None:
    given = features(np.full((4, 300), 60.0, np.float32))
    half = Features(given.tokens, given.taps.astype(np.float16), given.side, given.layout)
    np.testing.assert_allclose(np.linalg.norm(unit_tokens(half, LEVEL), axis=1), 1, atol=1e-3)


def test_no_more_is_kept_than_can_be_searched_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TOKENS", 40)
    crops = normals(8)
    known, again = Known.of(shown(crops)), Known.of(shown(crops))
    assert known.tokens.shape == (40, 8)
    assert len(set(known.crop.tolist())) > 4
    np.testing.assert_array_equal(known.tokens, again.tokens)


@pytest.mark.parametrize("crops", [[], normals(1)])
def test_one_crop_does_not_tell_what_is_normal(crops: Sequence[Features]) -> None:
    with pytest.raises(ValueError, match="two normal crops"):
        Memory.learn(shown(crops))


def test_another_encoders_features_are_refused() -> None:
    with pytest.raises(InferenceError, match="tokens of 8, not of 6"):
        Memory.learn(shown(normals(2))).judge(normals(1, channels=6)[0])


def test_judging_enrols_nothing() -> None:
    memory = Memory.learn(shown(normals(4)))
    before = memory.known.tokens.copy()
    bad = with_defect(normals(1, seed=3)[0])
    first = memory.judge(bad).times
    assert memory.judge(bad).times == first
    np.testing.assert_array_equal(memory.known.tokens, before)


def test_mirror_images_are_known_and_left_out_with_their_crop() -> None:
    crops = normals(3)
    mirrored = with_defect(crops[0])
    known = Known.of([[crops[0], mirrored], [crops[1]], [crops[2]]])
    defect = unit_tokens(mirrored, LEVEL)[5:6]
    assert known.distance("knn")(defect).distances[0] == pytest.approx(0, abs=1e-6)
    assert known.distance("knn", without=0)(defect).distances[0] > 0.5


def test_the_nearest_is_counted_within_all_that_is_known() -> None:
    crops = normals(3)
    known = Known.of(shown(crops))
    own = unit_tokens(crops[1], LEVEL)
    nearest = known.distance("knn")(own).nearest
    np.testing.assert_array_equal(nearest, np.arange(16, 32))
    others = known.distance("knn", without=1)(own).nearest
    assert others is not None
    assert set(known.crop[others].tolist()) <= {0, 2}
    assert known.distance("subspace")(own).nearest is None
