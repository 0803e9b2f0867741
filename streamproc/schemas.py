"""JSON Schemas of the files that operators write, so that editors complete and explain them.

``python -m streamproc.schemas`` in a source checkout writes them beside the files they describe.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from streamproc.config import PipelineSettings, SiteSettings
from streamproc.errors import ConfigError
from streamproc.rules.schema import RuleSetModel

MODELS: dict[str, type[BaseModel]] = {
    "configs/site.schema.json": SiteSettings,
    "pipelines/pipeline.schema.json": PipelineSettings,
    "rules/ruleset.schema.json": RuleSetModel,
}
"""Where each schema lies in the repository."""


def schema_text(model: type[BaseModel]) -> str:
    """The model's JSON Schema (2020-12), as the file's text."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | model.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write_beside(file: Path, model: type[BaseModel]) -> None:
    """Write the schema that a site file or rule file names in its first line to where it looks for it: beside it.

    Raises:
        ConfigError: it cannot be written.
    """
    name = next(Path(name).name for name, one in MODELS.items() if one is model)
    try:
        file.with_name(name).write_text(schema_text(model), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file.with_name(name)} cannot be written: {error.strerror}") from None


def write_schemas(root: Path) -> None:
    """Write all of them under ``root``, the repository's folder."""
    for name, model in MODELS.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(schema_text(model), encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(__file__).parent.parent)
