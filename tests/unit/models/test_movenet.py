"""Where the network says points are, they are put in the picture; and what is no picture is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamproc.errors import InferenceError, ModelLoadError
from streamproc.models.movenet import POINTS, MoveNet

PICTURE = np.zeros((100, 200, 3), np.uint8)


def write_network(path: Path, side_px: int = 192) -> Path:
    """A network that finds its first point in the brightest pixel of the square, the others in its corner."""
    weights: dict[str, npt.NDArray[Any]] = {
        "flat": np.array([1, side_px * side_px], np.int64),
        "side": np.array([side_px], np.int64),
        "scale": np.array([side_px], np.float32),
        "corner": np.zeros((1, 1, 16, 3), np.float32),
        "sure": np.full((1, 1, 1, 1), 0.5, np.float32),
        "one": np.array([1, 1, 1, 1], np.int64),
        "three": np.array([3], np.int64),
    }
    nodes = [
        helper.make_node("ReduceSum", ["input", "three"], ["grey"], keepdims=0),
        helper.make_node("Cast", ["grey"], ["light"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["light", "flat"], ["row"]),
        helper.make_node("ArgMax", ["row"], ["at"], axis=1, keepdims=0),
        helper.make_node("Div", ["at", "side"], ["y_at"]),
        helper.make_node("Mod", ["at", "side"], ["x_at"]),
        helper.make_node("Cast", ["y_at"], ["y_px"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["x_at"], ["x_px"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["y_px", "scale"], ["y_norm"]),
        helper.make_node("Div", ["x_px", "scale"], ["x_norm"]),
        helper.make_node("Reshape", ["y_norm", "one"], ["y"]),
        helper.make_node("Reshape", ["x_norm", "one"], ["x"]),
        helper.make_node("Concat", ["y", "x", "sure"], ["first"], axis=3),
        helper.make_node("Concat", ["first", "corner"], ["out"], axis=2),
    ]
    taken = helper.make_tensor_value_info("input", TensorProto.INT32, [1, side_px, side_px, 3])
    given = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 1, len(POINTS), 3])
    tensors = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "fake", [taken], [given], tensors)
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 18)]), str(path))
    return path


@pytest.fixture(scope="module")
def movenet(tmp_path_factory: pytest.TempPathFactory) -> MoveNet:
    return MoveNet(write_network(tmp_path_factory.mktemp("models") / "movenet.onnx"))


@pytest.mark.parametrize("turn_deg", [0.0, 90.0, -90.0])
@pytest.mark.parametrize("spot", [(110, 40), (96, 60)])
def test_points_are_in_the_pictures_pixels(movenet: MoveNet, spot: tuple[int, int], turn_deg: float) -> None:
    picture = PICTURE.copy()
    picture[spot[1] - 1 : spot[1] + 2, spot[0] - 1 : spot[0] + 2] = 120
    picture[spot[1], spot[0]] = 255
    pose = movenet.pose(picture, (0.4, 0.1, 0.6, 0.9), turn_deg)
    assert pose.points_px[0] == pytest.approx(spot, abs=1.0)
    assert pose.scores[0] == 0.5
    assert pose.points_px.shape == (17, 2)


def test_the_square_has_room_around_the_box(movenet: MoveNet) -> None:
    corner = movenet.pose(PICTURE, (0.4, 0.1, 0.6, 0.9)).points_px[1]
    assert corner == pytest.approx((100 - 50, 50 - 50), abs=0.5)


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_what_is_no_picture_is_refused(movenet: MoveNet, picture: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        movenet.pose(picture, (0.0, 0.0, 1.0, 1.0))


def test_an_empty_box_is_refused(movenet: MoveNet) -> None:
    with pytest.raises(ValueError, match="empty"):
        movenet.pose(PICTURE, (0.5, 0.5, 0.5, 0.9))


def test_a_failing_network_is_an_inference_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = MoveNet(write_network(tmp_path / "movenet.onnx"))
    monkeypatch.setattr(broken, "_input", "no such input")
    with pytest.raises(InferenceError, match="movenet"):
        broken.pose(PICTURE, (0.0, 0.0, 1.0, 1.0))


def test_another_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"thunder\.onnx"):
        MoveNet(write_network(tmp_path / "thunder.onnx", side_px=256))
