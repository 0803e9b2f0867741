"""Cutting an encoder out of a larger graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamproc.errors import ModelLoadError
from streamproc.models.vit import INPUT, OUTPUTS, cut

INNER = ("a", "b", "c", "d", "e")


def headed(path: Path, inputs: int = 1) -> Path:
    """Five additions of one in a row, then a head of its own weight."""
    one = numpy_helper.from_array(np.ones(1, np.float32), "one")
    head = numpy_helper.from_array(np.full(1, 7, np.float32), "head")
    nodes = [helper.make_node("Add", [x, "one"], [y]) for x, y in zip(("x", *INNER), INNER, strict=False)]
    nodes.append(helper.make_node("Mul", ["e", "head"], ["y"]))
    taken = [helper.make_tensor_value_info(f"x{i or ''}", TensorProto.FLOAT, [1, 3, 4, 4]) for i in range(inputs)]
    given = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 4, 4])]
    graph = helper.make_graph(nodes, "g", taken, given, [one, head])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7), str(path))
    return path


def test_inner_tensors_are_given_out_for_pictures_of_any_size(tmp_path: Path) -> None:
    cut(headed(tmp_path / "whole.onnx"), tmp_path / "cut.onnx", INNER)
    session = ort.InferenceSession(str(tmp_path / "cut.onnx"), providers=["CPUExecutionProvider"])
    outputs = session.run(OUTPUTS, {INPUT: np.zeros((2, 3, 6, 6), np.float32)})
    assert [float(output.mean()) for output in outputs] == [1, 2, 3, 4, 5]
    assert outputs[0].shape == (2, 3, 6, 6)


def test_what_nobody_asked_for_is_left_out(tmp_path: Path) -> None:
    cut(headed(tmp_path / "whole.onnx"), tmp_path / "cut.onnx", INNER)
    graph = onnx.load(str(tmp_path / "cut.onnx")).graph
    assert [weight.name for weight in graph.initializer] == ["one"]
    assert all(node.op_type == "Add" for node in graph.node)


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    whole = headed(tmp_path / "whole.onnx")
    cut(whole, tmp_path / "one.onnx", INNER)
    cut(whole, tmp_path / "other.onnx", INNER)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "other.onnx").read_bytes()


def test_another_graph_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="without missing"):
        cut(headed(tmp_path / "whole.onnx"), tmp_path / "cut.onnx", ("a", "b", "c", "d", "missing"))
    with pytest.raises(ModelLoadError, match="without input"):
        cut(headed(tmp_path / "two.onnx", inputs=2), tmp_path / "cut.onnx", INNER)
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with pytest.raises(ModelLoadError, match=r"no\.onnx"):
        cut(tmp_path / "no.onnx", tmp_path / "cut.onnx", INNER)
