from __future__ import annotations

import pytest

from streamproc.rules.counting import people_told, usual_most
from streamproc.rules.people import sentences_of
from streamproc.types import Caption, Fact, ModelRef

MODEL = ModelRef("perception", "vlm", "1")


def caption(text: str, *facts: Fact) -> Caption:
    return Caption("gate", 0, 0.0, text, facts, MODEL)


def told(text: str) -> tuple[int, str]:
    return people_told(sentences_of(caption(text)))


@pytest.mark.parametrize(
    ("text", "count", "words"),
    [
        ("There are seven people in the image.", 7, "seven people"),
        ("There are 12 people. Two of them walk, one person stands.", 12, "12 people"),
        ("Two cars and three young men stand there.", 3, "three young men"),
        ("At least twenty-odd individuals.", 20, "twenty-odd individuals"),
        ("One person sits.", 1, "One person"),
        ("Five cars are parked beside a man.", 0, ""),
        ("The second person walks.", 0, ""),
        ("People walk about.", 0, ""),
        (f"{'9' * 5000} people.", 0, ""),
        ("", 0, ""),
    ],
)
def test_free_text_tells_its_largest_number_of_people(text: str, count: int, words: str) -> None:
    assert told(text) == (count, words)


def test_what_a_captioner_counted_is_added_up() -> None:
    facts = (
        Fact("human", "person", 3, "walks", "on the left", "Three people walk on the left."),
        Fact("human", "person", 1, "stands", "", "A person stands."),
        Fact("environment", "car", 9, "", "", "Nine cars."),
    )
    assert people_told(sentences_of(caption("", *facts))) == (4, "4 people in all")


def test_one_normal_caption_of_a_hundred_may_tell_of_more() -> None:
    captions = [caption("Three people walk.")] * 98 + [caption("Four people walk.")] + [caption("Nine people.")]
    assert usual_most(captions) == 4
    assert usual_most(captions[:50]) == 3
    assert usual_most([]) == 0
