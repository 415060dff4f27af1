"""RTMP connections: sockets and clocks around the sans-IO session.

Media goes from the receive buffer through the chunk reader into the stream's writer; this module
sees it as a byte count only.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from fastflv import limits
from fastflv.errors import PeerError, PeerTimeoutError, StreamBusyError
from fastflv.net.connectionlimit import ConnectionLimit, Seated, Seats, address_of
from fastflv.net.keepalive import keep_alive
from fastflv.net.lowwater import LowWater
from fastflv.protocols.rtmp import events
from fastflv.protocols.rtmp.server import ServerSession
from fastflv.protocols.rtmp.states import ConnectionState
from fastflv.servers.rtmp.options import IngestOptions
from fastflv.servers.rtmp.playing import Playing, StartPlay
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)


class Ingest:
    """What all RTMP connections of a server share."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        clients: Clients,
        connection_limit: ConnectionLimit,
        *,
        vhost_of: Callable[[str], IngestOptions | None],
        new_id: Callable[[], str],
        start_play: StartPlay | None = None,
    ) -> None:
        self.start_play = start_play
        self.loop = loop
        self.hub = hub
        self.clients = clients
        self.connection_limit = connection_limit
        self.vhost_of = vhost_of
        self.new_id = new_id
        # Shared by all connections: what a read puts in is used up before the next read begins.
        self.buffer = memoryview(bytearray(limits.RECEIVE_BYTES))

    def connection(self) -> RtmpConnection:
        return RtmpConnection(self, self.connection_limit)

    def seated_connection(self) -> RtmpConnection:
        """One that has its seat already."""
        return RtmpConnection(self, Seated(self.connection_limit))

    def now_ms(self) -> int:
        return int(self.loop.time() * 1000)

    def unpublish(self, stream: Stream) -> None:
        """A publisher left; end the stream when its grace is over."""
        self.hub.unpublish(stream, self.now_ms())
        if stream.options.grace_ms:
            self.loop.call_later(stream.options.grace_ms / 1000 + 0.001, self._expire, stream, stream.left_ms)

    def _expire(self, stream: Stream, left_ms: int) -> None:
        if stream.left_ms == left_ms and self.hub.expire(stream, self.now_ms()):
            log.info("stream %s ended: no publisher came back", stream.name.url)


