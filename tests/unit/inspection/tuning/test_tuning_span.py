from __future__ import annotations

import numpy as np
import pytest

from streamproc.inspection.answers.projector import DOUBTS, LAYERS, NEWLINE, Projector
from streamproc.inspection.nouns import Features, Reading, Score
from streamproc.inspection.spans import PHRASE_TOKENS, span_of
from streamproc.inspection.views import make_views

torch = pytest.importorskip("torch")
SIDE, C, H = 3, 5, 7


@pytest.mark.parametrize("size", [(40, 40), (56, 112), (100, 90), (30, 400), (400, 400)])
def test_what_is_trained_on_is_what_is_served(size: tuple[int, int]) -> None:
    from streamproc.inspection.tuning.span import span_tokens

    rng = np.random.default_rng(0)
    shapes = dict(zip(LAYERS, ((H, C), (H,), (H, H), (H,)), strict=True)) | {NEWLINE: (H,)}
    shapes |= dict.fromkeys(DOUBTS, (PHRASE_TOKENS, H))
    served = Projector({name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})
    layout = make_views(np.zeros((*size, 3), np.uint8), 42, 6).layout
    tokens = rng.normal(size=(layout.pictures, SIDE * SIDE, C)).astype(np.float32)
    features = Features(tokens, np.stack([tokens] * 4), SIDE, layout)
    selected = rng.normal(size=(layout.pictures, 4, C)).astype(np.float32)
    summary = rng.normal(size=C).astype(np.float32)
    heat = np.zeros((SIDE, SIDE), np.float32)
    reading = Reading(Score(0.5, heat, "expert"), 0.0, heat[None], selected, summary)

    layers = {name: torch.from_numpy(served.tensors[name]).requires_grad_() for name in (*LAYERS, NEWLINE)}

    def project(each: object) -> object:
        inner = torch.nn.functional.linear(each, layers[LAYERS[0]], layers[LAYERS[1]])
        return torch.nn.functional.linear(torch.nn.functional.gelu(inner), layers[LAYERS[2]], layers[LAYERS[3]])

    phrase = torch.from_numpy(served.tensors["highly"])
    made = span_tokens(
        project, layers[NEWLINE], phrase, features, torch.from_numpy(selected), torch.from_numpy(summary)
    )
    assert made.shape == (span_of(layout, SIDE).total, H)
    np.testing.assert_allclose(made.detach().numpy(), served.span(features, reading, "highly"), atol=1e-4, rtol=1e-4)
    made.sum().backward()
    assert all(layer.grad is not None and layer.grad.abs().sum() > 0 for layer in layers.values())
