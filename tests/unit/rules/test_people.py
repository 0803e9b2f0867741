"""What is said of people is told from what is said of things."""

from __future__ import annotations

import pytest

from streamproc.rules.negation import words_of
from streamproc.rules.people import sentences_of, words_about_people
from streamproc.types import Caption, Fact, ModelRef


@pytest.mark.parametrize(
    ("text", "of_people"),
    [
        ("A man runs past.", "a man runs past"),
        ("There are fallen leaves on the ground.", ""),
        ("One person walks, and there are fallen leaves on the grass.", "one person walks"),
        ("The second person, in a grey coat, is in motion, possibly running.", "all"),
        ("The third is standing, but seems to be bending down.", "all"),
        ("Another is lying on the bench.", "all"),
        ("Two of them are fighting.", "all"),
        ("Two bins lie on the ground.", ""),
        ("A bag lies on the ground, a dog runs.", ""),
        ("People walk. Other than people, there are two falling signs.", "people walk"),
        ("Apart from them, a tree falls and a car burns.", ""),
        ("A woman walks while a kite is flying above.", "a woman walks"),
        ("One person is wearing glasses and a red shirt, running.", "one person is wearing glasses running"),
        ("There are posters, a yellow pipe running along the wall, and a kiosk.", ""),
        ("One bicycle glides in the centre, as if cycling or skating.", "as if cycling or skating"),
        ("Something the size of a person glides on the left, as if cycling or skating.", "as if cycling or skating"),
        ("Something larger than a person moves past a man.", "all"),
        ("Something larger than a person moves on the left.", ""),
        ("Someone throws papers; the papers fall.", "someone throws papers"),
    ],
)
def test_words_about_people(text: str, of_people: str) -> None:
    words = words_of(text)
    found = " ".join(word.text for word in words_about_people(text, words))
    assert found == (" ".join(word.text for word in words) if of_people == "all" else of_people)


def test_what_is_denied_stays_denied() -> None:
    text = "Nobody is running, and there is no bicycle."
    assert [(w.text, w.denied) for w in words_about_people(text, words_of(text))][-1] == ("running", True)


def test_a_captioners_own_filing_is_believed_of_people_and_checked_of_things() -> None:
    facts = (
        Fact("human", "cyclist", 1, "rides", "left", "Rides on the left."),
        Fact("environment", "tree", 1, "", "", "A tree with fallen leaves."),
        Fact("environment", "", 1, "", "", "A man falls."),
    )
    rides, tree, man = sentences_of(Caption("gate", 1, 0.0, "", facts, ModelRef("perception", "scene", "1")))
    assert rides.words_for("human") == rides.words == rides.words_for("environment")
    assert (tree.words_for("human"), len(tree.words_for("environment"))) == ((), 5)
    assert [word.text for word in man.words_for("human")] == ["a", "man", "falls"]
