"""What is replaced is kept: bounded, named by version and content, with the time it was written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from streamproc.errors import ConfigError
from streamproc.rules import history

TEXT = "schema_version: 1\nsite: site\ncamera: gate\nversion: {version}\nrules: []\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate.yaml"


def write(path: Path, version: int, more: str = "", at_s: int = 1_000_000) -> bytes:
    path.write_text(TEXT.format(version=version) + more)
    os.utime(path, (at_s + version, at_s + version))
    return path.read_bytes()


def test_what_is_kept_is_what_was_there_with_its_time_and_mode(path: Path) -> None:
    data = write(path, 3)
    path.chmod(0o640)
    history.keep(path, data)
    (one,) = history.kept(path)
    assert one.path.parent == path.parent / ".history" / "gate"
    assert one.path.name == f"000003-{one.sha}.yaml"
    assert one.path.read_bytes() == data
    assert one.written_at.timestamp() == 1_000_003
    assert stat.S_IMODE(one.path.stat().st_mode) == 0o640
    history.keep(path, data)
    assert len(history.kept(path)) == 1


def test_the_oldest_beyond_the_bound_go_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT_VERSIONS", 3)
    for version in (2, 1, 3, 4, 10):
        history.keep(path, write(path, version))
    assert [one.version for one in history.kept(path)] == [3, 4, 10]


def test_edits_without_a_new_number_are_told_apart(path: Path) -> None:
    for more in ("# one\n", "# two\n"):
        history.keep(path, write(path, 3, more))
    first, second = history.kept(path)
    assert history.find(path, first.name) == first
    assert history.find(path, f"3-{second.sha[:6]}") == second
    with pytest.raises(ConfigError, match=f"say which: {first.name}, {second.name}"):
        history.find(path, "3")


def test_a_version_that_is_not_kept_is_told_with_those_that_are(path: Path) -> None:
    with pytest.raises(ConfigError, match="none was replaced yet"):
        history.find(path, "1")
    for version in (1, 2):
        history.keep(path, write(path, version))
    with pytest.raises(ConfigError, match=r"no version 7 is kept; there are 1, 2"):
        history.find(path, "7")
    with pytest.raises(ConfigError, match="no version x is kept"):
        history.find(path, "x")


def test_what_does_not_load_is_kept_too(path: Path) -> None:
    path.write_text("version: 4\nrules: [")
    history.keep(path, path.read_bytes())
    path.write_text("{")
    history.keep(path, path.read_bytes())
    assert [one.version for one in history.kept(path)] == [0, 4]


def test_the_history_is_the_files_whatever_link_leads_to_it(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.yaml"
    link.parent.mkdir()
    history.keep(path, write(path, 1))
    link.symlink_to(path)
    history.keep(link, write(path, 2))
    assert [one.version for one in history.kept(link)] == [1, 2]


def test_a_calibration_is_kept_as_long_as_a_version_names_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = "ab" * 32
    history.keep_calibration(path, sha256, b"{}")
    assert history.kept_calibration(path, sha256) is None
    history.keep(path, write(path, 1, f"# {sha256}\n"))
    history.keep_calibration(path, sha256, b"{}")
    kept = history.kept_calibration(path, sha256)
    assert kept is not None
    assert kept.read_bytes() == b"{}"
    monkeypatch.setattr(history, "KEPT_VERSIONS", 1)
    history.keep(path, write(path, 2))
    assert history.kept_calibration(path, sha256) is None


def test_a_history_that_cannot_be_written_is_told(path: Path) -> None:
    (path.parent / ".history").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        history.keep(path, write(path, 1))
