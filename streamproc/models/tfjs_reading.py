"""Reading TensorFlow.js models: weights out of binary shards, attributes out of JSON."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

Array = npt.NDArray[Any]
Node = dict[str, Any]
_TYPES = {"DT_FLOAT": TensorProto.FLOAT, "DT_INT32": TensorProto.INT32}


def weights(manifest: list[dict[str, Any]], folder: Path) -> dict[str, Array]:
    """Every constant of the manifest by name; float16 is widened to float32."""
    found: dict[str, Array] = {}
    for group in manifest:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        at = 0
        for entry in group["weights"]:
            stored = np.dtype((entry.get("quantization") or {}).get("dtype", entry["dtype"])).newbyteorder("<")
            if (entry.get("quantization") or {"dtype": "float16"})["dtype"] != "float16":
                raise ValueError(f"weights of {entry['name']} are quantised to {stored}, only float16 is known")
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(data, stored, count, at).reshape(entry["shape"])
            found[entry["name"]] = values.astype(entry["dtype"])
            at += count * stored.itemsize
        if at != len(data):
            raise ValueError(f"shards hold {len(data)} bytes, the manifest names {at}")
    return found


def padding_of(name: str, attr: Node) -> dict[str, str]:
    """The ONNX attribute of a window's padding, none for ``VALID``.

    Raises:
        ValueError: the layout is another than NHWC, or the padding explicit: it would be converted wrongly.
    """
    layout, padding = text_of(attr["data_format"]), text_of(attr["padding"])
    if layout != "NHWC" or padding not in ("VALID", "SAME"):
        raise ValueError(f"{name}: only NHWC with VALID or SAME padding is known, not {layout} with {padding}")
    return {} if padding == "VALID" else {"auto_pad": "SAME_UPPER"}


def text_of(attribute: Node) -> str:
    """A string attribute."""
    return base64.b64decode(attribute["s"]).decode()


def texts_of(attribute: Node) -> list[str]:
    """A list of strings."""
    return [base64.b64decode(text).decode() for text in attribute["list"]["s"]]


def type_of(attribute: Node) -> int:
    """The ONNX type of a type attribute.

    Raises:
        ValueError: it is not one of those known here.
    """
    if attribute["type"] not in _TYPES:
        raise ValueError(f"type {attribute['type']} is not known")
    return _TYPES[attribute["type"]]


def spatial(attribute: Node) -> list[int]:
    """Height and width of a four-element NHWC attribute."""
    return [int(i) for i in attribute["list"]["i"][1:3]]


def port(entry: Node) -> onnx.ValueInfoProto:
    """An input or output of the model's signature."""
    shape = [int(dim["size"]) for dim in entry["tensorShape"]["dim"]]
    name = entry["name"].removesuffix(":0")
    return helper.make_tensor_value_info(name, type_of({"type": entry.get("dtype", "DT_FLOAT")}), shape)
