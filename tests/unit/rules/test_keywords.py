from __future__ import annotations

import pytest

from streamproc.rules.keywords import forms_of, meets, plural_of, verb_of
from streamproc.rules.negation import affirmed, words_of


@pytest.mark.parametrize(
    ("keyword", "forms"),
    [
        ("run", {"run", "runs", "running", "ran"}),
        ("running", {"run", "runs", "running", "ran"}),
        ("hurry", {"hurry", "hurries", "hurrying", "hurried"}),
        ("lie", {"lie", "lies", "lying", "lay"}),
        ("bicycle", {"bicycle", "bicycles"}),
        ("knife", {"knife", "knives"}),
        ("child", {"child", "children"}),
        ("fall", {"fall", "falls", "fell", "fallen", "falling"}),
        ("forklift", {"forklift", "forklifts"}),
        ("quadcopter", {"quadcopter", "quadcopters"}),
    ],
)
def test_inflections(keyword: str, forms: set[str]) -> None:
    assert forms <= forms_of(keyword)


@pytest.mark.parametrize(
    ("keyword", "other"),
    [("run", "runner"), ("car", "carry"), ("left", "leaves"), ("bus", "business"), ("cat", "cattle")],
)
def test_words_that_only_look_alike(keyword: str, other: str) -> None:
    assert meets([keyword], f"There is a {other} here.") is None


@pytest.mark.parametrize(
    "text",
    [
        "Two people are running.",
        "A man ran.",
        "Not far from the gate a man runs.",
        "RUNNING!",
        "She runs, hurrying.",
        "No cars, but someone is running.",
        "Nobody stands and a man runs.",
        "A man without a hat runs.",
        "A person with no bag is running.",
        "Not only one person is running.",
        "People are not walking but running.",
        "A person runs, not noticing the car.",
        "There are no cars. A man is running.",
        "No one walks, one person runs.",
        "No, a person is running.",
        "No one is standing while a boy runs.",
        "Nobody walks except a child who runs.",
    ],
)
def test_what_is_said_meets_the_keyword(text: str) -> None:
    assert meets(["run"], text) == "run"


@pytest.mark.parametrize(
    "text",
    [
        "Nobody is running.",
        "No one runs.",
        "There is no one running.",
        "They are not running.",
        "The man isn't running.",
        "The man isn’t running.",  # noqa: RUF001 - as models write it
        "No person walks or runs.",
        "He passes without running.",
        "A person is no longer running.",
        "She never runs.",
        "The person walks rather than running.",
        "Neither walking nor running is seen.",
        "No walking, running or jumping.",
        "A running person is not visible.",
        "Running people cannot be seen.",
    ],
)
def test_what_is_denied_does_not(text: str) -> None:
    assert meets(["run"], text) is None


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("no bicycle", []),
        ("A person without a bag.", []),
        ("There is no bicycle or bag.", []),
        ("Bicycles are absent.", []),
        ("A bag is not moving.", ["bag"]),
        ("No bicycle or scooter, but a bag.", ["bag"]),
        ("An e-scooter.", ["scooter"]),
        ("He lay down.", ["lie down"]),
        ("No traffic cones.", []),
        ("Traffic cones.", ["traffic cone"]),
    ],
)
def test_things_and_phrases(text: str, met: list[str]) -> None:
    assert [k for k in ("bicycle", "bag", "scooter", "lie down", "traffic cone") if meets([k], text)] == met


def test_a_keyword_that_denies_is_met_by_a_denial() -> None:
    assert meets(["without a helmet"], "A man without a helmet rides.") == "without a helmet"
    assert meets(["without a helmet"], "A man with a helmet rides.") is None


def test_a_keyword_without_a_word_is_never_met() -> None:
    assert meets(["!!", ""], "Run!! Now.") is None


def test_words_keep_their_places() -> None:
    text = "The man's bag, 3.1 m off."
    assert [(word.text, text[word.start : word.end]) for word in words_of(text)] == [
        ("the", "The"),
        ("man", "man's"),
        ("bag", "bag"),
        ("3.1", "3.1"),
        ("m", "m"),
        ("off", "off"),
    ]


def test_what_is_left_of_a_sentence_without_its_denials() -> None:
    assert affirmed("A man walks.") is None
    assert affirmed("Nobody runs.") == ""
    assert affirmed("Nobody runs, but a man walks slowly.") == "but a man walks slowly"


def test_bases_and_plurals() -> None:
    assert [verb_of(form) for form in ("walks", "hurries", "lies", "xyzzy")] == ["walk", "hurry", "lie", "xyzzy"]
    assert [plural_of(noun) for noun in ("car", "knife", "traffic light")] == ["cars", "knives", "traffic lights"]
