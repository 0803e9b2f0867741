"""Rules by a language model: references, generation, counted votes, and keywords held against the normal captions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamproc.config import LlmInduction
from streamproc.errors import ConfigError
from streamproc.modelserver import ModelServer
from streamproc.rules.aggregation import Proposal, aggregate
from streamproc.rules.generation import generate
from streamproc.rules.induction import Contradiction, Induction
from streamproc.rules.keywords import compile_keyword
from streamproc.rules.meaning import Embedder
from streamproc.rules.people import sentences_of
from streamproc.rules.prompts import SHA256
from streamproc.rules.references import choose
from streamproc.rules.strength import Counted, too_common
from streamproc.types import About, Caption, ModelRef, Rule, Severity

LEAST_CAPTIONS = 10
"""Fewest captions to learn from: keywords are counted on them."""
_Words = dict[About, frozenset[str]]


class LanguageModelInducer:
    """Asks a language model for rules, batch by batch of references, and counts its votes."""

    def __init__(self, server: ModelServer, embedder: Embedder, settings: LlmInduction) -> None:
        """Nothing is asked yet."""
        self._server, self._embedder, self._settings = server, embedder, settings
        self.model = ModelRef("induction", settings.model, settings.revision, prompt_sha256=SHA256)

    def induce(self, captions: Sequence[Caption], references: Sequence[Sequence[Caption]] = ()) -> Induction:
        """Rules from captions of normal footage, in order of time; see ``inducer.Inducer``.

        Raises:
            ConfigError: there are too few captions.
            InferenceError: the language model does not answer, or not usably; or the embedding model failed.
        """
        if len(captions) < LEAST_CAPTIONS:
            raise ConfigError(
                f"the normal footage gave {len(captions)} captions, and at least {LEAST_CAPTIONS} are needed; "
                "give more footage, or footage in which something moves"
            )
        chosen = references or self._references(captions)
        said, usable = generate(self._server, chosen)
        proposals, contradicted = aggregate(said, usable, self._embedder, self._settings.least_share)
        names = _ids(proposals)
        held = _Held(captions, proposals)
        rules: list[Rule] = []
        for rule_id, one in zip(names, proposals, strict=True):
            keywords = held.keywords(rule_id, one)
            if keywords is None:
                contradicted.append(Contradiction(one.text, "normal footage often meets all of its keywords"))
                continue
            severity: Severity = "info" if one.says == "normal" else "warning"
            rules.append(
                Rule(rule_id, one.about, one.says, one.text, keywords, severity, one.support, None, one.enabled)
            )
        models = dict.fromkeys([*(caption.model for caption in captions), self.model])
        return Induction(
            how=self._how(len(chosen), usable, max(len(batch) for batch in chosen)),
            rules=tuple(rules),
            dropped=tuple(held.dropped),
            doubted=tuple(held.doubted),
            captions=len(captions),
            models=tuple(models),
            contradicted=tuple(contradicted),
        )

    def _references(self, captions: Sequence[Caption]) -> list[list[Caption]]:
        settings = self._settings
        return choose(captions, settings.batches, settings.references, self._embedder, settings.choice, settings.seed)

    def _how(self, batches: int, usable: int, size: int) -> str:
        unusable = f", {batches - usable} of them answered unusably" if usable < batches else ""
        return (
            f"rules by {self._settings.model} for {batches} batches of {size} reference captions{unusable}; votes "
            f"counted, enabled from a share of {self._settings.least_share:g} on"
        )


class _Held:
    """Rules' words held against normal rules and normal captions."""

    def __init__(self, captions: Sequence[Caption], proposals: Iterable[Proposal]) -> None:
        self._captions = [_said(caption) for caption in captions]
        self._normal = frozenset(
            form
            for one in proposals
            if one.says == "normal" and one.enabled
            for word in one.words
            for form in _forms(word)
        )
        self.dropped: list[Counted] = []
        self.doubted: list[Counted] = []

    def keywords(self, rule_id: str, one: Proposal) -> tuple[str, ...] | None:
        """Those that the rule is left with; None where normal footage took the last of them away."""
        if one.says == "normal":
            return one.words
        kept: list[str] = []
        common = False
        for word in one.words:
            if word in self._normal:
                continue
            forms = _forms(word)
            met = sum(not forms.isdisjoint(words[one.about]) for words in self._captions)
            if too_common(met, len(self._captions)):
                self.dropped.append(Counted(rule_id, word, met))
                common = True
                continue
            kept.append(word)
            if met:
                self.doubted.append(Counted(rule_id, word, met))
        return None if common and not kept else tuple(kept)


def _said(caption: Caption) -> _Words:
    """The words that the caption affirms, as rules about people and about things may meet them."""
    abouts: tuple[About, ...] = ("human", "environment")
    sentences = sentences_of(caption)
    return {
        about: frozenset(word.text for one in sentences for word in one.words_for(about) if not word.denied)
        for about in abouts
    }


def _forms(word: str) -> frozenset[str]:
    parts = compile_keyword(word).parts
    return parts[0] if parts else frozenset()


def _ids(proposals: Sequence[Proposal]) -> list[str]:
    """Unique, and the same where the same words tell a rule: so that a later induction finds it again."""
    taken: set[str] = set()
    names: list[str] = []
    for one in proposals:
        first = f"{one.says}-{_slug(' '.join(one.words[:4]) or one.text)}"[:60].rstrip("-")
        name, number = first, 1
        while name in taken:
            number += 1
            name = f"{first}-{number}"
        taken.add(name)
        names.append(name)
    return names


def _slug(text: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
    return "-".join(part for part in kept.split("-") if part)
