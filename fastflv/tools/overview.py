"""What `fastflv top` knows of a server: two looks at its public API, and what changed between them."""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from fastflv import limits
from fastflv.config.masking import masked
from fastflv.errors import ToolError

Row = dict[str, Any]


class Api:
    """The API of one server."""

    def __init__(self, url: str) -> None:
        """*url*: of the API's port, `http://USER:PASSWORD@HOST:PORT` where it asks; a number is a port of this machine.

        Raises ToolError for what is no URL.
        """
        if url.isdecimal():
            url = f"127.0.0.1:{url}"
        try:
            parts = urlsplit(url if "//" in url else f"http://{url}")
            known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            known = False
        if not known:
            raise ToolError(f"{masked(url)} is no URL of an API; write http://HOST:1985")
        host = parts.netloc.rpartition("@")[2]
        self.url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._headers = {}
        if parts.username is not None:
            secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"

    def ask(self, path: str) -> Row:
        """Return the answer of /api/v1/*path*. Raises ToolError with what to do."""
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=limits.TOOL_WAIT_SECONDS) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            why = {
                401: "it asks for a name and a password: write http://USER:PASSWORD@HOST:PORT",
                404: "no API is there; is it the port of http_api?",
            }
            raise ToolError(f"{self.url}: {why.get(error.code, f'the answer is {error.code}')}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            shown = getattr(reason, "strerror", None) or str(reason)
            raise ToolError(f"{self.url}: {shown.lower()}; is it the port of http_api?") from None
        if not isinstance(found, dict):
            raise ToolError(f"{self.url} is no API of fastflv")
        return found

    def rows(self, name: str, most: int) -> tuple[list[Row], int]:
        """Return the first *most* rows of a list, and how many there are."""
        rows: list[Row] = []
        while True:
            page = self.ask(f"{name}?start={len(rows)}&count={min(limits.PAGE_COUNT_MAX, most - len(rows))}")
            found = page.get(name, [])
            rows += found
            total = int(page.get("total", len(rows)))
            if not found or len(rows) >= min(total, most):
                return rows, total


@dataclass(slots=True)
class Look:
    """A server at one moment, as JSON has it."""

    url: str
    at: float
    "Monotonic clock, seconds."
    summary: Row
    streams: list[Row]
    streams_total: int
    clients_total: int
    players: list[Row] = field(default_factory=list)
    "Those that lag most, most first."
    lagging: int = 0

    def as_json(self) -> Row:
        """Everything but the clock."""
        return {
            "url": self.url,
            "summary": self.summary,
            "streams_total": self.streams_total,
            "clients_total": self.clients_total,
            "lagging": self.lagging,
            "streams": self.streams,
            "players": self.players,
        }


def take_look(api: Api, before: Look | None = None) -> Look:
    """Ask for the streams and the first TOP_CLIENTS_MAX clients; frame rates are those since *before*. Raises ToolError."""
    data = api.ask("summaries").get("data", {})
    own = data.get("self", {})
    streams, streams_total = api.rows("streams", limits.TOP_STREAMS_MAX)
    clients, clients_total = api.rows("clients", limits.TOP_CLIENTS_MAX)
    now = time.monotonic()
    lags: dict[str, list[int]] = defaultdict(list)
    for client in clients:
        if not client.get("publish"):
            lags[client["stream"]].append(client.get("lag_ms", 0))
    shown = [_stream(row, lags[row["id"]], before, now) for row in streams]
    shown.sort(key=lambda row: (-row["players"], row["url"]))
    late = sorted((row for row in clients if row.get("lag_ms")), key=lambda row: -row["lag_ms"])
    return Look(
        api.url,
        now,
        {
            "version": own.get("version", ""),
            "uptime_seconds": own.get("srs_uptime", 0),
            "cpu_percent": round(100 * own.get("cpu_percent", 0.0), 1),
            "memory_bytes": 1024 * own.get("mem_kbyte", 0),
            "connections": data.get("system", {}).get("conn_srs", 0),
        },
        shown,
        streams_total,
        clients_total,
        [_player(row) for row in islice(late, limits.TOP_PLAYERS)],
        len(late),
    )


def _stream(row: Row, lags: list[int], before: Look | None, now: float) -> Row:
    publish: Mapping[str, Any] = row.get("publish", {})
    rate = None
    known = next((each for each in before.streams if each["id"] == row["id"]), None) if before else None
    if known is not None and before is not None and now > before.at:
        rate = round(max(0, row["video_frames"] - known["video_frames"]) / (now - before.at), 1)
    return {
        "id": row["id"],
        "url": row["url"],
        "state": publish.get("state", ""),
        "players": row["clients"] - bool(publish.get("active")),
        "in_kbps": row["kbps"]["recv_30s"],
        "out_kbps": row["kbps"]["send_30s"],
        "frame_rate": rate,
        "video_frames": row["video_frames"],
        "lag_ms": max(lags, default=0),
        "lagging": sum(lag > 0 for lag in lags),
    }


def _player(row: Row) -> Row:
    names = ("id", "ip", "url", "type", "alive", "lag_ms", "drops", "jumps")
    return {name: row.get(name, "") for name in names}
