"""Drawn pictures: the same for a seed, different between numbers, and a defect is where its mask says."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.inspection.training import synthetic
from streamproc.inspection.training.defects import DEFECTS
from streamproc.inspection.training.noise import cellular, fractal, perlin, spread
from streamproc.inspection.training.pictures import LICENCES, draw, names, photograph
from streamproc.inspection.training.shooting import shoot
from streamproc.inspection.training.surfaces import SURFACES
from streamproc.inspection.training.synthetic import AREA, LEAST_CHANGE, example
from streamproc.inspection.training.things import THINGS

SIDE = 64


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed or 0)


def test_perlin_is_nought_at_its_lattice_smooth_and_bounded() -> None:
    noise = perlin(rng(), 64, (4, 8))

    assert noise.shape == (64, 64)
    assert np.abs(noise[::16, ::8]).max() < 1e-6
    assert 0.1 < np.abs(noise).max() <= 1.01
    assert np.abs(np.diff(noise, axis=0)).max() < 0.3


def test_fractal_adds_finer_detail() -> None:
    coarse, fine = (fractal(rng(), 64, octaves=octaves) for octaves in (1, 4))

    assert np.abs(np.diff(fine, axis=1)).mean() > 1.2 * np.abs(np.diff(coarse, axis=1)).mean()


def test_cells_belong_to_the_nearest_point() -> None:
    whose, nearest, second = cellular(rng(), 32, 5)

    assert set(np.unique(whose)) <= set(range(5))
    assert (nearest <= second).all()
    assert spread(nearest).min() == 0
    assert spread(nearest).max() == 1


@pytest.mark.parametrize("name", [*SURFACES, *THINGS, "brick", "retina"])
def test_a_flawless_picture_is_in_range_and_new_each_time(name: str) -> None:
    first, again, other = draw(rng(1), SIDE, name), draw(rng(1), SIDE, name), draw(rng(2), SIDE, name)

    assert first.pixels.shape == (SIDE, SIDE, 3)
    assert first.pixels.dtype == np.float32
    assert first.pixels.min() >= 0
    assert first.pixels.max() <= 1
    assert first.subject.any()
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, other.pixels)


def test_every_photograph_has_a_licence_and_is_in_the_wheel() -> None:
    for name, licence in LICENCES.items():
        assert photograph(name).shape[2] == 3
        assert licence.startswith(("CC0", "public domain", "no known copyright"))
    assert names("photograph") == tuple(LICENCES)


def test_a_thing_does_not_fill_its_picture() -> None:
    assert all(not draw(rng(3), SIDE, name).subject.all() for name in THINGS)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_changes_its_mask_and_hardly_anything_else(name: str) -> None:
    flawless, donor = draw(rng(1), SIDE, "tiles"), draw(rng(2), SIDE, "weave").pixels
    inside, outside = [], []
    for seed in range(20):
        pixels, mask = DEFECTS[name](rng(5, seed), flawless, donor)
        again, _ = DEFECTS[name](rng(5, seed), flawless, donor)
        assert pixels.shape == flawless.pixels.shape
        assert mask.dtype == bool
        assert np.array_equal(pixels, again)
        change = np.abs(pixels - flawless.pixels).mean(axis=2)
        inside.append(change[mask].mean() if mask.any() else 0)
        outside.append(change[~mask].mean())

    assert np.mean(inside) > 4 * np.mean(outside)
    assert np.mean(inside) > 0.02


def test_a_defect_can_be_seen_or_is_drawn_anew() -> None:
    for seed in range(30):
        flawless, donor = draw(rng(seed, 1), SIDE, "metal"), draw(rng(2), SIDE, "weave").pixels
        pixels, mask, _ = synthetic._damaged(rng(seed), flawless, donor)
        assert np.abs(pixels - flawless.pixels)[mask].mean() >= LEAST_CHANGE


def test_the_camera_changes_little_and_gives_bytes() -> None:
    scene = draw(rng(1), SIDE, "paint").pixels
    seen = [shoot(rng(seed), scene) for seed in range(8)]

    assert all(s.dtype == np.uint8 and s.shape == (SIDE, SIDE, 3) for s in seen)
    assert len({s.tobytes() for s in seen}) == 8
    assert np.mean([abs(s.mean() / 255 - scene.mean()) for s in seen]) < 0.25


def test_examples_come_in_pairs_of_one_scene() -> None:
    for pair in range(12):
        good, bad = example(4, 2 * pair, SIDE), example(4, 2 * pair + 1, SIDE)
        assert (good.label, bad.label) == (0, 1)
        assert good.scene == bad.scene
        assert good.defect == "none"
        assert bad.defect in DEFECTS
        assert not good.mask.any()
        assert AREA[0] <= bad.mask.mean() <= AREA[1]


def test_an_example_is_the_same_whenever_it_is_asked_for() -> None:
    assert np.array_equal(example(4, 7, SIDE).pixels, example(4, 7, SIDE).pixels)
    assert not np.array_equal(example(4, 7, SIDE).pixels, example(5, 7, SIDE).pixels)


def test_a_defect_lies_on_the_thing_it_is_of() -> None:
    for number in range(1, 40, 2):
        drawn = example(6, number, SIDE)
        if drawn.scene in THINGS:
            scene = synthetic._scene(np.random.default_rng([6, number // 2, 0]), SIDE)
            away = drawn.mask & ~scene.subject
            assert away.sum() < drawn.mask.sum()


def test_where_no_defect_can_be_seen_a_stain_in_plain_sight_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        synthetic, "DEFECTS", {"none": lambda _rng, f, _donor: (f.pixels, np.zeros((SIDE, SIDE), bool))}
    )

    drawn = example(1, 1, SIDE)

    assert drawn.defect == "stain"
    assert drawn.mask.any()
