from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from streamproc.yamltree import MAX_BYTES, Place, YamlFault, decode, parse

SCALARS = {
    "yes": "yes",
    "on": "on",
    "NO": "NO",
    "12:30": "12:30",
    "22:00-06:00": "22:00-06:00",
    "2026-01-01": "2026-01-01",
    "1_000": "1_000",
    "0b11": "0b11",
    "=": "=",
    "true": True,
    "FALSE": False,
    "~": None,
    "": None,
    "12": 12,
    "010": 10,
    "0o10": 8,
    "0x1F": 31,
    "1.5": 1.5,
    "1e3": 1000.0,
    ".5": 0.5,
    "'12'": "12",
    '"true"': "true",
}


@pytest.mark.parametrize(("text", "value"), SCALARS.items())
def test_scalars_are_read_as_yaml_1_2(text: str, value: Any) -> None:
    root = parse(f"a: {text}\n").root
    assert root is not None
    assert root.value == {"a": value}
    assert type(root.value["a"]) is type(value)


def test_every_value_and_key_knows_its_place() -> None:
    root = parse("a:\n  - x: 1\n    yy: [2, 3]\n").root
    assert root is not None
    item = root.children["a"].children[0]
    assert item.keys == {"x": Place(2, 5), "yy": Place(3, 5)}
    assert item.children["yy"].children[1].place == Place(3, 13)


def test_all_repeated_keys_are_told() -> None:
    tree = parse("a: 1\nb: 2\na: 3\nb: 4\n")
    assert [(fault.message, fault.place) for fault in tree.faults] == [
        ("a is given twice, first in line 1", Place(3, 1)),
        ("b is given twice, first in line 2", Place(4, 1)),
    ]
    assert tree.root is not None
    assert tree.root.value == {"a": 1, "b": 2}


def test_aliases_share_a_value_and_point_where_they_are_used() -> None:
    root = parse("a: &p [1, 2]\nb: *p\n").root
    assert root is not None
    assert root.value == {"a": [1, 2], "b": [1, 2]}
    assert root.children["b"].place == Place(2, 4)


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(YamlFault, match="aliases counted"):
        parse("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: !secret x\n", "tags", 1),
        ("a: 1\nb: !!int 3\n", "tags", 2),
        ("<<: {a: 1}\n", "merge keys", 1),
        ("a: 1\nb: .inf\n", "finite", 2),
        ("a: 1e999\n", "finite", 1),
        ("? [a]\n: 1\n", "name must be text", 1),
    ],
)
def test_what_is_more_than_plain_data_is_a_fault(text: str, words: str, line: int) -> None:
    (fault,) = parse(text).faults
    assert words in fault.message
    assert fault.place is not None
    assert fault.place.line == line


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a:\n\tb: 1\n", "a tab", 2),
        ("a: b: c\n", "in quotes", 1),
        ("a: [1,\nb: 2\n", "never closed", 1),
        ("a: 'x\n", "never closed", 1),
        ('a: 1\nb: "x\nc: 2\nd: "y"\n', "a quote that opens here and is closed only in line 4", 2),
        ("a:\n  - 'x\n  - y\nb: It's\n", "a quote that opens here and is closed only in line 4", 2),
        ('- {a: "x, b: y}\n- {a: "z", b: y}\n', "a quote that opens here and is closed only in line 2", 1),
        ('a: "x\n  y"\nb:\n\tc: 1\n', "a tab", 4),
        ("a: 1\n  b: 2\n", "in quotes", 2),
        ("a:\n  - 1\n b: 2\n", "indentation", 3),
        ("a: 1\n---\nb: 2\n", "second document", 2),
        ("%YAML 1.1\n---\na: yes\n", "directives", 2),
        ("a: *hunter2\n", "alias", 1),
        ("a: @x\n", "reserves", 1),
        ("[" * 40, "deeper", 1),
    ],
)
def test_what_is_no_yaml_says_where(text: str, words: str, line: int) -> None:
    with pytest.raises(YamlFault, match=words) as caught:
        parse(text)
    assert "hunter2" not in caught.value.message
    assert caught.value.place is not None
    assert caught.value.place.line == line


@pytest.mark.parametrize(
    ("data", "words", "place"),
    [
        (b"a: 1\nb: \xff\n", "not UTF-8", Place(2, 4)),
        ("a: 1".encode("utf-16"), "UTF-16", Place(1, 1)),
        (b"a: 1\nb: \x00\n", r"U\+0000", Place(2, 4)),
        (b"x" * (MAX_BYTES + 1), "larger", None),
    ],
)
def test_bytes_that_are_no_text(data: bytes, words: str, place: Place | None) -> None:
    with pytest.raises(YamlFault, match=words) as caught:
        decode(data)
    assert caught.value.place == place


def test_a_byte_order_mark_is_no_fault() -> None:
    assert decode(b"\xef\xbb\xbfa: 1") == "a: 1"


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(decode(text.encode("utf-8", "surrogatepass")))
    except YamlFault:
        return


@given(st.text(alphabet="ab:-,[]{}#&*!|>'\"%@` \t\n?<0.", max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except YamlFault:
        return


_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co", "Zl", "Zp"], exclude_characters="\ufeff")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.from_regex("k[a-z]{1,8}", fullmatch=True), _plain, min_size=1))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_again(data: dict[str, Any]) -> None:
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True, plug_ins=[])
    yaml.default_flow_style = False
    yaml.dump(data, text)
    tree = parse(text.getvalue())
    assert not tree.faults
    assert tree.root is not None
    assert tree.root.value == data
