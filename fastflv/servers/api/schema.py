"""The vocabulary in which operations describe their answers: JSON Schema 2020-12, as OpenAPI 3.1 uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Schema = Mapping[str, object]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "number"}
INTEGER: Final[Schema] = {"type": "integer"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
ANY_RECORD: Final[Schema] = {"type": "object"}


def about(schema: Schema, text: str) -> Schema:
    """Return *schema* with what the value is."""
    return {**schema, "description": text}


def one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def listed(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def mapped(schema: Schema) -> Schema:
    """An object with keys that the data names."""
    return {"type": "object", "additionalProperties": schema}


def nullable(schema: Schema) -> Schema:
    return {"oneOf": [{"type": "null"}, schema]}


def record(fields: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with all of *fields*, any of *optional*, and no other."""
    more = optional or {}
    return {
        "type": "object",
        "properties": {**fields, **more},
        "required": list(fields),
        "additionalProperties": False,
    }
