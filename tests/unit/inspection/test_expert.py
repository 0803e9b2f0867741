"""The expert gives what the equations give, worked out here one number at a time without PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from streamproc.inspection.header import OFFICIAL, Header, Variant
from streamproc.inspection.qformers import Block
from streamproc.inspection.variants import make_expert

Numbers = npt.NDArray[np.float64]
CHANNELS, HIDDEN, PICTURES = 6, 5, 3


def tiny(variant: Variant, side: int = 3, look_back: bool = True, selector: bool = True) -> Any:
    torch.manual_seed(7)
    expert = make_expert(
        Header(
            backbone="tiny",
            revision="",
            channels=CHANNELS,
            side=side,
            hidden=HIDDEN,
            variant=variant,
            look_back=look_back,
            selector=selector,
        )
    )
    with torch.no_grad():  # embeddings far apart, so that no map stays near one half
        expert.positive_embedding.normal_()
        expert.negative_embedding.normal_()
    return expert.eval()


def features(side: int, seed: int = 3) -> tuple[Any, Any]:
    numbers = torch.Generator().manual_seed(seed)
    t = side * side
    return (
        torch.randn((1, PICTURES, t, CHANNELS), generator=numbers),
        torch.randn((1, 4, PICTURES, t, CHANNELS), generator=numbers),
    )


def weights_of(expert: Any) -> dict[str, Numbers]:
    return {name: tensor.double().numpy() for name, tensor in expert.state_dict().items()}


def linear(w: dict[str, Numbers], name: str, x: Numbers) -> Numbers:
    return w[f"{name}.weight"] @ x + w[f"{name}.bias"]


def gelu(x: Numbers) -> Numbers:
    return np.array([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])


def mlp(w: dict[str, Numbers], name: str, x: Numbers) -> Numbers:
    return linear(w, f"{name}.2", gelu(linear(w, f"{name}.0", x)))


def cosine(a: Numbers, b: Numbers) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def softmax(x: Numbers) -> Numbers:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum())


def windows(side: int) -> list[list[int]]:
    """Tokens of each quadrant, as adaptive average pooling to 2 x 2 has them."""
    spans = [range(math.ceil(side / 2)), range(side // 2, side)]
    return [[row * side + column for row in rows for column in columns] for rows in spans for columns in spans]


def described(w: dict[str, Numbers], variant: Variant, whole: Numbers, level: int, look_back: bool) -> list[Numbers]:
    """d+ (anomalous) and d- of equation 3."""
    if variant == "released":
        look = (whole.T @ w["pooling_layer.0.weight"][0]) + w["pooling_layer.0.bias"][0]
        look = mlp(w, "class_predictor", look) * look_back
        signs = (w["negative_embedding"][0], w["positive_embedding"][0])  # the code's names are the other way round
        return [linear(w, f"prompt_adaptors.{level}", np.concatenate([sign, look])) for sign in signs]
    look = (whole.T @ w[f"pooling_layers.{level}.weight"][0]) + w[f"pooling_layers.{level}.bias"][0]
    return [
        mlp(w, f"{sign}_mlps.{level}", np.concatenate([w[f"{sign}_embedding"][0], look * look_back]))
        for sign in ("positive", "negative")
    ]


def norm(w: dict[str, Numbers], name: str, x: Numbers) -> Numbers:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return np.asarray(scaled * w[f"{name}.weight"] + w[f"{name}.bias"])


def attention(w: dict[str, Numbers], name: str, asks: Numbers, tells: Numbers) -> Numbers:
    """Multi-head attention of one head: the tiny expert has six channels."""
    q = np.stack([linear(w, f"{name}.query", x) for x in asks])
    k, v = (np.stack([linear(w, f"{name}.{part}", x) for x in tells]) for part in ("key", "value"))
    seen = np.stack([softmax(row) for row in q @ k.T / math.sqrt(CHANNELS)]) @ v
    return np.stack([linear(w, f"{name}.out", x) for x in seen])


def attended(w: dict[str, Numbers], variant: Variant, queries: Numbers, tokens: Numbers) -> Numbers:
    """Equation 7."""
    if variant == "released":
        q = np.stack([linear(w, "q_former.query_proj", x) for x in queries])
        k = np.stack([linear(w, "q_former.key_proj", x) for x in tokens])
        return np.stack([softmax(row) for row in q @ k.T / math.sqrt(HIDDEN)]) @ tokens
    x = norm(w, "q_former.norms.0", queries + attention(w, "q_former.among", queries, queries))
    x = norm(w, "q_former.norms.1", x + attention(w, "q_former.across", x, tokens))
    return norm(w, "q_former.norms.2", x + np.stack([mlp(w, "q_former.widen", row) for row in x]))


def by_hand(
    expert: Any, tokens: Numbers, taps: Numbers, variant: Variant, look_back: bool, selector: bool
) -> tuple[Numbers, Numbers, Numbers, float]:
    """Maps, selected tokens, r and score of one crop: tokens (n, t, c), taps (4, n, t, c)."""
    w, side = weights_of(expert), math.isqrt(tokens.shape[1])
    maps, selected, shares = [], [], []
    for picture in range(len(tokens)):
        m = np.zeros(side * side)
        for level in range(4):
            anomalous, normal = described(w, variant, tokens[0], level, look_back)
            for token in range(side * side):
                z = linear(w, f"siglip_adaptors.{level}", taps[level, picture, token])
                a, b = math.exp(cosine(anomalous, z) / 0.01), math.exp(cosine(normal, z) / 0.01)  # equation 4
                m[token] += a / (a + b) / 4  # equation 5
        queries, pooled = [], []
        for window in windows(side):
            pooled.append(m[window].mean())
            query = (tokens[picture][window] * m[window, None]).mean(0)  # equation 6
            queries.append(query / pooled[-1] if variant == "released" else query)
        picked = np.stack(queries)
        selected.append(attended(w, variant, picked, tokens[picture]) if selector else picked)
        shares.append(np.array(pooled) * (m.mean() if variant == "released" else 1.0))
        maps.append(m.reshape(side, side))
    share = np.concatenate(shares)
    r = (np.concatenate(selected) * share[:, None]).sum(0) / share.sum()  # equation 8
    score = 1 / (1 + math.exp(-mlp(w, "final_predictor", r)[0]))  # equation 9
    return np.stack(maps), np.stack(selected), r, score


@pytest.mark.parametrize("variant", ["released", "paper"])
@pytest.mark.parametrize("side", [3, 4])
@pytest.mark.parametrize(("look_back", "selector"), [(True, True), (False, True), (True, False)])
def test_the_equations_by_hand(variant: Variant, side: int, look_back: bool, selector: bool) -> None:
    expert = tiny(variant, side, look_back, selector)
    tokens, taps = features(side)
    with torch.no_grad():
        opinion = expert(tokens, taps)
    maps, selected, r, score = by_hand(
        expert, tokens[0].double().numpy(), taps[0].double().numpy(), variant, look_back, selector
    )
    assert 0.01 < maps.mean() < 0.99
    np.testing.assert_allclose(opinion.maps[0].numpy(), maps, atol=1e-5)
    np.testing.assert_allclose(opinion.selected[0].numpy(), selected, atol=1e-5)
    np.testing.assert_allclose(opinion.summary[0].numpy(), r, atol=1e-5)
    assert opinion.logit.sigmoid().item() == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("variant", ["released", "paper"])
def test_crops_of_a_batch_do_not_meet(variant: Variant) -> None:
    expert = tiny(variant)
    crops = [features(3, seed) for seed in (1, 2)]
    with torch.no_grad():
        together = expert(torch.cat([c[0] for c in crops]), torch.cat([c[1] for c in crops]))
        alone = [expert(*crop).logit.item() for crop in crops]
    assert together.logit.tolist() == pytest.approx(alone, abs=1e-6)
    assert alone[0] != pytest.approx(alone[1], abs=1e-4)


@pytest.mark.parametrize("variant", ["released", "paper"])
def test_a_picture_held_once_counts_as_the_two_views_it_is(variant: Variant) -> None:
    expert = tiny(variant)
    tokens, taps = features(3)
    with torch.no_grad():
        once = expert(tokens[:, :1], taps[:, :, :1])
        twice = expert(tokens[:, [0, 0]], taps[:, :, [0, 0]])
    np.testing.assert_allclose(once.summary.numpy(), twice.summary.numpy(), atol=1e-6)


@pytest.mark.parametrize("variant", ["released", "paper"])
def test_a_crop_without_any_significance_gets_a_score_and_gradients(variant: Variant) -> None:
    expert = tiny(variant)
    tokens, taps = features(3)
    with torch.no_grad():  # adapters that give the normal description itself: logits near -200, whose exp is 0 in fp32
        normal = expert.descriptions(tokens[:, 0])[0, :, 1]
        away = expert.descriptions(tokens[:, 0])[0, :, 0]
        for level, adaptor in enumerate(expert.siglip_adaptors):
            adaptor.weight.zero_()
            adaptor.bias.copy_(normal[level] / normal[level].norm() - away[level] / away[level].norm())
    logs = expert.significance_logs(expert.descriptions(tokens[:, 0]), taps)
    if variant == "released":
        assert logs.exp().max().item() < 1e-30
    opinion = expert(tokens, taps)
    opinion.logit.sum().backward()
    assert all(torch.isfinite(part).all() for part in opinion)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in expert.parameters())


def test_the_papers_block_is_pytorchs_own_with_several_heads() -> None:
    torch.manual_seed(1)
    ours = Block(128)
    assert ours.among.heads == 2
    theirs = nn.TransformerDecoderLayer(128, 2, 512, dropout=0.0, activation="gelu", batch_first=True)
    with torch.no_grad():
        for attention, of_theirs in ((ours.among, theirs.self_attn), (ours.across, theirs.multihead_attn)):
            parts = (attention.query, attention.key, attention.value)
            of_theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
            of_theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
            of_theirs.out_proj.load_state_dict(attention.out.state_dict())
        theirs.linear1.load_state_dict(ours.widen[0].state_dict())
        theirs.linear2.load_state_dict(ours.widen[2].state_dict())
        queries, tokens = torch.randn(1, 3, 4, 128), torch.randn(1, 3, 9, 128)
        np.testing.assert_allclose(ours(queries, tokens)[0].numpy(), theirs(queries[0], tokens[0]).numpy(), atol=1e-5)


def test_view_0_alone_is_looked_back_at() -> None:
    tokens, taps = features(3)
    changed = tokens.clone()
    changed[:, 0] += 1.0
    with torch.no_grad():
        for look_back in (True, False):
            expert = tiny("released", look_back=look_back)
            before, after = (expert(x, taps).maps[:, 1:] for x in (tokens, changed))
            assert torch.allclose(before, after) is not look_back


def test_the_published_expert_has_32_tensors_and_its_number_of_weights() -> None:
    expert = make_expert(OFFICIAL)
    assert len(expert.state_dict()) == 32
    assert sum(p.numel() for p in expert.parameters()) == 7_086_811
