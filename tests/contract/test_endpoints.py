"""What every place where a model answers keeps to: a server over HTTP, vLLM in this process, the fake.

vLLM itself is not installed here: its chat serving is one of a few lines that answers in vLLM's form. The real one is
in ``tests/integration/servers/test_engine.py``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from streamproc.config import VllmEngine
from streamproc.endpoints.endpoint import Endpoint
from streamproc.endpoints.http import HttpEndpoint
from streamproc.endpoints.vllm import VllmEndpoint
from streamproc.errors import ConfigError, InferenceError
from streamproc.modelreply import Listed, RequestRefused, read_text
from streamproc.testing_modelserver import Fail, FakeEndpoint, FakeModelServer, Hang

REQUEST = {"model": "test-model", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 20}
SAYS = "Good morning."


class Served:
    """An endpoint, and how it is brought to fail."""

    def __init__(self, endpoint: Endpoint, refuse: Callable[[], object], hang: Callable[[], object]) -> None:
        self.endpoint, self.refuse, self.hang = endpoint, refuse, hang


@contextmanager
def over_http() -> Iterator[Served]:
    with FakeModelServer(reply=SAYS) as server:
        yield Served(
            HttpEndpoint(server.base_url, None, 5.0),
            lambda: server.script.append(Fail(400, "too long")),
            lambda: server.script.append(Hang()),
        )


@contextmanager
def fake() -> Iterator[Served]:
    endpoint = FakeEndpoint(answer=SAYS)
    yield Served(
        endpoint, lambda: endpoint.script.append(RequestRefused("too long")), lambda: endpoint.script.append(None)
    )


class _Said:
    """What vLLM's serving returns: a reply, or an error in its place."""

    def __init__(self, body: dict[str, Any], error: Any = None) -> None:
        self._body = body
        if error is not None:
            self.error = error

    def model_dump_json(self) -> str:
        return json.dumps(self._body)


class _Serving:
    """vLLM's chat serving and its list of models."""

    def __init__(self) -> None:
        self.next: list[str] = []

    async def create_chat_completion(self, request: Any) -> _Said:
        how = self.next.pop() if self.next else ""
        if how == "refuse":
            raise ValueError("too long")
        if how == "hang":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:  # as vLLM's own does
                return _error(ValueError("Client disconnected"))
        assert request.messages
        return _Said({"choices": [{"message": {"content": SAYS}, "finish_reason": "stop"}]})

    async def show_available_models(self) -> _Said:
        return _Said({"data": [{"id": "test-model", "root": "org/weights", "max_model_len": 2048}]})


def _error(error: Exception) -> _Said:
    return _Said({}, SimpleNamespace(code=400, message=str(error)))


@contextmanager
def in_process() -> Iterator[Served]:
    serving = _Serving()
    endpoint = VllmEndpoint("test-model", None, VllmEngine(kind="vllm", load="org/weights"))
    engine = SimpleNamespace(errored=False)
    endpoint._state = SimpleNamespace(openai_serving_chat=serving, openai_serving_models=serving, engine_client=engine)
    protocol, errors = ModuleType("protocol"), ModuleType("error_response")
    protocol.ChatCompletionRequest = SimpleNamespace  # type: ignore[attr-defined]
    errors.create_error_response = _error  # type: ignore[attr-defined]
    names = {
        "vllm.entrypoints.openai.chat_completion.protocol": protocol,
        "vllm.entrypoints.serve.exception_handling.error_response": errors,
    }
    parents = {name.rsplit(".", i)[0] for name in names for i in range(1, 5)}
    with pytest.MonkeyPatch.context() as patched:
        for name in parents:
            patched.setitem(sys.modules, name, ModuleType(name))
        for name, module in names.items():
            patched.setitem(sys.modules, name, module)
        yield Served(endpoint, lambda: serving.next.append("refuse"), lambda: serving.next.append("hang"))


@pytest.fixture(params=[over_http, in_process, fake], ids=lambda make: make.__name__)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with cast(Any, request.param)() as made:
        yield made


def test_a_request_comes_back_as_a_chat_completion(served: Served) -> None:
    async def run() -> bytes:
        await served.endpoint.ready()
        said = await served.endpoint.complete(REQUEST)
        await served.endpoint.close()
        return said

    assert read_text(asyncio.run(run()))[0] == SAYS
    assert served.endpoint.name


def test_its_models_are_listed(served: Served) -> None:
    async def run() -> dict[str, Listed]:
        await served.endpoint.ready()
        listed = dict(await served.endpoint.models())
        await served.endpoint.close()
        return listed

    assert list(asyncio.run(run())) == ["test-model"]


def test_a_refusal_is_one_whoever_refuses_and_the_next_request_is_answered(served: Served) -> None:
    async def run() -> bytes:
        served.refuse()
        with pytest.raises(RequestRefused, match="too long"):
            await served.endpoint.complete(REQUEST)
        said = await served.endpoint.complete(REQUEST)
        await served.endpoint.close()
        return said

    assert read_text(asyncio.run(run()))[0] == SAYS


def test_a_request_that_is_given_up_ends_with_its_caller(served: Served) -> None:
    async def run() -> bytes:
        served.hang()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await served.endpoint.complete(REQUEST)
        said = await served.endpoint.complete(REQUEST)
        await served.endpoint.close()
        return said

    assert read_text(asyncio.run(run()))[0] == SAYS


def test_an_engine_that_ended_is_a_failure_and_not_the_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    with in_process() as served:
        endpoint = cast(VllmEndpoint, served.endpoint)
        served.refuse()
        monkeypatch.setattr(endpoint._state.engine_client, "errored", True)
        with pytest.raises(InferenceError, match="its engine ended: too long") as caught:
            asyncio.run(endpoint.complete(REQUEST))
        assert not isinstance(caught.value, RequestRefused)


def test_without_vllm_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'streamproc\[vllm\]'"):
        VllmEndpoint("m", None, VllmEngine(kind="vllm", load="org/weights")).check()
