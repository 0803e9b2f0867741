"""Which of a LLaVA-OneVision's files and levels the tower is made of; its numbers are tested beside transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamproc.errors import ModelLoadError
from streamproc.inspection.backbones import siglip

CONFIG = {"model_type": "llava_onevision", "vision_config": {"model_type": "siglip_vision_model", "image_size": 384}}


def test_levels_are_the_published_codes() -> None:
    assert siglip.levels(26) == (7, 13, 19, 25, 26)
    assert siglip.levels(5) == (1, 2, 3, 4, 5)


def test_the_towers_settings_are_read_without_its_head(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    said = siglip.tower_settings(tmp_path / "config.json")
    assert (said["image_size"], said["vision_use_head"]) == (384, False)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            {"model_type": "llava", "vision_config": {"model_type": "clip_vision_model"}},
            "of a llava with a clip",
        ),
        ({"model_type": "qwen2"}, "not of a vision-language model"),
        ([], "not of a vision-language model"),
    ],
)
def test_another_model_is_refused(tmp_path: Path, said: Any, why: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(said))
    with pytest.raises(ModelLoadError, match=why):
        siglip.tower_settings(tmp_path / "config.json")


def test_of_weights_in_parts_only_those_with_the_tower_are_wanted(tmp_path: Path) -> None:
    where = {"model.vision_tower.a": "2.safetensors", "model.vision_tower.b": "1.safetensors", "lm": "3.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    for name in set(where.values()):
        (tmp_path / name).touch()
    assert [path.name for path in siglip._weights(str(tmp_path))] == ["1.safetensors", "2.safetensors"]


def test_a_folder_without_weights_is_told_with_their_name(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"holds no model\.safetensors$"):
        siglip._weights(str(tmp_path))


def test_what_is_no_folder_is_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(model: str, name: str) -> str:
        if name.endswith(".index.json"):
            raise FileNotFoundError("404")
        return str(tmp_path / model / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert siglip._weights("some/model") == (tmp_path / "some" / "model" / "model.safetensors",)
    with pytest.raises(ModelLoadError, match=r"some/model: no such folder, and from the hub: a\.index\.json: 404"):
        siglip._file("some/model", "a.index.json")
