"""A language model's rules for batches of references: asked as it must be, read with care, refused when unusable."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.base import SpecialTokenPolicy
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from streamproc.config import ServerSettings
from streamproc.errors import InferenceError
from streamproc.modelserver import ModelServer
from streamproc.rules.generation import Said, generate
from streamproc.rules.prompts import SYSTEM, RuleLists, messages
from streamproc.testing import FakeClock
from streamproc.testing_modelserver import Behaviour, Fail, FakeModelServer, Say
from streamproc.types import Caption, ModelRef

BATCHES = [
    [Caption("gate", 1, float(n), f'People walk. A sign reads "{n}".', (), ModelRef("perception", "x", "1"))]
    for n in range(4)
]


def lists(**changed: list[str]) -> str:
    return json.dumps({"normal_people": [], "normal_things": [], "anomaly_people": [], "anomaly_things": []} | changed)


@contextmanager
def asking(server: FakeModelServer, **changes: Any) -> Iterator[ModelServer]:
    settings = {"base_url": server.base_url, "model": "test-model", "deadline_s": 5.0, "retries": 0, **changes}
    client = ModelServer(ServerSettings.model_validate(settings), FakeClock())
    try:
        yield client
    finally:
        client.close()


def test_each_batch_is_asked_about_once_and_its_rules_are_numbered() -> None:
    reply = lists(normal_people=["People walk."], anomaly_things=["A lorry stands on the lawn."])
    with FakeModelServer(reply=reply) as server, asking(server) as client:
        said, usable = generate(client, BATCHES)
    assert usable == 4
    assert [one for one in said if one.batch == 2] == [
        Said(2, "human", "normal", "People walk."),
        Said(2, "environment", "anomaly", "A lorry stands on the lawn."),
    ]
    asked = [request["messages"][-1]["content"] for request in server.requests]
    assert sorted(asked) == [messages(batch)[-1]["content"] for batch in BATCHES]
    assert {request["temperature"] for request in server.requests} == {0.0}
    schema = server.requests[0]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["normal_people", "normal_things", "anomaly_people", "anomaly_things"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("wrote", "read"),
    [
        ("1. people walk", "People walk."),
        ("  - Someone\n rests ", "Someone rests."),
        ("Rule 3: Someone rests.", "Someone rests."),
        ("Nobody runs.", None),
        ("Cycling is not allowed.", None),
        ("No bags are left behind.", None),
        ("", None),
        ("!", None),
        ("x" * 201, None),
    ],
)
def test_sentences_are_put_in_order_and_what_is_no_rule_is_left_out(wrote: str, read: str | None) -> None:
    with FakeModelServer(reply=lists(anomaly_people=[wrote, wrote])) as server, asking(server) as client:
        said, _ = generate(client, BATCHES[:1])
    assert [one.text for one in said] == ([] if read is None else [read])


@pytest.mark.parametrize(
    ("wrote", "people", "things"),
    [
        ("People walk.", True, False),
        ("Running.", True, False),
        ("A person with a knife.", True, True),
        ("Smoke rises from the roof.", True, True),
        ("The man.", False, False),
        ("Ladder.", False, True),
        ("An anomaly rule for the woman is that she runs.", False, False),
    ],
)
def test_a_rule_says_what_people_do_or_names_a_thing(wrote: str, people: bool, things: bool) -> None:
    reply = lists(normal_people=[wrote], normal_things=[wrote])
    with FakeModelServer(reply=reply) as server, asking(server) as client:
        said, _ = generate(client, BATCHES[:1])
    assert [one.about for one in said] == ["human"] * people + ["environment"] * things


def test_a_batch_that_is_answered_unusably_is_asked_about_once_more() -> None:
    good = lists(normal_people=["People walk."])
    script: deque[Behaviour | None] = deque([Say(("Certainly! Here they are",)), Say((good,))])
    with FakeModelServer(script=script) as server, asking(server) as client:
        said, usable = generate(client, BATCHES[:1])
    assert (usable, [one.text for one in said]) == (1, ["People walk."])
    assert [request["temperature"] for request in server.requests] == [0.0, 0.3]


def test_batches_that_stay_unusable_do_not_count() -> None:
    def reply(request: dict[str, Any]) -> str:
        return "?" if "0" in request["messages"][-1]["content"] else lists(normal_people=["People walk."])

    with FakeModelServer(reply=reply) as server, asking(server) as client:
        said, usable = generate(client, BATCHES)
    assert usable == 3
    assert [one.batch for one in said] == [0, 1, 2]


def test_too_many_unusable_batches_end_it_and_what_was_said_is_told() -> None:
    with (
        FakeModelServer(always=Say((lists()[:20],), "length")) as server,
        asking(server) as client,
        pytest.raises(InferenceError, match=r"usable rules for 0 of 4 batches: .*truncated.*it said: \{\"normal"),
    ):
        generate(client, BATCHES)


def test_a_server_that_fails_ends_it() -> None:
    with (
        FakeModelServer(always=Fail(500, "out of memory")) as server,
        asking(server) as client,
        pytest.raises(InferenceError, match=r"out of memory|is down"),
    ):
        generate(client, BATCHES)


@pytest.mark.parametrize("version", ["v3", "v7"])
def test_the_conversation_is_one_that_mistrals_own_template_accepts(version: str) -> None:
    tokenizer = getattr(MistralTokenizer, version)()
    encoded = tokenizer.encode_chat_completion(ChatCompletionRequest.from_openai(messages=messages(BATCHES[0])))
    text = tokenizer.decode(encoded.tokens, special_token_policy=SpecialTokenPolicy.KEEP).replace("\u2581", " ")
    assert text.count("[INST]") == 1
    assert text.rstrip().endswith("[/INST]")
    assert text.index("You write the rules") < text.index("A sign reads")


def test_the_prompt_shows_the_replys_form() -> None:
    assert all(f'"{name}"' in SYSTEM for name in RuleLists.model_fields)
