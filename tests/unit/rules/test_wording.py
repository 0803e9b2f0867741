"""What a rule's sentence names."""

from __future__ import annotations

import pytest

from streamproc.rules.wording import same_subject, wording_of
from streamproc.types import About


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("People walk along the path.", ("walk",)),
        ("Someone rides on a unicycle.", ("ride", "unicycle")),
        ("Someone is lying on the ground.", ("lie",)),
        ("People are carrying large bags.", ("carry", "bag")),
        ("Someone runs or hurries.", ("hurry", "run")),
        ("Individuals engage in a physical fight.", ("fight",)),
        ("Benches and trees are present.", ("bench", "tree")),
        ("A parcel is left behind.", ("leave", "parcel")),
        ("Unusual behaviour occurs.", ()),
        ("A person without a helmet rides.", ("ride",)),
    ],
)
def test_verbs_and_nouns_that_tell_something_are_its_keywords(text: str, keywords: tuple[str, ...]) -> None:
    assert wording_of(text).keywords("human") == keywords


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("Broken glass lies on the path.", ("glass",)),
        ("Smoke rises from the building.", ("smoke",)),
        ("A building stands beside the walkway.", ("building", "walkway")),
        ("Something burns.", ("burn",)),
    ],
)
def test_of_things_it_is_the_nouns_and_what_says_where_only_if_nothing_else_is_named(
    text: str, keywords: tuple[str, ...]
) -> None:
    assert wording_of(text).keywords("environment") == keywords


@pytest.mark.parametrize(
    ("about", "one", "other", "same"),
    [
        ("human", "People walk along the path.", "People run along the path.", False),
        ("human", "People carry bags.", "People leave bags behind.", False),
        ("human", "Someone runs.", "People hurry or rush.", True),
        ("human", "Cycling on the path.", "Someone rides a bicycle.", True),
        ("human", "People stand and talk.", "People talk in groups.", True),
        ("environment", "Bicycles are on the path.", "A bike is parked.", True),
        ("environment", "Bicycles are on the path.", "A lorry is on the path.", False),
        ("environment", "Benches stand by the path.", "Trees stand by the path.", False),
    ],
)
def test_what_sentences_are_about_tells_them_apart(about: About, one: str, other: str, same: bool) -> None:
    assert same_subject(about, wording_of(one), wording_of(other)) is same
    assert same_subject(about, wording_of(other), wording_of(one)) is same
