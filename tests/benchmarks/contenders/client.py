"""One client that takes pictures from many cameras at a rate, in one of the ways that `cameras.py` compares.

    python client.py WAY ADDRESS CAMERAS PICTURES_A_SECOND SECONDS STAGGER_S

All cameras play ADDRESS, a connection each, begun ``STAGGER_S`` apart, all within a keyframe interval, so that their
keyframes do not come together. Says ``ready`` an interval after each gave two pictures, watches for ``SECONDS``, then
says in one line of JSON how many pictures came, how many did not, and the worst lag: how much later than at its best a
camera's picture was handed over, by its media time. Each way imports only what it needs, as some run in an environment
of their own.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, cast

FPS = 25
"""Of the cameras."""
SIZE = (640, 360)
"""Width and height at which pictures are handed over: a model's, not the camera's."""
Note = Callable[[float], None]
"""Told the media time of a picture, in seconds, as it is handed over."""


class Tally:
    """What the cameras gave."""

    def __init__(self, cameras: int, rate: float) -> None:
        self._lock = threading.Lock()
        self._gap_s = 1.5 / rate
        self._soonest_s = [float("inf")] * cameras
        self._before_s: list[float | None] = [None] * cameras
        self.pictures = [0] * cameras
        self.missed = 0
        self.lag_s = 0.0

    def note(self, camera: int, media_s: float) -> None:
        """A picture was handed over."""
        behind_s = time.monotonic() - media_s
        with self._lock:
            self._soonest_s[camera] = min(self._soonest_s[camera], behind_s)
            self.lag_s = max(self.lag_s, behind_s - self._soonest_s[camera])
            before_s, self._before_s[camera] = self._before_s[camera], media_s
            self.missed += before_s is not None and not 0 < media_s - before_s < self._gap_s
            self.pictures[camera] += 1

    def begin(self) -> None:
        """What came before the watch does not count."""
        with self._lock:
            self.pictures = [0] * len(self.pictures)
            self.missed, self.lag_s = 0, 0.0


def ours(address: str, rate: float, notes: list[Note], stagger_s: float) -> None:
    """streamproc's own units with an observer that does nothing: RGB of 640 px width."""
    import structlog

    from streamproc.camera import CameraUnit, UnitSettings
    from streamproc.config import CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
    from streamproc.runtime.clock import SystemClock
    from streamproc.types import ObservedWindow, Window
    from streamproc.watch import Emit

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))

    class Idle:
        def observe(self, window: Window) -> ObservedWindow:
            return ObservedWindow(window, (), (), 0.0)

    class Told:
        def __init__(self, note: Note) -> None:
            self._note = note

        def window(self, observed: ObservedWindow) -> None:
            for burst in observed.window.bursts:
                for frame in burst:
                    self._note(frame.pts_s)

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_: None  # a picture that is lost shows as a gap

    sampling = SamplingSettings(window_s=1 / rate, bursts_per_s=rate, burst_frames=1, width_px=SIZE[0])
    for number, note in enumerate(notes):
        camera = CameraSettings(id=f"cam{number}", main=address)
        settings = UnitSettings(camera, sampling, PyavDecoder(), NormalitySettings())
        CameraUnit(settings, cast("Emit", Told(note)), SystemClock(), lambda _: Idle()).start()
        time.sleep(stagger_s)


def floor(address: str, rate: float, note: Note) -> None:
    """The least that can be done with FFmpeg in Python: every packet is seen, a wanted picture and what it builds on
    are decoded, the rest is not, and it is converted once."""
    import av
    from av.video.reformatter import Interpolation, VideoReformatter

    options = {"rtsp_transport": "tcp", "allowed_media_types": "video", "probesize": "32", "fpsprobesize": "0"}
    container = av.open(address, options=options, timeout=(30.0, None))
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    reorders = stream.codec_context.has_b_frames > 0
    scaler = VideoReformatter()
    undecoded: deque[tuple[int, Any]] = deque()  # of the present group of pictures, in the order of decoding

    # Pictures are numbered in the order in which they are shown.
    def comes_out(number: int, packet: Any) -> bool:
        for picture in packet.decode():
            if round((picture.time - zero_s) * FPS) == number:
                scaler.reformat(picture, *SIZE, "rgb24", interpolation=Interpolation.BILINEAR, threads=1).to_ndarray()
                note(number / FPS)
                return True
        return False

    def decode_up_to(number: int) -> bool:
        at = -1
        while at != number:
            at, packet = undecoded.popleft()
            if (at == number or _is_reference(packet)) and comes_out(number, packet):
                return True
        return False

    wanted: int | None = None  # the first picture of a slot, as far as is known
    awaited: int | None = None  # the same, once the decoder has it, until it comes out
    zero_s, newest, due = 0.0, -1, 0
    for packet in container.demux(stream):
        if not packet.size:
            return
        if packet.pts is None:
            packet.pts = 0  # RTSP's first packet often comes without a time
        at_s = float(packet.pts * packet.time_base)
        if newest < 0:
            zero_s = at_s
        number = round((at_s - zero_s) * FPS)
        if wanted is not None and number > newest:  # all that is shown before this one has come
            awaited, due = None if decode_up_to(wanted) else wanted, _next_due(wanted, rate)
            wanted = None
        if packet.is_keyframe:
            undecoded.clear()
        undecoded.append((number, packet))
        newest = max(newest, number)
        if due <= number and (wanted is None or number < wanted):
            wanted = number
        if wanted is not None and not reorders:
            awaited, due = None if decode_up_to(wanted) else wanted, _next_due(wanted, rate)
            wanted = None
        while awaited is not None and undecoded:
            # Where pictures are reordered, it comes out once some that follow it were decoded.
            _, packet = undecoded.popleft()
            if _is_reference(packet) and comes_out(awaited, packet):
                awaited = None


