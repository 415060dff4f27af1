"""`/api/v1/config`: the configuration in force, and where each value of it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from fastflv import limits
from fastflv.config.effective import Effective, settings_of
from fastflv.config.model.server import Settings
from fastflv.config.notice import Notice, NoticeKind
from fastflv.protocols.http.message import Response
from fastflv.servers.api.operation import (
    VHOST_NOT_FOUND,
    Call,
    Fields,
    Listing,
    Operation,
    Parameter,
    always,
    refused,
)
from fastflv.servers.api.paging import PAGE, rows_of
from fastflv.servers.api.schema import COUNT, TEXT, about, listed, one_of, record

NOTICE: Final = record(
    {
        "kind": one_of(*(kind.value for kind in NoticeKind)),
        "message": TEXT,
        "file": about(
            TEXT, "File, `environment NAME` or `option NAME`; empty where it is about no one place."
        ),
        "line": about(COUNT, "From 1, or 0."),
        "column": about(COUNT, "From 1, or 0."),
    }
)
CONFIGURATION: Final = record(
    {
        "number": about(COUNT, "1 at the start, one more with each reload."),
        "file": about(TEXT, "Path as it was opened, or where the configuration comes from without a file."),
        "notices": about(listed(NOTICE), "What is odd about it, as `fastflv -t` says."),
    }
)
SETTING: Final = record(
    {
        "setting": about(TEXT, "The directive, as `vhost example.com.play.mw_latency`."),
        "value": about(TEXT, "As a file would have it; secrets are hidden."),
        "source": about(TEXT, "File and line, `environment NAME`, `option NAME`, `default` or `derived`."),
    }
)
VHOST: Final = Parameter("vhost", TEXT, "Name of a vhost; without it, the settings of the server.")


class InForce(NamedTuple):
    """A configuration that is in force."""

    number: int
    settings: Settings


class Configuration:
    """The operations on the configuration."""

    def __init__(self, in_force: Callable[[], InForce]) -> None:
        self._in_force = in_force

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                "/api/v1/config",
                "the configuration in force",
                self._show,
                record({"configuration": CONFIGURATION}),
                private=always,
            ),
            Operation(
                "GET",
                "/api/v1/config/settings",
                "the settings in force and where each comes from, of the server or of one vhost",
                self._list,
                record({"settings": listed(SETTING), "total": COUNT}),
                (VHOST, *PAGE),
                codes={VHOST_NOT_FOUND: "no vhost has that name"},
                private=always,
            ),
        )

    def _show(self, call: Call) -> Fields:
        number, settings = self._in_force()
        notices = [_notice(each) for each in settings.notices[: limits.PAGE_COUNT_MAX]]
        return {"configuration": {"number": number, "file": settings.directive.file, "notices": notices}}

    def _list(self, call: Call) -> Listing | Response:
        settings = self._in_force().settings
        vhost = call.request.args.get("vhost", "")
        if vhost and vhost not in settings.vhosts:
            return refused(VHOST_NOT_FOUND)
        every = list(settings_of(settings, vhost))
        found = rows_of(call.request, every)
        return Listing("settings", (setting_row(each.effective()) for each in found), len(every))


def setting_row(setting: Effective) -> dict[str, str]:
    """Return a setting as JSON has it."""
    return {"setting": setting.path, "value": setting.value, "source": setting.source}


def _notice(notice: Notice) -> dict[str, object]:
    return {
        "kind": notice.kind.value,
        "message": notice.text,
        "file": notice.file,
        "line": notice.line,
        "column": notice.column,
    }
