"""Things put into footage: they are where the truth says, behind what is in front, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.testing_footage import Pixels, Rectangle, drawn
from streamproc.testing_scenes import drawn as drawings
from streamproc.testing_scenes import events
from streamproc.testing_scenes.cutouts import Sprite
from streamproc.testing_scenes.placing import Placed
from streamproc.testing_scenes.scene import Scene
from streamproc.testing_scenes.stage import Actor, Occluder, Stage

NEAR, FAR = Rectangle(230, 60.0, size_px=(60, 140)), Rectangle(60, 60.0, size_px=(36, 84), start_px=200)


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    return list(drawn([NEAR, FAR], 12.0))


@pytest.fixture(scope="module")
def stage(pictures: list[Pixels]) -> Stage:
    return Stage(pictures)


def block(wide: int = 24, high: int = 40) -> Sprite:
    return Sprite(np.full((high, wide, 3), (250, 20, 20), np.uint8), np.ones((high, wide), np.float32))


def changed(scene: Scene, pictures: list[Pixels], least: int = 40) -> list[np.ndarray]:
    return [
        np.abs(new.astype(int) - old).max(axis=2) > least for new, old in zip(scene.pictures, pictures, strict=True)
    ]


def test_whoever_walks_is_cut_out_whole(stage: Stage) -> None:
    assert len(stage.walkers) >= 2
    tall = sorted({round(walker.height_px / 10) for walker in stage.walkers})
    assert tall[0] == 5, "42 px and a margin"
    assert tall[-1] == 7, "70 px and a margin"
    walker = stage.walkers[0]
    steps = np.diff([x for x, _ in walker.feet[5:-5]])
    assert float(np.median(np.abs(steps))) == pytest.approx(3.0, abs=0.3), (
        "60 px/s at 640, 10 pictures/s, half the size"
    )
    assert float(np.mean(walker.sprites[10].matte[8:-8, 8:-8])) > 0.95


def test_nearer_is_larger(stage: Stage) -> None:
    assert stage.px_per_m(185) == pytest.approx(70 / 1.72, rel=0.1)
    assert stage.px_per_m(72) == pytest.approx(42 / 1.72, rel=0.1)
    path = stage.path((0.0, 0.5), (1.0, 0.5), 2.0)
    assert np.diff([x for x, _ in path]) == pytest.approx(2.0 * stage.px_per_m(120) / 10)


def test_a_thing_is_where_the_truth_says_and_nothing_else_changes(stage: Stage, pictures: list[Pixels]) -> None:
    places = {at: Placed(block(), (40.0 + 3 * at, 220.0), 1.5, shadow=0.0) for at in range(20, 80)}
    scene = stage.play(pictures, [Actor("block", places, truth_from=30)])
    (truth,) = scene.put_in
    assert (truth.first, truth.last) == (30, 79)
    assert truth.boxes[40] == pytest.approx((142 / 320, 160 / 240, 178 / 320, 220 / 240)), (
        "24 x 40, 1.5 times, on 160, 220"
    )
    for at, mask in enumerate(changed(scene, pictures)):
        if at not in places:
            assert not mask.any()
        elif at in truth.boxes:
            x0, y0, x1, y1 = (round(v * side) for v, side in zip(truth.boxes[at], (320, 240) * 2, strict=True))
            assert mask[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1].mean() > 0.98
            mask[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = False
            assert not mask.any()


def test_what_is_nearer_hides_it(pictures: list[Pixels]) -> None:
    post = Occluder((((0.5, 0.0), (0.5, 0.9), 0.02),), foot=0.9)
    places = {at: Placed(block(), (160.0, 150.0), 1.0, shadow=0.0) for at in range(120)}
    stage = Stage(pictures, (post,))
    masks = changed(stage.play(pictures, [Actor("block", places)]), pictures)
    assert not any(mask[112:148, 160].any() for mask in masks), "behind the post"
    passing = [at for at in range(120) if 165 < NEAR.left_px(at / 10, 640) / 2 + 15 < 172]
    assert passing
    for at in passing:
        middle = round(NEAR.left_px(at / 10, 640) / 2) + 15
        assert not masks[at][125:148, middle - 3 : middle + 3].any(), "behind whoever walks nearer"
    nearer = {at: Placed(block(), (160.0, 235.0), 1.0, shadow=0.0) for at in range(120)}
    assert changed(stage.play(pictures, [Actor("block", nearer)]), pictures)[5][200:230, 160].all(), "before the post"


def test_falling_turns_about_the_feet_and_stays(stage: Stage, pictures: list[Pixels]) -> None:
    scene = events.fall(stage, pictures, who=0, begin=5, over=7)
    (truth,) = scene.put_in
    shapes = [(x1 - x0) * 320 / ((y1 - y0) * 240) for x0, y0, x1, y1 in truth.boxes.values()]
    assert shapes[0] < 0.8
    assert shapes[7] > 1.3
    assert truth.last == 119
    boxes = list(truth.boxes.values())
    assert boxes[8] == boxes[-1]


def test_a_runner_is_as_many_times_as_fast(stage: Stage, pictures: list[Pixels]) -> None:
    (truth,) = events.run(stage, pictures, times=3, laps=1, who=0, begin=10).put_in
    middles = [(box[0] + box[2]) * 160 for box in truth.boxes.values()]
    assert float(np.median(np.abs(np.diff(middles)))) == pytest.approx(9.0, abs=1.5)


def test_a_left_thing_is_told_from_when_it_is_left(stage: Stage, pictures: list[Pixels]) -> None:
    (truth,) = events.left_thing(stage, pictures, who=0, begin=5).put_in
    assert truth.what == "left thing"
    assert truth.first == 5 + len(stage.walkers[0].feet) // 2
    assert len(set(truth.boxes.values())) == 1
    assert truth.last == 119


def test_standing_and_talking_is_nothing_to_be_told_of(stage: Stage, pictures: list[Pixels]) -> None:
    scene = events.stand(stage, pictures, for_s=3.0, who=0, begin=5)
    assert scene.put_in == ()
    assert any(mask.any() for mask in changed(scene, pictures))


def test_loitering_stays_in_its_place(stage: Stage, pictures: list[Pixels]) -> None:
    (truth,) = events.loiter(stage, pictures, who=0, begin=10).put_in
    assert (truth.first, truth.last) == (10, 119)
    assert max(box[2] for box in truth.boxes.values()) - min(box[0] for box in truth.boxes.values()) < 0.45


@pytest.mark.parametrize("event", [events.vehicle, events.bicycle])
def test_vehicles_cross_the_picture(event: object, stage: Stage, pictures: list[Pixels]) -> None:
    assert callable(event)
    scene = event(stage, pictures, begin=5)
    (truth,) = scene.put_in
    assert truth.boxes[truth.first][0] == 0.0
    assert truth.boxes[truth.last][2] == 1.0
    mask = changed(scene, pictures)[(truth.first + truth.last) // 2]
    x0, y0, x1, y1 = truth.boxes[(truth.first + truth.last) // 2]
    assert mask[round(y0 * 240) : round(y1 * 240), round(x0 * 320) : round(x1 * 320)].mean() > 0.2


def test_drawings_have_their_size_and_move() -> None:
    van, rider = drawings.van(), drawings.cyclist(0.0)
    assert van.size[0] / van.size[1] == pytest.approx(4.9 / 2.3, rel=0.1)
    assert 0.75 < rider.size[0] / rider.size[1] < 1.1
    assert not np.array_equal(drawings.cyclist(0.25).rgb[: rider.size[1]], rider.rgb)
    assert not np.array_equal(drawings.van(turned=0.6).rgb, van.rgb)
