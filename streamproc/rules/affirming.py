"""The opposite of a sentence that denies: "Nobody runs here", someone runs here; and what of it forbids.

By rules of thumb for the short sentences of rules, not a grammar of English.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from streamproc.rules.people import names_somebody
from streamproc.rules.taxonomy import is_unusual
from streamproc.types import Says


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


WHERE = _set(
    "on in at near by along across over under behind through into onto inside outside within beyond between around up "
    "down off of from to with without here there anywhere where"
)
"""Words that begin the place of a thing or a deed."""
_ATTENDS = _set(
    "be stand sit stay remain wait work serve attend guard watch supervise mind man staff look help clean answer come "
    "appear queue wear have hold keep use check control follow observe respond care"
)
"""What is missed where nobody does it."""
_WORN = _set("helmet vest glove goggle glass mask boot shoe hat uniform badge apron jacket coat clothes visor")
_ENTRIES = _set("entry access admission admittance")
_IS = _set("is are was were be")
_BE = r"(?:is|are|was|were|be)"
_NOBODY = r"(?:nobody|no[ -]one)"
_BARRED = (
    r"(?:strictly |absolutely )?(?:not (?:allowed|permitted|tolerated)|forbidden|prohibited|banned)"
    rf"(?: to (?P<do>.+)|(?P<where> (?:{'|'.join(sorted(WHERE))})\b.*)?)"
)
_ORDER = re.compile(rf"(?:do not|don't|never|it {_BE} {_BARRED.partition('(?: to')[0]} to) (?P<do>.+)")
_BAR = re.compile(rf"(?P<what>.+?) (?:{_BE} )?{_BARRED}")
_NONE_ALLOWED = re.compile(
    rf"(?P<what>{_NOBODY}|no .+?) (?:{_BE} )?(?:allowed|permitted|tolerated)(?: to (?P<do>.+)|(?P<where> .+)?)"
)
_MUST_NOT = re.compile(r"(?P<what>.+?) (?:must|may|should|shall)(?: not|n't| never) (?P<do>.+)")
_NONE_MAY = re.compile(rf"(?P<what>{_NOBODY}|no .+?) (?:must|may|should|shall)(?: ever)? (?P<do>.+)")
_NOBODY_DOES = re.compile(rf"(?P<who>{_NOBODY}|people (?:do not|don't|never))(?: ever)? (?P<do>.+)")
_THERE = re.compile(
    rf"there (?:(?P<be>{_BE}|(?:must|should|may|shall) be) (?:{_NOBODY}|no)|"
    rf"(?P<not>(?:must|should|may|shall)(?: not|n't) be) (?:any|an?)\b)(?: (?P<rest>.+))?"
)
_SUBCLAUSE = re.compile(r"\b(?:who|whom|which|that|what|where|when|if|while|though|although|because|despite|but)\b")


@dataclass(frozen=True, slots=True)
class Affirmed:
    """A sentence that was turned round."""

    text: str
    kind: Literal["act", "thing", "else"]
    """What is affirmed: an "act" of people, that a "thing" is there, or "else"."""


def turned(said: str, says: Says) -> Affirmed | None:
    """The opposite of ``said``, in lower case and without its full stop, if a rule of its kind forbids by it."""
    said = re.sub(r"^(?:please|strictly|absolutely),? |,? please$", "", said)
    said = re.sub(r"(?:,| and| or| nor|, (?:and|or|nor)) no (?=\w)", " or ", said)
    if found := _ORDER.fullmatch(said):
        return _does("people", found["do"])
    if found := _THERE.fullmatch(said):
        return _none(found["rest"] or "", "normal") if says == "normal" or " " in (found["be"] or " ") else None
    for pattern in (_NONE_ALLOWED, _NONE_MAY, _BAR, _MUST_NOT):
        if (found := pattern.fullmatch(said)) and not _SUBCLAUSE.search(found["what"]):
            what, parts = re.sub(r"^no (?!one\b)", "", found["what"]), found.groupdict()
            return _does(what, parts["do"]) if parts["do"] else _is(what, parts["where"] or "")
    if found := _NOBODY_DOES.fullmatch(said):
        return _nobody(found["who"], found["do"], says)
    return _none(said.removeprefix("no "), says) if said.startswith("no ") else None


def _does(who: str, what: str) -> Affirmed:
    """What somebody, or a thing, does; ``what`` begins with a verb's base form."""
    somebody = re.fullmatch(_NOBODY, who) or names_somebody(who.split()[-1])
    who = "people" if somebody and not _is_plural(who) else who
    what = re.sub(r"^be\b", "is" if who.startswith(("a ", "the ")) and not who.endswith("s") else "are", what)
    return Affirmed(f"{who} {what}", "act" if somebody else "else")


