"""How unlike itself a picture is, worked out one token at a time, and what it adds to an expert's score."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pydantic
import pytest
import torch

from streamproc.inspection.header import Header
from streamproc.inspection.own_picture import LEVEL, OwnPicture
from streamproc.inspection.variants import make_expert

CHANNELS = 6


def taps_of(side: int, pictures: int = 1, seed: int = 3) -> Any:
    return torch.randn((1, 4, pictures, side**2, CHANNELS), generator=torch.Generator().manual_seed(seed))


def header(side: int = 4, own_picture: bool = True) -> Header:
    return Header(backbone="tiny", revision="", channels=CHANNELS, side=side, hidden=5, own_picture=own_picture)


@pytest.mark.parametrize(("side", "most"), [(4, 1), (16, 3)])
def test_the_most_unlike_hundredth_by_hand(side: int, most: int) -> None:
    taps = taps_of(side)
    tokens = taps[0, LEVEL, 0].double().numpy()
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    unlike = []
    for row, column in itertools.product(range(side), repeat=2):
        others = [
            tokens[row * side + column] @ tokens[y * side + x]
            for y, x in itertools.product(range(side), repeat=2)
            if max(abs(y - row), abs(x - column)) > 1
        ]
        unlike.append(1 - np.mean(sorted(others)[-5:]))
    assert OwnPicture(side).unlikeness(taps).item() == pytest.approx(np.mean(sorted(unlike)[-most:]), abs=1e-6)


def test_one_odd_token_makes_a_picture_unlike_itself_and_a_texture_does_not() -> None:
    own, taps = OwnPicture(6), torch.ones((1, 4, 1, 36, 2))
    assert own.unlikeness(taps).item() == pytest.approx(0, abs=1e-6)
    taps[..., ::2, 1] = -1  # two kinds of tokens, many of each
    assert own.unlikeness(taps).item() == pytest.approx(0, abs=1e-6)
    taps[0, LEVEL, 0, 14] = torch.tensor([-1.0, -1.0])
    assert own.unlikeness(taps).item() == pytest.approx(1, abs=1e-6)


def test_a_crop_is_as_unlike_itself_as_its_most_unlike_picture() -> None:
    own, taps = OwnPicture(5), taps_of(5, pictures=3)
    alone = [own.unlikeness(taps[:, :, [picture]]).item() for picture in range(3)]
    assert own.unlikeness(taps).item() == pytest.approx(max(alone), abs=1e-6)


def test_it_is_added_to_the_logit_and_changes_nothing_else() -> None:
    plain, with_own = make_expert(header(own_picture=False)).eval(), make_expert(header()).eval()
    added = with_own.state_dict().keys() - plain.state_dict().keys()
    assert (len(plain.state_dict()), added) == (32, {"own_picture.slope", "own_picture.usual"})
    with_own.load_state_dict({**with_own.state_dict(), **plain.state_dict()})
    tokens, taps = torch.randn((1, 2, 16, CHANNELS)), taps_of(4, pictures=2)
    with torch.no_grad():
        without = plain(tokens, taps)
        assert torch.equal(with_own(tokens, taps).logit, without.logit)
        with_own.own_picture.slope.fill_(3.0)
        with_own.own_picture.usual.fill_(0.25)
        opinion = with_own(tokens, taps)
        unlike = with_own.own_picture.unlikeness(taps).item()
    assert opinion.logit.item() == pytest.approx(without.logit.item() + 3 * (unlike - 0.25), abs=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(opinion[1:], without[1:], strict=True))


def test_a_picture_of_too_few_tokens_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="needs 4 tokens along an edge, there are 3"):
        header(side=3)
