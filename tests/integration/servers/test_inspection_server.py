"""Inspection's answers against a real vLLM server with LLaVA-OneVision: both routes, tokens counted, refusals.

The weights of the model, and of the expert that reads its tower, are random: what is said means nothing. That both
routes reach it, that it computes with exactly the tokens sent and the expert's selected ones among them, and that its
refusals are heard, is what is proved.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

from streamproc.errors import InferenceError
from streamproc.inspection.answers import prompts
from streamproc.inspection.answers.explainer import Explainer
from streamproc.inspection.answers.pictures import hottest
from streamproc.inspection.answers.projector import Projector
from streamproc.inspection.answers.routes import ByTokens, Found, make_route
from streamproc.inspection.answers.settings import AnswersSettings
from streamproc.inspection.header import Header
from streamproc.inspection.nouns import Features
from streamproc.inspection.serving import OnnxExpert
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
def transformers(
    onevision: Any, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, Any]]:
    """As `onevision_reference.py` says: what, then its further arguments."""

    def run(what: str, *more: str | Path) -> dict[str, Any]:
        out = tmp_path_factory.mktemp("reference") / "out.npz"
        command = [onevision.directory / "bin" / "python", HERE / "onevision_reference.py", what, model, out, *more]
        seen = os.environ | {"PYTHONPATH": str(model.parent / "vision"), "HF_HUB_OFFLINE": "1"}
        ran = subprocess.run(command, capture_output=True, text=True, env=seen)
        assert ran.returncode == 0, ran.stderr[-2000:]
        with np.load(out) as held:
            return dict(held)

    return run


@pytest.fixture(scope="session")
def reference(transformers: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Pictures and what the model's own tower makes of them."""
    return transformers("pictures", *SIZES)


@pytest.fixture(scope="session")
def expert(tmp_path_factory: pytest.TempPathFactory) -> OnnxExpert:
    """An expert for the tiny tower, served as a trained one is."""
    torch = pytest.importorskip("torch")
    from streamproc.inspection.export import export_expert
    from streamproc.inspection.variants import make_expert

    torch.manual_seed(2)
    made = make_expert(Header(backbone="tiny-onevision", revision="", channels=64, side=SIDE, hidden=16))
    for sign in (made.positive_embedding, made.negative_embedding):
        torch.nn.init.normal_(sign)  # a new expert's are so small that its maps are flat
    path = tmp_path_factory.mktemp("expert") / "expert.onnx"
    export_expert(made, path)
    return OnnxExpert(path)


@pytest.fixture(scope="session")
def found(reference: dict[str, Any], expert: OnnxExpert) -> Callable[[str], Found]:
    """A picture of a size with the tower's features and what the expert reads in them."""

    def look(size: str) -> Found:
        picture = reference[f"{size} picture"]
        layout = make_views(picture, SIDE_PX, 2).layout
        tokens, taps = (reference[f"{size} {name}"] for name in ("tokens", "taps"))
        features = Features(tokens[: layout.pictures], taps[:, : layout.pictures], SIDE, layout)
        reading = expert.score(features)
        return Found(picture, reading.score, "a tile", features, reading)

    return look


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


@pytest.mark.parametrize("size", SIZES)
def test_views_and_tokens_are_those_that_transformers_makes(
    reference: dict[str, Any], found: Callable[[str], Found], model: Path, size: str
) -> None:
    views, one = make_views(reference[f"{size} picture"], SIDE_PX, 2), found(size)
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
    found: Callable[[str], Found],
    model: Path,
    explainer: Callable[..., tuple[Explainer, ModelServer]],
    route: str,
) -> None:
    by = {"kind": route} | ({"projector": str(model / "projector.npz")} if route == "embeds" else {})
    asks, server = explainer(onevision, route=by)
    one = found("56x112")
    assert hottest(one.score.heat) is not None  # so that there is a second picture
    began_s = time.monotonic()
    said = asks.explain(one)
    took_s = time.monotonic() - began_s
    print(f"  by {route}: {took_s:.1f} s, {server.spent}, score {said.score:.2f}, {said.doubt}, there {said.there}")
    print(f"    what {said.what[:40]!r}, why {said.why[:40]!r}, prevention {said.prevention[:40]!r}")
    doubt = prompts.doubt_of(one.score.value)
    assert (said.score, said.doubt, said.route, said.model.name) == (one.score.value, doubt, route, "tiny-onevision")


