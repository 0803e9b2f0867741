"""Real footage with the real models, backtested: what it tells is what a replay raises, with its pictures, beside
rules that know of no hurry."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from streamproc.backtest.run import backtest_video, write_page
from streamproc.replay import replay
from streamproc.rollback import roll_back
from streamproc.rules import history
from streamproc.rules.schema import load_rules

pytestmark = [pytest.mark.integration, pytest.mark.models]

START = datetime(2026, 11, 21, 8, tzinfo=UTC)
Part = Callable[[str, float, float], Path]


def test_what_is_told_is_what_a_replay_raises_and_an_earlier_version_did_not(
    site: Path, part: Part, tmp_path: Path
) -> None:
    hurried, walked = part("two", 54.0, 66.0), part("one", 0.0, 14.0)
    rules = site.parent / "rules" / "two.yaml"
    # An earlier version in which every rule about what is not normal is switched off.
    off = rules.read_text().replace("says: anomaly", "says: anomaly\n    enabled: false")
    history.keep(rules, off.encode())
    (before,) = history.kept(rules)

    labels = tmp_path / "labels.csv"
    rows = [f"{hurried.name},{frame},{int(frame < 60)}\n" for frame in range(120)]
    rows += [f"{walked.name},{frame},0\n" for frame in range(140)]
    labels.write_text("clip,frame,label\n" + "".join(rows), encoding="utf-8")

    found = backtest_video(
        rules,
        site,
        "two",
        [str(hurried), str(walked)],
        labels=labels,
        against="1",
        start=START,
        pictures=True,
    )
    alerts: list[dict[str, Any]] = []
    replay(site, "two", hurried, START, None, alerts.append)
    (opened,) = [alert["data"] for alert in alerts if alert["data"]["action"] == "open"]
    (moment,) = found.outcome.moments
    assert (moment.clip, moment.reason, moment.score) == (hurried.name, opened["reason"], opened["score"])
    assert datetime.fromisoformat(opened["start"]) == moment.at
    assert "people-hurry" in [rule_id for rule_id, _ in moment.rules]
    assert moment.false is False
    assert found.outcome.false_alarms == 0
    assert found.outcome.measures is not None
    assert found.outcome.measures.auroc is not None
    assert found.outcome.measures.auroc > 0.7
    assert (found.outcome.measures.events, found.outcome.measures.events_caught) == (1, 1)
    assert found.against is not None
    assert found.against.rules.endswith("two.yaml, version 1")
    assert "people-hurry" not in found.against.by_rule()
    assert json.loads(json.dumps(found.as_dict()))["by_hour"] == {"2026-11-21 08:00": 1}

    sheet = tmp_path / "sheet.html"
    write_page(found, sheet)
    encoded = sheet.read_text(encoding="utf-8").split("data:image/jpeg;base64,")[1].split('"')[0]
    with Image.open(io.BytesIO(b64decode(encoded))) as picture:
        assert picture.size[0] == 640

    done = roll_back(rules, before.name)
    assert not any(rule.enabled for rule in load_rules(rules).rules if rule.says == "anomaly")
    assert done.changes is not None
    assert {one.what for one in done.changes.rules} == {"switched off"}
