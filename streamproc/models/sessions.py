"""ONNX Runtime sessions as a pipeline with many threads of its own wants them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import onnxruntime as ort

from streamproc.errors import ModelLoadError


def open_session(path: Path, threads: int = 1) -> tuple[Any, str]:
    """The ONNX model at ``path`` on the CPU, and its revision: the first 12 digits of the file's sha256.

    Calling ``run`` from several threads at once is safe.

    Raises:
        ModelLoadError: there is no such file or it does not load.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads would otherwise spin, and take a core from decoding between two frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelLoadError(f"{path}: cannot be read: {error.strerror}") from error
    revision = hashlib.sha256(data).hexdigest()[:12]
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"]), revision
    except Exception as error:  # ONNX Runtime's errors have no common base of their own
        raise ModelLoadError(f"{path} (sha256 {revision}…): does not load as an ONNX model: {error}") from error
