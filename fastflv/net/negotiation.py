"""The protocol of a TLS connection is the one that its handshake chose (ALPN).

Spec: RFC 7301.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from fastflv.net.peer import Peer

Connect = Callable[[Peer], asyncio.BaseProtocol]
"Makes the protocol of a new connection, which holds one place of the connection limit until it ends."


class Negotiation(asyncio.Protocol):
    """Reads nothing: it gives the connection to the chosen protocol once the handshake is done."""

    def __init__(self, peer: Peer, connect: Connect, offered: Mapping[str, Connect]) -> None:
        """*connect*: for clients that choose none of *offered*."""
        self._peer = peer
        self._connect = connect
        self._offered = offered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        name = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        protocol = self._offered.get(name or "", self._connect)(self._peer)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
