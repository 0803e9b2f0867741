"""Which captions a language model is shown: unlike each other, spread over time, and the same each time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from streamproc.errors import ConfigError
from streamproc.rules.meaning import Floats
from streamproc.rules.references import Choice, choose
from streamproc.types import Caption, ModelRef

MODEL = ModelRef("perception", "words", "1")


class KindEmbedder:
    """A direction for each first word, and a little beside it for the rest."""

    def __init__(self) -> None:
        self.embedded = 0

    def embed(self, texts: Sequence[str]) -> Floats:
        self.embedded += len(texts)
        rows = np.zeros((len(texts), 40), np.float32)
        for row, text in zip(rows, texts, strict=True):
            kind, number = text.split()
            row["abcdefgh".index(kind)] = 1.0
            row[8 + int(number) % 30] = 0.05
        unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def captions(texts: Sequence[str]) -> list[Caption]:
    return [Caption("gate", 1, float(second), text, (), MODEL) for second, text in enumerate(texts)]


def texts(batches: list[list[Caption]]) -> list[list[str]]:
    return [[caption.text for caption in batch] for batch in batches]


def chosen(
    said: Sequence[str], batches: int = 4, size: int = 1, how: Choice = "diverse", seed: int = 0
) -> list[list[str]]:
    return texts(choose(captions(said), batches, size, KindEmbedder(), how, seed))


@pytest.mark.parametrize("seed", range(5))
def test_each_kind_of_moment_has_its_reference_however_rare(seed: int) -> None:
    said = [f"{kind} {number}" for kind, count in (("a", 60), ("b", 20), ("c", 6), ("d", 3)) for number in range(count)]
    assert sorted(batch[0][0] for batch in chosen(said, seed=seed)) == ["a", "b", "c", "d"]


def test_of_one_kind_they_are_spread_over_time() -> None:
    seconds = [
        int(batch[0].pts_s)
        for batch in choose(captions([f"a {n}" for n in range(90)]), 3, 1, KindEmbedder(), "diverse", 0)
    ]
    assert [second // 30 for second in seconds] == [0, 1, 2]


@pytest.mark.parametrize("how", ["diverse", "random"])
def test_the_same_seed_gives_the_same_and_another_need_not(how: Choice) -> None:
    said = [f"{'abcdefgh'[n % 8]} {n}" for n in range(80)]
    assert chosen(said, how=how, seed=3) == chosen(said, how=how, seed=3)
    assert len({str(chosen(said, how=how, seed=seed)) for seed in range(6)}) > 1


@pytest.mark.parametrize("how", ["diverse", "random"])
def test_batches_are_full_different_and_each_in_order_and_over_all_of_the_time(how: Choice) -> None:
    said = [f"{'abcdefgh'[n % 8]} {n}" for n in range(80)]
    batches = choose(captions(said), 3, 4, KindEmbedder(), how, 1)
    assert [len(batch) for batch in batches] == [4, 4, 4]
    assert len({caption.text for batch in batches for caption in batch}) == 12
    assert all([c.pts_s for c in batch] == sorted(c.pts_s for c in batch) for batch in batches)
    firsts = [batch[0].pts_s for batch in batches]
    lasts = [batch[-1].pts_s for batch in batches]
    assert max(firsts) < min(lasts)


@pytest.mark.parametrize("how", ["diverse", "random"])
def test_what_is_said_again_is_shown_once_and_fewer_are_shown_then(how: Choice) -> None:
    assert chosen(["a 1", "a 1", "b 2", "a 1"], how=how) == [["a 1"], ["b 2"]]


def test_long_footage_is_thinned_before_it_is_embedded() -> None:
    embedder = KindEmbedder()
    choose(captions([f"a {n}" for n in range(5000)]), 2, 1, embedder, "diverse", 0)
    assert embedder.embedded == 100


def test_there_must_be_something_to_choose_from_and_to_choose_by() -> None:
    with pytest.raises(ConfigError, match="no caption"):
        choose([], 1, 1, KindEmbedder(), "diverse", 0)
    with pytest.raises(ConfigError, match="embedding model"):
        choose(captions(["a 1"]), 1, 1, None, "diverse", 0)
    assert texts(choose(captions(["a 1"]), 1, 1, None, "random", 0)) == [["a 1"]]
