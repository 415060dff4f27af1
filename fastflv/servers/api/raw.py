"""`/api/v1/raw`: the settings of the API, and reloads (`http_api { raw_api }`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from fastflv.config.diff import When
from fastflv.config.model.webserver import HttpApi
from fastflv.protocols.http.message import Response
from fastflv.servers.api.crosssite import from_other_site
from fastflv.servers.api.operation import Call, Fields, Operation, Parameter, refused
from fastflv.servers.api.schema import FLAG, INTEGER, TEXT, about, listed, one_of, record

UNKNOWN_RPC: Final = 1060
DISABLED: Final = 1061
RELOADS: Final = ("reload", "reload-plan", "reload-fetch")
RPCS: Final = ("raw", *RELOADS)
UNTOUCHED, FINISHED = 0, 90
"States of a reload: none was asked for, or the last one is over."

SETTINGS: Final = record(
    {
        "enabled": FLAG,
        "listen": TEXT,
        "crossdomain": FLAG,
        "read_only": about(FLAG, "The API changes nothing."),
        "raw_api": record(dict.fromkeys(("enabled", "allow_reload", "allow_query", "allow_update"), FLAG)),
    }
)
CHANGE: Final = record(
    {
        "setting": TEXT,
        "old": about(TEXT, "As a file would have it; secrets are hidden."),
        "new": TEXT,
        "when": one_of(*(when.value for when in When)),
        "place": about(TEXT, "File and line; empty where it is not known."),
    }
)
REPORT: Final = record(
    {
        "good": about(FLAG, "The files can be in force."),
        "configuration": about(INTEGER, "Number of the configuration in force."),
        "changes": listed(CHANGE),
        "next_publish": about(listed(TEXT), "Settings that running streams take with their next publish."),
        "problems": about(listed(TEXT), "Why the files cannot be in force."),
    }
)
FETCHED: Final = record(
    {
        "err": about(INTEGER, "0: the last reload is in force."),
        "msg": about(TEXT, "Why not."),
        "state": about(INTEGER, "0: none was asked for; 90: it is over."),
        "rid": about(TEXT, "Number of the last reload that was asked for."),
    },
    {"report": about(REPORT, "What it changed.")},
)

Report = dict[str, Any]
"What a reload did or would do, as REPORT has it."


class Raw:
    """The operation of remote procedures."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Callable[[], HttpApi]) -> None:
        """*settings* returns those in force."""
        self._loop = loop
        self._settings = settings
        self._asked = 0
        self._report: Report | None = None
        "Of the last reload; None before it."
        self._planning: asyncio.Future[Fields] | None = None
        self.reload: Callable[[], Report | Awaitable[Report]] | None = None
        "Reads the configuration again and puts it in force, now or later; None: there is no file to read."
        self.plan: Callable[[], Report] | None = None
        "Reads it again and changes nothing; called on a thread."

    def operations(self) -> Iterable[Operation]:
        optional = {"http_api": SETTINGS, "plan": REPORT, "data": FETCHED}
        rpcs = "`raw`: settings; `reload`; `reload-plan`: what that would change; `reload-fetch`: how the last one went."
        return (
            Operation(
                "GET",
                "/api/v1/raw",
                "raw api: the settings of the API, and reloads",
                self._call,
                record({}, optional),
                (Parameter("rpc", one_of(*RPCS), rpcs),),
                private=lambda request: request.args.get("rpc", "") in RELOADS,
                codes={
                    UNKNOWN_RPC: "there is no such procedure",
                    DISABLED: "raw_api is off, or allow_reload is, or read_only is on",
                },
            ),
        )

    def _call(self, call: Call) -> Fields | Response | asyncio.Future[Fields]:
        rpc, settings = call.request.args.get("rpc", ""), self._settings()
        if rpc == "raw":
            return {"http_api": _shown(settings)}
        if not settings.raw_api.enabled:
            return refused(DISABLED)
        if rpc == "reload-fetch":
            return {"data": self._fetched()}
        if rpc not in ("reload", "reload-plan"):
            return refused(UNKNOWN_RPC)
        # A link on any page may ask for a reload, with a password that the browser knows: GET is no safe method here.
        if not settings.raw_api.allow_reload or from_other_site(call.request):
            return refused(DISABLED)
        if rpc == "reload-plan":
            return self._plan() or refused(DISABLED)
        if settings.read_only or self.reload is None:
            return refused(DISABLED)
        self._asked += 1
        # The answer comes first, as SRS's does: a reload may close the listener of this very request.
        self._loop.call_soon(self._run)
        return {}

    def _plan(self) -> asyncio.Future[Fields] | None:
        """Return the plan that is being made: one at a time, for all who ask meanwhile."""
        plan = self.plan
        if plan is None:
            return None
        if self._planning is None or self._planning.done():
            # Files and a thousand settings take a second of a busy machine.
            self._planning = self._loop.run_in_executor(None, lambda: {"plan": plan()})
        return self._planning

    def _run(self) -> None:
        if self.reload is None:
            return
        report = self.reload()
        if isinstance(report, Awaitable):
            asyncio.ensure_future(report).add_done_callback(self._reloaded)
        else:
            self._report = report

    def _reloaded(self, reload: asyncio.Future[Report]) -> None:
        if not reload.cancelled():
            self._report = reload.result()

    def _fetched(self) -> dict[str, object]:
        report = self._report
        problems = "; ".join(report["problems"]) if report is not None else ""
        return {
            "err": UNKNOWN_RPC if problems else 0,
            "msg": problems or "ok",
            "state": UNTOUCHED if report is None else FINISHED,
            "rid": str(self._asked),
            **({"report": report} if report is not None else {}),
        }


def _shown(api: HttpApi) -> dict[str, object]:
    return {
        "enabled": api.enabled,
        "listen": " ".join(map(str, api.listen)),
        "crossdomain": api.crossdomain,
        "read_only": api.read_only,
        "raw_api": {
            "enabled": api.raw_api.enabled,
            "allow_reload": api.raw_api.allow_reload,
            "allow_query": False,
            "allow_update": False,
        },
    }
