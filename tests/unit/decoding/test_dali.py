"""A camera's run through an engine: what comes when, and who steps in why."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamproc.config import Area, PyavDecoder, SamplingSettings
from streamproc.config import DaliDecoder as DaliSettings
from streamproc.decoding import dali
from streamproc.decoding.dali import DaliDecoder
from streamproc.decoding.engine import EncodedGop, Engine, Refusal, RefusedError
from streamproc.decoding.factory import Decoder, Everything, Plan, make_decoder
from streamproc.sampling.plan import BurstPlan
from streamproc.testing_decoding import FakeBatches, packets_of, refuse
from streamproc.testing_sources import write_clip
from streamproc.types import DecoderFault, Frame, Packet, Picture, StreamInfo, on_host

SETTINGS = DaliSettings(kind="dali")
NO_DEVICE = Refusal("dali_no_device", "no GPU", for_good=True)
BROKEN = Refusal("dali_broken_gop", "broken")
Clip = tuple[StreamInfo, list[Packet]]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Six groups of ten pictures, a tenth of a second apart, with pictures that are shown out of their order."""
    return packets_of(write_clip(tmp_path_factory.mktemp("clips") / "a.mp4", count=60))


@pytest.fixture
def started() -> Iterator[Callable[[FakeBatches], Engine]]:
    engines: list[Engine] = []

    def start(batches: FakeBatches) -> Engine:
        engines.append(Engine(batches.open, batch=8, most_wait_s=0.0, look_s=0.01))
        engines[-1].start()
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


Start = Callable[[FakeBatches], Engine]


class Run:
    """One decoder, its faults and its frames."""

    def __init__(
        self,
        stream: StreamInfo,
        engine: Engine,
        settings: DaliSettings = SETTINGS,
        plan: Plan | None = None,
        masks: Sequence[Area] = (),
        width_px: int = 640,
    ) -> None:
        self.faults: list[DecoderFault] = []
        self.decoder = DaliDecoder(stream, settings, plan or Everything(), masks, width_px, self.faults.append, engine)
        self.frames: list[Frame] = []
        self.most_at_once = 0

    def play(self, given: Sequence[Packet]) -> list[Frame]:
        for packet in given:
            frames = self.decoder.decode(packet)
            self.most_at_once = max(self.most_at_once, len(frames))
            self.frames += frames
        self.frames += self.decoder.flush()
        return self.frames


def by_pyav(clip: Clip, plan: Plan | None = None, masks: Sequence[Area] = (), width_px: int = 640) -> list[Frame]:
    decoder: Decoder = make_decoder(clip[0], PyavDecoder(), plan or Everything(), masks, width_px)
    return [frame for packet in clip[1] for frame in decoder.decode(packet)] + decoder.flush()


def same(ours: list[Frame], theirs: list[Frame]) -> None:
    assert [(f.camera_id, f.run, f.pts_s, f.received_at) for f in ours] == [
        (f.camera_id, f.run, f.pts_s, f.received_at) for f in theirs
    ]
    for one, other in zip(ours, theirs, strict=True):
        assert np.abs(on_host(one.picture).astype(int) - on_host(other.picture)).max() <= 2


@pytest.mark.parametrize("plan", [Everything, lambda: BurstPlan(SamplingSettings(bursts_per_s=2, burst_frames=2))])
def test_the_same_frames_as_pyavs(clip: Clip, started: Start, plan: Callable[[], Plan]) -> None:
    batches = FakeBatches()
    run = Run(clip[0], started(batches), plan=plan())
    same(run.play(clip[1]), by_pyav(clip, plan()))
    assert run.faults == []
    assert run.decoder.undecodable == 0
    assert run.decoder.keyframe_every_s == pytest.approx(1.0)
    assert sum(len(batch) for batch in batches.batches) == 6


OPEN = {"x265-params": "log-level=none:keyint=10:min-keyint=10:scenecut=0:open-gop=1:bframes=3"}


