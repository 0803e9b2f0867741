"""Pictures where DALI made them; DALI itself is in `tests/integration/test_dali.py`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import numpy.typing as npt

from streamproc.decoding.dali_pipeline import DevicePicture
from streamproc.types import Picture, on_host

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


class Tensor:
    """One of DALI's on a GPU."""

    def __init__(self) -> None:
        self.copies = 0

    def shape(self) -> list[int]:
        return [2, 4, 3]

    def as_cpu(self) -> npt.NDArray[np.uint8]:
        self.copies += 1
        return PIXELS

    def __dlpack__(self, *args: Any, **kwargs: Any) -> str:
        return "capsule"

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 1


def test_it_is_handed_on_where_it_is() -> None:
    tensor = Tensor()
    picture = DevicePicture(tensor)
    assert isinstance(picture, Picture)
    assert picture.shape == (2, 4, 3)
    assert picture.__dlpack_device__() == (2, 1)
    assert picture.__dlpack__() == "capsule"
    assert tensor.copies == 0


def test_it_is_copied_to_the_host_once_for_all_who_ask() -> None:
    tensor = Tensor()
    picture = DevicePicture(tensor)
    first, second = on_host(picture), on_host(picture)
    assert (first == PIXELS).all()
    assert np.shares_memory(first, second)
    assert tensor.copies == 1


def test_in_another_process_it_is_an_array() -> None:
    buffers: list[pickle.PickleBuffer] = []
    sent = pickle.dumps(DevicePicture(Tensor()), protocol=5, buffer_callback=buffers.append)
    received = pickle.loads(sent, buffers=buffers)  # noqa: S301 - our own
    assert isinstance(received, np.ndarray)
    assert (received == PIXELS).all()
    assert len(buffers) == 1  # Sent as it lies in memory.
