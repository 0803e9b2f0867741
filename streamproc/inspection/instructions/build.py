"""Names of things become conversations: phrases, pictures, no duplicates, cleaning, answers."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamproc.errors import ConfigError, ReplyError
from streamproc.inspection.instructions.boxes import boxes_of
from streamproc.inspection.instructions.cleaning import Judge
from streamproc.inspection.instructions.conversations import Conversation, Provenance, as_line, conversation
from streamproc.inspection.instructions.describing import Describer
from streamproc.inspection.instructions.duplicates import Seen, feature
from streamproc.inspection.instructions.journal import Journal
from streamproc.inspection.instructions.phrases import Phrase, PhraseMaker
from streamproc.inspection.instructions.search import ImageSearch, Picture
from streamproc.inspection.nouns import Backbone, Floats, Pixels
from streamproc.inspection.training.records import read_mask, read_picture
from streamproc.wholefile import private_file

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """What can be replaced."""

    phrases: PhraseMaker
    search: ImageSearch
    backbone: Backbone
    judge: Judge
    describer: Describer


@dataclass(frozen=True, slots=True)
class Built:
    """What came of it."""

    conversations: int
    left_out: dict[str, int]
    """Pictures that were found and not taken, by cause."""
    nothing_found: tuple[str, ...]
    """Things for which no picture was found."""


def build(things: Sequence[str], root: Path, parts: Parts, out: Path, tell: Tell) -> Built:
    """Write the conversations to ``out``, a line each; what models said is kept beside it in ``out``.journal.

    The same call goes on where it was cut short. Pictures are named relative to ``root``.

    Raises:
        ConfigError: a file cannot be read or written; nothing was found at all.
        InferenceError: a server or the encoder failed; what was found out so far is kept.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error}") from error
    work = _Work(root, parts, Journal(out.with_name(out.name + ".journal")))
    lines: list[str] = []
    nothing: list[str] = []
    for thing in dict.fromkeys(things):
        found = work.found(thing)
        if not found:
            nothing.append(thing)
        for done, one in enumerate(work.taken(found), 1):
            if one is not None:
                lines.append(as_line(one))
            tell(thing, done, len(found))
    if not lines:
        causes = ", ".join(f"{count} {cause}" for cause, count in work.left_out.items()) or "no picture was found"
        raise ConfigError(f"{root}: gives no conversation: {causes}")
    with private_file(out) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    return Built(len(lines), dict(work.left_out), tuple(nothing))


class _Work:
    def __init__(self, root: Path, parts: Parts, journal: Journal) -> None:
        self._root, self._parts, self._journal = root, parts, journal
        self._hashes: set[str] = set()
        self.left_out: Counter[str] = Counter()

    def found(self, thing: str) -> list[tuple[Phrase, Picture]]:
        """Each picture once, with the first phrase that finds it."""
        makes, pictures = self._parts.phrases, dict[Path, tuple[Phrase, Picture]]()
        said = self._journal.once(
            ("phrases", makes.name, thing),
            lambda: [[phrase.text, phrase.defective] for phrase in makes.phrases(thing)],
        )
        for text, defective in said:
            phrase = Phrase(thing, text, defective)
            for picture in self._parts.search.find(phrase):
                pictures.setdefault(picture.path, (phrase, picture))
        return list(pictures.values())

    def taken(self, found: Sequence[tuple[Phrase, Picture]]) -> Iterator[Conversation | None]:
        """Of the pictures of one thing, in order; None for one that is left out."""
        seen = Seen()
        for phrase, picture in found:
            try:
                one = self._one(phrase, picture, seen)
            except ReplyError:
                one = "no usable reply"
            if isinstance(one, str):
                self.left_out[one] += 1
                yield None
            else:
                yield one

    def _one(self, phrase: Phrase, picture: Picture, seen: Seen) -> Conversation | str:
        """The conversation, or why there is none."""
        parts, journal = self._parts, self._journal
        try:
            sha256 = hashlib.sha256(picture.path.read_bytes()).hexdigest()
        except OSError as error:
            raise ConfigError(f"{picture.path}: cannot be read: {error}") from error
        if sha256 in self._hashes:
            return "duplicate"
        self._hashes.add(sha256)
        pixels = read_picture(picture.path)
        if seen.same_as(sha256, self._feature(pixels, sha256)) is not None:
            return "duplicate"
        asked = (sha256, phrase.thing, phrase.text)
        shown = journal.once(("shown", parts.judge.name, *asked), lambda: parts.judge.shown(pixels, phrase))
        wanted = "defective" if phrase.defective else "flawless"
        if shown != wanted:
            return f"{shown}, not {wanted}"
        mask = None if picture.mask is None or not phrase.defective else read_mask(picture.mask)
        if mask is not None and mask.shape != pixels.shape[:2]:
            raise ConfigError(f"{picture.mask}: is {mask.shape} px, its picture {pixels.shape[:2]}")
        boxes = () if mask is None else boxes_of(mask)
        key = ("answers", parts.describer.name, *asked, repr(boxes))
        said = journal.once(key, lambda: parts.describer.answers(pixels, phrase, boxes))
        if said is None:
            return "not seen by who answers"
        provenance = Provenance(
            sha256=sha256,
            licence=picture.licence,
            thing=phrase.thing,
            phrase=phrase.text,
            shown=shown,
            boxes=boxes,
            phrases_by=parts.phrases.name,
            cleaned_by=parts.judge.name,
            answered_by=parts.describer.name,
        )
        image = picture.path.relative_to(self._root).as_posix()
        return conversation(sha256[:16], image, said, phrase, provenance)

    def _feature(self, pixels: Pixels, sha256: str) -> Floats:
        backbone = self._parts.backbone
        key = ("feature", f"{backbone.name} {backbone.revision} {backbone.side_px}", sha256)
        packed = self._journal.once(key, lambda: _packed(feature(backbone, pixels)))
        return np.frombuffer(base64.b64decode(packed), "<f4").astype(np.float32)


def _packed(values: Floats) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")
