"""How often to look: seldom while nothing stands out, always as soon as something does."""

from __future__ import annotations

import pytest

from streamproc.normality.pace import AWAKE_S, IN_VAIN, WAKES_AT, Pace


def looks(pace: Pace, stands_out: list[float | None], fps: float = 10.0) -> list[int]:
    """The frames that are looked at, each of which stands out as listed."""
    looked = []
    for number, far in enumerate(stands_out):
        if pace.wants(number / fps):
            looked.append(number)
            pace.looked(number / fps, far)
    return looked


def test_without_a_calm_rate_every_frame_is_looked_at() -> None:
    assert looks(Pace(None), [0.0] * 30) == list(range(30))


def test_while_nothing_stands_out_looks_are_as_seldom_as_wanted() -> None:
    assert looks(Pace(2.0), [0.0] * 21) == [0, 5, 10, 15, 20]
    assert looks(Pace(2.0), [0.0] * 51, fps=25.0) == [0, 12, 24, 36, 48]  # a look may come a little early


def test_a_slow_camera_s_every_frame_is_looked_at() -> None:
    assert looks(Pace(2.0), [0.0] * 5, fps=1.0) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("far", [WAKES_AT, 3.0, None])
def test_what_stands_out_or_cannot_be_judged_wakes_for_a_while(far: float | None) -> None:
    seen: list[float | None] = [0.0] * 40
    seen[3], seen[5] = far, far  # the first is not looked at
    awake = round(10 * AWAKE_S)
    assert looks(Pace(2.0), seen) == [0, *range(5, 5 + awake + 1), *range(5 + awake + 5, 40, 5)]


def test_a_run_begins_awake() -> None:
    pace = Pace(2.0)
    looks(pace, [0.0] * 8)
    assert not pace.wants(0.8)
    pace.begin_run()
    assert pace.wants(0.8)
    assert pace.awake(0.8)


def test_where_time_goes_back_it_is_looked_at() -> None:
    pace = Pace(2.0)
    pace.looked(100.0, 0.0)
    assert pace.wants(1.0)


def test_a_few_looks_in_vain_wake_nobody_and_many_do() -> None:
    pace = Pace(2.0)
    looks(pace, [0.0])
    for number in range(1, IN_VAIN + 1):
        assert pace.wants(number)
        pace.looked_in_vain(number)
        assert not pace.awake(number)
    pace.looked_in_vain(IN_VAIN + 1)
    assert pace.awake(IN_VAIN + 1)
    pace.looked(IN_VAIN + 5, 0.0)
    pace.looked_in_vain(IN_VAIN + 6)
    assert not pace.awake(IN_VAIN + 6)
