from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.wholefile import private_file


def test_a_new_file_is_its_owners_and_one_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    for mode, said in ((0o600, b"one"), (0o640, b"other")):
        if path.exists():
            path.chmod(mode)
        with private_file(path) as file:
            file.write(said)
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (said, mode)
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"whole")

    def half() -> None:
        with private_file(path) as file:
            file.write(b"half")
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        half()
    assert path.read_bytes() == b"whole"
