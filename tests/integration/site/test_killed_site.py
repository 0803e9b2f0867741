"""The whole process killed at random points: what its outbox holds is on the topic once it ran again."""

from __future__ import annotations

import random
import signal
import sqlite3

import pytest

from streamproc.testing_site import LiveSite

ALWAYS = """\
schema_version: 1
site: site
camera: two
version: 1
rules:
  - {id: odd-walking, about: human, says: anomaly, text: Somebody walks., keywords: [walk], severity: error}
"""


def lives(live: LiveSite, count: int, seed: int) -> int:
    """Run and kill the site ``count`` times, then let it end in peace; how many alerts were decided in all."""
    chance = random.Random(seed)
    for _ in range(count):
        live.wait(lambda: live.phase() == "streaming", 60, "the camera streams")
        assert live.process is not None
        # From before the first verdict to after an incident's updates.
        live.pause(chance.uniform(0.0, 6.0))
        live.process.send_signal(signal.SIGKILL)
        live.process.wait(10)
        live.start()
    live.wait(lambda: live.phase() == "streaming", 60, "the camera streams")
    live.wait(lambda: "alerts_decided_total" in live.page("metrics"), 30, "the pages answer")
    live.pause(4.0)
    assert live.stop() == 0, live.log.read_text()[-3000:]
    with sqlite3.connect(live.folder / "var" / "outbox.sqlite3") as db:
        decided = {row[0] for row in db.execute("SELECT id FROM messages")}
    assert live.read_all(decided, within_s=20), sorted(decided - {alert["id"] for alert in live.alerts})
    return len(decided)


@pytest.mark.integration
@pytest.mark.models
@pytest.mark.timeout(240)
def test_five_kills_lose_nothing_decided(live: LiveSite) -> None:
    live.rules.write_text(ALWAYS, encoding="utf-8")
    assert lives(live, 5, seed=1) >= 2


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.models
@pytest.mark.timeout(1500)
def test_fifty_kills_lose_nothing_decided(live: LiveSite) -> None:
    live.rules.write_text(ALWAYS, encoding="utf-8")
    decided = lives(live, 50, seed=2)
    print(f"50 kills: {decided} alerts decided, each on the topic")
    assert decided >= 20
