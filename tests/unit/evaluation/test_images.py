"""`eval images` on drawn pictures: what is drawn, left out, told apart, and said of mistakes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from streamproc.errors import ConfigError
from streamproc.evaluation.images import ImagesReport, evaluate_images
from streamproc.evaluation.labelled_images import LabelledImage, load_labels
from streamproc.inspection.nouns import Features, Reading, Score, Views
from streamproc.testing_inspection import FakeBackbone


class Counting(FakeBackbone):
    """How often it was asked."""

    encoded = 0

    def encode(self, views: Views) -> Features:
        self.encoded += 1
        return super().encode(views)


def draw(folder: Path, name: str, seed: int, level: int = 100, spot: bool = False) -> None:
    pixels = np.random.default_rng(seed).integers(level - 5, level + 5, (64, 64, 3), np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    if spot:
        pixels[16:24, 40:48] = (0, 0, 255)
        mask[16:24, 40:48] = 255
    cv2.imwrite(str(folder / f"{name}.png"), pixels)
    cv2.imwrite(str(folder / f"{name}_mask.png"), mask)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = ["image,mask,class,label"]
    for number in range(12):
        draw(tmp_path, f"good{number}", number)
        lines.append(f"good{number}.png,,free,0")
    for number in range(4):
        draw(tmp_path, f"bad{number}", 20 + number, spot=True)
        lines.append(f"bad{number}.png,bad{number}_mask.png,{'spot' if number % 2 else 'stain'},1")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def report(folder: Path, backbone: FakeBackbone | None = None, shots: int = 4, seeds: int = 2) -> ImagesReport:
    images = load_labels(folder, folder / "labels.csv")
    return evaluate_images(
        images, backbone or FakeBackbone(), None, shots=shots, seeds=seeds, kind="knn", tell=lambda *_: None
    )


def test_drawn_defects_are_told_apart_and_where(folder: Path) -> None:
    said = report(folder)
    assert said.overall.image_auroc == said.overall.ap == said.overall.f1_max == 1.0
    assert said.overall.pixel_auroc is not None
    assert said.overall.pixel_auroc > 0.95
    assert said.overall.aupro is not None
    assert said.overall.aupro > 0.8
    assert (said.overall.caught, said.image_auroc_of_seeds) == (1.0, (1.0, 1.0))
    assert "image_auroc" in str(said)


def test_normals_that_were_learned_from_are_not_scored(folder: Path) -> None:
    said = report(folder)
    assert (said.overall.normal, said.overall.anomalous) == (8, 4)


def test_classes_of_one_label_are_kinds_of_defects(folder: Path) -> None:
    said = report(folder)
    assert {name: one.anomalous for name, one in said.classes.items()} == {"spot": 2, "stain": 2}
    assert said.classes["spot"].normal == 8


def test_classes_of_both_labels_are_things_with_a_memory_each(tmp_path: Path) -> None:
    """Dark and bright things: with one memory for both, a dark spot on a bright thing would be as usual."""
    lines = ["image,label,class"]
    for thing, level in (("dark", 60), ("bright", 180)):
        for number in range(5):
            draw(tmp_path, f"{thing}{number}", number, level)
            lines.append(f"{thing}{number}.png,0,{thing}")
        draw(tmp_path, f"{thing}9", 9, level, spot=True)
        lines.append(f"{thing}9.png,1,{thing}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    said = report(tmp_path, shots=3, seeds=1)
    assert {name: (one.normal, one.anomalous) for name, one in said.classes.items()} == {
        "dark": (2, 1),
        "bright": (2, 1),
    }
    assert said.overall.image_auroc == 1.0


def test_each_picture_is_encoded_once(folder: Path) -> None:
    backbone = Counting()
    report(folder, backbone, seeds=3)
    drawn = {i for seed in range(3) for i in np.random.default_rng(seed).choice(12, 4, replace=False)}
    assert backbone.encoded == 16 + 4 * len(drawn)  # those that are learned from once more, with their mirror images


def test_seeds_draw_differently_and_the_same_again(folder: Path) -> None:
    assert report(folder) == report(folder)


@pytest.mark.parametrize(("shots", "match"), [(12, "12 normal pictures are too few for 12 shots"), (0, "--expert")])
def test_what_cannot_be_measured_is_said(folder: Path, shots: int, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        report(folder, shots=shots)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", r"labels\.csv:1: needs a first line"),
        ("picture,label\n", r"labels\.csv:1: .*without image"),
        ("image,label\n", "holds no labels"),
        ("image,label\ngood0.png,2\n", r"labels\.csv:2: label: is 0 .*not '2'"),
        ("image,label\ngood0.png,0\nnone.png,0\n", r"labels\.csv:3: image: there is no file"),
        ("image,label,mask\ngood0.png,0,none.png\n", r"labels\.csv:2: mask: there is no file"),
        ("image,label\ngood0.png,0\ngood0.png,1\n", r"labels\.csv:3: image: good0.png stands in line 2 too"),
    ],
)
def test_a_mistake_in_labels_names_its_line(folder: Path, text: str, match: str) -> None:
    (folder / "labels.csv").write_text(text)
    with pytest.raises(ConfigError, match=match):
        load_labels(folder, folder / "labels.csv")


def test_a_picture_that_is_none_is_named(folder: Path) -> None:
    (folder / "good3.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"good3\.png cannot be read as a picture"):
        report(folder)


def test_labels_are_relative_to_the_folder(folder: Path) -> None:
    first = load_labels(folder, folder / "labels.csv")[0]
    assert first == LabelledImage(folder / "good0.png", 0, None, "free")


def test_what_it_costs_is_told(folder: Path) -> None:
    """On a clock by which the encoder takes 4 s a crop and the expert 1 s."""
    now = 0.0

    class Slow(FakeBackbone):
        def encode(self, views: Views) -> Features:
            nonlocal now
            now += 4
            return super().encode(views)

    class Expert:
        revision = "fake"
        close_ups = 1

        def score(self, features: Features) -> Reading:
            nonlocal now
            now += 1
            maps = np.full((1, features.side, features.side), 0.5, np.float32)
            return Reading(Score(0.5, maps[0], "expert"), 0.0, maps, maps, maps)

    def clock() -> float:
        nonlocal now
        now += 0.5  # asked before and after: half a second of each part is the clock's own
        return now

    images = load_labels(folder, folder / "labels.csv")
    quiet = {"shots": 4, "seeds": 1, "tell": lambda *_: None}
    said = evaluate_images(images, Slow(), Expert(), clock=clock, **quiet)  # type: ignore[arg-type]
    assert said.crops_a_s == pytest.approx(1 / (4.5 + 1.5 + 0.5))
    assert said.beside_encoder == pytest.approx((1.5 + 0.5) / 4.5)
    assert "0.2 crops a second of a core; expert and memory take 44 % of the encoder's time" in str(said)
    still = evaluate_images(images, FakeBackbone(), None, clock=lambda: 0.0, **quiet)  # type: ignore[arg-type]
    assert (still.crops_a_s, still.beside_encoder) == (None, None)
    assert "crops a second" not in str(still)
