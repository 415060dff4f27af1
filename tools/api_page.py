"""Write docs/api.md from the table of the API's operations: `python tools/api_page.py > docs/api.md`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastflv.config.load import load_text
from fastflv.control.server import Server
from fastflv.servers.api.openapi import ENVELOPE
from fastflv.servers.api.operation import JSON, Operation, always

INTRODUCTION = """# The HTTP API

`make api-page` writes this page from the table that dispatches requests; `/api/v1/openapi.json` has the same as an OpenAPI 3.1 document.
Port and password: [configure.md](configure.md#http_api).

A good answer has `code` 0, and the fields `server`, `service` and `pid`. Errors have another `code`, most of them with HTTP status 200, as in SRS.
`GET` answers `HEAD` too. Values in the answers below stand for types: `0` for numbers, `""` for texts, `true` for flags.
More of the recording API: [record.md](record.md).
"""


def page(operations: Iterable[Operation]) -> str:
    """Return the page."""
    return "\n".join((INTRODUCTION, *(line for each in operations for line in _section(each))))


def _section(operation: Operation) -> Iterator[str]:
    yield from (
        f"## {operation.method} {operation.path}",
        "",
        f"{operation.about[:1].upper()}{operation.about[1:]}.",
        "",
    )
    if operation.private is not None:
        which = "Without a password" if operation.private is always else "Without a password in part"
        yield from (f"{which} for the server's own machine alone ([who may ask what](operate.md#api)).", "")
    if operation.parameters:
        yield from ("| parameter | in | what it is |", "|---|---|---|")
        for each in operation.parameters:
            yield f"| `{each.name}` | {'path' if each.in_path else 'query'} | {each.about} |"
        yield ""
    if operation.codes or operation.statuses:
        yield from ("| error | what it means |", "|---|---|")
        yield from (f"| `code` {code} | {why} |" for code, why in operation.codes.items())
        yield from (f"| HTTP {status} | {why} |" for status, why in operation.statuses.items())
        yield ""
    if operation.content != JSON:
        yield from (f"The answer is `{operation.content}`.", "")
        return
    answer = example(operation.answer)
    shown = (
        {**{name: 0 if name == "code" else "" for name in ENVELOPE}, **answer}
        if operation.enveloped
        else answer
    )
    yield from ("```json", json.dumps(shown, indent=2), "```", "")


def example(schema: Mapping[str, Any]) -> Any:
    """Return a value that *schema* allows; optional fields are there too."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "oneOf" in schema:
        return example(schema["oneOf"][-1])
    match schema.get("type"):
        case "object" | None:
            fields = {name: example(each) for name, each in schema.get("properties", {}).items()}
            more = schema.get("additionalProperties")
            return {**fields, "...": example(more)} if more else fields
        case "array":
            return [example(schema["items"])]
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 0)
    return ""


def main() -> None:
    loop = asyncio.new_event_loop()
    print(page(Server(load_text("listen 1935; http_api { enabled on; }"), loop).api.table), end="")
    loop.close()


if __name__ == "__main__":
    main()
