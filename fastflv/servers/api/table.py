"""The table of operations: which of them a path and a method mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fastflv.protocols.http.message import Response
from fastflv.servers.api.operation import Operation

Parts = tuple[str, ...]


class Resource(NamedTuple):
    """What a path names."""

    operations: Mapping[str, Operation]
    "By method."
    args: Mapping[str, str]
    "What the parameters of the path are."

    @property
    def allow(self) -> str:
        """The methods, for `Allow`."""
        head = ("HEAD",) if "GET" in self.operations else ()
        return ", ".join((*self.operations, *head, "OPTIONS"))

    def operation(self, method: str) -> Operation | None:
        return self.operations.get("GET" if method == "HEAD" else method)

    def wrong_method(self) -> Response:
        return Response.of_text(405, Allow=self.allow)


class Table:
    """Operations by path. Rows may be added while the server is put together."""

    def __init__(self) -> None:
        self._rows: dict[Parts, dict[str, Operation]] = {}
        "By the parts of the template."
        self._templates: list[Parts] = []
        "Those with parameters."

    def __iter__(self) -> Iterator[Operation]:
        """In the order of the rows, those of one path together."""
        for operations in self._rows.values():
            yield from operations.values()

    def add(self, *operations: Operation) -> None:
        for operation in operations:
            parts = _parts(operation.path)
            if parts not in self._rows and "{" in operation.path:
                self._templates.append(parts)
            self._rows.setdefault(parts, {})[operation.method] = operation

    def find(self, path: str) -> Resource | None:
        """Return what *path*, percent-decoded, names; a slash at its end says nothing."""
        parts = _parts(path)
        exact = self._rows.get(parts)
        if exact is not None:
            return Resource(exact, {})
        for template in self._templates:
            args = _match(template, parts)
            if args is not None:
                return Resource(self._rows[template], args)
        return None

    def children(self, path: str) -> dict[str, str]:
        """Return what stands directly below *path* and can be read, with what it is."""
        above = _parts(path)
        return {
            parts[-1]: operations["GET"].about
            for parts, operations in self._rows.items()
            if parts and parts[:-1] == above and "GET" in operations and "{" not in parts[-1]
        }


def _parts(path: str) -> Parts:
    stripped = path.strip("/")
    return tuple(stripped.split("/")) if stripped else ()


def _match(template: Parts, parts: Parts) -> dict[str, str] | None:
    """Return the parameters that *parts* give to *template*; None where they do not fit."""
    args: dict[str, str] = {}
    for at, part in enumerate(template):
        if part.endswith("*}"):
            if at >= len(parts):
                return None
            args[part[1:-2]] = "/".join(parts[at:])
            return args
        if at >= len(parts):
            return None
        if part.startswith("{"):
            args[part[1:-1]] = parts[at]
        elif part != parts[at]:
            return None
    return args if len(parts) == len(template) else None
