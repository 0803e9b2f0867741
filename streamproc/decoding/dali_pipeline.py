"""DALI's pipeline: recordings of groups to pictures, on a GPU or, for VP9, on the CPU.

The same pipeline on both, with another ``device``: video decoder, scaling, and a product with the mask, which is 1
where there is none, so that there is no way around it. Pictures stay where they are made and are handed on by DLPack;
whoever wants one on the host copies it there once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streamproc.config import DaliDecoder as DaliSettings
from streamproc.decoding.engine import EncodedGop, Refusal, RefusedError
from streamproc.types import Picture

_TOLD = 300
"""Characters of DALI's reason that are logged."""
_QUEUE = 1
"""Batches in the pipeline at once; what is fed in is not read ahead."""


def open_dali(settings: DaliSettings) -> DaliBatches:
    """A pipeline on the device.

    Raises:
        RefusedError: DALI is not installed, or there is no device.
    """
    try:
        from nvidia.dali import fn, pipeline_def
        from nvidia.dali.backend import TensorListCPU, TensorListGPU
        from nvidia.dali.types import FLOAT, INT32, UINT8
    except ImportError as error:
        told = f"{error}; it comes with the extra: pip install 'streamproc[dali]'"
        raise RefusedError(Refusal("dali_missing", told, for_good=True)) from None
    on_gpu = settings.device == "mixed"

    def graph() -> Any:
        video = fn.external_source(name="video", dtype=UINT8, ndim=1)
        numbers = fn.external_source(name="numbers", dtype=INT32, ndim=1)
        size = fn.external_source(name="size", dtype=FLOAT, ndim=1)
        mask = fn.external_source(name="mask", dtype=UINT8, ndim=3)
        # A number that is not there is an error, not a black picture.
        pictures = fn.decoders.video(video, device=settings.device, frames=numbers, pad_mode="none")
        return fn.resize(pictures, size=size) * (mask.gpu() if on_gpu else mask)

    try:
        pipeline = pipeline_def(
            graph,
            batch_size=settings.batch_gops,
            num_threads=settings.threads,
            device_id=settings.device_id if on_gpu else None,
            prefetch_queue_depth=_QUEUE,
        )()
        pipeline.build()
    except Exception as error:  # DALI raises RuntimeError for nearly everything, and loads libraries as it goes.
        raise RefusedError(Refusal("dali_no_device", _first_line(error), for_good=True)) from None
    return DaliBatches(pipeline, TensorListGPU if on_gpu else TensorListCPU)


class DaliBatches:
    """Decodes batches by a built pipeline."""

    def __init__(self, pipeline: Any, list_type: Any) -> None:
        self._pipeline, self._list_type = pipeline, list_type

    def decode(self, gops: Sequence[EncodedGop]) -> list[list[Picture]]:
        """The wanted pictures of each group."""
        try:
            (batch,) = self._pipeline.run(
                video=[np.frombuffer(gop.video, np.uint8) for gop in gops],
                numbers=[np.array(gop.numbers, np.int32) for gop in gops],
                size=[np.array((gop.height_px, gop.width_px), np.float32) for gop in gops],
                mask=[gop.mask for gop in gops],
            )
        except Exception as error:
            raise _refused(error) from None
        return [self._pictures(batch[place]) for place in range(len(gops))]

    def _pictures(self, sequence: Any) -> list[Picture]:
        # A sequence is split by taking its first dimension for that of a list; nothing is copied.
        pictures = self._list_type(sequence.__dlpack__(), "HWC")
        return [DevicePicture(pictures[place]) for place in range(len(pictures))]


class DevicePicture:
    """A picture where DALI made it; handed on by DLPack, and copied to the host once if anybody asks for that."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor
        self._on_host: npt.NDArray[np.uint8] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, 3)."""
        return tuple(self._tensor.shape())

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any:
        return self._tensor.__dlpack__(*args, **kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, number = self._tensor.__dlpack_device__()
        return int(kind), number

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if self._on_host is None:
            self._on_host = np.array(self._tensor.as_cpu(), dtype=np.uint8)
        return np.array(self._on_host, dtype=dtype, copy=copy)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """In another process it is an array on the host."""
        return np.asarray(self).__reduce_ex__(protocol)


def _refused(error: Exception) -> RefusedError:
    text = str(error)
    if "not supported" in text or "unsupported" in text.lower():
        return RefusedError(Refusal("dali_codec", _cause(text), for_good=True))
    return RefusedError(Refusal("dali_broken_gop", _cause(text)))


def _cause(text: str) -> str:
    """The part of DALI's message that says what was wrong: it stands after where in the pipeline that was."""
    told = text.rpartition("encountered:")[2].split("Current pipeline object")[0]
    lines = [line.strip() for line in told.splitlines() if line.strip() and not line.startswith("C++ context")]
    return " ".join(lines)[:_TOLD] or "no reason given"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:_TOLD]
