"""One play over HTTP: from its request through the join to the end of its answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, NamedTuple

from fastflv._ext.log.block import MediaBlock
from fastflv.access.request import AccessRequest, Action
from fastflv.config.model.play import StartMode
from fastflv.containers.variant import Variant
from fastflv.playing.join import Join, JoinRefused
from fastflv.playing.player import Framing, Player
from fastflv.protocols.http.exchange import BodyWriter, Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import join_refusal
from fastflv.stream.clients import Client, Link
from fastflv.stream.endreason import SERVER_SIDE, EndReason
from fastflv.stream.moment import RewindWish
from fastflv.stream.name import StreamName
from fastflv.stream.rewind import Rewind
from fastflv.stream.stream import Stream
from fastflv.stream.tracks import Tracks

if TYPE_CHECKING:
    from fastflv.servers.http.live import Live

CONTENT_TYPES: Final = {"flv": "video/x-flv", "ts": "video/MP2T", "aac": "audio/aac", "mp3": "audio/mpeg"}


def _head(content_type: str, **headers: str) -> Response:
    # nginx must not gather an endless body before it passes it on.
    fields = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", **headers}
    return Response(content_type=content_type, headers=fields)


def _kept_head(content_type: str) -> Response:
    head = _head(content_type, Connection="close")
    head.kept = {}
    return head


HEADS: Final = {container: _kept_head(content_type) for container, content_type in CONTENT_TYPES.items()}
"Heads of answers; they are made once for all players."

OUTPUTS: Final = {container: f"{container}-play" for container in CONTENT_TYPES}
"Kinds of clients, as SRS names them."


class Wish(NamedTuple):
    """What a request asks for."""

    name: StreamName
    variant: Variant
    mode: StartMode | None
    "None: as the vhost says."
    claims: Tracks | None
    "Tracks that the FLV header announces; None: those that there are."
    on_missing: float
    "How long to wait for a publisher, seconds."
    true_pace: bool
    "No frame is moved in time: `gop` stands for `compact`, unless the request names a start."
    rewind: RewindWish | None = None
    "None: at the live edge."
    resumes: bool = False
    "The client has the stream until now, from another server."

    @property
    def head(self) -> Response:
        """The head of the answer."""
        return HEADS[self.variant.container]


class LivePlay(ABC):
    """A request on its way to a stream."""

    __slots__ = ("exchange", "join", "live", "wish")

    def __init__(self, live: Live, exchange: Exchange, wish: Wish, scheme: str = "") -> None:
        """*scheme*: empty: that of the exchange."""
        request = exchange.request
        output = OUTPUTS[wish.variant.container]
        self.live = live
        self.exchange = exchange
        self.wish = wish
        self.join = Join(
            live.joins,
            access_request(request, Action.PLAY, wish.name, output, scheme or exchange.scheme),
            wish.name,
            on_missing=wish.on_missing,
            ready=self.ready,
            refused=self.refused,
            variant=wish.variant,
            past=wish.rewind,
            room=live.joins.rewinds.refusal if wish.rewind is not None else None,
        )

    def begin(self) -> None:
        """Join the stream; a client that is lost meanwhile takes its join back."""
        self.exchange.on_lost = self.join.cancel
        self.join.begin()

    @abstractmethod
    def ready(self, stream: Stream) -> None:
        """Answer: the stream is there, and its tracks are known."""

    def refused(self, refused: JoinRefused) -> None:
        """Answer a client that does not get its stream."""
        self.exchange.on_lost = None
        self.exchange.respond(join_refusal(refused, self.wish.name.url))


class RunningPlay:
    """A play after its start. It holds no request: players stay for hours, by the thousand."""

    __slots__ = ("_client", "_live", "_rewind")

    def __init__(self, live: Live) -> None:
        self._live = live
        self._client: Client | None = None
        self._rewind: Rewind | None = None

    def start(
        self,
        play: LivePlay,
        stream: Stream,
        link: Link,
        player: Player,
        preamble: MediaBlock | None = None,
    ) -> None:
        """Enter the player among the clients, and let it send."""
        wish, live = play.wish, self._live
        self._client = Client(play.join.request, stream, link, live.joins.loop.time(), play.join.asked)
        live.clients.add(self._client)
        if wish.rewind is not None:
            self._rewind = live.joins.rewinds.begin(stream, wish.rewind)
        source = self._rewind or stream
        outlet = source.open(wish.variant, resumes=wish.resumes)
        start = source.start(outlet, wish.claims, wish.mode, true_pace=wish.true_pace, resumes=wish.resumes)
        player.start(outlet, start, preamble)

    def leave(self, reason: EndReason) -> None:
        """The play is over."""
        client, self._client = self._client, None
        if self._rewind is not None:
            self._live.joins.rewinds.end(self._rewind)
            self._rewind = None
        if client is not None:
            self._live.clients.remove(client, reason, self._live.joins.loop.time())

    def resume(self, stream: Stream, link: Link, request: AccessRequest, times: tuple[float, float]) -> None:
        """Enter a player that another process has handed over. *times*: as `Client.joined` and `asked`."""
        self._client = Client(request, stream, link, *times)
        self._live.clients.add(self._client, resumed=True)


class DetachedPlay(RunningPlay):
    """A play whose socket a sender thread has to itself."""

    __slots__ = ()

    def ended(self, reason: EndReason, whole: bool) -> None:
        assert self._client is not None
        self._live.limit.release(self._client.request.peer.socket_ip)
        self.leave(reason)


class StreamedPlay(RunningPlay):
    """A play whose answer the event loop writes."""

    __slots__ = ("writer",)

    writer: BodyWriter

    def ended(self, reason: EndReason, whole: bool) -> None:
        self.leave(reason)
        if whole and reason in SERVER_SIDE:
            self.writer.end()
        else:
            self.writer.abort()


class HeadPlay(LivePlay):
    """A HEAD request: the answer of a play without its body. It does not wait for an absent stream."""

    __slots__ = ()

    def __init__(self, live: Live, exchange: Exchange, wish: Wish) -> None:
        super().__init__(live, exchange, wish._replace(on_missing=0.0))

    def ready(self, stream: Stream) -> None:
        head = _head(CONTENT_TYPES[self.wish.variant.container])
        head.endless = True
        self.exchange.respond(head)


class HttpPlay(LivePlay):
    """A GET request. A plain socket goes to a sender thread; any other answer is written by the event loop."""

    __slots__ = ()

    def ready(self, stream: Stream) -> None:
        exchange, live = self.exchange, self.live
        exchange.on_lost = None
        head = self.wish.head
        taken = exchange.take_socket(head)
        if taken is not None:
            detached = DetachedPlay(live)
            framing = Framing.CHUNKED if taken.chunked else Framing.RAW
            player = live.players.take_over(taken.fd, stream.options, framing, detached.ended)
            detached.start(self, stream, player, player, live.shared(taken.head))
            return
        # A player that the event loop serves stops writing at the first byte that the socket does not take,
        # and has time limits of its own.
        writer = exchange.respond_stream(head, buffer=1, idle=None)
        if writer is not None:
            streamed = StreamedPlay(live)
            streamed.writer = writer
            served = live.players.write_to(writer, stream.options, Framing.RAW, streamed.ended)
            exchange.on_lost = served.lost
            writer.on_full = served.pause_writing
            writer.on_drain = served.resume_writing
            streamed.start(self, stream, served, served)
