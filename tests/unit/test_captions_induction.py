"""Rules from captions alone: what is learned, how it is judged, and what is written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from streamproc import learn_captions as module
from streamproc.captions_induction import induce_from_captions
from streamproc.config import PipelineSettings, VoterWeights
from streamproc.deduction.calibration import highest_threshold
from streamproc.errors import ConfigError, InferenceError
from streamproc.learn_captions import LearnedFromCaptions, learn_captions, slug_of
from streamproc.models.store import ModelStore
from streamproc.rules.schema import load_rules, parse_rules
from streamproc.testing_modelserver import Fail, FakeModelServer
from streamproc.testing_rules import TopicEmbedder, rule_lists
from streamproc.types import RuleSet, Support

WALKS = [f"{n} people walk along the path." for n in range(40)]
NORMAL = {"01": WALKS, "02": [f"{text} A man sits on a bench." for text in WALKS]}


def test_references_tell_what_is_normal_and_all_captions_count_against_keywords() -> None:
    learned = induce_from_captions({"01": [*WALKS, *(f"{text} A man rides past." for text in WALKS)]}, references=5)
    (walk,) = [one for one in learned.induction.rules if one.id == "normal-people-walk"]
    assert walk.support == Support(5, 5)
    assert learned.induction.captions == 80
    assert {(one.keyword, one.captions) for one in learned.induction.dropped} >= {("ride", 40)}
    assert (learned.videos, learned.alarm_score, learned.notes) == (("01",), None, ())


def test_the_seed_decides_which_captions_are_references() -> None:
    mixed = {"01": [text if n % 2 else f"{n} dogs." for n, text in enumerate(WALKS)]}
    supports = {
        seed: [one.support for one in induce_from_captions(mixed, seed=seed, references=5).induction.rules]
        for seed in range(6)
    }
    assert supports[0] == [one.support for one in induce_from_captions(mixed, seed=0, references=5).induction.rules]
    assert len({str(one) for one in supports.values()}) > 1


def test_each_half_is_judged_by_what_was_learned_from_the_other() -> None:
    asked: list[tuple[bool, list[str]]] = []

    def judge(rules: RuleSet, texts: Sequence[str]) -> list[float]:
        asked.append((any(one.id == "normal-people-sit" for one in rules.rules), list(texts)))
        return [0.62] * len(texts)

    learned = induce_from_captions(NORMAL, judge=judge)
    assert asked == [(False, NORMAL["02"]), (True, NORMAL["01"])]
    assert learned.alarm_score == pytest.approx(0.67)
    assert learned.rule_set("a", "b").alarm_score == learned.alarm_score


def test_a_video_is_judged_by_itself_where_halves_cut_through() -> None:
    lengths: list[int] = []

    def judge(_: RuleSet, texts: Sequence[str]) -> list[float]:
        lengths.append(len(texts))
        return [0.0] * len(texts)

    induce_from_captions({"01": WALKS[:10], "02": WALKS}, judge=judge)
    assert lengths == [25, 10, 15]


def test_what_cannot_be_judged_is_noted() -> None:
    few = induce_from_captions({"01": WALKS[:12]}, judge=lambda _, texts: [0.1] * len(texts))
    assert few.alarm_score == 0.5
    assert "set on all of them" in few.notes[0]
    loud = induce_from_captions(NORMAL, judge=lambda _, texts: [0.95] * len(texts))
    assert loud.alarm_score == highest_threshold(VoterWeights())
    assert "scores up to 0.95" in loud.notes[0]


# ---- from a file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Gate 1.jsonl.gz"
    rows = [
        {"video": video, "frame": frame, "label": int(frame >= 40), "caption": text}
        for video in ("01", "02", "03")
        for frame, text in enumerate([*WALKS, "A man runs.", "A man runs fast."])
    ]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return path


@pytest.fixture
def learn(monkeypatch: pytest.MonkeyPatch, file: Path, tmp_path: Path) -> Callable[..., LearnedFromCaptions]:
    monkeypatch.setattr(module, "SentenceEmbedder", lambda _: TopicEmbedder("walk", "run"))
    monkeypatch.setattr(ModelStore, "ensure", lambda _, name: Path(name))

    def call(
        videos: Sequence[str] = ("01", "03"), preset: PipelineSettings | None = None, **changes: Any
    ) -> LearnedFromCaptions:
        given = {"references": 4, "seed": 0, "out": tmp_path / "set.yaml", "site": "lot", "camera": "gate", **changes}
        return learn_captions(file, videos, preset=preset, **given)

    return call


def test_the_file_names_the_videos_that_were_learned_from_and_none_of_their_anomalies_counts(
    learn: Callable[..., LearnedFromCaptions],
) -> None:
    learned = learn()
    rules, model, _ = parse_rules(learned.rules.read_bytes(), "x")
    assert (rules.site, rules.camera, rules.alarm_score) == ("lot", "gate", 0.5)
    assert model.provenance is not None
    assert (model.provenance.videos, model.provenance.captions) == (("01", "03"), 80)
    assert model.provenance.dropped_keywords == ()
    assert "learned from 80 captions of normal frames of 01, 03" in str(learned)
    assert learned.as_dict()["normal_rules"] == 1


def test_without_names_two_videos_are_drawn_by_the_seed(learn: Callable[..., LearnedFromCaptions]) -> None:
    drawn = [learn((), seed=seed).videos for seed in (1, 1, 2, 3, 4, 5)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1
    assert {len(one) for one in drawn} == {2}


def test_a_video_that_is_not_there_is_said(learn: Callable[..., LearnedFromCaptions]) -> None:
    with pytest.raises(ConfigError, match=r"no video 09; the file holds 01, 02, 03"):
        learn(("01", "09"))


def writes(server: FakeModelServer) -> PipelineSettings:
    induction = {"kind": "llm", "base_url": server.base_url, "model": "test-model", "retries": 0}
    return PipelineSettings.model_validate({"schema_version": 1, "name": "writes", "induction": induction})


def test_a_language_model_writes_the_rules_where_the_preset_says_so(learn: Callable[..., LearnedFromCaptions]) -> None:
    with FakeModelServer(reply=rule_lists(["People walk."], [], ["Someone runs."])) as server:
        learned = learn(preset=writes(server))
    assert [(one.id, one.support) for one in load_rules(learned.rules).rules] == [
        ("normal-walk", Support(4, 4)),
        ("anomaly-run", Support(4, 4)),
    ]
    assert len(server.requests) == 3 * 4  # all of it, and each half


@pytest.mark.parametrize("fails", [True, False])
def test_a_server_that_fails_leaves_what_is_there(learn: Callable[..., LearnedFromCaptions], fails: bool) -> None:
    path = learn().rules
    before = path.read_bytes()
    told = r"oops|is down" if fails else r"usable rules for 0 of 4"
    with (
        FakeModelServer(reply="no JSON", always=Fail(500, "oops") if fails else None) as server,
        pytest.raises(InferenceError, match=told),
    ):
        learn(preset=writes(server), out=path)
    assert path.read_bytes() == before


def test_a_file_name_becomes_an_id() -> None:
    assert [slug_of(Path(name)) for name in ("Gate 1.jsonl.gz", "ped2.jsonl", "..jsonl")] == [
        "gate-1",
        "ped2",
        "captions",
    ]
