"""A model server as options name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from streamproc.errors import ConfigError

S = TypeVar("S", bound=BaseModel)


def checked(settings: type[S], asked: Mapping[str, Any], words: Mapping[str, str]) -> S:
    """The settings that options ask for; ``words`` tells a field's option where it is not the field's name.

    Raises:
        ConfigError: naming the option that does not fit.
    """
    try:
        return settings.model_validate(asked)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0])
        raise ConfigError(f"--{words.get(field, field.replace('_', '-'))}: {first['msg']}") from None
