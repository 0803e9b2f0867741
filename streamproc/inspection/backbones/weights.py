"""Tensors of a model in transformers' form, from its folder or the hub, without building the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from streamproc.errors import ModelLoadError


def model_file(model: str, name: str) -> Path:
    """A file of the model, from its folder or the hub's cache.

    Raises:
        ModelLoadError: there is none.
    """
    if (folder := Path(model).expanduser()).is_dir():
        if not (folder / name).is_file():
            raise ModelLoadError(f"{folder}: holds no {name}")
        return folder / name
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(model, name))
    except Exception as error:  # the hub's, HTTP's and the file system's have no common base
        raise ModelLoadError(f"{model}: no such folder, and from the hub: {name}: {error}") from error


def read_tensors(
    model: str, named: Callable[[str], str | None], rows: Mapping[str, Sequence[int]] | None = None
) -> dict[str, Any]:
    """PyTorch's tensors of those that ``named`` gives a name, by it; of a large model only the files that hold them.

    ``rows``: of tensors of these names only so many rows are read, each a tensor in a list.

    Raises:
        ModelLoadError: a file is missing or cannot be read; names it.
    """
    from safetensors import SafetensorError, safe_open

    found = {}
    for path in files_of(model, named):
        try:
            with safe_open(path, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 - it is no mapping
                    if (name := named(key)) is not None:
                        wanted = (rows or {}).get(name)
                        found[name] = (
                            file.get_tensor(key) if wanted is None else _rows(file.get_slice(key), wanted, key)
                        )
        except (OSError, SafetensorError) as error:
            raise ModelLoadError(f"{path}: cannot be read: {error}") from error
    return found


def _rows(tensor: Any, wanted: Sequence[int], key: str) -> list[Any]:
    count = tensor.get_shape()[0]
    if max(wanted) >= count:
        raise ModelLoadError(f"{key} has {count} rows, the tokenizer wants row {max(wanted)}")
    return [tensor[row] for row in wanted]


def files_of(model: str, named: Callable[[str], str | None]) -> Sequence[Path]:
    """Its files of weights that hold a tensor which ``named`` gives a name; raises as ``read_tensors``."""
    try:
        index = model_file(model, "model.safetensors.index.json")
    except ModelLoadError:
        return (model_file(model, "model.safetensors"),)
    try:
        where = json.loads(index.read_text())["weight_map"]
        return tuple(
            model_file(model, name) for name in sorted({where[key] for key in where if named(key) is not None})
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelLoadError(f"{index}: is no index of weights") from error
