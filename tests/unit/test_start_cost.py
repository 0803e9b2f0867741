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


def test_linear_algebra_of_the_command_line_runs_in_one_thread() -> None:
    code = (
        "import sys; sys.argv = ['streamproc', '--version'];"
        "import atexit, os; atexit.register(lambda: print(os.environ['OPENBLAS_NUM_THREADS']));"
        "from streamproc.cli import main; main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split()[-1] == "1"