@pytest.mark.parametrize("refused", [False, True])
def test_groups_that_build_on_the_one_before(tmp_path: Path, started: Start, refused: bool) -> None:
    clip = packets_of(write_clip(tmp_path / "a.mp4", "libx265", count=40, options=OPEN))
    run = Run(clip[0], started(FakeBatches(refuse(BROKEN) if refused else lambda _: None)))
    same(run.play(clip[1]), by_pyav(clip))
    assert len(run.frames) == 40


REFRESHED = {"x264-params": "intra-refresh=1:keyint=10:scenecut=0", "bf": "0"}


@pytest.mark.parametrize(("begin", "fault"), [(0, "dali_long_gop"), (11, "dali_codec")])
def test_pictures_refreshed_bit_by_bit_are_pyavs(tmp_path: Path, started: Start, begin: int, fault: str) -> None:
    stream, given = packets_of(write_clip(tmp_path / "a.mp4", count=60, options=REFRESHED))
    places = [place for place, packet in enumerate(given) if packet.is_keyframe and place >= begin]
    assert len(places) >= 4  # Demuxers call each beginning of a refresh a keyframe.
    clip = stream, given[places[0] :]
    batches = FakeBatches()
    run = Run(stream, started(batches))
    same(run.play(clip[1]), by_pyav(clip))
    assert run.faults == [fault]
    assert not batches.batches


def test_another_size_within_a_run(tmp_path: Path, started: Start) -> None:
    stream, small = packets_of(write_clip(tmp_path / "a.ts", count=20))
    _, large = packets_of(write_clip(tmp_path / "b.ts", count=20, size=(640, 480)))
    later = [replace(p, pts_s=p.pts_s + 2.0, dts_s=p.dts_s + 2.0) for p in large]
    run = Run(stream, started(FakeBatches()), width_px=480)
    same(run.play([*small, *later]), by_pyav((stream, [*small, *later]), width_px=480))
    assert [frame.picture.shape for frame in (run.frames[0], run.frames[-1])] == [(240, 320, 3), (360, 480, 3)]
    assert run.faults == []


def test_pictures_at_uneven_times(clip: Clip, started: Start) -> None:
    given = [replace(p, pts_s=p.pts_s + 0.03 * (round(p.pts_s * 10) % 3)) for p in clip[1]]
    run = Run(clip[0], started(FakeBatches()))
    same(run.play(given), by_pyav((clip[0], given)))
    assert len(run.frames) == 60


def test_nothing_that_is_not_needed_is_decoded(clip: Clip, started: Start) -> None:
    run = Run(clip[0], started(FakeBatches()), plan=BurstPlan(SamplingSettings(bursts_per_s=1, burst_frames=1)))
    assert len(run.play(clip[1])) == 6
    assert run.decoder.decoded == 6


def test_pictures_are_scaled_and_masked(clip: Clip, started: Start) -> None:
    mask = Area(name="window", polygon=((0.5, 0), (1, 0), (1, 1), (0.5, 1)))
    run = Run(clip[0], started(FakeBatches()), masks=(mask,), width_px=160)
    frames = run.play(clip[1])
    assert on_host(frames[10].picture).shape == (120, 160, 3)
    assert not any(on_host(frame.picture)[:, 80:].any() for frame in frames)
    assert on_host(frames[10].picture)[:, :70].any()
    same(frames, by_pyav(clip, masks=(mask,), width_px=160))


def test_frames_come_a_group_late_and_evenly(clip: Clip, started: Start) -> None:
    batches = FakeBatches()
    run = Run(clip[0], started(batches))
    came: list[list[float]] = []
    for packet in clip[1]:
        came.append([frame.pts_s for frame in run.decoder.decode(packet)])
        if packet.is_keyframe:
            continue
        # So that a group is always there when its time has come.
        while run.decoder._under_way and not _done(run.decoder):
            batches.decoded.acquire(timeout=1)
    assert not any(came[:11])
    assert max(map(len, came)) <= 5  # What is shown out of order comes as the packets do.
    assert sum(map(len, came)) >= 45
    newest_s = 0.0
    for packet, frames in zip(clip[1], came, strict=True):
        newest_s = max(newest_s, packet.pts_s)
        assert all(newest_s - pts_s <= 1.5 for pts_s in frames)  # A group, and what is shown out of order.


