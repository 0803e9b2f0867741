"""YAML text to plain data that remembers where each value stood.

YAML 1.2, core schema: ``yes``, ``on`` and ``12:30`` are text, and there are no dates. Tags, merge keys and other
directives are refused, and so are files that are large or that grow large by their aliases. The parser is
ruamel.yaml's; values are built from its events here, because its own constructors keep no place for scalars and stop
at the first repeated key.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.tokens import ScalarToken

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_VALUES = 100_000

_INT = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; both count from 1."""

    line: int
    column: int


class YamlFault(Exception):  # noqa: N818 - a fault of the file, translated to ConfigError by yamlfile
    """The text is not YAML of the permitted kind; ``message`` holds nothing of the file's values."""

    def __init__(self, message: str, place: Place | None) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


@dataclass(slots=True)
class Node:
    """One value with its place."""

    value: Any
    """Plain data: None, bool, int, float, str, list, dict with text as keys; shared where aliases share."""
    place: Place
    children: dict[str | int, Node] = field(default_factory=dict)
    """By key or index; empty for scalars."""
    keys: dict[str, Place] = field(default_factory=dict)
    """Where each key of a mapping stands."""
    size: int = 1
    """Values inside, itself included, with aliases counted as often as they are used."""


@dataclass(slots=True)
class Tree:
    """A whole document and what is wrong with it short of being unreadable."""

    root: Node | None
    """None for an empty document."""
    faults: list[YamlFault]


def shown_key(key: str) -> str:
    """A key as a message may show it: anything that does not look like a field's name could be a misplaced secret."""
    return key if _NAME.fullmatch(key) else "(not a name)"


def decode(data: bytes) -> str:
    """The text of a file's bytes.

    Raises:
        YamlFault: it is too large, not UTF-8, or holds control characters.
    """
    if len(data) > MAX_BYTES:
        raise YamlFault(f"the file is larger than the {MAX_BYTES // 1_000_000} MB permitted", None)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise YamlFault("the file is UTF-16; save it as UTF-8", Place(1, 1))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise YamlFault("not UTF-8; save the file as UTF-8", Place(line, column)) from None
    if found := _FORBIDDEN.search(text):
        at = found.start()
        place = Place(text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1)
        raise YamlFault(f"control character U+{ord(found.group()):04X}, which YAML does not permit", place)
    return text


