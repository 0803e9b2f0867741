"""What holds of every noun."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from streamproc import types
from streamproc.types import Frame, ObservedWindow, Picture, Window, on_host

NOUNS = [kind for kind in vars(types).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
START = datetime(2026, 1, 1, tzinfo=UTC)


def frame(pts_s: float) -> Frame:
    return Frame("gate", 1, pts_s, START + timedelta(seconds=pts_s), np.zeros((2, 4, 3), np.uint8))


class FarPicture:
    """Pixels on another device, which copy themselves when they are asked for as an array."""

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self._pixels = pixels

    @property
    def shape(self) -> tuple[int, ...]:
        return self._pixels.shape

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any:
        raise BufferError("not on the host")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self._pixels


def test_a_picture_on_another_device_is_copied_to_the_host() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    far = FarPicture(pixels)
    assert isinstance(far, Picture)
    assert (on_host(far) == pixels).all()


class DevicePicture:
    """Pixels that are handed over through DLPack only, as a device's are."""

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self._pixels = pixels

    @property
    def shape(self) -> tuple[int, ...]:
        return self._pixels.shape

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any:
        return self._pixels.__dlpack__(*args, **kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._pixels.__dlpack_device__()


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_nouns_are_frozen_and_slotted(noun: type) -> None:
    assert noun.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(noun)


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_nouns_say_what_they_are(noun: type) -> None:
    assert noun.__doc__
    assert not noun.__doc__.startswith(f"{noun.__name__}(")


def test_a_window_knows_its_span_and_its_newest_frame() -> None:
    window = Window("gate", 1, 0, ((frame(1.0), frame(1.1)), (frame(1.5), frame(1.6))))
    assert (window.start_s, window.end_s) == (1.0, 1.6)
    assert window.last is window.bursts[-1][-1]
    assert window.captured_at == START + timedelta(seconds=1.6)


@pytest.mark.parametrize("bursts", [(), ((),), ((frame(0.0),), ())])
def test_a_window_without_frames_is_a_mistake(bursts: tuple[tuple[Frame, ...], ...]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Window("gate", 1, 0, bursts)


def test_an_observed_window_can_go_to_another_process() -> None:
    observed = ObservedWindow(Window("gate", 1, 4, ((frame(0.0),),)), (), (), 0.25, ("speed: 1 frame/s, needs 5",))
    back: ObservedWindow = pickle.loads(pickle.dumps(observed))  # noqa: S301 - our own bytes
    assert (back.window.index, back.motion, back.not_judged) == (4, 0.25, ("speed: 1 frame/s, needs 5",))
    assert np.array_equal(on_host(back.window.last.picture), on_host(observed.window.last.picture))


def test_a_numpy_array_is_a_picture_and_is_not_copied() -> None:
    pixels = np.zeros((2, 4, 3), np.uint8)
    assert isinstance(pixels, Picture)
    assert on_host(pixels) is pixels


def test_a_picture_from_elsewhere_is_handed_over_through_dlpack() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    picture = DevicePicture(pixels)
    assert isinstance(picture, Picture)
    assert np.array_equal(on_host(picture), pixels)
