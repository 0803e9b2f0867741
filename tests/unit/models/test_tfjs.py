"""TensorFlow.js to ONNX, on a graph small enough to work out by hand."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest

from streamproc.errors import ModelLoadError
from streamproc.models.tfjs import convert

Weights = dict[str, npt.NDArray[Any]]
NHWC: dict[str, Any] = {
    "data_format": {"s": base64.b64encode(b"NHWC").decode()},
    "padding": {"s": base64.b64encode(b"VALID").decode()},
    "dilations": {"list": {"i": ["1", "1", "1", "1"]}},
}


def node(name: str, op: str, *inputs: str, **attr: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": list(inputs), "attr": attr}


def write_model(folder: Path, nodes: list[dict[str, Any]], weights: Weights, shape_in: Any, shape_out: Any) -> Path:
    entries, shard = [], b""
    for name, values in weights.items():
        stored = values.astype(np.float16) if values.dtype == np.float32 else values
        entry: dict[str, Any] = {"name": name, "shape": list(values.shape), "dtype": values.dtype.name}
        if values.dtype == np.float32:
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        entries.append(entry)
        shard += stored.tobytes()
    (folder / "shard.bin").write_bytes(shard)

    def port(name: str, shape: Any) -> dict[str, Any]:
        return {f"{name}:0": {"name": f"{name}:0", "tensorShape": {"dim": [{"size": str(n)} for n in shape]}}}

    document = {
        "modelTopology": {"node": nodes},
        "signature": {"inputs": port("x", shape_in), "outputs": port("Identity", shape_out)},
        "weightsManifest": [{"paths": ["shard.bin"], "weights": entries}],
    }
    path = folder / "model.json"
    path.write_text(json.dumps(document))
    return path


def detector_like(folder: Path) -> tuple[Path, Weights]:
    """Pad, convolution with bias, leaky ReLU, bilinear enlargement and reshape, as exported detectors have them."""
    rng = np.random.default_rng(0)
    weights: Weights = {
        "pads": np.array([[0, 0], [0, 0], [1, 1], [1, 1]], np.int32),
        "last": np.array([0, 2, 3, 1], np.int32),
        "first": np.array([0, 3, 1, 2], np.int32),
        "kernel": rng.integers(-4, 5, (3, 3, 2, 4)).astype(np.float32) / 4,
        "bias": np.array([0.5, -0.5, 1.0, 0.0], np.float32),
        "size": np.array([8, 8], np.int32),
        "some": np.array([0], np.int32),
        "base": np.array([1, 4, 0], np.int32),
        "where": np.array([[2]], np.int32),
        "shape": np.array([3], np.int32),
        "value": np.array([64], np.int32),
        "zero": np.array(0, np.int32),
    }
    half = {"half_pixel_centers": {"b": True}, "align_corners": {"b": False}}
    nodes = [
        node("x", "Placeholder"),
        node("conv", "Conv2D", "to_last", "kernel", strides={"list": {"i": ["1", "1", "1", "1"]}}, **NHWC),
        node("biased", "Add", "conv", "bias"),
        node("unread", "Sigmoid", "conv"),
        node("resized", "ResizeBilinear", "biased", "size", **half),
        node("back", "Transpose", "resized", "first"),
        node("leaky", "LeakyRelu", "back", alpha={"f": 0.1}),
        node("extra", "SparseToDense", "where", "shape", "value", "zero"),
        node("target", "AddV2", "base", "extra"),
        node("flat", "Reshape", "leaky", "target"),
        node("Identity", "Identity", "flat"),
    ]
    nodes[1:1] = [node("padded", "Pad", "x", "pads"), node("to_last", "Transpose", "padded", "last")]
    return write_model(folder, nodes, weights, (1, 2, 4, 4), (1, 4, 64)), weights


def reference(x: npt.NDArray[np.float32], weights: Weights) -> npt.NDArray[np.float32]:
    padded = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
    conv = np.zeros((4, 4, 4), np.float32)
    for row in range(4):
        for column in range(4):
            patch = padded[:, row : row + 3, column : column + 3].transpose(1, 2, 0)
            conv[:, row, column] = np.tensordot(patch, weights["kernel"], axes=3) + weights["bias"]
    # Half-pixel enlargement by two: each new sample lies a quarter of the way between two old ones.
    at = np.clip((np.arange(8) + 0.5) / 2 - 0.5, 0, 3)
    low, share = np.floor(at).astype(int), at - np.floor(at)
    high = np.minimum(low + 1, 3)
    rows = conv[:, low] * (1 - share)[None, :, None] + conv[:, high] * share[None, :, None]
    both = rows[:, :, low] * (1 - share) + rows[:, :, high] * share
    leaky: npt.NDArray[np.float32] = np.where(both > 0, both, 0.1 * both).reshape(1, 4, 64).astype(np.float32)
    return leaky


def test_the_converted_graph_computes_the_same(tmp_path: Path) -> None:
    graph, weights = detector_like(tmp_path)
    convert(graph, tmp_path / "model.onnx")
    session = ort.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).standard_normal((1, 2, 4, 4)).astype(np.float32)
    (found,) = session.run(["Identity"], {"x": x})
    np.testing.assert_allclose(found, reference(x, weights), atol=1e-5)


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    graph, _ = detector_like(tmp_path)
    for name in ("a.onnx", "b.onnx"):
        convert(graph, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_transpositions_that_cancel_and_nodes_that_nothing_reads_are_gone(tmp_path: Path) -> None:
    import onnx

    graph, _ = detector_like(tmp_path)
    convert(graph, tmp_path / "model.onnx")
    operators = [n.op_type for n in onnx.load(str(tmp_path / "model.onnx")).graph.node]
    assert operators == ["Pad", "Conv", "Add", "Resize", "LeakyRelu", "Reshape", "Identity"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d["modelTopology"]["node"][1].update(op="FFT"), "operator FFT"),
        (lambda d: d["weightsManifest"][0]["weights"][0].update(shape=[9, 2]), "shard|bytes|buffer"),
        (lambda d: d["weightsManifest"][0]["weights"][3]["quantization"].update(dtype="uint8"), "quantised to uint8"),
        (lambda d: d["modelTopology"]["node"][6]["attr"].update(align_corners={"b": True}), "half-pixel"),
        (lambda d: d.pop("signature"), "signature"),
        (lambda d: d["weightsManifest"][0].update(paths=["missing.bin"]), r"missing\.bin"),
    ],
)
def test_what_cannot_be_converted_is_named(tmp_path: Path, change: Any, complaint: str) -> None:
    graph, _ = detector_like(tmp_path)
    document = json.loads(graph.read_text())
    change(document)
    graph.write_text(json.dumps(document))
    with pytest.raises(ModelLoadError, match=complaint):
        convert(graph, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def pose_like(folder: Path) -> tuple[Path, Weights]:
    """Fused and depthwise convolutions, a residual sum and a soft maximum's place, as exported pose networks have."""
    rng = np.random.default_rng(3)
    weights: Weights = {
        "kernel": rng.integers(-4, 5, (3, 3, 2, 4)).astype(np.float32) / 4,
        "bias": np.array([0.5, -0.5, 1.0, 0.0], np.float32),
        "depth_kernel": rng.integers(-4, 5, (3, 3, 4, 1)).astype(np.float32) / 4,
        "two": np.array(2, np.float32),
        "cells": np.array([1, 4, 4], np.int32),
        "axis": np.array(1, np.int32),
        "side": np.array(2, np.int32),
        "none": np.array([0, 0], np.int32),
        "last": np.array(1, np.int32),
    }
    strides = {"list": {"i": ["1", "2", "2", "1"]}}
    ones = {"list": {"i": ["1", "1", "1", "1"]}}
    same = {**NHWC, "padding": {"s": base64.b64encode(b"SAME").decode()}}
    fused = {"list": {"s": [base64.b64encode(name).decode() for name in (b"BiasAdd", b"Relu6")]}}
    integer = {"type": "DT_INT32"}
    nodes = [
        node("x", "Placeholder"),
        node("conv", "_FusedConv2D", "x", "kernel", "bias", strides=strides, fused_ops=fused, **same),
        node("depth", "DepthwiseConv2dNative", "conv", "depth_kernel", strides=ones, **same),
        node("sum", "AddV2", "conv", "depth"),
        node("half", "RealDiv", "sum", "two"),
        node("apart", "SquaredDifference", "half", "conv"),
        node("root", "Sqrt", "apart"),
        node("rows", "Reshape", "root", "cells"),
        node("at", "ArgMax", "rows", "axis", output_type=integer),
        node("channels", "Unpack", "at", axis={"i": "0"}, num={"i": "1"}),
        node("y", "FloorDiv", "channels", "side"),
        node("twice", "Mul", "y", "side"),
        node("x_at", "Sub", "channels", "twice"),
        node("places", "Pack", "y", "x_at", axis={"i": "1"}, N={"i": "2"}),
        node("image", "Squeeze", "root", squeeze_dims={"list": {"i": ["0"]}}),
        node("found", "GatherNd", "image", "places"),
        node("wide", "ExpandDims", "found", "last"),
        node("whole", "Cast", "wide", SrcT={"type": "DT_FLOAT"}, DstT=integer),
        node("back", "Cast", "whole", SrcT=integer, DstT={"type": "DT_FLOAT"}),
        node("left", "Sub", "wide", "back"),
        node("Identity", "Identity", "left"),
    ]
    return write_model(folder, nodes, weights, (1, 4, 4, 2), (4, 1, 4)), weights


