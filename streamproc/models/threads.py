"""Libraries' own thread pools, in a process that already has threads of its own for many cameras."""

from __future__ import annotations

import cv2
from threadpoolctl import threadpool_limits


def one_thread_each() -> None:
    """From now on OpenCV and each BLAS that is loaded work in the thread that calls them.

    With pools, cameras that are watched side by side wait for each other, and OpenBLAS's threads spin between the small
    products of a window: they took more processor time than all else together.
    """
    cv2.setNumThreads(1)
    threadpool_limits(limits=1, user_api="blas")
