"""The OpenAPI document of a table.

Spec: OpenAPI 3.1.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastflv import __version__
from fastflv.protocols.http.message import Response
from fastflv.servers.api.operation import JSON, Call, Operation, Parameter
from fastflv.servers.api.schema import ANY_RECORD, INTEGER, TEXT, Schema, about
from fastflv.servers.api.table import Table

PATH: Final = "/api/v1/openapi.json"

ENVELOPE: Final = {
    "code": about({"const": 0}, "0: the answer is good."),
    "server": about(TEXT, "Id of the installation."),
    "service": about(TEXT, "Id of the process, new with each start."),
    "pid": about(TEXT, "Process id."),
}
DOCUMENT: Final[Schema] = {
    "type": "object",
    "properties": {"openapi": {"const": "3.1.0"}, "info": ANY_RECORD, "paths": ANY_RECORD},
    "required": ["openapi", "info", "paths"],
}
TEXT_BODY: Final = {"text/plain": {"schema": TEXT}}
ERROR: Final = {
    "type": "object",
    "properties": {"code": INTEGER, "message": TEXT},
    "required": ["code"],
    "additionalProperties": False,
}


class Document:
    """The operation that shows the document; made when it is first asked for."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._document: dict[str, object] | None = None

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                PATH,
                "this API as an OpenAPI 3.1 document",
                self._show,
                DOCUMENT,
                enveloped=False,
            ),
        )

    def _show(self, call: Call) -> Response:
        if self._document is None:
            self._document = document(self._table)
        return Response.of_json(self._document)


def document(operations: Iterable[Operation]) -> dict[str, object]:
    """Return the document of *operations*."""
    paths: dict[str, dict[str, object]] = {}
    for operation in operations:
        paths.setdefault(operation.path.replace("*}", "}"), {})[operation.method.lower()] = _operation(
            operation
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fastflv",
            "version": __version__,
            "description": "The HTTP API of fastflv: that of SRS, and more. Errors are in `code`, most of them with HTTP status 200.",
        },
        "paths": paths,
        "components": {"securitySchemes": {"password": {"type": "http", "scheme": "basic"}}},
        "security": [{}, {"password": []}],
    }


def _operation(operation: Operation) -> dict[str, object]:
    responses: dict[str, object] = {
        "200": {
            "description": operation.about,
            "content": {operation.content: {"schema": _good(operation)}},
        },
        "401": {"description": "the password is missing or wrong", "content": TEXT_BODY},
    }
    refusals = {}
    if operation.private is not None:
        refusals[403] = "there is no password, and another machine or a page of another site asks"
    elif operation.changes:
        refusals[403] = "http_api.read_only is on, or a page of another site asks"
    for status, why in (refusals | dict(operation.statuses)).items():
        body = {JSON: {"schema": ERROR}} if not operation.enveloped else TEXT_BODY
        responses[str(status)] = {"description": why, "content": body}
    return {
        "operationId": _id(operation),
        "summary": operation.about,
        "parameters": [_parameter(each) for each in operation.parameters],
        "responses": responses,
    }


def _id(operation: Operation) -> str:
    words = operation.path.replace("{", "").replace("*}", "").replace("}", "").strip("/").split("/")
    return "_".join((operation.method.lower(), *filter(None, words))).replace(".", "_")


def _parameter(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "in": "path" if parameter.in_path else "query",
        "required": parameter.in_path,
        "description": parameter.about,
        "schema": parameter.schema,
    }


def _good(operation: Operation) -> Schema:
    """The schema of an answer with status 200."""
    if operation.content != JSON or not operation.enveloped:
        return operation.answer or TEXT
    answer = dict(operation.answer)
    properties = answer.get("properties", {})
    required = answer.get("required", [])
    assert isinstance(properties, dict) and isinstance(required, list)
    good = {**answer, "properties": {**ENVELOPE, **properties}, "required": [*ENVELOPE, *required]}
    if not operation.codes:
        return good
    said = ", ".join(f"{code}: {why}" for code, why in operation.codes.items())
    bad = {
        "type": "object",
        "description": said,
        "properties": {"code": {"enum": list(operation.codes)}},
        "required": ["code"],
    }
    return {"oneOf": [good, bad]}
