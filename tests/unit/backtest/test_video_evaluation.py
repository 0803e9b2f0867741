"""`streamproc eval video`: normal clips are learned from, and what replay makes of the others is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streamproc import replay as replay_module
from streamproc.backtest import video_evaluation as module
from streamproc.backtest.benchmark import Benchmark, of_folders
from streamproc.backtest.draws import DrawsReport
from streamproc.backtest.labels import Recording
from streamproc.backtest.split import drawn, holding_out
from streamproc.backtest.video_evaluation import evaluate_video
from streamproc.errors import ConfigError
from streamproc.learn import Learned
from streamproc.replay import Judged
from streamproc.site import load_site
from streamproc.testing_deduction import speed
from streamproc.testing_sources import FakeObserver, write_clip, write_pictures
from streamproc.testing_wiring import HURRIES, WALKS, FakeBackends, write_rules, write_site
from streamproc.types import ObservedWindow, Window

pytestmark = pytest.mark.usefixtures("windows_of_a_second")


def hurry_in_the_middle(observed: ObservedWindow) -> str:
    return HURRIES if 4.0 <= observed.window.end_s < 8.0 else WALKS


class FakeLearn:
    """Stands for `learn`: writes the rules that the tests know, and an alarm score where one is set."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.sites: list[Path] = []
        self.alarm_score: dict[str, float] = {}

    def __call__(self, site: Path, camera: str, patterns: Sequence[str], out: Path) -> Learned:
        self.sites.append(site)
        self.asked.append((camera, [Path(pattern).name for pattern in patterns]))
        assert all(Path(pattern).is_file() for pattern in patterns)
        provenance = {"clips": [], "alarm_score": self.alarm_score.get(camera, 0.5)}
        write_rules(out, camera, provenance)
        out.write_text(out.read_text().replace("site: site", f"site: {load_site(site).settings.site.id}"))
        notes = ("a window was lost", f"the site file does not name this rule file yet: {out}")
        return Learned(out, out, 1, 1, 1, 12.0, 12.0, 0.5, "", notes)


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> FakeLearn:
    fake = FakeLearn()
    monkeypatch.setattr(module, "learn", fake)
    monkeypatch.setattr(replay_module, "Backends", lambda *_: FakeBackends(hurry_in_the_middle))
    return fake


class Measuring(FakeObserver):
    """To whom something is fast from 4 s to 8 s of each clip, with a threshold of 2."""

    def __init__(self) -> None:
        super().__init__(motion=1.0)

    def observe(self, window: Window) -> ObservedWindow:
        score = 4.0 if 4.0 <= window.end_s < 8.0 else 0.5
        fast = speed(score, threshold=2.0, box_norm=(0.25, 0.25, 0.5, 0.5))
        return replace(super().observe(window), measurements=(fast,))


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speed is measured, and rules know nothing of it."""

    class Backends(FakeBackends):
        def observer(self, *_: object) -> FakeObserver:
            return Measuring()

    monkeypatch.setattr(replay_module, "Backends", lambda *_: Backends())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A normal clip, and two clips of 12 s in which somebody hurries from 4 s to 8 s: in one of them labelled."""
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
    write_clip(tmp_path / "train" / "a.mp4", count=20, size=(64, 48))
    write_clip(tmp_path / "test" / "a.mp4", count=120, size=(64, 48))
    write_clip(tmp_path / "test" / "b.avi", "mpeg4", count=300, fps=25, size=(64, 48))
    write_labels(tmp_path, a=(120, 40, 80), b=(300, 400, 400))
    return tmp_path


def write_labels(folder: Path, **clips: tuple[int, int, int]) -> None:
    rows = [
        f"{clip},{frame},{int(first <= frame < end)}\n"
        for clip, (count, first, end) in clips.items()
        for frame in range(count)
    ]
    (folder / "labels.csv").write_text("clip,frame,label\n" + "".join(rows))


def benchmark(folder: Path, frame_rate: float | None = None, cameras: str | None = None) -> Benchmark:
    labels = folder / "labels.csv"
    return of_folders(folder / "train", folder / "test", labels, frame_rate=frame_rate, cameras=cameras)


