from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from streamproc.errors import ConfigError
from streamproc.evaluation.datasets import LabelledVideo, Name, load_dataset
from streamproc.testing_sources import write_clip, write_pictures


def touch(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def ped2(tmp_path: Path) -> Path:
    root = tmp_path / "UCSDped2"
    for folder in ("Train/Train002", "Train/Train001", "Test/Test001", "Test/Test002"):
        write_pictures(root / folder, ".tif", count=6)
    touch(root / "Test" / "Test001" / "._001.tif", "left by a Mac")
    (root / "Test" / "Test001_gt").mkdir()
    lines = [
        "TestVideoFile = {};",
        "TestVideoFile{end+1}.gt_frame = [3:6];",
        "% TestVideoFile{end+1}.gt_frame = [1:6];",
    ]
    touch(root / "Test" / "UCSDped2.m", "\n".join([*lines, "TestVideoFile{end+1}.gt_frame = [1, 4:5];"]))
    return root


def test_ped2_counts_from_one_and_includes_the_end(ped2: Path) -> None:
    dataset = load_dataset("ped2", ped2)

    assert dataset.test == (
        LabelledVideo("Test001", ped2 / "Test" / "Test001", (0, 0, 1, 1, 1, 1)),
        LabelledVideo("Test002", ped2 / "Test" / "Test002", (1, 0, 0, 1, 1, 0)),
    )
    assert [path.name for path in dataset.normal] == ["Train001", "Train002"]
    assert dataset.frame_rate == 10


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.gt_frame = [1:2];", "labels 1 videos, and there are 2 beside it"),
        ("a.gt_frame = [1:2];\na.gt_frame = [5:7];", "5:7 is not within .*Test002, 6 pictures"),
        ("a.gt_frame = [0:2];\na.gt_frame = [5:6];", "0:2 is not within .*Test001"),
    ],
)
def test_a_list_that_does_not_fit_the_videos_is_told(ped2: Path, text: str, told: str) -> None:
    touch(ped2 / "Test" / "UCSDped2.m", text)

    with pytest.raises(ConfigError, match=told):
        load_dataset("ped2", ped2)


@pytest.mark.parametrize("within", ["", "ground_truth_demo"])
def test_avenue_is_anomalous_where_a_mask_has_a_pixel(tmp_path: Path, within: str) -> None:
    for name in ("training_videos/01.avi", "testing_videos/02.avi", "testing_videos/10.avi"):
        touch(tmp_path / name)
    masks = tmp_path / within / "testing_label_mask"
    masks.mkdir(parents=True)
    for number, labels in ((2, (0, 1, 1)), (10, (1, 0, 0, 0))):
        cells = np.empty((1, len(labels)), object)
        for index, label in enumerate(labels):
            cells[0, index] = np.zeros((4, 5), np.uint8)
            cells[0, index][1, 2] = label
        savemat(masks / f"{number}_label.mat", {"volLabel": cells})

    dataset = load_dataset("avenue", tmp_path)

    assert [(video.name, video.labels) for video in dataset.test] == [("02", (0, 1, 1)), ("10", (1, 0, 0, 0))]
    assert dataset.test[0].source == tmp_path / "testing_videos" / "02.avi"
    assert [path.name for path in dataset.normal] == ["01.avi"]


@pytest.fixture
def shanghaitech(tmp_path: Path) -> Path:
    touch(tmp_path / "training" / "videos" / "01_001.avi")
    (tmp_path / "testing" / "test_frame_mask").mkdir(parents=True)
    for name, labels in (("01_0014", [0, 1, 1]), ("12_0142", [1, 0])):
        write_pictures(tmp_path / "testing" / "frames" / name, ".jpg", count=len(labels))
        np.save(tmp_path / "testing" / "test_frame_mask" / f"{name}.npy", np.array(labels))
    return tmp_path


def test_shanghaitech_has_a_mask_a_frame(shanghaitech: Path) -> None:
    dataset = load_dataset("shanghaitech", shanghaitech)

    assert [(video.name, video.labels) for video in dataset.test] == [("01_0014", (0, 1, 1)), ("12_0142", (1, 0))]
    assert [path.name for path in dataset.normal] == ["01_001.avi"]


def test_masks_and_pictures_are_as_many(shanghaitech: Path) -> None:
    (shanghaitech / "testing" / "frames" / "12_0142" / "001.jpg").unlink()

    with pytest.raises(ConfigError, match=r"12_0142\.npy labels 2 frames, and .*12_0142 holds 1 pictures"):
        load_dataset("shanghaitech", shanghaitech)


def test_a_mask_that_is_none_is_told(shanghaitech: Path) -> None:
    touch(shanghaitech / "testing" / "test_frame_mask" / "12_0142.npy", "no numbers")

    with pytest.raises(ConfigError, match=r"12_0142\.npy cannot be read"):
        load_dataset("shanghaitech", shanghaitech)


@pytest.fixture
def ubnormal(tmp_path: Path) -> Path:
    names = {
        "normal_training": ["normal_scene_1_scenario_1"],
        "normal_test": ["normal_scene_2_scenario_1"],
        "abnormal_test": ["abnormal_scene_2_scenario_3_fog"],
    }
    for which, videos in names.items():
        touch(tmp_path / "scripts" / f"{which}_video_names.txt", "\n".join(videos))
        for video in videos:
            scene = tmp_path / f"Scene{video.split('_')[2]}"
            scene.mkdir(exist_ok=True)
            write_clip(scene / f"{video}.mp4", count=6, size=(64, 48))
    video = "abnormal_scene_2_scenario_3_fog"
    touch(tmp_path / "Scene2" / f"{video}_annotations" / f"{video}_tracks.txt", "1,1,2\n2,2,3\n")
    return tmp_path


def test_ubnormal_is_anomalous_while_a_track_lasts(ubnormal: Path) -> None:
    dataset = load_dataset("ubnormal", ubnormal)

    assert [(video.name, video.labels) for video in dataset.test] == [
        ("normal_scene_2_scenario_1", (0, 0, 0, 0, 0, 0)),
        ("abnormal_scene_2_scenario_3_fog", (0, 1, 1, 1, 0, 0)),
    ]
    assert dataset.normal == (ubnormal / "Scene1" / "normal_scene_1_scenario_1.mp4",)


def test_a_video_that_cannot_be_read_is_told(ubnormal: Path) -> None:
    touch(ubnormal / "Scene2" / "normal_scene_2_scenario_1.mp4", "no video")

    with pytest.raises(ConfigError, match=r"normal_scene_2_scenario_1\.mp4 cannot be read"):
        load_dataset("ubnormal", ubnormal)


@pytest.mark.parametrize("name", ["ped2", "avenue", "shanghaitech", "ubnormal"])
def test_a_folder_of_something_else_is_told(tmp_path: Path, name: Name) -> None:
    with pytest.raises(ConfigError, match="is not there"):
        load_dataset(name, tmp_path)
