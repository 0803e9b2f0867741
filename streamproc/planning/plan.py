# Longer than 300 lines: rows are told in the order in which they are reckoned, and limits ask the same rows again.
"""From what a site is to how much it needs: rates times figures, each row with where it is from."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from streamproc.config import ServerSettings, VllmEngine, VlmPerception
from streamproc.planning.asked import Asked, Servers
from streamproc.planning.costs import Cost, costs
from streamproc.planning.figures import Figure, Figures
from streamproc.planning.need import Basis, Limit, Plan, Row
from streamproc.planning.paced import Paced, paced, shares
from streamproc.planning.sampled import Rates, rates
from streamproc.site import processes_for

_MOST = 100_000
"""Cameras that limits are told up to."""


def plan(asked: Asked, figures: Figures) -> Plan:
    """What ``asked`` needs."""
    watched = _watched(asked, figures)
    each = costs(asked, watched.main, watched.sub, figures, watched.processes)
    busy, filled = sum(cost.cores or 0.0 for cost in each), figures.utilisation
    rows = [
        Row(
            "site",
            "cameras",
            asked.cameras,
            "",
            _counted(asked),
            "in the site file" if asked.counted else "as asked for",
        ),
        Row("site", "their stream", asked.main.megapixels, "megapixels", "given", str(asked.main)),
        *_further_rows(asked),
        Row(
            "site", "pictures decoded", watched.all("decoded"), "/s", "counted", "the decoder's choice for this stream"
        ),
        Row("site", "pictures sampled", watched.all("looked_at"), "/s", "counted", "by the preset's sampling"),
        *_looked_rows(asked, watched, figures),
        *(Row("processor", cost.what, cost.cores, "cores", cost.basis, cost.source) for cost in each),
        _total("processor", "together, when it is busy", busy, "cores", each),
        Row("processor", "cores to have", math.ceil(busy / filled.value), "", "assumed", _filled(filled)),
        *_process_rows(asked, watched, figures),
        *_memory_rows(asked, watched.processes, figures),
        *_server_rows(asked, watched, figures),
    ]
    limits = sorted(_limits(asked, busy, rows, figures), key=lambda limit: limit.cameras)
    return Plan(
        f"{_cameras(asked.cameras)}, preset {asked.pipeline.name}",
        tuple(rows),
        tuple(limits),
        _notes(asked, figures),
    )


@dataclass(frozen=True, slots=True)
class _Watched:
    """The rates of a camera without a sub-stream, and of one with, and how many there are of each."""

    main: Rates
    sub: Rates | None
    without: int
    with_sub: int
    processes: int
    each: tuple[Paced, Paced | None]
    """Of the same two."""

    def all(self, name: str) -> float:
        """Of all cameras."""
        return self.without * float(getattr(self.main, name)) + self.with_sub * float(getattr(self.sub, name, 0.0))

    def paced(self, name: str) -> float:
        """Of all cameras, where nothing moves or stands out some of the time."""
        main, sub = self.each
        return self.without * float(getattr(main, name)) + self.with_sub * float(getattr(sub, name, 0.0))


def _watched(asked: Asked, figures: Figures) -> _Watched:
    sampling = asked.pipeline.sampling
    main = rates(asked.main, sampling)
    sub = rates(asked.sub, sampling) if asked.sub is not None and asked.with_sub else None
    with_sub = asked.with_sub if sub is not None else 0
    processes = processes_for(asked.pipeline, asked.cameras)
    each = (paced(asked, main, figures), paced(asked, sub, figures) if sub is not None else None)
    return _Watched(main, sub, asked.cameras - with_sub, with_sub, processes, each)


def _further_rows(asked: Asked) -> list[Row]:
    rows, basis = [], _counted(asked)
    if asked.with_sub:
        rows.append(Row("site", "with a sub-stream", asked.with_sub, "", basis, f"analysed: {asked.sub}, as given"))
    if asked.pipeline.inspection is not None:
        every = f"a look each {asked.pipeline.inspection.every_s:g} s"
        rows.append(Row("site", "regions inspected", asked.regions, "", basis, every))
    return rows


def _looked_rows(asked: Asked, watched: _Watched, figures: Figures) -> list[Row]:
    """Where it matters how much of the time something stands out."""
    calm = asked.pipeline.normality.calm_looks_per_s
    if calm is None and not asked.gated:
        return []
    given, share = asked.standing_out is not None, shares(asked, figures).out
    why = "of the time" if given else figures.standing_out.conditions
    if given and share < (asked.standing_out or 0.0):
        why += ", as nothing stands out where nothing moves"
    rows = [Row("site", "something stands out", 100 * share, "%", _given(given), why)]
    if calm is not None:
        why = f"{calm:g} a second and camera while nothing does"
        rows.append(Row("site", "pictures looked at", watched.paced("looks"), "/s", _given(given), why))
    return rows


def _given(given: bool) -> Basis:
    return "given" if given else "assumed"


def _counted(asked: Asked) -> Basis:
    return "counted" if asked.counted else "given"


def _total(part: str, what: str, amount: float, unit: str, of: Sequence[Row | Cost]) -> Row:
    """A sum, which stands on no more than its rows do."""
    bases = {one.basis for one in of}
    source = "the rows above, without what is unknown" if "unknown" in bases else "the rows above"
    return Row(part, what, amount, unit, "measured" if bases == {"measured"} else "assumed", source)


def _process_rows(asked: Asked, watched: _Watched, figures: Figures) -> list[Row]:
    counted = "beside the site's own, by the preset" if watched.processes else "all cameras in the site's own process"
    lock = figures.lock_ms_per_look
    fullest = math.ceil(asked.cameras / max(1, watched.processes))
    most = max(paced(asked, one, figures).looks for one in (watched.main, watched.sub) if one is not None)
    taken = 100 * fullest * most * lock.value / 1e3
    return [
        Row("processes", "processes that watch", watched.processes, "", "counted", counted),
        Row(
            "processes",
            "interpreter's lock taken",
            taken,
            "%",
            _basis(lock),
            f"of the fullest, {_cameras(fullest)}; {_of(lock, 'ms a look')}",
        ),
    ]


def _memory_rows(asked: Asked, processes: int, figures: Figures) -> list[Row]:
    site, process, camera, bits = figures.site_mb, figures.process_mb, figures.camera_mb, figures.bits_per_px
    ring_mb = min(asked.ring_mb, asked.ring_s * asked.main.fps * asked.main.megapixels * bits.value / 8)

    def row(what: str, amount: float, figure: Figure, source: str) -> Row:
        return Row("memory", what, amount, "MB", _basis(figure), source)

    rows = [
        row("the site and its models", site.value, site, _of(site)),
        row("further processes", processes * process.value, process, _of(process, "MB each")),
        row("cameras' pictures, tracks", asked.cameras * camera.value, camera, _of(camera, "MB each")),
        row(
            "packets for evidence",
            asked.cameras * ring_mb,
            bits,
            f"{asked.ring_s:g} s each; {_of(bits, 'bits a pixel')}",
        ),
    ]
    total = sum(row.amount or 0.0 for row in rows)
    return [*rows, _total("memory", "megabytes to have", total, "MB", rows)]


def _server_rows(asked: Asked, watched: _Watched, figures: Figures) -> list[Row]:
    rows: list[Row] = []
    perception, judge = asked.pipeline.perception, asked.pipeline.deduction.llm
    if isinstance(perception, VlmPerception):
        sent = watched.paced("judged")
        gate = f"{sent / watched.all('windows'):.0%} of {watched.all('windows'):g}/s; {_moving(asked, figures)}"
        if asked.gated:
            usual = figures.usual_sent
            gate += f"; of what is as usual {usual.value:.1%} ({usual.source}: {usual.conditions})"
        known = asked.moving is not None and (asked.standing_out is not None or not asked.gated)
        rows += _role("captions", sent, gate, _given(known), perception, asked.captions, asked, figures)
    if judge is not None:
        share = figures.judge_asked
        source = f"{_of(share, 'of the windows put into words')}, {judge.samples} samples each"
        rows += _role(
            "judge", watched.paced("judged") * share.value, source, _basis(share), judge, asked.judge, asked, figures
        )
    return rows


def _role(
    name: str,
    sent: float,
    source: str,
    basis: Basis,
    settings: ServerSettings,
    known: Servers,
    asked: Asked,
    figures: Figures,
) -> list[Row]:
    """What a role's servers are asked for, and how many it takes."""
    told = "`streamproc models check`, --replies-per-s" if name == "captions" else "--judge-replies-per-s"
    part, filled = f"model servers: {name}, {settings.model}", figures.utilisation
    rate = known.rate(settings.max_in_flight)
    rows = [Row(part, f"{name}: windows asked", sent, "/s", basis, source)]
    if rate is None:
        enough = sent / filled.value
        how = f"one that answers {enough:.2g} windows/s is enough. Measure yours: {told}"
        return [*rows, Row(part, f"{name}: servers", None, "", "unknown", how)]
    by = f"{rate:g} windows/s each" if known.replies_per_s is not None else (
        f"{settings.max_in_flight} under way in {known.window_s:g} s: {rate:.3g} windows/s each (Little's law)"
    )  # fmt: skip
    replicas = max(1, math.ceil(sent / (rate * filled.value)))
    gpus, basis_of_gpus, why = _gpus(settings.engine, asked.gpus_a_replica, figures.gpus_a_replica)
    rows.append(Row(part, f"{name}: servers", replicas, "", "given", f"{by}; {_filled(filled)}"))
    rows.append(Row(part, f"{name}: GPUs", replicas * gpus, "", basis_of_gpus, why))
    if known.window_s is not None:
        way = f"windows/s times {known.window_s:g} s; the preset permits {settings.max_in_flight} a server"
        rows.append(Row(part, f"{name}: requests under way", sent * known.window_s, "", "given", way))
    return rows


