"""The scale of likeness with the embedded sentence model, on sentences that it was not set by."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streamproc.config import DeductionSettings
from streamproc.models.sentences import SentenceEmbedder
from streamproc.models.store import ModelStore
from streamproc.rules.induction import StatisticalInducer
from streamproc.rules.matching import Matcher
from streamproc.types import Caption, Fact, ModelRef, RuleSet

pytestmark = [pytest.mark.integration, pytest.mark.models, pytest.mark.timeout(900)]

THRESHOLD = DeductionSettings().semantic_threshold
MODEL = ModelRef("perception", "scene", "1")
SAID_OTHERWISE = {
    "people-hurry": ["A teenager races across the car park.", "Two men are speeding along on foot."],
    "people-fall": ["A cyclist has toppled over onto the road.", "A woman is lying flat on the pavement."],
    "people-fight": ["A guard and a visitor exchange blows.", "Two youths grapple and hit each other."],
    "people-climb": ["A figure gets over the wall.", "A man hauls himself across the railing."],
    "people-weapon": ["A man in a hood is carrying a shotgun.", "Somebody brandishes a blade."],
    "vehicles": ["A pickup is parked by the door.", "A delivery lorry backs into the lane."],
    "animals": ["A puppy wanders about.", "A stray kitten crosses the yard."],
    "fire-smoke": ["The roof is in flames.", "Thick black fumes pour from a vent."],
    "water": ["The floor is under water from a broken pipe."],
}
ORDINARY = [
    "A man leans on the railing.",
    "A woman pours a cup of coffee.",
    "Two colleagues shake hands.",
    "A girl ties her shoe.",
    "There is a vending machine on the right.",
    "The curtains are drawn.",
    "A poster hangs in the corner.",
    "A man unlocks the door.",
    "A nurse pushes a wheelchair.",
    "Three people look at a map.",
    "A boy wears a yellow jacket.",
    "Sunlight falls through the windows.",
    "A person cleans the floor.",
    "A woman waves at the camera.",
    "There are two chairs and a lamp.",
    "A man carries a box of paper.",
    "The screen shows the departures.",
    "Someone holds the door open for another.",
    "A child looks out of the window.",
    "A waiter sets the table.",
]


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    walk = Fact("human", "person", 2, "walks", "", "Two people walk.")
    normal = [Caption("gate", 0, float(s), walk.text, (walk,), MODEL) for s in range(20)]
    rules = StatisticalInducer().induce(normal).rules
    embedder = SentenceEmbedder(ModelStore().ensure("bge-small"))
    return Matcher(RuleSet("set", "site", "gate", 1, "0" * 64, rules), embedder, THRESHOLD)


def meanings(matcher: Matcher, text: str) -> list[str]:
    caption = Caption("gate", 0, 0.0, text, (), MODEL)
    found = matcher.match(caption, datetime(2026, 1, 5, tzinfo=UTC), "UTC")
    return [match.rule_id for match in found if match.how == "semantic"]


def test_what_rules_mean_is_found_in_other_words(matcher: Matcher) -> None:
    said = [(rule, text) for rule, texts in SAID_OTHERWISE.items() for text in texts]
    found = [(rule, text, meanings(matcher, text)) for rule, text in said]
    right = [rule for rule, _, ids in found if rule in ids]
    wrong = [(text, ids) for rule, text, ids in found if ids and rule not in ids]
    assert len(right) >= 0.5 * len(said), found
    assert len(wrong) <= 0.1 * len(said), wrong


def test_the_ordinary_is_rarely_taken_for_an_anomaly(matcher: Matcher) -> None:
    taken = [(text, ids) for text in ORDINARY if (ids := meanings(matcher, text)) and not ids[0].startswith("normal")]
    assert len(taken) <= 0.1 * len(ORDINARY), taken


@pytest.mark.parametrize(
    "text",
    [
        "Nobody is running.",
        "No one fights.",
        "There is no fire or smoke.",
        "There is no dog.",
        "Nobody lies on the ground.",
    ],
)
def test_a_denial_is_not_what_it_denies(matcher: Matcher, text: str) -> None:
    assert meanings(matcher, text) == []


def test_the_embedded_captioners_words_find_their_rules(matcher: Matcher) -> None:
    assert meanings(matcher, "Two people walk in the middle.") == ["normal-people-walk"]
    assert meanings(matcher, "One person hurries on the left, moving 3.1 times as fast as people do here.") == [
        "people-hurry"
    ]
