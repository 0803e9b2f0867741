"""Arrays in a JSON file: shape, kind of number, and the bytes, compressed and in base64."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

_MOST_BYTES = 64 * 2**20
"""A file that unpacks to more was not written here."""


class Packed(BaseModel):
    """An array, packed. Equal contents give equal texts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: tuple[Annotated[int, Field(ge=0)], ...]
    dtype: Literal["float16", "uint8"]
    data: str

    @classmethod
    def of(cls, array: npt.NDArray[np.float16] | npt.NDArray[np.uint8]) -> Self:
        """``array`` as it is: nothing is lost."""
        little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
        data = base64.b64encode(zlib.compress(little.tobytes(), 9)).decode("ascii")
        return cls(shape=array.shape, dtype="uint8" if array.dtype == np.uint8 else "float16", data=data)

    @property
    def array(self) -> npt.NDArray[np.float32]:
        """The numbers, float32 of the shape that was packed."""
        numbers = np.frombuffer(_unpacked(self.data), np.dtype(self.dtype).newbyteorder("<"))
        return numbers.reshape(self.shape).astype(np.float32)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        size = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        try:
            data = _unpacked(self.data)
        except (binascii.Error, zlib.error, ValueError):
            raise ValueError("not base64 of compressed bytes") from None
        if len(data) != size:
            raise ValueError(f"{len(data)} bytes, but {self.shape} of {self.dtype} are {size}")
        if self.dtype == "float16" and not np.isfinite(np.frombuffer(data, np.dtype("<f2"))).all():
            raise ValueError("holds what is no number")
        return self


def _unpacked(text: str) -> bytes:
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
    if unpacking.unconsumed_tail:
        raise ValueError(f"more than {_MOST_BYTES} bytes")
    return data
