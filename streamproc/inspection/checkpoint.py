"""Weights of an expert on disk: the published ones, and our own with a header that says what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydantic
import torch

from streamproc.errors import ModelLoadError
from streamproc.inspection.expert import Expert
from streamproc.inspection.header import OFFICIAL, Header, Variant
from streamproc.inspection.variants import make_expert

HEADER = "streamproc_expert"
"""The key of the header, a JSON string, in our own files; the tensors are under ``weights``."""


def load_expert(path: Path, variant: Variant | None = None, official: Header = OFFICIAL) -> Expert:
    """The expert in ``path``, in evaluation mode, on the CPU, in single precision.

    A file without a header is taken for published weights, of the shape and for the tower that ``official`` says.
    Nothing but tensors and plain values is unpickled.

    Raises:
        ModelLoadError: the file cannot be read or is not of ``variant``; a tensor is missing, unknown, of another shape
            or not finite. The message names the file and the tensor.
    """
    header, weights = _read(path, official)
    if variant is not None and header.variant != variant:
        raise ModelLoadError(f"{path}: holds the {header.variant!r} expert, {variant!r} was asked for")
    expert = make_expert(header)
    wanted = expert.state_dict()
    _compare(path, wanted, weights)
    expert.load_state_dict(weights, strict=True)
    expert.eval()
    return expert


def save_expert(expert: Expert, path: Path) -> None:
    """Write the expert's weights and header to ``path``, whole or not at all."""
    unfinished = path.with_name(path.name + ".part")
    torch.save({HEADER: expert.header.model_dump_json(), "weights": expert.state_dict()}, unfinished)
    unfinished.replace(path)


def _read(path: Path, official: Header) -> tuple[Header, dict[str, Any]]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelLoadError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # an unpickler's errors have no common base; its advice is to load what is not safe
        already = "is an ONNX model already" if path.suffix == ".onnx" else "is not a file of weights alone"
        wanted = "an expert's weights are the published .pth, or expert.pt of `streamproc inspect train`"
        raise ModelLoadError(f"{path}: {already}; {wanted}") from error
    if not isinstance(content, dict):
        raise ModelLoadError(f"{path}: holds a {type(content).__name__}, not named tensors")
    if HEADER not in content:
        return official, content
    try:
        header = Header.model_validate(json.loads(content[HEADER]))
    except (TypeError, ValueError, pydantic.ValidationError) as error:
        raise ModelLoadError(f"{path}: its header does not read: {error}") from error
    weights = content.get("weights")
    if not isinstance(weights, dict):
        raise ModelLoadError(f"{path}: has a header but no weights")
    return header, weights


def _compare(path: Path, wanted: dict[str, Any], found: dict[str, Any]) -> None:
    for names, fault in ((wanted.keys() - found.keys(), "is missing"), (found.keys() - wanted.keys(), "is unknown")):
        if names:
            named = ", ".join(repr(name) for name in sorted(names, key=str))
            raise ModelLoadError(f"{path}: {named} {fault}; the expert has {len(wanted)} tensors")
    for name, tensor in wanted.items():
        if not isinstance(found[name], torch.Tensor):
            raise ModelLoadError(f"{path}: {name!r} is not a tensor")
        if found[name].shape != tensor.shape:
            raise ModelLoadError(f"{path}: {name!r} is {tuple(found[name].shape)}, not {tuple(tensor.shape)}")
        if not bool(torch.isfinite(found[name]).all()):
            raise ModelLoadError(f"{path}: {name!r} holds numbers that are not finite")
