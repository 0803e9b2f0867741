"""Arrays and pictures in a calibration file."""

from __future__ import annotations

import base64
import zlib

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from streamproc.normality.arrays import Packed
from streamproc.normality.picture import packed, unpacked


@pytest.mark.parametrize("array", [np.arange(12, dtype=np.float16).reshape(3, 4) / 7, np.arange(6, dtype=np.uint8)])
def test_an_array_comes_back_as_it_was(array: np.ndarray) -> None:
    found = Packed.model_validate_json(Packed.of(array).model_dump_json()).array
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, array.astype(np.float32))


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({"shape": (3, 5)}, "24 bytes, but"),
        ({"data": "?"}, "not base64"),
        ({"data": base64.b64encode(b"no").decode()}, "not base64 of compressed"),
        ({"data": base64.b64encode(zlib.compress(b"\x00\x7c" * 12)).decode()}, "no number"),
        ({"dtype": "float64"}, "float16"),
    ],
)
def test_what_is_spoilt_is_refused_with_the_reason(spoilt: dict[str, object], reason: str) -> None:
    whole = Packed.of(np.zeros((3, 4), np.float16)).model_dump()
    with pytest.raises(ValidationError, match=reason):
        Packed.model_validate(whole | spoilt)


def test_what_unpacks_to_too_much_is_refused() -> None:
    data = base64.b64encode(zlib.compress(bytes(65 * 2**20))).decode()
    with pytest.raises(ValidationError):
        Packed(shape=(65 * 2**20,), dtype="uint8", data=data)


def test_a_picture_comes_back_nearly_as_it_was() -> None:
    grey = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (90, 120), dtype=np.uint8), (0, 0), 3)
    found = unpacked(packed(grey))
    assert found.shape == grey.shape
    assert np.abs(found.astype(int) - grey).mean() < 2
    with pytest.raises(ValueError, match="not a picture"):
        unpacked("bm8=")
    with pytest.raises(ValueError, match="not a picture"):
        unpacked("")
