"""A small process to be killed: decides alerts in a loop through the real outbox and delivers them to a real broker.

``driver.py OUTBOX BOOTSTRAP DECIDED``. For each line on standard input it forks a child that works until it is killed,
prints the child's pid, and prints ``dead`` when the child has ended; so fifty lives cost one start of Python. The child
appends each id to the file DECIDED after ``decide`` has returned: a record that owes nothing to the outbox.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from pathlib import Path

import structlog

from streamproc.alerts.delivery import Delivery
from streamproc.alerts.kafka import KafkaSink
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.sinks import Outgoing
from streamproc.config import KafkaSinkSettings


def work(path: Path, bootstrap: str, decided: Path, life: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    outbox = Outbox(path, ("kafka",))
    sink = KafkaSink(KafkaSinkSettings(kind="kafka", bootstrap_servers=(bootstrap,)))
    delivery = Delivery("kafka", sink, outbox, site="yard", batch=20, longest_wait_s=0.3)
    delivery.start()
    record = os.open(decided, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in itertools.count():
        camera = f"camera-{number % 3}"
        one = f"{life}-{number:05d}"
        message = Outgoing(one, camera, json.dumps({"id": one, "camera": camera}).encode())
        outbox.decide([message], {(camera, "behaviour"): one})
        os.write(record, f"{one}\n".encode())
        delivery.wake()
        time.sleep(0.003)


def main() -> None:
    path, bootstrap, decided = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            work(path, bootstrap, decided, line.strip())
            os._exit(1)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print("dead", os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
