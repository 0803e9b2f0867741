"""The tensors of a PyTorch checkpoint of the older form (before 1.6), read without PyTorch.

Such a file is a row of pickles (a magic number, a version, what machine wrote it, the state dict, the keys of its
storages), then each storage's length and numbers. A pickle may call anything; this reader lets it name a dict, the
making of a tensor and two types of numbers, and nothing else.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamproc.errors import ModelLoadError

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_VERSION: Final = 1001
_TYPES: Final = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

Tensors = dict[str, npt.NDArray[Any]]
"""Arrays by the names of the state dict."""


def read_tensors(path: Path) -> Tensors:
    """Every tensor of a state dict of float32 and int64.

    Raises:
        ModelLoadError: the file cannot be read, is of another form, or holds something else than tensors.
    """
    try:
        stream = io.BytesIO(path.read_bytes())
        if (_Reader(stream).load(), _Reader(stream).load()) != (_MAGIC, _VERSION):
            raise ModelLoadError(f"{path}: not a PyTorch checkpoint of the older form")
        _Reader(stream).load()  # of the machine that wrote it
        reader = _Reader(stream)
        state = reader.load()
        numbers = {str(key): _numbers(stream, reader.types[key]) for key in _Reader(stream).load()}
        return {str(name): found.of(numbers[found.storage]) for name, found in state.items()}
    except OSError as error:
        raise ModelLoadError(f"{path}: cannot be read: {error.strerror}") from error
    except (pickle.UnpicklingError, ValueError, TypeError, KeyError, AttributeError, IndexError, EOFError) as error:
        raise ModelLoadError(f"{path}: not a checkpoint of tensors alone: {error}") from error


@dataclass(frozen=True, slots=True)
class _Tensor:
    """What the pickle says of a tensor; its numbers come later in the file."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides)) < 0 or last >= len(numbers):
            raise ValueError(f"a tensor of {self.shape} reaches out of its {len(numbers)} numbers")
        steps = [step * numbers.itemsize for step in self.strides]
        return np.array(np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps))


def _tensor(storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _Reader(pickle.Unpickler):
    """Unpickles numbers, dicts and tensors."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.types: dict[str, np.dtype[Any]] = {}
        """Of the numbers of each storage."""

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case "torch", ("FloatStorage" | "LongStorage"):
                return _TYPES[name]
            case _:
                raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> str:
        _, kind, key, *_ = pid
        self.types[key] = kind
        return str(key)


def _numbers(stream: io.BytesIO, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    length = int.from_bytes(stream.read(8), "little")
    return np.frombuffer(stream.read(length * kind.itemsize), kind, length)
