"""What rules in a person's words forbid, and which denials are absences."""

from __future__ import annotations

import pytest

from streamproc.rules.keywords import meets
from streamproc.rules.prohibition import forbidden
from streamproc.rules.schema import parse_rules
from streamproc.types import Rule

EITHER = [
    ("No cycling or skating here.", "Someone is cycling or skating here."),
    ("No cycling, no skating.", "Someone is cycling or skating here."),
    ("No cycling. No skating.", "Someone is cycling here. Someone is skating here."),
    ("Nobody runs.", "Someone runs."),
    ("No one ever climbs over the fence.", "Someone climbs over the fence."),
    ("Nobody is running.", "Someone is running."),
    ("No child runs here.", "Someone runs here."),
    ("People do not run here.", "People run here."),
    ("No vehicles on the walkway", "Vehicles are on the walkway."),
    ("No dog here.", "A dog is here."),
    ("Please, no skateboards.", "Skateboards are here."),
    ("No entry", "Someone enters here."),
    ("Cycling is not allowed.", "Someone is cycling here."),
    ("Skating prohibited", "Someone is skating here."),
    ("Dogs are strictly forbidden on the lawn.", "Dogs are on the lawn."),
    ("No vehicles are allowed here.", "Vehicles are here."),
    ("No one is allowed in the yard.", "Someone is in the yard."),
    ("Nobody is allowed to smoke.", "People smoke."),
    ("It is forbidden to enter the yard.", "People enter the yard."),
    ("Do not run on the stairs!", "People run on the stairs."),
    ("Don\u2019t smoke here.", "People smoke here."),
    ("Visitors must not run.", "Visitors run."),
    ("Nobody may enter.", "People enter."),
    ("The exit must not be blocked.", "The exit is blocked."),
    ("There must be no bicycles here.", "Bicycles are here."),
    ("There should not be any dogs on the track.", "Dogs are on the track."),
    ("No vehicles except delivery vans.", "Vehicles are here."),
]
ABSENCES = [
    ("Nobody is at the till.", "Someone is at the till."),
    ("No one stands at the counter.", "Someone stands at the counter."),
    ("Nobody wears a helmet.", "Someone wears a helmet."),
    ("No guards at the gate.", "Guards are at the gate."),
    ("There is no guard at the gate.", "A guard is at the gate."),
    ("There are no cars here.", "Cars are here."),
    ("No gloves.", "Gloves are here."),
    ("No light in the hall.", "A light is in the hall."),
]
NEITHER = [
    "People walk here.",
    "A dog is here.",
    "Someone works without a vest.",
    "A person enters a forbidden area.",
    "Someone does what is not allowed.",
    "Someone runs though running is forbidden.",
    "The guard is not there.",
    "No",
]


@pytest.mark.parametrize(("text", "affirmed"), EITHER)
def test_a_prohibition_is_one_whatever_the_rule_says(text: str, affirmed: str) -> None:
    assert [one.text if one else None for one in (forbidden(text, "anomaly"), forbidden(text, "normal"))] == (
        [affirmed] * 2
    )


@pytest.mark.parametrize(("text", "affirmed"), ABSENCES)
def test_an_absence_is_the_anomaly_unless_it_is_normal(text: str, affirmed: str) -> None:
    assert forbidden(text, "anomaly") is None
    normal = forbidden(text, "normal")
    assert normal is not None
    assert normal.text == affirmed


@pytest.mark.parametrize("text", NEITHER)
def test_what_forbids_nothing(text: str) -> None:
    assert forbidden(text, "anomaly") is None
    assert forbidden(text, "normal") is None


@pytest.mark.parametrize(
    ("text", "met", "not_met"),
    [
        ("Nobody runs.", ["Two people hurry.", "A boy sprints.", "He ran."], ["Two people walk.", "Nobody runs."]),
        ("No cycling.", ["A cyclist.", "Something glides, as if cycling or skating."], ["A bicycle stands there."]),
        ("No bicycles.", ["Bikes are here.", "Something glides, as if cycling or skating."], ["A car drives."]),
        ("No vehicles on the walkway.", ["One car drives.", "A lorry."], ["People walk on the walkway.", "A bicycle."]),
        ("No animals in the shop.", ["A puppy."], ["The shop is open."]),
        ("No ladders here.", ["A ladder leans there."], ["A chair."]),
        ("Nobody rides a bicycle.", ["She is on a bike.", "Someone cycles."], ["He rides a horse."]),
        ("Nobody throws litter.", ["He tosses it."], ["Litter lies there."]),
        ("No access to the roof. No parking.", ["A car parks."], ["The roof is red."]),
    ],
)
def test_words_to_know_it_by(text: str, met: list[str], not_met: list[str]) -> None:
    found = forbidden(text, "anomaly")
    assert found is not None
    assert [one for one in [*met, *not_met] if meets(found.keywords, one)] == met


@pytest.mark.parametrize(
    "text",
    [
        "Nobody carries a ladder.",
        "Nobody parks on the lawn.",
        "No ladders on the platform.",
        "Cars must not park here.",
        "No vehicles except vans.",
        "No dogs without a leash.",
        "No cycling at night.",
        "No cycling after 22:00.",
    ],
)
def test_words_that_tell_of_more_than_is_forbidden_are_none_to_know_it_by(text: str) -> None:
    found = forbidden(text, "anomaly")
    assert found is not None
    assert found.keywords == ()


def rule(fields: str) -> Rule:
    data = f"schema_version: 1\nsite: s\ncamera: c\nversion: 1\nrules: [{{id: mine, {fields}}}]\n".encode()
    return parse_rules(data, "mine.yaml")[0].rules[0]


def test_a_rule_of_a_file_says_anomaly_of_what_it_forbids() -> None:
    mine = rule("about: human, says: normal, text: No dogs here.")
    assert (mine.says, mine.about, mine.text, mine.forbids) == (
        "anomaly",
        "environment",
        "No dogs here.",
        "Dogs are here.",
    )
    assert mine.keywords == ("dog", "puppy")


def test_a_persons_own_keywords_and_numbers_stand() -> None:
    mine = rule("about: human, says: anomaly, text: Nobody runs., keywords: [sprint]")
    assert (mine.about, mine.keywords, mine.forbids) == ("human", ("sprint",), "Someone runs.")
    mine = rule("about: human, says: normal, text: No groups of visitors here., more_people_than: 3")
    assert (mine.says, mine.keywords) == ("anomaly", ())


def test_an_absence_of_a_file_stays_what_it_is() -> None:
    mine = rule("about: human, says: anomaly, text: Nobody is at the till.")
    assert (mine.says, mine.keywords, mine.forbids) == ("anomaly", (), "")
