from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from streamproc.errors import ConfigError
from streamproc.evaluation.captioned import CaptionedVideo, load_captioned


def row(video: str = "a", frame: object = 0, label: object = 0, caption: object = "A man walks.") -> dict[str, object]:
    return {"video": video, "frame": frame, "label": label, "caption": caption}


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz"])
def test_videos_come_in_the_order_of_the_file_and_frames_in_their_own(tmp_path: Path, name: str) -> None:
    rows = [row("b", 1, 1, "B1."), row("a", 0, 0, "A0."), row("b", 0, 0, "B0."), row("b", 10, 1, "B10.")]
    rows.append({**row("b", 2, 1, "B2."), "more": "is passed over"})

    videos = load_captioned(write(tmp_path / name, rows))

    assert videos == (
        CaptionedVideo("b", (0, 1, 2, 10), (0, 1, 1, 1), ("B0.", "B1.", "B2.", "B10.")),
        CaptionedVideo("a", (0,), (0,), ("A0.",)),
    )
    assert videos[0].normal() == ("B0.",)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (row(), "frame: frame 0 of video a is there twice"),
        ({"video": "a", "frame": 1, "caption": "x"}, "label: missing; a line holds video, frame, label, caption"),
        (row(frame=1, label=2), "label: must be 0 or 1, not 2"),
        (row(frame=1, label=True), "label: must be 0 or 1, not True"),
        (row(frame=1, label=0.5), "label: must be 0 or 1, not 0.5"),
        (row(frame=-1), "frame: must be a whole number from 0 on, not -1"),
        (row(frame="1"), "frame: must be a whole number from 0 on, not '1'"),
        (row(video="", frame=1), "video: must be a name in quotes"),
        (row(frame=1, caption=None), "caption: must be text"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, second: dict[str, object], told: str) -> None:
    path = write(tmp_path / "c.jsonl.gz", [row(), second])

    with pytest.raises(ConfigError) as error:
        load_captioned(path)

    assert str(error.value) == f"{path}:2: {told}"


@pytest.mark.parametrize("line", [b"[1]", b"{", b'"\xff"', b"1"])
def test_a_line_that_is_no_object_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(b"\n" + line)

    with pytest.raises(ConfigError, match=r"c\.jsonl:2: not a JSON object"):
        load_captioned(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    cut = write(tmp_path / "cut.jsonl.gz", [row(frame=n, caption=f"{n * 7919} walk.") for n in range(200)])
    cut.write_bytes(cut.read_bytes()[:-200])
    plain = tmp_path / "plain.jsonl.gz"
    plain.write_bytes(b"{}")
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"\n")
    for path, told in (
        (cut, "cut short or damaged"),
        (plain, "cannot be read"),
        (empty, "holds no captions"),
        (tmp_path / "none.jsonl", "cannot be read: No such file"),
        (tmp_path, "captions come as .jsonl or .jsonl.gz"),
    ):
        with pytest.raises(ConfigError, match=told) as error:
            load_captioned(path)
        assert str(path) in str(error.value)