def _gpus(engine: VllmEngine | None, given: int | None, figure: Figure) -> tuple[float, Basis, str]:
    spread = engine.options.get("tensor-parallel-size") if engine is not None else None
    if given is not None:
        return given, "given", f"{given} a server"
    if isinstance(spread, int):
        return spread, "counted", f"{spread} a server, by the preset's tensor-parallel-size"
    return figure.value, "assumed", _of(figure, "a server")


# ---- what is full first


def _limits(asked: Asked, busy: float, rows: list[Row], figures: Figures) -> list[Limit]:
    filled, machine, number = figures.utilisation.value, asked.machine, asked.cameras
    whose = "as given" if machine.given else "this machine's"
    limits = [
        Limit(
            "processor",
            _held(machine.cores * filled, busy, number),
            f"{machine.cores} cores, {whose}, filled to {filled:.0%}",
        )
    ]
    limits.append(
        Limit(
            "memory",
            _held_in_memory(machine.memory_mb * filled, asked, figures),
            f"{machine.memory_mb / 1e3:.1f} GB, this machine's, filled to {filled:.0%}",
        )
    )
    if asked.pipeline.processes is not None or asked.pipeline.decoder.kind == "dali":
        taken = next(row.amount or 0.0 for row in rows if row.what == "interpreter's lock taken")
        limits.append(
            Limit("interpreter's lock", _held(100 * filled, taken, number), f"a process's, filled to {filled:.0%}")
        )
    for name, settings, known in (
        ("captions", asked.pipeline.perception, asked.captions),
        ("judge", asked.pipeline.deduction.llm, asked.judge),
    ):
        if isinstance(settings, ServerSettings) and (rate := known.rate(settings.max_in_flight)) is not None:
            sent = next(row.amount or 0.0 for row in rows if row.what == f"{name}: windows asked")
            count = max(1, len(settings.base_url))
            why = f"{count} in the preset, {rate:.3g} windows/s each, filled to {filled:.0%}"
            limits.append(Limit(f"{name}: servers", _held(count * rate * filled, sent, number), why))
    return limits


