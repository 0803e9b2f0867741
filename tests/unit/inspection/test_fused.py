"""Memory and expert together: each on its own scale, and who spoke."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.inspection.fused import Fused, Inspector, Seen, learn, see, show, who
from streamproc.inspection.nouns import Features, Pixels, Reading, Score
from streamproc.inspection.scale import Scale
from streamproc.inspection.views import make_plain_views
from streamproc.testing_inspection import FakeBackbone

BACKBONE = FakeBackbone()


class FakeExpert:
    """Its logit is what it is told; hot everywhere."""

    revision = "fake"

    def __init__(self, *logits: float, close_ups: int = 1) -> None:
        self._logits, self.close_ups = list(logits), close_ups
        self.pictures: list[int] = []

    def score(self, features: Features) -> Reading:
        logit = self._logits.pop(0) if len(self._logits) > 1 else self._logits[0]
        self.pictures.append(features.layout.pictures)
        value = float(1 / (1 + np.exp(-logit)))
        maps = np.full((features.layout.pictures, features.side, features.side), 0.9, np.float32)
        nothing = np.zeros((1, 4, 1), np.float32)
        return Reading(Score(value, maps[0], "expert"), logit, maps, nothing, nothing[0, 0])


def pixels(seed: int, spot: bool = False) -> Pixels:
    made = np.random.default_rng(seed).integers(95, 105, (64, 64, 3), np.uint8)
    if spot:
        made[8:16, 48:56] = (255, 0, 0)
    return made


def encoded(seed: int, spot: bool = False) -> Features:
    return BACKBONE.encode(make_plain_views(pixels(seed, spot), BACKBONE.side_px))


NORMAL = [show(BACKBONE, pixels(seed)) for seed in range(16)]


def learned_with(expert: FakeExpert) -> Fused:
    return learn([[Seen(seen.whole, expert.score(seen.whole)) for seen in shown] for shown in NORMAL], expert)


def test_the_memory_alone_tells_a_spot_and_where() -> None:
    inspector = Inspector(BACKBONE, learn(NORMAL))
    said, fine = inspector.inspect(pixels(7, spot=True)), inspector.inspect(pixels(7))
    assert fine.times < 1 < said.times
    assert fine.score.value < 0.5 < said.score.value
    assert (said.score.by, said.memory, said.expert) == ("memory", said.times, None)
    assert int(said.score.heat.argmax()) == 1 * 8 + 6
    assert said.score.heat.max() > 0.5 > fine.score.heat.max()


def test_the_expert_alone_keeps_its_own_score() -> None:
    said = Fused(expert=FakeExpert(2.0)).judge(encoded(7))
    assert said.score.value == pytest.approx(1 / (1 + np.exp(-2)))
    assert (said.score.by, said.memory) == ("expert", None)
    assert said.times == pytest.approx(2 * said.score.value)  # 1 at a score of 0.5


def test_the_expert_is_held_against_its_scores_of_normal_crops() -> None:
    """A thing that it finds odd as it is does not alarm for that."""
    fused = learned_with(FakeExpert(*[3.0, 3.1, 2.9, 3.0] * 16, 3.0))
    assert fused.scale is not None
    assert fused.scale.median == pytest.approx(3.0)
    said = fused.judge(encoded(7))
    assert said.expert == pytest.approx(0.0, abs=0.01)
    assert said.times < 1


def test_both_are_asked_and_both_speak() -> None:
    said = learned_with(FakeExpert(*[-3.0] * 64, 4.0)).judge(encoded(7, spot=True))
    assert said.memory is not None
    assert said.expert is not None
    assert said.memory > 1
    assert said.expert > 1
    assert said.score.by == "both"


def test_an_expert_that_finds_everything_odd_changes_nothing() -> None:
    """Its scores are not added: what it suspects everywhere, in normal crops too, is no evidence."""
    alone, both = learn(NORMAL), learned_with(FakeExpert(*[0.0] * 64, 9.0))
    for spot in (False, True):
        crop = encoded(7, spot)
        assert both.judge(crop).times == pytest.approx(alone.judge(crop).times, rel=1e-4)


def test_a_memory_without_a_scale_of_the_expert_takes_a_half_as_its_threshold() -> None:
    memory = learn(NORMAL).memory
    assert Fused(memory, FakeExpert(0.0)).judge(encoded(7)).expert == pytest.approx(1.0)
    assert Fused(memory, FakeExpert(0.0), Scale(0.0, 1.0)).judge(encoded(7)).expert == 0.0


@pytest.mark.parametrize(
    ("memory", "expert", "by"),
    [(2, 2, "both"), (2, 0, "memory"), (0, 2, "expert"), (0.5, 0.4, "memory"), (0.4, 0.5, "expert")],
)
def test_who_spoke(memory: float, expert: float, by: str) -> None:
    assert who(memory, expert) == by


def test_somebody_must_be_asked() -> None:
    with pytest.raises(ValueError, match="neither"):
        Fused().judge(encoded(0))


def test_an_expert_of_close_ups_sees_them_and_the_memory_the_whole() -> None:
    wide = np.concatenate([pixels(7), pixels(8, spot=True)], axis=1)
    expert = FakeExpert(*[-3.0] * 16, 4.0, close_ups=4)
    fused = learn([show(BACKBONE, np.concatenate([pixels(2 * n), pixels(2 * n + 1)], axis=1))[:1] for n in range(4)])
    both = learn(
        [show(BACKBONE, np.concatenate([pixels(2 * n), pixels(2 * n + 1)], axis=1), expert)[:1] for n in range(4)],
        expert,
    )
    alone, said = Inspector(BACKBONE, fused).inspect(wide), Inspector(BACKBONE, both).inspect(wide)
    assert expert.pictures == [1 + 2 * 4] * 17
    assert said.memory == pytest.approx(alone.memory)
    assert said.score.heat.shape == alone.score.heat.shape == (8, 8)
    assert int(said.score.heat.argmax()) == int(alone.score.heat.argmax())
    assert said.reading is not None
    assert said.reading.maps.shape == (9, 8, 8)


def test_a_crop_is_shown_four_ways() -> None:
    shown = show(BACKBONE, pixels(0, spot=True))
    side = shown[0].whole.side
    grid, *others = (each.whole.tokens[0].reshape(side, side, -1) for each in shown)
    for turned, other in zip((grid[:, ::-1], grid[::-1], grid[::-1, ::-1]), others, strict=True):
        np.testing.assert_allclose(turned, other, atol=1e-5)


def test_of_a_crop_in_close_ups_a_copy_of_the_whole_alone_is_kept() -> None:
    seen = see(BACKBONE, np.concatenate([pixels(7), pixels(8)], axis=1), FakeExpert(1.0, close_ups=4))
    assert seen.whole.taps.shape[1] == 1
    assert seen.whole.layout.pictures == 1
    held = seen.whole.tokens if seen.whole.tokens.base is None else seen.whole.tokens.base
    assert held.size == seen.whole.tokens.size, "the close-ups are kept alive"


def test_every_way_is_learned() -> None:
    memory = learn(NORMAL).memory
    assert memory is not None
    assert len(memory.known.tokens) == sum(seen.whole.tokens.shape[1] for shown in NORMAL for seen in shown)