class RtmpConnection(asyncio.BufferedProtocol):
    """One RTMP peer."""

    def __init__(self, ingest: Ingest, connection_limit: Seats) -> None:
        self._ingest = ingest
        self._connection_limit = connection_limit
        self._loop = ingest.loop
        self._view = ingest.buffer
        self._session = ServerSession(noise=os.urandom(32))
        self._transport: asyncio.Transport | None = None
        self._ip = ""
        self._tc_url = ""
        self._page_url = ""
        self._options: IngestOptions | None = None
        self._stream: Stream | None = None
        self._client: Client | None = None
        self._heard = 0.0
        self._since: float | None = 0.0
        "Where the deadline counts from; None: from the last byte heard."
        self._deadline = limits.HANDSHAKE_SECONDS
        self._why = "the handshake and connect took"
        self._timer: asyncio.TimerHandle | None = None
        self._media_seen = 0
        self._sent = 0
        self._sent_before = 0
        self._received_before = 0
        self._seated = False
        self._settling = False
        self._low_water: LowWater | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._playing: Playing | None = None
        self._play_stream_id = 0
        self._asked: events.PlayWanted | None = None
        "A play asked for while the one before comes to its end."

    # --- Link ---

    @property
    def sent(self) -> int:
        """Bytes since the present publish began, like `received`: each publish is a client of its own."""
        return self._sent - self._sent_before

    @property
    def received(self) -> int:
        return self._session.reader.received - self._received_before

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._session.on_data = self._take_data
        self._ip = address_of(transport)
        if not self._connection_limit.enter():
            log.warning(
                "rtmp %s refused: all %d connections are taken", self._ip, self._connection_limit.limit
            )
            self._session.close()
            transport.close()
            return
        self._seated = True
        self._heard = self._since = self._loop.time()
        self._timer = self._loop.call_later(self._deadline, self._watch)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view[: self._session.room] if self._session.waiting else self._view

    def buffer_updated(self, nbytes: int) -> None:
        stream = self._stream
        now = self._heard = self._session.now = self._loop.time()
        try:
            if stream is not None:
                writer = stream.writer
                writer.now_ms = int(now * 1000)
                happened = self._session.receive(self._view[:nbytes])
                if happened:
                    self._handle(happened)
                writer.flush()
                if not stream.settled:
                    self._settle(stream)
            else:
                self._handle(self._session.receive(self._view[:nbytes]))
        except PeerError as error:
            self._fail(error)
            return
        output = self._session.take_output()
        if output:
            self._write(output)
        if not self._session.room and self._transport is not None:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        if self._playing is not None:
            self._playing.pause_writing()
            return
        # Who does not read its answers is not read either: they must not pile up.
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._playing is not None:
            self._playing.resume_writing()
        self._read_on()

    def _read_on(self) -> None:
        """Resume reading, unless the session still waits with its room used up."""
        if self._transport is not None and not self._transport.is_closing() and self._session.room:
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        self._close_after_output()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            self._leave("the connection ended")
            self._session.close()
            if self._playing is not None:
                self._playing.lost()
        finally:
            # Whatever fails above, no seat and no timer stays.
            self._session.on_data = None
            self._transport = None
            self._stop_watch()
            if self._seated:
                self._seated = False
                self._connection_limit.leave()

    # --- events ---

    def _handle(self, happened: list[events.Event]) -> None:
        while happened:
            for event in happened:
                self._take(event)
            # Answers let held input go on, and that brings further events.
            happened = [] if self._session.waiting else self._session.resume()

    def _take(self, event: events.Event) -> None:
        match event:
            case events.ConnectWanted():
                self._connect(event)
            case events.PublishWanted():
                self._publish(event)
            case events.PlayWanted():
                self._play(event)
            case events.PlayStopped():
                if self._playing is not None:
                    self._playing.stop()
            case events.Paused() if self._playing is not None:
                self._playing.pause(event.paused)
            case events.AudioWanted() if self._playing is not None:
                self._playing.choose(audio=event.wanted)
            case events.VideoWanted() if self._playing is not None:
                self._playing.choose(video=event.wanted)
            case events.Unpublished():
                self._leave(event.reason)

    def _take_data(self, event: events.DataArrived) -> None:
        if self._stream is not None:
            self._stream.take_data(event.name, event.payload, event.timestamp)

    def _connect(self, event: events.ConnectWanted) -> None:
        options = self._ingest.vhost_of(event.vhost)
        self._options = options
        self._tc_url = event.tc_url
        self._page_url = event.page_url
        if options is None:
            # The stream may still name the vhost: rtmp://192.0.2.1/live/name?vhost=example.com.
            self._session.accept_connect()
        else:
            self._session.accept_connect(
                window=options.out_ack_size, chunk_size=options.chunk_size, in_ack_size=options.in_ack_size
            )
        self._expect(limits.COMMAND_SECONDS, "no publish or play followed connect for")

    def _publish(self, event: events.PublishWanted) -> None:
        ingest = self._ingest
        if self._stream is not None:
            self._session.reject_publish(
                event.stream_id, "NetStream.Publish.BadName", "the connection publishes already"
            )
            return
        options = ingest.vhost_of(event.vhost) if event.vhost else self._options
        if options is None or not event.stream:
            log.info("rtmp %s: no vhost %s, or no stream name", self._ip, event.vhost)
            self._session.reject_publish(
                event.stream_id,
                "NetStream.Publish.BadName",
                "a publish needs a stream name and a vhost that is there",
            )
            self._close_after_output()
            return
        name = StreamName(options.name, event.app, event.stream)
        id = ingest.new_id()
        try:
            stream = ingest.hub.publish(name, options.stream, id, ingest.now_ms())
        except StreamBusyError as error:
            log.info("rtmp %s: %s", self._ip, error)
            self._session.reject_publish(event.stream_id, "NetStream.Publish.BadName", error.detail)
            self._close_after_output()
            return
        self._stream = stream
        self._options = options
        self._media_seen = stream.writer.bytes
        self._sent_before, self._received_before = self._sent, self._session.reader.received
        self._client = Client(
            id=id,
            stream=stream,
            kind=f"{event.kind}-publish",
            ip=self._ip,
            tc_url=self._tc_url,
            name=event.stream,
            page_url=self._page_url,
            joined=self._loop.time(),
            drop=_drop,
            publish=True,
        )
        self._client.link = self
        ingest.clients.add(self._client)
        self._session.accept_publish(event.stream_id, stream.writer)
        self._expect(options.first_packet, "no media after publish for", since=self._loop.time())
        log.info("publisher %s from %s publishes %s", id, self._ip, name.url)
        # The writer stamps what follows in this same read.
        stream.writer.now_ms = ingest.now_ms()
        # Behind TLS the mark would count records, not messages.
        if self._transport is not None and self._transport.get_extra_info("sslcontext") is None:
            self._low_water = LowWater(self._transport.get_extra_info("socket"))
            stream.wake = self._low_water.wake
            self._gather(stream)

    # --- playing ---

    def _play(self, event: events.PlayWanted) -> None:
        self._play_stream_id = event.stream_id
        options = self._ingest.vhost_of(event.vhost) if event.vhost else self._options
        if options is None or not event.stream or self._ingest.start_play is None:
            self.refuse_play("NetStream.Play.Failed", "a play needs a stream name and a vhost that is there")
            return
        self._options = options
        self._expect(None, "")
        keep_alive(self.transport.get_extra_info("socket"))
        if self._playing is not None:
            # The play before has its last message on its way.
            self._asked = event
            return
        self._playing = self._ingest.start_play(self, event, options.name)

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    @property
    def ip(self) -> str:
        return self._ip

    @property
    def tc_url(self) -> str:
        return self._tc_url

    @property
    def page_url(self) -> str:
        return self._page_url

    @property
    def chunk_size(self) -> int:
        return self._session.replies.chunk_size

    def accept_play(self) -> None:
        if self._session.state is ConnectionState.CLOSED:
            return
        self._session.accept_play(self._play_stream_id)
        self._write(self._session.take_output())
        # What was held meanwhile comes when the play has begun.
        self._loop.call_soon(self._go_on)

    def refuse_play(self, code: str, why: str) -> None:
        if self._session.state is ConnectionState.CLOSED:
            return
        log.info("rtmp %s: play refused: %s", self._ip, why)
        self._session.reject_play(self._play_stream_id, code, why)
        self._playing = None
        self._close_after_output()

    def play_over(self, reason: EndReason, whole: bool) -> None:
        self._playing = None
        if self._transport is None:
            return
        if reason is not EndReason.STOPPED:
            if not whole:
                self._transport.abort()
                return
            self._session.notify(
                self._play_stream_id, "NetStream.Play.UnpublishNotify", f"The play is over: {reason}."
            )
            self._close_after_output()
            return
        asked, self._asked = self._asked, None
        if asked is not None:
            self._play(asked)
        else:
            self._expect(limits.COMMAND_SECONDS, "no publish or play for")

    def _go_on(self) -> None:
        if self._transport is None or self._session.waiting:
            return
        try:
            self._handle(self._session.resume())
        except PeerError as error:
            self._fail(error)
            return
        self._write(self._session.take_output())
        self._read_on()

    def _gather(self, stream: Stream) -> None:
        """Look now and then whether somebody watches the stream that this connection publishes."""
        if self._stream is stream and self._low_water is not None:
            self._low_water.look(self.received, stream.is_read or not stream.settled)
            self._gathering = self._loop.call_later(limits.LOW_WATER_SECONDS, self._gather, stream)

    def _leave(self, why: str) -> None:
        """End the publish, if there is one; the connection may go on."""
        stream, client = self._stream, self._client
        self._stream = self._client = None
        if stream is None or client is None:
            return
        stream.wake = None
        if self._low_water is not None and self._transport is not None and not self._transport.is_closing():
            self._low_water.wake()
        self._low_water = None
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        stream.writer.flush()
        self._ingest.clients.remove(client)
        self._ingest.unpublish(stream)
        self._expect(limits.COMMAND_SECONDS, "no publish or play for")
        log.info(
            "publisher %s of %s left: %s; %d bytes, %d clock repairs",
            client.id, stream.name.url, why, self.received, stream.writer.repairs,
        )  # fmt: skip

    # --- closing ---

    def drop(self) -> None:
        """Close at once: the operator asks for it."""
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: PeerError) -> None:
        log.info("rtmp %s closed: %s", self._ip, error)
        self._close_after_output()

    def _close_after_output(self) -> None:
        """Close once the peer has read what it was told, and cut it off when it does not."""
        self._write(self._session.take_output())
        self._session.close()
        self._asked = None
        if self._playing is not None:
            self._playing.cancel()
        if self._transport is not None and not self._transport.is_closing():
            self._stop_watch()
            self._timer = self._loop.call_later(limits.CLOSE_SECONDS, self._transport.abort)
            self._transport.close()

    def _write(self, output: bytes) -> None:
        if not output:
            return
        if self._playing is not None:
            self._playing.say(output)
            return
        if self._transport is not None and not self._transport.is_closing():
            self._sent += len(output)
            self._transport.write(output)
            if self._transport.get_write_buffer_size() > limits.ANSWER_BYTES_MAX:
                log.info("rtmp %s closed: it asks and does not read the answers", self._ip)
                self._transport.abort()

    def _settle(self, stream: Stream) -> None:
        """Look whether players may start; where only time can tell, look again then: no media may come until then."""
        now_ms = self._ingest.now_ms()
        self._ingest.hub.settle(stream, now_ms)
        if stream is self._stream and not stream.settled and stream.settle_at and not self._settling:
            self._settling = True
            self._loop.call_later((stream.settle_at - now_ms) / 1000 + 0.001, self._settle_late, stream)

    def _settle_late(self, stream: Stream) -> None:
        self._settling = False
        if stream is self._stream and not stream.settled:
            self._settle(stream)

    def _expect(self, seconds: float | None, why: str, *, since: float | None = None) -> None:
        """Set a deadline, None for none; a timer that would look too late is set anew."""
        if self._transport is None or self._transport.is_closing():
            # Closing has a deadline of its own.
            return
        if seconds is None:
            self._stop_watch()
            return
        self._deadline, self._why, self._since = seconds, why, since
        look = self._loop.time() + self._look_within()
        if self._timer is None or self._timer.when() > look:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(look, self._watch)

    def _stop_watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_within(self) -> float:
        """The first media of a publisher shortens its deadline without a word: look often enough to see that."""
        if self._stream is None or self._options is None:
            return self._deadline
        return max(min(self._deadline, self._options.silence), limits.WATCH_SECONDS_MIN)

    def _watch(self) -> None:
        """One timer per connection: it looks whether the deadline passed, and sleeps for the rest."""
        now = self._loop.time()
        stream = self._stream
        if stream is not None and self._options is not None and stream.writer.bytes != self._media_seen:
            self._media_seen = stream.writer.bytes
            self._deadline, self._why, self._since = (
                self._options.silence,
                "the publisher was silent for",
                None,
            )
        left = (self._heard if self._since is None else self._since) + self._deadline - now
        if left <= 0:
            self._fail(PeerTimeoutError(f"{self._why} {self._deadline:g} s"))
            if self._transport is not None and self._transport.get_write_buffer_size():
                # It does not read: a polite close would wait for it for ever.
                self._transport.abort()
            return
        self._timer = self._loop.call_later(
            max(min(left, self._look_within()), limits.WATCH_SECONDS_MIN), self._watch
        )


def _drop(client: Client) -> None:
    if isinstance(client.link, RtmpConnection):
        client.link.drop()
