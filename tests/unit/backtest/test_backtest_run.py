"""`streamproc rules backtest`: what replay raises, counted; captions judged alone; one version beside another."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamproc import replay as replay_module
from streamproc.backtest.run import backtest_captions, backtest_video, write_page
from streamproc.calibrations import CalibrationInForce, calibration_path
from streamproc.errors import ConfigError
from streamproc.footage import sha256_of
from streamproc.normality.calibration import Calibration
from streamproc.replay import replay
from streamproc.rules import history
from streamproc.testing_sources import write_clip
from streamproc.testing_wiring import HURRIES, WALKS, FakeBackends, write_rules, write_site
from streamproc.types import ObservedWindow, RuleSet

pytestmark = pytest.mark.usefixtures("windows_of_a_second")

START = datetime(2026, 11, 21, 8, 59, 50, tzinfo=UTC)
MEASURED = Calibration.load(
    Path(__file__).parents[2] / "integration" / "site" / "rules" / "two.normality.json"
).model_copy(update={"camera_id": "gate"})


def hurry_in_the_middle(observed: ObservedWindow) -> str:
    return HURRIES if 4.0 <= observed.window.end_s < 8.0 else WALKS


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two recordings of 16 s, in which somebody hurries from 4 s to 8 s."""
    monkeypatch.setattr(replay_module, "Backends", lambda *_: FakeBackends(hurry_in_the_middle))
    write_rules(tmp_path / "rules" / "gate.yaml")
    for name in ("a.mp4", "b.mp4"):
        write_clip(tmp_path / name, count=160, size=(64, 48))
    return write_site(tmp_path)


def rules(site: Path) -> Path:
    return site.parent / "rules" / "gate.yaml"


def clips(site: Path) -> list[str]:
    return [str(site.parent / "*.mp4")]


def calm(site: Path) -> Path:
    """Rules that know of no hurry."""
    path = site.parent / "calm.yaml"
    path.write_text(rules(site).read_text().replace("keywords: [hurry]", "keywords: [fly]"))
    return path


def test_what_replay_raises_is_told_by_clip_rule_and_hour(site: Path) -> None:
    found = backtest_video(rules(site), site, "gate", clips(site), start=START).outcome
    assert [(one.clip, round(one.start_s, 1), round(one.end_s, 1)) for one in found.moments] == [
        ("a.mp4", 4.9, 7.9),
        ("b.mp4", 4.9, 7.9),
    ]
    first = found.moments[0]
    assert (first.rules, first.caption, first.false) == ((("people-hurry", "Somebody hurries here."),), HURRIES, None)
    assert found.by_rule() == {"people-hurry": 2}
    assert found.by_hour() == {"2026-11-21 08:00": 1, "2026-11-21 09:00": 1}
    assert found.footage_s == pytest.approx(32.0)
    assert (found.threshold, found.version, found.measures) == (0.5, 3, None)
    alerts: list[float] = []
    replay(site, "gate", site.parent / "a.mp4", START, None, lambda alert: alerts.append(alert["data"]["score"]))
    assert first.score == alerts[0]
    assert list(site.parent.glob("alerts*")) == []


def test_without_a_start_hours_are_those_of_the_clips(site: Path) -> None:
    found = backtest_video(rules(site), site, "gate", clips(site)).outcome
    assert found.by_hour() == {"a.mp4, hour 1": 1, "b.mp4, hour 1": 1}
    assert found.moments[0].at is None


def test_labels_tell_false_alarms_and_auroc(site: Path) -> None:
    rows = [f"{clip},{frame},{int(clip == 'a' and 40 <= frame < 80)}\n" for clip in "ab" for frame in range(160)]
    labels = site.parent / "labels.csv"
    labels.write_text("clip,frame,label\n" + "".join(rows))
    found = backtest_video(rules(site), site, "gate", clips(site), labels=labels).outcome
    assert [one.false for one in found.moments] == [False, True]
    assert found.normal_s == pytest.approx(28.0)
    assert found.false_alarms == 1
    assert found.rate == pytest.approx(3600 / 28)
    assert found.measures is not None
    assert found.measures.auroc is not None
    assert 0.7 < found.measures.auroc < 1.0
    assert (found.measures.events, found.measures.events_caught) == (1, 1)
    assert found.measures.delay_s_median == pytest.approx(0.9)
    assert [(one.name, len(one.scores)) for one in found.scored] == [("a.mp4", 160), ("b.mp4", 160)]
    assert found.fps is not None
    assert found.fps > 10


def test_beside_another_rule_file(site: Path) -> None:
    found = backtest_video(rules(site), site, "gate", clips(site), against=str(calm(site)))
    assert found.against is not None
    assert found.against.moments == ()
    assert len(found.only_here) == 2
    assert found.only_there == ()


