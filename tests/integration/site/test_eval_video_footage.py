"""Real labelled footage with the real models: learned from two normal clips, one anomalous clip scored."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from streamproc.backtest.benchmark import of_folders
from streamproc.backtest.video_evaluation import evaluate_video

pytestmark = [pytest.mark.integration, pytest.mark.models]

PED2 = Path(__file__).parents[4] / "shared" / "data" / "ucsd_ped2"


@pytest.mark.skipif(not PED2.is_dir(), reason="no UCSD Ped2 clips in ../shared/data/ucsd_ped2")
def test_two_normal_clips_are_enough_to_tell_a_cart_from_walkers(tmp_path: Path) -> None:
    for folder, names in (("train", ("01", "02")), ("test", ("04",))):
        (tmp_path / folder).mkdir()
        for name in names:
            shutil.copy(PED2 / folder / f"{name}.mp4", tmp_path / folder)

    report = evaluate_video(of_folders(tmp_path / "train", tmp_path / "test", PED2 / "labels.csv"))

    with (PED2 / "labels.csv").open(newline="") as file:
        labels = tuple(int(row["label"]) for row in csv.DictReader(file) if row["clip"] == "04")
    (video,) = report.scored
    assert video.labels == labels
    assert report.measures.events_caught == 1
    assert report.measures.false_alarms == 0
    assert report.measures.auroc is not None
    assert report.measures.auroc > 0.8
    assert report.fps is not None
    assert [moment.false for moment in report.cameras[0].outcome.moments] == [False]
