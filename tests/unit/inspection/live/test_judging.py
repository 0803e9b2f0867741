"""A camera's looks become verdicts: what they say, of whom, when, and that nothing is said twice or of what is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from streamproc.config import Area, InspectionSettings
from streamproc.errors import InferenceError
from streamproc.inspection.live.crops import Crop, Thing
from streamproc.inspection.live.findings import Key
from streamproc.inspection.live.judging import Judge, where
from streamproc.inspection.nouns import Floats, Pixels
from streamproc.testing_defects import FakeInspector, checked, seen
from streamproc.types import Explained, ModelRef, RuleSet, Verdict

RULES = RuleSet("gate", "site", "gate", 3, "ab" * 32, ())
VALVE, CAR = Thing("region", "main-valve"), Thing("object", "car")


def crop(pts_s: float, thing: Thing = VALVE, track_id: int | None = None, *, run: int = 1, again: bool = False) -> Crop:
    frame = seen(pts_s, run=run).window.last
    return Crop(thing, track_id, (0.1, 0.1, 0.4, 0.5), checked(48, 48), 1.0, frame, again)


def judge(inspectors: Mapping[str, FakeInspector] | None = None, **settings: Any) -> Judge:
    chosen = {VALVE.key: FakeInspector(lambda _: 2.4)} if inspectors is None else inspectors
    zone = Area(name="hall", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    return Judge(chosen, InspectionSettings.model_validate(settings), lambda: RULES, (zone,))


def verdicts(one: Judge, *crops: Crop) -> list[Verdict]:
    got = [one.judge(crop) for crop in crops]
    assert None not in got
    return [verdict for verdict in got if verdict is not None]


def test_a_defect_says_what_where_by_whom_and_how_much() -> None:
    *before, last = verdicts(judge(), *(crop(float(second)) for second in range(4)))
    assert [verdict.alarm for verdict in before] == [False] * 3
    assert before[0].reason == "The main valve is as it should be."
    assert (last.kind, last.judgement, last.alarm, last.category) == ("defect", "anomaly", True, "main-valve")
    assert last.reason == (
        "The main valve is not as it should be, most of all in its upper left: 2.4 times its threshold by the expert, "
        "1.2 times its threshold by the memory of how it looked (median of 4 looks)."
    )
    assert last.smoothed == pytest.approx(2.4 / 3.4)
    assert [*last.cited_rules, *last.votes, *last.captions] == []
    assert (last.rule_set, last.zone, last.severity) == (RULES, "hall", "warning")
    assert [(m.name, m.value, m.normal, m.threshold) for m in last.measurements] == [("main-valve", 2.4, 1.0, 1.0)]
    (found,) = last.objects
    assert (found.label, found.box_norm) == ("main valve", (0.1, 0.1, 0.4, 0.5))
    assert found.close_up is not None
    assert found.close_up.picture.shape == (48, 48, 3)
    assert found.close_up.heat[0, 0] == 1.0
    assert [model.name for model in last.models] == ["fake"]


@pytest.mark.parametrize(("times", "words"), [(9.94, "9.9"), (31.2, "31"), (64987.0, "over 100")])
def test_what_is_far_beyond_the_threshold_is_only_far(times: float, words: str) -> None:
    told = verdicts(judge({VALVE.key: FakeInspector(lambda _: times)}), *(crop(float(i)) for i in range(4)))
    assert f": {words} times its threshold by the expert" in told[-1].reason


def test_a_score_at_its_threshold_is_a_half() -> None:
    one = judge({VALVE.key: FakeInspector(lambda _: 1.0)})
    assert verdicts(one, *(crop(float(i)) for i in range(4)))[-1].smoothed == 0.5


def test_several_defects_are_told_together_the_worst_first() -> None:
    one = judge({VALVE.key: FakeInspector(lambda _: 1.5), CAR.key: FakeInspector(lambda _: 3.0)})
    crops = [crop(second + half, *what) for second in range(4) for half, what in ((0.0, (VALVE,)), (0.5, (CAR, 7)))]
    last = verdicts(one, *crops)[-1]
    assert [found.label for found in last.objects] == ["car", "main valve"]
    assert last.category == "car"
    assert last.measurements[0].track_id == 7
    assert last.reason.count("is not as it should be") == 2


def test_a_verdict_is_never_before_the_last() -> None:
    told = verdicts(judge(), crop(5.0), crop(4.0), crop(0.5, run=2))
    assert [(verdict.run, verdict.pts_s) for verdict in told] == [(1, 5.0), (1, 5.0), (2, 0.5)]


def test_a_crop_that_is_not_sharper_says_that_the_object_is_there_and_costs_nothing() -> None:
    inspector = FakeInspector(lambda _: 2.0)
    one = judge({CAR.key: inspector})
    told = verdicts(one, *(crop(float(second), CAR, 7, again=second >= 4) for second in range(20)))
    assert len(inspector.asked) == 4
    assert all(verdict.alarm for verdict in told[3:])


def test_a_track_that_is_gone_or_of_another_run_is_not_held_against_the_camera() -> None:
    for later in (crop(30.0), crop(0.0, run=2)):
        one = judge({VALVE.key: FakeInspector(lambda _: 0.2), CAR.key: FakeInspector(lambda _: 2.0)})
        assert verdicts(one, *(crop(float(second), CAR, 7) for second in range(4)))[-1].alarm
        assert not verdicts(one, later)[-1].alarm
        assert one.defects == 0


def test_a_region_is_remembered_over_a_reconnect() -> None:
    one = judge()
    verdicts(one, *(crop(float(second)) for second in range(4)))
    assert verdicts(one, crop(0.0, run=2))[-1].alarm


def test_a_thing_that_nobody_knows_is_not_judged() -> None:
    assert judge().judge(crop(1.0, CAR, 7)) is None


def test_a_look_that_fails_changes_nothing() -> None:
    says: list[float | Exception] = [2.0, 2.0, 2.0, InferenceError("no memory left"), 2.0]
    one = judge({VALVE.key: FakeInspector(lambda _: says.pop(0))})
    verdicts(one, *(crop(float(second)) for second in range(3)))
    with pytest.raises(InferenceError):
        one.judge(crop(3.0))
    assert verdicts(one, crop(4.0))[-1].reason.endswith("(median of 4 looks).")


def test_what_is_missing_is_said() -> None:
    inspector = FakeInspector(lambda _: 2.0)
    inspector.degraded = ("no memory of the main valve: the expert alone speaks",)
    told = verdicts(judge({VALVE.key: inspector}), crop(0.0))
    assert told[0].degraded == inspector.degraded


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (0, 0, "in its upper left"),
        (0, 4, "in its upper part"),
        (4, 8, "on its right"),
        (8, 8, "in its lower right"),
        (4, 4, "in its middle"),
    ],
)
def test_where_the_heat_is_in_words(row: int, column: int, words: str) -> None:
    heat = np.full((9, 9), 0.1, np.float32)
    heat[row, column] = 1.0
    assert where(heat) == words


def test_heat_that_is_nowhere_more_is_all_over() -> None:
    assert where(np.zeros((3, 3), np.float32)) == "all over"


class Words:
    """Remembers what was asked, and tells what it is given."""

    def __init__(self) -> None:
        self.asked: list[tuple[Key, str, float]] = []
        self.forgotten: list[Key] = []
        self.answers: dict[Key, Explained] = {}

    def ask(self, key: Key, thing: str, crop: Pixels, score: float, heat: Floats) -> None:
        assert crop.shape == (48, 48, 3)
        assert heat[0, 0] == 1.0
        self.asked.append((key, thing, score))

    def told(self, key: Key) -> Explained | None:
        return self.answers.get(key)

    def forget(self, key: Key) -> None:
        self.forgotten.append(key)


def explained(words: Words) -> Judge:
    chosen = {VALVE.key: FakeInspector(lambda _: 3.0), CAR.key: FakeInspector(lambda _: 2.0)}
    return Judge(chosen, InspectionSettings(), lambda: RULES, (), words)


def test_a_defect_is_explained_once_and_the_words_come_with_what_follows() -> None:
    words, model = Words(), ModelRef("explanation", "vlm", "1")
    one = explained(words)
    first = verdicts(one, *(crop(float(second)) for second in range(6)))[-1]
    key = ("gate", "region main-valve", None)
    assert words.asked == [(key, "main valve", 0.75)]
    assert "dent" not in first.reason
    words.answers[key] = Explained('The model vlm, shown this: "A dent."', model)
    (last,) = verdicts(one, crop(6.0))
    assert last.reason == f'{first.reason} The model vlm, shown this: "A dent."'
    assert last.models == (*first.models, model)
    assert last.smoothed == first.smoothed
    words.answers[key] = Explained("", missing="no explanation: it is down")
    (last,) = verdicts(one, crop(7.0))
    assert last.degraded == ("no explanation: it is down",)
    assert last.reason == first.reason


def test_what_is_as_it_should_be_again_or_gone_is_forgotten() -> None:
    words, says = Words(), [3.0] * 5 + [0.1] * 5 + [3.0] * 5
    one = Judge({VALVE.key: FakeInspector(lambda _: says.pop(0))}, InspectionSettings(), lambda: RULES, (), words)
    verdicts(one, *(crop(float(second)) for second in range(15)))
    assert len(words.asked) == 2
    assert len(words.forgotten) == 1
    words = Words()
    one = explained(words)
    verdicts(one, *(crop(float(second), CAR, 7) for second in range(4)), crop(5.0, CAR, 8, run=2))
    assert words.asked[0][0] == ("gate", "object car", 7)
    assert words.forgotten == [("gate", "object car", 7)]
