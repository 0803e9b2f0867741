"""Things that happen, put into a stage's footage: what must be noticed, and what must not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamproc.testing_footage import Pixels
from streamproc.testing_scenes import drawn
from streamproc.testing_scenes.cutouts import Sprite, Walker
from streamproc.testing_scenes.placing import Placed
from streamproc.testing_scenes.scene import Scene
from streamproc.testing_scenes.stage import PERSON_M, Actor, Stage

Point = tuple[float, float]
ROAD: tuple[Point, Point] = ((-0.16, 0.42), (1.2, 0.66))
"""From the left to the right over vtest's square, feet in parts of the picture."""


def passes(
    stage: Stage,
    pictures: Sequence[Pixels],
    what: str,
    frames: Sequence[Sprite],
    *,
    high_m: float,
    m_s: float,
    begin: int = 100,
    road: tuple[Point, Point] = ROAD,
) -> Scene:
    """Something goes along ``road`` at so many metres a second, from picture ``begin`` on; ``frames`` over and over."""
    tall = float(np.median([one.size[1] for one in frames]))
    places = {}
    for at, foot in enumerate(stage.path(*road, m_s)):
        scale = high_m * stage.px_per_m(foot[1]) / tall
        places[begin + at] = Placed(frames[at % len(frames)], foot, scale, shadow=0.45 if what == "vehicle" else 0.25)
    return stage.play(pictures, [Actor(what, places)])


def vehicle(stage: Stage, pictures: Sequence[Pixels], *, m_s: float = 4.0, begin: int = 100) -> Scene:
    """The drawn van drives through, its wheels turning."""
    turn = m_s / 10.0 / 0.4
    frames = [drawn.van(turned=at * turn) for at in range(10)]
    return passes(stage, pictures, "vehicle", frames, high_m=drawn.VAN_M, m_s=m_s, begin=begin)


def bicycle(stage: Stage, pictures: Sequence[Pixels], *, m_s: float = 4.0, begin: int = 100) -> Scene:
    """The drawn cyclist rides through, pedalling once a second."""
    frames = [drawn.cyclist(at / 10) for at in range(10)]
    return passes(stage, pictures, "bicycle", frames, high_m=drawn.BICYCLE_M, m_s=m_s, begin=begin)


def left_thing(stage: Stage, pictures: Sequence[Pixels], *, who: int = 0, begin: int = 40) -> Scene:
    """Someone comes with a suitcase, puts it down half-way, and goes on without it."""
    walker = stage.walkers[who]
    there = len(walker.feet) // 2
    thing, carried = drawn.suitcase(), {}
    people = _walk(walker, begin)
    for at in range(len(pictures) - begin):
        index = min(at, there)
        x, y = walker.feet[index]
        px_m = stage.px_per_m(y)
        ahead = np.sign(walker.feet[-1][0] - walker.feet[0][0]) or 1.0
        foot = (x - ahead * 0.45 * px_m, y - (0.0 if at >= there else 0.02 * px_m))
        scale = drawn.SUITCASE_M * px_m / thing.size[1]
        carried[begin + at] = Placed(thing, foot, scale)
    return stage.play(
        pictures,
        [Actor("passer-by", people, None), Actor("left thing", carried, begin + there)],
    )


def fall(stage: Stage, pictures: Sequence[Pixels], *, who: int = 5, begin: int = 60, over: int = 7) -> Scene:
    """Someone walks, falls within ``over`` pictures, faster and faster, and stays lying."""
    walker = stage.walkers[who]
    there = (2 * len(walker.feet)) // 3
    side = np.sign(walker.feet[there][0] - walker.feet[there - 5][0]) or 1.0
    places = _walk(walker, begin, until=there)
    x, y = walker.feet[there]
    sprite = walker.sprites[there]
    for at in range(len(pictures) - begin - there):
        way = min(1.0, (at + 1) / over)
        slide = side * 0.3 * way * sprite.size[1]
        foot = (x + slide, y + 0.1 * sprite.size[1] * way)
        places[begin + there + at] = Placed(sprite, foot, 1.0, degrees=float(side * 90.0 * way**2))
    return stage.play(pictures, [Actor("fall", places, begin + there)])


def run(
    stage: Stage, pictures: Sequence[Pixels], *, times: int = 3, laps: int = 4, who: int = 5, begin: int = 100
) -> Scene:
    """Someone goes a way that was walked, as many times as fast, to and fro."""
    walker = stage.walkers[who]
    places = {}
    steps = list(range(0, len(walker.feet), times))
    for at in range(laps * len(steps)):
        lap, on = divmod(at, len(steps))
        back = lap % 2 == 1
        index = steps[-1 - on] if back else steps[on]
        sprite = walker.sprites[index].mirrored() if back else walker.sprites[index]
        places[begin + at] = Placed(sprite, walker.feet[index], 1.0)
    return stage.play(pictures, [Actor("run", places)])


def stand(stage: Stage, pictures: Sequence[Pixels], *, for_s: float = 8.0, who: int = 0, begin: int = 40) -> Scene:
    """Two people come side by side, stand for a while as people do who talk, and go on: nothing to be told of."""
    walker = stage.walkers[who]
    other = stage.walkers[who + 1]
    there, wait = _still_index(walker), round(for_s * 10)
    first, second = {}, {}
    for at in range(len(walker.feet) + wait):
        standing = there <= at < there + wait
        index = at if at < there else max(there, at - wait)
        x, y = walker.feet[index]
        px_m = stage.px_per_m(y)
        sway = _sway(at) if standing else 0.0
        first[begin + at] = Placed(walker.sprites[index], (x, y), 1.0, lean_px=sway)
        friend = _still_index(other) if standing else index % len(other.sprites)
        sprite = other.sprites[friend]
        place = (x + 0.8 * px_m, y + 0.06 * px_m)
        scale = PERSON_M * stage.px_per_m(place[1]) / sprite.size[1]
        second[begin + at] = Placed(sprite, place, scale, lean_px=_sway(at + 13) if standing else 0.0)
    return stage.play(pictures, [Actor("standing", first, None), Actor("standing", second, None)])


def loiter(stage: Stage, pictures: Sequence[Pixels], *, who: int = 5, steps: int = 24, begin: int = 40) -> Scene:
    """Someone walks to and fro on a few metres, to the end of the footage."""
    walker = stage.walkers[who]
    middle = len(walker.feet) // 2
    span = range(max(0, middle - steps // 2), min(len(walker.feet), middle + steps // 2))
    places = {}
    for at in range(len(pictures) - begin):
        there, on = divmod(at, len(span))
        index = span[on] if there % 2 == 0 else span[len(span) - 1 - on]
        sprite = walker.sprites[index] if there % 2 == 0 else walker.sprites[index].mirrored()
        places[begin + at] = Placed(sprite, walker.feet[index], 1.0)
    return stage.play(pictures, [Actor("loitering", places)])


def _walk(walker: Walker, begin: int, until: int | None = None) -> dict[int, Placed]:
    return {
        begin + at: Placed(sprite, foot, 1.0)
        for at, (sprite, foot) in enumerate(zip(walker.sprites[:until], walker.feet[:until], strict=True))
    }


def _still_index(walker: Walker) -> int:
    """Where the legs are together, in the middle of the way."""
    third = len(walker.sprites) // 3
    narrow = [sprite.size[0] / sprite.size[1] for sprite in walker.sprites[third : 2 * third]]
    return third + int(np.argmin(narrow))


def _sway(at: int) -> float:
    return 1.2 * float(np.sin(at / 7.0) + 0.5 * np.sin(at / 2.9))
