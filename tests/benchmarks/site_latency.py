"""Latency from capture to topic with two cameras: receipt of a window's last picture until the broker's timestamp.

    python tests/benchmarks/site_latency.py

Two 640x480 10 fps cameras of real footage over RTSP, the embedded pipeline, a development broker on the same machine. A
rule that is always met makes every window an alert with its picture and clip, so that there is much to measure: more
work than any site has. A window spans one second, so what happened at its start waited up to a second more.
"""

from __future__ import annotations

import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from kafka import KafkaConsumer

from streamproc.demo.broker import DevBroker
from streamproc.testing_bench import machine, pedestrians, site

FIXTURES = Path(__file__).parents[1] / "integration" / "site" / "rules"
RULES = "rules:\n  - {id: odd-walking, about: human, says: anomaly, text: Somebody walks., keywords: [walk]}\n"
WATCH_S = 60.0


def main() -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")
    print("command: python tests/benchmarks/site_latency.py\n")
    with tempfile.TemporaryDirectory() as temporary, DevBroker(Path(temporary) / "broker") as broker:
        clip = pedestrians(Path(temporary) / "clip.mp4", (640, 480), 10, 40.0)
        sink = f'{{kind: kafka, bootstrap_servers: ["{broker.bootstrap}"]}}'
        with site(
            Path(temporary) / "site", clip, 2, RULES, FIXTURES / "two.normality.json", sink, update_every_s=0.5
        ) as one:
            one.wait("windows_total", 10, 120)
            time.sleep(WATCH_S)
            dropped = one.metric("windows_dropped_total")
        consumer = KafkaConsumer(
            "streamproc.alerts",
            bootstrap_servers=broker.bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=3000,
        )
        total: list[float] = []
        parts: dict[str, list[float]] = {}
        for record in consumer:
            data = json.loads(record.value)["data"]
            if data["action"] == "resolve":
                continue
            captured = datetime.fromisoformat(data["captured_at"]).timestamp()
            total.append(record.timestamp / 1e3 - captured)
            for stage, value_ms in data["pipeline"]["latency_ms"].items():
                parts.setdefault(stage, []).append(value_ms / 1e3)
        consumer.close()
    print(f"{len(total)} alerts, {dropped:.0f} windows dropped; seconds")
    print(f"{'':<18}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}")
    for name, values in {"capture to topic": total, **parts}.items():
        p50, p95, p99 = np.percentile(values, (50, 95, 99))
        print(f"{name:<18}{p50:>8.3f}{p95:>8.3f}{p99:>8.3f}{max(values):>8.3f}")


if __name__ == "__main__":
    main()
