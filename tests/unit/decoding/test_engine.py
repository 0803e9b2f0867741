"""Groups from many cameras in batches, and what one that fails costs the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from streamproc.decoding.engine import STUCK_S, EncodedGop, Engine, Refusal, RefusedError
from streamproc.secrets import remember
from streamproc.testing_decoding import FakeBatches, refuse
from streamproc.types import Picture, on_host

Before = Callable[[Sequence[EncodedGop]], None]
NO_DEVICE = Refusal("dali_no_device", "no GPU", for_good=True)


def gop(name: str) -> EncodedGop:
    return EncodedGop(name.encode(), (0,), 4, 2, np.ones((1, 1, 1), np.uint8))


class Named(FakeBatches):
    """Each group's picture is its name; ``broken`` ones are refused."""

    def __init__(self, broken: tuple[str, ...] = (), before: Before = lambda _: None) -> None:
        super().__init__(before)
        self._broken = broken

    def decode(self, gops: Sequence[EncodedGop]) -> list[list[Picture]]:
        self.batches.append(list(gops))
        self._before(gops)
        if any(one.video.decode() in self._broken for one in gops):
            raise RefusedError(Refusal("dali_broken_gop", "broken"))
        return [[np.frombuffer(one.video, np.uint8)] for one in gops]

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


@pytest.fixture
def started() -> Iterator[Callable[..., Engine]]:
    engines: list[Engine] = []

    def start(batches: FakeBatches, batch: int = 8, **more: object) -> Engine:
        engines.append(Engine(batches.open, batch=batch, most_wait_s=0.0, look_s=0.01, **more))  # type: ignore[arg-type]
        engines[-1].start()
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()
        assert not engine._thread.is_alive()


Start = Callable[..., Engine]


@pytest.fixture
def log_output() -> Iterator[list[MutableMapping[str, Any]]]:
    with capture_logs() as logs:
        yield logs


class Gate:
    """Holds the first batch until it is opened, so that others gather behind it."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, _: Sequence[EncodedGop]) -> None:
        self.entered.set()
        assert self.opened.wait(10)


def names(pictures: list[Picture]) -> list[str]:
    return [on_host(picture).tobytes().decode() for picture in pictures]


def test_what_comes_while_a_batch_is_decoded_is_the_next_batch(started: Start) -> None:
    gate = Gate()
    batches = Named(before=gate)
    engine = started(batches, batch=3)
    futures = [engine.submit(gop("a"))]
    assert gate.entered.wait(10)
    futures += [engine.submit(gop(name)) for name in "bcdef"]
    gate.opened.set()
    assert [names(engine.result(future)) for future in futures] == [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]
    assert batches.sizes == [1, 3, 2]
    assert batches.opened == 1


def test_one_broken_group_takes_no_other_along(started: Start) -> None:
    gate = Gate()
    batches = Named(broken=("b",), before=gate)
    engine = started(batches)
    first = engine.submit(gop("first"))
    assert gate.entered.wait(10)
    a, b, c = (engine.submit(gop(name)) for name in "abc")
    gate.opened.set()
    assert names(engine.result(first)) == ["first"]
    assert names(engine.result(a)) == ["a"]
    assert names(engine.result(c)) == ["c"]
    with pytest.raises(RefusedError) as caught:
        engine.result(b)
    assert caught.value.refusal.fault == "dali_broken_gop"
    assert batches.sizes == [1, 3, 1, 1, 1]
    assert batches.opened == 3  # A pipeline that failed is of no more use.
    assert names(engine.result(engine.submit(gop("d")))) == ["d"]


def test_where_nothing_can_be_opened_all_is_refused_at_once(started: Start) -> None:
    class Nothing(FakeBatches):
        def open(self) -> FakeBatches:
            raise RefusedError(NO_DEVICE)

    engine = started(Nothing())
    assert engine.refused == NO_DEVICE
    with pytest.raises(RefusedError) as caught:
        engine.result(engine.submit(gop("a")))
    assert caught.value.refusal == NO_DEVICE


def test_a_device_that_goes_away_refuses_what_waits_and_what_comes(started: Start) -> None:
    gate = Gate()

    class Gone(Named):
        def open(self) -> FakeBatches:
            if self.opened:
                raise RefusedError(NO_DEVICE)
            return super().open()

    engine = started(Gone(broken=("a",), before=gate))
    a = engine.submit(gop("a"))
    assert gate.entered.wait(10)
    b = engine.submit(gop("b"))
    gate.opened.set()
    for future in (a, b, engine.submit(gop("c"))):
        with pytest.raises(RefusedError) as caught:
            engine.result(future)
        assert caught.value.refusal == NO_DEVICE


def test_what_nobody_expected_ends_no_thread(started: Start, log_output: list[MutableMapping[str, Any]]) -> None:
    failing = [True]

    def before(_: Sequence[EncodedGop]) -> None:
        if failing.pop() if failing else False:
            raise ZeroDivisionError("odd")

    engine = started(Named(before=before))
    with pytest.raises(RefusedError, match="odd"):
        engine.result(engine.submit(gop("a")))
    assert names(engine.result(engine.submit(gop("b")))) == ["b"]
    assert [entry["event"] for entry in log_output] == ["dali_failed"]


def test_a_batch_that_does_not_end_is_not_waited_for(started: Start) -> None:
    gate, now_s = Gate(), [100.0]
    engine = started(Named(before=gate), monotonic=lambda: now_s[0])
    a = engine.submit(gop("a"))
    assert gate.entered.wait(10)
    b = engine.submit(gop("b"))
    now_s[0] += STUCK_S + 1
    for future in (a, b, engine.submit(gop("c"))):
        with pytest.raises(RefusedError) as caught:
            engine.result(future)
        assert caught.value.refusal.fault == "dali_stuck"
        assert caught.value.refusal.for_good
    gate.opened.set()


def test_a_slow_queue_is_waited_for_while_batches_end(started: Start) -> None:
    now_s = [0.0]

    def before(_: Sequence[EncodedGop]) -> None:
        now_s[0] += STUCK_S - 1

    engine = started(Named(before=before), batch=1, monotonic=lambda: now_s[0])
    futures = [engine.submit(gop(name)) for name in "abcd"]
    assert [names(engine.result(future)) for future in futures] == [["a"], ["b"], ["c"], ["d"]]


def test_a_reason_is_said_once_a_camera_and_without_secrets(log_output: list[MutableMapping[str, Any]]) -> None:
    remember("hunter2-hunter2")
    engine = Engine(FakeBatches(refuse(NO_DEVICE)).open, batch=1, most_wait_s=0)
    refusal = Refusal("dali_codec", "no hunter2-hunter2")
    assert engine.say_once("gate", refusal)
    assert not engine.say_once("gate", refusal)
    assert engine.say_once("yard", refusal)
    assert engine.say_once("gate", NO_DEVICE)
    assert [(entry["camera"], entry["fault"]) for entry in log_output] == [
        ("gate", "dali_codec"),
        ("yard", "dali_codec"),
        ("gate", "dali_no_device"),
    ]
    assert "hunter2" not in str(log_output)


def test_a_closed_engine_refuses(started: Start) -> None:
    engine = started(Named())
    engine.close()
    with pytest.raises(RefusedError, match="closed"):
        engine.result(engine.submit(gop("a")))
    engine.close()
