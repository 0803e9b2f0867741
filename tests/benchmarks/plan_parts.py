"""What the parts of watching cost, one by one: what `streamproc plan` reckons with.

    python tests/benchmarks/plan_parts.py

Processor time; the least of three rounds, as what else the machine does only adds to it. Real footage, people walking
all the time, H.264 with a keyframe every two seconds and no B-frames. Live rows are our own units over RTSP with an
observer that looks at nothing; the server is a process of its own and not counted.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import av
import numpy as np
import structlog
from av.video.codeccontext import VideoCodecContext

from streamproc.backends import Backends
from streamproc.camera import CameraUnit, UnitSettings
from streamproc.config import CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.decoding.factory import make_decoder
from streamproc.footage import NormalFootage
from streamproc.models.nanodet import NanoDet
from streamproc.models.store import ModelStore
from streamproc.models.threads import one_thread_each
from streamproc.normality.flow import FlowMeter
from streamproc.normality.glimpse import Eyes
from streamproc.replay import JUDGING, OBSERVING, replay
from streamproc.runtime.clock import SystemClock
from streamproc.runtime.spent import Spent
from streamproc.sampling.plan import BurstPlan
from streamproc.site import load_preset
from streamproc.testing_bench import machine, pedestrians, rules_of
from streamproc.testing_decoding import packets_of
from streamproc.testing_rtsp import RtspServer
from streamproc.testing_sources import FakeObserver
from streamproc.types import CameraFault, CameraState, DropCause, Frame, ObservedWindow, PacketBatch

FIXTURES = Path(__file__).parents[1] / "integration" / "site" / "rules"
SIZES = ((640, 480), (1280, 720), (1920, 1080))
WIDTHS_PX = (640, 960, 1280)
CLIP_S = 12.0
ROUNDS = 4
CAMERAS = 4
WATCH_S = 10.0
"""A multiple of the keyframe interval."""


def least(once: Callable[[], float]) -> float:
    """Of the rounds."""
    return min(once() for _ in range(ROUNDS))


# ---- decoding


def decode_ms(clip: Path) -> float:
    """A picture, by FFmpeg alone, one thread."""
    stream, packets = packets_of(clip)

    def once() -> float:
        context = av.CodecContext.create(stream.codec, "r")
        assert isinstance(context, VideoCodecContext)
        context.extradata, context.thread_count = stream.extradata, 1
        count, began_s = 0, time.process_time()
        for packet in packets:
            count += len(context.decode(av.Packet(packet.data)))
        count += len(context.decode(None))
        return (time.process_time() - began_s) / count * 1e3

    return least(once)


def selected_ms(clip: Path, width_px: int) -> float:
    """A picture that is wanted: selected, decoded, scaled and converted."""
    stream, packets = packets_of(clip)

    def once() -> float:
        plan = BurstPlan(SamplingSettings(bursts_per_s=25, burst_frames=1, window_s=1))
        decoder = make_decoder(stream, PyavDecoder(), plan, (), width_px)
        count, began_s = 0, time.process_time()
        for packet in packets:
            count += len(decoder.decode(packet))
        count += len(decoder.flush())
        return (time.process_time() - began_s) / count * 1e3

    return least(once)


# ---- live


class Taking:
    """Counts."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()

    def packets(self, batch: PacketBatch) -> None:
        self.told["packets"] += len(batch.packets)

    def decoded(self, camera_id: str, pictures: int, keyframe_every_s: float | None) -> None:
        self.told["decoded"] += pictures

    def dropped(self, camera_id: str, cause: DropCause, count: int) -> None:
        self.told["dropped"] += count

    def window(self, observed: ObservedWindow) -> None:
        self.told["windows"] += 1

    def main_packets(self, batch: PacketBatch) -> None: ...
    def state(self, state: CameraState) -> None: ...
    def main_state(self, state: CameraState) -> None: ...
    def fault(self, camera_id: str, fault: CameraFault) -> None: ...


def live(url: str, sampling: SamplingSettings) -> tuple[float, Counter[str]]:
    """Processor seconds and what was told, of the cameras together for ``WATCH_S``; the least of the rounds."""
    rounds = []
    for _ in range(ROUNDS):
        taking, units = Taking(), []
        for number in range(CAMERAS):
            camera = CameraSettings(id=f"cam{number}", main=url)
            settings = UnitSettings(camera, sampling, PyavDecoder(), NormalitySettings())
            units.append(CameraUnit(settings, taking, SystemClock(), lambda _: FakeObserver()))
        for unit in units:
            unit.start()
            time.sleep(2 / CAMERAS)
        time.sleep(6)  # a run's first groups are decoded whole
        before, began_s = Counter(taking.told), time.process_time()
        time.sleep(WATCH_S)
        spent_s, told = time.process_time() - began_s, taking.told - before
        for unit in units:
            unit.ask_to_stop()
        for unit in units:
            unit.stop(5)
        rounds.append((spent_s, told))
    return min(rounds, key=lambda one: one[0])


