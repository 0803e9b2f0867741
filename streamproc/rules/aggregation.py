"""Counted votes over batches: what a model wrote once may be made up, what it wrote many times is worth something.

AnomalyRuler's aggregation (section 3.2) has the language model merge the batches' rules and counts nothing, so that
every anomaly rule that it ever made up survives. Here rules that mean the same are found, and the batches that wrote
them are counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from streamproc.rules.generation import Said
from streamproc.rules.induction import Contradiction
from streamproc.rules.meaning import Embedder, Floats, Meanings
from streamproc.rules.negation import affirmed
from streamproc.rules.wording import same_subject, wording_of
from streamproc.types import About, Says, Support

SAME = 0.6
"""Likeness (``meaning``) from which on two rules about the same subject mean the same."""
_UNLIKE = 2.0
"""A distance that no likeness makes up for."""
_TOLD_BY = 2
"""Batches that must name a word before it counts as the rule's, where the rule's own sentence lacks it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Rules of several batches that mean the same."""

    about: About
    says: Says
    text: str
    """The most typical of the sentences."""
    words: tuple[str, ...]
    """Verbs and nouns to know it by."""
    support: Support
    enabled: bool
    """Whether enough batches speak for it."""


def aggregate(
    said: Sequence[Said], batches: int, embedder: Embedder, least_share: float
) -> tuple[list[Proposal], list[Contradiction]]:
    """The rules, people before things and normal before anomaly, the best supported first; and what was dropped.

    Rules are grouped where their sentences are alike, they are about the same, and both deny something or neither. At
    least ``least_share`` of the ``batches`` must have written a rule for it to be enabled.

    Raises:
        InferenceError: the embedding model failed.
    """
    least = max(1, math.ceil(least_share * batches - 1e-9))
    proposals: list[Proposal] = []
    abouts: tuple[About, ...] = ("human", "environment")
    kinds: tuple[Says, ...] = ("normal", "anomaly")
    for about in abouts:
        for says in kinds:
            among = [one for one in said if (one.about, one.says) == (about, says)]
            found = [_proposal(group, batches, least) for group in _groups(among, about, embedder)]
            proposals += sorted(found, key=lambda one: (-one.support.k, one.text))
    normal = [one for one in proposals if one.says == "normal" and one.enabled]
    return _without_contradictions(proposals, normal, embedder)


def _groups(said: Sequence[Said], about: About, embedder: Embedder) -> list[list[Said]]:
    """Each the sentences that mean the same, the most typical first."""
    texts = sorted({one.text for one in said})
    likeness = Meanings(embedder, texts).likeness(texts)
    # A sentence is always like itself, whatever the encoder's rounding.
    np.fill_diagonal(likeness, 1.0)
    groups: list[list[Said]] = []
    for rows in _clusters(texts, about, likeness):
        votes = np.array([sum(one.text == texts[row] for one in said) for row in rows])
        fit = likeness[np.ix_(rows, rows)] @ votes / votes.sum()
        best = max(range(len(rows)), key=lambda at: (round(float(fit[at]), 4), votes[at], -len(texts[rows[at]])))
        typical = rows[best]
        order = [typical, *(row for row in rows if row != typical)]
        groups.append([one for row in order for one in said if one.text == texts[row]])
    return groups


def _clusters(texts: Sequence[str], about: About, likeness: Floats) -> list[list[int]]:
    if len(texts) < 2:
        return [[row] for row in range(len(texts))]
    wordings = [wording_of(text) for text in texts]
    denies = [affirmed(text) is not None for text in texts]
    distances = np.full(likeness.shape, _UNLIKE)
    for i in range(len(texts)):
        distances[i, i] = 0.0
        for j in range(i):
            if denies[i] == denies[j] and same_subject(about, wordings[i], wordings[j]):
                distances[i, j] = distances[j, i] = 1.0 - float(likeness[i, j] + likeness[j, i]) / 2
    # Average linkage: a chain of neighbours does not make its ends mean the same.
    labels = fcluster(linkage(squareform(distances, checks=False), "average"), 1.0 - SAME, "distance")
    return [[row for row in range(len(texts)) if labels[row] == label] for label in sorted(set(labels.tolist()))]


def _proposal(group: Sequence[Said], batches: int, least: int) -> Proposal:
    first = group[0]
    told = Counter(
        word for word, _ in {(word, one.batch) for one in group for word in wording_of(one.text).keywords(one.about)}
    )
    own = wording_of(first.text).keywords(first.about)
    others = sorted(word for word, count in told.items() if count >= _TOLD_BY and word not in own)
    support = Support(len({one.batch for one in group}), batches)
    return Proposal(first.about, first.says, first.text, (*own, *others), support, support.k >= least)


def _without_contradictions(
    proposals: Sequence[Proposal], normal: Sequence[Proposal], embedder: Embedder
) -> tuple[list[Proposal], list[Contradiction]]:
    """Drop anomaly rules that are like a supported normal rule and name nothing that the normal rules do not."""
    known = {word for one in normal for word in wording_of(one.text).all | set(one.words)}
    kept: list[Proposal] = []
    dropped: list[Contradiction] = []
    for one in proposals:
        against = [other for other in normal if other.about == one.about and _denies(other) == _denies(one)]
        if one.says == "normal" or not against or not wording_of(one.text).all <= known:
            kept.append(one)
            continue
        likeness = Meanings(embedder, [other.text for other in against]).likeness([one.text])[0]
        nearest = int(likeness.argmax())
        if likeness[nearest] >= SAME:
            dropped.append(Contradiction(one.text, against[nearest].text))
        else:
            kept.append(one)
    return kept, dropped


def _denies(one: Proposal) -> bool:
    return affirmed(one.text) is not None
