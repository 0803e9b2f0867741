"""A vision transformer's ONNX graph, cut where its blocks end.

What comes in a package may be trained for one task, with a head on top and a fixed picture size. Its blocks are what an
encoder is wanted for: the cut graph gives their tokens, for pictures of any size whose edges are multiples of the
patch (the positional embeddings are interpolated within the graph where it was exported so).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from streamproc.errors import ModelLoadError

INPUT = "pictures"
OUTPUTS = ("tap_0", "tap_1", "tap_2", "tap_3", "tokens")
"""Four levels from shallow to deep and the last tokens; each (n, 1 + t, c) with the class token first."""
DINOV2_S = (
    *(f"/backbone/encoder/layer.{block}/Add_1_output_0" for block in (2, 5, 8, 11)),
    "/backbone/layernorm/Add_1_output_0",
)
"""The residual stream after blocks 3, 6, 9 and 12 of 12, evenly spaced as Anomaly-OV's levels are, and what the last
normalisation makes of it."""


def cut(source: Path, target: Path, inner: Sequence[str] = DINOV2_S) -> None:
    """Write the part of the graph ``source`` that its tensors ``inner`` need to ``target``; the same bytes each time.

    Raises:
        ModelLoadError: the file is no ONNX model, or has not one picture as its input and all of these tensors.
    """
    try:
        model = onnx.load(str(source))
    except Exception as error:  # protobuf's errors have no public base
        raise ModelLoadError(f"{source}: not an ONNX model: {error}") from error
    graph = model.graph
    names = dict(zip(inner, OUTPUTS, strict=True))
    if len(graph.input) == 1:
        names[graph.input[0].name] = INPUT
    missing = set(inner) - {output for node in graph.node for output in node.output}
    if INPUT not in names.values() or missing:
        raise ModelLoadError(f"{source}: not the encoder it should be; without {', '.join(sorted(missing)) or 'input'}")
    needed = set(inner)
    nodes: list[onnx.NodeProto] = []
    for node in reversed(graph.node):  # ONNX lists a node after those whose outputs it takes
        if needed.intersection(node.output):
            nodes.insert(0, node)
            needed.update(node.input)
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    small = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", 3, "height", "width"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "tokens", "channels"]) for name in OUTPUTS],
        [weight for weight in graph.initializer if weight.name in needed],
    )
    made = helper.make_model(small, opset_imports=model.opset_import, ir_version=model.ir_version)
    target.write_bytes(made.SerializeToString(deterministic=True))
