"""Inspection's answers against a real vLLM server with LLaVA-OneVision: both routes, tokens counted, refusals.

The model's weights are random: what it says means nothing. That both routes reach it, with exactly the tokens that
transformers itself would make of a picture, and that its refusals are heard, is what is proved.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamproc.errors import InferenceError
from streamproc.inspection.answers.explainer import Explainer
from streamproc.inspection.answers.projector import Projector
from streamproc.inspection.answers.routes import ByTokens, Found, make_route
from streamproc.inspection.answers.settings import AnswersSettings
from streamproc.inspection.nouns import Features, Reading, Score
from streamproc.inspection.spans import span_of
from streamproc.inspection.views import make_views
from streamproc.modelserver import ModelServer
from streamproc.runtime.clock import SystemClock

HERE = Path(__file__).parent
SIZES = ("40x40", "56x112", "100x90", "70x40")
SIDE_PX, SIDE = 56, 4


@pytest.fixture(scope="session")
def model(onevision: Any) -> Path:
    """The tiny model's folder, beside the server's."""
    return Path(onevision.directory).parent / "tiny-onevision"


@pytest.fixture(scope="session")
def reference(onevision: Any, model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """As `onevision_reference.py` says."""
    out = tmp_path_factory.mktemp("reference") / "reference.npz"
    command = [onevision.directory / "bin" / "python", HERE / "onevision_reference.py", model, out, *SIZES]
    seen = os.environ | {"PYTHONPATH": str(model.parent / "vision"), "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=seen)
    assert ran.returncode == 0, ran.stderr[-2000:]
    with np.load(out) as held:
        return {name: held[name] for name in held.files}


@pytest.fixture
def explainer() -> Iterator[Callable[..., tuple[Explainer, ModelServer]]]:
    with ExitStack() as opened:

        def make(served: Any, **changes: object) -> tuple[Explainer, ModelServer]:
            at = {"base_url": f"{served.base_url}/v1", "model": served.model}
            patient = {"deadline_s": 300, "retries": 0, "max_tokens": 3000}
            settings = AnswersSettings.model_validate(at | patient | changes)
            server = ModelServer(settings, SystemClock())
            opened.callback(server.close)
            return Explainer(server, settings, make_route(settings.route)), server

        yield make


def found(reference: dict[str, Any], size: str, score: float = 0.8) -> Found:
    """A crop whose tokens are the tower's own; the selected ones are some of them."""
    layout = make_views(reference[f"{size} picture"], SIDE_PX, 2).layout
    tokens = reference[f"{size} tokens"][: layout.pictures]
    heat = np.zeros((SIDE, SIDE), np.float32)
    heat[1, 2] = 0.9
    scored = Score(score, heat, "expert")
    reading = Reading(scored, 1.4, np.zeros((len(tokens), SIDE, SIDE), np.float32), tokens[:, :4], tokens[0].mean(0))
    features = Features(tokens, np.stack([tokens] * 4), SIDE, layout)
    return Found(reference[f"{size} picture"], scored, "a tile", features, reading)


@pytest.mark.parametrize("size", SIZES)
def test_views_and_tokens_are_those_that_transformers_makes(reference: dict[str, Any], model: Path, size: str) -> None:
    views, one = make_views(reference[f"{size} picture"], SIDE_PX, 2), found(reference, size)
    pixels, packed = reference[f"{size} pixels"], reference[f"{size} packed"]
    apart = np.abs(views.pictures * 2 - 1 - pixels[: views.layout.pictures])
    # All but a rounding, except a few values of pure noise that is enlarged one way and reduced the other.
    assert np.quantile(apart, 0.95) <= 2 / 255 + 1e-6
    assert apart.mean() < 1 / 255
    assert one.features is not None
    assert one.reading is not None
    span = Projector.load(model / "projector.npz").span(one.features, one.reading, "highly")
    count = span_of(views.layout, SIDE).image
    print(f"  {size}: {count} tokens, farthest apart {np.abs(span[:count] - packed).max():.1e}")
    np.testing.assert_allclose(span[:count], packed, atol=1e-6)


@pytest.mark.parametrize("route", ["picture", "embeds"])
def test_the_four_questions_are_answered(
    onevision: Any,
    reference: dict[str, Any],
    model: Path,
    explainer: Callable[..., tuple[Explainer, ModelServer]],
    route: str,
) -> None:
    by = {"kind": route} | ({"projector": str(model / "projector.npz")} if route == "embeds" else {})
    asks, server = explainer(onevision, route=by)
    said = asks.explain(found(reference, "56x112"))
    print(f"  by {route}: {server.spent}, there {said.there}, what {said.what[:60]!r}")
    assert (said.score, said.doubt, said.route, said.model.name) == (0.8, "highly", route, "tiny-onevision")


def test_the_server_reads_exactly_the_tokens_sent(
    onevision: Any, reference: dict[str, Any], model: Path, explainer: Callable[..., tuple[Explainer, ModelServer]]
) -> None:
    _, server = explainer(onevision)
    route = ByTokens(Projector.load(model / "projector.npz"))
    beside = set()
    for size in SIZES:
        one = found(reference, size)
        assert one.features is not None
        read = server.cost([{"role": "user", "content": route.parts(one, "highly")}]).prompt_tokens
        assert read is not None
        total = span_of(one.features.layout, SIDE).total
        print(f"  {size}: {total} tokens of {read}")
        beside.add(read - total)
    assert len(beside) == 1  # the words are the same


def test_a_server_that_takes_no_tokens_says_so(
    onevision: Any,
    vlm: Any,
    reference: dict[str, Any],
    model: Path,
    explainer: Callable[..., tuple[Explainer, ModelServer]],
) -> None:
    by = {"kind": "embeds", "projector": str(model / "projector.npz")}
    asks, _ = explainer(vlm, route=by)
    with pytest.raises(InferenceError, match=r"^route embeds: .*HTTP 400.*--enable-mm-embeds") as caught:
        asks.explain(found(reference, "40x40"))
    print(f"  refused: {caught.value}")


def test_tokens_of_another_width_are_refused_in_the_servers_words(
    onevision: Any,
    reference: dict[str, Any],
    model: Path,
    tmp_path: Path,
    explainer: Callable[..., tuple[Explainer, ModelServer]],
) -> None:
    with np.load(model / "projector.npz") as held:
        wide = {name: np.concatenate([held[name]] * 2) for name in held.files if held[name].ndim == 1}
        wide |= {name: np.tile(held[name], (1, 2)) for name in ("slightly", "moderately", "highly")}
        wide["linear_1.weight"] = np.tile(held["linear_1.weight"], (2, 1))
        wide["linear_2.weight"] = np.tile(held["linear_2.weight"], (2, 2))
    np.savez(tmp_path / "wide.npz", **wide)
    asks, _ = explainer(onevision, route={"kind": "embeds", "projector": str(tmp_path / "wide.npz")})
    with pytest.raises(InferenceError, match=r"^route embeds: ") as caught:
        asks.explain(found(reference, "40x40"))
    print(f"  refused: {caught.value}")
