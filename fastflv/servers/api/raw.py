"""`/api/v1/raw`: the settings of the API, and reloads (`http_api { raw_api }`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from fastflv.config.model.webserver import HttpApi
from fastflv.protocols.http.message import Response
from fastflv.servers.api.crosssite import from_other_site
from fastflv.servers.api.operation import Call, Fields, Operation, Parameter, refused
from fastflv.servers.api.schema import FLAG, INTEGER, TEXT, about, one_of, record

UNKNOWN_RPC: Final = 1060
DISABLED: Final = 1061
RPCS: Final = ("raw", "reload", "reload-fetch")
UNTOUCHED, FINISHED = 0, 90
"States of a reload: none was asked for, or the last one is over."

SETTINGS: Final = record(
    {
        "enabled": FLAG,
        "listen": TEXT,
        "crossdomain": FLAG,
        "raw_api": record(dict.fromkeys(("enabled", "allow_reload", "allow_query", "allow_update"), FLAG)),
    }
)
FETCHED: Final = record(
    {
        "err": about(INTEGER, "0: the last reload is in force."),
        "msg": about(TEXT, "Why not."),
        "state": about(INTEGER, "0: none was asked for; 90: it is over."),
        "rid": about(TEXT, "Number of the last reload that was asked for."),
    }
)


class Raw:
    """The operation of remote procedures."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Callable[[], HttpApi]) -> None:
        """*settings* returns those in force."""
        self._loop = loop
        self._settings = settings
        self._asked = 0
        self._state = UNTOUCHED
        self._problem = ""
        self.reload: Callable[[], str] | None = None
        "Reads the configuration again, and returns why it is not in force; None: there is no file to read."

    def operations(self) -> Iterable[Operation]:
        optional = {"http_api": SETTINGS, "data": FETCHED}
        return (
            Operation(
                "GET",
                "/api/v1/raw",
                "raw api: the settings of the API, and reloads",
                self._call,
                record({}, optional),
                (Parameter("rpc", one_of(*RPCS), "`raw`: settings; `reload`; `reload-fetch`: how it went."),),
                codes={
                    UNKNOWN_RPC: "there is no such procedure",
                    DISABLED: "raw_api is off, or allow_reload is",
                },
            ),
        )

    def _call(self, call: Call) -> Fields | Response:
        rpc, settings = call.request.args.get("rpc", ""), self._settings()
        if rpc == "raw":
            return {"http_api": _shown(settings)}
        if not settings.raw_api.enabled:
            return refused(DISABLED)
        if rpc == "reload-fetch":
            return {"data": self._fetched()}
        if rpc != "reload":
            return refused(UNKNOWN_RPC)
        # A link on any page may ask for this: GET is no safe method here.
        if not settings.raw_api.allow_reload or self.reload is None or from_other_site(call.request):
            return refused(DISABLED)
        self._asked += 1
        # The answer comes first, as SRS's does: a reload may close the listener of this very request.
        self._loop.call_soon(self._run)
        return {}

    def _run(self) -> None:
        if self.reload is not None:
            self._problem = self.reload()
            self._state = FINISHED

    def _fetched(self) -> dict[str, object]:
        return {
            "err": UNKNOWN_RPC if self._problem else 0,
            "msg": self._problem or "ok",
            "state": self._state,
            "rid": str(self._asked),
        }


def _shown(api: HttpApi) -> dict[str, object]:
    return {
        "enabled": api.enabled,
        "listen": " ".join(map(str, api.listen)),
        "crossdomain": api.crossdomain,
        "raw_api": {
            "enabled": api.raw_api.enabled,
            "allow_reload": api.raw_api.allow_reload,
            "allow_query": False,
            "allow_update": False,
        },
    }
