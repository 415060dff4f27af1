"""What a server has only where its configuration uses it: HLS, clips, a cluster, forwards, FLV over TCP.

Python code that is loaded stays: all of this would take 2 MB more of every server. Each part is loaded and made for the
first configuration that uses it, at the start or by a reload, and stays when another one does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.control.ownfiles import check_own_files
from fastflv.net.clientid import new_id
from fastflv.net.heap import Heap
from fastflv.servers.api.identity import Identity
from fastflv.servers.push.intake import Intakes

if TYPE_CHECKING:
    from fastflv.cluster.forwards import Forwards
    from fastflv.cluster.pulls import Pulls
    from fastflv.control.clustering import Clustering
    from fastflv.control.runtime import Runtime
    from fastflv.control.server import Server
    from fastflv.servers.clips.clips import Clips
    from fastflv.servers.clips.server import ClipServer
    from fastflv.servers.hls.server import HlsServer
    from fastflv.servers.push.tcp import FlvTcpServer, TcpPlace


class Parts:
    """The parts of one server; None: no configuration has used it."""

    def __init__(
        self,
        server: Server,
        loop: asyncio.AbstractEventLoop,
        identity: Identity,
        heap: Heap,
        intakes: Intakes,
    ) -> None:
        self._server = server
        self._loop = loop
        self._identity = identity
        self._heap = heap
        self._intakes = intakes
        self._makers: dict[str, Callable[[], None]] = {
            "cluster": self._make_cluster,
            "hls": self._make_hls,
            "timeshift": self._make_clips,
            "dvr": server.recorders.load,
            "forward": self._make_forwards,
            "flv_tcp": self._make_flv_tcp,
        }
        "By the block that begins to use a part, in the order in which the hub tells them."
        self._made: set[str] = set()
        self._clips: Clips | None = None
        "Of clips and of HLS: both make files of the past."
        self.cluster: Clustering | None = None
        self.hls: HlsServer | None = None
        self.clips: ClipServer | None = None
        self.forwards: Forwards | None = None
        self.flv_tcp: FlvTcpServer | None = None

    def make(self, runtime: Runtime) -> None:
        """Load and make what *runtime* uses and is not there yet, before it is in force: 1 to 25 ms a part.

        Raises StartupError: then there is nothing new.
        """
        server = self._server
        vhosts = [each for each in runtime.vhosts.values() if each.vhost.enabled]
        uses = {
            # Workers fetch streams from each other.
            "cluster": server.siblings is not None
            or any(each.edge or each.directory or each.vhost.cluster.origin_cluster for each in vhosts),
            "hls": any(each.hls for each in vhosts),
            "timeshift": any(each.vhost.timeshift.window > 0 for each in vhosts),
            "dvr": any(each.record for each in vhosts),
            "forward": any(each.forward for each in vhosts),
            "flv_tcp": runtime.settings.flv_tcp.enabled,
        }
        new = [name for name, is_used in uses.items() if is_used and name not in self._made]
        if new:
            check_own_files(" and ".join(new))
        for name in new:
            self._makers[name]()
            self._made.add(name)

    def pulls(self) -> Pulls | None:
        """What edges fetch; None: there are none."""
        return self.cluster.pulls if self.cluster is not None else None

    def close_clips(self) -> None:
        """The server stops: the files of clips are closed."""
        if self._clips is not None:
            self._clips.close()

    def _make_cluster(self) -> None:
        from fastflv.control.clustering import Clustering

        self.cluster = Clustering(self._server, self._loop, self._identity)
        self._server.joins.fetches = self.cluster.pulls

    def _make_hls(self) -> None:
        from fastflv.servers.hls.server import HlsServer

        server = self._server
        self.hls = HlsServer(
            server.joins,
            server.clients,
            server.file_pool.hls,
            self._heap,
            clips=self._all_clips(),
            vhost_of=server.options.hls,
            is_own=server.is_own,
            pass_on=server.pass_on,
            new_id=new_id,
        )
        self.hls.muxers.watchers = server.segment_watchers
        server.hub.watchers += (self.hls.muxers, self.hls.windows)

    def _make_clips(self) -> None:
        from fastflv.servers.clips.server import ClipServer

        self.clips = ClipServer(self._server.joins, self._all_clips())

    def _all_clips(self) -> Clips:
        from fastflv.servers.clips.clips import Clips

        self._clips = self._clips or Clips(self._server.file_pool.clips)
        return self._clips

    def _make_forwards(self) -> None:
        from fastflv.control.forwarding import make_forwards

        server = self._server
        self.forwards = make_forwards(
            self._loop,
            server.turns,
            server.players,
            server.hub,
            server.hooks,
            self._identity.service,
            lambda: server.runtime,
            server.is_own,
        )
        server.hub.watchers.append(self.forwards)

    def _make_flv_tcp(self) -> None:
        from fastflv.servers.push.tcp import FlvTcpServer, TcpPlace

        server = self._server

        def place() -> TcpPlace | None:
            vhost, tcp = server.options.vhost_name(DEFAULT_VHOST), server.runtime.settings.flv_tcp
            return TcpPlace(vhost, tcp.app) if vhost is not None and tcp.enabled else None

        self.flv_tcp = FlvTcpServer(
            self._loop, self._intakes, server.connection_limit, server.quiet, place=place
        )