def test_beside_an_earlier_version_with_the_calibration_it_was_learned_with(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write_rules(rules(site), provenance={"calibration_sha256": MEASURED.sha256, "clips": []})
    history.keep(old, old.read_bytes())
    draft = site.parent / "draft.json"
    MEASURED.save(draft)
    history.keep_calibration(old, MEASURED.sha256, draft.read_bytes())
    MEASURED.model_copy(update={"observed_s": 1.0}).save(calibration_path(old))
    old.write_text(write_rules(old).read_text().replace("version: 3", "version: 4").replace("[hurry]", "[fly]"))
    taken: list[str | None] = []
    take = CalibrationInForce.take

    def noting(self: CalibrationInForce, rules: RuleSet) -> str | None:
        taken.append(take(self, rules))
        return taken[-1]

    monkeypatch.setattr(CalibrationInForce, "take", noting)
    found = backtest_video(old, site, "gate", [str(site.parent / "a.mp4")], against="3")
    assert found.against is not None
    assert (found.against.version, len(found.against.moments), len(found.outcome.moments)) == (3, 1, 0)
    assert found.against.rules == f"{old}, version 3"
    assert taken[-1] == MEASURED.sha256
    assert taken[0] != MEASURED.sha256


def test_pictures_are_made_where_they_are_wanted_and_stay_nowhere_else(site: Path, tmp_path: Path) -> None:
    found = backtest_video(rules(site), site, "gate", clips(site), pictures=True)
    picture = found.outcome.moments[0].picture
    assert picture is not None
    assert picture.startswith(b"\xff\xd8")
    out = tmp_path / "sheets" / "sheet.html"
    write_page(found, out)
    assert out.read_text().count("data:image/jpeg;base64,") == 2
    assert out.stat().st_mode & 0o777 == 0o600
    assert backtest_video(rules(site), site, "gate", clips(site)).outcome.moments[0].picture is None


def test_a_sheet_that_cannot_be_written_is_told(site: Path) -> None:
    found = backtest_video(rules(site), site, "gate", [str(site.parent / "a.mp4")])
    with pytest.raises(ConfigError, match="cannot be written"):
        write_page(found, site / "sheet.html")


def test_footage_that_the_rules_were_learned_from_is_said(site: Path) -> None:
    write_clip(site.parent / "b.mp4", count=150, size=(64, 48))
    clip = {"name": "a.mp4", "sha256": sha256_of(site.parent / "a.mp4"), "seconds": 16.0}
    namesake = {"name": "b.mp4", "sha256": "0" * 64, "seconds": 16.0}
    write_rules(rules(site), provenance={"clips": [clip, namesake]})
    (note,) = backtest_video(rules(site), site, "gate", clips(site)).outcome.notes
    assert "learned from a.mp4" in note
    assert "b.mp4" not in note


def test_how_far_it_is_is_told_on_standard_error(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backtest_video(rules(site), site, "gate", clips(site))
    err = capsys.readouterr().err
    assert [line.rsplit(" ", 1)[-1] for line in err.splitlines() if line.endswith(".mp4")] == ["a.mp4", "b.mp4"]


def test_mistakes_are_told(site: Path) -> None:
    another = write_rules(site.parent / "yard.yaml", "yard")
    with pytest.raises(ConfigError, match="holds the rules of site/yard, not of site/gate"):
        backtest_video(another, site, "gate", clips(site))
    with pytest.raises(ConfigError, match="--video 'none' names no file"):
        backtest_video(rules(site), site, "gate", ["none"])
    with pytest.raises(ConfigError, match="no version 9 is kept"):
        backtest_video(rules(site), site, "gate", clips(site), against="9")


# ---- captions


def write_captions(path: Path) -> Path:
    """Two videos of 40 frames; in the first somebody hurries, labelled, in the second too, not labelled."""
    rows = [
        {
            "video": video,
            "frame": frame,
            "label": int(video == "01" and 10 <= frame < 20),
            "caption": HURRIES if 10 <= frame < 20 else WALKS,
        }
        for video in ("01", "02")
        for frame in range(40)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_captions_are_judged_alone(site: Path, tmp_path: Path) -> None:
    captions = write_captions(tmp_path / "captions.jsonl")
    found = backtest_captions(rules(site), captions, fps=2.0, against=str(calm(site)))
    moments = found.outcome.moments
    assert [(one.clip, one.false, one.names) for one in moments] == [
        ("01", False, ("people-hurry",)),
        ("02", True, ("people-hurry",)),
    ]
    assert 5.0 <= moments[0].start_s < 6.5
    assert 9.0 <= moments[0].end_s < 11.0
    assert found.outcome.footage_s == 40.0
    assert found.outcome.normal_s == 35.0
    assert found.outcome.measures is not None
    assert len(found.only_here) == 2
    assert "captions alone" in found.outcome.notes[0]


def test_alarms_with_a_short_calm_between_them_are_one_incident_by_the_sites_settings(
    site: Path, tmp_path: Path
) -> None:
    captions = tmp_path / "captions.jsonl"
    rows = [
        {"video": "01", "frame": frame, "label": 0, "caption": HURRIES if frame % 30 < 10 else WALKS}
        for frame in range(60)
    ]
    captions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert len(backtest_captions(rules(site), captions, fps=10.0).outcome.moments) == 1
    assert len(backtest_captions(rules(site), captions, fps=2.0).outcome.moments) == 2
    alerts = "alerts: {sinks: [{kind: jsonl, path: alerts.jsonl}], incidents: {resolve_after_s: 60}}\n"
    write_site(site.parent, more=alerts)
    assert len(backtest_captions(rules(site), captions, fps=2.0, site=site).outcome.moments) == 1


def test_videos_that_the_rules_were_learned_from_are_left_out(site: Path, tmp_path: Path) -> None:
    captions = write_captions(tmp_path / "captions.jsonl")
    source = {"clips": [{"name": "01.mp4", "sha256": "0" * 64, "seconds": 16.0}]}
    write_rules(rules(site), provenance=source)
    found = backtest_captions(rules(site), captions, fps=2.0).outcome
    assert {one.clip for one in found.moments} == {"02"}
    assert "left out, as rules were learned from them: 01" in found.notes
