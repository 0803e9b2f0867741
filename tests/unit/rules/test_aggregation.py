"""Counted votes: what was written for many batches is a rule, what was written once is a proposal."""

from __future__ import annotations

from collections.abc import Sequence

from streamproc.rules.aggregation import Proposal, aggregate
from streamproc.rules.generation import Said
from streamproc.rules.induction import Contradiction
from streamproc.testing_rules import TopicEmbedder
from streamproc.types import About, Says, Support

EMBEDDER = TopicEmbedder("walk stroll run hurr", "bicycle cycl rid", "bench", "fire flame")


def said(text: str, batches: Sequence[int], says: Says = "anomaly", about: About = "human") -> list[Said]:
    return [Said(batch, about, says, text) for batch in batches]


def rules(*groups: list[Said], batches: int = 10) -> tuple[list[Proposal], list[Contradiction]]:
    return aggregate([one for group in groups for one in group], batches, EMBEDDER, 0.3)


def test_what_means_the_same_is_one_rule_with_the_batches_that_wrote_it() -> None:
    (one,), _ = rules(
        said("Someone rides a bicycle.", [0, 1, 2]), said("People ride bicycles.", [2, 3]), said("Cycling.", [4])
    )
    assert (one.text, one.support, one.enabled) == ("Someone rides a bicycle.", Support(5, 10), True)
    assert one.words == ("ride", "bicycle")


def test_what_was_written_once_loses_the_vote() -> None:
    proposals, _ = rules(said("Someone rides a bicycle.", [0, 1, 2]), said("A bench is on fire.", [3]))
    assert [(one.text, one.support.k, one.enabled) for one in proposals] == [
        ("Someone rides a bicycle.", 3, True),
        ("A bench is on fire.", 1, False),
    ]


def test_a_batch_that_says_it_twice_has_one_vote() -> None:
    (one,), _ = rules(said("Someone rides a bicycle.", [0]), said("People ride bicycles.", [0]))
    assert one.support == Support(1, 10)


def test_likeness_alone_does_not_make_two_rules_one() -> None:
    proposals, _ = rules(said("People walk.", [0, 1, 2], "normal"), said("People run.", [0, 1, 2], "normal"))
    assert sorted(one.text for one in proposals) == ["People run.", "People walk."]


def test_nor_does_the_subject_alone() -> None:
    proposals, _ = rules(said("Someone runs.", [0]), said("Someone rushes away.", [1]))
    assert len(proposals) == 2


def test_what_denies_is_never_one_with_what_affirms() -> None:
    proposals, _ = rules(said("Someone rides a bicycle.", [0]), said("Someone rides without a bicycle.", [1]))
    assert len(proposals) == 2


def test_people_and_things_normal_and_anomaly_are_kept_apart() -> None:
    proposals, _ = rules(
        said("A bench burns.", [0], "anomaly", "environment"),
        said("A bench is there.", [0], "normal", "environment"),
        said("Someone leaves a bench.", [0], "anomaly"),
        said("People sit on a bench.", [0], "normal"),
    )
    assert [(one.about, one.says) for one in proposals] == [
        ("human", "normal"),
        ("human", "anomaly"),
        ("environment", "normal"),
        ("environment", "anomaly"),
    ]


def test_an_anomaly_that_contradicts_a_supported_normal_rule_is_dropped_and_listed() -> None:
    normal = said("People ride bicycles.", [0, 1, 2], "normal")
    proposals, dropped = rules(normal, said("Someone rides a bicycle.", [3, 4, 5, 6]))
    assert [one.says for one in proposals] == ["normal"]
    assert dropped == [Contradiction("Someone rides a bicycle.", "People ride bicycles.")]


def test_a_normal_rule_without_support_contradicts_nothing() -> None:
    proposals, dropped = rules(
        said("People ride bicycles.", [0, 1], "normal"), said("Someone rides a bicycle.", [3, 4, 5])
    )
    assert len(proposals) == 2
    assert dropped == []


def test_what_names_more_than_is_normal_contradicts_nothing() -> None:
    normal = said("People ride bicycles.", [0, 1, 2], "normal")
    proposals, dropped = rules(normal, said("Someone rides a bicycle fast into people.", [3, 4, 5]))
    assert len(proposals) == 2
    assert dropped == []


def test_a_word_of_other_sentences_counts_when_two_batches_name_it() -> None:
    (one,), _ = rules(
        said("Someone rides a bicycle.", [0, 1, 2]),
        said("Someone rides a bicycle or rickshaw.", [3, 4]),
        said("Someone rides a bicycle with an umbrella.", [5]),
    )
    assert one.words == ("ride", "bicycle", "rickshaw")


def test_nothing_said_is_no_rule() -> None:
    assert rules() == ([], [])
