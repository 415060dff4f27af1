"""The other end of a connection: the viewer's address, and that of a proxy in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fastflv.net.clientid import new_id
from fastflv.net.forwarded import read_viewer
from fastflv.net.ip import canonical
from fastflv.net.networkset import NetworkSet
from fastflv.net.proxyprotocol import Header


@dataclass(frozen=True, slots=True)
class Peer:
    """Made once at accept. `ip` is what rules, logs and the API show and judge by."""

    ip: str
    "Canonical address of the viewer, as far as trusted proxies announce it; empty for AF_UNIX."

    socket_ip: str
    "Canonical address of the other end of the socket: the viewer, or the nearest proxy; empty for AF_UNIX."

    port: int = 0
    "Port at `ip`; 0 where no proxy announced it, and for AF_UNIX."

    local_port: int = 0
    "Port that the socket was accepted on; 0 for AF_UNIX."

    secure: bool = False
    "The viewer's own connection uses TLS, here or at a trusted proxy."

    id: str = field(default_factory=new_id, compare=False)
    "Of the connection, or of one stream of several (`aside`): each line of the log about it has this id, and so has its first client."

    own: bool = False
    "Another process of this server."

    relayed: bool = False
    "Another process of this server has passed the viewer's request on."

    @classmethod
    def accepted(cls, remote: object, local_port: int, secure: bool = False) -> Peer:
        """Make the Peer of a new socket; *remote* is what `getpeername()` or `accept()` calls its address."""
        ip, port = _read_address(remote)
        return cls(ip, ip, port, local_port, secure)

    @property
    def marks(self) -> dict[str, str]:
        """`extra` of a log line about the peer: lines are counted by `peer`, and found by `client`."""
        return {"peer": self.ip, "client": self.id}

    def proxied(self, header: Header, trusted: NetworkSet) -> Peer:
        """Return the Peer behind a PROXY protocol header, which the listener demands of all connections.

        Such a listener is the proxy's own, so without any *trusted* network each header is believed.
        With networks, a header from another address is not.
        """
        if header.local or (trusted and self.socket_ip not in trusted):
            return self
        return Peer(
            header.source_ip,
            self.socket_ip,
            header.source_port,
            self.local_port,
            self.secure or header.secure,
            id=self.id,
        )

    def aside(self) -> Peer:
        """Return the Peer of one of several clients that share the connection, with an id of its own."""
        return replace(self, id=new_id())

    def told(self, fields: Mapping[str, str], trusted: NetworkSet) -> Peer:
        """Return the Peer of one HTTP request: *fields* count when `ip` itself is a trusted proxy.

        `ip` and not `socket_ip` is asked: behind a PROXY header, the sender of the request is the client of
        the TCP proxy. *fields* is as `read_viewer` takes them. Malformed fields change nothing.
        """
        if not trusted or self.ip not in trusted:
            return self
        viewer = read_viewer(fields, trusted)
        secure = self.secure if viewer.secure is None else viewer.secure
        if viewer.ip:
            return Peer(viewer.ip, self.socket_ip, viewer.port, self.local_port, secure, id=self.id)
        return self if secure == self.secure else replace(self, secure=secure)


def _read_address(address: object) -> tuple[str, int]:
    """Read what a socket calls an address: a tuple for IPv4 and IPv6, text or bytes for AF_UNIX."""
    if not isinstance(address, tuple):
        return "", 0
    text = address[0]
    # The kernel spells an IPv4 address in one way.
    return (canonical(text) if ":" in text else text), address[1]
