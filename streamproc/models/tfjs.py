"""TensorFlow.js graph models as ONNX, for the operators that exported convolutional networks use.

A TensorFlow.js model is a JSON file (a TensorFlow ``GraphDef`` and a manifest of weights) beside binary shards. The
conversion is deterministic: the same files give the same bytes. TensorFlow's convolutions want channels last and ONNX's
want them first, so exported graphs are full of transpositions; ``_first`` remembers for each channels-last tensor where
the same values already exist channels first, and most of them vanish.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from streamproc.errors import ModelLoadError
from streamproc.models.tfjs_reading import Array, Node, padding_of, port, spatial, texts_of, type_of, weights

_OPSET = 18
_IR_VERSION = 8
_TO_FIRST, _TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def convert(graph: Path, target: Path) -> None:
    """Write the TensorFlow.js model ``graph`` (its JSON; the shards lie beside it) to ``target`` as ONNX.

    Inputs and outputs keep their names, shapes and order (outputs by number: ``Identity``, ``Identity_1``, …).

    Raises:
        ModelLoadError: the files are not such a model, or it uses an operator this converter does not know.
    """
    try:
        model = _Graph(json.loads(graph.read_bytes()), graph.parent).build()
        onnx.checker.check_model(model)
    except (OSError, ValueError, KeyError, TypeError, onnx.checker.ValidationError) as error:
        raise ModelLoadError(f"{graph}: not a TensorFlow.js model that can be converted: {error}") from error
    target.write_bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """One conversion: reads the nodes in order and emits ONNX nodes."""

    def __init__(self, document: dict[str, Any], folder: Path) -> None:
        self._tf: list[Node] = document["modelTopology"]["node"]
        self._signature = document["signature"]
        self._consts = weights(document["weightsManifest"], folder)
        self._first: dict[str, str] = {}
        """Channels-last tensor -> the same values channels first."""
        self._same: dict[str, str] = {}
        """Tensor -> another of the same values."""
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, Array] = {}
        self._emitters: dict[str, Callable[[str, list[str], Node], None]] = {
            "Add": self._add,
            "AddV2": self._add,
            "ArgMax": self._argmax,
            "Cast": lambda out, ins, attr: self._emit("Cast", ins, out, to=type_of(attr["DstT"])),
            "ConcatV2": self._concat,
            "Conv2D": self._conv,
            "DepthwiseConv2dNative": self._conv,
            "ExpandDims": self._expand,
            "FloorDiv": self._floordiv,
            "FusedDepthwiseConv2dNative": self._conv,
            "GatherNd": self._gather,
            "Identity": lambda out, ins, _: self._emit("Identity", ins[:1], out),
            "LeakyRelu": lambda out, ins, attr: self._emit("LeakyRelu", ins, out, alpha=float(attr["alpha"]["f"])),
            "MaxPool": self._maxpool,
            "Mul": lambda out, ins, _: self._emit("Mul", ins, out),
            "Pack": self._pack,
            "Pad": self._pad,
            "PadV2": self._pad,
            "RealDiv": lambda out, ins, _: self._emit("Div", ins, out),
            "Reshape": self._reshape,
            "ResizeBilinear": self._resize,
            "Sigmoid": lambda out, ins, _: self._emit("Sigmoid", ins, out),
            "SparseToDense": self._sparse,
            "SplitV": self._split,
            "Sqrt": lambda out, ins, _: self._emit("Sqrt", ins, out),
            "SquaredDifference": self._squared_difference,
            "Squeeze": self._squeeze,
            "Sub": lambda out, ins, _: self._emit("Sub", ins, out),
            "Transpose": self._transpose,
            "Unpack": self._unpack,
            "_FusedConv2D": self._conv,
        }

    def build(self) -> onnx.ModelProto:
        """The whole model, without the nodes that nothing reads."""
        for node in self._tf:
            if node["op"] in ("Const", "Placeholder"):
                continue
            if node["op"] not in self._emitters:
                raise ValueError(f"operator {node['op']} (node {node['name']}) is not known")
            inputs = [i.removesuffix(":0") for i in node["input"] if not i.startswith("^")]
            self._emitters[node["op"]](node["name"], inputs, {**node.get("attr", {}), "_op": node["op"]})
        inputs = [port(entry) for entry in self._signature["inputs"].values()]
        outputs = [port(entry) for entry in self._signature["outputs"].values()]
        outputs.sort(key=lambda value: int(value.name.rpartition("_")[2] or 0) if "_" in value.name else 0)
        needed = {value.name for value in outputs}
        kept = []
        for proto in reversed(self._nodes):
            if needed.intersection(proto.output):
                kept.append(proto)
                needed.update(proto.input)
        tensors = [numpy_helper.from_array(a, name) for name, a in self._initializers.items() if name in needed]
        graph = helper.make_graph(kept[::-1], "graph", inputs, outputs, tensors)
        opset = [helper.make_opsetid("", _OPSET)]
        return helper.make_model(
            graph, producer_name="streamproc", producer_version="", ir_version=_IR_VERSION, opset_imports=opset
        )

    def _emit(self, op: str, inputs: list[str], out: str | list[str], **attributes: Any) -> None:
        names = [out] if isinstance(out, str) else out
        sources = [self._tensor(i) for i in inputs]
        self._nodes.append(helper.make_node(op, sources, names, name=names[0], **attributes))

    def _tensor(self, name: str) -> str:
        """The ONNX tensor of that TensorFlow name, made now if it is a constant or exists channels first only."""
        name = self._same.get(name, name)
        if name in self._consts and name not in self._initializers:
            self._constant(name, self._consts[name])
        elif name in self._first and not any(name in node.output for node in self._nodes):
            self._nodes.append(helper.make_node("Transpose", [self._first[name]], [name], name=name, perm=_TO_LAST))
        return name

    def _constant(self, name: str, values: Array) -> str:
        self._initializers[name] = np.ascontiguousarray(values)
        return name

    def _value_of(self, name: str) -> Array:
        """A constant's values, for what ONNX wants as attributes."""
        if name not in self._consts:
            raise ValueError(f"{name} must be a constant")
        return self._consts[name]

    def _channels_first(self, name: str) -> str:
        """The channels-first tensor with the values of the channels-last tensor ``name``."""
        if name not in self._first:
            self._emit("Transpose", [name], f"{name}/first", perm=_TO_FIRST)
            self._first[name] = f"{name}/first"
        return self._first[name]

    def _transpose(self, out: str, inputs: list[str], _: Node) -> None:
        source, perm = self._same.get(inputs[0], inputs[0]), tuple(int(p) for p in self._value_of(inputs[1]))
        if perm == _TO_LAST:
            self._first[out] = source
        elif perm == _TO_FIRST and source in self._first:
            self._same[out] = self._first[source]
        else:
            self._emit("Transpose", [source], out, perm=perm)

    def _conv(self, out: str, inputs: list[str], attr: Node) -> None:
        """A convolution, for each channel by itself where the operator says so, with what is fused into it."""
        kernel = self._value_of(inputs[1])
        groups = {}
        if "Depthwise" in attr["_op"]:
            groups = {"group": kernel.shape[2]}
            kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
        kernel = kernel.transpose(3, 2, 0, 1)  # HWIO to OIHW
        fused = texts_of(attr["fused_ops"]) if "fused_ops" in attr else []
        if fused not in ([], ["BiasAdd"], ["BiasAdd", "Relu"], ["BiasAdd", "Relu6"]):
            raise ValueError(f"{out}: {' and '.join(fused)} fused into a convolution is not known")
        self._first[out] = f"{out}/first"
        before = f"{out}/linear" if fused[1:] else self._first[out]
        self._emit(
            "Conv",
            [self._channels_first(inputs[0]), self._constant(f"{out}/kernel", kernel), *inputs[2 : 2 + len(fused[:1])]],
            before,
            strides=spatial(attr["strides"]),
            dilations=spatial(attr["dilations"]),
            kernel_shape=list(kernel.shape[2:]),
            **groups,
            **padding_of(out, attr),
        )
        if fused[1:] == ["Relu"]:
            self._emit("Relu", [before], self._first[out])
        elif fused[1:] == ["Relu6"]:
            least, most = (self._constant(f"{out}/{n}", np.array(n, np.float32)) for n in (0, 6))
            self._emit("Clip", [before, least, most], self._first[out])

    def _maxpool(self, out: str, inputs: list[str], attr: Node) -> None:
        padding = padding_of(out, attr)
        self._first[out] = f"{out}/first"
        kernel, strides = spatial(attr["ksize"]), spatial(attr["strides"])
        source = self._channels_first(inputs[0])
        self._emit("MaxPool", [source], self._first[out], kernel_shape=kernel, strides=strides, **padding)

    def _resize(self, out: str, inputs: list[str], attr: Node) -> None:
        if not attr["half_pixel_centers"]["b"] or attr["align_corners"]["b"]:
            raise ValueError(f"{out}: only half-pixel centres are known")
        sizes = self._constant(f"{out}/sizes", self._value_of(inputs[1]).astype(np.int64))
        mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel", "axes": [2, 3]}
        source, self._first[out] = self._channels_first(inputs[0]), f"{out}/first"
        self._emit("Resize", [source, "", "", sizes], self._first[out], **mode)

    def _add(self, out: str, inputs: list[str], _: Node) -> None:
        left, right = inputs
        if left in self._consts and right in self._consts:
            self._consts[out] = self._consts[left] + self._consts[right]
        elif left in self._first and right in self._consts and self._consts[right].ndim == 1:
            bias = self._constant(f"{out}/bias", self._consts[right].reshape(1, -1, 1, 1))
            self._first[out] = f"{out}/first"
            self._emit("Add", [self._first[left], bias], self._first[out])
        elif left in self._first and right in self._first:
            self._first[out] = f"{out}/first"
            self._emit("Add", [self._first[left], self._first[right]], self._first[out])
        else:
            self._emit("Add", inputs, out)

    def _pad(self, out: str, inputs: list[str], _: Node) -> None:
        pads = self._constant(f"{out}/pads", self._value_of(inputs[1]).T.reshape(-1).astype(np.int64))
        fill = [self._constant(f"{out}/fill", self._value_of(inputs[2]).reshape(()))] if len(inputs) > 2 else []
        self._emit("Pad", [inputs[0], pads, *fill], out)

    def _concat(self, out: str, inputs: list[str], _: Node) -> None:
        self._emit("Concat", inputs[:-1], out, axis=int(self._value_of(inputs[-1])))

    def _split(self, out: str, inputs: list[str], _: Node) -> None:
        sizes = self._constant(f"{out}/sizes", self._value_of(inputs[1]).astype(np.int64))
        names = [out] + [f"{out}:{i}" for i in range(1, len(self._value_of(inputs[1])))]
        self._emit("Split", [inputs[0], sizes], names, axis=int(self._value_of(inputs[2])))

    def _reshape(self, out: str, inputs: list[str], _: Node) -> None:
        shape = self._constant(f"{out}/shape", self._value_of(inputs[1]).astype(np.int64))
        self._emit("Reshape", [inputs[0], shape], out)

    def _sparse(self, out: str, inputs: list[str], _: Node) -> None:
        indices, shape, values, default = (self._value_of(i) for i in inputs)
        dense = np.broadcast_to(default, tuple(int(n) for n in shape)).copy()
        dense[tuple(indices.T)] = values
        self._consts[out] = dense

    def _pack(self, out: str, inputs: list[str], attr: Node) -> None:
        axis = int(attr["axis"]["i"])
        at = self._constant(f"{out}/axis", np.array([axis], np.int64))
        parts = [f"{out}/{index}" for index in range(len(inputs))]
        for source, part in zip(inputs, parts, strict=True):
            self._emit("Unsqueeze", [source, at], part)
        self._emit("Concat", parts, out, axis=axis)

    def _unpack(self, out: str, inputs: list[str], attr: Node) -> None:
        axis, count = int(attr["axis"]["i"]), int(attr["num"]["i"])
        at = self._constant(f"{out}/axis", np.array([axis], np.int64))
        parts = [f"{out}/{index}" for index in range(count)]
        self._emit("Split", inputs, parts, axis=axis, num_outputs=count)
        for index, part in enumerate(parts):
            self._emit("Squeeze", [part, at], f"{out}:{index}" if index else out)

    def _expand(self, out: str, inputs: list[str], _: Node) -> None:
        axis = self._constant(f"{out}/axis", self._value_of(inputs[1]).reshape(1).astype(np.int64))
        self._emit("Unsqueeze", [inputs[0], axis], out)

    def _squeeze(self, out: str, inputs: list[str], attr: Node) -> None:
        axes = np.array([int(axis) for axis in attr["squeeze_dims"]["list"]["i"]], np.int64)
        self._emit("Squeeze", [inputs[0], self._constant(f"{out}/axes", axes)], out)

    def _argmax(self, out: str, inputs: list[str], attr: Node) -> None:
        self._emit("ArgMax", inputs[:1], f"{out}/wide", axis=int(self._value_of(inputs[1])), keepdims=0)
        self._emit("Cast", [f"{out}/wide"], out, to=type_of(attr["output_type"]))

    def _gather(self, out: str, inputs: list[str], _: Node) -> None:
        self._emit("Cast", inputs[1:], f"{out}/indices", to=TensorProto.INT64)
        self._emit("GatherND", [inputs[0], f"{out}/indices"], out)

    def _floordiv(self, out: str, inputs: list[str], _: Node) -> None:
        # ONNX divides integers towards zero; without the remainder nothing is left to round.
        self._emit("Mod", inputs, f"{out}/rest")
        self._emit("Sub", [inputs[0], f"{out}/rest"], f"{out}/whole")
        self._emit("Div", [f"{out}/whole", inputs[1]], out)

    def _squared_difference(self, out: str, inputs: list[str], _: Node) -> None:
        self._emit("Sub", inputs, f"{out}/difference")
        self._emit("Mul", [f"{out}/difference"] * 2, out)
