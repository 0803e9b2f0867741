"""`inspect images`: rows, overlays, mistakes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from streamproc.cli import app
from streamproc.commands import inspecting_images
from streamproc.errors import ConfigError
from streamproc.inspected import Row, as_csv, inspect_folder, overlay
from streamproc.testing_inspection import FakeBackbone


def draw(path: Path, seed: int, spot: bool = False) -> None:
    pixels = np.random.default_rng(seed).integers(95, 105, (64, 64, 3), np.uint8)
    if spot:
        pixels[16:24, 40:48] = (0, 0, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        draw(tmp_path / "normal" / f"{number}.png", number)
    draw(tmp_path / "asked" / "fine.png", 10)
    draw(tmp_path / "asked" / "line 2" / "spot.PNG", 11, spot=True)
    (tmp_path / "asked" / "notes.txt").write_text("no picture")
    return tmp_path


def rows(folder: Path, heatmaps: Path | None = None) -> list[Row]:
    return inspect_folder(
        folder / "asked",
        folder / "normal",
        FakeBackbone(),
        None,
        kind="knn",
        heatmaps=heatmaps,
        tell=lambda *_: None,
        unread=lambda _: None,
    )


def test_what_differs_from_the_normal_ones_is_a_defect(folder: Path) -> None:
    fine, spot = rows(folder)
    assert (fine.image, fine.defect) == ("fine.png", False)
    assert (spot.image, spot.defect, spot.by, spot.expert) == ("line 2/spot.PNG", True, "memory", None)
    assert fine.score < 0.5 < spot.score


def test_overlays_are_red_where_it_differs(folder: Path) -> None:
    rows(folder, folder / "out")
    shown = cv2.imread(str(folder / "out" / "line 2" / "spot.PNG.png"))
    before = cv2.imread(str(folder / "asked" / "line 2" / "spot.PNG"))
    assert shown is not None
    assert before is not None
    moved = np.abs(shown.astype(int) - before.astype(int)).sum(2)
    assert moved[16:24, 40:48].mean() > 20 * max(moved[40:, :20].mean(), 0.01)
    assert (folder / "out" / "fine.png.png").is_file()


def test_an_overlay_leaves_what_is_cold_as_it_is() -> None:
    pixels = np.full((8, 8, 3), 200, np.uint8)
    np.testing.assert_array_equal(overlay(pixels, np.full((2, 2), 0.25, np.float32)), pixels)
    hot = overlay(pixels, np.ones((2, 2), np.float32))[0, 0]
    assert hot[0] > hot[2]  # red


def test_rows_as_csv() -> None:
    text = as_csv([Row("a,b.png", 0.25, True, "memory", 1.5, None)])
    assert text == 'image,score,defect,by,memory,expert\n"a,b.png",0.2500,1,memory,1.5000,\n'


@pytest.mark.parametrize(
    ("asked", "normal", "match"),
    [
        ("asked", None, "nothing to hold pictures against"),
        ("nowhere", "normal", "nowhere: there is no such folder"),
        ("asked", "nowhere", "nowhere: there is no such folder"),
        ("hollow", "normal", "hollow holds no pictures"),
        ("asked", "asked/line 2", "holds one picture"),
    ],
)
def test_mistakes_are_named(folder: Path, asked: str, normal: str | None, match: str) -> None:
    (folder / "hollow").mkdir()
    with pytest.raises(ConfigError, match=match):
        inspect_folder(
            folder / asked,
            None if normal is None else folder / normal,
            FakeBackbone(),
            None,
            kind="knn",
            heatmaps=None,
            tell=lambda *_: None,
            unread=lambda _: None,
        )


def test_a_picture_that_cannot_be_read_is_left_out_and_told_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "asked" / "torn.png").write_bytes(b"no picture")
    monkeypatch.setattr(inspecting_images, "inspection_parts", lambda *_: (FakeBackbone(), None))
    ran = CliRunner().invoke(app, ["inspect", "images", str(folder / "asked"), "--normal", str(folder / "normal")])
    assert ran.exit_code == 1
    first, *rows = ran.stdout.splitlines()
    assert first.startswith("image,score,")
    assert rows
    assert not any("torn.png" in row for row in rows)
    assert ran.stderr.splitlines()[-1] == f"error: {folder / 'asked' / 'torn.png'} cannot be read as a picture"


@pytest.mark.parametrize("more", [0, 10])
def test_the_command_warns_of_few_normal_pictures_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    for number in range(6, 6 + more):
        draw(folder / "normal" / f"{number}.png", number)
    monkeypatch.setattr(inspecting_images, "inspection_parts", lambda *_: (FakeBackbone(), None))
    ran = CliRunner().invoke(app, ["inspect", "images", str(folder / "asked"), "--normal", str(folder / "normal")])
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith("image,score,")
    warnings = [line for line in ran.stderr.splitlines() if line.startswith("warning: ")]
    assert [f"{folder / 'normal'}: 6 normal pictures are few" in line for line in warnings] == ([] if more else [True])
