"""What the route by tokens needs is taken out of a model without loading it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import BPE

from streamproc.errors import ConfigError, ModelLoadError
from streamproc.inspection.answers.extract import extract_projector, phrase_ids
from streamproc.inspection.answers.projector import DOUBTS, Projector

LETTERS = "abcdefghijklmnopqrstuvwxyz: "
"""A token each."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    rng = torch.Generator().manual_seed(0)
    tensors = {
        "model.multi_modal_projector.linear_1.weight": torch.randn((8, 6), generator=rng),
        "model.multi_modal_projector.linear_1.bias": torch.randn(8, generator=rng),
        "model.multi_modal_projector.linear_2.weight": torch.randn((8, 8), generator=rng),
        "model.multi_modal_projector.linear_2.bias": torch.randn(8, generator=rng),
        "model.image_newline": torch.randn(8, generator=rng),
        "model.language_model.embed_tokens.weight": torch.randn((len(LETTERS), 8), generator=rng).bfloat16(),
        "model.language_model.layers.0.weight": torch.zeros(3),
    }
    folder = tmp_path / "onevision"
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    tokenizer = Tokenizer(BPE({letter: number for number, letter in enumerate(LETTERS)}, []))
    tokenizer.save(str(folder / "tokenizer.json"))
    kinds = {"model_type": "llava_onevision", "vision_config": {"model_type": "siglip_vision_model"}}
    (folder / "config.json").write_text(json.dumps(kinds))
    return folder


def test_a_projector_is_written_with_its_phrases(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "projector.npz"
    written = extract_projector(str(model), out)
    assert written.channels == 6
    read = Projector.load(out)
    rows = safe(model)["model.language_model.embed_tokens.weight"].float().numpy()
    for doubt in DOUBTS:
        wanted = [LETTERS.index(letter) for letter in f"with {doubt}"[:6]]
        np.testing.assert_array_equal(read.tensors[doubt], rows[wanted])
    np.testing.assert_array_equal(read.tensors["image_newline"], safe(model)["model.image_newline"].numpy())
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".npz"] == ["projector.npz"]


def test_another_model_is_refused_by_what_it_lacks(model: Path, tmp_path: Path) -> None:
    tensors = safe(model)
    del tensors["model.image_newline"]
    save_file(tensors, model / "model.safetensors")
    with pytest.raises(ModelLoadError, match=r"onevision: holds no image_newline: is it a LLaVA-OneVision"):
        extract_projector(str(model), tmp_path / "projector.npz")
    assert not (tmp_path / "projector.npz").exists()


def test_a_tokenizer_of_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    tensors = safe(model) | {"model.language_model.embed_tokens.weight": torch.zeros(3, 8)}
    save_file(tensors, model / "model.safetensors")
    with pytest.raises(ModelLoadError, match=r"embed_tokens\.weight has 3 rows, the tokenizer wants row 27"):
        extract_projector(str(model), tmp_path / "projector.npz")


def test_a_tokenizer_of_too_few_tokens_is_refused() -> None:
    with pytest.raises(ModelLoadError, match=r"^m: its tokenizer makes 5 tokens of a phrase of 6$"):
        phrase_ids(lambda text: list(range(len(text.split()) + 1)), "m")


def test_a_place_that_cannot_be_written_is_named(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere/p\.npz: cannot be written: No such file"):
        extract_projector(str(model), tmp_path / "nowhere" / "p.npz")


def safe(model: Path) -> dict[str, Any]:
    return dict(load_file(model / "model.safetensors"))
