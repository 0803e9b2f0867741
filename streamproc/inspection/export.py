"""The expert as an ONNX model, for serving without PyTorch."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from streamproc.errors import ModelError
from streamproc.inspection.expert import Expert
from streamproc.inspection.nouns import TAPS
from streamproc.inspection.serving import HEADER, OUTPUTS
from streamproc.models.sessions import open_session

OPSET = 18
"""Read by every ONNX Runtime that is permitted."""
PARITY = 1e-4
"""How far a number of the ONNX model may be from PyTorch's, in units of the larger of it and 1."""


def export_expert(expert: Expert, path: Path) -> None:
    """Write the expert, its header as metadata, to ``path``; any number of crops of any number of pictures.

    The expert's pooling is windows of fixed weights, the same as adaptive average pooling at every size, so nothing has
    to be put in another's place here.

    Raises:
        ModelError: the ONNX model does not give what PyTorch gives; nothing is written then.
    """
    unfinished = path.with_name(path.name + ".part")
    try:
        onnx.save(_converted(expert), unfinished)
        for crops, pictures in ((1, 1), (3, 2)):
            _compare(expert, unfinished, _example(expert, crops, pictures))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _converted(expert: Expert) -> Any:
    names = {"tokens": {0: "crops", 1: "pictures"}, "taps": {0: "crops", 2: "pictures"}}
    names |= {output: {0: "crops", 1: "pictures"} for output in ("maps", "selected")}
    names |= {output: {0: "crops"} for output in ("logit", "summary")}
    written = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter by tracing, which PyTorch calls the old one: the expert has no branches on data, and the new one
        # takes forty times as long and another package.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            expert,
            _example(expert, 2, 3),
            written,
            dynamo=False,
            opset_version=OPSET,
            input_names=["tokens", "taps"],
            output_names=list(OUTPUTS),
            dynamic_axes=names,
        )
    model = onnx.load_from_string(written.getvalue())
    model.metadata_props.add(key=HEADER, value=expert.header.model_dump_json())
    return model


def _example(expert: Expert, crops: int, pictures: int) -> tuple[Any, Any]:
    numbers = torch.Generator().manual_seed(crops)
    tokens = (crops, pictures, expert.header.side**2, expert.header.channels)
    return (
        torch.randn(tokens, generator=numbers),
        torch.randn((crops, TAPS, *tokens[1:]), generator=numbers),
    )


def _compare(expert: Expert, path: Path, example: tuple[Any, Any]) -> None:
    session, _ = open_session(path)
    found = session.run(list(OUTPUTS), {"tokens": example[0].numpy(), "taps": example[1].numpy()})
    with torch.no_grad():
        wanted = expert(*example)
    for name, of_onnx, of_torch in zip(OUTPUTS, found, wanted, strict=True):
        reference = of_torch.numpy()
        apart = np.abs(of_onnx - reference) / np.maximum(np.abs(reference), 1.0)
        if not apart.max() <= PARITY:
            raise ModelError(f"{name} of the ONNX model is {apart.max():.1e} from PyTorch's, {PARITY:.0e} is permitted")
