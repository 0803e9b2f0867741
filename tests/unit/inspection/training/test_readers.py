"""Readers of labelled folders, on small ones in the documented layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streamproc.errors import ConfigError
from streamproc.inspection.training import readers
from streamproc.inspection.training.records import Record, read_mask, read_picture
from streamproc.inspection.training.sources import open_source


def picture(path: Path, size: tuple[int, int] = (8, 8), value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)
    return path


def told(records: list[Record], root: Path) -> set[tuple[str, int, str, str, str | None]]:
    def name(path: Path | None) -> str | None:
        return None if path is None else path.relative_to(root).as_posix()

    return {(str(name(r.image)), r.label, r.category, r.split, name(r.mask)) for r in records}


def test_mvtec(tmp_path: Path) -> None:
    for name in ("train/good/0.png", "test/good/1.png", "test/cut/2.png", "ground_truth/cut/2_mask.png"):
        picture(tmp_path / "hazelnut" / name)

    assert told(readers.mvtec(tmp_path), tmp_path) == {
        ("hazelnut/train/good/0.png", 0, "hazelnut", "train", None),
        ("hazelnut/test/good/1.png", 0, "hazelnut", "test", None),
        ("hazelnut/test/cut/2.png", 1, "hazelnut", "test", "hazelnut/ground_truth/cut/2_mask.png"),
    }
    assert len(readers.mvtec(tmp_path / "hazelnut")) == 3


def test_btad(tmp_path: Path) -> None:
    for name in ("train/ok/0.bmp", "test/ok/1.bmp", "test/ko/2.bmp", "ground_truth/ko/2.png"):
        picture(tmp_path / "01" / name)

    assert told(readers.btad(tmp_path), tmp_path) == {
        ("01/train/ok/0.bmp", 0, "01", "train", None),
        ("01/test/ok/1.bmp", 0, "01", "test", None),
        ("01/test/ko/2.bmp", 1, "01", "test", "01/ground_truth/ko/2.png"),
    }


def test_visa(tmp_path: Path) -> None:
    for name in ("candle/n.JPG", "candle/a.JPG", "candle/a.png"):
        picture(tmp_path / name)
    table = tmp_path / "split_csv" / "1cls.csv"
    table.parent.mkdir()
    table.write_text(
        "object,split,label,image,mask\ncandle,train,normal,candle/n.JPG,\ncandle,test,anomaly,candle/a.JPG,candle/a.png\n"
    )

    assert told(readers.visa(tmp_path), tmp_path) == {
        ("candle/n.JPG", 0, "candle", "train", None),
        ("candle/a.JPG", 1, "candle", "test", "candle/a.png"),
    }


def test_visa_without_a_column(tmp_path: Path) -> None:
    (tmp_path / "split_csv").mkdir()
    (tmp_path / "split_csv" / "1cls.csv").write_text("object,label,image\na,normal,b\n")

    with pytest.raises(ConfigError, match=r"1cls\.csv: no column split, mask; it has object, label, image"):
        readers.visa(tmp_path)


def test_visa_with_a_short_row(tmp_path: Path) -> None:
    (tmp_path / "split_csv").mkdir()
    (tmp_path / "split_csv" / "1cls.csv").write_text("object,split,label,image,mask\ncandle,train\n")

    with pytest.raises(ConfigError, match=r"1cls\.csv:2: a row of 5 fields"):
        readers.visa(tmp_path)


def test_elpv_leaves_out_the_doubtful(tmp_path: Path) -> None:
    lines = []
    for number, probability in enumerate(("0.0", "0.3333333333333333", "0.6666666666666666", "1.0")):
        picture(tmp_path / f"images/cell{number}.png")
        lines.append(f"images/cell{number}.png  {probability}  {'mono' if number else 'poly'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")

    assert told(readers.elpv(tmp_path), tmp_path) == {
        ("images/cell0.png", 0, "poly", "test", None),
        ("images/cell3.png", 1, "mono", "test", None),
    }


def test_elpv_names_the_line_it_cannot_read(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    (tmp_path / "labels.csv").write_text("images/a.png 0.0 mono\nimages/b.png often mono\n")

    with pytest.raises(ConfigError, match=r"labels\.csv:2: expected name, probability and kind"):
        readers.elpv(tmp_path)


def test_aitex_cuts_strips_into_squares(tmp_path: Path) -> None:
    picture(tmp_path / "Defect_images" / "0001_002_00.png", (24, 8))
    picture(tmp_path / "Defect_images" / "0100_025_08.png", (24, 8))  # handed out without a mask
    picture(tmp_path / "NODefect_images" / "2306881-210020u" / "0001_000_00.png", (24, 8))
    where = np.zeros((8, 24), np.uint8)
    where[3, 10] = 255
    (tmp_path / "Mask_images").mkdir()
    Image.fromarray(where).save(tmp_path / "Mask_images" / "0001_002_00_mask1.png")

    records = readers.aitex(tmp_path)

    assert [(r.split, r.label, r.box) for r in records] == [
        ("test", 0, (0, 0, 8, 8)),
        ("test", 1, (8, 0, 16, 8)),
        ("test", 0, (16, 0, 24, 8)),
        *(("train", 0, box) for box in ((0, 0, 8, 8), (8, 0, 16, 8), (16, 0, 24, 8))),
    ]
    assert {r.category for r in records} == {"00"}
    assert records[1].mask is not None
    assert np.argwhere(read_mask(records[1].mask, records[1].box)).tolist() == [[3, 2]]


def test_bmad(tmp_path: Path) -> None:
    names = ("train/good/0.png", "valid/good/img/1.png", "test/Ungood/img/2.png", "test/Ungood/label/2.png")
    for name in names:
        picture(tmp_path / "Brain_AD" / name)

    assert told(readers.bmad(tmp_path), tmp_path) == {
        ("Brain_AD/train/good/0.png", 0, "Brain_AD", "train", None),
        ("Brain_AD/valid/good/img/1.png", 0, "Brain_AD", "test", None),
        ("Brain_AD/test/Ungood/img/2.png", 1, "Brain_AD", "test", "Brain_AD/test/Ungood/label/2.png"),
    }


def test_yes_and_no(tmp_path: Path) -> None:
    picture(tmp_path / "yes" / "Y1.jpg")
    picture(tmp_path / "no" / "N1.jpeg")

    assert [(r.image.name, r.label) for r in readers.yes_no(tmp_path)] == [("Y1.jpg", 1), ("N1.jpeg", 0)]


def test_head_ct(tmp_path: Path) -> None:
    for number in (0, 1):
        picture(tmp_path / "head_ct" / f"{number:03d}.png")
    (tmp_path / "labels.csv").write_text("id, hemorrhage\n0,1\n1,0\n")

    assert [(r.image.name, r.label) for r in readers.head_ct(tmp_path)] == [("000.png", 1), ("001.png", 0)]


def test_things_in_space_have_nine_sides(tmp_path: Path) -> None:
    folder = tmp_path / "duck" / "test" / "bulge" / "duck_1"
    for side in range(9):
        picture(folder / f"{side}.png", value=side)

    (record,) = readers.rendered(tmp_path)

    assert (record.label, record.category, len(record.views)) == (1, "duck", 8)
    sample = open_source(f"rendered:{tmp_path}", 0, 0, 8).sample(0)
    assert [int(p[0, 0, 0]) for p in sample.pictures] == list(range(9))
    assert sample.mask is None


def test_a_side_that_is_missing_is_named(tmp_path: Path) -> None:
    for side in range(8):
        picture(tmp_path / "duck" / "test" / "good" / "duck_1" / f"{side}.png")

    with pytest.raises(ConfigError, match=r"duck_1: 9 views are needed, missing: 8\.png"):
        readers.rendered(tmp_path)


@pytest.mark.parametrize("name", readers.READERS)
def test_a_folder_of_another_layout_is_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path)):
        readers.READERS[name](tmp_path)
    with pytest.raises(ConfigError, match="absent"):
        readers.READERS[name](tmp_path / "absent")


def test_what_a_table_names_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("images/gone.png 1.0 mono\n")

    with pytest.raises(ConfigError, match=r"gone\.png is named there, but missing"):
        readers.elpv(tmp_path)


def test_pictures_of_all_kinds_become_rgb(tmp_path: Path) -> None:
    deep = tmp_path / "deep.png"
    Image.fromarray(np.array([[0, 4000]], np.uint16)).save(deep)
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (3, 2), (10, 20, 30, 0)).save(clear)

    assert read_picture(deep).tolist() == [[[0, 0, 0], [255, 255, 255]]]
    assert read_picture(clear).shape == (2, 3, 3)
    with pytest.raises(ConfigError, match="no picture"):
        read_picture(tmp_path)


def test_a_sample_of_a_folder_has_its_mask_and_a_flawless_one_an_empty_one(tmp_path: Path) -> None:
    for name in ("train/good/0.png", "test/cut/1.png"):
        picture(tmp_path / "a" / name, (6, 4))
    picture(tmp_path / "a" / "ground_truth/cut/1_mask.png", (6, 4), 255)
    source = open_source(f"mvtec:{tmp_path}", 0, 0, 8)

    good, bad = source.sample(0), source.sample(1)

    assert good.mask is not None
    assert bad.mask is not None
    assert (good.label, bad.label) == (0, 1)
    assert not good.mask.any()
    assert bad.mask.all()
    assert good.mask.shape == (4, 6)


@pytest.mark.parametrize("said", ["photos", "mvtec", "coco:/data"])
def test_an_unknown_source_is_refused(said: str) -> None:
    with pytest.raises(ConfigError, match="expected synthetic or LAYOUT:DIR"):
        open_source(said, 0, 2, 8)
