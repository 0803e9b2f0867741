"""Real language-model servers, as `prepare.py` here installs them; without them each test is skipped and says so.

Each server runs once for all tests, on a free port of the loopback address, and is ended with them.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamproc.config import LlmSettings, ServerSettings
from streamproc.modelserver import ModelServer
from streamproc.runtime.clock import SystemClock

HERE = Path(__file__).parent
ROOT = Path(os.environ.get("STREAMPROC_SERVERS", Path.home() / ".cache" / "streamproc" / "servers"))
READY_S = 400


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    base_url: str
    model: str
    version: str
    directory: Path
    """Of its environment."""

    def settings(self, **changes: object) -> LlmSettings:
        """Patient ones: two cores answer slowly."""
        patient = {"deadline_s": 300.0, "retries": 0, "max_tokens": 250, "samples": 1, "temperature": 0.0}
        return LlmSettings.model_validate({"base_url": f"{self.base_url}/v1", "model": self.model} | patient | changes)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for marker in ("integration", "slow", "server"):
                item.add_marker(marker)
            item.add_marker(pytest.mark.timeout(1800))


def needed(what: str, *paths: Path) -> None:
    """Skip, loudly, where something was not prepared."""
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        pytest.skip(
            f"NOT PROVED ON THIS MACHINE: {what} is not there ({', '.join(missing)}); "
            f"python {HERE / 'prepare.py'} DIRECTORY, then STREAMPROC_SERVERS=DIRECTORY"
        )


@contextmanager
def running(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process group of its own, which is ended as a whole."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if "serve_llama.py" in " ".join(command) else errors,
            stderr=errors,
            env=os.environ | environment,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it lists its models."""
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/v1/models", timeout=5):  # noqa: S310 - an address of our own
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise AssertionError(f"{url} is not ready: {log.read_text(errors='replace')[-3000:]}")


def version_of(python: Path, package: str) -> str:
    """The version installed beside ``python``."""
    ask = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def serving(log: Path, model: Path, name: str, *options: str, **environment: str) -> Iterator[Served]:
    """A vLLM server that is ready."""
    directory = ROOT / "vllm"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(str(directory / "bin" / "vllm"), "serve", str(model), "--served-model-name", name),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"),
        *("--max-model-len", "8192", "--max-num-seqs", "8", *options),
    ]
    path = f"{directory / 'bin'}:{os.environ['PATH']}"
    usual = {"PATH": path, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    with running(command, log, usual | environment) as process:
        began_s = time.monotonic()
        wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        version = version_of(directory / "bin" / "python", "vllm")
        print(
            f"\nvLLM {version}, {name}, ready in {time.monotonic() - began_s:.0f} s: "
            f"{' '.join(command[1:2] + command[3:]).replace(f' {port}', ' PORT')}"
        )
        yield Served(f"http://127.0.0.1:{port}", name, version, directory)


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A vLLM server with the tiny model."""
    model = ROOT / "smollm2"
    needed("a vLLM server", ROOT / "vllm" / "bin" / "vllm", model / "model.safetensors")
    with serving(tmp_path_factory.mktemp("vllm") / "log", model, "smollm2", "--enable-prefix-caching") as served:
        yield served


@pytest.fixture(scope="session")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A vLLM server with the tiny vision-language model."""
    model, vision = ROOT / "tiny-llava", ROOT / "vision"
    needed("a vLLM server that takes pictures", ROOT / "vllm" / "bin" / "vllm", vision, model / "model.safetensors")
    # A model of random weights would fill its reply with white space, where JSON permits any.
    compact = ("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}')
    limit = ("--limit-mm-per-prompt", '{"image": 4}')
    log = tmp_path_factory.mktemp("vlm") / "log"
    with serving(log, model, "tiny-llava", *limit, *compact, PYTHONPATH=str(vision)) as served:
        yield served


@pytest.fixture(scope="session")
def onevision(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A vLLM server with the tiny LLaVA-OneVision, which takes tokens in place of pictures."""
    model, vision = ROOT / "tiny-onevision", ROOT / "vision"
    needed("a LLaVA-OneVision server", ROOT / "vllm" / "bin" / "vllm", vision, model / "projector.npz")
    compact = ("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}')
    options = ("--limit-mm-per-prompt", '{"image": 2, "video": 0}', "--enable-mm-embeds")
    log = tmp_path_factory.mktemp("onevision") / "log"
    with serving(log, model, "tiny-onevision", *options, *compact, PYTHONPATH=str(vision)) as served:
        yield served


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """llama.cpp's server with the small judge."""
    directory, model = ROOT / "llama", ROOT / "judge.gguf"
    needed("the small judge", directory / "bin" / "python", model)
    log = tmp_path_factory.mktemp("llama") / "log"
    command = [str(directory / "bin" / "python"), str(HERE / "serve_llama.py"), str(model)]
    with running(command, log, {}) as process:
        assert process.stdout is not None
        address = process.stdout.readline().decode().strip()
        wait_until_ready(address, process, log)
        version = version_of(directory / "bin" / "python", "xllamacpp")
        print(f"\nllama.cpp (xllamacpp {version}), Qwen2.5-Coder-1.5B-Instruct Q4_K_M")
        yield Served(address, str(model), version, directory)


@pytest.fixture
def client() -> Iterator[Callable[[ServerSettings], ModelServer]]:
    """Makes clients, and closes them."""
    made: list[ModelServer] = []

    def make(settings: ServerSettings) -> ModelServer:
        made.append(ModelServer(settings, SystemClock()))
        return made[-1]

    yield make
    for one in made:
        one.close()
