"""RTMP connections to other servers: the socket around the sans-IO client session."""

from __future__ import annotations

import asyncio
from typing import Protocol

from fastflv import limits
from fastflv.cluster.remote import fault_of
from fastflv.errors import PeerError
from fastflv.net.deadline import Deadline, Timers, after
from fastflv.net.keepalive import keep_alive
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import ClientEvent


class LinkOwner(Protocol):
    """What a connection belongs to."""

    def link_made(self, link: RtmpLink) -> None:
        """The connection is there, TLS handshake included."""

    def link_read(self, events: list[ClientEvent]) -> None:
        """The server has said something; *events* may be empty. The session's output is written behind this."""

    def link_say(self, output: bytes) -> None:
        """Write what the session has to say: to the transport, or by the player that sends through this socket."""

    def link_lost(self, fault: str) -> None:
        """The connection is gone; called once. *fault*: why, one clause."""

    def pause_writing(self) -> None:
        """The transport buffers bytes."""

    def resume_writing(self) -> None:
        """The transport's buffer is empty again."""


class RtmpLink(asyncio.BufferedProtocol):
    """One connection to another server. The session has its wish (`publish`, `play`) before the connection is made."""

    def __init__(self, timers: Timers, session: ClientSession, owner: LinkOwner, buffer: memoryview) -> None:
        """*buffer*: for one read; it is used up before the next, so that connections may share it."""
        self.session = session
        self._timers = timers
        self._owner: LinkOwner | None = owner
        "None once the connection is lost: each would keep the other."
        self._buffer = buffer
        self._transport: asyncio.Transport | None = None
        self._fault = ""
        self._closing: Deadline | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """Of a connection that is made and not lost."""
        assert self._transport is not None
        return self._transport

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        keep_alive(self.transport.get_extra_info("socket"))
        if self._owner is not None:
            self._owner.link_made(self)
        self.flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        owner = self._owner
        if owner is None:
            return
        self.session.now = self._timers.time()
        try:
            events = self.session.receive(self._buffer[:nbytes])
        except PeerError as error:
            self.abort(f"it breaks the protocol: {error}")
            return
        owner.link_read(events)
        self.flush()

    def flush(self) -> None:
        """Write what the session has to say."""
        output = self.session.take_output()
        if output and self.is_open and self._owner is not None:
            self._owner.link_say(output)

    def pause_writing(self) -> None:
        if self._owner is not None:
            self._owner.pause_writing()

    def resume_writing(self) -> None:
        if self._owner is not None:
            self._owner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        owner, self._owner = self._owner, None
        self._transport = None
        if self._closing is not None:
            self._closing.cancel()
        if owner is not None:
            lost = fault_of(exc) if isinstance(exc, OSError) else ""
            owner.link_lost(self._fault or lost or "it has closed the connection")

    def finish(self, why: str) -> None:
        """Write what the session has to say, and close once the server has read it, after CLOSE_SECONDS in any case.

        *why*: what `link_lost` is told.
        """
        self._fault = self._fault or why
        self.flush()
        if not self.is_open:
            return
        self._closing = after(self._timers, limits.CLOSE_SECONDS, self.abort)
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        try:
            # A close would answer what the server still says with a reset, which takes what it has not read yet.
            self.transport.write_eof()
        except OSError:
            self.abort()

    def abort(self, fault: str = "") -> None:
        """Cut the connection off; *fault*: what `link_lost` is told."""
        self._fault = self._fault or fault
        if self._transport is not None:
            self._transport.abort()