def test_the_server_reads_exactly_the_tokens_sent(
    onevision: Any, found: Callable[[str], Found], model: Path, explainer: Callable[..., tuple[Explainer, ModelServer]]
) -> None:
    _, server = explainer(onevision)
    route = ByTokens(Projector.load(model / "projector.npz"))
    beside = set()
    for size in SIZES:
        one = found(size)
        assert one.features is not None
        read = server.cost([{"role": "user", "content": route.parts(one, "highly")}]).prompt_tokens
        assert read is not None
        total = span_of(one.features.layout, SIDE).total
        print(f"  {size}: {total} tokens of {read}")
        beside.add(read - total)
    assert len(beside) == 1  # the words are the same


def test_the_model_computes_with_the_selected_tokens(
    onevision: Any,
    found: Callable[[str], Found],
    model: Path,
    tmp_path: Path,
    transformers: Callable[..., dict[str, Any]],
) -> None:
    """The word that comes next is as likely as transformers says for the same tokens; others selected change it."""
    one = found("56x112")
    assert one.reading is not None
    assert one.features is not None
    others = replace(one, reading=replace(one.reading, selected=-one.reading.selected))
    summed = replace(one, reading=replace(one.reading, summary=-one.reading.summary))
    projector = Projector.load(model / "projector.npz")
    asked: dict[str, Any] = {}
    answered: dict[str, dict[int, float]] = {}
    for name, each in (("as selected", one), ("others selected", others), ("another summary", summed)):
        ids, answered[name] = next_word(onevision, ByTokens(projector).parts(each, "highly"))
        assert each.reading is not None
        asked[f"{name} ids"] = np.array(ids)
        asked[f"{name} span"] = (
            projector.span(one.features, each.reading, "highly").astype(np.float16).astype(np.float32)
        )
    np.savez(tmp_path / "asked.npz", **asked)
    wanted = transformers("next", tmp_path / "asked.npz")
    for name, likely in answered.items():
        logprobs = wanted[f"{name} logprobs"]
        apart = max(abs(logprobs[word] - value) for word, value in likely.items())
        moved = np.abs(logprobs - wanted["as selected logprobs"]).max()
        print(f"  {name}: {apart:.1e} from transformers, which moves by {moved:.1e}")
        assert apart < 1e-4
        assert name == "as selected" or moved > 10 * apart


def next_word(served: Any, parts: list[Any]) -> tuple[list[int], dict[int, float]]:
    """The prompt's tokens, and the likeliest words after it with their log-probabilities."""
    with openai.OpenAI(base_url=f"{served.base_url}/v1", api_key="none", max_retries=0) as client:
        said = client.chat.completions.create(
            model=served.model,
            messages=[{"role": "user", "content": parts}],
            max_tokens=1,
            temperature=0.0,
            logprobs=True,
            top_logprobs=5,
            extra_body={"return_token_ids": True, "return_tokens_as_token_ids": True},
        )
    logprobs = said.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    likely = {int(one.token.removeprefix("token_id:")): one.logprob for one in logprobs.content[0].top_logprobs}
    return (said.model_extra or {})["prompt_token_ids"], likely


def test_crops_of_any_size_are_asked_of_together(
    onevision: Any, found: Callable[[str], Found], model: Path, explainer: Callable[..., tuple[Explainer, ModelServer]]
) -> None:
    """One after the other: vLLM 0.32 ends when spans of different lengths come into one batch."""
    asks, _ = explainer(onevision, route={"kind": "embeds", "projector": str(model / "projector.npz")})
    began_s = time.monotonic()
    with ThreadPoolExecutor(len(SIZES)) as pool:
        said = list(pool.map(lambda size: asks.explain(found(size)), SIZES))
    print(f"  {len(said)} answers, asked for together, in {time.monotonic() - began_s:.1f} s")
    assert [one.route for one in said] == ["embeds"] * len(said)


def test_a_server_that_takes_no_tokens_says_so(
    onevision: Any,
    vlm: Any,
    found: Callable[[str], Found],
    model: Path,
    explainer: Callable[..., tuple[Explainer, ModelServer]],
) -> None:
    by = {"kind": "embeds", "projector": str(model / "projector.npz")}
    asks, _ = explainer(vlm, route=by)
    with pytest.raises(InferenceError, match=r"^route embeds: .*HTTP 400.*--enable-mm-embeds") as caught:
        asks.explain(found("40x40"))
    print(f"  refused: {caught.value}")


def test_tokens_of_another_width_are_refused_in_the_servers_words(
    onevision: Any,
    found: Callable[[str], Found],
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
        asks.explain(found("40x40"))
    print(f"  refused: {caught.value}")