def _done(decoder: DaliDecoder) -> bool:
    return all(getattr(taken, "done", lambda: True)() for _, taken in decoder._under_way)


def test_a_camera_waits_for_its_own_groups_and_holds_two(clip: Clip, started: Start) -> None:
    entered, opened = threading.Event(), threading.Event()

    def before(_: Sequence[EncodedGop]) -> None:
        entered.set()
        assert opened.wait(10)

    batches = FakeBatches(before)
    run = Run(clip[0], started(batches))
    thread = threading.Thread(target=run.play, args=(clip[1],))
    thread.start()
    assert entered.wait(10)
    most = len(run.decoder._under_way)
    opened.set()
    thread.join(30)
    assert most <= 2
    assert len(run.frames) == 60


def test_a_broken_group_is_decoded_by_pyav_and_the_next_by_the_engine(clip: Clip, started: Start) -> None:
    seen: list[int] = []

    def before(gops: Sequence[EncodedGop]) -> None:
        seen.append(len(gops))
        if len(seen) == 2:
            raise RefusedError(BROKEN)

    batches = FakeBatches(before)
    one_at_a_time = Engine(batches.open, batch=1, most_wait_s=0.0)
    one_at_a_time.start()
    run = Run(clip[0], one_at_a_time)
    same(run.play(clip[1]), by_pyav(clip))
    assert run.faults == ["dali_broken_gop"]
    assert len(seen) == 6
    one_at_a_time.close()


def test_broken_groups_with_sound_ones_between_leave_the_camera_to_the_engine(clip: Clip) -> None:
    seen: list[int] = []

    def before(gops: Sequence[EncodedGop]) -> None:
        seen.append(len(gops))
        if len(seen) in (1, 3, 5):
            raise RefusedError(BROKEN)

    engine = Engine(FakeBatches(before).open, batch=1, most_wait_s=0.0)
    engine.start()
    run = Run(clip[0], engine)
    same(run.play(clip[1]), by_pyav(clip))
    assert len(seen) == 6
    engine.close()


def test_three_broken_groups_in_a_row_leave_the_camera_to_pyav(clip: Clip, started: Start) -> None:
    batches = FakeBatches(refuse(BROKEN))
    run = Run(clip[0], started(batches))
    same(run.play(clip[1]), by_pyav(clip))
    assert run.faults == ["dali_broken_gop"]
    assert 3 <= len({id(gop) for batch in batches.batches for gop in batch}) <= 5


def test_fewer_pictures_than_wanted_are_a_broken_group(clip: Clip, started: Start) -> None:
    class Short(FakeBatches):
        def decode(self, gops: Sequence[EncodedGop]) -> list[list[Picture]]:
            return [pictures[:-1] for pictures in super().decode(gops)]

    run = Run(clip[0], started(Short()))
    same(run.play(clip[1]), by_pyav(clip))
    assert run.faults == ["dali_broken_gop"]


def test_a_codec_that_the_device_refuses_is_refused_once(clip: Clip, started: Start) -> None:
    batches = FakeBatches(refuse(Refusal("dali_codec", "not on this GPU", for_good=True)))
    run = Run(clip[0], started(batches))
    same(run.play(clip[1]), by_pyav(clip))
    assert run.faults == ["dali_codec"]
    assert len({id(gop) for batch in batches.batches for gop in batch}) <= 3


def test_a_codec_that_no_device_takes_is_not_even_tried(tmp_path: Path, started: Start) -> None:
    clip = packets_of(write_clip(tmp_path / "a.avi", "mpeg4", count=20))
    batches = FakeBatches()
    run = Run(clip[0], started(batches))
    same(run.play(clip[1]), by_pyav(clip))
    assert run.faults == ["dali_codec"]
    assert run.most_at_once == 1  # PyAV's pictures are not held back.
    assert not batches.batches


