"""What this is: the index pages and the version."""

from __future__ import annotations

from collections.abc import Iterable

from fastflv import __version__
from fastflv.servers.api.operation import Call, Fields, Operation
from fastflv.servers.api.schema import COUNT, TEXT, mapped, record
from fastflv.servers.api.table import Table


class About:
    """The operations on the API itself."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def operations(self) -> Iterable[Operation]:
        index = record({"urls": mapped(TEXT)}, {"tests": mapped(TEXT)})
        return (
            Operation("GET", "/", "the index of this port", self._index, index),
            Operation("GET", "/api", "the api root", self._index, index),
            Operation("GET", "/api/v1", "the api version 1.0", self._index, index),
            Operation(
                "GET",
                "/api/v1/versions",
                "the version of fastflv",
                _versions,
                record(
                    {"data": record({"major": COUNT, "minor": COUNT, "revision": COUNT, "version": TEXT})}
                ),
            ),
        )

    def _index(self, call: Call) -> Fields:
        """Name what stands directly below the path, and tests apart, as SRS does."""
        path = call.request.path
        tests = self._table.children(f"{path}/tests")
        return {"urls": self._table.children(path), **({"tests": tests} if tests else {})}


def _versions(call: Call) -> Fields:
    major, minor, revision = (int(part) for part in __version__.split(".")[:3])
    return {"data": {"major": major, "minor": minor, "revision": revision, "version": __version__}}
