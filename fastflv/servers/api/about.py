"""What this is: the index pages, the version, and what it can do."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from fastflv import __version__
from fastflv.servers.api.operation import Call, Fields, Operation
from fastflv.servers.api.schema import COUNT, FLAG, TEXT, mapped, record
from fastflv.servers.api.table import Table

FEATURES: Final = {
    "ssl": True,
    "hls": True,
    "hds": False,
    "callback": True,
    "api": True,
    "httpd": True,
    "dvr": True,
    "transcode": False,
    "ingest": False,
    "stat": True,
    "caster": True,
    "complex_send": True,
    "tcp_nodelay": True,
    "so_sendbuf": False,
    "mr": True,
}
"Parts of SRS, by the names that it gives them; `callback` are its HTTP hooks, `mr` its merged reads."


class About:
    """The operations on the API itself."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def operations(self) -> Iterable[Operation]:
        index = record({"urls": mapped(TEXT)}, {"tests": mapped(TEXT)})
        built = dict.fromkeys(("options", "options2", "build", "build2"), TEXT)
        features = record({"data": record({**built, "features": record(dict.fromkeys(FEATURES, FLAG))})})
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
            Operation(
                "GET",
                "/api/v1/authors",
                "the license, copyright, authors and contributors",
                _authors,
                record({"data": record({"license": TEXT, "contributors": TEXT})}),
            ),
            Operation("GET", "/api/v1/features", "the supported features of fastflv", _features, features),
        )

    def _index(self, call: Call) -> Fields:
        """Name what stands directly below the path, and tests apart, as SRS does."""
        path = call.request.path
        tests = self._table.children(f"{path}/tests")
        return {"urls": self._table.children(path), **({"tests": tests} if tests else {})}


def _versions(call: Call) -> Fields:
    major, minor, revision = (int(part) for part in __version__.split(".")[:3])
    return {"data": {"major": major, "minor": minor, "revision": revision, "version": __version__}}


def _authors(call: Call) -> Fields:
    return {"data": {"license": "MIT", "contributors": "the authors of fastflv"}}


def _features(call: Call) -> Fields:
    python = sys.version.split()[0]
    built = {"options": f"python {python}", "options2": "", "build": __version__, "build2": ""}
    return {"data": {**built, "features": dict(FEATURES)}}
