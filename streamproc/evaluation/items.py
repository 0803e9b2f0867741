"""Items of the doubly-right test: what was seen, in words or as a picture, and four choices of what it means.

A file of them is written by people, so it is read like a rule file: checked as a whole, with every fault's place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from streamproc.config import Settings, Slug
from streamproc.yamlfile import load_model

OWN = Path(__file__).parent / "doubly_right.yaml"
"""The items that come with streamproc."""
Letter = Literal["a", "b", "c", "d"]
LETTERS: tuple[Letter, ...] = ("a", "b", "c", "d")
_LEAST_NORMAL = 10
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class Choices(Settings):
    """Four sentences that say what is going on; one says that all is normal."""

    a: _Text
    """First choice."""
    b: _Text
    """Second choice."""
    c: _Text
    """Third choice."""
    d: _Text
    """Fourth choice."""

    def texts(self) -> dict[Letter, str]:
        """The sentences by their letters."""
        return {"a": self.a, "b": self.b, "c": self.c, "d": self.d}


class Place(Settings):
    """A place with a camera, and what its rules come from: either of ``normal`` and ``rules``."""

    id: Slug
    """Short id: lower-case letters, digits, - and _."""
    place: _Text
    """What it is, in a few words: a platform of a railway station."""
    normal: Annotated[tuple[_Text, ...], Field(min_length=_LEAST_NORMAL)] | None = None
    """Captions of its normal footage; rules are induced from them."""
    rules: Path | None = None
    """A rule file, relative to this file, instead."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Place:
        if (self.normal is None) == (self.rules is None):
            raise ValueError("a place has either normal captions, from which rules are induced, or a rule file")
        return self


class Item(Settings):
    """One question."""

    id: Slug
    """Unique in the file."""
    site: Slug
    """The place, by its id."""
    caption: _Text
    """What is seen, in words."""
    image: Path | None = None
    """The picture, relative to this file; only asking a vision model needs it."""
    choices: Choices
    """What it may mean."""
    normal: Letter
    """The choice that says that all is normal."""
    answer: Letter
    """The choice that is right; the others are wrong."""

    @property
    def anomalous(self) -> bool:
        """Whether the right choice tells of an anomaly."""
        return self.answer != self.normal


class Items(Settings):
    """Places, and questions about them."""

    schema_version: Literal[1]
    """Version of this file's form."""
    name: Slug
    """Name of the test."""
    sites: Annotated[tuple[Place, ...], Field(min_length=1)]
    """The places."""
    items: Annotated[tuple[Item, ...], Field(min_length=1)]
    """The questions."""

    @model_validator(mode="after")
    def _ids_are_told_apart(self) -> Items:
        ids = {"sites": [place.id for place in self.sites], "items": [item.id for item in self.items]}
        for what, several in ids.items():
            for index, one in enumerate(several):
                if one in several[:index]:
                    raise _fault(f"the id {one} is used twice", what, index, "id")
        return self

    @model_validator(mode="after")
    def _sites_are_known(self) -> Items:
        known = [place.id for place in self.sites]
        for index, item in enumerate(self.items):
            if item.site not in known:
                raise _fault(f"there is no site {item.site}; there are {', '.join(known)}", "items", index, "site")
        return self

    def place(self, item: Item) -> Place:
        """Where the item was seen."""
        return next(place for place in self.sites if place.id == item.site)


def load_items(path: Path = OWN) -> Items:
    """The items in the file at ``path``, with the paths in it made whole.

    Raises:
        ConfigError: with all faults of the file.
    """
    items = load_model(path, Items)
    places = tuple(one.model_copy(update=dict(_whole(path, rules=one.rules))) for one in items.sites)
    asked = tuple(one.model_copy(update=dict(_whole(path, image=one.image))) for one in items.items)
    return items.model_copy(update={"sites": places, "items": asked})


def _whole(path: Path, **named: Path | None) -> Iterator[tuple[str, Path]]:
    return ((name, path.parent / one.expanduser()) for name, one in named.items() if one is not None)


def _fault(message: str, *at: str | int) -> PydanticCustomError:
    return PydanticCustomError("ids_are_unique", message, {"at": at})
