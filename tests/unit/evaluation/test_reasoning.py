from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from streamproc.errors import InferenceError, ReplyError
from streamproc.evaluation.answering import Answer
from streamproc.evaluation.items import Choices, Item, Items, Letter, Place
from streamproc.evaluation.reasoning import Judged, Report, ask_all
from streamproc.types import ModelRef

PLACE = Place(id="gate", place="a gate", rules=Path("gate.yaml"))
CHOICES = Choices(a="All is well.", b="A fire.", c="A fight.", d="A fall.")


def item(name: str, answer: Letter) -> Item:
    return Item(id=name, site="gate", caption="Words.", choices=CHOICES, normal="a", answer=answer)


def items(**answers: Letter) -> Items:
    asked = tuple(item(name, answer) for name, answer in answers.items())
    return Items(schema_version=1, name="made", sites=(PLACE,), items=asked)


class Scripted:
    """Answers by the item's id."""

    models: tuple[ModelRef, ...] = (ModelRef("deduction", "script", "1"),)

    def __init__(self, script: Mapping[str, tuple[bool, Letter] | Exception]) -> None:
        self._script = script

    def answer(self, item: Item, place: Place) -> Answer:
        said = self._script[item.id]
        if isinstance(said, Exception):
            raise said
        return Answer(*said, "because", asked=item.id == "q", degraded=("down",) if item.id == "r" else ())


@pytest.mark.parametrize(
    ("answer", "alarm", "choice", "cell"),
    [
        ("b", True, "b", "RR"),
        ("b", True, "c", "RW"),
        ("b", True, "a", "RW"),
        ("b", False, "b", "WR"),
        ("b", False, "a", "WW"),
        ("b", False, "c", "WW"),
        ("a", False, "a", "RR"),
        ("a", False, "b", "RW"),
        ("a", True, "a", "WR"),
        ("a", True, "b", "WW"),
    ],
)
def test_detection_and_reasoning_are_right_or_wrong_apart(
    answer: Letter, alarm: bool, choice: Letter, cell: str
) -> None:
    assert Judged(item("one", answer), Answer(alarm, choice, ""), None, 0.0).cell == cell


SCRIPT: dict[str, tuple[bool, Letter] | Exception] = {
    "p": (True, "b"),  # RR
    "q": (True, "c"),  # RW
    "r": (False, "d"),  # WR
    "s": InferenceError("is down"),
    "t": (True, "b"),  # WW: all was normal
    "u": (False, "a"),  # RR
    "v": ReplyError("no JSON", "hm"),  # normal, and unanswered all the same
}
ANSWERS: dict[str, Letter] = {"p": "b", "q": "b", "r": "d", "s": "b", "t": "a", "u": "a", "v": "a"}


def test_cells_and_measures_of_the_detection() -> None:
    ticks = iter(range(100))
    told: list[tuple[str, float]] = []
    scored = ask_all(
        "scripted",
        Scripted(SCRIPT),
        items(**ANSWERS),
        advance=lambda way, amount: told.append((way, amount)),
        monotonic=lambda: float(next(ticks)),
    )
    assert scored.cells == {"RR": 2, "RW": 1, "WR": 1, "WW": 3}
    assert scored.accuracy == pytest.approx(3 / 7)
    assert scored.precision == pytest.approx(2 / 3)
    assert scored.recall == pytest.approx(2 / 4)
    assert (scored.asked, scored.unanswered, scored.degraded) == (3, 2, 1)
    assert scored.seconds_median == 1.0
    assert told == [("scripted", 0)] + [("scripted", 1)] * 7
    assert [one["fault"] for one in scored.as_dict()["items"]] == [None] * 3 + ["is down"] + [None] * 2 + ["no JSON"]


def test_without_alarms_or_anomalies_nothing_is_made_up() -> None:
    scored = ask_all("calm", Scripted({"u": (False, "a")}), items(u="a"))
    assert scored.precision is None
    assert scored.recall is None
    assert scored.accuracy == 1.0


def test_the_table_says_what_was_reconstructed_and_what_was_not_run() -> None:
    asked = items(**ANSWERS)
    scored = ask_all("direct", Scripted(SCRIPT), asked, reconstructed=True)
    report = Report(asked, "rule files", (scored,), {"vision": "7 of 7 items have no picture (image:)"})
    lines = str(report).splitlines()
    assert lines[0] == "made: 7 items, 4 anomalous; 1 places"
    assert lines[3].split()[:5] == ["direct", "2", "1", "1", "3"]
    assert "42.9%" in lines[3]
    assert lines[3].endswith("script (prompt reconstructed) (left out 1 times)")
    assert lines[4].split(maxsplit=1) == ["vision", "not run: 7 of 7 items have no picture (image:)"]
    told = report.as_dict()
    assert (told["items"], told["anomalous"]) == (7, 4)
    assert {"RR": 2, "RW": 1, "WR": 1, "WW": 3}.items() <= told["ways"][0].items()
    assert told["ways"][0]["reconstructed"] is True
    assert told["not_run"] == {"vision": "7 of 7 items have no picture (image:)"}
