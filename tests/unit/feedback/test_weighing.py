"""What feedback comes to: keywords first, then the threshold, and no right alert is given up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streamproc.alerts.message import RuleSetRef, VoteRecord
from streamproc.config import DeductionSettings, VoterWeights
from streamproc.deduction.evidence import gather
from streamproc.deduction.voters import keyword_vote
from streamproc.feedback.records import Feedback, Says, Told
from streamproc.feedback.weighing import Weighed, weigh
from streamproc.rules.matching import Matcher
from streamproc.rules.schema import RuleSetModel, parse_rules
from streamproc.testing_deduction import caption, observed

START = datetime(2026, 11, 21, 8, tzinfo=UTC)
RULES = """\
schema_version: 1
site: yard
camera: gate
version: 4
rules:
  - {id: walk, about: human, says: normal, text: People walk here., keywords: [walk]}
  - {id: cart, about: environment, says: anomaly, text: A cart., keywords: [cart, trolley], support: {k: 8, n: 8}}
  - {id: dog, about: environment, says: anomaly, text: A dog is here., keywords: [dog], support: {k: 8, n: 8}}
  - {id: hurry, about: human, says: anomaly, text: Somebody hurries here., keywords: [hurry], support: {k: 8, n: 8}}
"""
WRITTEN = RULES.replace(", support: {k: 8, n: 8}", "")
CART, DOG, BOTH = "A cart is here.", "A dog is here.", "A dog sits in a cart."


def model(text: str = RULES) -> RuleSetModel:
    return parse_rules(text.encode(), "gate.yaml")[1]


def by_keyword(*cites: str) -> VoteRecord:
    return VoteRecord(voter="keyword", verdict="anomaly", cites=cites, weight=1.0, score=1.0)


def by_measure(score: float, *cites: str) -> VoteRecord:
    return VoteRecord(voter="novelty", verdict="anomaly", cites=cites, weight=2.0, score=score)


def alert(
    name: str, says: Says, text: str, *votes: VoteRecord, score: float = 0.7, rule: str | None = None
) -> Feedback:
    """``name`` is one hexadecimal digit."""
    return Feedback(
        alert_id=32 * name,
        says=says,
        rule=rule,
        said_at=START,
        camera="gate",
        start=START,
        category="x",
        reason=f"It was {name}.",
        rule_set=RuleSetRef(id="x", version=1, sha256="0" * 64),
        score=score,
        cited=tuple(cite for vote in votes for cite in vote.cites),
        windows=(Told(text=text, votes=votes),),
    )


def weighed(*said: Feedback, rules: str = RULES, settings: DeductionSettings | None = None) -> Weighed:
    return weigh(model(rules), said, settings or DeductionSettings())


def blamed(came_to: Weighed) -> dict[str, int]:
    assert came_to.feedback is not None
    return {one.keyword: one.false_alarms for one in came_to.feedback.blamed_keywords}


def test_a_keyword_that_raised_a_false_alarm_weighs_less_and_the_threshold_stays() -> None:
    came_to = weighed(alert("a", "false", CART, by_keyword("cart")))
    assert blamed(came_to) == {"cart": 1}
    assert came_to.feedback is not None
    assert came_to.feedback.alarm_score is None
    assert came_to.feedback.unresolved == ()
    assert came_to.notes == (
        "'cart' of rule cart had a part in 1 false alarm, so it weighs less and raises no alert by itself any more",
    )
    rules = model().model_copy(update={"feedback": came_to.feedback}).noun("0")
    assert {rule.id: rule.strengths for rule in rules.rules}["cart"] == (0.25, 1.0)
    assert rules.alarm_score is None


def test_each_further_false_alarm_counts() -> None:
    assert blamed(weighed(*(alert(one, "false", CART, by_keyword("cart")) for one in "abc"))) == {"cart": 3}


def test_several_blamed_words_in_a_sentence_do_not_make_up_for_each_other() -> None:
    came_to = weighed(alert("a", "false", BOTH, by_keyword("cart", "dog")))
    assert blamed(came_to) == {"cart": 1, "dog": 1}
    assert came_to.feedback is not None
    assert (came_to.feedback.alarm_score, came_to.feedback.unresolved) == (None, ())


def test_only_the_rule_that_was_named_is_blamed() -> None:
    came_to = weighed(alert("a", "false", BOTH, by_keyword("cart", "dog"), rule="dog"))
    assert blamed(came_to) == {"dog": 1}
    # The cart raises it by itself, and nothing else tells it from other carts.
    assert came_to.feedback is not None
    assert came_to.feedback.unresolved == (32 * "a",)
    assert "no keyword would raise an alarm by itself" in came_to.notes[-1]


def test_a_keyword_of_a_right_alert_keeps_its_weight_and_what_that_leaves_is_said() -> None:
    came_to = weighed(
        alert("a", "false", CART, by_keyword("cart"), score=0.65),
        alert("b", "right", CART, by_keyword("cart"), score=0.6),
    )
    assert blamed(came_to) == {}
    assert came_to.feedback is not None
    assert came_to.feedback.unresolved == (32 * "a",)
    assert came_to.feedback.alarm_score is None
    assert came_to.notes == (
        f"'cart' of rule cart had a part in 1 false alarm and in right alert {32 * 'b'}, so it stays",
        f"not resolved: false alarm {32 * 'a'} (It was a.) scores 0.65, and a right alert 0.60: edit or switch off the "
        "rule that is wrong",
    )


def test_a_keyword_that_right_and_false_alerts_share_is_told_apart_by_the_score() -> None:
    came_to = weighed(
        alert("a", "false", CART, by_keyword("cart"), score=0.55),
        alert("b", "right", CART, by_keyword("cart"), score=0.7),
    )
    assert came_to.feedback is not None
    assert (came_to.feedback.alarm_score, came_to.feedback.unresolved) == (0.6, ())
    assert "alarm from a score of 0.60 on, not 0.50" in came_to.notes


def test_what_was_measured_moves_the_threshold_by_a_margin() -> None:
    came_to = weighed(alert("a", "false", "Someone walks.", by_measure(0.72), score=0.6))
    assert came_to.feedback is not None
    assert came_to.feedback.alarm_score == 0.65
    assert model().model_copy(update={"feedback": came_to.feedback}).noun("0").alarm_score == 0.65


def test_the_threshold_goes_no_higher_than_what_right_alerts_scored() -> None:
    came_to = weighed(
        alert("a", "false", "Someone walks.", by_measure(0.7), score=0.6),
        alert("b", "false", "Someone walks.", by_measure(0.7), score=0.64),
        alert("c", "right", "Someone walks.", by_measure(0.7), score=0.61),
    )
    assert came_to.feedback is not None
    assert came_to.feedback.alarm_score == 0.61
    assert came_to.feedback.unresolved == (32 * "b",)


def test_no_threshold_is_set_above_what_a_keyword_reaches_by_itself() -> None:
    came_to = weighed(alert("a", "false", "Someone walks.", by_measure(1.0), score=0.85))
    assert came_to.feedback is not None
    assert (came_to.feedback.alarm_score, came_to.feedback.unresolved) == (None, (32 * "a",))
    assert "streamproc induce" in came_to.notes[-1]


def test_a_rule_that_people_switched_off_since_needs_no_more() -> None:
    off = RULES.replace("keywords: [cart, trolley]", "keywords: [cart, trolley], enabled: false")
    came_to = weighed(alert("a", "false", CART, by_keyword("cart")), rules=off)
    assert came_to.feedback is not None
    assert (blamed(came_to), came_to.feedback.alarm_score, came_to.feedback.unresolved) == ({}, None, ())


def test_a_right_alert_that_edits_gave_up_is_named() -> None:
    off = RULES.replace("keywords: [cart, trolley]", "keywords: [cart, trolley], enabled: false")
    (said,) = weighed(alert("a", "right", CART, by_keyword("cart")), rules=off).notes
    assert said.startswith(f"right alert {32 * 'a'} scores 0.00 by these rules")


def test_the_threshold_that_normal_footage_asks_for_is_where_it_begins() -> None:
    rules = RULES.replace("rules:", "provenance: {how: x, created_at: 2026-01-01T00:00:00Z, alarm_score: 0.62}\nrules:")
    came_to = weighed(alert("a", "false", "Someone walks.", by_measure(0.7), score=0.6), rules=rules)
    assert came_to.feedback is not None
    assert came_to.feedback.alarm_score is None


def test_it_is_the_same_whatever_was_taken_in_before() -> None:
    said = [alert("a", "false", CART, by_keyword("cart")), alert("b", "false", "Hm.", by_measure(0.7), score=0.6)]
    once = weigh(model(), said, DeductionSettings())
    again = weigh(model().model_copy(update={"feedback": once.feedback}), said, DeductionSettings())
    assert again == once
    assert weigh(model().model_copy(update={"feedback": once.feedback}), [], DeductionSettings()) == Weighed(None, ())


def test_an_alert_of_an_earlier_version_tells_no_scores_of_votes() -> None:
    vote = by_keyword("cart").model_copy(update={"score": None})
    came_to = weighed(alert("a", "false", CART, vote))
    assert came_to.feedback is not None
    assert (blamed(came_to), came_to.feedback.unresolved) == ({"cart": 1}, ())


@pytest.mark.parametrize("void", [None, "cites no rule"])
def test_a_vote_that_did_not_count_is_blamed_for_nothing(void: str | None) -> None:
    vote = by_keyword("cart").model_copy(update={"void": void})
    came_to = weighed(alert("a", "false", CART, vote, by_measure(0.7), score=0.6))
    assert blamed(came_to) == ({"cart": 1} if void is None else {})


def test_what_a_rule_weighs_and_how_many_people_there_are_is_judged_as_it_was() -> None:
    more = (
        "  - {id: many, about: human, says: anomaly, text: Many people are here., more_people_than: 4, weight: 0.6}\n"
    )
    weak = RULES.replace("keywords: [cart, trolley]", "keywords: [cart, trolley], weight: 0.6")
    vote = by_keyword("cart", "many").model_copy(update={"score": 0.84})  # 1 - 0.4 * 0.4
    right = alert("b", "right", CART, vote, score=0.6)
    came_to = weighed(right, rules=weak + more)
    assert came_to.notes == ()  # it scores what it scored
    came_to = weighed(alert("a", "false", CART, vote, score=0.6), rules=weak + more)
    assert came_to.feedback is not None
    assert (blamed(came_to), came_to.feedback.alarm_score, came_to.feedback.unresolved) == ({"cart": 1}, None, ())


def voted(rules: str, text: str) -> VoteRecord:
    """The vote of the keyword voter itself, as a message tells it."""
    known, told = model(rules).noun("0"), caption(text=text)
    matches = Matcher(known, None, 1.0).match(told, START, "UTC")
    found = gather(observed(), told, matches, {rule.id: rule for rule in known.rules})
    vote = keyword_vote(found, 1.0)
    return VoteRecord(voter=vote.voter, verdict=vote.verdict, cites=vote.cites, weight=vote.weight, score=vote.score)


@pytest.mark.parametrize("tenths", range(1, 11))
@pytest.mark.parametrize("text", [CART, BOTH, "A dog sits in a cart beside a trolley."])
def test_under_unchanged_rules_an_alert_is_judged_as_the_voter_judged_it(tenths: int, text: str) -> None:
    rules = RULES.replace("trolley]", f"trolley], weight: {tenths / 10}").replace("[dog]", "[dog], weight: 0.3")
    vote = voted(rules, text)
    assert vote.verdict == "anomaly"
    # Raised at the threshold exactly, it is not given up.
    assert weighed(alert("a", "right", text, vote, score=0.5), rules=rules).notes == ()
    # Not judged higher either: just below the threshold it is still named.
    (said,) = weighed(alert("a", "right", text, vote, score=0.4999), rules=rules).notes
    assert "scores 0.50 by these rules" in said


def test_what_a_person_wrote_is_not_blamed_unless_it_is_named() -> None:
    came_to = weighed(alert("a", "false", CART, by_keyword("cart")), rules=WRITTEN)
    assert blamed(came_to) == {}
    assert came_to.feedback is not None
    assert (came_to.feedback.alarm_score, came_to.feedback.unresolved) == (None, (32 * "a",))
    assert came_to.notes[0] == (
        "'cart' of rule cart had a part in 1 false alarm; a person wrote the rule, so it stays unless the feedback "
        "names it: `streamproc feedback false SITE ALERT --rule cart`"
    )
    named = [
        alert("a", "false", CART, by_keyword("cart")),
        alert("b", "false", BOTH, by_keyword("cart", "dog"), rule="cart"),
    ]
    came_to = weighed(*named, rules=WRITTEN)
    assert blamed(came_to) == {"cart": 1}
    assert came_to.notes[0] == (
        "'cart' of rule cart had a part in 1 false alarm, so it weighs less and raises no alert by itself any more"
    )
    assert came_to.notes[1].startswith("'dog' of rule dog had a part in 1 false alarm; a person wrote the rule")


def test_what_was_learned_is_blamed_beside_what_a_person_wrote() -> None:
    own = RULES.replace("keywords: [cart, trolley], support: {k: 8, n: 8}", "keywords: [cart, trolley]")
    assert blamed(weighed(alert("a", "false", BOTH, by_keyword("cart", "dog")), rules=own)) == {"dog": 1}


def test_the_threshold_does_not_silence_what_a_person_wrote() -> None:
    soft = WRITTEN.replace("trolley]", "trolley], weight: 0.75")
    vote = by_keyword("cart").model_copy(update={"score": 0.75})
    came_to = weighed(alert("a", "false", CART, vote, score=0.6), rules=soft)
    assert came_to.feedback is not None
    assert (came_to.feedback.alarm_score, came_to.feedback.unresolved) == (None, (32 * "a",))
    assert came_to.notes[-1].endswith(
        "scores 0.60, and a keyword that a person wrote 0.55: name its rule, or edit or switch it off"
    )


def test_a_keyword_is_said_to_raise_nothing_by_itself_only_where_it_did_and_does_no_more() -> None:
    loud = DeductionSettings(alarm_score=0.4, weights=VoterWeights(keyword=10.0))
    (said,) = weighed(alert("a", "false", CART, by_keyword("cart")), settings=loud).notes[:1]
    assert said == "'cart' of rule cart had a part in 1 false alarm, so it weighs less"
    doubted = RULES.replace("trolley]", "trolley], weight: 0.4")
    vote = by_keyword("cart").model_copy(update={"score": 0.57})
    (said,) = weighed(alert("a", "false", CART, vote, by_measure(0.7), score=0.6), rules=doubted).notes[:1]
    assert said == "'cart' of rule cart had a part in 1 false alarm, so it weighs less"
