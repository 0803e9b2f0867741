"""Tensors come from the files that hold them, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from streamproc.errors import ModelLoadError
from streamproc.inspection.backbones.weights import files_of, model_file, read_tensors


def tower(key: str) -> str | None:
    return key.removeprefix("model.tower.") if key.startswith("model.tower.") else None


def test_of_weights_in_parts_only_those_with_the_tower_are_wanted(tmp_path: Path) -> None:
    where = {"model.tower.a": "2.safetensors", "model.tower.b": "1.safetensors", "lm": "3.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    for name in set(where.values()):
        (tmp_path / name).touch()
    assert [path.name for path in files_of(str(tmp_path), tower)] == ["1.safetensors", "2.safetensors"]


def test_a_folder_without_weights_is_told_with_their_name(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"holds no model\.safetensors$"):
        files_of(str(tmp_path), tower)


def test_what_is_no_folder_is_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(model: str, name: str) -> str:
        if name.endswith(".index.json"):
            raise FileNotFoundError("404")
        return str(tmp_path / model / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert files_of("some/model", tower) == (tmp_path / "some" / "model" / "model.safetensors",)
    with pytest.raises(ModelLoadError, match=r"some/model: no such folder, and from the hub: a\.index\.json: 404"):
        model_file("some/model", "a.index.json")


def test_tensors_are_read_by_the_names_they_are_given(tmp_path: Path) -> None:
    held = {"model.tower.a": torch.arange(3.0), "model.tower.b": torch.ones(2), "lm": torch.zeros(4)}
    save_file(held, tmp_path / "model.safetensors")
    found = read_tensors(str(tmp_path), tower)
    assert sorted(found) == ["a", "b"]
    assert found["a"].tolist() == [0.0, 1.0, 2.0]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelLoadError, match=r"model\.safetensors: cannot be read: "):
        read_tensors(str(tmp_path), tower)
