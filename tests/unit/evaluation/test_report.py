from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from streamproc.config import DeductionSettings
from streamproc.errors import ConfigError
from streamproc.evaluation.plots import draw
from streamproc.evaluation.published import base_causal
from streamproc.evaluation.report import PUBLISHED, Report, Variant, evaluate

RULES = """\
schema_version: 1
site: s
camera: c
version: 3
provenance:
  how: by hand
  created_at: 2026-11-21T08:00:00+00:00
  {sources}
  alarm_score: 0.6
rules:
  - id: cycles
    about: environment
    says: anomaly
    text: A bicycle is ridden here.
    keywords: [bicycle]
"""
CALM, WILD = "A man walks.", "A man rides a bicycle."


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    path = tmp_path / "c.jsonl"
    rows = [
        {"video": video, "frame": frame, "label": int(frame >= 6), "caption": WILD if frame >= 7 else CALM}
        for video in ("a", "b", "c")
        for frame in range(12)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES.format(sources="videos: [b]"))
    return path


def run(captions: Path, rules: Path | None, variant: Variant = "ours", include_sources: bool = False) -> Report:
    settings = DeductionSettings()
    return evaluate(captions, rules, variant, settings, frame_rate=2, include_sources=include_sources)


def test_our_rules_score_videos_that_they_were_not_learned_from(captions: Path, rules: Path) -> None:
    report = run(captions, rules)

    assert report.left_out == ("b",)
    assert [video.name for video in report.scored] == ["a", "c"]
    told = report.as_dict()
    assert {"auroc", "ap", "frames", "fps", "events", "events_caught", "delay_s_median"} <= told.keys()
    assert {"accuracy", "precision", "recall", "false_alarms_per_hour", "hours_observed"} <= told.keys()
    assert told["auroc"] > 0.9
    assert (told["frames"], told["events"], told["events_caught"]) == (24, 2, 2)
    assert told["threshold"] == 0.6
    assert told["hours_observed"] == pytest.approx(12 / 2 / 3600)
    assert told["fps"] > 0
    assert json.loads(json.dumps(told)) == told | {"left_out": ["b"]}
    assert "left out      b" in str(report)


def test_sources_are_scored_where_that_is_asked_for(captions: Path, rules: Path) -> None:
    report = run(captions, rules, include_sources=True)

    assert report.left_out == ()
    assert report.measures.videos == 3


def test_clips_that_were_learned_from_are_left_out_by_their_names(captions: Path, rules: Path) -> None:
    clip = f"clips: [{{name: c.mp4, sha256: '{'0' * 64}', seconds: 3}}]"
    rules.write_text(RULES.format(sources=clip))

    assert run(captions, rules).left_out == ("c",)


@pytest.mark.parametrize("variant", list(PUBLISHED))
def test_what_was_published_needs_no_rules_and_leaves_out_the_same_videos(
    captions: Path, rules: Path, variant: Variant
) -> None:
    assert run(captions, None, variant).measures.videos == 3
    beside = run(captions, rules, variant)
    assert beside.left_out == ("b",)
    assert beside.measures.threshold == 0.5
    assert beside.scored[0].scores == tuple(PUBLISHED[variant]([CALM] * 7 + [WILD] * 5))
    assert PUBLISHED["base-causal"] is base_causal


def test_nothing_to_score_is_a_mistake(captions: Path, rules: Path) -> None:
    with pytest.raises(ConfigError, match="name a rule file with --rules"):
        run(captions, None)
    rules.write_text(RULES.format(sources="videos: [a, b, c]"))
    with pytest.raises(ConfigError, match=r"was learned from all videos of .* --include-sources"):
        run(captions, rules)


def test_a_picture_of_it(captions: Path, rules: Path, tmp_path: Path) -> None:
    report = run(captions, rules)

    draw(report.scored, report.measures, "title", tmp_path / "a.png")

    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 1000
        # Shaded frames, a score and its threshold: it is not blank.
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 10
    for name in ("no/such/folder.png", "a.unheard-of"):
        with pytest.raises(ConfigError, match="cannot be written"):
            draw(report.scored, report.measures, "title", tmp_path / name)


def test_normal_videos_alone_have_a_picture_without_a_curve(captions: Path, tmp_path: Path) -> None:
    lines = [line for line in captions.read_text().splitlines() if '"label": 0' in line]
    captions.write_text("\n".join(lines))
    report = run(captions, None, "base-causal")

    draw(report.scored, report.measures, "title", tmp_path / "a.png")

    assert report.measures.auroc is None
    assert (tmp_path / "a.png").stat().st_size > 0
    assert "auroc         -" in str(report)


def test_without_matplotlib_the_extra_is_named(
    captions: Path, rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run(captions, rules)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(ConfigError, match=r"pip install 'streamproc\[evaluation\]'"):
        draw(report.scored, report.measures, "title", tmp_path / "a.png")
