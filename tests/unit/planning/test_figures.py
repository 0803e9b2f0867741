"""The figures that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.planning.figures import Figure, Figures, load_figures

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = [name for name, field in Figures.model_fields.items() if field.annotation is Figure]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_was_measured_in_a_file_that_is_there_or_is_said_to_be_assumed(name: str) -> None:
    figure: Figure = getattr(load_figures(), name)
    assert figure.conditions
    assert figure.source is None or (BENCHMARKS / figure.source).is_file(), f"{name}: {figure.source}"


def test_most_are_measured() -> None:
    figures = load_figures()
    assumed = {name for name in NAMES if getattr(figures, name).source is None}
    assert assumed == {"utilisation", "gpus_a_replica", "moving", "standing_out", "objects", "bits_per_px"}
