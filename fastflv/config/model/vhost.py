"""`vhost NAME { }`: one vhost, and all its blocks.

Fields have the names of their directives; a field without a directive has its default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastflv import limits
from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.problems import value_error
from fastflv.config.grammar.section import Section, bounded
from fastflv.config.model.access import Refer, Security, read_security
from fastflv.config.model.auth import Auth, read_auth
from fastflv.config.model.cluster import Cluster
from fastflv.config.model.dvr import Dvr
from fastflv.config.model.files import HTML_DIR, HttpStatic
from fastflv.config.model.forward import Forward
from fastflv.config.model.hls import Hls, read_hls
from fastflv.config.model.hooks import Hooks
from fastflv.config.model.limits import Limits, read_limits
from fastflv.config.model.play import Play, read_play
from fastflv.config.model.publish import Publish
from fastflv.config.model.remux import HttpRemux, read_remux
from fastflv.config.model.timeshift import Timeshift, read_timeshift
from fastflv.config.notice import NoticeKind

DEFAULT_VHOST: Final = "__defaultVhost__"
"The vhost for requests whose name no vhost has."


@dataclass(frozen=True, slots=True)
class Vhost:
    """`vhost NAME { }`. Nothing is inherited from another vhost, not even from the default one."""

    name: str = DEFAULT_VHOST
    "Domain, IP address or `__defaultVhost__`."

    enabled: bool = True
    "Off: the name is refused; it does not fall back to the default vhost. Default on."

    chunk_size: int | None = None
    "Outgoing RTMP chunk size after connect, bytes, 1 to 16777215. None = the server's."

    min_latency: bool = False
    "Realtime: no merging unless `mw_latency` says so. Default off."

    tcp_nodelay: bool = True
    "TCP_NODELAY on the vhost's connections: a send is a merged batch already. Default on (SRS: off)."

    in_ack_size: int = bounded(0, 0, 0xFFFFFFFF)
    "Bytes after which fastflv acknowledges what it received; 0 = what the peer announced. Default 0."

    out_ack_size: int = bounded(limits.ACK_WINDOW_BYTES, 0, 0xFFFFFFFF)
    "Window Acknowledgement Size announced at connect, bytes. Default 2500000."

    record_api: bool = False
    "Answer the recording API on the ports of `http_server` too. Default off."

    record_path: str = f"{HTML_DIR}/record"
    "Directory of what the recording API records, lists and deletes."

    play: Play = field(default_factory=Play)
    "Delivery to players."

    publish: Publish = field(default_factory=Publish)
    "Publishers."

    http_remux: HttpRemux = field(default_factory=HttpRemux)
    "Live streams over HTTP and WebSocket."

    http_static: HttpStatic = field(default_factory=HttpStatic)
    "Files."

    http_hooks: Hooks = field(default_factory=Hooks)
    "Callbacks."

    refer: Refer = field(default_factory=Refer)
    "Pages that may embed."

    security: Security = field(default_factory=Security)
    "Addresses that may publish and play."

    auth: Auth = field(default_factory=Auth)
    "Tokens and signed URLs."

    limits: Limits = field(default_factory=Limits)
    "fastflv: how much its clients may have, beside the limits of the server."

    forward: Forward = field(default_factory=Forward)
    "Pushing to other servers."

    cluster: Cluster = field(default_factory=Cluster)
    "Origin or edge."

    dvr: Dvr = field(default_factory=Dvr)
    "Recording."

    hls: Hls = field(default_factory=Hls)
    "Segments and playlists."

    timeshift: Timeshift = field(default_factory=Timeshift)
    "The past of streams."

    source: Section | None = field(default=None, compare=False, repr=False)
    "The block as it was parsed, legacy spellings rewritten, and the environment over it."

    @property
    def directive(self) -> Directive | None:
        """The block as it was parsed; None for a vhost that no file has."""
        return self.source.directive if self.source else None


def read_vhost(section: Section) -> Vhost:
    """Build the vhost of *section*."""
    directive = section.directive
    assert directive is not None
    if len(directive.args) != 1:
        section.problems.add(value_error(directive, "a vhost has one name", "write 'vhost NAME { … }'"))
    name = directive.args[0] if directive.args else ""
    play = read_play(section)
    return section.fill(
        Vhost,
        name=name,
        chunk_size=read_chunk_size(section, 0) or None,
        play=play,
        publish=section.sub("publish").fill(Publish),
        http_remux=read_remux(section.sub("http_remux"), play, name),
        http_static=section.sub("http_static").fill(HttpStatic),
        http_hooks=section.sub("http_hooks").fill(Hooks),
        refer=section.sub("refer").fill(Refer),
        security=read_security(section.sub("security")),
        auth=read_auth(section.sub("auth")),
        limits=read_limits(section.sub("limits")),
        forward=section.sub("forward").fill(Forward),
        cluster=section.sub("cluster").fill(Cluster),
        dvr=section.sub("dvr").fill(Dvr),
        hls=read_hls(section.sub("hls")),
        timeshift=read_timeshift(section.sub("timeshift")),
        source=section,
    )


def read_chunk_size(section: Section, default: int) -> int:
    """Read `chunk_size` of *section*: bytes; outside of the advised range with a notice."""
    size = section.integer("chunk_size", default, 1, limits.CHUNK_BYTES_IN_MAX)
    low, high = limits.CHUNK_BYTES_ADVISED
    if size != default and not low <= size <= high:
        at = section.value("chunk_size")
        section.notify(NoticeKind.ADVICE, f"chunk_size {size} should be from {low} to {high}", at)
    return size
