"""A first look at a camera: what it sends, and a test frame on disk. Wires a source to a decoder, without windows."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamproc.config import CameraSettings, PyavDecoder
from streamproc.decoding.factory import Everything, make_decoder
from streamproc.errors import ConfigError, SourceError
from streamproc.runtime.clock import Clock, SystemClock
from streamproc.secrets import redact, resolve
from streamproc.sources.address import FileAddress, RtspAddress, is_live, parse_address
from streamproc.sources.runs import CameraSource
from streamproc.sources.session import Opener, analysed_address
from streamproc.types import PacketBatch, on_host


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a camera sends."""

    address: str
    """Without credentials."""
    transport: str
    """``tcp`` or ``udp`` for RTSP, else ``file`` or ``device``."""
    codec: str
    width_px: int
    height_px: int
    fps: float | None
    """As measured; None where too few packets came to tell."""
    keyframe_interval_s: float | None
    """Longest time between two keyframes; None where fewer than two were seen."""
    bitrate_kbps: float | None
    """Of the video as measured; None where too few packets came to tell."""
    seconds: float
    """Media time looked at."""
    frame: Path | None
    """The test frame, privacy masks black; None if none was asked for or none could be decoded."""
    remarks: tuple[str, ...] = ()
    """What an operator should know or change."""

    def __str__(self) -> str:
        def told(value: float | None, unit: str) -> str:
            return "unknown" if value is None else f"{value:.4g} {unit}"

        rows = [
            ("address", self.address),
            ("transport", self.transport),
            ("codec", self.codec),
            ("size", f"{self.width_px}x{self.height_px}"),
            ("rate", told(self.fps, "frames/s")),
            ("keyframe interval", told(self.keyframe_interval_s, "s")),
            ("bitrate", told(self.bitrate_kbps, "kbit/s")),
            ("looked for", f"{self.seconds:.1f} s of video"),
            ("test frame", str(self.frame) if self.frame else "none"),
        ]
        lines = [f"{name:<18} {value}" for name, value in rows]
        return "\n".join(lines + [f"note: {remark}" for remark in self.remarks])


def probe(
    camera: CameraSettings | str, out: Path | None = None, seconds: float = 6.0, clock: Clock | None = None
) -> ProbeReport:
    """Look at a camera, or at an address, for up to ``seconds`` of video; write a test frame to ``out`` if given.

    Raises:
        ConfigError: the address is of no kind that is read, names no file, a credential is not set, or ``out`` cannot
            be written.
        SourceTimeout, SourceRefused, SourceError: the camera cannot be looked at; the reason is in words.
    """
    if isinstance(camera, str):
        camera = CameraSettings(id="probe", main=camera, realtime=False)
    address = analysed_address(camera)
    resolve(address)  # A credential that is not set is the operator's mistake here, not a camera's refusal.
    kind = parse_address(address)
    if isinstance(kind, FileAddress) and not kind.path.exists():
        raise ConfigError(f"{redact(str(kind.path))}: no such file or folder")
    got = _collect(camera, seconds, clock or SystemClock())
    if not got:
        raise SourceError(camera.id, "the source ended before its first packet")
    first = got[0]
    packets = [packet for batch in got for packet in batch.packets]
    span_s = max(packet.pts_s for packet in packets)
    keys = [packet.pts_s for packet in packets if packet.is_keyframe]
    interval_s = max((b - a for a, b in pairwise(keys)), default=None)
    picture = _first_picture(camera, got)
    enough = len(packets) > 1 and span_s > 0
    remarks = []
    if picture is None:
        remarks.append("no frame could be decoded from what was received")
    if is_live(address) and (interval_s is None or interval_s > 4.0):
        gap = f"{interval_s:.1f} s" if interval_s else f"more than {span_s:.1f} s"
        remarks.append(f"keyframes are {gap} apart: set 1 to 2 s on the camera, or each reconnect waits so long")
    return ProbeReport(
        address=redact(address),
        transport=_transport(camera, address),
        codec=first.stream.codec,
        width_px=first.stream.width_px,
        height_px=first.stream.height_px,
        fps=(len(packets) - 1) / span_s if enough else first.stream.fps,
        keyframe_interval_s=interval_s,
        bitrate_kbps=8e-3 * sum(len(packet.data) for packet in packets[:-1]) / span_s if enough else None,
        seconds=span_s,
        frame=_write(picture, out) if picture is not None and out is not None else None,
        remarks=tuple(remarks),
    )


def _collect(camera: CameraSettings, seconds: float, clock: Clock) -> list[PacketBatch]:
    got: list[PacketBatch] = []
    stop = threading.Event()
    began = clock.monotonic()

    def take(batch: PacketBatch) -> None:
        packet = batch.packets[0]
        if got and packet.run != got[0].packets[0].run:
            stop.set()
            return
        got.append(batch)
        # A camera whose clock runs slowly is not waited for.
        if batch.packets[-1].pts_s >= seconds or (live and clock.monotonic() - began >= 2 * seconds):
            stop.set()

    address = analysed_address(camera)
    live = is_live(address)
    source = CameraSource(camera.id, Opener(address, camera), take, lambda _: None, clock, timeout_s=camera.timeout_s)
    source.run_once(stop)
    return got


def _first_picture(camera: CameraSettings, got: list[PacketBatch]) -> npt.NDArray[np.uint8] | None:
    stream = got[0].stream
    try:
        decoder = make_decoder(stream, PyavDecoder(), Everything(), camera.privacy_masks, max(2, stream.width_px))
    except ValueError:
        raise SourceError(camera.id, f"no decoder for codec {stream.codec}; set the camera to H.264 or H.265") from None
    for batch in got:
        for packet in batch.packets:
            for frame in decoder.decode(packet):
                return on_host(frame.picture)
    return next((on_host(frame.picture) for frame in decoder.flush()), None)


def _write(picture: npt.NDArray[np.uint8], out: Path) -> Path:
    import cv2

    try:
        ok, encoded = cv2.imencode(out.suffix.lower(), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        if not ok:
            raise ValueError(out.suffix)
        out.write_bytes(encoded.tobytes())
    except (cv2.error, ValueError):
        raise ConfigError(f"{out}: name the test frame .jpg or .png") from None
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror}") from None
    return out


def _transport(camera: CameraSettings, address: str) -> str:
    if isinstance(parse_address(address), RtspAddress):
        return camera.transport
    return "device" if is_live(address) else "file"
