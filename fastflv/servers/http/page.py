"""The page at `/`: which streams are live, and where they play. Plain HTML without a script."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from itertools import islice
from typing import Final
from urllib.parse import quote

from fastflv import limits
from fastflv.access.gate import Gate
from fastflv.access.request import Action
from fastflv.access.verdict import Allowed
from fastflv.config.routes import Route, play_paths
from fastflv.containers.variant import Variant
from fastflv.errors import UsageError
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.http.accessrequest import access_request
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, Stream

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """Answers `/` of a vhost."""

    def __init__(
        self,
        hub: Hub,
        gate: Gate,
        *,
        routes_of: Callable[[str], tuple[Route, ...]],
        rtmp_port: Callable[[], int],
        lists: Callable[[], bool],
    ) -> None:
        """*routes_of*: the routes of a vhost by name. *rtmp_port*: 0 without. *lists* off: names of streams are not for all."""
        self._hub = hub
        self._gate = gate
        self._routes_of = routes_of
        self._rtmp_port = rtmp_port
        self._lists = lists

    def handle(self, exchange: Exchange, vhost: str) -> None:
        """Answer with the streams of *vhost* that the viewer may play, at most PAGE_STREAMS_MAX."""
        if self._lists():
            mine = (stream for stream in self._hub if self._may_see(exchange, vhost, stream))
            rows = [self._row(exchange, stream) for stream in islice(mine, limits.PAGE_STREAMS_MAX)]
            body = "\n".join(rows) or "<p>No stream is live.</p>"
        else:
            body = "<p>The API of this server shows its streams; it asks for a password.</p>"
        text = (
            f"<!doctype html>\n<meta charset=utf-8>\n<title>fastflv</title>\n<h1>Live streams</h1>\n{body}\n"
        )
        exchange.respond(
            Response(200, text.encode("utf-8", "replace"), "text/html; charset=utf-8", dict(HEADERS))
        )

    def _may_see(self, exchange: Exchange, vhost: str, stream: Stream) -> bool:
        if stream.name.vhost != vhost or stream.phase is not Phase.LIVE or not stream.settled:
            return False
        asked = access_request(
            exchange.request, Action.PLAY, stream.name, "flv-play", exchange.scheme, "page"
        )
        return isinstance(self._gate.recheck(asked), Allowed)

    def _row(self, exchange: Exchange, stream: Stream) -> str:
        name = stream.name
        links = []
        query = f"?{exchange.request.query}" if exchange.request.query else ""
        for container, path, args in play_paths(self._routes_of(name.vhost), name.app, name.stream):
            if container == "hls" or _plays(stream, container, args):
                url = escape(quote(path) + query)
                links.append(f'<li><a href="{url}">{url}</a>')
        port = self._rtmp_port()
        if port:
            links.append(f"<li>{escape(_rtmp_url(exchange, name, port))}")
        return f"<h2>{escape(name.url)}</h2>\n<ul>{''.join(links)}</ul>"


def _plays(stream: Stream, container: str, args: dict[str, str]) -> bool:
    try:
        return not stream.refusal(Variant(container).asked(args))
    except UsageError:
        return False


def _rtmp_url(exchange: Exchange, name: StreamName, port: int) -> str:
    host = exchange.request.host or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    vhost = exchange.request.args.get("vhost") or exchange.request.args.get("domain")
    query = f"?vhost={quote(vhost)}" if vhost else ""
    return f"rtmp://{host}{'' if port == 1935 else f':{port}'}/{quote(name.app)}/{quote(name.stream)}{query}"
