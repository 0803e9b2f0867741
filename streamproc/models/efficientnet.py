"""EfficientNet-Lite0's ONNX graph, made of a PyTorch checkpoint's tensors without PyTorch.

The network is the published one (EfficientNet's B0 without squeeze and excitation, with ReLU6) up to its last block;
head and classes are left out. Batch norms are folded into the convolutions before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from streamproc.errors import ModelLoadError
from streamproc.models.torchfile import read_tensors
from streamproc.models.vit import INPUT, OUTPUTS

STAGES = ((1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80), (3, 5, 1, 112), (4, 5, 2, 192), (1, 3, 1, 320))
"""Blocks, kernel, stride of the first block, channels (EfficientNet, Tan and Le 2019, table 1)."""
LEVELS = STAGES[2:]
"""Given out, each after its last block: strides 8, 16, 16, 32 and 32, brought to 16 in the graph."""
_EPSILON = 1e-3  # of the batch norms, as it was trained


def convert(source: Path, target: Path) -> None:
    """Write the graph of the checkpoint ``source`` to ``target``; the same bytes each time.

    Raises:
        ModelLoadError: it is no such checkpoint; names the tensor that is missing.
    """
    target.write_bytes(build(read_tensors(source)).SerializeToString(deterministic=True))


def build(tensors: Mapping[str, npt.NDArray[Any]]) -> onnx.ModelProto:
    """From the tensors by their names in the PyTorch model.

    Input (n, 3, h, w), edges multiples of 32; outputs ``vit.OUTPUTS``, each (n, channels, h / 16, w / 16).

    Raises:
        ModelLoadError: a tensor is missing; names it.
    """
    graph = _Graph(tensors)
    try:
        x = graph.conv(INPUT, "_conv_stem", "_bn0", stride=2)
        block, outputs = 0, iter(OUTPUTS)
        stride = 2
        for stage in STAGES:
            repeats, _, first, _ = stage
            stride *= first
            for repeat in range(repeats):
                x = graph.block(x, f"_blocks.{block}", first if repeat == 0 else 1, repeat > 0)
                block += 1
            if stage in LEVELS:
                graph.give(x, next(outputs), stride)
    except KeyError as error:
        raise ModelLoadError(f"not EfficientNet-Lite0's tensors: {error} is missing") from error
    made = helper.make_graph(
        graph.nodes,
        "efficientnet-lite0",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", 3, "height", "width"])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "rows", "columns"])
            for name, (*_, channels) in zip(OUTPUTS, LEVELS, strict=True)
        ],
        graph.weights,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)


class _Graph:
    """Nodes and weights, as they are added."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
        self._tensors = tensors
        self.nodes: list[onnx.NodeProto] = []
        self.weights = [
            numpy_helper.from_array(np.array(value, np.float32), name)
            for name, value in (("zero", 0), ("six", 6), ("twice", (1, 1, 2, 2)))
        ]

    def block(self, x: str, name: str, stride: int, skip: bool) -> str:
        """A mobile inverted bottleneck; the first of all has nothing to expand."""
        y = x
        if f"{name}._expand_conv.weight" in self._tensors:
            y = self.conv(y, f"{name}._expand_conv", f"{name}._bn0")
        y = self.conv(y, f"{name}._depthwise_conv", f"{name}._bn1", stride, deep=False)
        y = self.conv(y, f"{name}._project_conv", f"{name}._bn2", clip=False)
        return self._node("Add", [y, x], f"{name}.sum") if skip else y

    def conv(self, x: str, name: str, norm: str, stride: int = 1, *, deep: bool = True, clip: bool = True) -> str:
        """A convolution with its batch norm folded in, and ReLU6; ``deep`` over all channels, else one by one."""
        weight, gamma, beta, mean, variance = (
            self._tensors[key].astype(np.float64)
            for key in (f"{name}.weight", *(f"{norm}.{of}" for of in ("weight", "bias", "running_mean", "running_var")))
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        for of, value in (("weight", weight * scale[:, None, None, None]), ("bias", beta - mean * scale)):
            self.weights.append(numpy_helper.from_array(value.astype(np.float32), f"{name}.{of}"))
        kernel = weight.shape[-1]
        around = kernel - stride  # as TensorFlow pads edges that the stride divides: the odd one right and below
        y = self._node(
            "Conv",
            [x, f"{name}.weight", f"{name}.bias"],
            name,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[around // 2, around // 2, around - around // 2, around - around // 2],
            group=1 if deep else len(weight),
        )
        return self._node("Clip", [y, "zero", "six"], f"{name}.clipped") if clip else y

    def give(self, x: str, output: str, stride: int) -> None:
        """A level on the grid of stride 16: four cells averaged, as it is, or drawn out linearly."""
        match stride:
            case 8:
                self._node("AveragePool", [x], output, kernel_shape=[2, 2], strides=[2, 2])
            case 16:
                self._node("Identity", [x], output)
            case _:
                self._node("Resize", [x, "", "twice"], output, mode="linear")

    def _node(self, kind: str, inputs: list[str], output: str, **how: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **how))
        return output
