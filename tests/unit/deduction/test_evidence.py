from __future__ import annotations

from dataclasses import replace

from streamproc.deduction.evidence import gather
from streamproc.testing_deduction import caption, fact, keyword, observed, rule, semantic, speed
from streamproc.types import Caption, Match, Measurement, Rule, Support

RUN_BAD = rule("a-run", "anomaly", "Nobody runs here.")
CART_BAD = rule("a-cart", "anomaly", "No carts.", about="environment")
JOG_OK = rule("n-jog", "normal", "Joggers run here.")
WALK_OK = rule("n-walk", "normal", "People walk here.")
RULES = (RUN_BAD, CART_BAD, JOG_OK, WALK_OK)


def answers(
    said: Caption, *matches: Match, rules: tuple[Rule, ...] = RULES, zones: tuple[str, ...] = ()
) -> dict[str, str]:
    """For each anomaly rule that is met, what answers it."""
    evidence = gather(observed(), said, matches, {r.id: r for r in rules}, zones)
    return {met.rule.id: met.answered_by.id if met.answered_by else "" for met in evidence.anomalies}


RUNS = caption(fact("A person runs on the path.", "runs"))


def test_a_normal_rule_answers_the_same_word_of_the_same_sentence() -> None:
    assert answers(RUNS, keyword("a-run", "runs"), keyword("n-jog", "runs")) == {"a-run": "n-jog"}
    assert answers(RUNS, keyword("a-run", "runs")) == {"a-run": ""}
    assert answers(RUNS, keyword("a-run", "runs"), keyword("n-walk", "path")) == {"a-run": ""}


def test_likeness_of_meaning_does_not_answer_a_keyword() -> None:
    assert answers(RUNS, keyword("a-run", "runs"), semantic("n-walk", "A person runs on the path.", 1.0)) == {
        "a-run": ""
    }


def test_the_same_word_in_another_sentence_stands() -> None:
    said = caption(
        fact("A person runs on the track.", "runs", place="on the track"), fact("A person runs.", "runs", place="hall")
    )
    only_on_track = rule("n-track", "normal", zones=("track",))
    matches = (keyword("a-run", "runs"), keyword("n-track", "runs"))
    assert answers(said, *matches, rules=(RUN_BAD, only_on_track), zones=("track", "hall")) == {"a-run": ""}
    turned = caption(*reversed(said.facts))
    assert answers(turned, *matches, rules=(RUN_BAD, only_on_track), zones=("track", "hall")) == {"a-run": ""}
    one = caption(said.facts[0])
    assert answers(one, *matches, rules=(RUN_BAD, only_on_track), zones=("track", "hall")) == {"a-run": "n-track"}


def test_joggers_are_quiet_and_the_cart_beside_them_is_not() -> None:
    said = caption(fact("A person runs.", "runs"), fact("A cart moves.", "moves", about="environment"))
    matches = (keyword("a-run", "runs"), keyword("n-jog", "runs"), keyword("a-cart", "cart"))
    assert answers(said, *matches) == {"a-run": "n-jog", "a-cart": ""}


def test_by_meaning_the_closer_rule_wins() -> None:
    sentence = "A person runs on the path."
    anomaly = semantic("a-run", sentence, 0.8)
    assert answers(RUNS, anomaly, semantic("n-walk", sentence, 0.79)) == {"a-run": ""}
    assert answers(RUNS, anomaly, semantic("n-walk", sentence, 0.8)) == {"a-run": "n-walk"}


def test_a_verb_that_tells_how_answers_meaning_and_one_that_tells_nothing_does_not() -> None:
    assert answers(RUNS, semantic("a-run", "A person runs on the path.", 0.9), keyword("n-jog", "runs")) == {
        "a-run": "n-jog"
    }
    said = caption(fact("A person walks up to another and hits him.", "walks"))
    matches = (semantic("a-run", said.text, 0.7), keyword("n-walk", "walks"))
    assert answers(said, *matches) == {"a-run": ""}


def test_words_are_found_whole() -> None:
    said = caption(fact("A trunk lies there."), fact("The bed is overrun."), fact("Two people run.", "runs"))
    evidence = gather(observed(), said, [keyword("a-run", "run")], {"a-run": RUN_BAD})
    assert evidence.anomalies[0].facts == (2,)


def test_free_text_is_taken_by_sentences() -> None:
    said = caption(text="A person runs on the path. A cart stands there.")
    matches = (keyword("a-run", "runs"), keyword("n-jog", "runs"), keyword("a-cart", "cart"))
    assert answers(said, *matches) == {"a-run": "n-jog", "a-cart": ""}


