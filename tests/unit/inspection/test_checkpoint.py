"""Weights are loaded whole or refused by name."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from streamproc.errors import ModelLoadError
from streamproc.inspection.checkpoint import HEADER, load_expert, save_expert
from streamproc.inspection.header import OFFICIAL, Header, Variant
from streamproc.inspection.variants import make_expert


def published() -> dict[str, Any]:
    """Random numbers under the names and in the shapes of the published files."""
    linear: dict[str, tuple[int, int]] = {
        "pooling_layer.0": (1, 729),
        "class_predictor.0": (512, 1152),
        "class_predictor.2": (512, 512),
        **{f"siglip_adaptors.{level}": (512, 1152) for level in range(4)},
        **{f"prompt_adaptors.{level}": (512, 1024) for level in range(4)},
        "q_former.query_proj": (512, 1152),
        "q_former.key_proj": (512, 1152),
        "final_predictor.0": (512, 1152),
        "final_predictor.2": (1, 512),
    }
    weights = {"positive_embedding": torch.randn(1, 512), "negative_embedding": torch.randn(1, 512)}
    for name, (out, width) in linear.items():
        weights[f"{name}.weight"] = torch.randn(out, width)
        weights[f"{name}.bias"] = torch.randn(out)
    return weights


def stored(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "expert.pth"
    torch.save(content, path)
    return path


def small(variant: Variant = "released") -> Any:
    return make_expert(Header(backbone="tiny", revision="r1", channels=6, side=3, hidden=5, variant=variant))


def test_published_names_and_shapes_load(tmp_path: Path) -> None:
    weights = published()
    expert = load_expert(stored(tmp_path, weights), "released")
    assert len(weights) == 32
    assert expert.header == OFFICIAL
    assert not expert.training
    assert all(torch.equal(expert.state_dict()[name], weights[name]) for name in weights)


def test_half_precision_is_widened(tmp_path: Path) -> None:
    weights = {name: tensor.bfloat16() for name, tensor in published().items()}
    expert = load_expert(stored(tmp_path, weights))
    assert {tensor.dtype for tensor in expert.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("name", ["q_former.key_proj.bias", "positive_embedding", "siglip_adaptors.3.weight"])
def test_a_missing_tensor_is_named(tmp_path: Path, name: str) -> None:
    weights = published()
    del weights[name]
    with pytest.raises(ModelLoadError, match=f"expert.pth: '{name}' is missing; the expert has 32 tensors"):
        load_expert(stored(tmp_path, weights))


def test_an_unknown_tensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"'adaptor\.extra' is unknown"):
        load_expert(stored(tmp_path, published() | {"adaptor.extra": torch.zeros(1)}))


def test_another_shape_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"'pooling_layer\.0\.weight' is \(1, 256\), not \(1, 729\)"):
        load_expert(stored(tmp_path, published() | {"pooling_layer.0.weight": torch.zeros(1, 256)}))


def test_numbers_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"'final_predictor\.2\.bias' holds numbers that are not finite"):
        load_expert(stored(tmp_path, published() | {"final_predictor.2.bias": torch.tensor([float("nan")])}))
    with pytest.raises(ModelLoadError, match=r"'final_predictor\.2\.bias' is not a tensor"):
        load_expert(stored(tmp_path, published() | {"final_predictor.2.bias": 0.5}))


@pytest.mark.parametrize("variant", ["released", "paper"])
def test_our_own_file_says_what_it_is(tmp_path: Path, variant: Variant) -> None:
    expert = small(variant)
    save_expert(expert, tmp_path / "own.pth")
    again = load_expert(tmp_path / "own.pth", variant)
    assert again.header == expert.header
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in expert.state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["own.pth"]


def test_the_other_variant_is_refused(tmp_path: Path) -> None:
    save_expert(small(), tmp_path / "own.pth")
    with pytest.raises(ModelLoadError, match="holds the 'released' expert, 'paper' was asked for"):
        load_expert(tmp_path / "own.pth", "paper")
    with pytest.raises(ModelLoadError, match="holds the 'released' expert"):
        load_expert(stored(tmp_path, published()), "paper")


class Deed:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_file_that_would_run_something_does_not(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="is not a file of weights alone"):
        load_expert(stored(tmp_path, {"a": Deed(tmp_path / "done")}))
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ([1], "holds a list"),
        ({HEADER: "{"}, "its header does not read"),
        ({HEADER: '{"backbone": ""}'}, "its header does not read"),
        ({HEADER: 3}, "its header does not read"),
        ({HEADER: OFFICIAL.model_dump_json()}, "has a header but no weights"),
    ],
)
def test_what_is_no_expert_is_refused(tmp_path: Path, content: object, fault: str) -> None:
    with pytest.raises(ModelLoadError, match=fault):
        load_expert(stored(tmp_path, content))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="cannot be read: No such file"):
        load_expert(tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_bytes(pickle.dumps("text") + b"more")
    with pytest.raises(ModelLoadError, match=r"text\.pth"):
        load_expert(tmp_path / "text.pth")