def _is(what: str, where: str) -> Affirmed:
    """What is done or is there: cycling, dogs."""
    where = where.strip() or "here"
    if re.fullmatch(_NOBODY, what):
        return Affirmed(f"someone is {where}", "act")
    words = re.findall(r"[\w'-]+", what)
    if words[-1] in _ENTRIES:
        return Affirmed(f"someone enters {where.removeprefix('to ')}", "act")
    if _is_activity(words[0]):
        return Affirmed(f"someone is {what} {where}", "act")
    if words[0] in {"a", "an", "the"} or _is_plural(words[-1]):
        return Affirmed(f"{what} {'are' if _is_plural(words[-1]) else 'is'} {where}", "thing")
    return Affirmed(f"{'an' if what[0] in 'aeiou' else 'a'} {what} is {where}", "thing")


def _nobody(who: str, what: str, says: Says) -> Affirmed | None:
    first, _, rest = what.partition(" ")
    act = rest.partition(" ")[0] if first in _IS else first
    if says == "anomaly" and (not act or _is_absence(act, after_be=act != first)):
        return None
    return Affirmed(f"{'people' if who.startswith('people') else 'someone'} {what}", "act")


def _is_absence(word: str, *, after_be: bool) -> bool:
    if word in WHERE or (after_be and not word.endswith("ing")):
        return True
    return not _ATTENDS.isdisjoint(_bases(word, "VERB"))


def _none(rest: str, says: Says) -> Affirmed | None:
    """Of "no …": things, an activity, or people of some name."""
    words = rest.split()
    if not words:
        return _is("no one", "") if says == "normal" else None
    if names_somebody(words[0]) and len(words) > 1 and words[1] not in WHERE:
        return _nobody("nobody", ("is " if words[1].endswith("ing") else "") + " ".join(words[1:]), says)
    end = next((i for i in range(1, len(words)) if words[i] in WHERE | _IS), len(words))
    what, tail = " ".join(words[:end]), words[end:]
    is_said = bool(tail) and tail[0] in _IS
    where = " ".join(tail[1:] if is_said else tail)
    head = words[end - 1]
    if says == "normal":
        return _is(what, where)
    bases = _bases(head, "NOUN") | {head}
    if names_somebody(head) or bases & _WORN:
        return None
    unusual = any(is_unusual(base) for base in bases)
    activity = _is_activity(words[0]) and not is_said
    if activity or unusual or head in _ENTRIES or (_is_plural(head) and not is_said):
        return _is(what, where)
    return None


def _is_activity(word: str) -> bool:
    word = word.rstrip(",")
    return word.endswith("ing") and bool(_bases(word, "VERB"))


def _is_plural(noun: str) -> bool:
    return noun in {"people", "cattle"} or bool(_bases(noun, "NOUN") - {noun})


def _bases(word: str, kind: str) -> frozenset[str]:
    import lemminflect  # its dictionary takes a third of a second to load

    return frozenset(lemminflect.getAllLemmas(word.strip(",")).get(kind, ()))
