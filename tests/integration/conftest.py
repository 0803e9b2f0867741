"""What integration tests share: what kafka-python leaves behind is cleared up after each test."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # kafka-python leaves the sockets of its failed attempts to connect to the garbage collector.
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


@pytest.fixture(autouse=True)
def _collect_what_kafka_left() -> Iterator[None]:
    # Its log records hold exceptions, whose tracebacks hold the sockets; pytest would keep them to the end.
    logger = logging.getLogger("kafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)
    if "kafka" in sys.modules:
        gc.collect()
