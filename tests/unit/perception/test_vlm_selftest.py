"""A model that cannot put pictures into words is refused before the first window, with reason and remedy."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import pytest
from structlog.testing import capture_logs

from streamproc.config import VlmPerception
from streamproc.errors import ConfigError, InferenceError
from streamproc.perception.selftest import VisionServer, square
from streamproc.testing import FakeClock
from streamproc.testing_modelserver import Fail, FakeModelServer, Say

EMPTY = '{"people": [], "things": []}'


def asks_colour(request: dict[str, Any]) -> bool:
    return bool(request.get("response_format", {}).get("json_schema", {}).get("name") == "Colour")


def seeing(request: dict[str, Any]) -> str:
    """A model that names the colour of the square, and otherwise describes nothing."""
    if not asks_colour(request):
        return EMPTY
    uri = request["messages"][0]["content"][0]["image_url"]["url"]
    jpeg = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert picture is not None
    blue, _, red = picture[112, 112]
    return json.dumps({"colour": "red" if red > blue else "blue"})


def blind(request: dict[str, Any]) -> str:
    return '{"colour": "green"}' if asks_colour(request) else EMPTY


@contextmanager
def client(server: FakeModelServer, **changes: object) -> Iterator[VisionServer]:
    given = {"kind": "vlm", "base_url": server.base_url, "model": "test-model", "retries": 0, "deadline_s": 5.0}
    made = VisionServer(VlmPerception.model_validate(given | changes), FakeClock())
    try:
        yield made
    finally:
        made.close()


def doubts(fake: FakeModelServer, **changes: object) -> tuple[str, ...]:
    with fake as server, client(server, **changes) as made, capture_logs() as logged:
        assert made.check() == ("test-model",)
    return tuple(one["reason"] for one in logged if one["event"] == "model_doubtful")


def test_a_model_that_sees_has_no_doubts() -> None:
    fake = FakeModelServer(reply=seeing, context_tokens=8192)
    assert doubts(fake) == ()
    # The whole request was tried as windows will be: with as many pictures, of their size.
    most = max(fake.requests, key=lambda one: len(one["messages"][-1]["content"]))
    uris = [part["image_url"]["url"] for part in most["messages"][-1]["content"][:-1]]
    assert len(uris) == 4
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(uris[0].partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (480, 640, 3)


@pytest.mark.parametrize(
    ("fake", "reason", "remedy"),
    [
        (FakeModelServer(models=("other",)), "does not serve test-model; it has: other", ""),
        (FakeModelServer(most_pictures=0), "takes no picture: refuses the request.*At most 0", "vision-language model"),
        (FakeModelServer(picture_tokens=0), "leaves pictures out: .* 3 tokens without .* 3 with", "chat template"),
        (FakeModelServer(picture_tokens=2), "leaves pictures out", "chat template"),
        (FakeModelServer(spells_pictures=True), "reads pictures as text", "--chat-template-content-format"),
        (
            FakeModelServer(most_pictures=3),
            "refuses 4 pictures in a request: .*At most 3",
            r"""--limit-mm-per-prompt '{"image": 4}', or lower frames_per_window""",
        ),
        (
            FakeModelServer(picture_tokens=1000, context_tokens=2500),
            "has no room for 4 pictures of 640x480 px.*maximum context length is 2500",
            "larger --max-model-len, or lower frames_per_window or image_width_px",
        ),
        (
            FakeModelServer(reply=seeing, context_tokens=1250),
            r"has room for 1250 tokens, and 4 pictures .* reply of 400 need 1\d\d\d",
            "larger --max-model-len.*or max_tokens",
        ),
    ],
)
def test_what_is_surely_wrong_is_refused_with_its_remedy(fake: FakeModelServer, reason: str, remedy: str) -> None:
    with fake as server, client(server) as made, pytest.raises(ConfigError, match=reason) as caught:
        made.check()
    assert re.search(remedy, str(caught.value))
    assert str(caught.value).count("model server") == 1


def test_a_server_that_drops_all_pictures_but_one_is_refused() -> None:
    class Single(FakeModelServer):
        def prompt_tokens(self, request: dict[str, Any]) -> int | None:
            parts = request["messages"][-1]["content"]
            return 50 + 100 * (len(parts) > 1)

    told = "shows its model fewer pictures than it is sent: 4 cost 150 tokens"
    with Single(reply=seeing) as server, client(server) as made, pytest.raises(ConfigError, match=told):
        made.check()
    assert doubts(Single(reply=seeing), frames_per_window=1) == ()


def test_a_llama_server_without_eyes_is_refused_although_it_calls_that_its_own_failure() -> None:
    class Llama(FakeModelServer):
        def behaviour(self, request: dict[str, Any]) -> Any:
            if "image_url" in json.dumps(request):
                return Fail(500, "image input is not supported - hint: if this is unexpected, provide the mmproj")
            return super().behaviour(request)

    with Llama() as server, client(server) as made, pytest.raises(ConfigError, match="takes no picture"):
        made.check()


@pytest.mark.parametrize(
    ("fake", "doubt"),
    [
        (FakeModelServer(reply=blind), "calls them green and green"),
        (FakeModelServer(reply=EMPTY), "named none of the colours"),
        (FakeModelServer(reply=seeing, picture_tokens=None), "does not count tokens"),
    ],
)
def test_what_only_seems_wrong_is_a_warning(fake: FakeModelServer, doubt: str) -> None:
    (told,) = doubts(fake)
    assert doubt in told


def test_a_reply_that_is_no_description_is_a_warning() -> None:
    class Chatty(FakeModelServer):
        def behaviour(self, request: dict[str, Any]) -> Any:
            form = request.get("response_format")
            if form and form["json_schema"]["name"] == "Scene":
                return Say(("What a nice view.",))
            return super().behaviour(request)

    (told,) = doubts(Chatty(reply=seeing))
    assert "no description" in told


def test_answers_alike_to_the_last_digit_whatever_is_shown_are_refused() -> None:
    told = {'{"': 0.5, "green": 0.31, "red": 0.3}
    fake = FakeModelServer(reply=blind, chances=told)
    with (
        fake as server,
        client(server) as made,
        pytest.raises(ConfigError, match=r"alike, .* does not reach the model"),
    ):
        made.check()


def test_a_server_that_is_not_there_may_come_yet() -> None:
    fake = FakeModelServer(always=Fail(503, "loading"))
    with fake as server, client(server) as made, pytest.raises(InferenceError) as caught:
        made.check()
    assert not isinstance(caught.value, ConfigError)


def test_the_test_pictures_differ_by_colour_and_place_alone() -> None:
    red, blue = (square(name, (40, 60, 3), 0.5) for name in ("red", "blue"))
    assert (red[..., 1] == blue[..., 1]).all()
    assert (red[20, 30] == (220, 20, 20)).all()
    assert (square("red", (40, 60, 3), 0.0)[20, 30] == 128).all()
