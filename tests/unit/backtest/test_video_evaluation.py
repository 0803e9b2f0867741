"""`streamproc eval video`: normal clips are learned from, and what replay makes of the others is measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from streamproc import replay as replay_module
from streamproc.backtest import video_evaluation as module
from streamproc.backtest.benchmark import Benchmark, of_folders
from streamproc.backtest.video_evaluation import evaluate_video
from streamproc.errors import ConfigError
from streamproc.learn import Learned
from streamproc.site import load_site
from streamproc.testing_sources import write_clip, write_pictures
from streamproc.testing_wiring import HURRIES, WALKS, FakeBackends, write_rules, write_site
from streamproc.types import ObservedWindow


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
