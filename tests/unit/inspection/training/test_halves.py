"""An expert stored in 16 bits says what it said in 32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from streamproc.inspection.export import export_expert  # noqa: E402
from streamproc.inspection.header import Header  # noqa: E402
from streamproc.inspection.nouns import Features, Layout  # noqa: E402
from streamproc.inspection.serving import OnnxExpert  # noqa: E402
from streamproc.inspection.training.halves import halve, round_weights  # noqa: E402
from streamproc.inspection.variants import make_expert  # noqa: E402


def test_half_the_size_and_the_same_numbers(tmp_path: Path) -> None:
    torch.manual_seed(1)
    expert = make_expert(Header(backbone="fake", revision="1", channels=48, side=8, hidden=64))
    round_weights(expert)
    path = tmp_path / "expert.onnx"
    export_expert(expert, path)
    rng = np.random.default_rng(1)
    tokens = rng.normal(size=(1, 64, 48)).astype(np.float32)
    taps = rng.normal(size=(4, 1, 64, 48)).astype(np.float32)
    features = Features(tokens, taps, 8, Layout((32, 32), (1, 1), (0, 0, 1, 1), True))
    whole, size = OnnxExpert(path).score(features), path.stat().st_size

    halve(path)
    half = OnnxExpert(path).score(features)

    assert path.stat().st_size < 0.65 * size
    assert half.logit == pytest.approx(whole.logit, abs=1e-6)
    assert np.allclose(half.maps, whole.maps, atol=1e-6)


def test_weights_that_16_bits_do_not_hold_stay_whole(tmp_path: Path) -> None:
    expert = make_expert(Header(backbone="fake", revision="1", channels=48, side=8, hidden=64))
    path = tmp_path / "expert.onnx"
    export_expert(expert, path)
    size = path.stat().st_size

    halve(path)

    assert path.stat().st_size > 0.95 * size
