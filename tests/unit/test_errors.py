"""Whose turn it is, what the message says, and that errors survive the way to another process."""

from __future__ import annotations

import pickle

import pytest

from streamproc import errors
from streamproc.errors import (
    ChannelClosed,
    ConfigError,
    DeliveryError,
    Fault,
    InferenceError,
    ModelError,
    ModelLoadError,
    NotSent,
    ReplyError,
    SinkError,
    SourceError,
    SourceRefused,
    SourceTimeout,
    StageError,
    StreamprocError,
)

SAMPLES: list[StreamprocError] = [
    StreamprocError("x"),
    ConfigError("no such file"),
    ConfigError("", (Fault("site.yaml", 3, 5, "cameras.0.main", "is missing"),)),
    SourceError("gate", "end of stream"),
    SourceTimeout("gate", "no packet for 5 s"),
    SourceRefused("gate", "401"),
    ModelError("x"),
    ModelLoadError("nanodet.onnx: sha256 differs"),
    InferenceError("503"),
    NotSent("it waited 12 s", "stale"),
    ReplyError("not JSON", "I am sorry"),
    SinkError("x"),
    DeliveryError("x"),
    ChannelClosed(),
    StageError("worker-0 did not end"),
]


def test_every_error_is_sampled() -> None:
    all_of_them = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert {type(error) for error in SAMPLES} == all_of_them


def test_only_what_may_mend_itself_is_retriable() -> None:
    retriable = {type(error) for error in SAMPLES if error.retriable}
    assert retriable == {SourceError, SourceTimeout, SourceRefused, InferenceError, DeliveryError}


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_pickled_and_back_it_is_the_same(error: StreamprocError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_a_source_error_names_its_camera() -> None:
    error = SourceTimeout("gate", "no packet for 5 s")
    assert (str(error), error.camera_id, error.reason) == (
        "camera gate: no packet for 5 s",
        "gate",
        "no packet for 5 s",
    )


def test_a_reply_error_keeps_the_reply_out_of_its_message() -> None:
    error = ReplyError("not JSON", "I am sorry, but")
    assert str(error) == "not JSON"
    assert error.text == "I am sorry, but"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault("a.yaml", 3, 5, "cameras.0.id", "is missing"), "a.yaml:3:5: cameras.0.id: is missing"),
        (Fault("a.yaml", 3, None, "", "is odd"), "a.yaml:3: is odd"),
        (Fault("a.yaml", None, None, "", "cannot be read"), "a.yaml: cannot be read"),
    ],
)
def test_a_fault_is_one_line_that_editors_can_jump_to(fault: Fault, says: str) -> None:
    assert str(fault) == says


def test_a_config_error_tells_every_fault() -> None:
    faults = (Fault("a.yaml", 1, 1, "x", "one"), Fault("a.yaml", 2, 1, "y", "two"))
    assert str(ConfigError("unused", faults)) == "a.yaml:1:1: x: one\na.yaml:2:1: y: two"
