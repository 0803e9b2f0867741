"""Labelled folders as they are handed out, to records: which picture, defective or not, where, of what.

Each reader knows one documented layout and says what it missed where a folder is another. None of them downloads
anything; each set has a licence of its own, and most allow research only.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from PIL import Image

from streamproc.errors import ConfigError
from streamproc.inspection.training.records import Record, Split, read_mask

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
Reader = Callable[[Path], list[Record]]


def mvtec(root: Path) -> list[Record]:
    """MVTec AD, and MPDD in its layout: ``CLASS/train/good``, ``CLASS/test/KIND``, ``CLASS/ground_truth/KIND``."""
    records = []
    for category in _folders(root, "train"):
        for split in _SPLITS:
            for kind in _subfolders(category / split):
                bad = kind.name != "good"
                truth = category / "ground_truth" / kind.name
                for image in _pictures(kind):
                    mask = _with_stem(truth, f"{image.stem}_mask") if bad else None
                    records.append(Record(image, int(bad), category.name, split, mask))
    return _some(records, root, "CLASS/train/good/*.png and CLASS/test/KIND/*.png")


def btad(root: Path) -> list[Record]:
    """BTAD: ``01/train/ok``, ``01/test/ok``, ``01/test/ko``, ``01/ground_truth/ko`` with the pictures' own names."""
    records = []
    for category in _folders(root, "train"):
        for split in _SPLITS:
            for kind in ("ok", "ko"):
                for image in _pictures(category / split / kind):
                    mask = _with_stem(category / "ground_truth" / "ko", image.stem) if kind == "ko" else None
                    records.append(Record(image, int(kind == "ko"), category.name, split, mask))
    return _some(records, root, "01/train/ok/* and 01/test/{ok,ko}/*")


def visa(root: Path) -> list[Record]:
    """VisA: the official one-class split ``split_csv/1cls.csv`` (object, split, label, image, mask)."""
    table = root / "split_csv" / "1cls.csv"
    records = []
    for row in _rows(table, ("object", "split", "label", "image", "mask")):
        split: Split = "train" if row["split"] == "train" else "test"
        mask = root / row["mask"] if row["mask"] else None
        records.append(Record(root / row["image"], int(row["label"] != "normal"), row["object"], split, mask))
    return _some(records, root, "split_csv/1cls.csv with rows")


def elpv(root: Path) -> list[Record]:
    """ELPV: ``labels.csv`` of name, defect probability and kind of cell; the doubtful thirds are left out."""
    table = root / "labels.csv"
    records = []
    for number, line in enumerate(_text(table).splitlines(), 1):
        if not line.strip():
            continue
        try:
            name, probability, kind = line.replace(",", " ").split()
            likely = float(probability)
        except ValueError:
            if number == 1:
                continue  # a header
            raise ConfigError(f"{table}:{number}: expected name, probability and kind, got {line!r}") from None
        if likely in (0.0, 1.0):
            records.append(Record(root / name, int(likely), kind, "test"))
    return _some(records, root, "labels.csv with rows")


def aitex(root: Path) -> list[Record]:
    """AITEX: ``Defect_images``, ``NODefect_images/FABRIC`` and ``Mask_images``; strips become squares.

    A square has the strip's height; it is defective where one of the strip's masks (``_mask``, or ``_mask1`` and
    ``_mask2``) is not black.
    """
    records = []
    for image in _pictures(root / "Defect_images"):
        masks = sorted((root / "Mask_images").glob(f"{image.stem}_mask*.png"))
        if not masks:
            continue  # some strips were handed out without a mask: where they are defective nobody knows
        for box in _squares(image):
            hit = next((mask for mask in masks if read_mask(mask, box).any()), None)
            records.append(Record(image, int(hit is not None), _fabric(image), "test", hit, box))
    for folder in _subfolders(root / "NODefect_images"):
        for image in _pictures(folder):
            records += [Record(image, 0, _fabric(image), "train", box=box) for box in _squares(image)]
    return _some(records, root, "Defect_images, NODefect_images/FABRIC and Mask_images")


