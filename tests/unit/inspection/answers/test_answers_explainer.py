from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from streamproc.errors import InferenceError, ModelLoadError, ReplyError
from streamproc.inspection.answers import prompts
from streamproc.inspection.answers.explainer import Explainer
from streamproc.inspection.answers.projector import DOUBTS, LAYERS, NEWLINE, Projector
from streamproc.inspection.answers.routes import ByTokens, Found, make_route, packed
from streamproc.inspection.answers.settings import AnswersSettings, EmbedsRoute
from streamproc.inspection.nouns import Features, Layout, Reading, Score
from streamproc.inspection.spans import PHRASE_TOKENS, span_of
from streamproc.modelreply import RequestRefused
from streamproc.modelserver import ModelServer
from streamproc.runtime.clock import SystemClock
from streamproc.testing_modelserver import Fail, FakeModelServer, Say

SAID = {"there": "yes", "what": "A scratch  on the\nleft.", "why": "A tool slipped.", "prevention": "Cover it."}
LAYOUT = Layout((16, 16), (1, 1), (0.0, 0.0, 1.0, 1.0), same_first=True)
SIDE = 4
Make = Callable[..., Explainer]


@pytest.fixture
def fake() -> Iterator[FakeModelServer]:
    with FakeModelServer(reply=json.dumps(SAID)) as server:
        yield server


@pytest.fixture
def explainer(fake: FakeModelServer) -> Iterator[Make]:
    with ExitStack() as opened:

        def make(**changes: object) -> Explainer:
            at = {"base_url": fake.base_url, "model": "test-model", "deadline_s": 10, "retries": 0}
            settings = AnswersSettings.model_validate(at | changes)
            server = ModelServer(settings, SystemClock())
            opened.callback(server.close)
            return Explainer(server, settings, make_route(settings.route))

        yield make


@pytest.fixture
def projector(tmp_path: Path) -> Path:
    shapes = dict(zip(LAYERS, ((5, 3), (5,), (5, 5), (5,)), strict=True)) | {NEWLINE: (5,)}
    shapes |= dict.fromkeys(DOUBTS, (PHRASE_TOKENS, 5))
    rng = np.random.default_rng(0)
    path = tmp_path / "projector.npz"
    np.savez(path, **{name: rng.normal(size=shape) for name, shape in shapes.items()})  # type: ignore[arg-type]
    return path


def found(score: float = 0.9, flat: bool = False, tokens: bool = False) -> Found:
    crop = np.full((60, 80, 3), 90, np.uint8)
    heat = np.zeros((6, 8), np.float32)
    heat[2:4, 3:5] = 0.0 if flat else 0.8
    scored = Score(score, heat, "expert")
    if not tokens:
        return Found(crop, scored, "a valve")
    seen = np.random.default_rng(1).normal(size=(1, SIDE * SIDE, 3)).astype(np.float32)
    reading = Reading(scored, 2.0, np.zeros((1, SIDE, SIDE), np.float32), seen[:, :4], seen[0, 0])
    return Found(crop, scored, "a valve", Features(seen, np.stack([seen] * 4), SIDE, LAYOUT), reading)


def sent(fake: FakeModelServer) -> list[dict[str, Any]]:
    """The parts of the user's message of the only request."""
    (request,) = fake.requests
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    parts: list[dict[str, Any]] = request["messages"][1]["content"]
    return parts


def shown(part: dict[str, Any]) -> Any:
    data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_the_four_answers_come_with_the_experts_score(explainer: Make) -> None:
    said = explainer().explain(found(0.9))
    assert (said.there, said.what, said.why, said.prevention) == (
        True,
        "A scratch on the left.",
        "A tool slipped.",
        "Cover it.",
    )
    assert (said.score, said.doubt, said.route, said.model.name) == (0.9, "highly", "picture", "test-model")
    assert said.model.prompt_sha256 == prompts.SHA256


def test_a_model_that_sees_nothing_changes_no_score(fake: FakeModelServer, explainer: Make) -> None:
    fake.reply = json.dumps(SAID | {"there": "no", "what": ""})
    said = explainer().explain(found(0.9))
    assert (said.there, said.score, said.doubt) == (False, 0.9, "highly")


@pytest.mark.parametrize(
    ("score", "doubt"),
    [(0.0, "slightly"), (0.299, "slightly"), (0.3, "moderately"), (0.699, "moderately"), (0.7, "highly")],
)
def test_the_score_decides_the_word_of_doubt(fake: FakeModelServer, explainer: Make, score: float, doubt: str) -> None:
    assert explainer().explain(found(score)).doubt == doubt
    assert f"with {doubt} suspicious features" in sent(fake)[-1]["text"]
    assert prompts.phrase(prompts.doubt_of(score)) == f"with {doubt} suspicious features: "


