"""``kill -9`` at fifty random points: what was decided is on the topic, in order, recognisable by its id."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamproc.alerts.delivery import Delivery
from streamproc.alerts.kafka import KafkaSink
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.tail import tail
from streamproc.config import KafkaSinkSettings
from streamproc.demo.broker import DevBroker

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

KILLS = 50
SEED = 20261121


def test_nothing_decided_is_lost(tmp_path: Path) -> None:
    path, decided = tmp_path / "outbox.sqlite3", tmp_path / "decided.txt"
    chance = random.Random(SEED)
    with DevBroker(tmp_path / "broker") as broker:
        argv = [sys.executable, str(Path(__file__).with_name("driver.py")), str(path), broker.bootstrap, str(decided)]
        with (
            (tmp_path / "driver.log").open("wb") as log,
            subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as driver,
        ):
            assert driver.stdin is not None
            assert driver.stdout is not None
            for life in range(KILLS):
                driver.stdin.write(f"life{life:02d}\n")
                driver.stdin.flush()
                pid = int(driver.stdout.readline())
                time.sleep(chance.uniform(0.0, 0.9))  # from before the outbox is open to well into delivering
                os.kill(pid, signal.SIGKILL)
                assert driver.stdout.readline() == f"dead {-signal.SIGKILL}\n"
            driver.stdin.close()
            assert driver.wait(10) == 0

        settings = KafkaSinkSettings(kind="kafka", bootstrap_servers=(broker.bootstrap,))
        outbox = Outbox(path, ("kafka",))
        left = outbox.backlog("kafka")[0]
        delivery = Delivery("kafka", KafkaSink(settings), outbox, site="yard")
        delivery.start()
        assert delivery.drain(30) == 0
        assert delivery.stop(15)
        journal = [(entry.key, entry.id) for entry in outbox.journal()]
        outbox.close()
        topic = [(one["camera"], one["id"]) for one in tail(settings, from_beginning=True, follow=False)]

    recorded = decided.read_text().split()
    lives = len({one.split("-")[0] for one in recorded})
    print(f"{len(journal)} decided in {lives} lives; {left} of them waited at the last restart")
    assert lives > KILLS / 2, "most lives must have come as far as deciding"
    assert set(recorded) <= {one for _, one in journal}
    assert sorted(topic) == sorted(journal)
    for camera in {key for key, _ in journal}:
        assert [one for key, one in topic if key == camera] == [one for key, one in journal if key == camera]
