"""`streamproc eval perception`: several captioners on the same windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamproc import replay as replay_module
from streamproc.backtest.perceiving import compare_captioners
from streamproc.config import PipelineSettings
from streamproc.errors import ConfigError, ReplyError
from streamproc.testing_sources import write_clip
from streamproc.testing_wiring import HURRIES, WALKS, FakeBackends, write_rules, write_site
from streamproc.types import ObservedWindow

pytestmark = pytest.mark.usefixtures("windows_of_a_second")

ASKED: list[tuple[str, float]] = []


def words(observed: ObservedWindow) -> str:
    ASKED.append(("embedded", observed.window.end_s))
    return HURRIES if 4.0 <= observed.window.end_s < 8.0 else WALKS


def other_words(observed: ObservedWindow) -> str | Exception:
    ASKED.append(("other", observed.window.end_s))
    return ReplyError("cut short", "{") if observed.window.end_s > 9.0 else WALKS


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeBackends]:
    """The backends that were asked for, in order."""
    made: list[FakeBackends] = []

    def make(pipeline: PipelineSettings, *_: object) -> FakeBackends:
        made.append(FakeBackends(words if pipeline.name == "embedded" else other_words))
        return made[-1]

    monkeypatch.setattr(replay_module, "Backends", make)
    ASKED.clear()
    return made


@pytest.fixture
def folder(tmp_path: Path, made: list[FakeBackends]) -> Path:
    """A clip of 10 s, in which somebody hurries from 4 s to 8 s, and a preset of another captioner."""
    write_clip(tmp_path / "a.mp4", count=100, size=(64, 48))
    (tmp_path / "other.yaml").write_text("schema_version: 1\nname: other\n")
    return tmp_path


def compare(folder: Path, **how: Any) -> dict[str, Any]:
    return compare_captioners([str(folder / "*.mp4")], **how).as_dict()


def test_captioners_are_asked_about_the_same_windows(folder: Path, made: list[FakeBackends]) -> None:
    told = compare(folder, presets=["embedded", str(folder / "other.yaml")])

    assert [at for name, at in ASKED if name == "embedded"] == [at for name, at in ASKED if name == "other"]
    assert (told["moments"], told["seen_by"], told["calibrated"]) == (10, "embedded", False)
    first, second = told["captioners"]
    assert [(one["name"], one["moments"], one["failed"]) for one in (first, second)] == [
        ("embedded", 10, 0),
        ("other", 10, 1),
    ]
    assert first["ms_median"] is not None
    (agreed,) = told["agreements"]
    assert (agreed["moments"], agreed["actions_jaccard"]) == (9, pytest.approx(5 / 9))
    assert all(one.closed for one in made)


def test_moments_are_so_far_apart(folder: Path) -> None:
    told = compare(folder, presets=["embedded"], every_s=3.0)
    assert told["moments"] == 4
    assert [round(at, 1) for _, at in ASKED] == [0.9, 3.9, 6.9, 9.9]


def test_moments_are_so_far_apart_on_average_where_windows_are_no_part_of_it(folder: Path) -> None:
    (folder / "short.yaml").write_text("schema_version: 1\nname: short\nsampling: {window_s: 0.4}\n")
    told = compare(folder, presets=[str(folder / "short.yaml")])
    assert told["moments"] == 10
    assert [round(at, 1) for _, at in ASKED] == [0.3, 1.1, 2.3, 3.1, 4.3, 5.1, 6.3, 7.1, 8.3, 9.1]


def test_recorded_captions_and_labels_are_those_of_the_windows_pictures(folder: Path) -> None:
    captions, labels = folder / "cog.jsonl", folder / "labels.jsonl"
    rows = [
        {"video": "a", "frame": n, "label": 0, "caption": f"A dog {'runs' if n == 9 else 'sits'}."} for n in range(50)
    ]
    captions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scenes = [
        {"clip": "a", "frame": 5, "objects": ["dog"], "actions": ["sit"]},
        {"clip": "a", "frame": 8, "objects": ["dog"], "actions": ["run|hurry"]},
        {"clip": "a", "frame": 40, "objects": [], "actions": ["run|hurry"]},
    ]
    labels.write_text("".join(json.dumps(row) + "\n" for row in scenes))

    report = compare_captioners([str(folder / "a.mp4")], recorded=[captions], labels=labels)

    own, recorded = report.captioners
    assert (recorded.name, recorded.moments, recorded.failed, recorded.ms_median) == ("cog.jsonl", 5, 0, None)
    assert report.labelled == 2
    assert [(e.words, e.found, e.there) for e in (*own.objects, *own.actions)] == [("dog", 0, 1), ("run|hurry", 1, 2)]
    assert [(e.words, e.found, e.there, e.named_anyway) for e in recorded.objects] == [("dog", 1, 1, 1)]
    text = str(report)
    assert "2 labelled" in text.splitlines()[0]
    assert [line.split() for line in text.splitlines() if line.startswith("object")] == [
        ["object", "dog", "0/1,", "else", "0/1", "1/1,", "else", "1/1"]
    ]
    assert "embedded and cog.jsonl agree at 5 moments" in text


def test_a_sites_captioner_is_the_first_and_same_names_are_numbered(folder: Path) -> None:
    write_rules(folder / "rules" / "gate.yaml")
    site = write_site(folder)
    told = compare(folder, site=site, camera="gate", presets=["embedded"])
    assert [one["name"] for one in told["captioners"]] == ["embedded", "embedded-2"]
    assert told["calibrated"] is False
    assert [one["name"] for one in compare(folder, site=site, camera="gate")["captioners"]] == ["embedded"]


def test_mistakes_are_told_before_a_model_is_loaded(folder: Path, made: list[FakeBackends]) -> None:
    captions = folder / "cog.jsonl"
    captions.write_text('{"video": "b", "frame": 0, "label": 0, "caption": "A dog."}\n')
    with pytest.raises(ConfigError, match=r"cog\.jsonl holds no captions of a"):
        compare(folder, recorded=[captions])
    with pytest.raises(ConfigError, match=r"embedded, gpu-vllm"):
        compare(folder, presets=["none-such"])
    with pytest.raises(ConfigError, match=r"CLIPS .* names no file"):
        compare_captioners([str(folder / "*.avi")])
    assert made == []
