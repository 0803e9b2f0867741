"""The test scenes by name: what each is made of, and what a camera's eyes must make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from streamproc.testing_footage import Pixels
from streamproc.testing_scenes import borrowed, events, lens, light, pace, photos, weather
from streamproc.testing_scenes.cutouts import Sprite
from streamproc.testing_scenes.scene import Scene
from streamproc.testing_scenes.stage import Stage

Expect = Literal["quiet", "loud", "told"]
"""No alarm; an alarm in time, at the right place; no alarm, and the reason why nothing can be judged."""
Pictures = Sequence[Pixels]
Recipe = Callable[[Stage, Pictures], Scene]
_CART_M, _RIDER_M = 1.9, 1.72


@dataclass(frozen=True, slots=True)
class Case:
    """One scene."""

    name: str
    expect: Expect
    recipe: Recipe
    within_s: float = 3.0
    """Seconds from the first sight of what is not normal to the alarm, where one is expected."""
    from_s: float = 0.0
    """When what is not normal begins, where the recipe puts nothing into the pictures."""
    fps: float = 10.0
    camera: bool = False
    """Whether it is the camera that changes, so that being silent with a reason is as good as being quiet."""


def _whole(change: Callable[[Pictures], Iterable[Pixels]], first: int | None = None) -> Recipe:
    return lambda _, pictures: Scene(change(pictures[:first]))


def _then(recipe: Recipe, change: Callable[[Pictures], Iterable[Pixels]]) -> Recipe:
    """Something happens, and the light, the weather or the camera changes what is seen of it."""

    def both(stage: Stage, pictures: Pictures) -> Scene:
        scene = recipe(stage, pictures)
        return Scene(change(list(scene.pictures)), scene.put_in)

    return both


def normal_cases() -> list[Case]:
    """Nothing happens."""
    return [
        Case("as it is", "quiet", _whole(iter)),
        Case("reversed", "quiet", _whole(pace.backwards)),
        Case("looped three times", "quiet", _whole(pace.looped)),
        Case("cut, five times", "quiet", _whole(pace.cut)),
        # One picture in seven comes over a quarter of a second after the one before: said not to be judged.
        Case("30 % dropped, true times", "quiet", lambda _, pictures: pace.dropped(pictures), camera=True),
        Case("5 frames/s", "quiet", _whole(lambda p: p[::2]), fps=5.0),
        Case("darker, x0.7", "quiet", _whole(lambda p: light.times(p, 0.7))),
        Case("brighter, x1.3", "quiet", _whole(lambda p: light.times(p, 1.3))),
        Case("dims to half in 20 s", "quiet", _whole(light.dims)),
        Case("lamps out and on", "quiet", _whole(light.switched)),
        Case("shadows of clouds", "quiet", _whole(light.clouds)),
        Case("neon flicker", "quiet", _whole(light.neon)),
        Case("night", "quiet", _whole(light.night), camera=True),
        Case("night, headlights", "quiet", _whole(light.headlights), camera=True),
        Case("rain", "quiet", _whole(weather.rain)),
        Case("snow", "quiet", _whole(weather.snow)),
        Case("camera noise, sigma 6", "quiet", _whole(lens.noisy)),
        Case("grey", "quiet", _whole(lens.grey)),
        Case("compressed hard", "quiet", _whole(lens.compressed)),
        Case("240 rows", "quiet", _whole(lambda p: lens.scaled(p, 240))),
        Case("1080 rows", "quiet", _whole(lambda p: lens.scaled(p, 1080), 200)),
        Case("2160 rows", "quiet", _whole(lambda p: lens.scaled(p, 2160), 100)),
        Case("two stand and talk, 8 s", "quiet", events.stand),
    ]


def camera_cases() -> list[Case]:
    """The camera itself is at fault."""
    return [
        Case("shaken, 2 px", "quiet", _whole(lens.shaken), camera=True),
        Case("shaken, 4 px", "quiet", _whole(lambda p: lens.shaken(p, 4.0)), camera=True),
        Case("sways in the wind, 6 px", "quiet", _whole(lens.swaying), camera=True),
        Case("re-aimed at 10 s", "told", _whole(lens.re_aimed), from_s=10.0),
        Case("re-aimed at 10 s, 3 % shift", "told", _whole(_nudged(0.03)), from_s=10.0),
        Case("re-aimed at 10 s, .5 % shift", "quiet", _whole(_nudged(0.005))),
        Case("covered, 10 to 30 s", "told", _whole(lens.covered), from_s=10.0),
        Case("out of focus from 10 s", "told", _whole(lens.defocused), from_s=10.0),
        Case("dark, x0.05", "told", _whole(lambda p: light.times(p, 0.05))),
        Case("1 frame/s", "told", _whole(lambda p: p[::10]), fps=1.0),
    ]


def _nudged(shift: float) -> Callable[[Pictures], Iterable[Pixels]]:
    return lambda pictures: lens.re_aimed(pictures, shift=shift, degrees=0.0, zoom=1.0)


def event_cases() -> list[Case]:
    """Something happens."""
    return [
        Case("three times the speed", "loud", _whole(lambda p: pace.faster(p, 3))),
        Case("twice the speed", "loud", _whole(lambda p: pace.faster(p, 2)), within_s=7.0),
        Case("x3, 5 frames/s", "loud", _whole(lambda p: p[::6]), fps=5.0),
        Case("someone runs, x3", "loud", events.run),
        Case("van, 14 km/h", "loud", events.vehicle),
        Case("van, walking pace", "loud", lambda s, p: events.vehicle(s, p, m_s=1.4), within_s=5.0),
        Case("bicycle, 14 km/h", "loud", events.bicycle),
        Case("bicycle, 9 km/h", "loud", lambda s, p: events.bicycle(s, p, m_s=2.5)),
        Case("bicycle, grey", "loud", _then(events.bicycle, lens.grey)),
        Case("bicycle, x0.7", "loud", _then(events.bicycle, lambda p: light.times(p, 0.7))),
        Case("bicycle in rain", "loud", _then(events.bicycle, weather.rain)),
        Case("van, compressed hard", "loud", _then(events.vehicle, lens.compressed)),
        Case("suitcase left behind", "loud", events.left_thing, within_s=15.0),
        Case("someone falls and lies", "loud", events.fall, within_s=15.0),
        Case("someone sinks down slowly", "loud", lambda s, p: events.fall(s, p, over=40), within_s=15.0),
        Case("someone loiters", "loud", events.loiter, within_s=30.0),
    ]


def second_scene_cases() -> list[Case]:
    """What suits short grey clips of any scene."""
    unsuited = ("looped", "cut", "dropped", "dims", "lamps", "rows", "grey", "stand")
    found = [case for case in normal_cases() if not any(word in case.name for word in unsuited)]
    return [replace(case, name=f"Ped2: {case.name}") for case in found]


def photo_cases(car: Path) -> list[Case]:
    """A car cut out of the photograph at ``car`` drives through."""
    return [
        Case("car (photo), 14 km/h", "loud", _passing("vehicle", lambda: [photos.car(car)], photos.CAR_M, 4.0)),
        Case(
            "car (photo), walking pace", "loud", _passing("vehicle", lambda: [photos.car(car)], photos.CAR_M, 1.4), 5.0
        ),
    ]


def ped2_cases(folder: Path) -> list[Case]:
    """A bicycle and a cart of the UCSD Ped2 clips in ``folder`` come through."""
    back = events.ROAD[1], events.ROAD[0]
    return [
        Case(
            "bicycle (Ped2), 14 km/h",
            "loud",
            _passing("bicycle", lambda: borrowed.cyclist_frames(folder), _RIDER_M, 4.0),
        ),
        Case(
            "cart (Ped2), 11 km/h",
            "loud",
            _passing("vehicle", lambda: borrowed.cart_frames(folder), _CART_M, 3.0, back),
        ),
        Case(
            "cart (Ped2), walking pace",
            "loud",
            _passing("vehicle", lambda: borrowed.cart_frames(folder), _CART_M, 1.4, back),
            5.0,
        ),
    ]


def _passing(
    what: str,
    frames: Callable[[], Sequence[Sprite]],
    high_m: float,
    m_s: float,
    road: tuple[events.Point, events.Point] = events.ROAD,
) -> Recipe:
    return lambda stage, pictures: events.passes(stage, pictures, what, frames(), high_m=high_m, m_s=m_s, road=road)
