"""The RTMP server: what its connections share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from sys import intern

from fastflv.access.request import AccessRequest, Action
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.net.receivebuffer import receive_buffer
from fastflv.net.turns import Turns
from fastflv.playing.join import Joins
from fastflv.playing.players import Players
from fastflv.protocols.rtmp.events import ConnectWanted, PlayWanted, PublishWanted
from fastflv.servers.rtmp.connection import RtmpConnection
from fastflv.servers.rtmp.feed import Feeding
from fastflv.servers.rtmp.idle import IdlePlays
from fastflv.servers.rtmp.options import RtmpOptions
from fastflv.stream.publication import Publications


class RtmpServer:
    """Makes connections, which publish and play through the same gate, publications and joins as all others."""

    def __init__(
        self,
        joins: Joins,
        publications: Publications,
        players: Players,
        limit: ConnectionLimit,
        *,
        turns: Turns,
        quiet: QuietSockets,
        vhost_of: Callable[[str], RtmpOptions | None],
        new_id: Callable[[], str],
        mark: str = "",
    ) -> None:
        """*vhost_of* returns the present options for a host name, None where no vhost serves it.

        *mark* names this process to servers that send streams on.
        """
        self.mark = mark
        self.joins = joins
        self.publications = publications
        self.players = players
        self.limit = limit
        self.turns = turns
        self.has_turn = turns.open
        "The same bound method for all sessions."
        self.quiet = quiet
        self.vhost_of = vhost_of
        self.new_id = new_id
        self.watchers: list[Callable[[str, int, int], None]] = []
        "Called at the end of each connection with its id, the bytes sent besides the media of players, and those received."
        self.idle = IdlePlays()
        joins.hub.watchers.append(self.idle)
        self.buffer = receive_buffer()
        self.feeding = Feeding(joins.loop, self.buffer)
        publications.catch_up = self.feeding.catch_up

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self.joins.loop

    def connect(self, peer: Peer) -> RtmpConnection:
        """Make the protocol of an accepted connection, which holds one place of the limit."""
        return RtmpConnection(self, peer)

    def resumes(self, event: ConnectWanted) -> bool:
        """Return whether a peer has its stream until now, from elsewhere. An edge says so, and streams keep the past for it."""
        if event.resumes is not None:
            self.joins.hub.expect_edges()
        return event.resumes is True

    def access_request(
        self, connection: RtmpConnection, wanted: PublishWanted | PlayWanted, vhost: str
    ) -> AccessRequest:
        """Return what rules see of a publish or play."""
        publish = isinstance(wanted, PublishWanted)
        peer, publications = connection.peer, self.publications
        return AccessRequest(
            action=Action.PUBLISH if publish else Action.PLAY,
            peer=peer,
            client_id=connection.id if publications.clients.find(connection.id) is None else self.new_id(),
            vhost=vhost,
            app=wanted.app,
            stream=wanted.stream,
            output=intern(f"{wanted.kind}-publish") if isinstance(wanted, PublishWanted) else "rtmp-play",
            scheme="rtmps" if peer.secure else "rtmp",
            param=wanted.param,
            page_url=connection.page_url,
            tc_url=connection.tc_url,
            via=wanted.via if isinstance(wanted, PublishWanted) else (),
        )
