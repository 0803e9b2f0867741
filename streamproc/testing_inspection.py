"""Fakes for inspection: an encoder that needs no weights, and real ones' forms with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamproc.errors import InferenceError
from streamproc.inspection.nouns import TAPS, Features, Floats, Views


class FakeBackbone:
    """Tokens are what a patch looks like: its mean colour and how much it varies, 6 channels on a grid of 8 x 8."""

    name = "fake"
    revision = "1"
    side_px = 32
    patch_px = 4

    def encode(self, views: Views) -> Features:
        """Cheap features; the levels differ by a factor.

        Raises:
            InferenceError: the pictures have another size.
        """
        if views.pictures.shape[1:] != (3, self.side_px, self.side_px):
            raise InferenceError(f"fake: pictures are {self.side_px} px, not {views.pictures.shape[1:]}")
        side = self.side_px // self.patch_px
        cells = views.pictures.reshape(-1, 3, side, self.patch_px, side, self.patch_px)
        both: list[Floats] = [cells.mean((3, 5)), cells.std((3, 5))]
        tokens = np.concatenate(both, 1).reshape(len(cells), 6, side * side).transpose(0, 2, 1).astype(np.float32)
        taps = np.stack([tokens * np.float32(1 + level) for level in range(TAPS)])
        return Features(tokens=tokens, taps=taps, side=side, layout=views.layout)


def tiny_vit(path: Path, channels: int = 8) -> Path:
    """Write a graph with a DINOv2's input and outputs: one embedding of 14 px patches, five times the same tokens."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from streamproc.models.vit import INPUT, OUTPUTS

    rng = np.random.default_rng(0)
    weights: dict[str, npt.NDArray[Any]] = {
        "kernel": rng.normal(size=(channels, 3, 14, 14)).astype(np.float32),
        "shape": np.array([0, channels, -1], np.int64),
        "first": np.array([1], np.int64),
        "none": np.array([0], np.int64),
        "axis": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Conv", [INPUT, "kernel"], ["cells"], strides=[14, 14], kernel_shape=[14, 14]),
        helper.make_node("Reshape", ["cells", "shape"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["rows"], perm=[0, 2, 1]),
        helper.make_node("Slice", ["rows", "none", "first", "axis"], ["class"]),
        helper.make_node("Concat", ["class", "rows"], ["all"], axis=1),
        *(helper.make_node("Identity", ["all"], [name]) for name in OUTPUTS),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", 3, "height", "width"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "tokens", channels]) for name in OUTPUTS],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def efficientnet_tensors(seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """An EfficientNet-Lite0 of random weights, by the names of its PyTorch model; batch norms that change something."""
    from streamproc.models.efficientnet import STAGES

    rng, made, block, before = np.random.default_rng(seed), {}, 0, 32

    def conv(name: str, norm: str, outputs: int, inputs: int, kernel: int) -> None:
        shape = (outputs, inputs, kernel, kernel)
        made[f"{name}.weight"] = rng.normal(0, (2 / (inputs * kernel**2)) ** 0.5, shape).astype(np.float32)
        for of, low, high in (("weight", 0.8, 1.2), ("bias", 0, 1), ("running_mean", -1, 1), ("running_var", 0.5, 2)):
            made[f"{norm}.{of}"] = rng.uniform(low, high, outputs).astype(np.float32)

    conv("_conv_stem", "_bn0", before, 3, 3)
    for repeats, kernel, _, channels in STAGES:
        for _ in range(repeats):
            name, wide = f"_blocks.{block}", before if block == 0 else 6 * before
            if block > 0:
                conv(f"{name}._expand_conv", f"{name}._bn0", wide, before, 1)
            conv(f"{name}._depthwise_conv", f"{name}._bn1", wide, 1, kernel)
            conv(f"{name}._project_conv", f"{name}._bn2", channels, wide, 1)
            block, before = block + 1, channels
    return made