def test_the_thresholds_are_the_settings(explainer: Make) -> None:
    assert explainer(slightly_below=0.95, highly_from=0.99).explain(found(0.9)).doubt == "slightly"
    with pytest.raises(ValidationError, match=r"slightly_below 0\.8 lies above highly_from 0\.7"):
        explainer(slightly_below=0.8)


def test_by_tokens_only_one_request_may_be_under_way(explainer: Make, projector: Path) -> None:
    by_tokens = {"kind": "embeds", "projector": str(projector)}
    with pytest.raises(ValidationError, match="max_in_flight must be 1"):
        explainer(route=by_tokens, max_in_flight=2)
    explainer(max_in_flight=2)


def test_by_pictures_the_plain_crop_goes_first_then_one_with_an_outline(fake: FakeModelServer, explainer: Make) -> None:
    explainer().explain(found())
    plain, marked, text = sent(fake)
    assert (np.abs(shown(plain).astype(int) - 90) < 5).all()
    assert (np.abs(shown(marked).astype(int) - 90) > 60).any()
    assert "a valve" in text["text"]
    assert "outline" in text["text"]


def test_without_a_hottest_place_there_is_one_picture_and_no_word_of_an_outline(
    fake: FakeModelServer, explainer: Make
) -> None:
    explainer(route={"kind": "picture", "longest_px": 64}).explain(found(flat=True))
    plain, text = sent(fake)
    assert shown(plain).shape == (48, 64, 3)
    assert "outline" not in text["text"]


def test_the_form_of_the_reply_has_an_end(fake: FakeModelServer, explainer: Make) -> None:
    explainer().explain(found())
    form = fake.requests[0]["response_format"]["json_schema"]["schema"]["properties"]
    assert [form[name].get("maxLength") for name in ("what", "why", "prevention")] == [300] * 3
    assert form["there"]["enum"] == ["yes", "no"]


def test_by_tokens_the_whole_span_goes_as_one_item(fake: FakeModelServer, explainer: Make, projector: Path) -> None:
    fake.takes_embeds = True
    said = explainer(route={"kind": "embeds", "projector": str(projector)}).explain(found(0.5, tokens=True))
    assert (said.route, said.doubt) == ("embeds", "moderately")
    part, text = sent(fake)
    assert part["type"] == "image_embeds"
    tokens = np.load(io.BytesIO(base64.b64decode(part["image_embeds"])))
    assert tokens.shape == (span_of(LAYOUT, SIDE).total, 5)
    assert tokens.dtype == np.float16
    one = found(0.5, tokens=True)
    assert one.features is not None
    assert one.reading is not None
    expected = Projector.load(projector).span(one.features, one.reading, "moderately")
    np.testing.assert_allclose(tokens, expected, rtol=2e-3, atol=2e-3)
    assert text["text"].startswith("The picture shows a valve")


def test_a_server_that_refuses_the_route_is_heard(explainer: Make, projector: Path) -> None:
    with pytest.raises(RequestRefused) as caught:
        explainer(route={"kind": "embeds", "projector": str(projector)}).explain(found(tokens=True))
    assert str(caught.value).startswith("route embeds: model server test-model at http://127.0.0.1")
    assert "You must set `--enable-mm-embeds` to input `image_embeds`" in str(caught.value)


def test_a_server_that_takes_no_pictures_is_heard(fake: FakeModelServer, explainer: Make) -> None:
    fake.always = Fail(400, "At most 0 image(s) may be provided in one prompt.")
    with pytest.raises(RequestRefused, match=r"^route picture: .*At most 0 image\(s\) may be provided"):
        explainer().explain(found())


def test_tokens_need_the_towers_features(fake: FakeModelServer, explainer: Make, projector: Path) -> None:
    with pytest.raises(InferenceError, match="route embeds: needs the tower's features"):
        explainer(route={"kind": "embeds", "projector": str(projector)}).explain(found())
    assert not fake.requests


def test_no_tokens_beyond_half_precision_are_sent() -> None:
    with pytest.raises(InferenceError, match="half precision"):
        packed(np.full((2, 3), 1e6, np.float32))


def test_a_reply_in_another_form_is_an_error_with_its_text(fake: FakeModelServer, explainer: Make) -> None:
    fake.always = Say(("It is fine.",))
    with pytest.raises(ReplyError, match="does not fit the schema") as caught:
        explainer().explain(found())
    assert caught.value.text == "It is fine."


def test_no_credential_is_told(fake: FakeModelServer, explainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERS_KEY", "hush-hush")
    fake.key = "another"
    with pytest.raises(InferenceError, match="refuses the key") as caught:
        explainer(api_key="${ANSWERS_KEY}").explain(found())
    assert "hush" not in str(caught.value)


def test_the_settings_choose_the_route(projector: Path, tmp_path: Path) -> None:
    assert isinstance(make_route(EmbedsRoute(kind="embeds", projector=projector)), ByTokens)
    with pytest.raises(ModelLoadError, match=r"none\.npz"):
        make_route(EmbedsRoute(kind="embeds", projector=tmp_path / "none.npz"))