def test_free_text_says_itself_in_which_zone_it_is() -> None:
    said = caption(text="A person runs in the hall.\nA person runs on the back track.")
    only_in_hall = rule("n-hall", "normal", zones=("hall",))
    matches = (keyword("a-run", "runs"), keyword("n-hall", "runs"))
    assert answers(said, *matches, rules=(RUN_BAD, only_in_hall), zones=("hall", "back-track")) == {"a-run": ""}


def test_what_is_normal_in_a_zone_is_not_so_outside_all_zones() -> None:
    track = fact("One person runs on the track.", "runs", place="on the track")
    left = fact("One person runs on the left.", "runs", place="on the left")
    only_on_track = rule("n-track", "normal", zones=("track",))
    matches = (keyword("a-run", "runs"), keyword("n-track", "runs"))
    rules = (RUN_BAD, only_on_track)
    assert answers(caption(track), *matches, rules=rules, zones=("track",)) == {"a-run": "n-track"}
    assert answers(caption(left, track), *matches, rules=rules, zones=("track",)) == {"a-run": ""}


def test_words_that_two_rules_share_at_different_places_are_not_the_same_thing() -> None:
    said = caption(fact("Children sit on the ground and a man lies on the ground.", "sit"))
    fallen, sitting = keyword("a-run", "lies on the ground"), keyword("n-jog", "sit on the ground")
    assert answers(said, fallen, sitting) == {"a-run": ""}
    assert answers(said, fallen, keyword("n-jog", "lies")) == {"a-run": "n-jog"}


def test_an_action_without_a_word_in_it_is_no_verb() -> None:
    said = caption(fact("A person runs.", "-"))
    assert answers(said, semantic("a-run", "A person runs.", 0.8), keyword("n-jog", "runs")) == {"a-run": ""}


def test_rules_that_are_gone_or_disabled_are_left_out() -> None:
    off = rule("off", "anomaly", enabled=False)
    assert answers(RUNS, keyword("off", "runs"), keyword("gone", "runs"), rules=(off,)) == {}


# ---- measurements


def stands(said: Caption, measured: Measurement, *matches: Match) -> bool:
    evidence = gather(observed(measurements=[measured]), said, matches, {r.id: r for r in RULES})
    return bool(evidence.novel())


def test_a_measurement_is_answered_by_a_normal_rule_for_how_it_is_done() -> None:
    measured = speed(1.5)
    for text, verb_in_text in (("One person hurries by.", "hurries"), ("Two people hurry by.", "hurry")):
        said = caption(fact(text, "hurries", tracks=[1], measurement=measured))
        assert stands(said, measured)
        assert not stands(said, measured, keyword("n-jog", verb_in_text))
        assert stands(said, measured, keyword("n-walk", "person"))
        assert stands(said, measured, semantic("n-walk", text, 1.0))


def test_that_cars_drive_here_says_nothing_of_how_fast() -> None:
    measured = speed(1.5)
    said = caption(fact("A car drives past, 3 times as fast.", "drives", tracks=[1], measurement=measured))
    assert stands(said, measured, keyword("n-walk", "drives"))


def test_every_sentence_that_rests_on_a_measurement_must_be_answered() -> None:
    measured = speed(1.5, track_id=None)
    said = caption(
        fact("A person hurries by.", "hurries", tracks=[1], measurement=speed(1.5)),
        fact("A dog runs.", "runs", tracks=[2], measurement=speed(1.2, track_id=2)),
    )
    assert stands(said, measured, keyword("n-jog", "hurries"))
    assert stands(said, measured, keyword("n-walk", "runs"))
    assert not stands(said, measured, keyword("n-jog", "hurries"), keyword("n-walk", "runs"))


def test_a_measurement_that_no_sentence_tells_of_cannot_be_answered() -> None:
    said = caption(fact("A person hurries by.", "hurries"))
    assert stands(said, speed(1.5), keyword("n-jog", "hurries"))


def test_what_was_counted_does_not_overrule_what_a_person_wrote() -> None:
    counted = replace(JOG_OK, support=Support(10, 10))
    induced = replace(RUN_BAD, support=Support(10, 10))
    matches = (keyword("a-run", "runs"), keyword("n-jog", "runs"))
    assert answers(RUNS, *matches, rules=(RUN_BAD, counted)) == {"a-run": ""}
    assert answers(RUNS, *matches, rules=(induced, counted)) == {"a-run": "n-jog"}
    assert answers(RUNS, *matches, rules=(induced, JOG_OK)) == {"a-run": "n-jog"}