def test_every_frame_is_scored_by_what_was_learned_from_normal_clips(
    learner: FakeLearn, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = evaluate_video(benchmark(folder))

    assert learner.asked == [("camera", ["a.mp4"])]
    assert [(one.name, len(one.scores)) for one in report.scored] == [("a.mp4", 120), ("b.avi", 300)]
    told = report.as_dict()
    assert (told["frames"], told["events"], told["events_caught"], told["false_alarms"]) == (420, 1, 1, 1)
    assert 0.5 < told["auroc"] < 1.0
    assert told["ap"] is not None
    assert told["fps"] > 10
    assert told["threshold"] == 0.5
    assert told["hours_observed"] == pytest.approx((8 + 12) / 3600)
    assert [(alert["clip"], alert["false"]) for alert in told["alerts"]] == [("a.mp4", False), ("b.avi", True)]
    assert told["notes"] == ("a window was lost",)
    assert told["preset"] == "embedded"
    assert told["delay_s_median"] == pytest.approx(0.9)
    progress = [line for line in capsys.readouterr().err.splitlines() if line.startswith("camera: ")]
    assert progress == ["camera: a.mp4", "camera: b.avi"]


def test_what_was_missed_is_named(learner: FakeLearn, folder: Path) -> None:
    write_labels(folder, a=(120, 100, 110), b=(300, 400, 400))

    report = evaluate_video(benchmark(folder))

    assert [(one.clip, one.first, one.last) for one in report.missed] == [("a.mp4", 100, 109)]
    assert "missed        a.mp4, frames 100-109" in str(report).splitlines()


def test_folders_of_pictures_are_clips_too(learner: FakeLearn, folder: Path) -> None:
    write_pictures(folder / "train" / "c", ".jpg", count=20)
    write_pictures(folder / "test" / "c", ".tif", count=60)
    write_labels(folder, a=(120, 40, 80), b=(300, 400, 400), c=(60, 25, 40))

    report = evaluate_video(benchmark(folder, frame_rate=5.0))

    assert learner.asked == [("camera", ["a.mp4", "c.mov"])]
    scores = report.scored[2].scores
    assert (report.scored[2].name, len(scores)) == ("c.mov", 60)
    assert max(scores[:20]) < 0.3 < 0.5 < max(scores[25:40])


def test_cameras_are_learned_and_alarm_by_themselves(learner: FakeLearn, folder: Path) -> None:
    write_clip(folder / "train" / "b.mp4", count=20, size=(64, 48))
    learner.alarm_score = {"b": 0.9}

    report = evaluate_video(benchmark(folder, cameras="^[ab]"))

    assert learner.asked == [("a", ["a.mp4"]), ("b", ["b.mp4"])]
    assert [(one.name, one.threshold) for one in report.scored] == [("a.mp4", 0.5), ("b.avi", 0.9)]
    assert (report.measures.events_caught, report.measures.false_alarms) == (1, 0)
    assert "learned from  camera b: 1 normal clips" in str(report)


def test_labels_that_do_not_fit_are_said(learner: FakeLearn, folder: Path) -> None:
    write_labels(folder, a=(121, 40, 80), b=(290, 400, 400))

    notes = evaluate_video(benchmark(folder)).notes

    assert "a.mp4: 1 labels are of frames after its last (119), and are left out" in notes
    assert "b.avi: 10 of its 300 frames have no label, and are not scored" in notes


def test_what_was_learned_is_kept_where_it_is_wanted(learner: FakeLearn, folder: Path) -> None:
    evaluate_video(benchmark(folder), keep=folder / "kept")

    kept = load_site(folder / "kept" / "site.yaml")
    assert kept.camera("camera").rules == folder / "kept" / "rules" / "camera.yaml"
    with pytest.raises(ConfigError, match=r"--keep .*kept holds something already"):
        evaluate_video(benchmark(folder), keep=folder / "kept")


def test_a_sites_own_camera_is_used(learner: FakeLearn, folder: Path) -> None:
    write_rules(folder / "rules" / "gate.yaml")
    mine = (folder / "rules" / "gate.yaml").read_text()
    site = write_site(folder)

    report = evaluate_video(benchmark(folder), site=site, camera="gate")

    assert learner.asked == [("gate", ["a.mp4"])]
    assert learner.sites == [site]
    assert report.measures.events_caught == 1
    assert (folder / "rules" / "gate.yaml").read_text() == mine
    write_clip(folder / "train" / "b.mp4", count=20, size=(64, 48))
    with pytest.raises(ConfigError, match="--camera is one camera, and the clips are of 2"):
        evaluate_video(benchmark(folder, cameras="^[ab]"), site=site, camera="gate")


def test_mistakes_are_told_before_anything_is_learned(learner: FakeLearn, folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"embedded, gpu-vllm"):
        evaluate_video(benchmark(folder), preset="no-such")
    assert learner.asked == []


def test_what_stands_out_is_scored_whatever_rules_say(learner: FakeLearn, measuring: None, folder: Path) -> None:
    report = evaluate_video(benchmark(folder), score="novelty")

    told = report.as_dict()
    assert (told["score"], told["threshold"]) == ("novelty", 1.0)
    assert max(report.scored[0].scores) == 2.0  # times its threshold, not cut off
    assert told["auroc"] == told["scores"]["novelty"]["auroc"]
    assert told["scores"]["novelty"]["auroc"] != told["scores"]["verdict"]["auroc"]
    assert told["scores"]["verdict"]["threshold"] == 0.5
    assert f"by verdict    auroc {told['scores']['verdict']['auroc']:.3f}" in str(report)
    other = evaluate_video(benchmark(folder)).as_dict()
    assert (other["score"], other["auroc"]) == ("verdict", told["scores"]["verdict"]["auroc"])


def test_the_opening_is_told_from_the_label(learner: FakeLearn, folder: Path) -> None:
    report = evaluate_video(benchmark(folder))

    opened = report.as_dict()["opened"]
    assert (opened["events"], opened["opened"], opened["running_at_start"]) == (1, 1, 0)
    assert opened["delay_s_median"] == pytest.approx(0.9)
    assert (opened["incidents"], opened["off_label"]) == (2, 1)


def test_places_are_held_against_masks(learner: FakeLearn, measuring: None, folder: Path) -> None:
    (folder / "masks" / "a").mkdir(parents=True)
    mask = np.zeros((48, 64), np.uint8)
    mask[18, 24] = 255
    for frame in (49, 59):  # the last pictures of windows
        Image.fromarray(mask).save(folder / "masks" / "a" / f"{frame:03d}.png")

    report = evaluate_video(benchmark(folder), masks=folder / "masks")

    speed_on = report.as_dict()["located"]["speed"]
    assert (speed_on["pictures"], speed_on["centre"], speed_on["overlap"]) == (2, 2, 2)
    assert "place         speed: centre on the object" in str(report)
    assert evaluate_video(benchmark(folder)).as_dict()["located"] == {}
    with pytest.raises(ConfigError, match="is no folder"):
        evaluate_video(benchmark(folder), masks=folder / "none")


def test_normal_clips_that_are_held_out_are_played_and_not_learned_from(learner: FakeLearn, folder: Path) -> None:
    write_clip(folder / "train" / "b.mp4", count=120, size=(64, 48))

    report = evaluate_video(holding_out(benchmark(folder), 1))

    assert learner.asked == [("camera", ["a.mp4"])]
    held_out = report.as_dict()["held_out"]
    assert (held_out["incidents"], held_out["hours_observed"]) == (1, pytest.approx(12 / 3600))
    assert held_out["incidents_per_hour"] == pytest.approx(300)
    assert held_out["incidents_per_hour_max"] > 1000
    assert "held out      1 alerts in 12 s of normal clips that were not learned from: 300 an hour" in str(report)
    assert report.measures.frames == 420
    assert evaluate_video(benchmark(folder)).quiet is None


def test_models_are_loaded_once_and_their_time_is_told_by_part(
    learner: FakeLearn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[FakeBackends] = []

    def make(*_: object) -> FakeBackends:
        made.append(FakeBackends(hurry_in_the_middle))
        return made[-1]

    monkeypatch.setattr(replay_module, "Backends", make)
    report = evaluate_video(benchmark(folder))

    assert len(made) == 1
    assert made[0].closed
    assert report.ms.keys() == {"decoding", "tracks and measurements", "words, rules and verdict", "close looks"}
    assert report.fps == pytest.approx(1000 / sum(report.ms.values()))


def test_each_window_is_told_to_whoever_wants_to_know(learner: FakeLearn, folder: Path) -> None:
    heard: list[tuple[str, float]] = []

    def heed(recording: Recording, at_s: float, judged: Judged) -> None:
        assert judged.verdict is not None
        heard.append((recording.path.name, at_s))

    evaluate_video(benchmark(folder), heed=heed)

    assert [name for name, _ in heard] == ["a.mp4"] * 12 + ["b.avi"] * 12
    assert [at_s for _, at_s in heard[:2]] == pytest.approx([0.9, 1.9])


def test_draws_are_measured_together(learner: FakeLearn, folder: Path) -> None:
    for name in "bc":
        write_clip(folder / "train" / f"{name}.mp4", count=120, size=(64, 48))
    each = [holding_out(one, 1) for one in drawn(benchmark(folder), 2)]
    (folder / "masks" / "a").mkdir(parents=True)
    Image.fromarray(np.full((48, 64), 255, np.uint8)).save(folder / "masks" / "a" / "049.png")

    report = DrawsReport(tuple(evaluate_video(one, masks=folder / "masks") for one in each), (("a", "b"), ("a", "c")))

    told = report.as_dict()
    assert [len(clips) for _, clips in learner.asked] == [2, 2]
    assert told["auroc"] == pytest.approx(report.reports[0].measures.auroc)
    assert (told["events"], told["opened"], told["delay_s_median"]) == (2, 2, pytest.approx(0.9))
    assert told["held_out"]["hours_observed"] == pytest.approx(
        sum(one.quiet.seconds for one in report.reports if one.quiet) / 3600
    )
    assert told["located"] == {"alert": {"pictures": 2, "centre": 0, "overlap": 0, "unplaced": 2}}
    assert [draw["learned_from"] for draw in told["draws"]] == [("a", "b"), ("a", "c")]
    rows = str(report).splitlines()
    assert rows[1].split()[:3] == ["clips", "verdict", "novelty"]
    assert rows[2].split()[-2:] == ["1/1", "1"]
    assert rows[4].startswith("mean")
