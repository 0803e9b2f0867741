"""A language model is not asked about a window whose turn comes too late."""

from __future__ import annotations

import json
from contextlib import closing

from streamproc.config import DeductionSettings
from streamproc.deduction.deducer import Deducer
from streamproc.deduction.llm import LlmVoter
from streamproc.errors import InferenceError, NotSent, NotSentCause
from streamproc.modelserver import ModelServer
from streamproc.testing import FakeClock
from streamproc.testing_deduction import caption, fact, keyword, observed, rule, rule_set
from streamproc.testing_modelserver import FakeEndpoint

RULES = rule_set(rule("a-fall", "anomaly", "Someone falls."))
SAID = caption(fact("A person sinks to the ground.", "sinks"))
FALLS = keyword("a-fall", "sinks")
SETTINGS = DeductionSettings.model_validate(
    {"smoothing_s": 0, "llm": {"base_url": "http://a:1/v1", "model": "test-model", "samples": 1, "retries": 0}}
)


def test_an_old_window_is_decided_without_it_and_counted() -> None:
    assert SETTINGS.llm is not None
    clock, unsent = FakeClock(), list[NotSentCause]()
    endpoint = FakeEndpoint(answer=json.dumps({"reason": "So.", "verdict": "anomaly", "cites": ["a-fall"]}))
    with closing(ModelServer(SETTINGS.llm, clock, endpoints=[endpoint])) as client:
        voter = LlmVoter(client, SETTINGS.llm)
        deducer = Deducer(SETTINGS, voter, stale_after_s=20.0, on_not_sent=unsent.append)
        clock.advance(1.0 + 20.5)  # since its last picture came
        verdict = deducer.decide(observed(1.0), SAID, [FALLS], RULES)
        (vote,) = [one for one in verdict.votes if one.voter == "llm"]
        assert (endpoint.requests, unsent) == ([], ["stale"])
        assert vote.reason == "not heard: the window is 20.5 s old; 20 s are permitted"
        assert verdict.judgement == "anomaly"  # what the rules say stands
        assert verdict.degraded == (f"language model left out: {vote.reason.removeprefix('not heard: ')}",)

        verdict = deducer.decide(observed(2.0), SAID, [FALLS], RULES)  # half a second less
        assert len(endpoint.requests) == 1
        assert (unsent, verdict.degraded) == (["stale"], ())

        endpoint.script.extend([NotSent("has 8 requests under way", "overloaded"), InferenceError("gone")])
        for end_s in (3.0, 4.0):
            deducer.decide(observed(end_s), SAID, [FALLS], RULES)
        assert unsent == ["stale", "overloaded"]  # a failure is none


def test_of_a_caption_that_is_reused_it_is_not_asked_again_unless_it_was_not_heard() -> None:
    assert SETTINGS.llm is not None
    endpoint = FakeEndpoint(answer=json.dumps({"reason": "So.", "verdict": "anomaly", "cites": ["a-fall"]}))
    with closing(ModelServer(SETTINGS.llm, FakeClock(), endpoints=[endpoint])) as client:
        deducer = Deducer(SETTINGS, LlmVoter(client, SETTINGS.llm))
        endpoint.script.append(InferenceError("gone"))
        asked = []
        for end_s, reused in ((1.0, False), (2.0, True), (3.0, True), (4.0, False)):
            verdict = deducer.decide(observed(end_s), SAID, [FALLS], RULES, reused=reused)
            asked.append((len(endpoint.requests), [one.verdict for one in verdict.votes if one.voter == "llm"]))
    assert asked == [(1, ["unknown"]), (2, ["anomaly"]), (2, ["anomaly"]), (3, ["anomaly"])]
