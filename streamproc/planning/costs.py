"""Processor time by part of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.config import EfficientNetEncoder, InspectionSettings, SiglipEncoder, VlmPerception
from streamproc.normality.flow import flow_size
from streamproc.normality.pace import SELDOM_LOOKS
from streamproc.normality.tracks import STILL_LOOK_S
from streamproc.planning.asked import Asked
from streamproc.planning.figures import Figure, Figures
from streamproc.planning.need import Basis
from streamproc.planning.sampled import Rates, Stream

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


def sent_share(asked: Asked, rates: Rates, figures: Figures) -> float:
    """Share of the windows that pass the gate: those in which something moves, or stands out where what is usual is
    held back, and the refreshes of still scenes."""
    sampling = asked.pipeline.sampling
    if sampling.gate_motion == 0:
        return 1.0
    moving, out = _moving(asked, figures), standing_out(asked, figures)
    if asked.gated:
        out += (1 - out) * figures.usual_sent.value
    else:
        out = 1.0
    refreshed = min(1.0, 1 / (sampling.gate_refresh_s * rates.windows))
    return moving * out + (1 - moving) * refreshed


def costs(asked: Asked, main: Rates, sub: Rates | None, figures: Figures, processes: int) -> list[Cost]:
    """Of all cameras, in the order of the line."""
    streams = [(asked.cameras - (asked.with_sub if sub else 0), asked.main, main)]
    if sub is not None and asked.sub is not None:
        streams.append((asked.with_sub, asked.sub, sub))
    streams = [one for one in streams if one[0]]
    packets = sum(count * rates.packets for count, _, rates in streams) + (asked.with_sub * main.packets if sub else 0)
    looks = sum(count * rates.looked_at for count, _, rates in streams)
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
    rows.append(_cost("threads and windows", looks, figures.look_ms, "ms a picture"))
    rows += _observing(asked, streams, figures)
    rows.append(_words(asked, streams, main, figures))
    if processes:
        crossing = sum(count * rates.looked_at * _seen_mpx(asked, stream) for count, stream, rates in streams)
        packet, picture = figures.crossing_packet_ms, figures.crossing_ms_per_mpx
        cores = (packets * packet.value + crossing * picture.value) / 1e3
        source = f"{packet.value:g} ms a packet, {picture.value:g} ms a megapixel ({picture.source})"
        rows.append(Cost("handing over from processes", cores, _basis(picture), source))
    if asked.pipeline.inspection is not None:
        rows += _inspecting(asked, asked.pipeline.inspection, figures)
    return rows


def _converting(asked: Asked, streams: list[tuple[int, Stream, Rates]], figures: Figures) -> Cost:
    plain, scaled = figures.convert_ms_per_mpx, figures.scaled_ms_per_mpx
    ms = 0.0
    for count, stream, rates in streams:
        wide = stream.width_px > asked.pipeline.sampling.width_px
        figure, mpx = (scaled, _seen_mpx(asked, stream)) if wide else (plain, stream.megapixels)
        ms += count * rates.looked_at * mpx * figure.value
    source = f"{scaled.value:g} ms a megapixel scaled to, {plain.value:g} as it is ({scaled.source})"
    return Cost("scaling and converting", ms / 1e3, _basis(scaled), source)


def _observing(asked: Asked, streams: list[tuple[int, Stream, Rates]], figures: Figures) -> list[Cost]:
    normality, moving, awake = asked.pipeline.normality, _moving(asked, figures), _awake(asked, figures)
    flow = figures.flow_quick_ms if normality.flow == "quick" else figures.flow_ms
    measured = 0.0
    for count, stream, rates in streams:
        seen = (min(stream.width_px, asked.pipeline.sampling.width_px), _seen_height_px(asked, stream))
        wide, high = flow_size(normality.flow_width_px, seen)
        measured += count * looks(asked, rates, figures) * wide * high / 1e6 / _FLOW_MPX
    paced = awake / moving if moving else 1.0  # of the time in which something moves
    often = normality.detections_per_s * figures.detect_factor.value * (paced + (1 - paced) * SELDOM_LOOKS)
    still = min(1 / STILL_LOOK_S, normality.detections_per_s)
    detections = sum(count * min(rates.looked_at, moving * often + (1 - moving) * still) for count, _, rates in streams)
    looked = sum(count * looks(asked, rates, figures) for count, _, rates in streams)
    what = f"ms a look, {often:.2g} a second where something moves, {still:.2g} where nothing does"
    return [
        _cost("motion", measured, flow, "ms a picture of 384x216"),
        _cost("detector", detections, figures.detect_ms, what),
        _cost("tracks, measurements, poses", looked, figures.track_ms, "ms a picture"),
    ]


def looks(asked: Asked, rates: Rates, figures: Figures) -> float:
    """Pictures a second of one camera that are looked at and not passed by."""
    calm, awake = asked.pipeline.normality.calm_looks_per_s, _awake(asked, figures)
    return rates.looked_at if calm is None else awake * rates.looked_at + (1 - awake) * min(calm, rates.looked_at)


def _words(asked: Asked, streams: list[tuple[int, Stream, Rates]], main: Rates, figures: Figures) -> Cost:
    windows = sum(
        count * rates.windows * looks(asked, rates, figures) / rates.looked_at for count, _, rates in streams
    ) * sent_share(asked, main, figures)
    if not isinstance(asked.pipeline.perception, VlmPerception):
        return _cost("words, rules, verdicts, outbox", windows, figures.judge_ms, "ms a window")
    show, judge = figures.show_ms, figures.judge_ms
    source = f"{show.value:g} ({show.source}) and {judge.value:g} ms a window ({judge.source})"
    return Cost("asking servers, rules, verdicts", windows * (show.value + judge.value) / 1e3, _basis(show), source)


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


def _moving(asked: Asked, figures: Figures) -> float:
    return figures.moving.value if asked.moving is None else asked.moving


def _awake(asked: Asked, figures: Figures) -> float:
    """Share of the time in which every picture is looked at: what is still does not stand out."""
    if asked.pipeline.normality.calm_looks_per_s is None:
        return 1.0
    return min(standing_out(asked, figures), _moving(asked, figures))


def standing_out(asked: Asked, figures: Figures) -> float:
    """Share of the time in which something stands out."""
    return figures.standing_out.value if asked.standing_out is None else asked.standing_out
