"""Banks of features and stage 1: interrupted, resumed, refused; and that something is learned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from streamproc.errors import ConfigError, InferenceError  # noqa: E402
from streamproc.inspection.checkpoint import load_expert  # noqa: E402
from streamproc.inspection.header import Header  # noqa: E402
from streamproc.inspection.nouns import Features, Views  # noqa: E402
from streamproc.inspection.training.bank import EVERY, Bank, encode  # noqa: E402
from streamproc.inspection.training.recipe import Recipe, follow  # noqa: E402
from streamproc.inspection.training.sources import Sample, Synthetic  # noqa: E402
from streamproc.inspection.training.train import HISTORY, Settings, _batch, auroc, train  # noqa: E402
from streamproc.testing_inspection import FakeBackbone  # noqa: E402

HEADER = Header(backbone="fake", revision="1", channels=6, side=8, hidden=8)
COUNT = 2 * EVERY + 6


def quiet(_what: str, _done: int, _total: int) -> None: ...


class Marked:
    """Even numbers are grey; odd ones have a white corner. Some have no mask, each has ``pictures`` sides."""

    key = "marked"

    def __init__(self, count: int = COUNT, pictures: int = 1) -> None:
        self.pictures, self._count = pictures, count

    def __len__(self) -> int:
        return self._count

    def sample(self, number: int) -> Sample:
        rng = np.random.default_rng(number)
        pixels = rng.integers(90, 130, (32, 32, 3)).astype(np.uint8)
        mask = np.zeros((32, 32), bool)
        if number % 2:
            mask[:8, 8:14] = True
            pixels[mask] = 255
        known = number % 2 == 0 or number % 4 == 1
        return Sample((pixels,) * self.pictures, number % 2, mask if known else None)


class Failing(FakeBackbone):
    """Fails once it has encoded ``after`` pictures."""

    def __init__(self, after: int) -> None:
        self.left = after

    def encode(self, views: Views) -> Features:
        self.left -= 1
        if self.left < 0:
            raise InferenceError("out of order")
        return super().encode(views)


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return encode(Marked(), FakeBackbone(), tmp_path / "bank", quiet)


def test_a_bank_holds_features_masks_and_labels(bank: Bank) -> None:
    assert bank.features.shape == (COUNT, 1, 5, 64, 6)
    assert bank.labels[:4].tolist() == [0, 1, 0, 1]
    assert bank.masked[:4].tolist() == [1, 1, 1, 0]
    assert bank.masks[1].reshape(8, 8)[:3, :5].tolist() == [[0, 0, 255, 128, 0]] * 2 + [[0] * 5]
    assert not bank.masks[0].any()
    assert np.allclose(bank.features[1, 0, 4].astype(float) * 2, bank.features[1, 0, 1], atol=1e-2)


def test_encoding_goes_on_where_it_stopped(bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(InferenceError):
        encode(Marked(), Failing(EVERY + 5), tmp_path / "cut", quiet)

    told: list[int] = []
    again = encode(Marked(), FakeBackbone(), tmp_path / "cut", lambda _what, done, _total: told.append(done))

    assert told == list(range(EVERY + 1, COUNT + 1))
    assert np.array_equal(again.features, bank.features)
    assert np.array_equal(again.masks, bank.masks)


def test_a_complete_bank_is_opened_not_encoded(bank: Bank, tmp_path: Path) -> None:
    again = encode(Marked(), Failing(1), tmp_path / "bank", quiet)

    assert np.array_equal(again.features, bank.features)


def test_a_folder_with_another_bank_is_refused(bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose another folder"):
        encode(Marked(COUNT + 2), FakeBackbone(), tmp_path / "bank", quiet)


@pytest.mark.parametrize("said", ["", "[]", '{"done": 3}', '{"done": "x"}'])
def test_a_bank_whose_description_does_not_read_is_refused(said: str, bank: Bank, tmp_path: Path) -> None:
    (tmp_path / "bank" / "bank.json").write_text(said)

    with pytest.raises(ConfigError, match="not readable as a bank"):
        encode(Marked(), FakeBackbone(), tmp_path / "bank", quiet)


def test_a_turned_batch_turns_features_and_masks_together(bank: Bank) -> None:
    rows = np.array([1])
    for turn in range(8):
        plain, turned = _batch(bank, rows, 0), _batch(bank, rows, turn)
        white = turned.tokens[0, 0, :, 0] > 0.9
        assert torch.equal(white, turned.shares[0] > 0.9)
        assert torch.equal(turned.taps[0, 3, 0, :, 0] > 3.6, white)
        assert torch.equal(plain.shares, turned.shares) == (turn == 0)


def test_it_learns_and_says_how_the_held_out_fared(bank: Bank, tmp_path: Path) -> None:
    out = tmp_path / "out"
    expert = train([bank], [bank], HEADER, Settings(epochs=30, batch=16, rate=0.003), out, quiet)

    lines = [json.loads(line) for line in (out / HISTORY).read_text().splitlines()]
    assert len(lines) == 30
    assert lines[-1]["auroc"] > 0.99
    assert lines[-1]["map_loss"] < lines[0]["map_loss"] / 2
    part = _batch(bank, np.array([1]), 0)
    hot = expert(part.tokens, part.taps).maps[0, 0]
    assert bool((hot[:2, 2].min() > hot[2:].max()).item())


def test_without_map_supervision_the_map_is_not_taught(bank: Bank, tmp_path: Path) -> None:
    settings = Settings(epochs=4, batch=16, rate=0.01, map_weight=0.0)
    train([bank], [], HEADER, settings, tmp_path / "out", quiet)

    lines = [json.loads(line) for line in (tmp_path / "out" / HISTORY).read_text().splitlines()]
    assert lines[-1]["map_loss"] > 0.3
    assert lines[-1]["auroc"] is None


def weights(expert: object) -> dict[str, object]:
    assert isinstance(expert, torch.nn.Module)
    return dict(expert.state_dict())


def test_an_interrupted_training_ends_as_one_that_was_not(bank: Bank, tmp_path: Path) -> None:
    whole = weights(train([bank], [], HEADER, Settings(epochs=4, batch=16), tmp_path / "whole", quiet))
    train([bank], [], HEADER, Settings(epochs=2, batch=16), tmp_path / "cut", quiet)
    torch.manual_seed(99)
    cut = weights(train([bank], [], HEADER, Settings(epochs=4, batch=16), tmp_path / "cut", quiet, resume=True))
    other = weights(train([bank], [], HEADER, Settings(epochs=4, batch=16, seed=1), tmp_path / "other", quiet))

    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    assert not all(torch.equal(whole[name], other[name]) for name in whole)


def test_a_folder_with_a_training_is_not_overwritten(bank: Bank, tmp_path: Path) -> None:
    train([bank], [], HEADER, Settings(epochs=1), tmp_path / "out", quiet)

    with pytest.raises(ConfigError, match="--resume"):
        train([bank], [], HEADER, Settings(epochs=1), tmp_path / "out", quiet)
    with pytest.raises(ConfigError, match="was begun with"):
        train([bank], [], HEADER, Settings(epochs=2, rate=1), tmp_path / "out", quiet, resume=True)
    with pytest.raises(ConfigError, match="no training to go on with"):
        train([bank], [], HEADER, Settings(epochs=2), tmp_path / "none", quiet, resume=True)


def test_features_of_another_shape_are_refused(bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="marked: its features do not fit"):
        train([bank], [], HEADER.model_copy(update={"channels": 7}), Settings(), tmp_path / "out", quiet)


def test_banks_of_one_and_of_nine_pictures_train_together(bank: Bank, tmp_path: Path) -> None:
    sides = encode(Marked(20, pictures=9), FakeBackbone(), tmp_path / "sides", quiet)

    train([bank, sides], [sides], HEADER, Settings(epochs=1, batch=16), tmp_path / "out", quiet)

    assert sides.features.shape[:2] == (20, 9)


def test_auroc_counts_a_tie_as_half() -> None:
    assert auroc(np.array([1.0, 2, 2, 3]), np.array([0, 0, 1, 1])) == pytest.approx(3.5 / 4)
    assert auroc(np.array([1.0, 2]), np.array([1, 1])) is None


def test_a_recipe_becomes_an_expert_that_says_what_it_is(tmp_path: Path) -> None:
    recipe = Recipe(pictures=6, held_out=4, hidden=4, settings=Settings(epochs=1, batch=4, seed=3))

    follow(recipe, FakeBackbone(), tmp_path / "out", tmp_path / "features", quiet)

    header = load_expert(tmp_path / "out" / "expert.pt").header
    assert (header.backbone, header.channels, header.side, header.hidden) == ("fake", 6, 8, 4)
    assert header.recipe.startswith("6 of synthetic seed 3 side 32; 1 epochs, batch 4")
    written = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert written["settings"]["seed"] == 3
    assert written["sources_as_encoded"][0]["defective"] == 3
    assert written["photographs"]["brick"].startswith("CC0")
    assert (tmp_path / "out" / "expert.onnx").stat().st_size > 0
    assert (tmp_path / "features" / "held-out" / "bank.json").exists()


def test_its_own_picture_counts_for_twice_the_spread_of_what_was_learned(tmp_path: Path) -> None:
    recipe = Recipe(pictures=6, held_out=8, hidden=4, own_picture=True, settings=Settings(epochs=1, batch=4, seed=3))

    header = follow(recipe, FakeBackbone(), tmp_path / "out", tmp_path / "features", quiet)

    expert = load_expert(tmp_path / "out" / "expert.pt")
    assert header.own_picture
    assert expert.own_picture is not None
    assert expert.header == header
    drawn = encode(Synthetic(1_000_003, 8, 32), Failing(1), tmp_path / "features" / "held-out", quiet)
    part = _batch(drawn, np.arange(8), 0)
    with torch.no_grad():
        added = expert.own_picture(part.taps)
        learned = expert(part.tokens, part.taps).logit - added
    assert added.std().item() == pytest.approx(2 * learned.std().item(), rel=1e-4)
    assert added.mean().item() == pytest.approx(0, abs=1e-4)
    written = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert written["own_picture"]
    assert written["header"]["own_picture"]
    assert written["held_out_auroc"] == auroc((learned + added).numpy(), drawn.labels)


@pytest.mark.parametrize("held_out", [0, 1])
def test_its_own_picture_needs_two_held_out_pictures_before_anything_is_encoded(held_out: int, tmp_path: Path) -> None:
    recipe = Recipe(pictures=6, held_out=held_out, hidden=4, own_picture=True, settings=Settings(epochs=1, batch=4))
    with pytest.raises(ConfigError, match=f"--own-picture .* --held-out {held_out} is fewer than 2"):
        follow(recipe, FakeBackbone(), tmp_path / "out", tmp_path / "features", quiet)
    assert not list(tmp_path.iterdir())


def test_drawn_samples_know_where_they_are_defective() -> None:
    source = Synthetic(1, 4, 32)
    good, bad = source.sample(0), source.sample(1)

    assert good.mask is not None
    assert bad.mask is not None
    assert (len(source), good.label, bad.label) == (4, 0, 1)
    assert not good.mask.any()
    assert bad.mask.any()