def pose_reference(x: npt.NDArray[np.float32], weights: Weights) -> npt.NDArray[np.float32]:
    padded = np.pad(x[0], ((0, 1), (0, 1), (0, 0)))  # Stride 2 over an even side: all padding comes after.
    conv = np.zeros((2, 2, 4), np.float32)
    for row in range(2):
        for column in range(2):
            patch = padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            conv[row, column] = np.tensordot(patch, weights["kernel"], axes=3) + weights["bias"]
    conv = np.clip(conv, 0, 6)
    around = np.pad(conv, ((1, 1), (1, 1), (0, 0)))
    depth = np.zeros_like(conv)
    for row in range(2):
        for column in range(2):
            depth[row, column] = (around[row : row + 3, column : column + 3] * weights["depth_kernel"][..., 0]).sum(
                (0, 1)
            )
    root = np.abs((conv + depth) / 2 - conv)
    at = root.reshape(4, 4).argmax(axis=0)
    found = root[at // 2, at % 2]
    left: npt.NDArray[np.float32] = (found - np.trunc(found))[:, None].astype(np.float32)
    return left


def test_a_pose_networks_operators_compute_the_same(tmp_path: Path) -> None:
    graph, weights = pose_like(tmp_path)
    convert(graph, tmp_path / "model.onnx")
    session = ort.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).uniform(-6, 6, (1, 4, 4, 2)).astype(np.float32)
    (found,) = session.run(["Identity"], {"x": x})
    np.testing.assert_allclose(found, pose_reference(x, weights).reshape(found.shape), atol=1e-4)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"fused_ops": {"list": {"s": [base64.b64encode(b"Elu").decode()]}}}, "Elu fused"),
        ({"padding": {"s": base64.b64encode(b"EXPLICIT").decode()}}, "EXPLICIT"),
    ],
)
def test_what_would_be_converted_wrongly_is_refused(tmp_path: Path, change: Any, complaint: str) -> None:
    graph, _ = pose_like(tmp_path)
    document = json.loads(graph.read_text())
    document["modelTopology"]["node"][1]["attr"].update(change)
    graph.write_text(json.dumps(document))
    with pytest.raises(ModelLoadError, match=complaint):
        convert(graph, tmp_path / "model.onnx")
