"""Bounded channels between threads. ``Freshest`` is the one place that may lose data; the others block.

All close: after ``close()`` a put raises ``ChannelClosed``, and a get does so once everything was taken. Every wait has
a bound, so a thread that waits here notices a stop.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from streamproc.errors import ChannelClosed

T = TypeVar("T")


class Channel(Generic[T]):
    """First in, first out, for one consumer; a full channel blocks who puts."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("a channel holds at least one item")
        self._size = size
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: T, timeout_s: float | None = None) -> bool:
        """Add ``item``; False if there was no room within ``timeout_s`` (None waits until there is)."""
        with self._changed:
            room = self._changed.wait_for(lambda: self._closed or len(self._items) < self._size, timeout_s)
            if self._closed:
                raise ChannelClosed
            if room:
                self._items.append(item)
                self._changed.notify_all()
            return room

    def get(self, timeout_s: float | None = None) -> T | None:
        """Take the oldest item; None if none came within ``timeout_s``."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items), timeout_s)
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._closed:
                raise ChannelClosed
            return None

    def get_all(self, timeout_s: float | None = None) -> list[T]:
        """Take all that waits, oldest first; nothing if none came within ``timeout_s``."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items), timeout_s)
            if self._closed and not self._items:
                raise ChannelClosed
            items = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return items

    def close(self) -> None:
        """Let the consumer take what is left, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        """Items until the channel is closed and empty."""
        while True:
            try:
                item = self.get()
            except ChannelClosed:
                return
            if item is not None:
                yield item


class Freshest(Channel[T]):
    """A channel whose put never blocks: when it is full, all that waits makes room, and the producer counts it.

    All of it, not the oldest alone, so that what is taken between two losses is unbroken.
    """

    def __init__(self, size: int = 1) -> None:
        super().__init__(size)
        self.lost = 0
        """How many items made room at the last put."""

    def put(self, item: T, timeout_s: float | None = None) -> bool:  # noqa: ARG002 - it never waits
        """Add ``item``; False if others had to make room."""
        with self._changed:
            if self._closed:
                raise ChannelClosed
            self.lost = len(self._items) if len(self._items) >= self._size else 0
            if self.lost:
                self._items.clear()
            self._items.append(item)
            self._changed.notify_all()
            return not self.lost


class Lanes(Generic[T]):
    """One short lane a camera, served in turn, and no lane by two consumers at once.

    A full lane blocks its own producer only. ``take`` leases a lane: the items of one camera are worked on one after
    the other, in order, whatever the number of consumers.
    """

    def __init__(self, size: int = 1) -> None:
        if size < 1:
            raise ValueError("a lane holds at least one item")
        self._size = size
        self._lanes: OrderedDict[str, deque[T]] = OrderedDict()
        self._leased: set[str] = set()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, key: str, item: T, timeout_s: float | None = None) -> bool:
        """Add ``item`` to its lane; False if there was no room within ``timeout_s``."""
        with self._changed:
            lane = self._lanes.setdefault(key, deque())
            room = self._changed.wait_for(lambda: self._closed or len(lane) < self._size, timeout_s)
            if self._closed:
                raise ChannelClosed
            if room:
                lane.append(item)
                self._changed.notify_all()
            return room

    @contextmanager
    def take(self, timeout_s: float | None = None) -> Iterator[T | None]:
        """The next item of the lane that waited longest, leased for the ``with`` block; None if none came."""
        with self._changed:
            self._changed.wait_for(lambda: self._next() is not None or self._finished(), timeout_s)
            key = self._next()
            if key is None and self._finished():
                raise ChannelClosed
            item = None
            if key is not None:
                item = self._lanes[key].popleft()
                self._lanes.move_to_end(key)
                self._leased.add(key)
                self._changed.notify_all()
        try:
            yield item
        finally:
            if key is not None:
                with self._changed:
                    self._leased.discard(key)
                    self._changed.notify_all()

    def settle(self, key: str, timeout_s: float | None = None) -> bool:
        """Wait until nothing of a lane is left or being worked on; False if that took longer than ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lanes.get(key) and key not in self._leased, timeout_s)

    def _next(self) -> str | None:
        return next((k for k, lane in self._lanes.items() if lane and k not in self._leased), None)

    def _finished(self) -> bool:
        return self._closed and not any(self._lanes.values())

    def close(self) -> None:
        """Let consumers take what is left, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return sum(len(lane) for lane in self._lanes.values())
