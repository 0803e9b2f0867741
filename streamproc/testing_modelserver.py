# Longer than 300 lines: one server, whose faults are asked for in combination.
"""A small HTTP server that speaks the OpenAI chat protocol, well and badly, for tests of clients.

It lists its models, checks key, model, messages, pictures and schema as a real server does, answers with ``n`` choices,
and on demand fails in the ways that servers fail. ``with FakeModelServer(reply=...) as server:`` listens on a free
port of the loopback address and leaves no thread behind.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, assert_never

from streamproc.errors import InferenceError
from streamproc.modelreply import Listed


@dataclass(frozen=True, slots=True)
class Say:
    """Answer with these texts, one a choice; the last one again where ``n`` asks for more."""

    texts: tuple[str, ...]
    finish_reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Fail:
    """Answer with an HTTP error."""

    status: int = 500
    message: str = "internal error"
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the request and say nothing until the server is closed."""


@dataclass(frozen=True, slots=True)
class Trickle:
    """Begin a good answer and send a byte now and then, for ever: each read succeeds, the answer never ends."""

    every_s: float = 0.02


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Body:
    """Answer 200 with a body that is not a chat completion."""

    body: str = "<html>gateway</html>"
    content_type: str = "text/html"


def prefix_shared(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> str:
    """What two conversations have in common from their beginning, in the order in which chat templates write them."""
    first, second = ("\n".join(_written(message) for message in asked) for asked in (one, other))
    return first[: next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(first))]


def _written(message: Mapping[str, Any]) -> str:
    content = message["content"]
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    said = [part["text"] if part["type"] == "text" else part["image_url"]["url"] for part in parts]
    return "\n".join([message["role"], *said])


class FakeEndpoint:
    """An endpoint without a network: answers as ``answer`` does, in order of ``script`` first."""

    ready_s = 0.0

    def __init__(self, name: str = "fake", answer: str = "{}", *, model: str = "test-model", page: str | None = None):
        """``answer`` is what each reply says; ``page`` what it tells of itself."""
        self.name, self.answer, self.page = name, answer, page
        self.listed: dict[str, Listed] = {model: Listed(None, None)}
        self.script: deque[InferenceError | str | None] = deque()
        """What the next requests come to, one each: an error, another answer, or None for no answer at all."""
        self.requests: list[dict[str, Any]] = []
        self.closed = False
        self.asked = threading.Event()

    def check(self) -> None:
        """Nothing is missing."""

    async def ready(self) -> None:
        """It is."""

    async def complete(self, request: Mapping[str, object]) -> bytes:
        """As told."""
        self.requests.append(dict(request))
        self.asked.set()
        said = self.script.popleft() if self.script else self.answer
        if said is None:
            await asyncio.Event().wait()
        if isinstance(said, InferenceError):
            raise said
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        wanted = int(str(request.get("n", 1)))
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}}
        return json.dumps({"choices": [choice] * wanted, "usage": usage}).encode()

    async def models(self) -> Mapping[str, Listed]:
        """Those in ``listed``."""
        return self.listed

    async def gauges_page(self) -> str | None:
        """``page``."""
        return self.page

    async def close(self) -> None:
        """Remembered."""
        self.closed = True


Behaviour = Say | Fail | Hang | Trickle | Reset | Body


