from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamproc.backtest.benchmark import Benchmark, clips_in, of_dataset, of_folders
from streamproc.errors import ConfigError
from streamproc.testing_sources import write_pictures


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("clip,frame,label\n01_b,0,1\n02_c.avi,0,0\nspare,0,0\n")
    return path


def test_clips_are_videos_and_folders_of_pictures(tmp_path: Path, labels: Path) -> None:
    train = touch(tmp_path / "train", "01.mp4", "notes.txt", "._01.mp4")
    test = touch(tmp_path / "test", "02_c.avi", "labels.mat")
    write_pictures(test / "01_b", ".jpg")
    (test / "masks").mkdir()

    found = of_folders(train, test, labels, frame_rate=24.0)

    assert found.normal == (train / "01.mp4",)
    assert found.test == {test / "01_b": {0: 1}, test / "02_c.avi": {0: 0}}
    assert found.by_camera() == {"camera": found}


def test_what_is_wrong_with_folders_is_told(tmp_path: Path, labels: Path) -> None:
    train, test = touch(tmp_path / "train", "01.mp4"), touch(tmp_path / "test", "02_c.avi")
    pictures = write_pictures(tmp_path / "frames" / "01_b")

    with pytest.raises(ConfigError, match=r"--train .*none cannot be read: No such file"):
        of_folders(tmp_path / "none", test, labels)
    with pytest.raises(ConfigError, match=r"--test .*empty holds no clips; a clip is"):
        of_folders(train, touch(tmp_path / "empty", "a.txt"), labels)
    with pytest.raises(ConfigError, match=r"01_b holds pictures itself: name the folder above it"):
        clips_in(pictures, "--test")
    with pytest.raises(ConfigError, match=r"01_b is a folder of pictures, .* say --frame-rate"):
        of_folders(train, tmp_path / "frames", labels)
    with pytest.raises(ConfigError, match=r"has no labels of 03\.mp4; it has those of 01_b"):
        of_folders(train, touch(tmp_path / "other", "03.mp4"), labels)
    with pytest.raises(ConfigError, match=r"--cameras '\(' is no regular expression"):
        of_folders(train, test, labels, cameras="(")


def paths(*names: str) -> tuple[Path, ...]:
    return tuple(Path(name) for name in names)


def test_each_camera_has_its_own_clips() -> None:
    normal = paths("t/01_1.avi", "t/02_1.avi", "t/02_2.avi", "t/13_1.avi")
    every = Benchmark(normal, {Path("02_9"): {0: 1}, Path("01_7"): {0: 0}}, 24.0, r"^\d+")

    assert every.by_camera() == {
        "01": Benchmark(paths("t/01_1.avi"), {Path("01_7"): {0: 0}}, 24.0, None),
        "02": Benchmark(paths("t/02_1.avi", "t/02_2.avi"), {Path("02_9"): {0: 1}}, 24.0, None),
    }


def test_what_the_expression_finds_becomes_an_id() -> None:
    every = Benchmark(paths("North Gate 1.mp4"), {Path("North Gate 2.mp4"): {0: 1}}, None, r"^(.*) \d")

    assert list(every.by_camera()) == ["north-gate"]


def test_cameras_that_cannot_be_told_or_learned_are_told() -> None:
    with pytest.raises(ConfigError, match=r"test clips of 03, and no normal clips"):
        Benchmark(paths("01_1"), {Path("03_1"): {0: 0}}, None, r"^\d+").by_camera()
    with pytest.raises(ConfigError, match=r"gate: --cameras '\^\\\\d\+' does not find a camera"):
        Benchmark(paths("gate"), {Path("01_1"): {0: 0}}, None, r"^\d+").by_camera()


def test_an_official_folder_tells_its_cameras(tmp_path: Path) -> None:
    touch(tmp_path / "training" / "videos", "01_001.avi", "02_001.avi")
    masks = touch(tmp_path / "testing" / "test_frame_mask")
    for name in ("01_0014", "02_0003"):
        np.save(masks / f"{name}.npy", np.array([0, 1, 1]))
        write_pictures(tmp_path / "testing" / "frames" / name, ".jpg", count=3)

    found = of_dataset("shanghaitech", tmp_path)

    assert found.frame_rate == 24.0
    assert {camera: list(one.test.values()) for camera, one in found.by_camera().items()} == {
        "01": [{0: 0, 1: 1, 2: 1}],
        "02": [{0: 0, 1: 1, 2: 1}],
    }
