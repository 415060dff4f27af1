"""A listener for TLS: a connection takes its seat before the handshake, so that handshakes are bounded too."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from fastflv import limits
from fastflv.net.connectionlimit import ConnectionLimit, ip_of

log = logging.getLogger(__name__)


class TlsListener:
    """Accepts on one socket. asyncio's own server tells of a TLS connection only when its handshake is done."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        context: ssl.SSLContext,
        connection_limit: ConnectionLimit,
        factory: Callable[[], asyncio.BaseProtocol],
    ) -> None:
        """*sock*: bound, not blocking. *factory* makes protocols that have their seat (`Seated`)."""
        self._loop = loop
        self._sock = sock
        self._context = context
        self._connection_limit = connection_limit
        self._factory = factory
        self._handshakes: set[asyncio.Task[None]] = set()
        self._rest: asyncio.TimerHandle | None = None
        sock.listen(limits.LISTEN_BACKLOG)
        loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Accept no more, and let go of who is at the handshake."""
        if self._rest is not None:
            self._rest.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()
        for task in self._handshakes:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(limits.ACCEPTS_MAX):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("cannot accept: %s; raise the limit of open files (ulimit -n)", error.strerror)
                self._loop.remove_reader(self._sock)
                self._rest = self._loop.call_later(limits.ACCEPT_REST_SECONDS, self._go_on)
                return
            ip = ip_of(address)
            if not self._connection_limit.enter():
                log.warning("tls %s refused: all %d connections are taken", ip, self._connection_limit.limit)
                sock.close()
                continue
            sock.setblocking(False)
            task = self._loop.create_task(self._shake_hands(sock, ip))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    def _go_on(self) -> None:
        self._rest = None
        self._loop.add_reader(self._sock, self._accept)

    async def _shake_hands(self, sock: socket.socket, ip: str) -> None:
        seated = False
        try:
            await self._loop.connect_accepted_socket(
                self._factory, sock, ssl=self._context, ssl_handshake_timeout=limits.HANDSHAKE_SECONDS
            )
            # The protocol has the seat from here on.
            seated = True
        except OSError as error:
            log.info("tls %s closed: %s", ip, reason_of(error))
        finally:
            if not seated:
                self._connection_limit.leave()


def reason_of(error: OSError) -> str:
    """Say why a handshake failed."""
    if isinstance(error, ssl.SSLError):
        return f"the handshake failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, ConnectionResetError):
        return "the peer left within the handshake"
    return f"the handshake failed: {str(error) or 'it took too long'}"
