"""`cluster { }`: origin or edge."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from fastflv import limits
from fastflv.config.grammar.section import bounded


class ClusterMode(Enum):
    """Whether the vhost's streams are published here or fetched."""

    LOCAL = "local"
    REMOTE = "remote"


class PullProtocol(Enum):
    """How an edge fetches."""

    RTMP = "rtmp"
    RTMPS = "rtmps"
    FLV = "flv"
    FLVS = "flvs"

    @property
    def scheme(self) -> str:
        """Of URLs."""
        return {PullProtocol.FLV: "http", PullProtocol.FLVS: "https"}.get(self, self.value)


@dataclass(frozen=True, slots=True)
class Cluster:
    """`cluster { }`: origin or edge."""

    mode: ClusterMode = ClusterMode.LOCAL
    "remote = edge. Default local."

    origin: tuple[str, ...] = ()
    "Upstreams of an edge, host or host:port; ports 1935, 80 (flv), 443 (flvs, rtmps) where none is given. Asked in this order."

    token_traverse: bool = False
    "Ask the origin before a client is served. Default off."

    vhost: str = "[vhost]"
    "Vhost named to the upstream."

    debug_srs_upnode: bool = True
    "Tell the upstream about this server in connect. Default on."

    protocol: PullProtocol = PullProtocol.RTMP
    "Default rtmp. fastflv: `rtmps` too."

    follow_client: bool = False
    "Fetch by the protocol of the first client. Default off."

    linger: float = bounded(limits.PULL_LINGER_SECONDS, 0.0)
    "fastflv: how long an edge fetches on behind the last viewer, seconds. Default 3."

    warm: bool = False
    "fastflv: fetch each stream from a second origin too, which goes on at once when the first is lost. Default off."

    directory: str = field(default="", repr=False)
    """fastflv: Redis by which the servers of a cluster find each other's streams, redis://[:PASSWORD@]HOST:PORT/DB, rediss:// over TLS,
    redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB. None by default."""

    advertise: str = ""
    "fastflv: host by which other servers and their clients reach this one. Default: the address of the interface of `stats`."

    redirect: tuple[str, ...] = ("play",)
    "fastflv: who is sent to the server of the directory that has the stream, `play`, `publish` or `off`. Default play."

    max_players: int = bounded(0, 0)
    "fastflv: with so many players on this server, an edge sends those that come to another edge of the directory. Default 0: no bound."

    max_bandwidth: int = bounded(0, 0)
    "fastflv: likewise with so much sent to clients, kbit/s. Default 0: no bound."

    origin_cluster: bool = False
    "Redirect to the coworker that has the stream. Default off."

    coworkers: tuple[str, ...] = ()
    "HTTP APIs of the other origins, host:port."
