"""Real footage with the real models: a false alarm that was reported is raised no more, a right one still is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streamproc.feedback.known import messages_of
from streamproc.feedback.recalibrating import recalibrate
from streamproc.feedback.records import Says, put, recorded
from streamproc.replay import replay
from streamproc.rollback import roll_back
from streamproc.rules.schema import load_rules
from streamproc.site import load_site

pytestmark = [pytest.mark.integration, pytest.mark.models]

START = datetime(2026, 11, 21, 8, tzinfo=UTC)
Part = Callable[[str, float, float], Path]
WRONG = """\
  - {id: no-walkers, about: human, says: anomaly, text: Somebody walks on the grass., keywords: [walk], severity: error}
"""


def play(site: Path, video: Path, alerts: Path) -> dict[str, tuple[str, ...]]:
    """The alerts that are raised, and the rules that each cites; their messages are added to the file ``alerts``."""
    opened: dict[str, tuple[str, ...]] = {}

    def tell(alert: dict[str, Any]) -> None:
        with alerts.open("a", encoding="utf-8") as file:
            file.write(json.dumps(alert) + "\n")
        opened[alert["data"]["alert_id"]] = tuple(rule["id"] for rule in alert["data"]["cited_rules"])

    replay(site, "two", video, START, None, tell)
    return opened


def began(alerts: Path, alert_id: str) -> float:
    """When the alert's situation began, seconds since 1970."""
    messages = (json.loads(line)["data"] for line in alerts.read_text(encoding="utf-8").splitlines())
    return next(datetime.fromisoformat(one["start"]).timestamp() for one in messages if one["alert_id"] == alert_id)


def say(site: Path, alerts: Path, alert_id: str, says: Says, rule: str | None = None) -> None:
    messages = messages_of(alert_id, load_site(site).settings.alerts, alerts)
    put(site.parent / "rules" / "two.yaml", recorded(messages, says, rule, "", START))


def test_a_false_alarm_is_raised_no_more_and_a_right_one_is(site: Path, part: Part, tmp_path: Path) -> None:
    rules, alerts = site.parent / "rules" / "two.yaml", tmp_path / "alerts.txt"
    version = load_rules(rules).version
    hurried, walked = part("two", 54.0, 60.0), part("one", 0.0, 8.0)
    right = play(site, hurried, alerts)
    (caught,) = right.values()
    assert "people-hurry" in caught

    head, _, rest = rules.read_text().partition("rules:\n")
    rules.write_text(f"{head}rules:\n{WRONG}{rest}")
    false = play(site, walked, alerts)
    assert list(false.values()) == [("no-walkers",)]
    say(site, alerts, next(iter(right)), "right")
    say(site, alerts, next(iter(false)), "false", "no-walkers")
    done = recalibrate(rules)
    assert done.version == version + 1
    assert done.feedback is not None
    assert [one.keyword for one in done.feedback.blamed_keywords] == ["walk"]
    assert done.feedback.unresolved == ()
    assert play(site, walked, alerts) == {}
    again = play(site, hurried, alerts)
    (caught,) = again.values()
    assert "people-hurry" in caught
    # The threshold may have moved, and with it the window that reaches it first.
    assert abs(began(alerts, next(iter(again))) - began(alerts, next(iter(right)))) < 1.0
    assert (load_rules(rules).version, roll_back(rules, str(version)).restored) == (version + 1, version)
    assert all(strength == 1.0 for rule in load_rules(rules).rules for strength in rule.strengths)
