"""Libraries' own thread pools."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from streamproc.models.threads import one_thread_each


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Two threads each, and afterwards as it was."""
    threads = cv2.getNumThreads()
    with threadpool_limits(limits=2, user_api="blas"):
        cv2.setNumThreads(2)
        yield
        cv2.setNumThreads(threads)


def blas() -> dict[str, int]:
    return {one["filepath"]: one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_opencv_works_in_the_thread_that_calls_it() -> None:
    one_thread_each()

    assert cv2.getNumThreads() == 1


def test_products_of_matrices_are_worked_out_in_the_thread_that_asks() -> None:
    assert np.__name__  # it brings a BLAS
    assert set(blas().values()) == {2}

    one_thread_each()

    assert set(blas().values()) == {1}
