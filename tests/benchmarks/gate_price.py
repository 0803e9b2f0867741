"""What looking costs and what looking less loses: Ped2 at several rates, evenly, in bursts, and at two speeds.

    python tests/benchmarks/gate_price.py DIR        # train/, test/, labels.csv of UCSD Ped2, 360x240, 10 pictures/s

Each rate learns from the same eight normal clips and is held against the labelled ones; what it costs is told of those
and of four other normal clips, in which people walk all the time. At two speeds only the looks are fewer: learning is
that of ten pictures a second, every one. Processor seconds are the process's, decoding included, without learning and
loading, evidence and delivery. Draws `gate_price.png` too.
"""

from __future__ import annotations

import argparse
import glob
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from matplotlib.figure import Figure
from ruamel.yaml import YAML

from streamproc.backtest.benchmark import Benchmark, of_folders
from streamproc.backtest.chosen import chosen
from streamproc.backtest.labels import look_at
from streamproc.backtest.outcome import Outcome
from streamproc.backtest.player import Player
from streamproc.backtest.split import holding_out, learning_from
from streamproc.errors import ConfigError
from streamproc.evaluation.metrics import measure
from streamproc.learn import learn
from streamproc.replay import load_backends
from streamproc.runtime.spent import Spent
from streamproc.scaffold import Scaffold
from streamproc.site import load_site
from streamproc.testing_bench import machine

PRESET = Path(__file__).parents[2] / "pipelines" / "embedded.yaml"
LEARNED = tuple(f"{number:02d}" for number in range(1, 9))
HELD_OUT = 4
BUDGET_S = 7.5
"""Processor seconds a camera-minute with which 16 cameras fill two cores."""


@dataclass(frozen=True)
class Rate:
    """How often is looked."""

    name: str
    sampling: Mapping[str, float]
    calm: float | None = None
    """Looks a second while nothing stands out."""
    learned_as: str | None = None
    """Another rate's name, whose learning is taken over."""


EVERY = Rate("10, evenly", {"bursts_per_s": 10, "burst_frames": 1})
RATES = (
    EVERY,
    Rate("5, evenly", {"bursts_per_s": 5, "burst_frames": 1, "window_s": 0.2}),
    Rate("3.3, evenly", {"bursts_per_s": 3.3333, "burst_frames": 1, "window_s": 0.3}),
    Rate("3.3 bursts of 2", {"bursts_per_s": 3.3333, "burst_frames": 2, "window_s": 0.3}),
    Rate("2 bursts of 2", {"bursts_per_s": 2, "burst_frames": 2, "window_s": 0.5}),
    Rate("1 burst of 2", {"bursts_per_s": 1, "burst_frames": 2, "window_s": 1.0}),
    *(Rate(f"10, {calm:g} while calm", EVERY.sampling, calm, EVERY.name) for calm in (5, 2, 1)),
)


@dataclass(frozen=True)
class Row:
    """What a rate came to."""

    auroc: float
    novelty: float
    caught: int
    events: int
    delay_s: float | None
    false: int
    normal_s: float
    """Processor seconds a camera-minute of normal clips."""
    test_s: float
    """Of the labelled ones, in which something is anomalous for three quarters of the time."""


def taken(rate: Rate, bench: Benchmark, folder: Path) -> Row:
    """Learn, unless that was done, and watch."""
    preset: dict[str, Any] = YAML(typ="safe").load(PRESET)
    preset["sampling"] |= rate.sampling
    preset["normality"]["calm_looks_per_s"] = rate.calm
    of = folder / rate.name.replace(" ", "-").replace(",", "")
    of.mkdir()
    YAML(typ="safe").dump(preset, of / "preset.yaml")
    site = of / "site.yaml"
    Scaffold("evaluation", (("ped2", str(bench.normal[0])),), pipeline=str(of / "preset.yaml")).write(site)
    rules = folder / f"{(rate.learned_as or rate.name).replace(' ', '-').replace(',', '')}-rules" / "ped2.yaml"
    if not rules.exists():
        learn(site, "ped2", [glob.escape(str(clip)) for clip in bench.normal], rules)
    clips = {clip: look_at(clip) for clip in (*bench.test, *bench.held_out)}
    with load_backends(load_site(site)) as backends:
        player = Player(site, load_site(site), backends, Spent(), clips)
        by = replace(chosen(rules), name="ped2")
        test = player.play(by, "ped2", bench, bench.test)
        quiet = player.play(by, "ped2", bench, None)
    assert test.measures is not None
    assert test.measures.auroc is not None
    assert test.opened is not None
    novelty = measure(test.novelty, 1.0, 10.0).auroc
    return Row(
        auroc=test.measures.auroc,
        novelty=novelty or 0.0,
        caught=test.opened.opened + test.opened.joined,
        events=test.opened.events,
        delay_s=test.opened.delay_s_median,
        false=len(quiet.moments),
        normal_s=_cost_s(quiet),
        test_s=_cost_s(test),
    )


def _cost_s(outcome: Outcome) -> float:
    """Processor seconds a minute of ten pictures a second."""
    return sum(outcome.ms.values()) * 600 / 1e3


def draw(rows: Mapping[str, Row], path: Path) -> None:
    """AUROC and alert delay by cost."""
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, what in ((left, "AUROC of verdicts"), (right, "seconds until the alert, median")):
        for name, row in rows.items():
            value = row.auroc if axes is left else row.delay_s
            if value is not None:
                axes.plot(
                    row.normal_s, value, marker="o" if "calm" in name else "s", color="C1" if "calm" in name else "C0"
                )
                axes.annotate(name, (row.normal_s, value), fontsize=6, xytext=(3, 3), textcoords="offset points")
        axes.axvline(BUDGET_S, color="0.6", linestyle="--", linewidth=0.8)
        axes.set(xlabel="processor seconds a camera-minute, normal clips", ylabel=what, xlim=(0, None))
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("ped2", type=Path)
    parser.add_argument("--only", help="rates whose names hold this")
    flags = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    root = flags.ped2
    bench = of_folders(root / "train", root / "test", root / "labels.csv")
    bench = holding_out(learning_from(bench, LEARNED), HELD_OUT)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/gate_price.py DIR")
    print(f"learned from normal clips {', '.join(LEARNED)}; held out {', '.join(c.stem for c in bench.held_out)}\n")
    print(
        f"{'':22}{'auroc':>7}{'novelty':>9}{'events':>8}{'delay':>8}{'false':>7}{'s/camera-min':>14}{'labelled':>10}{'cameras':>9}"
    )
    rows: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        for rate in RATES:
            if flags.only and flags.only not in rate.name and rate is not EVERY:
                continue
            try:
                row = rows[rate.name] = taken(rate, bench, Path(folder))
            except ConfigError as error:
                print(f"{rate.name:22}not learned: {error}", flush=True)
                continue
            delay = "-" if row.delay_s is None else f"{row.delay_s:.1f} s"
            print(
                f"{rate.name:22}{row.auroc:>7.3f}{row.novelty:>9.3f}{row.caught:>6}/{row.events}{delay:>8}{row.false:>7}"
                f"{row.normal_s:>14.1f}{row.test_s:>10.1f}{int(120 / row.normal_s):>9}",
                flush=True,
            )
    print(
        "\ndelay: from an event's first labelled picture to its alert, median of the three that begin after their clip"
    )
    print("false: alerts in the held-out normal clips, one minute. labelled: cost while something stands out mostly")
    print("cameras: of normal footage on two cores, by that cost")
    if not flags.only:
        draw(rows, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
