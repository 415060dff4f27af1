"""RTMP connections: socket and deadlines around the sans-IO session.

Media goes from the receive buffer through the chunk reader into the stream's writer; this module
sees it as a byte count only.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv._ext.ingest.readpace import ReadPace
from fastflv.errors import PeerError, PeerTimeoutError
from fastflv.net.deadline import Deadline, after
from fastflv.net.keepalive import keep_alive
from fastflv.net.peer import Peer
from fastflv.net.peerlog import peer_logger
from fastflv.protocols.rtmp import events
from fastflv.protocols.rtmp.server import ServerSession
from fastflv.protocols.rtmp.states import ConnectionState
from fastflv.servers.rtmp.options import RtmpOptions
from fastflv.servers.rtmp.patience import Patience
from fastflv.servers.rtmp.play import RtmpPlay
from fastflv.servers.rtmp.publish import BAD_NAME
from fastflv.servers.rtmp.publishes import Publishes
from fastflv.stream.arrival import ClientState
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName

if TYPE_CHECKING:
    from fastflv.servers.rtmp.server import RtmpServer

log = peer_logger(__name__)

NO_PLACE = "needs a stream name and a vhost that is there"


class RtmpConnection(asyncio.BufferedProtocol):
    """One RTMP peer, which publishes some streams or plays one."""

    def __init__(self, server: RtmpServer, peer: Peer) -> None:
        self.server = server
        self.peer = peer
        self.id = peer.id
        "Of its first client too; publishes beside that have ids of their own."
        self.tc_url = ""
        self.page_url = ""
        self.relay = self.resumes = False
        "The peer is a server that plays for others; it has the stream until now, from another server."
        self.sent = 0
        "Bytes of answers; media that a player sends is not among them."
        self._loop = server.loop
        self._view = server.buffer
        self._session = ServerSession(noise=os.urandom, mark=server.mark)
        self._transport: asyncio.Transport | None = None
        self._options: RtmpOptions | None = None
        "Of the vhost that `connect` named."
        self._publishes = Publishes(self, self._session)
        self._pace = ReadPace()
        self._play: RtmpPlay | None = None
        self._asked: events.PlayWanted | None = None
        "A play asked for while the one before comes to its end."
        self._handling = False
        self._reason = EndReason.PEER_CLOSED
        self._fault = ""
        "How the peer broke the protocol."
        self._patience: Patience | None = None
        "None while the peer publishes or plays."
        self._closing: Deadline | None = None

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._attach(transport)
        self._list()
        self.server.quiet.heard(self.transport)
        seconds, why = limits.HANDSHAKE_SECONDS, "the handshake and connect took"
        self._patience = Patience(self.server.turns, self._expire, seconds, why)

    def _attach(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._session.on_data = self._publishes.take_script
        self._session.has_turn = self.server.has_turn

    def get_buffer(self, sizehint: int) -> memoryview:
        session = self._session
        return self._view[: min(session.room, self._pace.room) if session.waiting else self._pace.room]

    def buffer_updated(self, nbytes: int) -> None:
        began = perf_counter()
        if not self._take_read(self._view[:nbytes]):
            return
        gives_way = self._pace.spent(nbytes, began, perf_counter())
        if self._hold_if_full():
            return
        if gives_way:
            self._hold()
            self._loop.call_soon(self._read_on)
        else:
            self._heard()

    def _take_read(self, view: memoryview, at: int | None = None) -> bool:
        """Take one read, or the rest of one from *at* on; return whether the connection goes on."""
        session = self._session
        now = session.now = self._loop.time()
        self._publishes.begin_read(now)
        try:
            happened = session.receive(view) if at is None else session.receive_rest(view, at)
            if happened:
                self._handle(happened)
        except PeerError as error:
            self._fail(error)
            return False
        self._publishes.end_read()
        if self._patience is not None:
            self._patience.hear(session.messages, now)
        self._flush()
        return self._transport is not None

    def pause_writing(self) -> None:
        if self._play is not None:
            self._play.pause_writing()
        elif self._transport is not None:
            # Backpressure: answers must not pile up for a peer that does not read them.
            self._hold()

    def resume_writing(self) -> None:
        if self._play is not None:
            self._play.resume_writing()
        self._read_on()

    def eof_received(self) -> bool:
        self._close_after_output()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            self._publishes.end(self._reason)
            self._session.close()
            # The play holds this connection.
            play, self._play = self._play, None
            if play is not None:
                play.lost()
        finally:
            # Whatever fails above, no place of the limit, no timer and no entry stays.
            self.server.publications.clients.arrivals.withdraw(
                self, self._fault or self._reason.value, self._loop.time()
            )
            self._free()
            for watcher in self.server.watchers:
                watcher(self.id, self.sent, self._session.reader.received)

    def _free(self) -> None:
        self._session.on_data = None
        self._publishes.forget()
        self.server.quiet.forget(self.transport)
        self._transport = None
        self._stop_watch()
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        self.server.limit.release(self.peer.socket_ip)

    @property
    def carried(self) -> tuple[ServerSession, Publishes, RtmpPlay | None, RtmpOptions | None]:
        return self._session, self._publishes, self._play, self._options

    def part(self) -> None:
        """Another process goes on with the socket: free what this one holds. Nothing is sent."""
        transport = self.transport
        self._play = None
        self._free()
        transport.set_protocol(asyncio.Protocol())
        # Closing a descriptor that has a duplicate sends nothing.
        transport.abort()

    # --- Arrival ---

    @property
    def request(self) -> None:
        """A command's request stands for the connection in the list of clients."""
        return None

    @property
    def state(self) -> ClientState:
        return ClientState.CONNECTED

    def drop(self, reason: EndReason) -> None:
        """Disconnect a peer that neither publishes nor plays."""
        self._log("rtmp %s closed: %s", reason)
        self._reason = reason
        self._close_after_output()

    def _list(self) -> None:
        """List the connection while it neither publishes nor plays."""
        self.server.publications.clients.arrivals.add(self, self._loop.time())

    # --- events ---

    def _handle(self, happened: list[events.Event]) -> None:
        self._handling = True
        try:
            while happened:
                for event in happened:
                    self._take(event)
                # Answers release input that was held, and that brings further events.
                happened = [] if self._session.waiting else self._session.resume()
        finally:
            self._handling = False

    def _take(self, event: events.Event) -> None:
        match event:
            case events.ConnectWanted():
                self._connect(event)
            case events.PublishWanted():
                self._publish(event)
            case events.PlayWanted():
                self._start_play(event)
            case events.Unpublished():
                self._unpublished(event)
            case events.PlayStopped() if self._play is not None:
                self._play.stop()
            case events.Paused() if self._play is not None:
                self._play.pause(event.paused)
            case events.AudioWanted() if self._play is not None:
                self._play.choose(audio=event.wanted)
            case events.VideoWanted() if self._play is not None:
                self._play.choose(video=event.wanted)

    def _connect(self, event: events.ConnectWanted) -> None:
        options = self._options = self.server.vhost_of(event.vhost)
        self.tc_url = event.tc_url
        self.page_url = event.page_url
        self.relay, self.resumes = event.relay, self.server.resumes(event)
        if options is None:
            # The stream may still name the vhost: rtmp://192.0.2.1/live/name?vhost=example.com.
            self._session.accept_connect()
        else:
            self._session.accept_connect(
                window=options.out_ack_size, chunk_size=options.chunk_size, in_ack_size=options.in_ack_size
            )
        self._expect(limits.COMMAND_SECONDS, "no publish or play followed connect for")

    def _options_of(self, event: events.PublishWanted | events.PlayWanted) -> RtmpOptions | None:
        """The present options of the vhost that a command means; None without a stream name or vhost."""
        name = event.vhost or (self._options.vhost if self._options is not None else "")
        return self.server.vhost_of(name) if event.stream else None

    # --- publishing ---

    def _publish(self, event: events.PublishWanted) -> None:
        options = self._options_of(event)
        if options is None:
            self._log("rtmp %s: no vhost %s, or no stream name", event.vhost)
            self._session.reject_publish(event.stream_id, BAD_NAME, f"a publish {NO_PLACE}")
            self.close_unless_used()
            return
        self._stop_watch()
        self.server.quiet.forget(self.transport)
        self._publishes.begin(event, options)

    @property
    def speaks_tls(self) -> bool:
        """The socket itself has TLS (`Peer.secure` may be that of a proxy)."""
        return self.transport.get_extra_info("sslcontext") is not None

    def close_unless_used(self) -> None:
        """Close behind an answer that refuses, unless something is published."""
        if not self._publishes:
            self._close_after_output()

    def publish_dropped(self, reason: EndReason) -> None:
        """The server has ended a publish."""
        if self._transport is not None:
            self._reason = reason
            self.close_unless_used()
            self._flush()

    def _unpublished(self, event: events.Unpublished) -> None:
        self._publishes.unpublished(event.stream_id)
        if not self._publishes:
            self._list()
            self._expect(limits.COMMAND_SECONDS, "no publish or play for")

    # --- playing ---

    def _start_play(self, event: events.PlayWanted) -> None:
        options = self._options_of(event)
        if options is None:
            self._log("rtmp %s: play refused: no vhost %s, or no stream name", event.vhost)
            self._session.reject_play(event.stream_id, "NetStream.Play.Failed", f"a play {NO_PLACE}")
            self._close_after_output()
            return
        self._stop_watch()
        keep_alive(self.transport.get_extra_info("socket"))
        if self._play is not None:
            # The play before has its last message on its way.
            self._asked = event
            return
        self._play = RtmpPlay(self, self._named(event, options), options)
        self._play.begin()

    def _named(self, event: events.PlayWanted, options: RtmpOptions) -> events.PlayWanted:
        """Return *event* with the name of the stream: an SRS edge whose viewer came by HTTP asks for `name.flv`.

        A stream of the exact name goes first.
        """
        name = event.stream.removesuffix(".flv")
        exact = StreamName(options.vhost, event.app, event.stream)
        if not name or name == event.stream or self.server.joins.hub.find(exact) is not None:
            return event
        return replace(event, stream=name)

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    @property
    def chunk_size(self) -> int:
        """Bytes, as announced to the player."""
        return self._session.replies.chunk_size

    def accept_play(self, play: RtmpPlay) -> None:
        """Announce media to the player."""
        if self._session.state is not ConnectionState.CLOSED:
            self._session.accept_play(play.stream_id)
            self._flush()
            self.answered()

    def refuse_play(self, play: RtmpPlay, code: str, why: str, *, url: str = "") -> None:
        """Answer with `onStatus` of level error, or with *url* at a server that has the stream, and close."""
        if self._session.state is not ConnectionState.CLOSED:
            if url:
                self._session.redirect(play.stream_id, url)
            else:
                self._session.reject_play(play.stream_id, code, why)
            self._play = None
            self._close_after_output()

    def play_over(self, reason: EndReason, whole: bool) -> None:
        """Nothing more is sent. STOPPED leaves the connection open; any other reason closes it, not *whole* at once."""
        play, self._play = self._play, None
        if self._transport is None or play is None:
            return
        if reason is not EndReason.STOPPED:
            if not whole:
                self._transport.abort()
                return
            if self._session.state is not ConnectionState.CLOSED:
                self._session.notify(
                    play.stream_id, "NetStream.Play.UnpublishNotify", f"The play is over: {reason}."
                )
            self._close_after_output()
            return
        asked, self._asked = self._asked, None
        if asked is not None:
            self._start_play(asked)
        else:
            self._list()
            self._expect(limits.COMMAND_SECONDS, "no publish or play for")

    # --- answers ---

    def answered(self) -> None:
        """An answer was given: input that was held meanwhile goes on, once the present call is done."""
        if not self._handling:
            self._flush()
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        session = self._session
        if self._transport is None or session.waiting:
            return
        session.now = self._loop.time()
        try:
            self._handle(session.resume())
        except PeerError as error:
            self._fail(error)
            return
        self._publishes.end_read()
        self._flush()
        if session.deferred:
            self.server.turns.queue(self._go_on)
        self._read_on()

    def _read_on(self) -> None:
        """Resume reading, unless the session still waits with its room used up."""
        if self._transport is not None and not self._transport.is_closing() and self._session.room:
            self._transport.resume_reading()
            self._heard()

    def _hold(self) -> None:
        """Read no more until `_read_on`."""
        self._publishes.hold()
        self.server.quiet.forget(self.transport)
        self.transport.pause_reading()

    def _heard(self) -> None:
        """The loop reads on: a publisher always, any other peer as long as it has something to say."""
        if self._publishes:
            self._publishes.read_on()
        else:
            self.server.quiet.heard(self.transport)

    def take_rest(self, view: memoryview, at: int) -> None:
        """Take the rest of what the feed has read, whose reader shows a message."""
        if self._take_read(view, at):
            self._hold_if_full()

    def _hold_if_full(self) -> bool:
        """Read no more while the session takes no more; return whether that is so."""
        session = self._session
        if session.room:
            return False
        self._hold()
        if session.deferred:
            self.server.turns.queue(self._go_on)
        return True

    def look(self) -> None:
        """The feed has read what is not media alone: tracks to tell, or bytes to acknowledge."""
        self._session.acknowledge()
        self._publishes.look()
        self._flush()

    def fail(self, error: Exception) -> None:
        """The feed has met bytes that are wrong, or a fault of the server."""
        if isinstance(error, PeerError):
            self._fail(error)
            return
        log.error("rtmp %s: a read failed", self.peer.ip, exc_info=error, extra=self.peer.marks)
        self.transport.abort()

    def _flush(self) -> None:
        """Write what the session has to say."""
        output = self._session.take_output()
        if not output:
            return
        if self._play is not None:
            self._play.say(output)
            return
        if self._transport is not None and not self._transport.is_closing():
            self.sent += len(output)
            self._transport.write(output)
            if self._transport.get_write_buffer_size() > limits.ANSWER_BYTES_MAX:
                self._log("rtmp %s closed: it asks and does not read the answers")
                self._reason = EndReason.UNREAD_ANSWERS
                self._transport.abort()

    def _log(self, line: str, *more: object) -> None:
        """Write a line whose first word of the peer is its address."""
        log.info(line, self.peer.ip, *more, extra=self.peer.marks)

    # --- closing ---

    def _fail(self, error: PeerError) -> None:
        self._log("rtmp %s closed: %s", error)
        self._reason = EndReason.PROTOCOL
        self._fault = str(error)
        self._close_after_output()

    def _close_after_output(self) -> None:
        """Close once the peer has read its last answers, and cut it off when it does not."""
        self._flush()
        self._publishes.end(self._reason)
        self._session.close()
        self._asked = None
        if self._play is not None:
            self._play.cancel()
        if self._transport is not None and not self._transport.is_closing():
            self._stop_watch()
            self._closing = after(self.server.turns, limits.CLOSE_SECONDS, self._transport.abort)
            self._transport.close()

    def _expect(self, seconds: float, why: str) -> None:
        """Close when the peer sends no whole message for *seconds*; *why* begins the line of the log."""
        if self._transport is None or self._transport.is_closing():
            # Closing has a deadline of its own.
            return
        self._stop_watch()
        self._patience = Patience(self.server.turns, self._expire, seconds, why, self._session.messages)

    def _stop_watch(self) -> None:
        if self._patience is not None:
            self._patience.end()
            self._patience = None

    def _expire(self, error: PeerTimeoutError) -> None:
        self._fail(error)
        if self._transport is not None and self._transport.get_write_buffer_size():
            # It does not read: a polite close would wait for it for ever.
            self._transport.abort()
