"""What crosses between processes: whole, with pictures beside the pickle, until the other end is gone."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from streamproc.errors import ChannelClosed
from streamproc.shards import wire
from streamproc.testing_deduction import observed

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def passed(pair: Pair, message: object) -> object:
    """``message`` as it arrives, sent by another thread since it may be larger than the socket holds."""
    thread = threading.Thread(target=wire.send, args=(pair[0], message), daemon=True)
    thread.start()
    try:
        return wire.receive(pair[1])
    finally:
        thread.join(10)


def test_arrays_arrive_whole_in_memory_of_their_own(pair: Pair) -> None:
    rng = np.random.default_rng(1)
    sent = [rng.integers(0, 255, size, dtype=np.uint8) for size in ((720, 1280, 3), (3, 2), (0, 4, 3))]
    sent += [sent[0][::2, ::2], np.asfortranarray(sent[1]), np.arange(5, dtype=np.float32)]
    arrived = passed(pair, sent)
    assert isinstance(arrived, list)
    for before, after in zip(sent, arrived, strict=True):
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        np.testing.assert_array_equal(after, before)
        assert after.flags.writeable
    arrived[0][:] = 0
    assert sent[0].any()


def test_pictures_go_beside_the_pickle(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pickles: list[int] = []

    def noted(data: memoryview, **more: object) -> object:
        pickles.append(len(data))
        return loads(data, **more)  # type: ignore[arg-type]

    loads = pickle.loads
    monkeypatch.setattr(pickle, "loads", noted)
    passed(pair, np.zeros((720, 1280, 3), np.uint8))
    assert pickles[0] < 1000


def test_an_observed_window_arrives_as_it_was(pair: Pair) -> None:
    sent = observed(1.0)
    arrived = passed(pair, sent)
    assert pickle.dumps(arrived) == pickle.dumps(sent)


def test_messages_keep_their_order_and_their_bounds(pair: Pair) -> None:
    for number in range(3):
        wire.send(pair[0], {"number": number})
    assert [wire.receive(pair[1]) for _ in range(3)] == [{"number": 0}, {"number": 1}, {"number": 2}]


def test_an_end_that_is_gone_closes_the_other(pair: Pair) -> None:
    wire.send(pair[0], "last words")
    pair[0].close()
    assert wire.receive(pair[1]) == "last words"
    with pytest.raises(ChannelClosed):
        wire.receive(pair[1])
    with pytest.raises(ChannelClosed):
        wire.send(pair[1], "nobody hears")


@pytest.mark.parametrize("share", [4, 20])
def test_a_message_that_breaks_off_is_none(pair: Pair, share: int) -> None:
    whole, broken = socket.socketpair(), pair
    wire.send(whole[0], "a message of some length")
    data = whole[1].recv(1000)
    for end in whole:
        end.close()
    broken[0].sendall(data[:share])
    broken[0].close()
    with pytest.raises(ChannelClosed):
        wire.receive(broken[1])


def test_silence_is_told_and_a_message_that_began_is_waited_for(pair: Pair) -> None:
    pair[1].settimeout(0.02)
    with pytest.raises(TimeoutError):
        wire.receive(pair[1])
    whole = socket.socketpair()
    wire.send(whole[0], "a message of some length")
    data = whole[1].recv(1000)
    for end in whole:
        end.close()
    pair[0].sendall(data[:5])
    rest = threading.Timer(0.1, lambda: pair[0].sendall(data[5:]))
    rest.start()
    assert wire.receive(pair[1]) == "a message of some length"
    rest.join()