def _held(there: float, needed: float, cameras: int) -> int:
    """So many cameras fit, where ``cameras`` need ``needed``."""
    return max(0, min(_MOST, math.floor(there / needed * cameras + 1e-9))) if needed > 0 else _MOST


def _held_in_memory(there_mb: float, asked: Asked, figures: Figures) -> int:
    """So many cameras fit, with the processes that so many are watched in."""

    def needed_mb(cameras: int) -> float:
        processes = processes_for(asked.pipeline, cameras)
        return _memory_rows(replace(asked, cameras=cameras), processes, figures)[-1].amount or 0.0

    return bisect_right(range(1, _MOST + 1), there_mb + 1e-9, key=needed_mb)


# ---- words


def _notes(asked: Asked, figures: Figures) -> tuple[str, ...]:
    notes = [
        f"Figures are those of {figures.machine}, from tests/benchmarks; another machine's core is another core.",
        "Memory is that of the embedded preset and 640x480 cameras; larger pictures, further models take more.",
        f"Reckoned and measured side by side: {figures.checked}",
        "Not counted: evidence, the broker, the disk, the site's start; B-frames and codecs other than H.264.",
    ]
    if asked.pipeline.decoder.kind == "dali":
        notes.append("What the GPU's video decoders hold is not known here: `deploy/gpu-check` measures it on yours.")
    return tuple(notes)


def _cameras(number: int) -> str:
    return f"{number} camera{'' if number == 1 else 's'}"


def _basis(figure: Figure) -> Basis:
    return "assumed" if figure.source is None else "measured"


def _of(figure: Figure, unit: str = "") -> str:
    where = figure.source or figure.conditions
    return f"{figure.value:g} {unit} ({where})" if unit else where


def _filled(figure: Figure) -> str:
    return f"filled to {figure.value:.0%}, which is assumed"


def _moving(asked: Asked, figures: Figures) -> str:
    share = figures.moving.value if asked.moving is None else asked.moving
    return f"something moves {share:.0%} of the time"
