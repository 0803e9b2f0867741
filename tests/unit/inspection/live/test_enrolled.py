"""The file of enrolled pictures: whole, private, hashed; and refused with a reason where it is not what was written."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from streamproc.errors import ConfigError
from streamproc.inspection.live.enrolled import Clip, Enrolled, Header, KnownThing
from streamproc.testing_defects import checked


def enrolled(count: int = 2) -> Enrolled:
    pictures = tuple(checked(40 + number, 30) for number in range(count))
    header = Header(
        site="site",
        camera="gate",
        learned_at="2026-11-21T08:00:00+00:00",
        clips=(Clip(name="normal.mp4", sha256="ab" * 32),),
        things={"region valve": KnownThing(pictures=count, seen_as="cd" * 32)},
    )
    return Enrolled(header, {"region valve": pictures})


def test_what_was_saved_is_loaded_to_the_pixel(tmp_path: Path) -> None:
    path = tmp_path / "gate.inspection.zip"
    enrolled().save(path)
    again = Enrolled.load(path)
    for one, other in zip(enrolled().pictures["region valve"], again.pictures["region valve"], strict=True):
        assert np.array_equal(one, other)
    assert again.header.camera == "gate"
    assert len(again.revision) == 12
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    before = path.read_bytes()
    enrolled().save(path)
    assert path.read_bytes() == before


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "gate.inspection.zip"
    enrolled().save(path)
    path.chmod(0o640)
    enrolled(3).save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert len(Enrolled.load(path).pictures["region valve"]) == 3


def rewritten(path: Path, name: str, data: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for one, content in {**files, name: data}.items():
            archive.writestr(one, content)


def test_a_file_that_was_changed_or_is_another_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "gate.inspection.zip"
    for name, data, said in (
        ("region valve/00.png", b"another picture", "was changed since it was learned"),
        ("header.json", b"{}", "its form is not streamproc.inspection"),
        ("header.json", b'{"form": "streamproc.inspection", "schema_version": 2}', "of version 2, but 1"),
        ("header.json", b'{"form": "streamproc.inspection", "schema_version": 1}', "site: Field required"),
    ):
        enrolled().save(path)
        rewritten(path, name, data)
        with pytest.raises(ConfigError, match=said) as refused:
            Enrolled.load(path)
        assert "`streamproc inspect enrol`" in str(refused.value)
    path.write_bytes(b"no archive")
    with pytest.raises(ConfigError, match="not an archive"):
        Enrolled.load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        Enrolled.load(tmp_path / "none.zip")


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gate.inspection.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", b" " * 70_000_000)
    with pytest.raises(ConfigError, match="larger than 64 MB"):
        Enrolled.load(path)
