"""Processor time by part of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.config import EfficientNetEncoder, InspectionSettings, SiglipEncoder, VlmPerception
from streamproc.normality.flow import flow_size
from streamproc.normality.tracks import STILL_LOOK_S
from streamproc.planning.asked import Asked
from streamproc.planning.figures import Figure, Figures
from streamproc.planning.need import Basis
from streamproc.planning.paced import paced
from streamproc.planning.sampled import Rates, Stream

_Stream = tuple[int, Stream, Rates]
"""How many cameras send it, and what is made of one."""
_FLOW_MPX = 384 * 216 / 1e6
"""Of the pictures that `flow_ms` was measured on."""
_SIDE_PX = 224
"""Of the crops that encoders were measured on."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A part's share of the processor."""

    what: str
    cores: float | None
    """None where it is unknown."""
    basis: Basis
    source: str


def costs(asked: Asked, main: Rates, sub: Rates | None, figures: Figures, processes: int) -> list[Cost]:
    """Of all cameras, in the order of the line."""
    streams = [(asked.cameras - (asked.with_sub if sub else 0), asked.main, main)]
    if sub is not None and asked.sub is not None:
        streams.append((asked.with_sub, asked.sub, sub))
    streams = [one for one in streams if one[0]]
    packets = sum(count * rates.packets for count, _, rates in streams) + (asked.with_sub * main.packets if sub else 0)
    sampled = sum(count * rates.looked_at for count, _, rates in streams)
    decoded_mpx = sum(count * rates.decoded * stream.megapixels for count, stream, rates in streams)
    keyframes_mpx = sum(count * rates.keyframes * stream.megapixels for count, stream, rates in streams)
    rows = [_cost("receiving packets", packets, figures.packet_ms, "ms a packet")]
    if asked.pipeline.decoder.kind == "dali":
        rows.append(Cost("decoding", None, "unknown", f"{decoded_mpx:.0f} megapixels/s on the GPU: deploy/gpu-check"))
    else:
        key, other = figures.keyframe_ms_per_mpx, figures.decode_ms_per_mpx
        cores = (keyframes_mpx * key.value + (decoded_mpx - keyframes_mpx) * other.value) / 1e3
        source = f"{key.value:g} ms a megapixel of keyframes, {other.value:g} of others ({other.source})"
        rows.append(Cost("decoding", cores, _basis(other), source))
    rows.append(_converting(asked, streams, figures))
    rows.append(_cost("threads and windows", sampled, figures.look_ms, "ms a picture"))
    rows += _observing(asked, streams, figures)
    rows.append(_words(asked, streams, figures))
    live = figures.live_share
    beside = live.value * sum(row.cores or 0.0 for row in rows)
    # Measured with the embedded preset and PyAV.
    as_measured = asked.pipeline.decoder.kind != "dali" and not isinstance(asked.pipeline.perception, VlmPerception)
    source = f"{live.value:.0%} of the rows above ({live.source})"
    rows.append(Cost("beside each other", beside, _basis(live) if as_measured else "assumed", source))
    if processes:
        crossing = sum(
            count * paced(asked, rates, figures).kept / rates.windows * rates.looked_at * _seen_mpx(asked, stream)
            for count, stream, rates in streams
        )
        packet, picture = figures.crossing_packet_ms, figures.crossing_ms_per_mpx
        cores = (packets * packet.value + crossing * picture.value) / 1e3
        source = f"{packet.value:g} ms a packet, {picture.value:g} ms a megapixel ({picture.source})"
        rows.append(Cost("handing over from processes", cores, _basis(picture), source))
    if asked.pipeline.inspection is not None:
        rows += _inspecting(asked, asked.pipeline.inspection, figures)
    return rows


