"""Questions about pictures and the answers that are wanted, in the form of VisA-D&R's files.

Anomaly-OV's benchmark (its section 4.2) comes as two: ``{image, anomaly}`` for detection, and ``{image, questions}``
for reasoning, of anomalous pictures alone. Its names within ``questions`` are not written down anywhere; ``question``
and ``answer`` are read, and ``user`` and ``assistant``, as in the paper's prompt for making them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from streamproc.errors import ConfigError, Fault

Level = Literal["detection", "low", "complex"]
"""Is there anything; what is it; what caused it and how is it prevented."""
DETECTION = "Are there any defects for the object in the image? Please reply with 'Yes' or 'No'."
"""The question of the paper's figure 6."""
_LOW = 2
"""Of four questions to a picture the first two are of the lower level, as in figure 6."""
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one picture."""

    image: Path
    kind: str
    """Of which class of things the picture is; measures of detection are averaged over classes."""
    level: Level
    text: str
    wanted: str
    """``Yes`` or ``No`` where ``level`` is detection."""


class _Pair(BaseModel):
    model_config = ConfigDict(extra="ignore")
    question: _Text = Field(validation_alias=AliasChoices("question", "user"))
    answer: _Text = Field(validation_alias=AliasChoices("answer", "assistant"))
    level: Literal["low", "complex"] | None = None


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")
    image: _Text
    kind: str | None = Field(None, validation_alias="class")
    anomaly: bool | None = None
    questions: list[_Pair] = []


def load_questions(images: Path, files: Sequence[Path]) -> tuple[Question, ...]:
    """The questions of ``files``, JSON lists or JSON lines; paths in them are relative to the folder ``images``.

    A picture's class is its ``class``, or else the first folder of its path.

    Raises:
        ConfigError: names the file and which of its items is at fault, from 1.
    """
    found = [one for file in files for item, row in enumerate(_rows(file), 1) for one in _of(images, file, item, row)]
    if not found:
        raise ConfigError(f"{', '.join(map(str, files)) or 'no file'} holds no questions")
    return tuple(found)


def _rows(file: Path) -> list[Any]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        rows = (
            json.loads(text) if text.lstrip()[:1] == "[" else [json.loads(line) for line in text.splitlines() if line]
        )
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file} is neither a JSON list nor JSON lines: {error}") from None
    return list(rows)


def _of(images: Path, file: Path, item: int, row: object) -> Iterator[Question]:
    try:
        # A line may be a question by itself.
        pair = {"questions": [row]} if isinstance(row, dict) and ("question" in row or "user" in row) else {}
        read = _Row.model_validate({**row, **pair} if isinstance(row, dict) else row)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _fault(file, item, ".".join(map(str, first["loc"])), first["msg"]) from None
    image = images / read.image
    if not image.is_file():
        raise _fault(file, item, "image", f"there is no file {image}")
    if read.anomaly is None and not read.questions:
        raise _fault(file, item, "", "has neither anomaly nor questions")
    folders = Path(read.image).parts[:-1]
    kind = read.kind if read.kind is not None else next(iter(folders), "")
    if read.anomaly is not None:
        yield Question(image, kind, "detection", DETECTION, "Yes" if read.anomaly else "No")
    for place, asked in enumerate(read.questions):
        level = asked.level or ("low" if place < _LOW else "complex")
        yield Question(image, kind, level, asked.question, asked.answer)


def _fault(file: Path, item: int, field: str, message: str) -> ConfigError:
    return ConfigError(faults=(Fault(str(file), None, None, f"item {item}{': ' if field else ''}{field}", message),))
