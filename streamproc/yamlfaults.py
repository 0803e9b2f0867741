"""Pydantic's errors as faults of a file: the line, the field, the value where it may be told, and what is permitted."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from streamproc.config import Form
from streamproc.errors import Fault
from streamproc.secrets import check_address, check_placeholders, check_secret, redact
from streamproc.yamltree import Node, Place, shown_key

_SECRET_NAME = re.compile(r"pass|secret|token|credential|api_?key|auth|user|login|pwd|private", re.IGNORECASE)
_KINDS = {
    "string_type": "text",
    "path_type": "a path",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a block of fields",
    "model_type": "a block of fields",
    "model_attributes_type": "a block of fields",
}


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where an error's location leads: in the file, and in the types."""

    node: Node
    place: Place
    path: tuple[str, ...]
    """Field names and indices as they stand in the file."""
    model: type[BaseModel] | None
    """The model whose field this is."""
    annotation: Any
    """The field's type; None where unknown."""
    metadata: tuple[Any, ...]
    description: str
    secret: bool
    """Whether the value may be a credential, by the field's type or any name on the way."""
    found: bool
    """False where the last field is not in the file."""


def faults_of(path: str, root: Node, model: type[BaseModel], errors: Sequence[ErrorDetails]) -> Iterator[Fault]:
    """One fault an error, in pydantic's order."""
    for error in errors:
        # A validator that looks at several fields says by ctx["at"] which one inside is to be mended.
        at = ("kind",) if error["type"] == "union_tag_invalid" else error.get("ctx", {}).get("at", ())
        spot = _locate(root, model, (*error["loc"], *at))
        if error["type"] == "too_short" and len(spot.node.children) >= error["ctx"]["min_length"]:
            continue  # pydantic counts only the good items; the bad ones have faults of their own
        message = " ".join(_message(error, spot).split())
        yield Fault(path, spot.place.line, spot.place.column, ".".join(spot.path), message)


def bool_faults(path: str, root: Node, model: type[BaseModel]) -> Iterator[Fault]:
    """``true`` and ``false`` where a number belongs: Python would take them for 1 and 0."""
    for loc in _bools(root, ()):
        spot = _locate(root, model, loc)
        if spot.annotation is not None and not _types(spot.annotation) & {bool, Any, object, str}:
            word = "true" if spot.node.value else "false"
            yield Fault(path, spot.place.line, spot.place.column, ".".join(spot.path), f"{word} is not a number here")


