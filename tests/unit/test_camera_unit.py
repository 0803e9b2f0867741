"""One unit from packets to observed windows: its threads, its losses, its ends."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from streamproc.camera import CameraUnit, Observer, UnitSettings
from streamproc.config import CameraSettings, DaliDecoder, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.decoding import dali
from streamproc.decoding.engine import BatchDecoder, Refusal, RefusedError
from streamproc.errors import InferenceError, ModelLoadError, SourceError
from streamproc.sampling.shedding import Shedding
from streamproc.secrets import remember
from streamproc.sources.session import Demuxed, RawPacket, open_session
from streamproc.testing import FakeClock
from streamproc.testing_sources import FakeObserver, FakeOpener, FakeSession, RecordingEmit, write_clip
from streamproc.types import CameraState, DropCause, ObservedWindow, PacketBatch, StreamInfo, Window

START = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "a.mp4", count=50, options={"bf": "0"})


@pytest.fixture(scope="module")
def content(clip: Path) -> tuple[StreamInfo, list[Demuxed]]:
    with open_session(str(clip), CameraSettings(id="gate", main=str(clip))) as session:
        return session.stream, list(session)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def start(release: threading.Event) -> Iterator[Callable[[CameraUnit], CameraUnit]]:
    """Starts units, and stops them however the test ends."""
    units: list[CameraUnit] = []

    def begin(unit: CameraUnit) -> CameraUnit:
        units.append(unit)
        unit.start()
        return unit

    yield begin
    release.set()
    ended = [unit.stop(5) for unit in units]
    assert all(ended)


Start = Callable[[CameraUnit], CameraUnit]


def settings(address: str = "rtsp://gate/1", *, realtime: bool = True) -> UnitSettings:
    camera = CameraSettings(id="gate", main=address, realtime=realtime)
    return UnitSettings(camera, SamplingSettings(), PyavDecoder(), NormalitySettings())


def ends(windows: list[ObservedWindow]) -> list[tuple[int, int, float]]:
    return [(o.window.run, o.window.index, round(o.window.end_s, 2)) for o in windows]


FIVE = [(1, i, i + 0.9) for i in range(5)]


class Gated(FakeObserver):
    """Waits in its first window until released."""

    def __init__(self, release: threading.Event) -> None:
        super().__init__()
        self._release = release
        self.inside = threading.Event()

    def observe(self, window: Window) -> ObservedWindow:
        self.inside.set()
        assert self._release.wait(20)
        return super().observe(window)


class Unmoved(Shedding):
    def lost(self, camera_id: str) -> None:
        """Nobody rests."""


def test_settings_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(settings())) == settings()  # noqa: S301


def test_a_recording_inline_is_the_same_each_time(clip: Path) -> None:
    def play() -> tuple[list[tuple[int, int, float]], list[datetime], int]:
        emit = RecordingEmit()
        unit = CameraUnit(settings(str(clip)), emit, FakeClock(), lambda _: FakeObserver())
        windows = list(unit.run_inline(START))
        return ends(windows), [o.window.captured_at for o in windows], len(emit.packets_kept)

    first = play()
    assert first == play()
    assert first[0] == FIVE
    assert (first[1][0] - START).total_seconds() == pytest.approx(0.9)
    assert first[2] == 50


def test_how_much_was_decoded_is_told(clip: Path) -> None:
    emit = RecordingEmit()
    unit = CameraUnit(settings(str(clip)), emit, FakeClock(), lambda _: FakeObserver())
    assert list(unit.run_inline(START))
    assert 0 < emit.pictures <= sum(len(batch.packets) for batch in emit.batches)
    assert emit.keyframe_every_s == 1.0


def test_a_recording_inline_that_is_missing_is_an_error() -> None:
    unit = CameraUnit(settings("nowhere.mp4"), RecordingEmit(), FakeClock(), lambda _: FakeObserver())
    with pytest.raises(SourceError, match="no such file"):
        list(unit.run_inline(START))


def test_a_recording_in_threads_loses_nothing_behind_a_slow_observer(
    clip: Path, release: threading.Event, start: Start
) -> None:
    emit, observer = RecordingEmit(), Gated(release)
    unit = CameraUnit(settings(str(clip), realtime=False), emit, FakeClock(), lambda _: observer)
    start(unit)
    assert observer.inside.wait(5)
    assert unit.join(0.05) is False
    assert "ended" not in emit.phases
    release.set()
    assert unit.join(10)
    assert ends(emit.windows) == FIVE
    assert (emit.drops, emit.phases[-1]) == ({}, "ended")


def test_of_a_camera_the_newest_window_replaces_the_oldest(
    content: tuple[StreamInfo, list[Demuxed]], release: threading.Event, start: Start
) -> None:
    emit, observer = RecordingEmit(), Gated(release)
    half = FakeSession(content[1], stream=content[0], then=lambda: release.wait(20))
    opener = FakeOpener([half])

    unit = CameraUnit(settings(), emit, FakeClock(), lambda _: observer, opener=opener, shedding=Unmoved(FakeClock()))
    start(unit)
    assert observer.inside.wait(5)
    assert emit.arrived(lambda e: e.drops.get("busy", 0) >= 3)
    release.set()
    assert emit.arrived(lambda e: len(e.windows) == 2)
    # Which window the observer was given first is the threads' matter; the last one is the newest.
    assert emit.windows[0].window.index < 4
    assert emit.windows[1].window.index == 4
    assert emit.drops["busy"] == 3
    assert unit.stop(5)


def test_a_camera_that_loses_windows_looks_away_and_that_is_counted(
    content: tuple[StreamInfo, list[Demuxed]],
    release: threading.Event,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamproc.sampling.shedding.PERSISTS_S", 0.0)

    class Slow(FakeObserver):
        def observe(self, window: Window) -> ObservedWindow:
            assert release.wait(20)
            return super().observe(window)

    emit = RecordingEmit()
    session = FakeSession(content[1], stream=content[0], then=lambda: release.wait(20))
    start(CameraUnit(settings(), emit, FakeClock(), lambda _: Slow(), opener=FakeOpener([session])))
    assert emit.arrived(lambda e: e.drops.get("shed", 0) >= 1)
    assert emit.drops["busy"] >= 1


def test_where_decoding_falls_behind_a_camera_drops_to_the_next_keyframe(
    content: tuple[StreamInfo, list[Demuxed]], release: threading.Event, start: Start
) -> None:
    class Stuck(RecordingEmit):
        def dropped(self, camera_id: str, cause: DropCause, count: int) -> None:
            super().dropped(camera_id, cause, count)
            if cause == "corrupt":
                assert release.wait(20)

    stream, raw = content
    broken = [RawPacket(b"\0" * 30, p.pts_s, p.dts_s, p.is_keyframe) for p in raw[:1]]
    many = [RawPacket(p.data, i / 10, i / 10, p.is_keyframe) for i, p in enumerate((raw * 3)[1:150], 1)]
    emit = Stuck()
    session = FakeSession(broken + many, stream=stream, then=lambda: release.wait(20))
    unit = CameraUnit(settings(), emit, FakeClock(), lambda _: FakeObserver(), opener=FakeOpener([session]))
    start(unit)
    assert emit.arrived(lambda e: len(e.packets_kept) == 150)
    # What came together, at most a group of ten, is taken or dropped together.
    assert 150 - 64 - 12 <= emit.drops["decoder"] <= 150 - 64 + 10
    release.set()
    assert unit.stop(5)


def test_what_a_lost_camera_showed_last_is_not_kept_back_until_it_is_there_again(
    content: tuple[StreamInfo, list[Demuxed]], start: Start
) -> None:
    emit, gone = RecordingEmit(), threading.Event()
    opener = FakeOpener([FakeSession(content[1][:14], stream=content[0])], spent=lambda: gone.wait(20))
    unit = start(CameraUnit(settings(), emit, FakeClock(), lambda _: FakeObserver(), opener=opener))
    assert emit.arrived(lambda e: bool(e.windows) and e.windows[-1].window.end_s > 1.2)
    gone.set()
    assert unit.stop(5)


def test_after_a_loss_packets_are_dropped_to_the_next_keyframe_though_there_is_room_again(
    content: tuple[StreamInfo, list[Demuxed]], release: threading.Event, start: Start
) -> None:
    class Stuck(RecordingEmit):
        def dropped(self, camera_id: str, cause: DropCause, count: int) -> None:
            super().dropped(camera_id, cause, count)
            if cause == "corrupt":
                assert release.wait(20)

    class Pausing(FakeSession):
        def __iter__(self) -> Iterator[Demuxed]:
            for index, packet in enumerate(super().__iter__()):
                if index == 1:
                    assert emit.arrived(lambda e: e.drops.get("corrupt") == 1)
                if index == 67:  # 0 is in the decoder's hands, 1 to 64 wait, 65 and 66 found no room
                    assert emit.arrived(lambda e: e.drops.get("decoder") == 2)
                    release.set()
                    assert emit.arrived(lambda e: any(o.window.end_s > 5.5 for o in e.windows))
                yield packet

    stream, raw = content
    many = [RawPacket(p.data, i / 10, i / 10, p.is_keyframe) for i, p in enumerate((raw * 2)[:90])]
    emit = Stuck()
    done = threading.Event()
    session = Pausing([RawPacket(b"0" * 30, 0.0, 0.0, True), *many[1:]], stream=stream, then=lambda: done.wait(20))
    unit = CameraUnit(
        settings(),
        emit,
        FakeClock(),
        lambda _: FakeObserver(),
        shedding=Unmoved(FakeClock()),
        opener=FakeOpener([session]),
    )
    start(unit)
    assert emit.arrived(lambda e: any(o.window.end_s > 7.5 for o in e.windows))
    assert emit.drops["decoder"] == 5
    done.set()
    assert unit.stop(5)


def test_a_watched_window_tells_how_long_it_took_to_observe_and_an_inline_one_does_not(
    clip: Path, start: Start
) -> None:
    clock = FakeClock()

    class Slow(FakeObserver):
        def observe(self, window: Window) -> ObservedWindow:
            clock.advance(0.25)
            return super().observe(window)

    emit = RecordingEmit()
    unit = start(CameraUnit(settings(str(clip), realtime=False), emit, clock, lambda _: Slow()))
    assert unit.join(20)
    assert [o.took_s for o in emit.windows] == [0.25] * 5
    inline = CameraUnit(settings(str(clip)), RecordingEmit(), clock, lambda _: Slow()).run_inline(START)
    assert [o.took_s for o in inline] == [0.0] * 5


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has niceness by thread")
def test_what_observes_gives_way_to_what_reads_and_decodes(clip: Path, start: Start) -> None:
    niceness: dict[str, int] = {}

    def note(thread: str) -> None:
        niceness[thread] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    class Noting(FakeObserver):
        def observe(self, window: Window) -> ObservedWindow:
            note("observe")
            return super().observe(window)

    class Emit(RecordingEmit):
        def packets(self, batch: PacketBatch) -> None:
            note("unit")
            super().packets(batch)

        def decoded(self, camera_id: str, pictures: int, keyframe_every_s: float | None) -> None:
            note("decode")
            super().decoded(camera_id, pictures, keyframe_every_s)

    unit = start(CameraUnit(settings(str(clip), realtime=False), Emit(), FakeClock(), lambda _: Noting()))
    assert unit.join(20)
    own = os.getpriority(os.PRIO_PROCESS, os.getpid())
    assert niceness == {"unit": own, "decode": own, "observe": min(19, own + 5)}


def test_a_window_that_a_model_fails_on_is_counted_and_the_next_is_tried(clip: Path, start: Start) -> None:
    class Fails(FakeObserver):
        def observe(self, window: Window) -> ObservedWindow:
            if window.index == 1:
                raise InferenceError("out of memory")
            return super().observe(window)

    emit = RecordingEmit()
    unit = CameraUnit(settings(str(clip), realtime=False), emit, FakeClock(), lambda _: Fails())
    start(unit)
    assert unit.join(10)
    assert ends(emit.windows) == [FIVE[0], *FIVE[2:]]
    assert emit.drops == {"inference": 1}


def test_an_unexpected_exception_restarts_the_camera_with_a_new_observer(
    content: tuple[StreamInfo, list[Demuxed]],
    release: threading.Event,
    capsys: pytest.CaptureFixture[str],
    start: Start,
) -> None:
    remember("marked-secret")

    class Breaks(FakeObserver):
        def observe(self, window: Window) -> ObservedWindow:
            raise RuntimeError("rtsp://u:marked-secret@gate fell over")

    observers: list[Observer] = [Breaks(), FakeObserver()]
    emit = RecordingEmit()
    made = iter(observers)
    stream, raw = content
    opener = FakeOpener([FakeSession(raw, stream=stream, then=lambda: release.wait(20)) for _ in range(2)])
    unit = CameraUnit(settings(), emit, FakeClock(), lambda _: next(made), opener=opener)
    start(unit)
    assert emit.arrived(lambda e: bool(e.windows))
    assert unit.stop(5)
    assert emit.faults == ["restarted"]
    told = next(state for state in emit.states if "RuntimeError" in state.detail)
    assert told.phase == "lost"
    assert emit.windows[0].window.run > 1
    assert "marked-secret" not in str(emit.states) + "".join(capsys.readouterr())


def test_a_recording_that_breaks_the_observer_is_not_played_for_ever(clip: Path, start: Start) -> None:
    class Breaks(FakeObserver):
        def observe(self, window: Window) -> ObservedWindow:
            raise RuntimeError("always")

    emit = RecordingEmit()
    unit = CameraUnit(settings(str(clip), realtime=False), emit, FakeClock(), lambda _: Breaks())
    start(unit)
    assert unit.join(10)
    assert (emit.phases[-1], emit.states[-1].detail) == ("lost", "RuntimeError: always")


def test_what_was_not_decoded_when_it_was_told_to_stop_are_packets_and_windows_are_windows(
    content: tuple[StreamInfo, list[Demuxed]], release: threading.Event, start: Start
) -> None:
    class Stuck(RecordingEmit):
        def dropped(self, camera_id: str, cause: DropCause, count: int) -> None:
            super().dropped(camera_id, cause, count)
            if cause == "corrupt":
                assert release.wait(20)

    stream, raw = content
    broken = [RawPacket(b"0" * 30, p.pts_s, p.dts_s, p.is_keyframe) for p in raw[:1]]
    emit = Stuck()
    session = FakeSession(broken + raw[1:40], stream=stream, then=lambda: release.wait(20))
    unit = start(CameraUnit(settings(), emit, FakeClock(), lambda _: FakeObserver(), opener=FakeOpener([session])))
    assert emit.arrived(lambda e: len(e.packets_kept) == 40)
    recording, observer = RecordingEmit(), Gated(release)
    many = [RawPacket(p.data, i / 10, i / 10, p.is_keyframe) for i, p in enumerate(raw * 3)]
    played = FakeOpener([FakeSession(many, stream=stream, live=False)])
    file = CameraUnit(settings("a.mp4", realtime=False), recording, FakeClock(), lambda _: observer, opener=played)
    start(file)
    # One window is looked at, one waits, and with the third the decoder waits, as do 64 packets behind it.
    assert recording.arrived(lambda e: len(e.packets_kept) >= 30 + 64)
    for one in (unit, file):
        one.ask_to_stop()
    assert recording.arrived(lambda e: "unobserved" in e.drops)
    release.set()
    assert unit.join(5)
    assert file.join(5)
    assert emit.drops["stopping"] + emit.drops["corrupt"] == 40
    assert emit.drops["stopping"] >= 30
    assert recording.drops["unobserved"] == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_unit_whose_thread_broke_off_is_dead_and_one_that_ended_is_not(clip: Path, start: Start) -> None:
    class Deaf(RecordingEmit):
        def state(self, state: CameraState) -> None:
            super().state(state)
            if state.phase == "ended":
                raise RuntimeError("nobody listens")

    units = [
        CameraUnit(settings(str(clip), realtime=False), emit, FakeClock(), lambda _: FakeObserver())
        for emit in (RecordingEmit(), Deaf())
    ]
    assert [unit.dead for unit in units] == [False, False]
    for unit in units:
        start(unit)
        assert unit.join(10)
    assert [unit.dead for unit in units] == [False, True]


def test_models_that_are_missing_are_told_at_the_start() -> None:
    def fail(_: UnitSettings) -> Observer:
        raise ModelLoadError("nanodet.onnx is missing")

    with pytest.raises(ModelLoadError):
        CameraUnit(settings(), RecordingEmit(), FakeClock(), fail).start()


def test_a_closed_pipeline_ends_the_unit(clip: Path, start: Start) -> None:
    emit = RecordingEmit()
    emit.closed = True
    unit = CameraUnit(settings(str(clip), realtime=False), emit, FakeClock(), lambda _: FakeObserver())
    start(unit)
    assert unit.join(10)
    assert "lost" not in emit.phases


def test_stop_is_late_while_the_observer_hangs_and_names_it(
    clip: Path, release: threading.Event, capsys: pytest.CaptureFixture[str], start: Start
) -> None:
    observer = Gated(release)
    unit = CameraUnit(settings(str(clip), realtime=False), RecordingEmit(), FakeClock(), lambda _: observer)
    start(unit)
    assert observer.inside.wait(5)
    assert unit.stop(0.05) is False
    assert "observe-gate" in "".join(capsys.readouterr())
    release.set()
    assert unit.join(5)


def test_one_hung_camera_does_not_stall_another(
    content: tuple[StreamInfo, list[Demuxed]], clip: Path, release: threading.Event, start: Start
) -> None:
    hung, well = RecordingEmit(), RecordingEmit()
    stuck = FakeSession(content[1][:5], stream=content[0], then=lambda: release.wait(20))
    one = CameraUnit(settings(), hung, FakeClock(), lambda _: FakeObserver(), opener=FakeOpener([stuck]))
    two = CameraUnit(settings(str(clip), realtime=False), well, FakeClock(), lambda _: FakeObserver())
    start(one)
    assert hung.arrived(lambda e: len(e.packets_kept) == 5)
    start(two)
    assert two.join(10)
    assert ends(well.windows) == FIVE
    assert one.stop(5)


def with_sub(**more: object) -> UnitSettings:
    whole = settings()
    camera = whole.camera.model_copy(update={"sub": "rtsp://gate/2", **more})
    return replace(whole, camera=camera)


def test_the_main_stream_beside_a_sub_stream_is_read_for_evidence_alone_and_reconnects(
    content: tuple[StreamInfo, list[Demuxed]], release: threading.Event, start: Start
) -> None:
    stream, raw = content
    emit = RecordingEmit()
    hold = partial(release.wait, 20)
    sub = FakeOpener([FakeSession(raw[:30], stream=stream, then=hold)])
    main = FakeOpener([SourceError("gate", "gone"), FakeSession(raw[:5]), FakeSession(raw[:7], then=hold)], spent=hold)
    steady = Unmoved(FakeClock())
    unit = CameraUnit(
        with_sub(), emit, FakeClock(), lambda _: FakeObserver(), opener=sub, main_opener=main, shedding=steady
    )
    start(unit)
    assert emit.arrived(lambda e: len(e.main_packets_kept) == 12 and len(e.windows) + e.drops.get("busy", 0) >= 2)
    assert [state.phase for state in emit.main_states][:5] == ["connecting", "lost", "streaming", "lost", "streaming"]
    assert [packet.run for packet in emit.main_packets_kept] == [1] * 5 + [2] * 7
    assert emit.phases == ["connecting", "streaming"]
    assert len(emit.packets_kept) == 30
    release.set()
    assert unit.stop(5)
    assert not any(thread.name == "main-gate" for thread in threading.enumerate())


def test_a_fault_of_the_main_stream_costs_the_camera_nothing(
    content: tuple[StreamInfo, list[Demuxed]], release: threading.Event, start: Start
) -> None:
    class Breaks(RecordingEmit):
        def main_packets(self, batch: PacketBatch) -> None:
            first = not self.main_batches
            super().main_packets(batch)
            if first:
                raise RuntimeError("fell over")

    stream, raw = content
    emit = Breaks()
    hold = partial(release.wait, 20)
    sub = FakeOpener([FakeSession(raw[:30], stream=stream, then=hold)])
    main = FakeOpener([FakeSession(raw[:5]), FakeSession(raw[:5], then=hold)], spent=hold)
    steady = Unmoved(FakeClock())
    unit = CameraUnit(
        with_sub(), emit, FakeClock(), lambda _: FakeObserver(), opener=sub, main_opener=main, shedding=steady
    )
    start(unit)
    # A window that is not taken before the next one is there makes room for it.
    assert emit.arrived(lambda e: len(e.main_packets_kept) >= 6 and len(e.windows) + e.drops.get("busy", 0) >= 2)
    assert emit.phases == ["connecting", "streaming"]


def test_without_a_sub_stream_or_in_a_replay_the_main_stream_is_opened_once(clip: Path, start: Start) -> None:
    never = FakeOpener([])
    emit = RecordingEmit()
    fast = with_sub(main=str(clip), sub=str(clip), realtime=False)
    for one in (settings(str(clip), realtime=False), fast):
        unit = CameraUnit(one, emit, FakeClock(), lambda _: FakeObserver(), main_opener=never)
        start(unit)
        assert unit.join(10)
    assert (emit.main_states, emit.main_batches) == ([], [])
    assert len(emit.windows) == 10


def test_another_decoder_that_steps_in_is_a_fault_of_the_camera(
    content: tuple[StreamInfo, list[Demuxed]], monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    def nothing(_: DaliDecoder) -> BatchDecoder:
        raise RefusedError(Refusal("dali_missing", "not installed", for_good=True))

    monkeypatch.setattr(dali, "open_dali", nothing)
    monkeypatch.setattr(dali, "_engines", {})
    stream, packets = content
    emit = RecordingEmit()
    unit = replace(settings("a.mp4", realtime=False), decoder=DaliDecoder(kind="dali"))
    session = FakeSession(packets, stream=stream, live=False)
    start(CameraUnit(unit, emit, FakeClock(), lambda _: FakeObserver(), opener=FakeOpener([session]))).join(10)
    assert ends(emit.windows) == FIVE
    assert emit.faults == ["dali_missing"]
