"""Settings of a vhost whose streams are fetched from origins, found in a directory, or forwarded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fastflv import limits
from fastflv.cluster.address import OriginAddress
from fastflv.config.destination import Destination
from fastflv.stream.name import StreamName
from fastflv.stream.publication import PublishOptions


@dataclass(frozen=True, slots=True)
class EdgeOptions:
    """Settings of an edge vhost."""

    origins: tuple[OriginAddress, ...]
    "In the order in which they are asked."

    http_origins: tuple[OriginAddress, ...] = ()
    "Asked where the first viewer came by HTTP; empty: always `origins` (`follow_client off`)."

    rtmp_origins: tuple[OriginAddress, ...] = ()
    "Those that publishes are passed on to, by RTMP."

    traverse: bool = False
    "Ask one of those about each RTMP client (`token_traverse`)."

    scheme: str = "rtmp"
    "By which the directory's servers are asked."

    http_scheme: str = ""
    "Likewise where the first viewer came by HTTP; empty: always `scheme`."

    directory: str = ""
    "URL of the directory, whose servers are asked before `origins`; empty: none."

    vhost: str = "[vhost]"
    "Name of the vhost at the origin; `[vhost]` stands for its name here."

    secret: str = field(default="", repr=False)
    "By which the origins, which are other workers of this server, know it; empty for origins of any other kind."

    upnode: bool = True
    "Tell RTMP origins about this server (`debug_srs_upnode`)."

    linger: float = limits.PULL_LINGER_SECONDS
    "How long to pull on behind the last viewer, seconds."

    warm: bool = False
    "Have each stream from a second origin too, which goes on at once when the first is lost."

    publish: PublishOptions = field(default_factory=PublishOptions)
    "Of the streams that are fetched."

    def names(self, address: OriginAddress) -> bool:
        """Whether *address* is among the origins of the file."""
        return any(address in each for each in (self.origins, self.http_origins, self.rtmp_origins))

    def vhost_at_origin(self, vhost: str) -> str:
        return self.vhost.replace("[vhost]", vhost)

    def at_origin(self, name: StreamName) -> StreamName:
        """Return what the origin calls the stream *name*."""
        return StreamName(self.vhost_at_origin(name.vhost), name.app, name.stream)

    def scheme_for(self, scheme: str) -> str:
        """Return how the directory's servers are asked for a first viewer who came by *scheme*."""
        return self.scheme if scheme in ("rtmp", "rtmps") or not self.http_scheme else self.http_scheme

    def origins_for(self, scheme: str) -> tuple[OriginAddress, ...]:
        """Return the origins for a first viewer who came by *scheme*."""
        return self.origins if scheme in ("rtmp", "rtmps") or not self.http_origins else self.http_origins


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """How a vhost uses its directory."""

    url: str
    "Of Redis."

    advertise: str = ""
    "Host of this server for others; empty: its address."

    edge: bool = False
    "Its streams are fetched: they are looked up, and not told."

    redirect: frozenset[str] = frozenset()
    "`play`, `publish`: who is sent to the server that has the stream."

    max_players: int = 0
    "Players of this server from which on an edge sends others elsewhere; 0: no bound."

    max_kbps: int = 0
    "Likewise in kbit/s sent to clients."


@dataclass(frozen=True, slots=True)
class ForwardOptions:
    """`forward { }` of one vhost."""

    destinations: tuple[Destination, ...] = ()
    "Each once; not used where there is a backend."

    backend: str = ""
    "URL that says the destinations of each publish; empty: none."

    verify: bool = True
    "Certificates of RTMPS destinations must be trusted."


def pulled(publish: PublishOptions) -> PublishOptions:
    """Return the options of streams that are fetched: who fetches watches the origin, and stays as long as viewers do."""
    patience = 2 * limits.PULL_HOLD_SECONDS
    stream = replace(publish.stream, grace_ms=max(publish.stream.grace_ms, limits.PULL_GRACE_MS_MIN))
    return replace(publish, stream=stream, first_media=patience, silence=patience, idle=0.0)
