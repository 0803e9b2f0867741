"""``/metrics``, ``/healthz`` and ``/readyz`` over HTTP.

``Health`` holds named checks, each a function that answers at once. ``/healthz`` answers 503 where a check of level
``alive`` fails: start the process again. ``/readyz`` answers 503 where one of level ``ready`` fails as well; a failed
``wanted`` check, a single camera that is lost, makes it ``degraded`` and 200, because the other cameras are watched.
"""

from __future__ import annotations

import errno
import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from wsgiref.simple_server import WSGIRequestHandler

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app

from streamproc import __version__
from streamproc.errors import ConfigError
from streamproc.secrets import redact

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = structlog.get_logger(__name__)

Level = Literal["alive", "ready", "wanted"]
"""What a failed check means: start the process again; it does no useful work yet; it does less than it should."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a check found."""

    ok: bool
    detail: str = ""
    """The reason in words, for an operator."""


class Health:
    """The process's named checks, and what in it is a stand-in. Safe from any thread."""

    def __init__(self) -> None:
        self._checks: dict[str, tuple[Level, Callable[[], Reading]]] = {}
        self._stand_ins: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, name: str, check: Callable[[], Reading], level: Level = "ready") -> None:
        """Ask ``check`` at each request; it must not wait for anything. A check that raises has failed."""
        with self._lock:
            self._checks[name] = (level, check)

    def stand_in(self, role: str, says: str) -> None:
        """Tell on every readiness page that ``role`` runs on an embedded stand-in, and for what."""
        with self._lock:
            self._stand_ins[role] = says

    def liveness(self) -> tuple[bool, dict[str, Any]]:
        """Whether all checks of level ``alive`` pass, and the page."""
        return self._report(("alive",), good="alive", bad="dead")

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether all checks but the ``wanted`` ones pass, and the page."""
        ok, page = self._report(("alive", "ready", "wanted"), good="ready", bad="not ready")
        with self._lock:
            page["stand_ins"] = dict(self._stand_ins)
        return ok, page

    def _report(self, levels: tuple[Level, ...], good: str, bad: str) -> tuple[bool, dict[str, Any]]:
        with self._lock:
            checks = [(name, level, check) for name, (level, check) in self._checks.items() if level in levels]
        readings = {name: (level, _ask(check)) for name, level, check in checks}
        failed = {level for level, reading in readings.values() if not reading.ok}
        ok = not failed - {"wanted"}
        return ok, {
            "status": bad if not ok else "degraded" if failed else good,
            "version": __version__,
            "checks": {
                name: {"ok": reading.ok, "level": level, "detail": redact(reading.detail)}
                for name, (level, reading) in readings.items()
            },
        }


def _ask(check: Callable[[], Reading]) -> Reading:
    try:
        return check()
    except Exception as error:  # a broken check must not take the page with it
        return Reading(ok=False, detail=f"check failed: {type(error).__name__}: {error}")


class _Server(ThreadingWSGIServer):
    def server_bind(self) -> None:
        # The base class asks DNS for the machine's name, which can take seconds and is not needed.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Request(WSGIRequestHandler):
    timeout = 5.0  # a client that opens a connection and says nothing holds a thread no longer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Scrapes come every few seconds; they are no news."""


class ObservabilityServer:
    """Serves the pages on a thread of its own between ``start`` and ``close``; a context manager."""

    def __init__(self, registry: CollectorRegistry, health: Health, host: str, port: int) -> None:
        """Bind ``host``:``port``; 0 is any free port.

        Raises:
            ConfigError: the address cannot be had; says what to change.
        """
        self._metrics = make_wsgi_app(registry)
        self._health = health
        kind = _Server6 if ":" in host else _Server
        try:
            self._server = kind((host, port), _Request)
        except OSError as error:
            raise ConfigError(_remedy(host, port, error)) from None
        self._server.set_app(self._answer)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="observability", daemon=True
        )
        self.port = int(self._server.server_port)
        """The port that was bound."""
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()
        log.info("observability_listens", url=self.url, pages=["/metrics", "/healthz", "/readyz"])

    def close(self) -> None:
        """Give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=5.0)
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        match environ.get("PATH_INFO", "/"):
            case "/metrics":
                pages: Iterable[bytes] = self._metrics(environ, start)
                return pages
            case "/healthz":
                ok, page = self._health.liveness()
            case "/readyz":
                ok, page = self._health.readiness()
            case _:
                return _json(start, "404 Not Found", {"pages": ["/metrics", "/healthz", "/readyz"]})
        return _json(start, "200 OK" if ok else "503 Service Unavailable", page)


def _json(start: StartResponse, status: str, page: Mapping[str, Any]) -> list[bytes]:
    body = json.dumps(page, indent=1, ensure_ascii=False).encode() + b"\n"
    start(
        status,
        [
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ],
    )
    return [body]


def _remedy(host: str, port: int, error: OSError) -> str:
    where = f"observability.host {host}, port {port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where}: another process listens there; set observability.port to another, 0 for any, null for none"
    if error.errno == errno.EACCES:
        return f"{where}: ports below 1024 need privileges; set observability.port to 1024 or above"
    return f"{where}: {error.strerror or error}; set observability.host to an address of this machine, e.g. 127.0.0.1"
