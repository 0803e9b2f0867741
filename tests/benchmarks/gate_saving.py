"""What the gate in front of a captioner saves: windows sent on normal footage, and events missed.

    python tests/benchmarks/gate_saving.py DIR       # DIR: train/, test/, labels.csv of UCSD Ped2

Windows of a second, sampled as the preset gpu-vllm does. The captioner is the embedded one, as what is asked is counted
and not what is answered: the gate in front of it hears nothing of that but whether an incident is open.
Learned from eight normal clips; counted on the other eight, one after the other as one recording, for every clip's
beginning would be a reconnect, which is always sent; and on the last quarter minute of `vtest`, learned from
what comes before it: of less than a minute nothing is called usual. Events
are the labelled clips, each by itself: a window is an event's if it holds a labelled picture.
"""

from __future__ import annotations

import argparse
import glob
import logging
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from ruamel.yaml import YAML

from streamproc.backtest.benchmark import Benchmark, of_folders
from streamproc.backtest.chosen import chosen
from streamproc.backtest.labels import Labels, Recording, look_at
from streamproc.backtest.player import Player
from streamproc.backtest.split import learning_from
from streamproc.learn import learn
from streamproc.models.store import ModelStore
from streamproc.replay import Judged, load_backends
from streamproc.runtime.spent import Spent
from streamproc.scaffold import Scaffold
from streamproc.site import load_site
from streamproc.testing_bench import machine
from streamproc.testing_footage import film, read_pictures

PRESETS = Path(__file__).parents[2] / "pipelines"
LEARNED = tuple(f"{number:02d}" for number in range(1, 9))
LEARN = 640
"""Pictures of `vtest` that are learned from, ten a second."""
SHARES = (90.0, 95.0, 98.0)
"""Percent of normal seconds that are usual."""


@dataclass
class Count:
    """Windows of some clips."""

    sent: int = 0
    held_back: int = 0
    events: int = 0
    missed: int = 0
    """Of the events' windows, those that were not sent."""
    events_missed: int = 0
    """Events of which no window was."""

    def __str__(self) -> str:
        windows = self.sent + self.held_back
        return f"{self.sent:>5} of {windows:<5}{self.sent / max(windows, 1):>7.1%}"


def sent(judged: Judged) -> bool:
    """Whether the captioner was asked about the window."""
    verdict = judged.verdict
    return verdict is not None and verdict.captions[0].pts_s == judged.observed.window.end_s


def counted(player: Player, rules: Path, bench: Benchmark, clips: Mapping[Path, Labels] | None) -> Count:
    """The windows of ``clips``, or of the clips held out."""
    count = Count()
    caught: dict[tuple[str, int], bool] = {}

    def heed(recording: Recording, _: float, judged: Judged) -> None:
        asked, window = sent(judged), judged.observed.window
        count.sent, count.held_back = count.sent + asked, count.held_back + (not asked)
        if clips is None:
            return
        labels = next(one for clip, one in clips.items() if clip.name == recording.path.name)
        numbers = [round(frame.pts_s * 10) for burst in window.bursts for frame in burst]
        if any(labels.get(number) for number in numbers):
            count.events += 1
            count.missed += not asked
            first = next(number for number in numbers if labels.get(number))
            key = (recording.path.name, _event(labels, first))
            caught[key] = caught.get(key, False) or asked

    player.play(replace(chosen(rules), name="camera"), "camera", bench, clips, heed)
    count.events_missed = Counter(caught.values())[False]
    return count


def _event(labels: Labels, frame: int) -> int:
    """The event's first frame."""
    while labels.get(frame - 1):
        frame -= 1
    return frame


def settings(share: float | None, folder: Path) -> Path:
    """The preset's sampling and its detector's rate, with the embedded captioner."""
    own, base = (YAML(typ="safe").load(PRESETS / f"{name}.yaml") for name in ("gpu-vllm", "embedded"))
    preset: dict[str, Any] = base | {"sampling": own["sampling"] | {"gate_usual": share}, "name": "gated"}
    preset["normality"] |= {"detections_per_s": own["normality"]["detections_per_s"], "calm_looks_per_s": None}
    preset["deduction"]["smoothing_s"] = own["deduction"]["smoothing_s"]
    path = folder / f"gate-{share or 0:g}.yaml"
    YAML(typ="safe").dump(preset, path)
    return path


def measured(name: str, bench: Benchmark, folder: Path, shares: Sequence[float | None]) -> None:
    """Learn once, count by every share; a line each."""
    folder.mkdir()
    rules = folder / "rules" / "camera.yaml"
    for share in shares:
        site = folder / f"site-{share or 0:g}.yaml"
        Scaffold("evaluation", (("camera", str(bench.normal[0])),), pipeline=str(settings(share, folder))).write(site)
        if not rules.exists():
            learn(site, "camera", [glob.escape(str(clip)) for clip in bench.normal], rules)
        recordings = {clip: look_at(clip) for clip in (*bench.test, *bench.held_out)}
        with load_backends(load_site(site)) as backends:
            player = Player(site, load_site(site), backends, Spent(), recordings)
            normal = counted(player, rules, bench, None)
            events = counted(player, rules, bench, bench.test) if bench.test else Count()
        what = "motion alone" if share is None else f"usual: {share:g} %"
        told = f"{events}{events.missed:>9} of {events.events:<5}{events.events_missed:>7}" if bench.test else ""
        print(f"{name:10}{what:15}{normal}   {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("ped2", type=Path)
    root = parser.parse_args().ped2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/gate_saving.py DIR\n")
    print(f"{'':25}{'sent, normal clips':22}{'sent, labelled clips':19}{'windows missed':>16}{'events':>8}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bench = learning_from(of_folders(root / "train", root / "test", root / "labels.csv"), LEARNED)
        others = film((one for clip in bench.held_out for one in read_pictures(clip)), folder / "others.mp4")
        measured("Ped2", replace(bench, held_out=(others,)), folder / "ped2", SHARES)
        pictures = read_pictures(ModelStore().ensure("vtest"))
        learned, rest = film(pictures[:LEARN], folder / "first.mp4"), film(pictures[LEARN:], folder / "rest.mp4")
        vtest = Benchmark((learned,), {}, None, None, (rest,))
        measured("vtest", vtest, folder / "vtest", SHARES)
    print(
        "\nsent: refreshes every 30 s, each recording's beginning, and what is sent while an incident is open, included"
    )


if __name__ == "__main__":
    main()
