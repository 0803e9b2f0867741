"""What the route by tokens needs, taken out of a LLaVA-OneVision: its projector, newline and indication phrases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from streamproc.errors import ConfigError, ModelLoadError
from streamproc.inspection.answers.projector import DOUBTS, LAYERS, NEWLINE, Projector
from streamproc.inspection.answers.prompts import Doubt, phrase
from streamproc.inspection.backbones.siglip import tower_settings
from streamproc.inspection.backbones.weights import model_file, read_tensors
from streamproc.inspection.spans import PHRASE_TOKENS

_PROJECTOR = "multi_modal_projector."
_ROWS = "embed_tokens.weight"


def extract_projector(model: str, out: Path) -> Projector:
    """Write the .npz of ``model``, its folder or its hub id, to ``out``, whole or not at all.

    Raises:
        ModelLoadError: a file is missing, or it is no LLaVA-OneVision; names what is missing.
        ConfigError: ``out`` cannot be written.
    """
    tower_settings(model_file(model, "config.json"))  # refuses another model by what it is
    file = model_file(model, "tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises nothing narrower
        raise ModelLoadError(f"{file}: cannot be read as a tokenizer: {error}") from error
    phrases = phrase_ids(lambda text: tokenizer.encode(text, add_special_tokens=False).ids, model)
    found = read_tensors(model, _named, {_ROWS: [token for doubt in DOUBTS for token in phrases[doubt]]})
    if missing := [name for name in (*LAYERS, NEWLINE, _ROWS) if name not in found]:
        raise ModelLoadError(f"{model}: holds no {missing[0]}: is it a LLaVA-OneVision in transformers' form?")
    rows = np.stack([row.float().numpy() for row in found.pop(_ROWS)]).reshape(len(DOUBTS), PHRASE_TOKENS, -1)
    tensors = {name: tensor.float().numpy() for name, tensor in found.items()} | dict(zip(DOUBTS, rows, strict=True))
    unfinished = out.with_name(f"{out.name}.part.npz")  # numpy appends what is not there
    try:
        np.savez(unfinished, **tensors)
        projector = Projector.load(unfinished)
        unfinished.replace(out)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return projector


def phrase_ids(encode: Callable[[str], Sequence[int]], model: str) -> Mapping[Doubt, Sequence[int]]:
    """The tokens of each indication phrase, by ``encode`` without special ones.

    Raises:
        ModelLoadError: they are fewer than there are places for; names ``model``.
    """
    found = {}
    for doubt in DOUBTS:
        ids = encode(phrase(doubt))
        if len(ids) < PHRASE_TOKENS:
            raise ModelLoadError(f"{model}: its tokenizer makes {len(ids)} tokens of a phrase of {PHRASE_TOKENS}")
        found[doubt] = ids[:PHRASE_TOKENS]
    return found


def _named(key: str) -> str | None:
    """Releases of transformers differ in what stands before."""
    _, of_projector, name = key.partition(_PROJECTOR)
    if of_projector:
        return name if name in LAYERS else None
    return next((name for name in (NEWLINE, _ROWS) if key.rpartition(name)[1:] == (name, "")), None)