def bmad(root: Path) -> list[Record]:
    """BMAD's sets: ``train/good``, ``{valid,test}/{good,Ungood}/img`` and ``…/Ungood/label``; one, or several."""
    records = []
    for category in _folders(root, "train"):
        good = category / "train" / "good"
        records += [Record(image, 0, category.name, "train") for image in _pictures(good) + _pictures(good / "img")]
        for part in ("valid", "test"):
            for kind in _subfolders(category / part):
                bad = kind.name.lower() == "ungood"
                pictures = kind / "img" if (kind / "img").is_dir() else kind
                for image in _pictures(pictures):
                    mask = _with_stem(kind / "label", image.stem) if bad else None
                    records.append(Record(image, int(bad), category.name, "test", mask))
    return _some(records, root, "train/good and test/{good,Ungood}/img")


def yes_no(root: Path) -> list[Record]:
    """BrainMRI and Br35H: a folder ``yes`` (ill) and a folder ``no``."""
    records = [
        Record(image, int(kind == "yes"), root.name, "test")
        for kind in ("yes", "no")
        for image in _pictures(root / kind)
    ]
    return _some(records, root, "yes/* and no/*")


def head_ct(root: Path) -> list[Record]:
    """HeadCT: ``labels.csv`` (id, hemorrhage) and ``head_ct/NNN.png``."""
    records = []
    for row in _rows(root / "labels.csv", ("id", "hemorrhage")):
        image = root / "head_ct" / f"{int(row['id']):03d}.png"
        records.append(Record(image, int(row["hemorrhage"]), "head_ct", "test"))
    return _some(records, root, "labels.csv with rows")


def rendered(root: Path) -> list[Record]:
    """Things in space as nine pictures each: ``CLASS/{train,test}/KIND/THING/0.png`` to ``8.png`` (``renders``).

    Raises:
        ConfigError: a thing has not nine pictures; naming it.
    """
    records = []
    for category in _folders(root, "test"):
        for split in _SPLITS:
            for kind in _subfolders(category / split):
                for thing in _subfolders(kind):
                    sides = tuple(thing / f"{side}.png" for side in range(SIDES))
                    missing = [side.name for side in sides if not side.is_file()]
                    if missing:
                        raise ConfigError(f"{thing}: {SIDES} views are needed, missing: {', '.join(missing)}")
                    bad = int(kind.name != "good")
                    records.append(Record(sides[0], bad, category.name, split, views=sides[1:]))
    return _some(records, root, "CLASS/test/KIND/THING/0.png … 8.png")


SIDES = 9
"""Views of a thing in space (Anomaly-OV, supplement A1)."""

READERS: Mapping[str, Reader] = {
    "mvtec": mvtec,
    "mpdd": mvtec,
    "btad": btad,
    "visa": visa,
    "elpv": elpv,
    "aitex": aitex,
    "bmad": bmad,
    "yes-no": yes_no,
    "head-ct": head_ct,
    "rendered": rendered,
}
"""By the name that ``--sources NAME:DIR`` takes."""

_SPLITS: tuple[Split, Split] = ("train", "test")


def _some(records: list[Record], root: Path, expected: str) -> list[Record]:
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder")
    if not records:
        raise ConfigError(f"{root}: no pictures found; expected {expected}")
    gone = next((path for r in records for path in (r.image, r.mask) if path is not None and not path.is_file()), None)
    if gone is not None:
        raise ConfigError(f"{root}: {gone} is named there, but missing")
    return records


def _folders(root: Path, inner: str) -> list[Path]:
    """The classes of a set: the folders with ``inner`` in them, or ``root`` itself where it is one class."""
    if (root / inner).is_dir():
        return [root]
    return [folder for folder in _subfolders(root) if (folder / inner).is_dir()]


def _subfolders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES) if folder.is_dir() else []


def _with_stem(folder: Path, stem: str) -> Path | None:
    return next((path for path in _pictures(folder) if path.stem == stem), None)


def _fabric(image: Path) -> str:
    return image.stem.rsplit("_", 1)[-1]


def _squares(image: Path) -> Iterator[tuple[int, int, int, int]]:
    with Image.open(image) as opened:
        width, height = opened.size
    for left in range(0, width - height + 1, height):
        yield left, 0, left + height, height


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    table = csv.DictReader(_text(path).splitlines(), skipinitialspace=True)
    have = [name.strip() for name in table.fieldnames or ()]
    absent = [column for column in columns if column not in have]
    if absent:
        raise ConfigError(f"{path}: no column {', '.join(absent)}; it has {', '.join(have) or 'none'}")
    rows = []
    for row in table:
        if None in row.values():
            raise ConfigError(f"{path}:{table.line_num}: a row of {len(have)} fields is expected")
        rows.append({name.strip(): value.strip() for name, value in row.items() if name is not None})
    return rows
