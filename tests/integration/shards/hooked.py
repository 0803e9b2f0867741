"""The process of these tests: as the real one, without models, and with cameras that do what their names say.

``aborts``: its decoder crashes; ``hangs``: a library hangs with the interpreter's lock; ``grows``: it leaks.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from streamproc.camera import CameraUnit
from streamproc.runtime.clock import SystemClock
from streamproc.shards import process
from streamproc.shards.orders import CameraOrders, Orders
from streamproc.shards.telling import RemoteEmit
from streamproc.sources.session import Demuxed, Session, analysed_address, open_session
from streamproc.testing_sources import FakeObserver
from streamproc.types import StreamInfo

GROWS_BY = 600_000_000
leaked: list[bytearray] = []


def trouble(name: str) -> None:
    match name.partition("-")[0]:
        case "aborts":
            os.abort()
        case "hangs":
            ctypes.PyDLL(None).sleep(600)
        case "grows" if not leaked:
            leaked.append(bytearray(os.urandom(1000) * (GROWS_BY // 1000)))


class Troubled:
    """A session that is well for fifteen packets."""

    def __init__(self, session: Session, name: str) -> None:
        self._session, self._name = session, name

    @property
    def stream(self) -> StreamInfo:
        return self._session.stream

    @property
    def live(self) -> bool:
        return self._session.live

    @property
    def keeps(self) -> bool:
        return self._session.keeps

    def __iter__(self) -> Iterator[Demuxed]:
        for number, packet in enumerate(self._session):
            if number == 15:
                trouble(self._name)
            yield packet

    def __enter__(self) -> Self:
        self._session.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.__exit__(kind, error, trace)


def prepare(_: Orders) -> process.MakeUnit:
    def make(orders: CameraOrders, emit: RemoteEmit) -> CameraUnit:
        camera = orders.settings.camera
        return CameraUnit(
            orders.settings,
            emit,
            SystemClock(),
            lambda _: FakeObserver(),
            opener=lambda: Troubled(open_session(analysed_address(camera), camera), camera.id),
            first_run=orders.first_run,
            first_main_run=orders.first_main_run,
        )

    return make


if __name__ == "__main__":
    process.main(prepare)
