"""What the command line loads before it knows what it is asked for."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("av", "cv2", "kafka", "numpy", "onnxruntime", "openai", "supervision", "tokenizers", "torch", "trackers")


def test_help_loads_no_heavy_package() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from streamproc.cli import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split() == []
