"""Captioners compared by what they say at the same moments."""

from __future__ import annotations

import pytest

from streamproc.evaluation.perception import Moment, Said, agreements, captioned, told_by
from streamproc.evaluation.scene_labels import Scene
from streamproc.testing_deduction import caption, fact
from streamproc.types import Caption


def free(text: str) -> Caption:
    return caption(text=text)


def moment(*said: str | None, scene: Scene | None = None, ms: float | None = None) -> Moment:
    texts = zip("abc", said, strict=False)
    return Moment("01", 9, {name: Said(free(text) if text else None, ms) for name, text in texts}, scene)


def scene(*objects: str, actions: tuple[str, ...] = ()) -> Scene:
    return Scene(frozenset(objects), frozenset(actions))


def test_words_are_told_in_base_forms_without_sides_counts_and_denials() -> None:
    told = told_by(free("Starting from the left, the fourth of 7 people rides a bicycle. No cars are parked."))
    assert (told.objects, told.actions, told.people) == (frozenset({"bicycle"}), frozenset({"ride"}), 7)
    told = told_by(caption(fact("One person hurries on the left, 1.5 times as fast as people walk there.", "hurries")))
    assert (told.actions, told.people) == (frozenset({"hurry"}), 1)
    assert told_by(free("A man leaves.")).actions == {"leave"}
    told = told_by(free("Other than people, there are trees."))
    assert (told.objects, told.actions) == (frozenset({"tree"}), frozenset())


def test_labelled_things_are_found_by_any_of_their_words_and_missed_where_the_captioner_failed() -> None:
    bike = scene("bicycle|bike", "cart", actions=("ride",))
    moments = [
        moment("A man rides bikes.", "A cart.", scene=bike),
        moment("A cart drives by.", None, scene=bike),
        moment("A bike leans there.", "Nobody rides.", scene=scene()),
        moment("A bike.", "A bike."),
    ]
    a = captioned("a", moments)
    assert [(e.words, e.there, e.found, e.absent, e.named_anyway) for e in a.objects] == [
        ("bicycle|bike", 2, 1, 1, 1),
        ("cart", 2, 1, 1, 0),
    ]
    assert [(e.words, e.there, e.found, e.absent, e.named_anyway) for e in a.actions] == [("ride", 2, 1, 1, 0)]
    b = captioned("b", moments)
    assert [(e.found, e.named_anyway) for e in (*b.objects, *b.actions)] == [(0, 0), (1, 0), (0, 0)]
    assert (a.moments, a.failed, b.moments, b.failed) == (4, 0, 4, 1)


def test_length_time_and_what_is_said_most() -> None:
    moments = [moment("A dog runs. A dog barks.", ms=float(ms)) for ms in range(100)]
    a = captioned("a", moments)
    assert (a.words_mean, a.sentences_mean, a.ms_median, a.ms_p95) == (6.0, 2.0, 49.5, 95.0)
    assert a.objects_most == (("dog", 100),)
    assert a.actions_most == (("bark", 100), ("run", 100))
    recorded = captioned("a", [moment("A dog.")])
    assert (recorded.ms_median, recorded.ms_p95) == (None, None)
    assert captioned("b", moments).words_mean is None


def test_agreement_is_in_words_beyond_chance_and_in_people() -> None:
    moments = [
        moment("Two people walk with a dog.", "Five people walk with a dog."),
        moment("One person rides a bicycle.", "One person pushes a bicycle."),
        moment("One person rides a bicycle.", None),
    ]
    (found,) = agreements(["a", "b"], moments)
    assert (found.one, found.other, found.moments) == ("a", "b", 2)
    assert (found.objects_jaccard, found.objects_kappa) == (1.0, 1.0)
    assert found.actions_jaccard == 0.5
    assert found.actions_kappa == pytest.approx(0.25)  # each names 2 of 6, 4 of 6 are the same, 5/9 by chance
    assert found.people_difference == 1.5


def test_where_nothing_is_said_there_is_nothing_to_agree_on() -> None:
    (found,) = agreements(["a", "b"], [moment("Hello.", "Hello.")])
    assert found.actions_kappa is None
    (found,) = agreements(["a", "b"], [moment("A dog.", None)])
    assert (found.moments, found.objects_jaccard, found.people_difference) == (0, None, None)
    assert [(one.one, one.other) for one in agreements(["a", "b", "c"], [])] == [("a", "b"), ("a", "c"), ("b", "c")]
