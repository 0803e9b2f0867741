"""Figures are written as people read them."""

from __future__ import annotations

import pytest

from streamproc.figures import duration, plain


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1e-05, "0.00001"),
        (0.006391, "0.00639"),
        (0.0, "0"),
        (2.0, "2"),
        (12.345, "12.3"),
        (12345.0, "12300"),
        (300.0, "300"),
    ],
)
def test_no_powers_of_ten(value: float, said: str) -> None:
    assert plain(value) == said


def test_a_duration_has_the_unit_that_fits() -> None:
    assert [duration(seconds) for seconds in (0.5, 23.0, 750.0, 4500.0)] == ["0.5 s", "23 s", "12.5 min", "1.25 h"]