def _bools(node: Node, loc: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(node.value, bool):
        yield loc
    for key, child in node.children.items():
        yield from _bools(child, (*loc, key))


def _locate(root: Node, model: type[BaseModel], loc: Sequence[str | int]) -> _Spot:
    node, place, path = root, root.place, tuple[str, ...]()
    annotation, metadata = _plain(model, ())
    parent: type[BaseModel] | None = None
    description, secret, found = "", False, True
    for part in loc:
        members = [a for a in _alternatives(annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
        if len(members) > 1 and isinstance(part, str):
            tagged = [m for m in members if part in _tags(m)]
            if tagged:
                annotation, metadata = tagged[0], ()  # the union's tag: a step in the types, none in the file
                continue
        if isinstance(node.value, dict) and isinstance(part, str):
            path = (*path, shown_key(part))
            parent = members[0] if members else None
            info = parent.model_fields.get(part) if parent else None
            annotation, metadata = _plain(info.annotation, tuple(info.metadata)) if info else (None, ())
            description = (info.description or "") if info else ""
            secret = secret or info is None or bool(_SECRET_NAME.search(part)) or _guarded(metadata)
            child = node.children.get(part)
            if child is None:
                found = False
                break
            place, node = node.keys[part], child
        elif isinstance(node.value, list) and isinstance(part, int) and part in node.children:
            path = (*path, str(part))
            node = node.children[part]
            place = node.place
            annotation, metadata = _item(annotation, part)
            parent, secret = None, secret or _guarded(metadata)
    # A value on its key's line is pointed at itself; the key is the better place for anything longer.
    if found and not node.children and node.place.line == place.line:
        place = node.place
    return _Spot(node, place, path, parent, annotation, metadata, description, secret, found)


def _message(error: ErrorDetails, spot: _Spot) -> str:
    kind, ctx = error["type"], error.get("ctx", {})
    if kind == "missing":
        return f"missing; {_first_sentence(spot.description)}".rstrip("; ")
    if kind == "extra_forbidden":
        return _unknown(spot)
    if kind == "union_tag_not_found":
        return f"kind is missing; permitted: {_kinds(spot.annotation)}"
    if kind == "union_tag_invalid":
        permitted = ctx["expected_tags"].replace("'", "")
        return f"{_shown(spot.node.value, spot)} is not permitted; permitted: {permitted}"
    if kind == "literal_error":
        options = [str(option) for option in _literals(spot.annotation)] or [str(ctx["expected"])]
        if spot.path[-1] == "schema_version":
            return (
                f"{_shown(spot.node.value, spot)} is not a version that is read here; permitted: {', '.join(options)}"
            )
        near = _nearest(str(spot.node.value), options)
        text = f"{_shown(spot.node.value, spot)} is not permitted; permitted: {', '.join(options)}"
        return text + (f"; did you mean {near}?" if near else "")
    if kind in _KINDS:
        hint = "; put it in quotes" if _is_scalar(spot) and kind in {"string_type", "path_type"} else ""
        return f"{_shown(spot.node.value, spot)} is not {_KINDS[kind]}{hint}{_range(spot.metadata)}"
    if kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        return f"{_shown(spot.node.value, spot)} is out of range{_range(spot.metadata)}"
    if kind == "string_pattern_mismatch":
        return f"{_shown(spot.node.value, spot)} does not fit; permitted: {_form(spot.metadata)}"
    if kind == "string_too_short":
        return "is empty"
    if kind in {"too_short", "too_long"}:
        bound = f"at least {ctx['min_length']}" if kind == "too_short" else f"at most {ctx['max_length']}"
        return f"{len(spot.node.children)} given, {bound} permitted"
    if kind == "value_error":
        # Our own validators; theirs name no value, except a malformed placeholder's inside, which may be anything.
        text = str(ctx.get("error", error["msg"]))
        text = re.sub(r"^\$\{.*\} is neither", "a placeholder is neither", text, flags=re.DOTALL)
        return text if spot.secret or not _is_scalar(spot) else f"{_shown(spot.node.value, spot)}: {text}"
    return redact(error["msg"])


def _nearest(text: str, options: Sequence[str]) -> str | None:
    """What was probably meant. "abnormal" is like "normal" to the letter, and means what else there is."""
    words = text.casefold()
    denied = [option for option in options if re.fullmatch(rf"(ab|un|in|non|not)[\s_-]*{re.escape(option)}\w*", words)]
    if denied:
        others = [option for option in options if option not in denied]
        return others[0] if len(others) == 1 else None
    return next(iter(difflib.get_close_matches(words, options, 1)), None)


def _form(metadata: Sequence[Any]) -> str:
    return next((item.words for item in metadata if isinstance(item, Form)), "another form")


def _unknown(spot: _Spot) -> str:
    known = sorted(spot.model.model_fields) if spot.model else []
    near = difflib.get_close_matches(spot.path[-1], known, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"unknown field; {hint}permitted: {', '.join(known)}"


def _shown(value: Any, spot: _Spot) -> str:
    """The value as a message may tell it."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a block of fields"
    if isinstance(value, list):
        return "a list"
    if spot.secret:
        return "the value"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "@" in text or "://" in text or redact(text) != text:
        return "the value"
    return repr(text if len(text) <= 40 else text[:40] + "…") if isinstance(value, str) else text[:40]


def _is_scalar(spot: _Spot) -> bool:
    return spot.found and not isinstance(spot.node.value, dict | list) and spot.node.value is not None


def _range(metadata: Sequence[Any]) -> str:
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    bounds = [
        f"{word} {getattr(item, name):g}"
        for name, word in words.items()
        for item in metadata
        if isinstance(getattr(item, name, None), int | float)
    ]
    return f"; permitted: {' and '.join(bounds)}" if bounds else ""


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]


def _guarded(metadata: Sequence[Any]) -> bool:
    checks = (check_address, check_placeholders, check_secret)
    return any(isinstance(m, AfterValidator) and m.func in checks for m in metadata)


def _plain(annotation: Any, metadata: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """An annotation without its Annotated and optional wrappings, with all they carried."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *extra = get_args(annotation)
            for item in extra:
                metadata = (*metadata, *(item.metadata if isinstance(item, FieldInfo) else (item,)))
        elif get_origin(annotation) in (Union, types.UnionType) and len(_alternatives(annotation)) == 1:
            annotation = _alternatives(annotation)[0]
        else:
            return annotation, metadata


def _alternatives(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return [a for a in get_args(annotation) if a is not type(None)]
    return [annotation]


def _item(annotation: Any, index: int) -> tuple[Any, tuple[Any, ...]]:
    args = get_args(annotation)
    if get_origin(annotation) is list or (len(args) == 2 and args[1] is Ellipsis):
        return _plain(args[0], ())
    return _plain(args[index], ()) if index < len(args) else (None, ())


def _types(annotation: Any) -> set[Any]:
    found: set[Any] = set()
    for alternative in _alternatives(annotation):
        inner, _ = _plain(alternative, ())
        found |= {type(v) for v in get_args(inner)} if get_origin(inner) is Literal else {inner}
    return found


def _literals(annotation: Any) -> list[Any]:
    inner = [_plain(a, ())[0] for a in _alternatives(annotation)]
    return [value for a in inner if get_origin(a) is Literal for value in get_args(a)]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    info = model.model_fields.get("kind")
    return tuple(_literals(info.annotation)) if info else ()


def _kinds(annotation: Any) -> str:
    return ", ".join(str(tag) for m in _alternatives(annotation) if isinstance(m, type) for tag in _tags(m))
