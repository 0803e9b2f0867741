"""The expert that comes with the package: loads, is small, and its recipe stands beside it."""

from __future__ import annotations

import json

import pytest

from streamproc.errors import ConfigError
from streamproc.inspection.serving import OnnxExpert
from streamproc.inspection.shipped import shipped_expert


def test_the_shipped_expert_loads_and_says_what_it_is() -> None:
    path = shipped_expert("dinov2-s")
    expert = OnnxExpert(path)
    recipe = json.loads(path.with_suffix(".json").read_text())

    assert path.stat().st_size < 5_000_000
    assert (expert.header.backbone, expert.header.channels, expert.header.side) == ("dinov2-s", 384, 16)
    assert expert.header.model_dump() == recipe["header"]
    assert recipe["sources"] == ["synthetic"]
    assert all(licence for licence in recipe["photographs"].values())


def test_for_another_encoder_there_is_none() -> None:
    with pytest.raises(ConfigError, match=r"no expert for siglip comes with the package \(there is: dinov2-s\)"):
        shipped_expert("siglip")
