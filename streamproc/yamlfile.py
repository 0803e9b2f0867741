"""YAML files that operators write: read as plain data, checked against a model, every fault told at once."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from streamproc.errors import ConfigError, Fault
from streamproc.yamlfaults import bool_faults, faults_of
from streamproc.yamltree import MAX_BYTES, Node, YamlFault, decode, parse

M = TypeVar("M", bound=BaseModel)


def load_model(path: Path, model: type[M]) -> M:
    """The settings in the file at ``path``.

    Raises:
        ConfigError: with one fault for everything wrong in the file; no value of a field that may hold a credential.
    """
    return check_model(read_bytes(path), model, str(path))[0]


def read_bytes(path: Path) -> bytes:
    """The file's bytes, at most a little over the permitted size.

    Raises:
        ConfigError: the file is missing, a directory, or cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(faults=(Fault(str(path), None, None, "", _not_a_file(path)),))
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(faults=(Fault(str(path), None, None, "", "no such file"),)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise ConfigError(faults=(Fault(str(path), None, None, "", f"cannot be read: {reason}"),)) from None


def check_model(data: bytes, model: type[M], name: str) -> tuple[M, Node]:
    """The settings in ``data``, and the tree that knows where each value stands; ``name`` stands in the faults.

    Raises:
        ConfigError: as ``load_model`` does.
    """
    try:
        tree = parse(decode(data))
    except YamlFault as fault:
        raise ConfigError(faults=(_fault(name, fault),)) from None
    root = tree.root
    if root is None or root.value is None:
        raise ConfigError(faults=(Fault(name, 1, 1, "", "the file is empty"),))
    if not isinstance(root.value, dict):
        message = "the file must hold fields, one `name: value` a line"
        raise ConfigError(faults=(Fault(name, root.place.line, root.place.column, "", message),))
    faults = [_fault(name, fault) for fault in tree.faults]
    faults += bool_faults(name, root, model)
    settings: M | None = None
    try:
        settings = model.model_validate(root.value)
    except ValidationError as error:
        told = {(fault.line, fault.field) for fault in faults}
        further = faults_of(name, root, model, error.errors(include_url=False))
        faults += [fault for fault in further if (fault.line, fault.field) not in told]
    if faults or settings is None:
        raise ConfigError(faults=tuple(sorted(faults, key=lambda fault: (fault.line or 0, fault.column or 0))))
    return settings, root


def _fault(name: str, fault: YamlFault) -> Fault:
    place = fault.place
    return Fault(name, place.line if place else None, place.column if place else None, "", fault.message)


def _not_a_file(path: Path) -> str:
    return "a directory, not a file" if path.is_dir() else "not a regular file"
