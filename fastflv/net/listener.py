"""Listeners: one bound socket that accepts plain or TLS connections, also behind the PROXY protocol."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from fastflv import limits
from fastflv.config.endpoint import Endpoint
from fastflv.errors import PeerError
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.negotiation import Connect, Negotiation
from fastflv.net.networkset import NetworkSet
from fastflv.net.opening import Opening
from fastflv.net.peer import Peer
from fastflv.net.peerlog import peer_logger
from fastflv.net.plainserver import PlainServer

log = peer_logger(__name__)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """How a listener treats new connections; a reload replaces it as a whole."""

    connect: Connect
    context: ssl.SSLContext | None = None
    "None: plain."

    proxied: bool = False
    "Each connection begins with a PROXY protocol header, before TLS."

    trusted: NetworkSet = field(default_factory=lambda: NetworkSet(()))
    "Proxies whose headers are believed."

    empty_ip_ok: bool = True
    "Accept peers without an IP address (AF_UNIX)."

    kept: int = 0
    "Connections that are taken above the connection limit."

    offered: Mapping[str, Connect] = field(default_factory=dict)
    "What TLS handshakes offer besides, by its name in ALPN."

    def greet(self, peer: Peer) -> asyncio.BaseProtocol:
        """Return the protocol of a new connection, which holds a place."""
        return Negotiation(peer, self.connect, self.offered) if self.offered else self.connect(peer)


class Listener:
    """Accepts connections of one socket.

    Plain ones the event loop accepts by itself (plainserver.py). Behind PROXY headers and TLS the opening is done here,
    since a connection counts towards the limit from its first byte on: asyncio's own server reports a TLS
    connection only after its handshake.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        limit: ConnectionLimit,
        name: str,
        acceptance: Acceptance,
        opening: Opening,
    ) -> None:
        """*sock*: bound and not blocking; it is owned from here on. *name* stands in log lines."""
        self.name = name
        self.address = sock.getsockname()
        self.port = int(self.address[1]) if isinstance(self.address, tuple) else 0
        "The port in use, also where the configuration asked for any; 0 for AF_UNIX."
        self._acceptance = acceptance
        self._loop = loop
        self._sock = sock
        self._limit = limit
        self._opening = opening
        self._plain: PlainServer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._rest: asyncio.TimerHandle | None = None
        sock.listen(limits.LISTEN_BACKLOG)
        self._start()

    @property
    def acceptance(self) -> Acceptance:
        return self._acceptance

    @acceptance.setter
    def acceptance(self, acceptance: Acceptance) -> None:
        """Have the next connection treated as *acceptance* says, and none before it."""
        self._stop()
        self._acceptance = acceptance
        self._start()

    def close(self) -> None:
        """Accept no more, and drop connections in their handshake; all others stay."""
        self._stop()
        self._sock.close()
        for task in self._tasks:
            task.cancel()

    def _start(self) -> None:
        self._opening.rests.add_door(self._sock)
        acceptance = self._acceptance
        if acceptance.context is None and not acceptance.proxied and self.port:
            self._plain = PlainServer(self._loop, self._sock, partial(self._greet, acceptance))
        else:
            self._loop.add_reader(self._sock, self._accept)

    def _stop(self) -> None:
        if self._sock.fileno() >= 0:
            self._opening.rests.remove_door(self._sock)
        if self._plain is not None:
            self._plain.close()
            self._plain = None
            return
        self._loop.remove_reader(self._sock)
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _greet(self, acceptance: Acceptance, transport: asyncio.Transport) -> asyncio.BaseProtocol | None:
        """Return the protocol of a plain connection, which holds a place; None: close it."""
        peer = self._admit(acceptance, transport.get_extra_info("peername"))
        if peer is None:
            return None
        self._limit.open.add(transport)
        return acceptance.connect(peer)

    def _admit(self, acceptance: Acceptance, address: object) -> Peer | None:
        """Take a place for the connection from *address*, as the socket calls it; None, with a log line, without one."""
        self._opening.rests.fresh = True
        peer = Peer.accepted(address, self.port, acceptance.context is not None)
        if not peer.ip and not acceptance.empty_ip_ok:
            log.info("%s: a peer without an address is refused (empty_ip_ok off)", self.name)
            return None
        # Proxies, and who manages the server, come from few addresses.
        if (
            not (acceptance.proxied or acceptance.kept)
            and self._limit.is_crowded(peer.socket_ip)
            and peer.socket_ip not in acceptance.trusted
        ):
            self._limit.crowded += 1
            log.warning(
                "%s %s refused: limits 'accept ip %d' is reached",
                self.name, peer.ip, self._limit.each, extra=peer.marks,
            )  # fmt: skip
            return None
        if not self._limit.take(acceptance.kept, peer.socket_ip):
            extra = peer.marks
            limit = self._limit.limit
            log.warning(
                "%s %s refused: max_connections %d is reached", self.name, peer.ip, limit, extra=extra
            )
            return None
        return peer

    def _accept(self) -> None:
        """Accept one connection: the poll tells of the next, cheaper than an accept that finds none."""
        try:
            sock, address = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            log.error("cannot accept: %s; raise the limit of open files (ulimit -n)", error.strerror)
            self._loop.remove_reader(self._sock)
            self._opening.rests.remove_door(self._sock)
            self._rest = self._loop.call_later(limits.ACCEPT_REST_SECONDS, self._resume)
            return
        acceptance = self._acceptance
        peer = self._admit(acceptance, address)
        if peer is None:
            sock.close()
            return
        task = self._loop.create_task(self._open(sock, peer, acceptance))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _resume(self) -> None:
        self._rest = None
        self._opening.rests.add_door(self._sock)
        self._loop.add_reader(self._sock, self._accept)

    async def _open(self, sock: socket.socket, peer: Peer, acceptance: Acceptance) -> None:
        """Read the PROXY header and do the TLS handshake, where there are such; then start the protocol."""
        opened = False
        context = acceptance.context
        try:
            trusted = acceptance.trusted if acceptance.proxied else None
            peer = await self._opening.begin(sock, peer, trusted=trusted, secure=context is not None)
            connecting = self._loop.connect_accepted_socket(
                lambda: acceptance.greet(peer),
                sock,
                ssl=context,
                ssl_handshake_timeout=limits.HANDSHAKE_SECONDS if context is not None else None,
            )
            transport, _ = await (self._opening.shake(connecting) if context is not None else connecting)
            # The protocol releases the place from here on.
            opened = True
            self._limit.open.add(transport, sock)
        except PeerError as error:
            log.info("%s %s closed: %s", self.name, peer.socket_ip, error, extra=peer.marks)
        except OSError as error:
            reason = _reason_of(error, secure=context is not None)
            log.info("%s %s closed: %s", self.name, peer.ip, reason, extra=peer.marks)
        finally:
            if not opened:
                sock.close()
                self._limit.release(peer.socket_ip)


def bind(endpoint: Endpoint, *, shared: bool = False) -> socket.socket:
    """Return a bound socket; an endpoint without address takes IPv6 and IPv4 where the machine has both.

    *shared*: with other processes that say so too (SO_REUSEPORT, socket(7)): the kernel spreads connections over them.
    Raises OSError.
    """
    family = socket.AF_INET6 if ":" in endpoint.host or not endpoint.host else socket.AF_INET
    if not endpoint.host and not _has_ipv6():
        family = socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if endpoint.host else 0)
        sock.bind((endpoint.host or ("::" if family == socket.AF_INET6 else "0.0.0.0"), endpoint.port))
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as attempt:
            attempt.bind(("::", 0))
    except OSError:
        return False
    return True


def _reason_of(error: OSError, *, secure: bool) -> str:
    """Return why a connection could not be opened, as one phrase for the log."""
    if isinstance(error, ssl.SSLError):
        return f"the handshake failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, ConnectionResetError):
        return "the peer left within the handshake" if secure else "the peer left before it sent anything"
    if isinstance(error, TimeoutError):
        return f"no PROXY header or TLS handshake within {limits.HANDSHAKE_SECONDS:g} s"
    return f"the handshake failed: {str(error) or 'it took too long'}"
