"""The contact sheet needs nothing beside it, and nothing that is put into it is taken for HTML."""

from __future__ import annotations

import dataclasses
import re
from base64 import b64encode
from html.parser import HTMLParser

from streamproc.backtest.outcome import Backtest, Moment, Outcome
from streamproc.backtest.page import Html, fill, page

EVIL = "<script>alert('x')</script>\"&${title}"
MOMENT = Moment(EVIL, 61, 65, None, "error", 0.8, ((EVIL, EVIL),), EVIL, EVIL, EVIL, True, b"a picture")
OUTCOME = Outcome(EVIL, 3, "ab" * 6, 0.5, 7200.0, 3600.0, (MOMENT,), None, (EVIL,))


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_everything_is_escaped_and_every_tag_is_closed() -> None:
    text = page(Backtest(OUTCOME, OUTCOME))
    tags = Tags(text)
    assert tags.open == []
    assert "script" not in {tag for tag, _ in tags.seen}
    assert all(not name.startswith("on") for _, attributes in tags.seen for name in attributes)
    assert "<script" not in text
    assert "${title}" in text  # what is put in is not filled in again


def test_pictures_are_inside_and_nothing_is_fetched() -> None:
    text = page(Backtest(OUTCOME, None))
    assert f'src="data:image/jpeg;base64,{b64encode(b"a picture").decode()}"' in text
    assert re.search(r"(https?:)?//[a-z]", text) is None
    assert "default-src 'none'" in text


def test_what_is_told() -> None:
    moment = dataclasses.replace(MOMENT, clip="gate.mp4", rules=(("run", "Somebody runs."),), reason="Somebody ran.")
    outcome = dataclasses.replace(OUTCOME, rules="gate.yaml", moments=(moment,), notes=("mind the gap",))
    text = page(Backtest(outcome, None))
    for said in (
        "Backtest of gate.yaml",
        "<strong>1 alert</strong> in 2 h of footage",
        "1 in 1 h if all of it is normal",
        "gate.mp4 1:01-1:05",
        "(false alarm)",
        "Somebody ran.",
        "Note: mind the gap.",
        '<figure class="error">',
    ):
        assert said in text
    other = dataclasses.replace(outcome, rules="old.yaml", moments=())
    text = page(Backtest(outcome, other))
    assert "Raised by gate.yaml (version 3) alone: 1" in text
    assert "Raised by old.yaml (version 3) alone: 0" in text
    assert "Raised by both: 0" in text


def test_only_html_is_put_in_as_it_is() -> None:
    assert fill("<b>$a</b>$c", a="<i>", c=Html("<i></i>")) == "<b>&lt;i&gt;</b><i></i>"
