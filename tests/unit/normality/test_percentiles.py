"""Percentiles without interpolation."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.normality.percentiles import percentile


@pytest.mark.parametrize(("percent", "wanted"), [(0, 1.0), (49, 2.0), (50, 3.0), (74, 3.0), (75, 4.0), (100, 5.0)])
def test_it_is_one_of_the_values_at_or_below(percent: float, wanted: float) -> None:
    values = np.array([4.0, 1.0, 3.0, 2.0, 5.0], np.float32)
    assert percentile(values, percent) == wanted
