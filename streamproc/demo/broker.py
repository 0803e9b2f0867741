"""A development broker: speaks Kafka's protocol over the network, in one small process, for the demo and the tests.

Not for alerts that matter: it keeps its topics in one file that it rewrites, and a power cut loses what it acknowledged
in the last half second. A site has its own Kafka.
"""

from __future__ import annotations

import socket
import subprocess
import time
from importlib.resources import files
from pathlib import Path
from types import TracebackType

from streamproc.demo import children
from streamproc.errors import ConfigError, StreamprocError

_HOST = "127.0.0.1"


class DevBroker:
    """``with DevBroker(folder) as broker``: answers at ``broker.bootstrap`` until the block ends.

    ``stop`` and ``start`` keep port and topics, as a broker that is restarted does.
    """

    def __init__(self, data_dir: Path, port: int | None = None, ready_within_s: float = 20.0) -> None:
        self._data_dir = data_dir
        self._ready_within_s = ready_within_s
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or free_port()

    @property
    def bootstrap(self) -> str:
        """host:port, as Kafka's clients want it."""
        return f"{_HOST}:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The running broker, or None."""
        return self._process

    def start(self) -> None:
        """Start it and wait until it answers in Kafka's protocol.

        Raises:
            ConfigError: it is not installed.
            StreamprocError: it does not answer in time; names its log.
        """
        if self._process is not None:
            return
        self._data_dir.mkdir(parents=True, exist_ok=True)
        log = self._data_dir / "broker.log"
        argv: list[str | Path] = [
            _program(),
            "start",
            "--only",
            "kafka",
            "--kafka-port",
            str(self.port),
            "--host",
            _HOST,
        ]
        with log.open("ab") as out:
            self._process = children.spawn([*argv, "--data-dir", self._data_dir], stdout=out, stderr=out)
        try:
            self._wait_until_it_answers(self._process, log)
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], log: Path) -> None:
        until = time.monotonic() + self._ready_within_s
        while not _answers(self.port):
            if process.poll() is not None or time.monotonic() > until:
                raise StreamprocError(f"the development broker does not answer at {self.bootstrap}; its log: {log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in order; it writes down what it holds first."""
        if self._process is not None:
            children.stop([self._process])
            self._process = None

    def __enter__(self) -> DevBroker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    """A TCP port that nothing listens on at the moment."""
    with socket.create_server((_HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def _program() -> Path:
    """The broker itself; the package's command is a wrapper that would keep our signals from it."""
    try:
        program = Path(str(files("noida_db") / "noida-db"))
    except ModuleNotFoundError:
        raise ConfigError("the development broker is not installed; pip install 'streamproc[demo]'") from None
    if not program.stat().st_mode & 0o100:
        program.chmod(0o755)
    return program


def _answers(port: int) -> bool:
    """Whether an ApiVersions request (version 0, correlation id 7, no client id) gets its answer."""
    request = b"\x00\x12\x00\x00\x00\x00\x00\x07\xff\xff"
    try:
        with socket.create_connection((_HOST, port), timeout=1) as connection:
            connection.sendall(len(request).to_bytes(4, "big") + request)
            return connection.recv(8)[4:] == b"\x00\x00\x00\x07"
    except OSError:
        return False
