"""From NanoDet's grids to boxes, with a network that always answers the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamproc.errors import InferenceError, ModelLoadError
from streamproc.models.coco import COCO_CLASSES
from streamproc.models.nanodet import NanoDet

CELLS = {8: 52 * 52, 16: 26 * 26, 32: 13 * 13}
PICTURE = np.zeros((90, 160, 3), np.uint8)
Answer = list[tuple[int, int, str, float, tuple[int, int, int, int]]]
"""Stride, cell, class, score, and the four distances in strides."""


def network(path: Path, answer: Answer) -> Path:
    """An ONNX file with NanoDet's inputs and outputs whose answer is constant."""
    scores = {stride: np.zeros((1, n, 80), np.float32) for stride, n in CELLS.items()}
    sides = {stride: np.zeros((1, n, 44), np.float32) for stride, n in CELLS.items()}
    for stride, cell, label, score, distances in answer:
        scores[stride][0, cell, COCO_CLASSES.index(label)] = score
        for side, distance in enumerate(distances):
            sides[stride][0, cell, side * 11 + distance] = 60.0  # so sure that its mean is the bin itself
    constants: dict[str, npt.NDArray[np.float32]] = {}
    for stride in CELLS:
        constants[f"s{stride}"], constants[f"b{stride}"] = scores[stride], sides[stride]
    # Constants must depend on the input, or a session would have nothing to run.
    nodes = [helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0), helper.make_node("Sub", ["m", "m"], ["zero"])]
    nodes += [helper.make_node("Add", [name, "zero"], [f"out_{name}"]) for name in constants]
    outputs = [
        helper.make_tensor_value_info(f"out_{name}", TensorProto.FLOAT, values.shape)
        for name, values in constants.items()
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 416, 416))],
        outputs,
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), str(path))
    return path


@pytest.fixture
def detector(tmp_path: Path) -> Callable[[Answer], NanoDet]:
    return lambda answer: NanoDet(network(tmp_path / "net.onnx", answer))


def test_a_box_lies_around_its_cells_centre(detector: Callable[[Answer], NanoDet]) -> None:
    # Row 3, column 5 at stride 16: centre (88, 56) px.
    (found,) = detector([(16, 3 * 26 + 5, "person", 0.9, (1, 2, 3, 4))]).detect(PICTURE)
    assert found.label == "person"
    assert found.pred_score == pytest.approx(0.9)
    assert found.box_norm == pytest.approx((72 / 416, 24 / 416, 136 / 416, 120 / 416), abs=1e-5)


def test_boxes_end_at_the_picture(detector: Callable[[Answer], NanoDet]) -> None:
    (found,) = detector([(32, 0, "car", 0.9, (10, 10, 10, 10))]).detect(PICTURE)
    assert found.box_norm[:2] == (0.0, 0.0)


def test_the_greatest_distances_are_means_over_bins(detector: Callable[[Answer], NanoDet]) -> None:
    (found,) = detector([(8, 20 * 52 + 20, "dog", 0.9, (10, 0, 0, 10))]).detect(PICTURE)
    assert found.box_norm == pytest.approx((84 / 416, 164 / 416, 164 / 416, 244 / 416), abs=1e-5)


def test_the_network_sees_normalised_blue_green_red(
    detector: Callable[[Answer], NanoDet], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[npt.NDArray[np.float32]] = []

    class Session:
        def run(self, names: list[str], feed: dict[str, npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
            seen.extend(feed.values())
            return [np.zeros((1, n, width), np.float32) for width in (80, 44) for n in CELLS.values()]

    net = detector([])
    monkeypatch.setattr(net, "_session", Session())
    net.detect(np.full((90, 160, 3), (200, 100, 50), np.uint8))
    assert seen[0].shape == (1, 3, 416, 416)
    wanted = [(50 - 103.53) / 57.375, (100 - 116.28) / 57.12, (200 - 123.675) / 58.395]
    np.testing.assert_allclose(seen[0][0, :, 7, 9], np.array(wanted), rtol=1e-5)


def test_repetitions_of_one_class_go_and_other_classes_stay(detector: Callable[[Answer], NanoDet]) -> None:
    cell = 3 * 26 + 5
    found = detector(
        [
            (16, cell, "person", 0.7, (3, 3, 3, 3)),
            (16, cell + 1, "person", 0.9, (4, 3, 2, 3)),
            (16, cell + 26, "bicycle", 0.8, (3, 4, 3, 2)),
            (16, cell + 200, "person", 0.6, (1, 1, 1, 1)),
        ]
    ).detect(PICTURE)
    assert [(d.label, round(d.pred_score, 2)) for d in found] == [("person", 0.9), ("bicycle", 0.8), ("person", 0.6)]


def test_persons_and_the_rest_have_their_own_least_score(detector: Callable[[Answer], NanoDet]) -> None:
    both = detector([(16, 10, "person", 0.45, (1, 1, 1, 1)), (16, 300, "car", 0.45, (1, 1, 1, 1))])
    assert both.detect(PICTURE) == []
    assert [d.label for d in both.detect(PICTURE, min_person=0.4)] == ["person"]
    assert [d.label for d in both.detect(PICTURE, min_other=0.4)] == ["car"]


def test_a_class_below_its_threshold_does_not_hide_another_in_its_cell(detector: Callable[[Answer], NanoDet]) -> None:
    net = detector([(16, 10, "person", 0.55, (1, 1, 1, 1)), (16, 10, "car", 0.6, (1, 1, 1, 1))])
    assert [d.label for d in net.detect(PICTURE, min_person=0.5, min_other=0.7)] == ["person"]


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_what_is_no_picture_is_refused(detector: Callable[[Answer], NanoDet], picture: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        detector([]).detect(picture)


def test_a_failing_network_is_an_inference_error(
    detector: Callable[[Answer], NanoDet], monkeypatch: pytest.MonkeyPatch
) -> None:
    net = detector([])
    monkeypatch.setattr(net, "_input", "no such input")
    with pytest.raises(InferenceError, match="nanodet"):
        net.detect(PICTURE)


def test_files_that_are_no_detector_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"missing\.onnx"):
        NanoDet(tmp_path / "missing.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    with pytest.raises(ModelLoadError, match=r"broken\.onnx \(sha256 [0-9a-f]{12}…\)"):
        NanoDet(tmp_path / "broken.onnx")
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1,)) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:])
    other = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(other, str(tmp_path / "other.onnx"))
    with pytest.raises(ModelLoadError, match=r"other\.onnx: outputs"):
        NanoDet(tmp_path / "other.onnx")


def test_the_revision_is_the_weights_hash(tmp_path: Path) -> None:
    first, second = (network(tmp_path / f"{i}.onnx", [(16, i, "car", 0.9, (1, 1, 1, 1))]) for i in (0, 1))
    assert len(NanoDet(first).revision) == 12
    assert NanoDet(first).revision != NanoDet(second).revision


def test_there_are_eighty_classes_in_cocos_order() -> None:
    assert len(set(COCO_CLASSES)) == 80
    assert [COCO_CLASSES[i] for i in (0, 2, 16, 39, 79)] == ["person", "car", "dog", "bottle", "toothbrush"]
