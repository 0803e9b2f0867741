from __future__ import annotations

import sys

import pytest

from streamproc.errors import ConfigError
from streamproc.evaluation.metrics import ScoredVideo, measure


def video(name: str, labels: str, scores: list[float]) -> ScoredVideo:
    return ScoredVideo(name, tuple(int(label) for label in labels), tuple(scores))


def test_frames_of_all_videos_are_ranked_together() -> None:
    # Each video by itself is perfect; beside each other the quiet video's anomaly is below the loud one's normal.
    loud = video("loud", "01", [0.6, 0.9])
    quiet = video("quiet", "01", [0.1, 0.5])

    measures = measure([loud, quiet], threshold=0.5, frame_rate=10)

    assert measures.auroc == pytest.approx(3 / 4)
    assert measures.ap == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert (measures.videos, measures.frames, measures.frames_anomalous) == (2, 4, 2)


def test_accuracy_precision_and_recall_are_at_the_threshold_which_itself_alarms() -> None:
    measures = measure([video("a", "001111", [0.5, 0.1, 0.5, 0.9, 0.1, 0.2])], threshold=0.5, frame_rate=10)

    assert measures.accuracy == pytest.approx(3 / 6)
    assert measures.precision == pytest.approx(2 / 3)
    assert measures.recall == pytest.approx(2 / 4)


def test_events_are_runs_and_one_that_was_running_has_no_delay() -> None:
    one = video("a", "110111100110", [0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0])  # caught, caught after 2 frames, missed
    other = video("b", "011111", [0, 0, 0, 0, 0, 1])  # caught after 4

    measures = measure([one, other], threshold=0.5, frame_rate=2)

    assert (measures.events, measures.events_caught) == (4, 3)
    assert measures.delay_s_median == pytest.approx(1.5)


def test_an_event_does_not_run_on_into_the_next_video() -> None:
    measures = measure([video("a", "01", [0, 0]), video("b", "10", [1, 0])], threshold=0.5, frame_rate=1)

    assert (measures.events, measures.events_caught, measures.delay_s_median) == (2, 1, None)


def test_a_false_alarm_is_a_run_that_begins_on_a_normal_frame() -> None:
    # Frames 0-1: one false alarm. 3-5 begins in an event and lasts beyond it: none. 7 is another.
    scores = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    measures = measure([video("a", "00011000", scores)], threshold=0.5, frame_rate=6 / 3600)

    assert measures.false_alarms == 2
    assert measures.hours_observed == pytest.approx(1.0)
    assert measures.false_alarms_per_hour == pytest.approx(2.0)
    assert measures.false_alarms_per_hour_max == pytest.approx(6.296, abs=1e-3)


def test_what_footage_cannot_tell_is_left_open() -> None:
    normal = measure([video("a", "00", [0.1, 0.2])], threshold=0.5, frame_rate=10)
    assert (normal.auroc, normal.ap, normal.precision, normal.recall) == (None, None, None, None)
    assert (normal.events, normal.delay_s_median, normal.false_alarms_per_hour) == (0, None, 0.0)

    anomalous = measure([video("a", "11", [0.1, 0.2])], threshold=0.5, frame_rate=10)
    assert (anomalous.hours_observed, anomalous.false_alarms_per_hour) == (0.0, None)
    assert anomalous.false_alarms_per_hour_max is None


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)

    with pytest.raises(ConfigError, match=r"pip install 'streamproc\[evaluation\]'"):
        measure([video("a", "01", [0.1, 0.2])], threshold=0.5, frame_rate=10)


def test_a_videos_own_threshold_and_frame_rate_go_before_those_of_all() -> None:
    calm = ScoredVideo("calm", (0, 0, 1, 1), (0.1, 0.2, 0.2, 0.4), threshold=0.3, frame_rate=0.5)
    loud = video("loud", "0011", [0.6, 0.6, 0.9, 0.9])

    measures = measure([calm, loud], threshold=0.8, frame_rate=1)

    assert (measures.events_caught, measures.false_alarms, measures.delay_s_median) == (2, 0, 1.0)
    assert measures.hours_observed == pytest.approx((2 / 0.5 + 2 / 1) / 3600)
    assert (measures.accuracy, measures.precision, measures.recall) == (7 / 8, 1.0, 3 / 4)
    assert measures.threshold == 0.8