def _next_due(number: int, rate: float) -> int:
    """Number of the first picture of the slot after that of picture ``number``."""
    return math.ceil((math.floor(number * rate / FPS) + 1) * FPS / rate)


def _is_reference(packet: Any) -> bool:
    """Whether others build on it: its slices' nal_ref_idc (H.264, 7.4.1) is not 0."""
    data, at = bytes(packet), 0
    while (at := data.find(b"\x00\x00\x01", at)) >= 0:
        header = data[at + 3]
        if 1 <= header & 31 <= 5:
            return bool(header & 0x60)
        at += 3
    return True


def opencv(address: str, rate: float, note: Note, *, reads: bool) -> None:
    """A ``VideoCapture``: all pictures grabbed, the wanted ones retrieved and made small; or all of them read."""
    import cv2

    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp"
    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    number, due = 0, 0
    while True:
        came, picture = capture.read() if reads else (capture.grab(), None)
        if not came:
            return
        if number == due:
            cv2.resize(picture if reads else capture.retrieve()[1], SIZE)
            note(number / FPS)
            due = _next_due(number, rate)
        number += 1


def ffmpeg(address: str, rate: float, note: Note) -> None:
    """An ``ffmpeg`` that pipes raw pictures at the rate, small, as Frigate has it."""
    argv = [os.environ["FFMPEG"], "-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1"]
    argv += ["-rtsp_transport", "tcp", "-i", address, "-an", "-vf", f"fps={rate},scale={SIZE[0]}:{SIZE[1]}"]
    argv += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:"]
    number, size = 0, SIZE[0] * SIZE[1] * 3 // 2
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while len(process.stdout.read(size)) == size:
            note(number / rate)
            number += 1


def inference(address: str, rate: float, notes: list[Note], stagger_s: float) -> None:
    """Roboflow's ``InferencePipeline`` with a model that does nothing; one pipeline for all cameras, as it is meant.

    It limits the rate twice, at the camera and after, and at the rate that is wanted the second leaves out every other
    picture of the first. So it is asked for twice the rate; what comes too often costs it little, as it grabs them all.
    """
    from inference import InferencePipeline

    def sink(_: Any, frames: Any) -> None:
        for frame in frames if isinstance(frames, list) else [frames]:
            if frame is not None:
                notes[frame.source_id or 0](frame.frame_id / FPS)

    InferencePipeline.init_with_custom_logic(
        video_reference=[address] * len(notes),
        on_video_frame=lambda frames: [None] * len(frames),
        on_prediction=sink,
        max_fps=2 * rate,
    ).start(use_main_thread=False)


EACH: dict[str, Callable[[str, float, Note], None]] = {
    "floor": floor,
    "opencv-grab": partial(opencv, reads=False),
    "opencv-read": partial(opencv, reads=True),
    "ffmpeg": ffmpeg,
}
"""Ways with a thread a camera."""
ALL: dict[str, Callable[[str, float, list[Note], float], None]] = {"ours": ours, "inference": inference}
"""Ways that take all cameras at once."""


def main() -> None:
    way, address, cameras, rate, seconds, stagger_s = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:7])
    tally = Tally(int(cameras), rate)
    notes = [partial(tally.note, number) for number in range(int(cameras))]
    if way in ALL:
        ALL[way](address, rate, list(notes), stagger_s)
    else:
        for note in notes:
            threading.Thread(target=EACH[way], args=(address, rate, note), daemon=True).start()
            time.sleep(stagger_s)
    while min(tally.pictures) < 2:
        time.sleep(0.05)
    time.sleep(1.1 * stagger_s * cameras)  # what is done for a stream's first group of pictures alone is over
    tally.begin()
    print("ready", flush=True)
    ends_s = time.monotonic() + seconds
    while (left_s := ends_s - time.monotonic()) > 0 and tally.lag_s < 1.0:  # beyond that nothing more is to be learned
        time.sleep(min(left_s, 0.25))
    least = int((seconds + min(0.0, -left_s)) * rate) - 1
    silent = sum(max(0, least - came) for came in tally.pictures)
    told = {"pictures": sum(tally.pictures), "missed": tally.missed + silent, "lag_s": tally.lag_s}
    print(json.dumps(told), flush=True)
    threading.Event().wait()  # until killed: what it and its children took is still to be read


if __name__ == "__main__":
    main()
