"""Experts of half the size on disk: weights in 16 bits, computed with in 32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

SMALLEST = 256
"""Tensors of fewer numbers are left as they are: nothing is saved by them."""


def round_weights(expert: Any) -> None:
    """Round the expert's weights to what 16 bits hold, so that nothing changes when they are stored in them."""
    with torch.no_grad():
        for tensor in expert.parameters():
            tensor.copy_(tensor.half().float())


def halve(path: Path) -> None:
    """Store the ONNX model's weights in 16 bits, each widened by a Cast that ONNX Runtime does once, at loading."""
    model = onnx.load(path)
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            exact = values.dtype == np.float32 and np.array_equal(values.astype(np.float16).astype(np.float32), values)
        if exact and values.size >= SMALLEST:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    kept = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *kept])
    onnx.checker.check_model(model)
    onnx.save(model, path)
