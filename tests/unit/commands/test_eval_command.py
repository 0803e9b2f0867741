from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from streamproc import cli
from streamproc.backtest import video_evaluation
from streamproc.backtest.benchmark import Benchmark
from streamproc.backtest.video_report import Score, VideoReport
from streamproc.commands import evaluating
from streamproc.evaluation.metrics import Measures, ScoredVideo, measure
from streamproc.testing_rules import TopicEmbedder


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    path = tmp_path / "c.jsonl"
    rows = [
        {"video": "a", "frame": n, "label": int(n > 4), "caption": "A bicycle." if n > 4 else "A man."}
        for n in range(9)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["streamproc", *map(str, arguments)])
    cli.main()


def test_json_is_all_that_is_on_standard_output(
    captions: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logging_as_it_was: None,
) -> None:
    picture = tmp_path / "a.png"
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "captions", captions, "--variant", "base-causal", "--json", "--plot", picture)

    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["variant"], told["frames"], told["auroc"]) == ("base-causal", 9, 1.0)
    assert picture.exists()


def test_ours_needs_rules(
    captions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_as_it_was: None
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "captions", captions)

    assert ended.value.code == 2
    assert "--rules" in capsys.readouterr().err


def test_a_table_of_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_as_it_was: None
) -> None:
    monkeypatch.setattr(evaluating, "_embedder", TopicEmbedder)
    path = tmp_path / "made.jsonl"
    rows = [
        {
            "video": f"v{video}",
            "frame": n,
            "label": int(n > 8),
            "caption": "A man rides." if n > 8 else f"A man walks, {n}.",
        }
        for video in range(4)
        for n in range(12)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "table", path, "--seeds", "2")
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "made, 4 videos"
    assert [line.split()[0] for line in lines[1:5]] == ["seed", "0", "1", "mean"]

    with pytest.raises(SystemExit):
        run(monkeypatch, "eval", "table", path, "--seeds", "2", "--json")
    (told,) = json.loads(capsys.readouterr().out)
    assert told["name"] == "made"
    assert [row["seed"] for row in told["rows"]] == [0, 1]
    assert {"ours", "base-causal", "base", "full"} == told["rows"][0]["aurocs"].keys()


def test_sets_across_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_as_it_was: None
) -> None:
    monkeypatch.setattr(evaluating, "_embedder", TopicEmbedder)
    for name, what in (("yard", "A man rides."), ("quay", "A boat sails.")):
        rows = [
            {"video": f"v{video}", "frame": n, "label": int(n > 8), "caption": what if n > 8 else f"A man walks, {n}."}
            for video in range(4)
            for n in range(12)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "cross", tmp_path / "yard.jsonl", tmp_path / "quay.jsonl", "--seeds", "2", "--json")
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sets"] == ["yard", "quay"]
    assert [(cell["learned_from"], cell["scored_on"]) for cell in told["cells"]] == [
        ("yard", "yard"),
        ("yard", "quay"),
        ("quay", "yard"),
        ("quay", "quay"),
    ]

    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "cross", tmp_path / "yard.jsonl")
    assert ended.value.code == 2
    assert "two sets or more" in capsys.readouterr().err


def test_labelled_footage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_as_it_was: None
) -> None:
    asked: list[tuple[Benchmark, dict[str, Any]]] = []

    def evaluate(benchmark: Benchmark, **how: Any) -> VideoReport:
        asked.append((benchmark, how))
        scored = (ScoredVideo("a.mp4", (0, 1, 1), (0.1, 0.9, 0.9)),)
        measures: dict[Score, Measures] = {"verdict": measure(scored, 0.5, 10.0), "novelty": measure(scored, 1.0, 10.0)}
        by_score: dict[Score, tuple[ScoredVideo, ...]] = {"verdict": scored, "novelty": scored}
        return VideoReport("mine", (), how["score"], measures, by_score, {}, {"decoding": 40.0}, 1.0, 1.0, ())

    monkeypatch.setattr(video_evaluation, "evaluate_video", evaluate)
    for folder in ("train", "test"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").touch()
    (tmp_path / "labels.csv").write_text("clip,frame,label\na,0,1\n")
    given = ("--train", tmp_path / "train", "--test", tmp_path / "test", "--labels", tmp_path / "labels.csv")
    picture = tmp_path / "a.png"

    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "video", *given, "--preset", "mine", "--plot", picture, "--json")
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    keys = "auroc ap frames fps events events_caught delay_s_median false_alarms_per_hour hours_observed"
    assert told.keys() >= set(keys.split())
    assert (told["auroc"], told["fps"], told["preset"]) == (1.0, 25.0, "mine")
    assert picture.exists()
    assert asked[0][0].test == {tmp_path / "test" / "a.mp4": {0: 1}}
    how = {"preset": "mine", "site": None, "camera": None, "keep": None, "score": "verdict", "masks": None}
    assert asked[0][1] == how

    for name in "bcde":
        (tmp_path / "train" / f"{name}.mp4").touch()
    more = ("--draws", "3", "--held-out", "2", "--score", "novelty", "--json")
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "video", *given, *more)
    assert ended.value.code == 0
    assert len(json.loads(capsys.readouterr().out)["draws"]) == 3
    assert [(len(one.normal), len(one.held_out)) for one, _ in asked[1:]] == [(2, 2)] * 3
    assert asked[1][1]["score"] == "novelty"
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "video", *given, "--learn-from", "a, b.mp4", "--sheet", tmp_path / "sheet.png")
    assert ended.value.code == 0
    assert [clip.stem for clip in asked[-1][0].normal] == ["a", "b"]
    assert (tmp_path / "sheet.png").exists()
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "eval", "video", *given, "--draws", "3", "--sheet", tmp_path / "sheet.png")
    assert ended.value.code == 2
    assert "--draws learns several times" in capsys.readouterr().err

    for wrong in ((*given, "--site", "s.yaml"), given[:4], (*given, "--dataset", "ped2", "--root", tmp_path)):
        with pytest.raises(SystemExit) as ended:
            run(monkeypatch, "eval", "video", *wrong)
        assert ended.value.code == 2
    assert len(asked) == 5