def parse(text: str) -> Tree:
    """The one document in ``text``; repeated keys, tags and the like are all listed as faults.

    Raises:
        YamlFault: the text cannot be read as YAML, or is too deep or too large.
    """
    builder = _Builder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            events: Iterator[Event] = YAML(typ="safe", pure=True, plug_ins=[]).parse(text)
            for event in events:
                builder.take(event)
        except MarkedYAMLError as error:
            # What is never closed is best mended where it was opened.
            unclosed = "stream end" in str(error.problem) or "end of stream" in str(error.problem)
            mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
            if mark is not None and (opened := _quote_closed_in(text, mark.line)) is not None:
                message = (
                    f"a quote that opens here and is closed only in line {mark.line + 1}; close it on its own line"
                )
                raise YamlFault(message, opened) from None
            raise YamlFault(_in_words(error), Place(mark.line + 1, mark.column + 1) if mark else None) from None
        except ReaderError:
            raise YamlFault("a character that YAML does not permit", None) from None
        except (AssertionError, AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
            # The parser trips over some malformed texts instead of reporting them; the operator gets one answer.
            raise YamlFault("not readable as YAML", builder.last) from None
    return Tree(builder.root, builder.faults)


class _Builder:
    """Puts events together; one open collection a level."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.faults: list[YamlFault] = []
        self.last: Place | None = None
        self._open: list[tuple[Node, str | None]] = []  # collection and the name of its anchor
        self._keys: list[tuple[str, Place] | None] = []  # of each open mapping, the key that awaits its value
        self._anchors: dict[str, Node] = {}

    def take(self, event: Event) -> None:
        self.last = place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, DocumentStartEvent):
            if event.version not in (None, (1, 2)) or event.tags:
                raise YamlFault("directives are not permitted; the file is read as YAML 1.2", place)
            if self.root is not None:
                raise YamlFault("a second document starts here; a file holds one", place)
        elif isinstance(event, CollectionEndEvent):
            node, anchor = self._open.pop()
            self._keys.pop()
            self._add(node, anchor)
        elif isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                raise YamlFault("an alias (*) without an anchor (&) before it; quote text that starts with *", place)
            target = self._anchors[event.anchor]
            self._add(Node(target.value, place, target.children, target.keys, target.size), None)
        elif isinstance(event, ScalarEvent | CollectionStartEvent):
            self._start(event, place)

    def _start(self, event: ScalarEvent | CollectionStartEvent, place: Place) -> None:
        if event.ctag is not None:
            self.faults.append(
                YamlFault("tags (!name) are not permitted; put text that starts with ! in quotes", place)
            )
        if isinstance(event, ScalarEvent):
            plain = event.style is None and event.ctag is None
            value = _scalar(event.value) if plain else event.value
            if isinstance(value, float) and not math.isfinite(value):
                self.faults.append(YamlFault("not a finite number", place))
            self._add(Node(value, place), event.anchor)
            return
        if len(self._open) >= MAX_DEPTH:
            raise YamlFault(f"nested deeper than the {MAX_DEPTH} levels permitted", place)
        if isinstance(event, MappingStartEvent):
            self._open.append((Node({}, place), event.anchor))
        elif isinstance(event, SequenceStartEvent):
            self._open.append((Node([], place), event.anchor))
        self._keys.append(None)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        parent, _ = self._open[-1]
        if isinstance(parent.value, list):
            parent.children[len(parent.value)] = node
            parent.value.append(node.value)
        elif self._keys[-1] is None:
            self._keys[-1] = (self._key(node), node.place)
            return
        else:
            key, place = self._keys[-1]
            self._keys[-1] = None
            if key in parent.keys:
                first = parent.keys[key].line
                self.faults.append(YamlFault(f"{shown_key(key)} is given twice, first in line {first}", place))
            else:
                parent.keys[key] = place
                parent.children[key] = node
                parent.value[key] = node.value
        parent.size += node.size
        if parent.size > MAX_VALUES:
            raise YamlFault(f"more than the {MAX_VALUES} values permitted, aliases counted", node.place)

    def _key(self, node: Node) -> str:
        if isinstance(node.value, dict | list):
            self.faults.append(
                YamlFault("a field's name must be text; quote a value that starts with { or [", node.place)
            )
            return ""
        if node.value == "<<":
            self.faults.append(YamlFault("merge keys (<<) are not permitted; write the fields out", node.place))
        return node.value if isinstance(node.value, str) else str(node.value)


def _scalar(text: str) -> Any:
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(
            text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").lower().replace(".nan", "nan")
        )
    return text


def _quote_closed_in(text: str, line: int) -> Place | None:
    """Where the quoted text opens that ends in ``line`` (from 0) and began in an earlier one; None where none does.

    A quote that was forgotten is closed by the next one, and what the parser then trips over is right itself.
    """
    opened: Place | None = None
    try:
        for token in YAML(typ="safe", pure=True, plug_ins=[]).scan(text):
            begins, ends = token.start_mark, token.end_mark
            if isinstance(token, ScalarToken) and token.style in ("'", '"') and begins.line < ends.line == line:
                opened = Place(begins.line + 1, begins.column + 1)
    except (MarkedYAMLError, AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError):
        pass  # the same mistake again: what was found before it counts
    return opened


def _in_words(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context or "not readable as YAML")
    if "'\\t'" in problem:
        return "a tab; YAML is indented with spaces"
    if "mapping values are not allowed" in problem:
        return "a ': ' where no field can start; put text that holds ': ' in quotes"
    if "could not find expected ':'" in problem:
        return "a field's name without its ':'"
    if "unexpected end of stream" in problem and "quoted" in str(error.context):
        return "a quote that is never closed"
    if "stream end" in problem and "flow" in str(error.context):
        return "a [ or { that is never closed"
    if "cannot start any token" in problem:
        return "text that starts with a sign that YAML reserves; put it in quotes"
    if "tag" in problem or "anchor" in problem or "alias" in problem:
        return "a tag, anchor or alias that is not well formed; quote text that starts with !, & or *"
    if "expected <block end>" in problem:
        return "the indentation does not fit the lines before it"
    # What is left of the parser's messages quotes token names, never the file's text.
    return f"not readable as YAML: {' '.join(problem.split())}"
