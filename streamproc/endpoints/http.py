"""A model server over HTTP: OpenAI's API, vLLM by reference.

Written on httpx2 itself. The openai client was used before: it copies and checks every message, 6.7 ms of a core for a
request of four pictures where this takes 0.5, and its timeouts and retries had to be switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import httpx2
from pydantic_core import to_json

from streamproc import __version__
from streamproc.endpoints.endpoint import Request
from streamproc.errors import ConfigError, InferenceError
from streamproc.modelreply import Listed, quoted, read_models, refusal
from streamproc.secrets import redact, resolve

_KEPT_OPEN = 256
"""Idle connections that are kept: as many as ``max_in_flight`` permits."""


class HttpEndpoint:
    """One server."""

    ready_s = 0.0

    def __init__(
        self, base_url: str, api_key: str | None, connect_s: float, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        """``base_url`` and ``api_key`` keep their placeholders; nothing is sent yet.

        Connecting takes ``connect_s`` seconds at most: a host that is gone leaves time for another attempt.
        ``transport`` replaces the network in tests.
        """
        self._base_url, self._api_key = base_url, api_key
        self._timeout = httpx2.Timeout(None, connect=connect_s)
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None

    @property
    def name(self) -> str:
        """The address, without credentials."""
        return redact(self._base_url)

    def check(self) -> None:
        """Whether the secrets are there.

        Raises:
            ConfigError: naming the one that is not.
        """
        resolve(self._base_url)
        resolve(self._api_key or "")

    async def ready(self) -> None:
        """Nothing to do: whoever runs the server sees to it."""

    async def complete(self, request: Request) -> bytes:
        """As ``Endpoint``."""
        return (await self._send("POST", "/chat/completions", to_json(request))).content

    async def models(self) -> Mapping[str, Listed]:
        """As ``Endpoint``."""
        return read_models((await self._send("GET", "/models")).content)

    async def gauges_page(self) -> str | None:
        """vLLM's ``/metrics``, beside the API's ``/v1``; None where there is no such page."""
        parts = urlsplit(self._address())
        beside = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/").rpartition("/")[0], "", ""))
        try:
            answer = await self._opened().get(f"{beside}/metrics", headers=self._headers())
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return None
        return answer.text if answer.status_code == httpx2.codes.OK else None

    async def close(self) -> None:
        """End the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, method: str, path: str, content: bytes | None = None) -> httpx2.Response:
        try:
            answer = await self._opened().request(
                method, self._address().rstrip("/") + path, content=content, headers=self._headers()
            )
        except httpx2.TimeoutException:
            raise InferenceError("cannot be reached: no connection in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise InferenceError(f"cannot be reached: {quoted(f'{type(error).__name__}: {error}')}") from None
        if answer.is_error:
            raise refusal(answer.status_code, answer.text, answer.headers.get("retry-after", ""))
        return answer

    def _address(self) -> str:
        return self._filled_in(self._base_url)

    def _headers(self) -> dict[str, str]:
        # At each request: a rotated secret file is read again.
        headers = {"Content-Type": "application/json", "User-Agent": f"streamproc/{__version__}"}
        if self._api_key is not None:
            headers["Authorization"] = f"Bearer {self._filled_in(self._api_key)}"
        return headers

    def _filled_in(self, template: str) -> str:
        try:
            return resolve(template)
        except ConfigError as error:
            raise InferenceError(f"cannot be asked: {error}") from None

    def _opened(self) -> httpx2.AsyncClient:
        if self._client is None:
            # Requests under way are bounded by their caller.
            limits = httpx2.Limits(max_connections=None, max_keepalive_connections=_KEPT_OPEN)
            self._client = httpx2.AsyncClient(
                transport=self._transport, timeout=self._timeout, limits=limits, follow_redirects=True
            )
        return self._client
