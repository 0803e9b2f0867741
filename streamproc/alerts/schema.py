"""JSON Schemas of the messages, generated from their models: ``python -m streamproc.alerts.schema`` writes them anew.

They lie beside this module and travel in the wheel; a test compares them with the models.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from streamproc.alerts.health import DeadLetter, Health
from streamproc.alerts.message import Alert

MODELS: dict[str, type[BaseModel]] = {"alert.v1": Alert, "health.v1": Health, "dead-letter.v1": DeadLetter}


def file_name(name: str) -> str:
    """The schema's file name, for a name such as ``alert.v1``."""
    return f"{name}.schema.json"


def generate(name: str) -> str:
    """The schema's text (draft 2020-12) as the models say it now."""
    schema = MODELS[name].model_json_schema(mode="serialization")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:streamproc:schema:{name.replace('.', ':')}",
    }
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"


def load(name: str) -> dict[str, Any]:
    """The schema as shipped."""
    text = (files("streamproc.alerts") / file_name(name)).read_text(encoding="utf-8")
    return dict(json.loads(text))


def write(directory: Path) -> None:
    """Write all schemas into ``directory``."""
    for name in MODELS:
        (directory / file_name(name)).write_text(generate(name), encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parent)
