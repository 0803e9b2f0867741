from __future__ import annotations

import pytest

from streamproc.areas import area_of, in_words, named
from streamproc.config import Area

YARD = Area(name="yard", polygon=((0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0)))
# A notch is cut into its upper edge.
NOTCHED = Area(name="all", polygon=((0.0, 0.0), (0.4, 0.0), (0.5, 0.9), (0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))


@pytest.mark.parametrize(
    ("box", "area"),
    [
        ((0.1, 0.2, 0.3, 0.8), "yard"),  # its feet are in it, its head is not
        ((0.1, 0.55, 0.3, 0.4), "all"),
        ((0.4, 0.1, 0.6, 0.4), None),  # in the notch
    ],
)
def test_where_the_feet_are_decides_and_the_first_area_wins(
    box: tuple[float, float, float, float], area: str | None
) -> None:
    found = area_of(box, (YARD, NOTCHED))
    assert (found and found.name) == area


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("in the back gate", ("back-gate",)),
        ("From the Yard_1 to the gate, then to the back gate.", ("yard-1", "gate", "back-gate")),
        ("at the gateway", ()),
        ("am Hofeingang, yard 12", ()),
        ("", ()),
    ],
)
def test_names_are_met_as_whole_words_and_the_longest_first(text: str, names: tuple[str, ...]) -> None:
    assert named(text, ("gate", "back-gate", "yard-1")) == names


def test_a_name_in_words_is_found_again() -> None:
    assert named(f"in the {in_words('loading_dock-2')}", ["loading_dock-2"]) == ("loading_dock-2",)