@pytest.mark.parametrize("fault", ["dali_missing", "dali_no_device"])
def test_without_dali_or_device_pyav_decodes_from_the_first_packet(
    clip: Clip, started: Start, fault: DecoderFault
) -> None:
    class Nothing(FakeBatches):
        def open(self) -> FakeBatches:
            raise RefusedError(Refusal(fault, "none", for_good=True))

    run = Run(clip[0], started(Nothing()))
    same(run.play(clip[1]), by_pyav(clip))
    assert run.faults == [fault]


def test_keyframes_too_far_apart(clip: Clip, started: Start) -> None:
    batches = FakeBatches()
    run = Run(clip[0], started(batches), DaliSettings(kind="dali", most_gop_s=0.5))
    same(run.play(clip[1]), by_pyav(clip))
    assert run.faults == ["dali_long_gop"]
    assert not batches.batches


def test_a_device_that_goes_away_in_the_middle(clip: Clip, started: Start) -> None:
    seen: list[int] = []

    class Gone(FakeBatches):
        def open(self) -> FakeBatches:
            if self.opened:
                raise RefusedError(NO_DEVICE)
            return super().open()

    def before(gops: Sequence[EncodedGop]) -> None:
        seen.append(len(gops))
        if len(seen) == 3:
            raise RefusedError(BROKEN)

    run = Run(clip[0], started(Gone(before)))
    same(run.play(clip[1]), by_pyav(clip))
    assert run.faults == ["dali_no_device"]


def test_a_reason_is_told_once_a_camera_not_once_a_run(clip: Clip, started: Start) -> None:
    engine = started(FakeBatches(refuse(NO_DEVICE)))
    first, second = Run(clip[0], engine), Run(clip[0], engine)
    first.play(clip[1])
    second.play(clip[1])
    assert (first.faults, second.faults) == (["dali_no_device"], [])
    other = Run(clip[0], engine)
    other.play([replace(packet, camera_id="yard") for packet in clip[1]])
    assert other.faults == ["dali_no_device"]


def test_damage_costs_the_pictures_up_to_the_next_keyframe(tmp_path: Path, started: Start) -> None:
    stream, given = packets_of(write_clip(tmp_path / "a.mp4", count=30, options={"bf": "0"}))
    given[13] = replace(given[13], data=b"\x00" * 40)

    def before(gops: Sequence[EncodedGop]) -> None:
        if any(b"\x00" * 40 in gop.video for gop in gops):
            raise RefusedError(BROKEN)

    run = Run(stream, started(FakeBatches(before)))
    frames = run.play(given)
    assert [round(frame.pts_s, 3) for frame in frames] == [i / 10 for i in [*range(13), *range(20, 30)]]
    assert run.decoder.undecodable == 7
    assert run.faults == ["dali_broken_gop"]


def test_packets_before_the_first_keyframe_are_counted(clip: Clip, started: Start) -> None:
    run = Run(clip[0], started(FakeBatches()))
    frames = run.play(clip[1][3:])
    assert len(frames) == 50
    assert run.decoder.undecodable == 7


def test_a_codec_that_is_unknown_to_both_is_told(started: Start) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Run(StreamInfo("nonsense", 320, 240, 10.0, b""), started(FakeBatches()))


def test_the_factory_makes_one_engine_a_process(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[DaliSettings] = []

    def opens(settings: DaliSettings) -> FakeBatches:
        opened.append(settings)
        raise RefusedError(NO_DEVICE)

    monkeypatch.setattr(dali, "open_dali", opens)
    monkeypatch.setattr(dali, "_engines", {})
    faults: list[DecoderFault] = []
    for _ in range(2):
        decoder = make_decoder(clip[0], SETTINGS, Everything(), (), 640, faults.append)
        assert len([f for p in clip[1] for f in decoder.decode(p)] + decoder.flush()) == 60
    assert opened == [SETTINGS]
    assert faults == ["dali_no_device"]