@dataclass
class FakeModelServer:
    """See the module; requests are kept as parsed JSON in ``requests``."""

    reply: Callable[[dict[str, Any]], str] | str = "{}"
    """What a good answer says: a text, or made from the request."""
    models: tuple[str, ...] = ("test-model",)
    key: str | None = None
    """The key that must be sent, if any."""
    takes_n: bool = True
    """Whether ``n`` above 1 is accepted."""
    gives_n: bool = True
    """Whether ``n`` above 1 is honoured; else one choice comes."""
    always: Behaviour | None = None
    """How every chat request is answered that has no place in ``script``; None for well."""
    script: deque[Behaviour | None] = field(default_factory=deque)
    """How the next chat requests are answered, one each; None for well."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Chat requests, oldest first."""
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released at each of them."""
    seen_models: int = 0
    """How often the models were listed."""
    chances: dict[str, float] = field(default_factory=dict)
    """With these words log-probabilities are given: wherever one is said, these stood to choice, so likely."""
    takes_logprobs: bool = True
    """Whether a request for log-probabilities is accepted."""
    picture_tokens: int | None = 100
    """What each picture adds to the prompt's tokens; 0 where pictures are ignored, None where tokens are not told."""
    spells_pictures: bool = False
    """Whether pictures' data are read as if they were text."""
    most_pictures: int | None = None
    """How many pictures a request may hold."""
    takes_embeds: bool = False
    """Whether pictures may come as tokens; as with vLLM, only where that is switched on."""
    context_tokens: int | None = None
    """How long prompts may be; listed with the models, as vLLM does."""
    silent_models: bool = False
    """Whether listing the models hangs too: the machine is gone, not only the model."""

    def __enter__(self) -> FakeModelServer:
        self._closing = threading.Event()
        self._lock = threading.Lock()
        fake = self

        class Exchange(_Exchange):
            server_side = fake

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
        self._http.daemon_threads = False
        self._http.block_on_close = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), name="fake-model-server")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    @property
    def base_url(self) -> str:
        """As ``ServerSettings.base_url`` wants it."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def behaviour(self, request: dict[str, Any]) -> Behaviour:
        """How this chat request is answered; faults of the request come first, as with a real server."""
        with self._lock:
            self.requests.append(request)
            self.asked.release()
            scripted = self.script.popleft() if self.script else self.always
        if scripted is not None:
            return scripted
        if request.get("model") not in self.models:
            return Fail(404, f"The model `{request.get('model')}` does not exist.")
        if request.get("n", 1) > 1 and not self.takes_n:
            return Fail(400, "only n = 1 is supported")
        if request.get("logprobs") and not self.takes_logprobs:
            return Fail(400, "this model does not support `logprobs`")
        fault = _fault_of(request)
        if fault:
            return Fail(400, fault)
        parts = [part for message in request["messages"] for part in _parts(message)]
        if not self.takes_embeds and any(part["type"] == "image_embeds" for part in parts):
            return Fail(400, "You must set `--enable-mm-embeds` to input `image_embeds`")
        if self.most_pictures is not None and len(_pictures(request)) > self.most_pictures:
            return Fail(400, f"At most {self.most_pictures} image(s) may be provided in one prompt.")
        if self.context_tokens is not None and (self.prompt_tokens(request) or 0) > self.context_tokens:
            return Fail(400, f"This model's maximum context length is {self.context_tokens} tokens.")
        text = self.reply if isinstance(self.reply, str) else self.reply(request)
        return Say((text,))

    def prompt_tokens(self, request: dict[str, Any]) -> int | None:
        """Four letters a token, and what pictures add."""
        if self.picture_tokens is None:
            return None
        said = [part for message in request["messages"] for part in _parts(message)]
        letters = sum(len(part["text"]) for part in said if part["type"] == "text")
        pictures = _pictures(request)
        if self.spells_pictures:
            letters += sum(len(url) for url in pictures)
        return letters // 4 + len(pictures) * self.picture_tokens


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _pictures(request: dict[str, Any]) -> list[str]:
    """Data URIs."""
    parts = [part for message in request["messages"] for part in _parts(message)]
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


def _fault_of(request: dict[str, Any]) -> str | None:
    """What a strict server refuses, or None."""
    messages = request.get("messages") or []
    roles = [message["role"] for message in messages]
    if roles[:1] == ["system"]:
        roles = roles[1:]
    if not roles or roles != [("user", "assistant")[i % 2] for i in range(len(roles))] or roles[-1] != "user":
        return "conversation roles must alternate user/assistant/user/..."
    for message in messages:
        for part in message["content"] if isinstance(message["content"], list) else ():
            if part["type"] == "image_url":
                head, _, data = part["image_url"]["url"].partition(",")
                if head != "data:image/jpeg;base64" or not base64.b64decode(data).startswith(b"\xff\xd8\xff"):
                    return "not a JPEG data URI"
    wanted = request.get("response_format")
    if wanted and (wanted["type"] != "json_schema" or wanted["json_schema"]["schema"].get("type") != "object"):
        return "response_format is no JSON schema"
    return None


def _tokens(text: str, chances: dict[str, float]) -> list[dict[str, Any]]:
    """The text in tokens, words and what stands between them; one of ``chances`` comes with all of them."""

    def one(token: str, chance: float = 1.0) -> dict[str, Any]:
        return {"token": token, "logprob": math.log(chance), "bytes": list(token.encode())}

    return [
        one(token, chances.get(token, 1.0))
        | {"top_logprobs": [one(*chance) for chance in chances.items()] if token in chances else []}
        for token in re.findall(r"\w+|\W+", text)
    ]


class _Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    server_side: FakeModelServer
    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_GET(self) -> None:
        if not self._admitted():
            return
        if self.path != "/v1/models":
            self._answer(404, {"error": {"message": "not found"}})
            return
        self.server_side.seen_models += 1
        if self.server_side.silent_models:
            self._hang()
            return
        names = self.server_side.models
        context = {"max_model_len": self.server_side.context_tokens}
        self._answer(200, {"object": "list", "data": [{"id": name, "object": "model"} | context for name in names]})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._admitted():
            return
        if self.path != "/v1/chat/completions":
            self._answer(404, {"error": {"message": "not found"}})
            return
        match self.server_side.behaviour(request):
            case Say(texts, finish_reason):
                self._answer(200, self._completion(request, texts, finish_reason))
            case Fail(status, message, retry_after):
                self._answer(status, {"error": {"message": message}}, {"Retry-After": retry_after})
            case Hang():
                self._hang()
            case Trickle(every_s):
                self._trickle(every_s)
            case Reset():
                linger = struct.pack("ii", 1, 0)  # close sends RST
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
            case Body(body, content_type):
                self._answer(200, body, {"Content-Type": content_type})
            case other:
                assert_never(other)

    def _completion(self, request: dict[str, Any], texts: tuple[str, ...], finish_reason: str) -> dict[str, Any]:
        count = request.get("n", 1) if self.server_side.gives_n else 1
        choices: list[dict[str, Any]] = [
            {
                "index": i,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": texts[min(i, len(texts) - 1)]},
            }
            for i in range(count)
        ]
        if request.get("logprobs") and self.server_side.chances:
            for choice in choices:
                choice["logprobs"] = {"content": _tokens(choice["message"]["content"], self.server_side.chances)}
        read, written = self.server_side.prompt_tokens(request), sum(len(text) for text in texts) // 4
        usage = None if read is None else {"prompt_tokens": read, "completion_tokens": written}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "model": request["model"]}
        return head | {"choices": choices, "usage": usage}

    def _admitted(self) -> bool:
        key = self.server_side.key
        sent = self.headers.get("Authorization", "")
        if key is None or sent == f"Bearer {key}":
            return True
        # Real servers repeat what they were sent; a client must not pass that on.
        self._answer(401, {"error": {"message": f"Incorrect API key provided: {sent.removeprefix('Bearer ')}"}})
        return False

    def _answer(self, status: int, body: dict[str, Any] | str, headers: dict[str, str | None] | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            if value is not None:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _hang(self) -> None:
        self.server_side._closing.wait(30)
        self.close_connection = True

    def _trickle(self, every_s: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.close_connection = True
        while not self.server_side._closing.wait(every_s):
            try:
                self.wfile.write(b" ")
            except OSError:
                return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing: a test's output is its own."""
