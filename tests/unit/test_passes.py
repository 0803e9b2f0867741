"""The passes that learning makes: a model that fails now and then costs windows, one that fails always ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from streamproc import passes
from streamproc.errors import ConfigError, InferenceError, ReplyError
from streamproc.footage import EVERYTHING, NormalFootage, Part
from streamproc.normality.glimpse import Eyes, Glimpse
from streamproc.passes import Learning
from streamproc.rules.induction import Induction
from streamproc.site import load_site
from streamproc.testing import FakeClock
from streamproc.testing_deduction import observed
from streamproc.testing_footage import BrightThings, Rectangle, drawn
from streamproc.testing_wiring import HURRIES, WALKS, FakeBackends, write_site
from streamproc.types import Frame, ObservedWindow, Rule, Window

Says = Callable[[ObservedWindow], str | Exception]


@pytest.fixture
def learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Says], Learning]:
    def make(says: Says) -> Learning:
        monkeypatch.setattr(passes, "Backends", lambda *_: FakeBackends(says))
        loaded = load_site(write_site(tmp_path))
        return Learning(loaded, loaded.camera("gate"), [], FakeClock())

    return make


def windows(count: int) -> Iterator[ObservedWindow]:
    return (observed(1.0 + number) for number in range(count))


def test_windows_that_the_model_fails_on_are_left_out_in_their_place(learning: Callable[[Says], Learning]) -> None:
    learner = learning(lambda one: ReplyError("not JSON", "?") if one.window.end_s in (2.0, 4.0) else WALKS)
    captions = learner.captions(windows(12))
    assert [caption is None for caption in captions] == [number in (1, 3) for number in range(12)]
    assert learner.lost == 2
    induction = learner.induce(captions)
    assert induction.captions == 10
    assert [rule.id for rule in induction.rules if rule.says == "normal"] == ["normal-people-walk"]


def test_a_model_that_fails_on_more_than_a_tenth_ends_it(learning: Callable[[Says], Learning]) -> None:
    learner = learning(lambda one: InferenceError("503") if one.window.end_s % 5 == 0 else WALKS)
    with pytest.raises(InferenceError, match="503"):
        learner.captions(windows(1000))
    assert learner.lost == 4


def test_a_few_words_are_too_few_to_learn_from(learning: Callable[[Says], Learning]) -> None:
    learner = learning(lambda _: WALKS)
    with pytest.raises(ConfigError, match="gave 3 captions"):
        learner.induce([*learner.captions(windows(3)), None])


def test_footage_is_scored_by_the_rules_window_after_window(learning: Callable[[Says], Learning]) -> None:
    said: list[str | Exception] = [WALKS, HURRIES, ReplyError("not JSON", "?"), HURRIES]
    says = iter(said)
    learner = learning(lambda _: next(says))
    rule = Rule("people-hurry", "human", "anomaly", "Somebody hurries.", ("hurry",))
    scores = learner.scores(Induction("by hand", (rule,), (), (), 0, ()), windows(4))
    assert len(scores) == 3
    assert scores[0] < scores[1] < scores[2]


def test_a_server_is_asked_whether_it_can_before_anything_is_read(learning: Callable[[Says], Learning]) -> None:
    class Server:
        def check(self) -> None:
            raise ConfigError("does not serve vlm")

    learner = learning(lambda _: WALKS)
    learner.require_model_server()  # there is none
    backends: Any = learner._backends
    backends.servers["deduction"] = Server()
    learner.require_model_server()  # it has no part in learning
    backends.servers["perception"] = Server()
    with pytest.raises(ConfigError, match="does not serve vlm"):
        learner.require_model_server()
    del backends.servers["perception"]
    backends.writer = Server()
    with pytest.raises(ConfigError, match="does not serve vlm"):
        learner.require_model_server()
    learner.close()
    assert backends.closed


WALKERS = (Rectangle(100, 40.0), Rectangle(200, 55.0, start_px=300), Rectangle(340, 70.0, start_px=150))


def write_walkers(path: Path, duration_s: float, start_s: float) -> Path:
    with av.open(str(path), "w") as clip:
        stream = clip.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for picture in drawn(WALKERS, duration_s, start_s=start_s):
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        clip.mux(stream.encode(None))
    return path


class Counted(NormalFootage):
    """Keeps the parts that were decoded, and what was handed out of them."""

    asked: list[tuple[Part, list[Window]]]

    def windows(self, part: Part = EVERYTHING) -> Iterator[Window]:
        given: list[Window] = []
        self.asked.append((part, given))
        for window in super().windows(part):
            given.append(window)
            yield window


def test_footage_is_looked_at_once_and_decoded_only_as_often_as_its_pictures_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backends, detector = FakeBackends(), BrightThings()
    asked: list[tuple[Part, list[Window]]] = []
    seen: list[tuple[int, float]] = []
    see = Eyes.see

    def counted(self: Eyes, frame: Frame) -> Glimpse:
        seen.append((frame.run, frame.pts_s))
        return see(self, frame)

    monkeypatch.setattr(backends, "detector", detector)
    monkeypatch.setattr(passes, "Backends", lambda *_: backends)
    monkeypatch.setattr(Counted, "asked", asked, raising=False)
    monkeypatch.setattr(passes, "NormalFootage", Counted)
    monkeypatch.setattr(Eyes, "see", counted)
    loaded = load_site(write_site(tmp_path))
    clips = [write_walkers(tmp_path / f"{start_s}.mp4", 11.2, start_s) for start_s in (0.0, 30.0)]
    learner = Learning(loaded, loaded.camera("gate"), clips, FakeClock())

    durations, told = learner.durations(), list[float]()
    assert durations == pytest.approx([11.1, 11.1])
    assert (seen, detector.looks) == ([], 0)
    learner.record(told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(sum(durations), abs=0.01)
    windows = asked[0][1]
    frames = [(frame.run, frame.pts_s) for window in windows for burst in window.bursts for frame in burst]
    looks = detector.looks
    assert seen == frames
    assert 20 <= looks <= 60

    whole = learner.calibration(())
    first, second = Part(0, len(windows)).halves()
    halves = [learner.calibration((), part) for part in (first, second)]
    assert whole.observed_s == pytest.approx(sum(one.observed_s for one in halves))
    observed = list(learner.observed(whole))
    later, earlier = (list(learner.observed(one, part)) for one, part in zip(halves, (second, first), strict=True))
    assert (seen, detector.looks) == (frames, looks)

    times = [(window.run, window.end_s) for window in windows]
    assert [(one.window.run, one.window.end_s) for one in observed] == times
    assert [(one.window.run, one.window.end_s) for one in (*earlier, *later)] == times
    assert all(len(one.tracks) > 0 for one in observed[10:25])
    assert {one.calibration_sha256 for one in later} == {halves[0].sha256}
    assert all(one.measurements for one in later[10:])
    # Lengths, looking, putting into words, judging each half: pictures are needed for all of these but no others.
    assert [part for part, _ in asked] == [EVERYTHING, EVERYTHING, EVERYTHING, second, first]


def test_clips_without_a_picture_have_no_length(learning: Callable[[Says], Learning]) -> None:
    class Empty(NormalFootage):
        def windows(self, part: Part = EVERYTHING) -> Iterator[Window]:
            return iter(())

    learner = learning(lambda _: WALKS)
    learner._footage = Empty([Path("nothing.mp4")], learner._settings, FakeClock())
    assert learner.durations() == [0.0]