# ---- observing


def frames(clip: Path, width_px: int) -> list[Frame]:
    """Ten a second of the clip, as the embedded preset looks."""
    sampling = load_preset("embedded").sampling.model_copy(update={"width_px": width_px})
    camera = CameraSettings(id="cam", main=str(clip))
    settings = UnitSettings(camera, sampling, PyavDecoder(), NormalitySettings())
    windows = islice(NormalFootage([clip], settings, SystemClock()).windows(), 100)
    return [frame for window in windows for burst in window.bursts for frame in burst]


def motion_ms(pictures: list[Frame], width_px: int, flow: str) -> float:
    """A picture's motion and what of it stands out."""

    def once() -> float:
        eyes = Eyes(FlowMeter(width_px, "quick" if flow == "quick" else "fine", None), None)
        eyes.begin_run()
        began_s = time.process_time()
        for picture in pictures:
            eyes.see(picture)
        return (time.process_time() - began_s) / len(pictures) * 1e3

    return least(once)


def look_ms(detector: NanoDet, pictures: list[Frame]) -> float:
    """A look of the detector."""

    def once() -> float:
        began_s = time.process_time()
        for picture in pictures[::5]:
            detector.look(picture.picture)  # type: ignore[arg-type]  # on the host
        return (time.process_time() - began_s) / len(pictures[::5]) * 1e3

    return least(once)


class _Looks:
    """A detector that counts."""

    def __init__(self, detector: NanoDet) -> None:
        self._detector, self.count = detector, 0
        self.revision = detector.revision

    def detect(self, picture: object) -> object:
        self.count += 1
        return self._detector.detect(picture)  # type: ignore[arg-type]

    def look(self, picture: object) -> object:
        self.count += 1
        return self._detector.look(picture)  # type: ignore[arg-type]


def played(folder: Path, clip: Path) -> tuple[float, float, float, float]:
    """Of the embedded preset on ``clip``: pictures, the detector's looks, processor seconds observing and judging."""
    (folder / "rules").mkdir(parents=True)
    rules = rules_of(FIXTURES / "two.yaml")
    header = "schema_version: 1\nsite: bench\ncamera: cam\nversion: 1\n"
    (folder / "rules" / "cam.yaml").write_text(header + rules, encoding="utf-8")
    (folder / "rules" / "cam.normality.json").write_bytes((FIXTURES / "two.normality.json").read_bytes())
    site = folder / "site.yaml"
    site.write_text(
        "schema_version: 1\nsite: {id: bench}\npipeline: embedded\ncameras:\n"
        f"  - {{id: cam, main: '{clip}', rules: rules/cam.yaml}}\nalerts:\n  sinks: [{{kind: jsonl, path: a.jsonl}}]\n",
        encoding="utf-8",
    )
    rows = []
    for _ in range(ROUNDS):
        backends = Backends(load_preset("embedded"), ModelStore(), SystemClock())
        detector = _Looks(backends.detector)
        backends.detector = detector  # type: ignore[assignment]
        spent, windows = Spent(), 0

        def heed(_: object) -> None:
            nonlocal windows
            windows += 1

        replay(
            site,
            "cam",
            clip,
            datetime(2026, 1, 1, tzinfo=UTC),
            None,
            lambda _: None,
            heed,
            backends=backends,
            spent=spent,
        )
        seconds = spent.so_far()
        rows.append((float(windows), float(detector.count), seconds[OBSERVING], seconds[JUDGING]))
        backends.close()
    return min(rows, key=lambda row: row[2] + row[3])


