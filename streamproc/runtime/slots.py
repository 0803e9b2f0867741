"""A short queue in which each thing has one place, for a consumer that is slower than what comes.

A newer item of the same thing takes the older one's place in the line, so that what waits is always fresh and a thing
that is told of often does not push the others back. Nothing here blocks its producer.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, Literal, TypeVar

from streamproc.errors import ChannelClosed

T = TypeVar("T")
Lost = Literal["fresher", "full"]


class Slots(Generic[T]):
    """Items by group (a camera) and key within it; served in the order in which their keys came."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("there is room for at least one item")
        self._size = size
        self._items: OrderedDict[tuple[str, Hashable], T] = OrderedDict()
        self._working: str | None = None
        self._changed = threading.Condition()
        self._closed = False

    def put(self, group: str, key: Hashable, item: T) -> tuple[Lost, str] | None:
        """Add ``item``; why another one was lost for it and of which group, None where none was.

        Where there is no room, the one that waits longest in the group that has the most waiting goes.

        Raises:
            ChannelClosed: nothing is taken any more.
        """
        with self._changed:
            if self._closed:
                raise ChannelClosed
            lost: tuple[Lost, str] | None = None
            if (group, key) in self._items:
                lost = ("fresher", group)
            elif len(self._items) >= self._size:
                crowded = Counter(one for one, _ in self._items).most_common(1)[0][0]
                del self._items[next(place for place in self._items if place[0] == crowded)]
                lost = ("full", crowded)
            self._items[group, key] = item
            self._changed.notify_all()
            return lost

    @contextmanager
    def take(self, timeout_s: float) -> Iterator[T | None]:
        """The item that waits longest, worked on in the ``with`` block; None if none came. For one consumer.

        Raises:
            ChannelClosed: closed, and nothing more comes.
        """
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._closed, timeout_s)
            if self._closed:
                raise ChannelClosed
            item = None
            if self._items:
                (self._working, _), item = self._items.popitem(last=False)
        try:
            yield item
        finally:
            with self._changed:
                self._working = None
                self._changed.notify_all()

    def settle(self, group: str, timeout_s: float) -> bool:
        """Wait until nothing of a group waits or is worked on; False if that took longer than ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._closed or (self._working != group and all(one != group for one, _ in self._items)),
                timeout_s,
            )

    def close(self) -> list[str]:
        """End the consumer after what it works on; the groups of what waited and is lost, one for each item."""
        with self._changed:
            self._closed = True
            lost = [group for group, _ in self._items]
            self._items.clear()
            self._changed.notify_all()
            return lost

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)
