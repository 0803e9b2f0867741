"""Which of two severities is the graver."""

from __future__ import annotations

from collections.abc import Mapping

from streamproc.types import Severity

RANK: Mapping[Severity, int] = {"critical": 3, "error": 2, "warning": 1, "info": 0}
