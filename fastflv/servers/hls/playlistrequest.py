"""A request for a playlist: through the gate, to the stream, to its first segment."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from fastflv import limits
from fastflv.access.request import AccessRequest, Action
from fastflv.containers.playlist import QUERY, master
from fastflv.net.deadline import Deadline
from fastflv.playing.join import Join, JoinRefused
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.presentation import Presentation
from fastflv.servers.hls.segmentreader import carried, rendition
from fastflv.servers.hls.sessions import ARGUMENT
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import join_refusal, refuse_play
from fastflv.stream.moment import WindowWish
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.servers.hls.server import HlsServer

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"

QUERY_SAFE = "!$&'()*+,;=:@/?%~"
"Characters of a query that are copied into a playlist; others could end a line or a quoted string there."


class PlaylistRequest:
    """One request for the playlist of a stream."""

    __slots__ = (
        "_client_id",
        "_exchange",
        "_join",
        "_muxer",
        "_name",
        "_options",
        "_patience",
        "_server",
        "_wish",
        "_word",
    )

    def __init__(
        self,
        server: HlsServer,
        exchange: Exchange,
        name: StreamName,
        options: HlsOptions,
        wish: WindowWish | None,
    ) -> None:
        """*wish*: how far the playlist reaches back; None for that of the live edge."""
        self._server = server
        self._exchange = exchange
        self._name = name
        self._options = options
        self._wish = wish
        self._word = exchange.request.args.get(ARGUMENT, "") if options.sessions else ""
        "Session id of the request; empty without one, and where sessions are off."
        self._client_id = self._word or server.sessions.new_word()
        self._muxer: Presentation | None = None
        self._patience: Deadline | None = None
        self._join: Join | None = None
        "None while no gate and no stream is asked: a viewer that is known gets its playlist without."

    def begin(self) -> None:
        """Answer, or wait. The gate is asked once a session, and again when its address changes."""
        session = self._server.sessions.find(self._word) if self._word else None
        if self._server.stopped:
            self._exchange.respond(_stopping())
        elif session is not None and session.kicked:
            refuse_play(
                self._exchange,
                self._name.url,
                Response.of_text(404, f"HLS stream {self._name.url} is EOF"),
            )
        else:
            known = session is not None and session.admits(self._name, self._exchange.request.ip)
            response = self._answer() if known else None
            if response is not None:
                self._exchange.respond(response)
            else:
                self._begin_join(ask=not known)

    def _begin_join(self, *, ask: bool) -> None:
        self._exchange.on_lost = self._forget
        self._join = Join(
            self._server.joins,
            self._access(),
            self._name,
            on_missing=min(self._options.on_missing, limits.HLS_HOLD_SECONDS),
            ready=self._ready,
            refused=self._refused,
            past=self._wish,
            admitted=self._admitted,
        )
        self._join.begin(ask=ask)

    def _access(self) -> AccessRequest:
        request, scheme = self._exchange.request, self._exchange.scheme
        return access_request(request, Action.PLAY, self._name, "hls-play", scheme, self._client_id)

    def _pass_on(self) -> bool:
        """Whether another process answers: the stream came to be published there meanwhile."""
        if not self._server.pass_on(self._exchange, self._name):
            return False
        # Of the one that answers now.
        on_lost = self._exchange.on_lost
        self._forget()
        self._exchange.on_lost = on_lost
        return True

    def _admitted(self) -> bool:
        """Answer with what there is, or wait for the first segment; False: the stream has to be found."""
        response = self._answer()
        if response is not None:
            self._respond(response)
            return True
        muxer = self._find()
        if muxer is None or self._too_early(muxer, self._server.joins.hub.find(self._name)):
            return False
        if muxer.ended and self._server.joins.hub.find(self._name) is None:
            self._respond(self._missing())
        else:
            self._wait_for(muxer)
        return True

    def _ready(self, stream: Stream) -> None:
        """The stream is there: its muxer makes the first segment."""
        if self._pass_on():
            return
        response = self._answer()
        if response is not None:
            self._respond(response)
            return
        muxer = self._find()
        if muxer is None:
            self._respond(self._missing())
        else:
            self._wait_for(muxer)

    def _refused(self, refused: JoinRefused) -> None:
        self._forget()
        self._exchange.on_lost = None
        self._exchange.respond(join_refusal(refused, self._name.url))

    # --- waiting for a segment ---

    def _wait_for(self, muxer: Presentation) -> None:
        self._muxer = muxer
        muxer.wait(self._woken)
        if self._patience is None:
            self._patience = Deadline(self._server.joins.turns, self._expired)
            self._patience.set(limits.HLS_HOLD_SECONDS)

    def _woken(self) -> None:
        """There is a segment, or the muxer has ended."""
        if self._server.stopped:
            self._respond(_stopping())
            return
        if self._pass_on():
            return
        response = self._answer()
        muxer = self._find()
        if response is None and muxer is not None and not muxer.ended:
            self._wait_for(muxer)
        else:
            self._respond(response or self._missing())

    def _expired(self) -> None:
        self._respond(self._missing())

    def _missing(self) -> Response:
        seconds = max(1, round(self._options.on_missing))
        return Response.of_text(
            404, f"{self._name.url} is not live, or not for long", Retry_After=str(seconds)
        )

    def _respond(self, response: Response) -> None:
        self._forget()
        if response.status == 404:
            refuse_play(self._exchange, self._name.url, response)
        else:
            self._exchange.respond(response)

    def _forget(self) -> None:
        # The exchange and the join refer to this request: what a client sent would stay until the collector comes.
        self._exchange.on_lost = None
        join, self._join = self._join, None
        if join is not None:
            join.cancel()
        if self._patience is not None:
            self._patience.cancel()
        if self._muxer is not None:
            self._muxer.waiting.discard(self._woken)

    # --- answers ---

    def _find(self) -> Presentation | None:
        """Return whose playlist is asked for; None where it is not there yet."""
        if self._wish is None:
            return self._server.muxers.find(self._name)
        return self._server.windows.find(self._name, self._options, self._wish)

    def _start(self, stream: Stream) -> Presentation | None:
        """Make it; None where HLS cannot have the name of the stream."""
        if self._wish is None:
            return self._server.muxers.start(stream)
        return self._server.windows.start(stream, self._options, self._wish)

    def _too_early(self, muxer: Presentation, stream: Stream | None) -> bool:
        """Nothing is known of the stream yet that a playlist could say."""
        return not muxer.text and stream is not None and not stream.settled

    def _answer(self) -> Response | None:
        """Return the answer; None when there is nothing yet to answer with."""
        server, options = self._server, self._options
        stream = server.joins.hub.find(self._name)
        if stream is not None and stream.settled and not carried(stream.writer, options):
            return Response.of_text(404, f"{self._name.url} has nothing that HLS can carry; play .flv")
        if stream is not None and self._wish is not None and stream.timeshift.refusal("", self._wish):
            # The join says why.
            return None
        muxer = self._find()
        if muxer is None:
            if stream is None or not stream.settled:
                return None
            muxer = self._start(stream)
            if muxer is None:
                return Response.of_text(404, f"{self._name.url} has no HLS")
        if self._too_early(muxer, stream):
            return None
        muxer.asked = server.joins.loop.time()
        if options.sessions and not self._word:
            return self._master(muxer, stream)
        if not muxer.text:
            return None
        query = self._segment_query()
        size = len(muxer.text) + muxer.text.count(QUERY) * len(query)
        if size > limits.HLS_PLAYLIST_BYTES_MAX:
            return Response.of_text(414, "the query is too long to be carried into the playlist")
        self._count(muxer, stream, size)
        response = Response(200, muxer.text.replace(QUERY, query).encode(), PLAYLIST_TYPE)
        response.headers["Cache-Control"] = "no-cache" if options.sessions else "max-age=1"
        return response

    def _segment_query(self) -> str:
        """Return the query for the URIs in a media playlist, with its `?`; empty without one."""
        options, request = self._options, self._exchange.request
        if options.forward_query:
            parts = quote(request.query, safe=QUERY_SAFE, encoding="latin-1").split("&")
            parts = [part for part in parts if part and not part.startswith(f"{ARGUMENT}=")]
        else:
            parts = [
                urlencode({name: request.args[name]})
                for name in ("vhost", "domain")
                if request.args.get(name)
            ]
        if options.sessions and options.segment_sessions:
            parts.insert(0, urlencode({ARGUMENT: self._word}))
        return f"?{'&'.join(parts)}" if parts else ""

    def _master(self, muxer: Presentation, stream: Stream | None) -> Response | None:
        """Send a viewer to a playlist of its own."""
        if stream is None and not muxer.text:
            return None
        options, request = self._options, self._exchange.request
        self._count(muxer, stream, 0)
        path = options.names.master_uri(muxer.path, relative=options.master_relative)
        query = f"?{ARGUMENT}={self._client_id}"
        if request.query:
            query += "&" + quote(request.query, safe=QUERY_SAFE, encoding="latin-1")
        text = master(path + query, rendition(stream, options, muxer.rates, muxer.frame_rate))
        response = Response(200, text.encode(), PLAYLIST_TYPE)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _count(self, muxer: Presentation, stream: Stream | None, size: int) -> None:
        """Count the viewer, and *size* bytes sent to it."""
        request = self._exchange.request
        if not self._options.sessions or request.method != "GET":
            return
        keep = max(2 * self._options.playlist_ms / 1000, muxer.idle_seconds)
        if not self._word:
            # Its playlist is asked for at once, or never.
            keep = min(keep, limits.HLS_UNUSED_SECONDS)
        if self._server.sessions.follows(self._word, request.ip, stream, keep):
            self._server.sessions.count(self._word, size)
        else:
            self._server.count(self._access(), stream, keep, size)


def _stopping() -> Response:
    return Response.of_text(503, "the server stops")
