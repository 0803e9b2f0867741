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


def test_the_towers_tensors_are_told_by_what_stands_before_them() -> None:
    names = {
        "vision_tower.vision_model.encoder.a": "encoder.a",
        "model.vision_tower.encoder.a": "encoder.a",
        "model.vision_tower.head.b": None,
        "model.vision_tower.vision_model.post_layernorm.weight": None,
        "language_model.encoder.a": None,
    }
    assert {key: siglip._own(key) for key in names} == names
