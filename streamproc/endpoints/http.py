"""A model server over HTTP: OpenAI's API, vLLM by reference.

Written on aiohttp. The openai client was used before, which copies and checks every message; what a request of four
pictures takes by each stands in ``tests/benchmarks/model_client.txt``.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import orjson

from streamproc import __version__
from streamproc.endpoints.endpoint import Request
from streamproc.errors import ConfigError, InferenceError
from streamproc.modelreply import Listed, quoted, read_models, refusal
from streamproc.secrets import redact, resolve


class HttpEndpoint:
    """One server."""

    ready_s = 0.0

    def __init__(self, base_url: str, api_key: str | None, connect_s: float) -> None:
        """``base_url`` and ``api_key`` keep their placeholders; nothing is sent yet.

        Connecting takes ``connect_s`` seconds at most: a host that is gone leaves time for another attempt.
        """
        self._base_url, self._api_key, self._connect_s = base_url, api_key, connect_s
        self._session: aiohttp.ClientSession | None = None

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
        return await self._send("POST", "/chat/completions", orjson.dumps(request))

    async def models(self) -> Mapping[str, Listed]:
        """As ``Endpoint``."""
        return read_models(await self._send("GET", "/models"))

    async def gauges_page(self) -> str | None:
        """vLLM's ``/metrics``, beside the API's ``/v1``; None where there is no such page."""
        parts = urlsplit(self._address())
        beside = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/").rpartition("/")[0], "", ""))
        try:
            async with self._opened().get(f"{beside}/metrics", headers=self._headers()) as answer:
                page = await answer.text(errors="replace")
                return page if answer.status == HTTPStatus.OK else None
        except (aiohttp.ClientError, OSError, ValueError):
            return None

    async def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, method: str, path: str, content: bytes | None = None) -> bytes:
        url, headers = self._address().rstrip("/") + path, self._headers()
        try:
            async with self._opened().request(method, url, data=content, headers=headers) as answer:
                body = await answer.read()
        except aiohttp.ConnectionTimeoutError:
            raise InferenceError("cannot be reached: no connection in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise InferenceError(f"cannot be reached: {quoted(f'{type(error).__name__}: {error}')}") from None
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise refusal(answer.status, body.decode(errors="replace"), answer.headers.get("retry-after", ""))
        return body

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

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Requests under way are bounded by their caller, and ended by its deadline.
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=True,  # HTTPS_PROXY and the like
            )
        return self._session
