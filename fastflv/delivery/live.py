"""Live responses: find the stream of a request, wait for it where asked to, hand the socket to a sender thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from fastflv import limits
from fastflv._ext.segment import MediaBlock
from fastflv._ext.sender import Player, Sender
from fastflv.delivery.http import HttpConnection
from fastflv.delivery.message import SERVER, Request, Response, cors_fields, encode_head
from fastflv.delivery.mount import Mount
from fastflv.stream.door import Door
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.roster import Client, Roster
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)

RAW, CHUNKED = 0, 1
HEADS_MAX = limits.RESPONSE_HEADS_MAX
MISSING_SECONDS_MIN = limits.MISSING_SECONDS_MIN


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """Settings of a vhost for its live responses."""

    mounts: tuple[Mount, ...]
    on_missing: float = 5.0
    "How long a request for an absent stream waits for a publisher, seconds."


class Live:
    """All live HTTP responses of a server."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        roster: Roster,
        sender: Sender,
        door: Door,
        *,
        vhost_of: Callable[[str], LiveOptions | None],
        new_id: Callable[[], str],
    ) -> None:
        self._loop = loop
        self._hub = hub
        self._roster = roster
        self._sender = sender
        self._vhost_of = vhost_of
        self._new_id = new_id
        self._door = door
        self._heads: dict[bytes, MediaBlock] = {}
        loop.add_reader(sender.fd, self.reap)

    def handle(self, request: Request, connection: HttpConnection) -> Response | None:
        """Answer when the request is for a live stream; a 404 otherwise."""
        args = request.args
        vhost = args.get("vhost") or args.get("domain") or request.host
        options = self._vhost_of(vhost)
        name = None
        if options is not None:
            for mount in options.mounts:
                name = mount.match(request.path)
                if name is not None:
                    break
        if options is None or name is None:
            return Response.of_text(404)
        stream = self._hub.find(name)
        if request.method == "HEAD":
            if stream is None:
                return self._absent(options)
            head = Response(content_type="video/x-flv")
            head.headers["Cache-Control"] = "no-cache"
            return head
        if request.method not in ("GET", "POST"):
            return Response.of_text(405, Allow="GET, HEAD, OPTIONS")
        if stream is not None and stream.settled:
            self._join(stream, request, connection)
            return None
        if options.on_missing <= 0 and stream is None:
            return self._absent(options)
        _Wait(self, name, request, connection, options)
        return None

    def reap(self) -> None:
        """Say goodbye to the players that left."""
        for player in self._sender.reap():
            client: Client = player.owner
            self._roster.remove(client)
            self._door.leave()
            log.info(
                "player %s of %s left: %s; %d bytes in %.1f s, %d jumps",
                client.id, client.stream.name.url, player.reason, player.sent, self._loop.time() - client.joined,
                player.jumps,
            )  # fmt: skip

    def _drop(self, client: Client) -> None:
        if isinstance(client.link, Player):
            self._sender.kick(client.link)

    def _absent(self, options: LiveOptions) -> Response:
        return Response.of_text(
            404, "no such stream is live", Retry_After=str(max(1, round(options.on_missing)))
        )

    def _join(self, stream: Stream, request: Request, connection: HttpConnection) -> None:
        fd = connection.detach()
        if fd is None:
            return
        chunked = request.version == "1.1" and request.keep_alive
        outlet = stream.open()
        start = stream.start(outlet)
        options = stream.options
        client = Client(
            id=self._new_id(),
            stream=stream,
            kind="flv-play",
            ip=request.ip,
            tc_url=f"http://{request.headers.get('host', '')}/{stream.name.app}",
            name=request.path.rpartition("/")[2],
            page_url=request.headers.get("referer", ""),
            joined=self._loop.time(),
            drop=self._drop,
        )
        player = self._sender.add(
            fd,
            outlet.log,
            framing=CHUNKED if chunked else RAW,
            preamble=self._head(request, chunked, connection.cross_domain),
            start=start.block,
            position=start.position,
            window_ms=options.window_ms,
            lag_ms=options.queue_ms,
            nodelay=options.nodelay,
            owner=client,
        )
        client.link = player
        self._roster.add(client)
        log.info("player %s from %s joins %s", client.id, client.ip, stream.name.url)

    def _head(self, request: Request, chunked: bool, cross_domain: bool) -> MediaBlock:
        """Return the response head; equal heads are made once."""
        fields = {
            "Server": SERVER,
            "Content-Type": "video/x-flv",
            "Cache-Control": "no-cache",
            # nginx must not gather an endless body before it passes it on.
            "X-Accel-Buffering": "no",
            "Connection": "close",
        }
        if chunked:
            fields["Transfer-Encoding"] = "chunked"
        if cross_domain:
            fields |= cors_fields(request)
        key = encode_head(200, fields)
        block = self._heads.get(key)
        if block is None:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            block = self._heads[key] = MediaBlock(key)
        return block


class _Wait:
    """A request that waits for its stream, for `on_missing` seconds at most."""

    __slots__ = ("_connection", "_live", "_name", "_options", "_request", "_timer")

    def __init__(
        self, live: Live, name: StreamName, request: Request, connection: HttpConnection, options: LiveOptions
    ) -> None:
        self._live = live
        self._name = name
        self._request = request
        self._connection = connection
        self._options = options
        live._hub.wait(name, self._found)
        connection.on_lost = self._lost
        self._timer = live._loop.call_later(max(options.on_missing, MISSING_SECONDS_MIN), self._missed)

    def _found(self, stream: Stream) -> None:
        self._timer.cancel()
        self._connection.on_lost = None
        self._live._join(stream, self._request, self._connection)

    def _missed(self) -> None:
        self._live._hub.forget(self._name, self._found)
        self._connection.on_lost = None
        self._connection.answer(self._live._absent(self._options))

    def _lost(self) -> None:
        self._timer.cancel()
        self._live._hub.forget(self._name, self._found)
