"""The client against a server that speaks the protocol over real sockets, well and badly."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from streamproc.config import ServerSettings
from streamproc.errors import ConfigError, InferenceError, NotSent, ReplyError
from streamproc.modelreply import Reply, RequestRefused, ServerUnfit
from streamproc.modelserver import ModelServer
from streamproc.runtime.breaker import Health
from streamproc.testing import FakeClock, until
from streamproc.testing_modelserver import Body, Fail, FakeModelServer, Hang, Reset, Say, Trickle

pytestmark = pytest.mark.integration


class Colour(Reply):
    colour: str


GOOD = '{"colour": "red"}'
ASK: Any = [{"role": "system", "content": "Name a colour."}, {"role": "user", "content": "Now."}]
KEY = "sk-marked-0123456789"


def settings(server: FakeModelServer, **changes: Any) -> ServerSettings:
    given = {"base_url": server.base_url, "model": "test-model", "deadline_s": 5.0, "max_tokens": 50, **changes}
    return ServerSettings.model_validate(given)


@contextmanager
def client(server: FakeModelServer, clock: FakeClock | None = None, **changes: Any) -> Iterator[ModelServer]:
    with ExitStack() as stack:
        opened = ModelServer(settings(server, **changes), clock or FakeClock())
        stack.callback(opened.close)
        yield opened


def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.endpoints.attempts._Pause._own", staticmethod(lambda _: 0.001))


def test_a_request_carries_schema_bounds_and_messages_and_its_reply_is_typed() -> None:
    with FakeModelServer(reply=GOOD) as server, client(server) as model:
        assert model.check() == ("test-model",)
        assert model.ask_one(ASK, Colour) == Colour(colour="red")
        (request,) = server.requests
        assert request["messages"] == ASK
        assert request["max_tokens"] == 50
        assert request["temperature"] == 0.0
        assert "n" not in request
        assert request["response_format"]["json_schema"]["schema"]["required"] == ["colour"]
        assert request["response_format"]["json_schema"]["schema"]["additionalProperties"] is False


def test_several_samples_come_in_one_request() -> None:
    with FakeModelServer() as server, client(server) as model:
        server.script.append(Say((GOOD, "no JSON", '{"colour": "blue"}')))
        first, second, third = model.ask(ASK, Colour, n=3, temperature=0.7)
        assert (first, third) == (Colour(colour="red"), Colour(colour="blue"))
        assert isinstance(second, ReplyError)
        assert len(server.requests) == 1


@pytest.mark.parametrize("how", ["takes_n", "gives_n"])
def test_a_server_that_knows_only_single_samples_is_asked_for_each(how: str) -> None:
    with FakeModelServer(reply=GOOD) as server, client(server) as model:
        setattr(server, how, False)
        assert model.ask(ASK, Colour, n=3) == (Colour(colour="red"),) * 3
        assert model.ask(ASK, Colour, n=3) == (Colour(colour="red"),) * 3
        refused = {"takes_n": 1, "gives_n": 0}[how]
        assert len(server.requests) == 6 + refused  # that n is refused is learned once


@pytest.mark.parametrize("bad", [Fail(500), Fail(503), Fail(429), Reset(), Body()], ids=str)
def test_a_passing_failure_is_tried_again(bad: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fast_retries(monkeypatch)
    with FakeModelServer(reply=GOOD) as server, client(server, retries=2) as model:
        server.script = deque([bad, bad])
        assert model.ask_one(ASK, Colour) == Colour(colour="red")
        assert len(server.requests) == 3
        assert model.health.up


def test_attempts_are_bounded_and_the_last_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fast_retries(monkeypatch)
    with FakeModelServer(always=Fail(503, "out of memory")) as server, client(server, retries=2) as model:
        with pytest.raises(InferenceError, match=r"test-model at http://127.*failed \(HTTP 503\): .*out of memory"):
            model.ask_one(ASK, Colour)
        assert len(server.requests) == 3


def test_a_pause_that_would_pass_the_deadline_is_not_begun() -> None:
    busy = Fail(429, "busy", retry_after="60")
    with FakeModelServer(always=busy) as server, client(server, retries=5) as model:
        began = time.monotonic()
        with pytest.raises(InferenceError, match="HTTP 429"):
            model.ask_one(ASK, Colour)
        assert time.monotonic() - began < 2
        assert len(server.requests) == 1


@pytest.mark.parametrize("bad", [Hang(), Trickle()], ids=str)
def test_the_deadline_ends_a_request_as_a_whole(bad: Any) -> None:
    with FakeModelServer(always=bad) as server, client(server, deadline_s=0.4) as model:
        began = time.monotonic()
        with pytest.raises(InferenceError, match="not answer"):
            model.ask_one(ASK, Colour)
        assert 0.3 < time.monotonic() - began < 2


def test_a_shorter_deadline_ends_a_request_and_is_not_held_against_the_server() -> None:
    with FakeModelServer(always=Hang()) as server, client(server, deadline_s=60.0) as model:
        for _ in range(4):  # as many failures would take a server down
            with pytest.raises(InferenceError, match=r"does not answer within 0\.1 s"):
                model.ask(ASK, Colour, within_s=0.1)
        assert model.health.up


def test_nothing_listens() -> None:
    with FakeModelServer() as server:
        gone = settings(server, deadline_s=1.0, retries=0)
    model = ModelServer(gone, FakeClock())
    with pytest.raises(InferenceError, match=r"cannot be reached: .*"):
        model.check()
    model.close()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (Say(("{",)), "Invalid JSON"),
        (Say(('{"color": "red"}',)), "colour: Field required"),
        (Say((GOOD,), finish_reason="length"), "truncated"),
    ],
)
def test_an_unusable_reply_is_not_the_servers_fault(bad: Say, says: str) -> None:
    with FakeModelServer(always=bad) as server, client(server) as model:
        for _ in range(5):
            with pytest.raises(ReplyError, match=says) as caught:
                model.ask_one(ASK, Colour)
        assert caught.value.text == bad.texts[0]
        assert model.health == Health(up=True)
        assert len(server.requests) == 5  # each asked once: the same again would cost a window's time


def test_a_request_that_is_refused_is_not_repeated_and_does_not_take_the_server_down() -> None:
    with FakeModelServer(always=Fail(400, "too many tokens")) as server, client(server) as model:
        for _ in range(5):
            with pytest.raises(RequestRefused, match="too many tokens"):
                model.ask_one(ASK, Colour)
        assert len(server.requests) == 5
        assert model.health.up


# ---- credentials


def test_the_key_is_resolved_at_the_time_of_each_call(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(KEY + "\n")
    with (
        FakeModelServer(reply=GOOD, key=KEY) as server,
        client(server, api_key=f"${{file:{secret}}}") as model,
    ):
        assert model.ask_one(ASK, Colour).colour == "red"
        server.key = "sk-rotated-987654"
        with pytest.raises(ServerUnfit, match="refuses the key"):
            model.ask_one(ASK, Colour)
        secret.write_text("sk-rotated-987654")
        assert model.ask_one(ASK, Colour).colour == "red"


def test_no_error_tells_the_key(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("MODEL_KEY", KEY)
    told: list[str] = []
    with FakeModelServer(key="another") as server, client(server, api_key="${MODEL_KEY}", retries=0) as model:
        for call in (model.check, lambda: model.ask_one(ASK, Colour)):
            with pytest.raises((ConfigError, InferenceError)) as caught:
                call()
            told.append(str(caught.value))
        server.key = None
        server.script = deque([Fail(500, f"bad header Bearer {KEY}"), Say((f"{{{KEY}",))])
        for _ in range(2):
            with pytest.raises((InferenceError, ReplyError)) as again:
                model.ask_one(ASK, Colour)
            told.append(str(again.value))
    assert KEY not in "".join(told) + caplog.text


def test_a_missing_secret_is_the_operators_at_start_and_a_failed_request_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with FakeModelServer() as server, client(server, api_key="${NO_SUCH_KEY}", retries=0) as model:
        with pytest.raises(ConfigError, match="NO_SUCH_KEY is not set"):
            model.check()
        with pytest.raises(InferenceError, match="NO_SUCH_KEY is not set"):
            model.ask_one(ASK, Colour)


# ---- start-up


def test_a_model_that_is_not_served_is_named_beside_those_that_are() -> None:
    with FakeModelServer(models=("llama", "mistral")) as server, client(server) as model:
        with pytest.raises(ConfigError, match="does not serve test-model; it has: llama, mistral"):
            model.check()
        with pytest.raises(ServerUnfit, match="HTTP 404"):
            model.ask_one(ASK, Colour)


def test_an_address_without_the_apis_version_is_recognised() -> None:
    with FakeModelServer() as server:
        wrong = settings(server).model_copy(update={"base_url": (server.base_url.removesuffix("/v1"),)})
        model = ModelServer(wrong, FakeClock())
        with pytest.raises(ConfigError, match="ends with the API's version"):
            model.check()
        model.close()


# ---- health


def test_a_dead_server_costs_a_few_deadlines_and_then_nothing_until_it_is_back() -> None:
    clock = FakeClock()
    heard: list[Health] = []
    with FakeModelServer(reply=GOOD, always=Hang(), silent_models=True) as server:
        model = ModelServer(settings(server, deadline_s=0.2, retries=0), clock, on_health=heard.append)
        for _ in range(3):
            with pytest.raises(InferenceError):
                model.ask_one(ASK, Colour)
        asked = len(server.requests)
        began = time.monotonic()
        for _ in range(50):
            with pytest.raises(InferenceError, match="is down"):
                model.ask_one(ASK, Colour)
        assert time.monotonic() - began < 0.5
        assert len(server.requests) == asked == 3
        assert not model.health.up

        clock.advance(60)
        server.silent_models, server.always = False, Fail(500)
        with pytest.raises(InferenceError, match="HTTP 500"):
            model.ask_one(ASK, Colour)  # lists its models again, but does not answer yet
        assert len(server.requests) == 4
        clock.advance(60)
        server.always = None
        assert model.ask_one(ASK, Colour).colour == "red"
        assert model.health == Health(up=True)
        assert [h.up for h in heard] == [False, True]
        model.close()


def test_a_window_is_not_risked_on_a_server_whose_models_cannot_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.endpoints.attempts.PROBE_S", 0.1)
    clock = FakeClock()
    with FakeModelServer(always=Fail(500)) as server, client(server, clock, retries=0) as model:
        for _ in range(3):
            with pytest.raises(InferenceError):
                model.ask_one(ASK, Colour)
        server.silent_models = True
        clock.advance(60)
        began = time.monotonic()
        with pytest.raises(InferenceError, match="still does not answer"):
            model.ask_one(ASK, Colour)
        assert time.monotonic() - began < 2
        assert len(server.requests) == 3


def test_requests_under_way_are_bounded_and_a_full_client_is_not_the_servers_fault() -> None:
    with FakeModelServer(always=Hang()) as server, client(server, deadline_s=0.8, retries=0, max_in_flight=2) as model:
        gate = threading.Barrier(5)

        def one() -> BaseException | None:
            gate.wait(5)
            try:
                model.ask_one(ASK, Colour)
            except InferenceError as error:
                return error
            return None

        with ThreadPoolExecutor(5) as pool:
            errors = [f.result(10) for f in [pool.submit(one) for _ in range(5)]]
        assert len(server.requests) == 2
        assert sum(isinstance(error, NotSent) for error in errors) == 3
        assert model.health.failures == 2


def test_close_ends_what_is_under_way_and_leaves_no_thread() -> None:
    with FakeModelServer(always=Hang()) as server:
        model = ModelServer(settings(server, deadline_s=30.0), FakeClock())
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(model.ask_one, ASK, Colour)
            until(lambda: server.requests)
            model.close()
            with pytest.raises(InferenceError, match="closed"):
                pending.result(5)
        assert not [t for t in threading.enumerate() if t.name.startswith("model-")]
        with pytest.raises(InferenceError, match="closed"):
            model.ask_one(ASK, Colour)
        model.close()
