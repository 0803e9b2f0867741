"""Features of many samples on disk: encoding is the dear part of training, so it is done once.

A bank is a folder of ``bank.json`` (what it is of and how much is done), ``features.f16`` (samples, n pictures, 4 taps
and the tokens, t, c), ``masks.u8`` (samples, t: how much of each token is defective, 255 is all),
``masked.u8`` (samples: 1 where the mask is known) and ``labels.u8``.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from streamproc.errors import ConfigError
from streamproc.inspection.nouns import TAPS, Backbone
from streamproc.inspection.training.sources import Sample, Source
from streamproc.inspection.views import make_plain_views

Told = Callable[[str, int, int], None]
"""What is being done, how far, of how much."""
EVERY = 32
"""How often what is done is written down, samples."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a bank is of; two are the same bank where this is equal."""

    source: str
    backbone: str
    revision: str
    samples: int
    pictures: int
    side: int
    channels: int


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Encoded samples, read from disk as they are needed."""

    identity: Identity
    features: np.ndarray
    """(samples, n, 5, t, c) float16: four taps, then the last tokens."""
    masks: np.ndarray
    """(samples, t) uint8: how much of each token is defective."""
    labels: np.ndarray
    """(samples,) uint8."""
    masked: np.ndarray
    """(samples,) uint8: 1 where ``masks`` is known."""

    def __len__(self) -> int:
        return self.identity.samples


def encode(source: Source, backbone: Backbone, folder: Path, told: Told) -> Bank:
    """The bank of ``source`` in ``folder``: opened if it is complete, gone on with if it was cut short, else begun.

    Raises:
        ConfigError: the folder holds another bank, or a sample cannot be read.
        InferenceError: the encoder failed.
    """
    first = _encoded(source.sample(0), backbone)
    pictures, _, tokens, channels = first[0].shape
    side = math.isqrt(tokens)
    identity = Identity(source.key, backbone.name, backbone.revision, len(source), pictures, side, channels)
    done = _done(folder, identity)
    bank = _open(folder, identity, "r+" if done else "w+")
    for number in range(done, len(source)):
        bank.features[number], bank.masks[number], bank.labels[number], bank.masked[number] = (
            first if number == 0 else _encoded(source.sample(number), backbone)
        )
        if (number + 1) % EVERY == 0 or number + 1 == len(source):
            for array in (bank.features, bank.masks, bank.labels, bank.masked):
                if isinstance(array, np.memmap):
                    array.flush()
            _write(folder, identity, number + 1)
        told(f"encoding {source.key}", number + 1, len(source))
    return _open(folder, identity, "r")


def _encoded(sample: Sample, backbone: Backbone) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Features (n, 5, t, c), the mask (t,), the label, and whether the mask is known."""
    each = [backbone.encode(make_plain_views(picture, backbone.side_px)) for picture in sample.pictures]
    features = np.stack([np.concatenate([f.taps[:, 0], f.tokens[:1]]) for f in each])
    most = float(np.finfo(np.float16).max)
    side = each[0].side
    mask = np.zeros(side * side, np.uint8)
    if sample.mask is not None:
        shares = cv2.resize(sample.mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
        mask = np.asarray(np.ceil(shares.reshape(-1) * 255), np.uint8)
    return features.clip(-most, most).astype(np.float16), mask, sample.label, int(sample.mask is not None)


def _open(folder: Path, identity: Identity, mode: str) -> Bank:
    folder.mkdir(parents=True, exist_ok=True)
    count, tokens = identity.samples, identity.side**2

    def array(name: str, kind: type, shape: tuple[int, ...]) -> np.ndarray:
        return np.memmap(folder / name, kind, mode, shape=shape)  # type: ignore[call-overload,no-any-return]

    shape = (count, identity.pictures, TAPS + 1, tokens, identity.channels)
    return Bank(
        identity,
        array("features.f16", np.float16, shape),
        array("masks.u8", np.uint8, (count, tokens)),
        array("labels.u8", np.uint8, (count,)),
        array("masked.u8", np.uint8, (count,)),
    )


def _done(folder: Path, identity: Identity) -> int:
    """How many samples are there already."""
    said = folder / "bank.json"
    if not said.exists():
        return 0
    try:
        held = json.loads(said.read_text())
        done, of = int(held.pop("done")), Identity(**held)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{said}: not readable as a bank of features: {error}") from error
    if of != identity:
        raise ConfigError(f"{folder}: holds features of {of}, not of {identity}; choose another folder")
    return done


def _write(folder: Path, identity: Identity, done: int) -> None:
    fresh = folder / "bank.json.new"
    fresh.write_text(json.dumps({**asdict(identity), "done": done}, indent=1))
    os.replace(fresh, folder / "bank.json")  # noqa: PTH105
