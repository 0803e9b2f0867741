"""`streamproc replay`: the same recording, start and rules give the same alerts, to the byte."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streamproc import replay as module
from streamproc.errors import ConfigError, SourceError
from streamproc.replay import RecordingClock, replay
from streamproc.testing_sources import FakeObserver, write_clip
from streamproc.testing_wiring import HURRIES, WALKS, FakeBackends, write_rules, write_site
from streamproc.types import ModelRef, ObservedWindow, Vote, Window

pytestmark = pytest.mark.usefixtures("windows_of_a_second")

START = datetime(2026, 11, 21, 8, tzinfo=UTC)


def hurry_in_the_middle(observed: ObservedWindow) -> str:
    return HURRIES if 4.0 <= observed.window.end_s < 8.0 else WALKS


@pytest.fixture
def backends(monkeypatch: pytest.MonkeyPatch) -> list[FakeBackends]:
    """Those that replays were given, in order."""
    made: list[FakeBackends] = []

    def make(*_: object) -> FakeBackends:
        made.append(FakeBackends(hurry_in_the_middle))
        return made[-1]

    monkeypatch.setattr(module, "Backends", make)
    return made


@pytest.fixture
def site(tmp_path: Path, backends: list[FakeBackends]) -> Path:
    write_rules(tmp_path / "rules" / "gate.yaml")
    write_clip(tmp_path / "clip.mp4", count=160, size=(64, 48))
    return write_site(tmp_path)


def play(
    site: Path, start: datetime = START, evidence: Path | None = None, video: str = "clip.mp4"
) -> tuple[list[dict[str, Any]], str]:
    alerts: list[dict[str, Any]] = []
    summary = replay(site, "gate", site.parent / video, start, evidence, alerts.append)
    return alerts, summary


def test_an_incident_opens_and_resolves_at_the_recordings_times(site: Path, backends: list[FakeBackends]) -> None:
    alerts, summary = play(site)
    assert [alert["data"]["action"] for alert in alerts] == ["open", "resolve"]
    opened, resolved = (alert["data"] for alert in alerts)
    assert opened["start"] == "2026-11-21T08:00:04.900000Z"
    assert opened["published_at"] == opened["captured_at"] == opened["start"]
    assert opened["clock"]["source"] == "replay"
    assert [rule["id"] for rule in opened["cited_rules"]] == ["people-hurry"]
    assert opened["evidence"] == {
        "snapshot_uri": None,
        "clip_uri": None,
        "sha256": {"snapshot": None, "clip": None, "heatmaps": []},
    }
    assert opened["pipeline"]["latency_ms"] == {"publish": 0.0}
    assert resolved["reason"].startswith("No alarm for 5 s. It was: ")
    assert summary.startswith("16 windows, 15.9 s of video in ")
    assert summary.endswith("2 alert messages")
    assert backends[0].closed


def test_twice_the_same_is_the_same_evidence_included(site: Path, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    first, _ = play(site, evidence=evidence)
    assert play(site, evidence=evidence)[0] == first
    assert Path(first[0]["data"]["evidence"]["snapshot_uri"].removeprefix("file://")).is_file()
    assert Path(first[0]["data"]["evidence"]["clip_uri"].removeprefix("file://")).is_file()


def test_what_was_not_judged_is_told(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    observe = FakeObserver.observe

    def dark_from_12_s_on(observer: FakeObserver, window: Window) -> ObservedWindow:
        seen = observe(observer, window)
        return replace(seen, not_judged=("speed: the picture is too dark",)) if window.end_s > 12.0 else seen

    monkeypatch.setattr(FakeObserver, "observe", dark_from_12_s_on)
    _, summary = play(site)
    assert summary.endswith("2 alert messages; in 4 not judged: speed: the picture is too dark")


def test_the_share_of_windows_that_the_language_model_is_asked_about_is_told(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Voter:
        model = ModelRef("deduction", "small", "1")

        def age_s(self, _: object) -> float:
            return 0.0

        def vote(self, *_: object) -> Vote:
            return Vote("llm", "normal", (), 2.0, 0.0, "They may.")

    monkeypatch.setattr(FakeBackends, "llm", lambda _: Voter())
    llm = "deduction: {llm: {base_url: 'http://127.0.0.1:9/v1', model: small}}"
    (tmp_path / "pipeline.yaml").write_text(f"schema_version: 1\nname: judged\n{llm}\n")
    site = write_site(tmp_path, pipeline="./pipeline.yaml")
    alerts, summary = play(site)
    assert alerts == []
    assert summary.endswith("language model asked about 4 (25.0%)")


def test_another_start_is_another_incident(site: Path) -> None:
    ids = {play(site, start)[0][0]["data"]["alert_id"] for start in (START, START + timedelta(seconds=1))}
    assert len(ids) == 2


def test_what_goes_on_at_the_end_is_resolved_there(site: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "short.mp4", count=70, size=(64, 48))
    alerts, _ = play(site, video="short.mp4")
    assert [alert["data"]["action"] for alert in alerts] == ["open", "resolve"]
    assert alerts[-1]["data"]["reason"].startswith("The recording ended. It was: ")


def test_nothing_of_a_replay_reaches_the_sites_outbox_or_sinks(site: Path) -> None:
    before = sorted(path.name for path in site.parent.iterdir())
    play(site)
    assert sorted(path.name for path in site.parent.iterdir()) == before


def test_what_is_lost_is_said(site: Path, tmp_path: Path) -> None:
    whole = (tmp_path / "clip.mp4").read_bytes()
    place = whole.index(b"mdat") + len(whole) // 2
    (tmp_path / "torn.mp4").write_bytes(whole[:place] + b"\xff" * 400 + whole[place + 400 :])
    _, summary = play(site, video="torn.mp4")
    assert "packets or windows lost" in summary


@pytest.mark.parametrize(
    ("camera", "video", "said"),
    [
        ("gate", "no.mp4", "no.mp4: no such recording"),
        ("yard", "clip.mp4", "no camera of the id 'yard'; it has gate"),
    ],
)
def test_mistakes_are_told_before_a_model_is_loaded(
    site: Path, backends: list[FakeBackends], camera: str, video: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        replay(site, camera, site.parent / video, START, None, lambda _: None)
    (site.parent / "rules" / "gate.yaml").write_text("rules: 7")
    with pytest.raises(ConfigError, match=r"gate\.yaml"):
        play(site)
    assert backends == []


def test_a_recording_that_is_none_is_said_and_all_is_closed(site: Path, backends: list[FakeBackends]) -> None:
    with pytest.raises(SourceError, match="not a video"):
        play(site, video="site.yaml")
    assert backends[0].closed


def test_the_recordings_clock_follows_the_windows_and_never_goes_back() -> None:
    clock = RecordingClock(START)
    clock.reach(START + timedelta(seconds=5))
    clock.reach(START + timedelta(seconds=3))
    assert clock.now() == START + timedelta(seconds=5)
    assert clock.monotonic() == 5.0
    assert clock.wait(threading.Event(), 2.0) is False
    assert clock.monotonic() == 7.0