def _converting(asked: Asked, streams: list[_Stream], figures: Figures) -> Cost:
    plain, scaled = figures.convert_ms_per_mpx, figures.scaled_ms_per_mpx
    ms = 0.0
    for count, stream, rates in streams:
        wide = stream.width_px > asked.pipeline.sampling.width_px
        figure, mpx = (scaled, _seen_mpx(asked, stream)) if wide else (plain, stream.megapixels)
        ms += count * rates.looked_at * mpx * figure.value
    source = f"{scaled.value:g} ms a megapixel scaled to, {plain.value:g} as it is ({scaled.source})"
    return Cost("scaling and converting", ms / 1e3, _basis(scaled), source)


def _observing(asked: Asked, streams: list[_Stream], figures: Figures) -> list[Cost]:
    normality = asked.pipeline.normality
    flow = figures.flow_quick_ms if normality.flow == "quick" else figures.flow_ms
    measured = 0.0
    for count, stream, rates in streams:
        seen = (min(stream.width_px, asked.pipeline.sampling.width_px), _seen_height_px(asked, stream))
        wide, high = flow_size(normality.flow_width_px, seen)
        measured += count * paced(asked, rates, figures).looks * wide * high / 1e6 / _FLOW_MPX
    often = normality.detections_per_s * figures.detect_factor.value
    what = f"ms a look, {often:.2g} a second where something stands out, {1 / STILL_LOOK_S:.2g} where nothing moves"
    return [
        _cost("motion", measured, flow, "ms a picture of 384x216"),
        _cost("detector", _all(asked, streams, figures, "detections"), figures.detect_ms, what),
        _cost("tracks, measurements, poses", _all(asked, streams, figures, "looks"), figures.track_ms, "ms a picture"),
    ]


def _words(asked: Asked, streams: list[_Stream], figures: Figures) -> Cost:
    windows = _all(asked, streams, figures, "judged")
    if not isinstance(asked.pipeline.perception, VlmPerception):
        return _cost("words, rules, verdicts, outbox", windows, figures.judge_ms, "ms a window")
    show, judge = figures.show_ms, figures.judge_ms
    source = f"{show.value:g} ({show.source}) and {judge.value:g} ms a window ({judge.source})"
    return Cost("asking servers, rules, verdicts", windows * (show.value + judge.value) / 1e3, _basis(show), source)


def _all(asked: Asked, streams: list[_Stream], figures: Figures, name: str) -> float:
    """Of all cameras, a second."""
    return sum(count * float(getattr(paced(asked, rates, figures), name)) for count, _, rates in streams)


def _inspecting(asked: Asked, settings: InspectionSettings, figures: Figures) -> list[Cost]:
    crops = (asked.regions + asked.with_objects * figures.objects.value) / settings.every_s
    name = f"inspection, {crops:.3g} crops/s"
    if isinstance(settings.encoder, SiglipEncoder):
        return [Cost(name, None, "unknown", "SigLIP runs on a GPU: `streamproc eval images` tells what a look takes")]
    encoder = figures.efficientnet_ms if isinstance(settings.encoder, EfficientNetEncoder) else figures.dinov2_ms
    expert = figures.expert_ms.value if settings.expert is not None else 0.0
    # Tokens go with the crop's area, and what is done with them with the tokens.
    area = (settings.encoder.side_px / _SIDE_PX) ** 2
    each = (encoder.value + figures.memory_ms.value + expert) * area
    source = f"{each:.0f} ms a crop ({encoder.source})"
    return [Cost(name, crops * each / 1e3, _basis(encoder), source)]


def _seen_height_px(asked: Asked, stream: Stream) -> int:
    width_px = min(stream.width_px, asked.pipeline.sampling.width_px)
    return max(2, round(stream.height_px * width_px / stream.width_px))


def _seen_mpx(asked: Asked, stream: Stream) -> float:
    return min(stream.width_px, asked.pipeline.sampling.width_px) * _seen_height_px(asked, stream) / 1e6


def _cost(what: str, count: float, figure: Figure, unit: str) -> Cost:
    source = figure.source or figure.conditions
    return Cost(what, count * figure.value / 1e3, _basis(figure), f"{figure.value:g} {unit} ({source})")


def _basis(figure: Figure) -> Basis:
    return "assumed" if figure.source is None else "measured"
