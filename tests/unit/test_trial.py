"""`streamproc models check`: a preset's model servers, tried before they are trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streamproc.cli import app
from streamproc.config import PipelineSettings, SamplingSettings
from streamproc.errors import ConfigError
from streamproc.runtime.clock import SystemClock
from streamproc.testing_modelserver import FakeModelServer, Say
from streamproc.trial import Timed, Trial, _drawn, try_servers

WALKS = {"count": 1, "who": "person", "action": "walks", "place": "", "sentence": "A person walks by."}
SCENE = json.dumps({"people": [WALKS], "things": []})


def preset(server: FakeModelServer, **changes: object) -> PipelineSettings:
    at = {"base_url": server.base_url, "model": "test-model", "retries": 0}
    eyes = at | {"kind": "vlm", "image_width_px": 64, "deadline_s": 5, "max_in_flight": 3} | changes
    return PipelineSettings.model_validate(
        {"schema_version": 1, "name": "p", "sampling": {"width_px": 160}, "perception": eyes}
    )


def tried(server: FakeModelServer, windows: int = 4, **changes: object) -> Trial:
    (trial,) = try_servers(preset(server, **changes), None, windows, SystemClock()).trials
    return trial


def test_a_server_that_does_is_timed_alone_and_together() -> None:
    with FakeModelServer(reply=SCENE) as server:
        trial = tried(server)
    assert trial.faults == ()
    assert trial.alone is not None
    assert trial.together is not None
    assert (trial.alone.windows, trial.together.windows, trial.at_once) == (4, 4, 3)
    assert (trial.pictures, trial.together.said) == (4.0, "A person walks by.")
    asked = [one for one in server.requests if one["max_tokens"] == 400 and "outline" in json.dumps(one)][-8:]
    assert len({json.dumps(one["messages"]) for one in asked}) == 8  # none that the server has seen before
    assert trial.read_tokens == pytest.approx(sum(server.prompt_tokens(one) or 0 for one in asked) / 8)
    assert trial.written_tokens == len(SCENE) // 4
    assert "PASS" in str(trial)
    assert "doubt     it was shown a drawn square and named none" in str(trial)


def test_a_server_that_cannot_is_refused_with_the_reason_and_not_timed() -> None:
    with FakeModelServer(reply=SCENE, picture_tokens=0) as server:
        trial = tried(server)
    assert trial.alone is None
    assert "FAIL      model server" in str(trial)
    assert "leaves pictures out" in str(trial)


class Scripted(FakeModelServer):
    """Answers windows as ``on`` says, by their number."""

    on: Callable[[int], Any]
    count = 0

    def behaviour(self, request: dict[str, Any]) -> Any:
        usual = super().behaviour(request)
        if '"mark"' not in json.dumps(request.get("response_format", {})):
            return usual
        self.count += 1
        return self.on(self.count) or usual


def test_lost_and_unusable_windows_are_counted_and_fail() -> None:
    from streamproc.testing_modelserver import Fail

    server = Scripted(reply=SCENE)
    server.on = lambda number: Fail(400, "no") if number == 2 else Say(("A nice view.",)) if number == 3 else None
    with server:
        trial = tried(server, windows=5)
    assert trial.alone is not None
    # A request that is refused is asked once more with the plain form.
    assert (trial.alone.lost, trial.alone.unusable) == (0, 1)
    assert "alone, 1 of 5 replies unusable" in trial.faults[0]

    server = Scripted(reply=SCENE)
    server.on = lambda number: Fail(500, "out of memory") if number == 2 else None
    with server:
        trial = tried(server)
    assert "alone, 1 of 4 windows lost" in trial.faults[0]
    assert "out of memory" in trial.faults[0]


def test_one_that_needs_more_than_half_its_deadline_fails() -> None:
    timed = Timed(20, 10.0, 0.5, 1.1, 0, 0, "", "")
    calm = Trial("perception", "x", None, alone=timed, together=timed, deadline_s=2.3)
    assert calm.faults == ()
    late = replace(calm, deadline_s=2.0)
    assert len(late.faults) == 2
    assert "more than half of deadline_s" in late.faults[0]


def test_a_deciding_model_is_asked_for_its_name() -> None:
    llm = {"base_url": "", "model": "other", "retries": 0}
    with FakeModelServer(reply=SCENE) as server:
        settings = PipelineSettings.model_validate(
            {"schema_version": 1, "name": "p", "deduction": {"llm": llm | {"base_url": server.base_url}}}
        )
        report = try_servers(settings, None, 1, SystemClock())
    assert not report.passed
    assert "deduction: other at" in str(report)
    assert "it has: test-model" in str(report)
    assert "asks no model server" in str(
        try_servers(PipelineSettings(schema_version=1, name="p"), None, 1, SystemClock())
    )


SAID = json.dumps({"there": "yes", "what": "A red square.", "why": "It was drawn.", "prevention": "Draw none."})


def words(server: FakeModelServer) -> PipelineSettings:
    explain = {"base_url": server.base_url, "model": "test-model", "retries": 0}
    return PipelineSettings.model_validate({"schema_version": 1, "name": "p", "inspection": {"explain": explain}})


def test_a_model_that_explains_defects_is_shown_a_drawn_one() -> None:
    with FakeModelServer(reply=SAID) as server:
        report = try_servers(words(server), None, 1, SystemClock())
    (trial,) = report.trials
    assert report.passed
    assert (trial.role, trial.refused) == ("explanation", None)
    assert trial.explained_s is not None
    assert '"A red square." Why: "It was drawn."' in str(trial)
    plain, outlined, _ = server.requests[-1]["messages"][1]["content"]
    assert plain != outlined


def test_one_that_explains_and_cannot_see_is_refused() -> None:
    with FakeModelServer(reply=SAID, picture_tokens=0) as server:
        (trial,) = try_servers(words(server), None, 1, SystemClock()).trials
    assert "leaves pictures out" in trial.faults[0]
    with FakeModelServer(reply=SAID, most_pictures=1) as server:  # the plain picture and the outlined one are two
        (trial,) = try_servers(words(server), None, 1, SystemClock()).trials
    assert "FAIL      route picture: model server test-model" in str(trial)


def test_one_whose_reply_is_no_explanation_is_doubted() -> None:
    with FakeModelServer(reply="It is fine.") as server:
        (trial,) = try_servers(words(server), None, 1, SystemClock()).trials
    assert trial.faults == ()
    assert "no explanation" in trial.doubts[-1]
    assert trial.explained_s is None


def test_a_clip_that_is_not_there_is_told() -> None:
    with FakeModelServer(reply=SCENE) as server, pytest.raises(ConfigError, match="no such clip"):
        try_servers(preset(server), Path("nowhere.mp4"), 1, SystemClock())


def test_drawn_windows_are_as_the_sampling_wants_and_differ() -> None:
    one, other = islice(_drawn(SamplingSettings(window_s=2.0, bursts_per_s=3, width_px=160)), 2)
    assert len(one.window.bursts) == 6
    assert one.window.last.picture.shape == (90, 160, 3)
    assert (one.window.last.picture != other.window.last.picture).any()  # type: ignore[attr-defined]


def test_the_command_exits_by_what_it_found(tmp_path: Path) -> None:
    with FakeModelServer(reply=SCENE) as server:
        file = tmp_path / "p.yaml"
        file.write_text(
            f"schema_version: 1\nname: p\nperception: {{kind: vlm, base_url: '{server.base_url}', model: test-model}}\n"
        )
        arguments = ["models", "check", "--pipeline", str(file), "--windows", "1"]
        passed = CliRunner().invoke(app, arguments)
        assert passed.exit_code == 0
        assert "PASS: the model servers of preset p" in passed.output
        server.most_pictures = 1
        failed = CliRunner().invoke(app, [*arguments, "--json"])
        assert failed.exit_code == 1
        assert json.loads(failed.stdout)["passed"] is False


def test_each_of_several_servers_is_tried_and_the_one_that_differs_is_named() -> None:
    told = {"red": 0.9, "blue": 0.1}
    with (
        FakeModelServer(reply='{"colour": "red"}', chances=told, context_tokens=8192) as one,
        FakeModelServer(reply='{"colour": "red"}', chances=told, context_tokens=8192) as same,
        FakeModelServer(reply='{"colour": "red"}', chances={"red": 0.6, "blue": 0.4}, context_tokens=4096) as other,
        FakeModelServer(models=("llama",)) as wrong,
    ):
        addresses = [server.base_url for server in (one, same, other, wrong)]
        llm = {"base_url": addresses, "model": "test-model", "retries": 0}
        judge = PipelineSettings.model_validate({"schema_version": 1, "name": "p", "deduction": {"llm": llm}})
        report = try_servers(judge, None, 2, SystemClock())
    assert [trial.server for trial in report.trials] == [f"test-model at {address}" for address in addresses]
    first, second, third, last = report.trials
    assert (first.doubts, second.doubts, last.doubts) == ((), (), ())
    assert third.doubts == (
        f"it has room for 4096 tokens, and {first.server} for 8192",
        f"it answers otherwise than {first.server}, by 30% in the probability of a word: other weights, another "
        "revision or quantisation",
    )
    assert [len(trial.faults) for trial in report.trials] == [0, 0, 0, 1]
    assert "does not serve test-model; it has: llama" in last.faults[0]
    assert not report.passed
