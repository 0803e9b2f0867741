"""Enough English for sentences about counted things that do something somewhere."""

from __future__ import annotations

_NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
_PLURALS = {
    "person": "people",
    "sheep": "sheep",
    "knife": "knives",
    "mouse": "mice",
    "skis": "skis",
    "scissors": "scissors",
    "broccoli": "broccoli",
    "teddy bear": "teddy bears",
}
_PLURAL_VERBS = {"is": "are", "has": "have", "does": "do", "goes": "go"}


def counted(count: int, noun: str) -> str:
    """``One person``, ``Three people``, ``14 cars``: as a sentence begins."""
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """``people``, ``buses``, ``cars``."""
    if noun in _PLURALS:
        return _PLURALS[noun]
    return noun + ("es" if noun.endswith(("s", "sh", "ch", "x")) else "s")


def conjugated(action: str, count: int) -> str:
    """``action`` (third person singular, perhaps with more words after the verb) for ``count`` subjects."""
    if count == 1:
        return action
    verb, space, rest = action.partition(" ")
    if verb in _PLURAL_VERBS:
        verb = _PLURAL_VERBS[verb]
    elif verb.endswith("ies"):
        verb = verb[:-3] + "y"
    else:
        verb = verb.removesuffix("s")
    return verb + space + rest
