"""Clouds of points, read and seen from nine sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamproc.errors import ConfigError
from streamproc.inspection.training.readers import rendered
from streamproc.inspection.training.renders import read_cloud, render, render_set

HEAD = (
    "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z i\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\n"
    "WIDTH {n}\nHEIGHT 1\nPOINTS {n}\n"
)


def ball(count: int = 3000) -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(count, 3))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def write(path: Path, points: np.ndarray, kind: str = "ascii") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = (HEAD.format(n=len(points)) + f"DATA {kind}\n").encode()
    if kind == "ascii":
        path.write_bytes(head + "".join(f"{x:.6f} {y:.6f} {z:.6f} 7\n" for x, y, z in points).encode())
    else:
        table = np.zeros(len(points), "<f4,<f4,<f4,<u4")
        for number, axis in enumerate(points.T):
            table[f"f{number}"] = axis
        path.write_bytes(head + table.tobytes())
    return path


@pytest.mark.parametrize("kind", ["ascii", "binary"])
def test_a_cloud_is_read(kind: str, tmp_path: Path) -> None:
    points = ball(50)

    assert np.allclose(read_cloud(write(tmp_path / "a.pcd", points, kind)), points, atol=1e-5)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "no point cloud"),
        (b"FIELDS x y\nPOINTS 1\nDATA ascii\n1 2\n", "z"),
        (b"FIELDS x y z\nPOINTS 1\nDATA binary_compressed\nxx", "binary_compressed"),
        (b"FIELDS x y z\nPOINTS 2\nDATA ascii\n1 2 3\n", "1 points where 2"),
    ],
)
def test_what_is_no_cloud_is_refused_by_name(content: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.pcd"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=rf"odd\.pcd.*{fault}"):
        read_cloud(path)


def test_a_ball_looks_the_same_from_all_sides() -> None:
    views = render(ball(), 64)

    assert len(views) == 9
    areas = [(view[..., 0] > 0).mean() for view in views]
    assert np.allclose(areas, np.pi / 4, atol=0.12)
    assert views[0].shape == (64, 64, 3)
    assert views[0][32, 32, 0] > 60


def test_what_sticks_out_is_seen_from_its_side_and_not_from_behind() -> None:
    knob = np.array([0, 0, 0.0]) + 0.25 * ball(300) + np.array([1.0, 0, 0])
    plain, knobbed = render(ball(), 64), render(np.concatenate([ball(), knob]), 64)
    differ = [np.abs(a.astype(float) - b).mean() for a, b in zip(plain, knobbed, strict=True)]

    assert max(differ) > 5


def test_a_set_is_written_as_its_reader_reads_it(tmp_path: Path) -> None:
    for name in ("train/a.pcd", "test/b.pcd", "test/c.pcd"):
        write(tmp_path / "duck" / name, ball(200))
    (tmp_path / "duck" / "GT").mkdir()
    (tmp_path / "duck" / "GT" / "c.txt").write_text("0 0 0 1\n")

    assert render_set(tmp_path, tmp_path / "out", 16) == 3

    found = {(r.image.parent.name, r.label, r.split) for r in rendered(tmp_path / "out")}
    assert found == {("a", 0, "train"), ("b", 0, "test"), ("c", 1, "test")}


def test_a_set_without_clouds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no clouds"):
        render_set(tmp_path, tmp_path / "out", 16)
