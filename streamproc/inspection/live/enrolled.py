"""How a camera's regions and objects look when they are as they should be: a few pictures of each, in one file.

Pictures, not an encoder's features: they are smaller, whoever asks can see what counts as normal, and another encoder
needs no new footage. A memory is made of them when the site starts.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from streamproc.errors import ConfigError
from streamproc.inspection.nouns import Pixels
from streamproc.wholefile import private_file

SCHEMA_VERSION: Final = 1
_FORM: Final = "streamproc.inspection"
MOST_BYTES = 64_000_000
"""Of a file that is read: some hundred things with as many pictures as there may be."""
_MOST_PX = 16_000_000
_HEADER = "header.json"


class Clip(BaseModel):
    """A piece of normal footage that was learned from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str


class KnownThing(BaseModel):
    """One region or kind of object."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: int
    seen_as: str
    """What it was cut by: the region's outline and the privacy masks, as a hash; another cut shows other things."""


class Header(BaseModel):
    """What the file says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal["streamproc.inspection"] = _FORM
    schema_version: Literal[1] = SCHEMA_VERSION
    site: str
    camera: str
    learned_at: str
    """ISO 8601, UTC."""
    clips: tuple[Clip, ...]
    things: dict[str, KnownThing]
    """By ``Thing.key``."""
    sha256: str = ""
    """Of the pictures and of the rest of this."""


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """What was enrolled of one camera. Frozen; ``save`` and ``load`` are its way to and from disk."""

    header: Header
    pictures: Mapping[str, tuple[Pixels, ...]]
    """By ``Thing.key``, in the order in which they were seen."""

    @property
    def revision(self) -> str:
        """The first 12 digits of its hash."""
        return self.header.sha256[:12]

    def save(self, path: Path) -> None:
        """Write it; for its owner alone, since it shows people's premises, as evidence does.

        Raises:
            OSError: it cannot be written.
        """
        files = _encoded(self.pictures)
        header = self.header.model_copy(update={"sha256": _digest(self.header, files)})
        with private_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(_HEADER), header.model_dump_json(indent=2))
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name), data)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote.

        Raises:
            ConfigError: there is no such file, it is none of this form or version, or it was changed.
        """
        remedy = "; learn it anew with `streamproc inspect enrol`"
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ConfigError(f"{path}: larger than {MOST_BYTES / 1e6:.0f} MB{remedy}")
            with zipfile.ZipFile(path) as archive:
                if sum(one.file_size for one in archive.infolist()) > MOST_BYTES:
                    raise ConfigError(f"{path}: larger than {MOST_BYTES / 1e6:.0f} MB{remedy}")
                files = {name: archive.read(name) for name in archive.namelist()}
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError):
            raise ConfigError(f"{path}: holds no enrolled pictures: it is not an archive{remedy}") from None
        header = _header(path, files.pop(_HEADER, b""), remedy)
        if _digest(header, files) != header.sha256:
            raise ConfigError(f"{path}: was changed since it was learned{remedy}")
        try:
            pictures = {
                key: tuple(_decoded(files[f"{key}/{number:02}.png"]) for number in range(thing.pictures))
                for key, thing in header.things.items()
            }
        except (KeyError, OSError, ValueError, Image.DecompressionBombError):
            raise ConfigError(f"{path}: a picture in it does not read{remedy}") from None
        return cls(header, pictures)


def _header(path: Path, text: bytes, remedy: str) -> Header:
    try:
        said: Any = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict) or said.get("form") != _FORM:
        raise ConfigError(f"{path}: holds no enrolled pictures: its form is not {_FORM}{remedy}")
    if said.get("schema_version") != SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: of version {str(said.get('schema_version'))[:20]}, but {SCHEMA_VERSION} is what is read{remedy}"
        )
    try:
        return Header.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}{remedy}") from None


def _encoded(pictures: Mapping[str, tuple[Pixels, ...]]) -> dict[str, bytes]:
    files = {}
    for key, some in pictures.items():
        for number, picture in enumerate(some):
            out = io.BytesIO()
            Image.fromarray(picture).save(out, "PNG")
            files[f"{key}/{number:02}.png"] = out.getvalue()
    return files


def _decoded(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        if image.width * image.height > _MOST_PX:
            raise ValueError("too large a picture")
        pixels: Pixels = np.asarray(image.convert("RGB"), np.uint8)
        return pixels


def _digest(header: Header, files: Mapping[str, bytes]) -> str:
    told = hashlib.sha256(header.model_copy(update={"sha256": ""}).model_dump_json().encode())
    for name, data in sorted(files.items()):
        told.update(f"{name}\n{hashlib.sha256(data).hexdigest()}\n".encode())
    return told.hexdigest()