def told(clips: dict[tuple[int, int], Path], folder: Path) -> Iterator[str]:
    """The lines."""
    yield "\ndecoding one picture, ms (a megapixel of the camera's picture)"
    decoding = {size: decode_ms(clips[size]) for size in SIZES}
    for (wide, high), ms in decoding.items():
        yield f"  {f'{wide}x{high}':<22}{ms:8.2f}{f'({ms / (wide * high / 1e6):.2f})':>8}"
    yield "choosing, scaling and converting one wanted picture beside that, ms"
    scaled: dict[tuple[int, int, int], float] = {}
    for wide, high in SIZES:
        for width_px in WIDTHS_PX:
            if width_px <= wide:
                ms = selected_ms(clips[wide, high], width_px) - decoding[wide, high]
                scaled |= {(wide, high, width_px): ms} if width_px < wide else {}
                yield f"  {f'{wide}x{high} to {width_px} px':<22}{ms:8.2f}"

    into = np.array([width_px * high * width_px / wide / 1e6 for wide, high, width_px in scaled])
    took = np.array(list(scaled.values()))
    each_ms = float(into @ took / (into @ into))
    yield f"  of those scaled: {each_ms:.2f} a megapixel scaled to, within {max(abs(took / into / each_ms - 1)):.0%}"

    yield f"\nlive, {CAMERAS} cameras of 1280x720 at 25 pictures/s, processor ms a second and camera"
    heads = ("packets", "keyframes", "others", "looks", "dropped")
    yield f"  {'asked/s':<10}{'ms':>8}" + "".join(f"{head:>11}" for head in heads)
    rows = []
    with RtspServer({"cam": clips[1280, 720]}, endless=True) as server:
        for rate in (0.02, 0.5, 2.0, 10.0):
            sampling = SamplingSettings(window_s=1 / rate, bursts_per_s=rate, burst_frames=1, width_px=640)
            spent_s, counted = live(server.url("cam"), sampling)
            each = Counter({name: count / WATCH_S / CAMERAS for name, count in counted.items()})
            keyframes = min(0.5, each["decoded"])
            row = [each["packets"], keyframes, each["decoded"] - keyframes, each["windows"]]
            rows.append([*row, spent_s / WATCH_S / CAMERAS * 1e3])
            cells = "".join(f"{one:>11.2f}" for one in row)
            yield f"  {rate:<10g}{rows[-1][-1]:>8.1f}{cells}{counted['dropped']:>11}"
    taken, other = np.array(rows), decoding[1280, 720]
    packet, keyframe, look = np.linalg.lstsq(taken[:, [0, 1, 3]], taken[:, 4] - other * taken[:, 2])[0]
    mpx = 1280 * 720 / 1e6
    yield f"from these four rows, other pictures at {other:.2f} ms as above; ms (a megapixel)"
    yield f"  a packet                                      {packet:8.2f}"
    yield f"  a keyframe at which decoding begins anew      {keyframe:8.2f}{f'({keyframe / mpx:.2f})':>8}"
    yield f"  a look: converted, its window, threads        {look:8.2f}"
    yield f"  of that what scaling does not take            {look - each_ms * mpx / 4:8.2f}"
    off = taken[:, [0, 1, 3]] @ (packet, keyframe, look) + other * taken[:, 2]
    yield f"  they give the four rows within {max(abs(off / taken[:, 4] - 1)):.0%}"

    yield "\nmotion in one picture, ms"
    pictures = frames(clips[1280, 720], 960)
    motion = {}
    for width_px, flow in ((384, "fine"), (384, "quick"), (512, "fine"), (512, "quick")):
        ms = motion[width_px, flow] = motion_ms(pictures, width_px, flow)
        yield f"  {width_px} px, {flow:<8}{ms:8.2f}"
    looks = {}
    detector = NanoDet(ModelStore().ensure("nanodet"))
    yield "one look of the detector, ms"
    for width_px in (640, 960):
        looks[width_px] = look_ms(detector, frames(clips[1280, 720], width_px))
        yield f"  of {width_px} px   {looks[width_px]:8.2f}"

    yield "\nthe embedded preset on 1280x720, people walking all the time (a replay)"
    count, looked, observing_s, judging_s = played(folder / "site", clips[1280, 720])
    small = motion_ms(frames(clips[1280, 720], 640), 384, "fine")
    rest = (observing_s * 1e3 - count * small - looked * looks[640]) / count
    yield f"  looks of the detector a second of video            {looked / (count / 10):8.2f}"
    yield f"  motion in one picture of 640 px at 384 px, ms      {small:8.2f}"
    yield f"  tracks, measurements and poses, ms a picture       {rest:8.2f}"
    yield f"  words, rules, verdict and outbox, ms a window      {judging_s / count * 1e3:8.2f}"


def main() -> None:
    one_thread_each()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/plan_parts.py")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clips = {size: pedestrians(folder / f"{size[0]}.mp4", size, 25, CLIP_S) for size in SIZES}
        for line in told(clips, folder):
            print(line, flush=True)


if __name__ == "__main__":
    main()
