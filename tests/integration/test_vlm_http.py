"""The vision-language captioner against a server that speaks the protocol, well and badly."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from streamproc.config import VlmPerception
from streamproc.errors import InferenceError, ReplyError
from streamproc.modelserver import ModelServer
from streamproc.perception.captioner import NOTHING_SEEN
from streamproc.perception.prompts import SHA256
from streamproc.perception.vlm import VlmCaptioner
from streamproc.testing import FakeClock
from streamproc.testing_modelserver import Fail, FakeModelServer, Hang, Reset, Say
from streamproc.types import Frame, ObservedWindow, Window

pytestmark = pytest.mark.integration

SCENE = json.dumps(
    {
        "people": [
            {
                "count": 2,
                "who": "person",
                "action": "walks",
                "place": "on the path",
                "sentence": "Two people walk along the path.",
            }
        ],
        "things": [
            {"count": 1, "what": "cart", "action": "", "place": "by the door", "sentence": "A cart stands by the door."}
        ],
    }
)


def observed() -> ObservedWindow:
    frames = tuple(
        Frame("gate", 3, 10.0 + i / 5, datetime(2026, 1, 1, tzinfo=UTC), np.full((96, 128, 3), 40 * i, np.uint8))
        for i in range(6)
    )
    return ObservedWindow(Window("gate", 3, 7, (frames[:3], frames[3:])), (), (), motion=0.1)


@contextmanager
def captioner(server: FakeModelServer, **changes: Any) -> Iterator[VlmCaptioner]:
    given = {
        "kind": "vlm",
        "base_url": server.base_url,
        "model": "test-model",
        "revision": "abc",
        "deadline_s": 5.0,
        "retries": 0,
        "frames_per_window": 3,
        "image_width_px": 64,
        **changes,
    }
    settings = VlmPerception.model_validate(given)
    client = ModelServer(settings, FakeClock())
    try:
        yield VlmCaptioner(client, settings)
    finally:
        client.close()


def test_pictures_go_out_and_sentences_come_back() -> None:
    with FakeModelServer(reply=SCENE) as server, captioner(server) as vlm:
        caption = vlm.caption(observed())
        assert caption.text == "Two people walk along the path. A cart stands by the door."
        assert [(f.about, f.subject, f.count) for f in caption.facts] == [
            ("human", "person", 2),
            ("environment", "cart", 1),
        ]
        assert (caption.camera_id, caption.run, caption.pts_s) == ("gate", 3, 11.0)
        assert (caption.model.name, caption.model.revision, caption.model.prompt_sha256) == (
            "test-model",
            "abc",
            SHA256,
        )
        assert caption.model.stand_in_for is None
        (request,) = server.requests
        parts = request["messages"][1]["content"]
        assert [part["type"] for part in parts] == ["image_url"] * 3 + ["text"]
        assert "1.0 seconds" in parts[-1]["text"]
        assert len({part["image_url"]["url"] for part in parts[:3]}) == 3


def test_an_empty_scene_is_said() -> None:
    with FakeModelServer(reply='{"people": [], "things": []}') as server, captioner(server) as vlm:
        caption = vlm.caption(observed())
        assert (caption.text, caption.facts) == (NOTHING_SEEN, ())


@pytest.mark.parametrize(
    "bad",
    [
        Say(("A nice view.",)),
        Say((SCENE[:80],)),
        Say((SCENE,), finish_reason="length"),
        Say(('{"people": "none", "things": []}',)),
    ],
)
def test_an_unusable_reply_is_told_with_its_text(bad: Say) -> None:
    with FakeModelServer(always=bad) as server, captioner(server) as vlm:
        with pytest.raises(ReplyError) as caught:
            vlm.caption(observed())
        assert caught.value.text == bad.texts[0]


@pytest.mark.parametrize("bad", [Fail(500), Hang(), Reset()], ids=str)
def test_a_failing_server_loses_the_window_and_recovers(bad: Any) -> None:
    with FakeModelServer(reply=SCENE) as server, captioner(server, deadline_s=0.5) as vlm:
        server.script = deque([bad])
        with pytest.raises(InferenceError):
            vlm.caption(observed())
        assert vlm.caption(observed()).facts


def test_the_request_fits_mistrals_own_template_with_pictures() -> None:
    with FakeModelServer(reply=SCENE) as server, captioner(server) as vlm:
        vlm.caption(observed())
        (request,) = server.requests
    tokenizer = MistralTokenizer.v3(is_tekken=True, is_mm=True)
    encoded = tokenizer.encode_chat_completion(ChatCompletionRequest.from_openai(messages=request["messages"]))
    assert len(encoded.images) == 3
    jpeg = base64.b64decode(request["messages"][1]["content"][0]["image_url"]["url"].partition(",")[2])
    assert jpeg.startswith(b"\xff\xd8")
