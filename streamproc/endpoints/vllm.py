"""vLLM in this process: its ``AsyncLLM``, asked through vLLM's own chat serving, without HTTP between.

Chat template, pictures, schema, log-probabilities and the reply's form are vLLM's, so a request comes to the same here
and at ``vllm serve``. The engine's core is a process of vLLM's own, started by it. Written against vLLM 0.32.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import io
import json
import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

from streamproc.config import VllmEngine
from streamproc.endpoints.endpoint import Request
from streamproc.errors import ConfigError, InferenceError, ModelLoadError
from streamproc.modelreply import Listed, quoted, read_models, refusal

if TYPE_CHECKING:
    from argparse import Namespace

log = structlog.get_logger(__name__)


class VllmEndpoint:
    """An engine with one model, loaded at the first call."""

    ready_s = 1800.0
    """A model of some tens of gigabytes is read from a disk, compiled and warmed up; fetching it comes on top."""

    def __init__(self, model: str, revision: str | None, engine: VllmEngine) -> None:
        """``model`` is what requests call it; ``revision`` of ``engine.load`` is taken, where there is one."""
        self._model, self._revision, self._engine = model, revision, engine
        self._opened = contextlib.AsyncExitStack()
        self._state: Any = None
        self._loading: asyncio.Lock | None = None

    @property
    def name(self) -> str:
        """What is loaded."""
        return f"vLLM in this process ({self._engine.load})"

    def check(self) -> None:
        """Whether vLLM is installed.

        Raises:
            ConfigError: it is not.
        """
        if importlib.util.find_spec("vllm") is None:
            raise ConfigError("engine: vllm is not installed here; pip install 'streamproc[vllm]', or give base_url")

    async def ready(self) -> None:
        """Load the model, if it is not there or its engine died.

        Raises:
            ConfigError: vLLM is not installed or does not take ``options``.
            ModelLoadError: the model does not load.
        """
        if self._loading is None:
            self._loading = asyncio.Lock()
        async with self._loading:
            if self._state is not None and not self._state.engine_client.errored:
                return
            self.check()
            await self.close()
            arguments = _arguments(self._engine, self._model, self._revision)
            log.info("engine_loads", model=self._model, loads=self._engine.load)
            try:
                state = await self._load(arguments)
            except Exception as error:
                await self.close()
                words = quoted(f"{type(error).__name__}: {error}")
                raise ModelLoadError(f"vLLM does not load {self._engine.load}: {words}") from None
            if state.openai_serving_chat is None:
                await self.close()
                raise ConfigError(f"engine.load: {self._engine.load} is no model that writes text")
            self._state = state

    async def complete(self, request: Request) -> bytes:
        """As ``Endpoint``; cancelled, vLLM stops generating."""
        from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
        from vllm.entrypoints.serve.exception_handling.error_response import create_error_response

        serving = self._state.openai_serving_chat
        try:
            said = await serving.create_chat_completion(ChatCompletionRequest(**request))
        except Exception as error:
            if self._state.engine_client.errored:
                raise InferenceError(f"its engine ended: {quoted(str(error))}") from None
            said = create_error_response(error)
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError  # vLLM makes a reply of it: "client disconnected"
        if (failed := getattr(said, "error", None)) is not None:
            raise refusal(failed.code, failed.message)
        return bytes(said.model_dump_json().encode())

    async def models(self) -> Mapping[str, Listed]:
        """As ``Endpoint``."""
        listed = await self._state.openai_serving_models.show_available_models()
        return read_models(listed.model_dump_json())

    async def gauges_page(self) -> str | None:
        """What vLLM keeps in this process's registry."""
        from prometheus_client import REGISTRY, generate_latest

        return None if self._state is None else generate_latest(REGISTRY).decode()

    async def close(self) -> None:
        """End the engine."""
        self._state = None
        await self._opened.aclose()

    async def _load(self, arguments: Namespace) -> Any:
        from starlette.datastructures import State
        from vllm.entrypoints.launchers.api_server.app_state import init_app_state
        from vllm.entrypoints.launchers.api_server.entry import build_async_engine_client

        # Threads run here already: a forked engine could begin with a lock that nobody gives back.
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
        client = await self._opened.enter_async_context(build_async_engine_client(arguments))
        state = State()
        await init_app_state(client, state, arguments, await client.get_supported_tasks())
        return state


def _arguments(engine: VllmEngine, model: str, revision: str | None) -> Namespace:
    """The options, as vLLM's own command line reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
        from vllm.utils.argparse_utils import FlexibleArgumentParser

        line = ["--model", engine.load, "--served-model-name", model, "--enable-prompt-tokens-details"]
        line += ["--revision", revision] if revision is not None else []
        for name, value in engine.options.items():
            line += _option(name, value)
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                parsed: Namespace = make_arg_parser(FlexibleArgumentParser()).parse_args(line)
            validate_parsed_serve_args(parsed)
        except (SystemExit, ValueError, TypeError) as error:
            words = said.getvalue().strip().splitlines()[-1:] or [str(error)]
            raise ConfigError(f"engine.options: vLLM does not take them: {quoted(words[0])}") from None
    return parsed


def _option(name: str, value: object) -> list[str]:
    flag = "--" + name.replace("_", "-")
    match value:
        case True:
            return [flag]
        case False:
            return ["--no-" + flag.removeprefix("--")]
        case str() | int() | float():
            return [flag, str(value)]
        case _:
            return [flag, json.dumps(value)]
