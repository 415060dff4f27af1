"""Where a stream is fetched from: origins as a configuration names them, and the URL of a stream there.

Spec: RTMP 1.0, 7.2.1.1 (tcUrl, app); RFC 3986. The forms are those of SRS edges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.stream.name import StreamName

if TYPE_CHECKING:
    from fastflv.cluster.directory import Node

PORTS: Final = {"rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
SECURE: Final = frozenset({"rtmps", "https"})

WORKER: Final = "Fastflv-Worker"
"Field of an HTTP request by which workers of one server know each other."

VIEWER_WORDS: Final = frozenset({"start", "only", "hevc", "from", "chase", "to", "window", "vhost", "domain"})
"What a viewer asks of this server, or says about the place: the origin is asked for the whole stream, under the name of this vhost."

_ORIGIN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]@]+)(?::([0-9]{1,5}))?")
_BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_URL_CHARS: Final = "%:/?[]@!$&'()*+,;=~"
"What stands in a URL as it is (RFC 3986, 2.2 and 2.3), escapes included."

_PAIRS = re.compile(r"[?&;#]+")


@dataclass(frozen=True, slots=True)
class OriginAddress:
    """One server that streams are fetched from."""

    scheme: str
    "`rtmp`, `rtmps`, `http` or `https`."

    host: str
    "Name or address, IPv6 without brackets."

    port: int

    @property
    def authority(self) -> str:
        """Host and port as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class UpstreamUrl:
    """One stream at one origin."""

    origin: OriginAddress

    app: str
    "As it goes on the wire: percent-encoded over HTTP."

    stream: str
    "Name with its parameters over RTMP; path behind the app, with query, over HTTP."

    vhost: str = ""
    "What the origin is told; empty for its default vhost."

    secret: str = field(default="", repr=False)
    "By which another worker of this server knows this one: the field WORKER of an HTTP request; empty for any other origin."

    @property
    def tc_url(self) -> str:
        """Of an RTMP connection."""
        vhost = f"?vhost={self.vhost}" if self.vhost else ""
        return f"{self.origin}/{self.app}{vhost}"

    @property
    def target(self) -> str:
        """Path and query of an RTMP URL, or of an HTTP one: then without what no HTTP request may hold."""
        target = f"/{self.app}/{self.stream}" if self.app else f"/{self.stream}"
        if self.origin.scheme in ("rtmp", "rtmps"):
            return target
        # RTMP viewers send parameters with spaces, and with signs that are no escapes.
        return quote(_BARE_PERCENT.sub("%25", target), safe=_URL_CHARS)

    @property
    def shown(self) -> str:
        """The whole URL."""
        return f"{self.origin}{self.target}"

    @property
    def host(self) -> str:
        """The field Host of an HTTP request."""
        return self.vhost or self.origin.authority


def parse_origin(text: str, scheme: str) -> OriginAddress:
    """Read `host`, `host:port` or `[v6]:port`. Raises ValueError for anything else."""
    found = _ORIGIN.fullmatch(text)
    port = int(found[2]) if found is not None and found[2] else PORTS[scheme]
    if found is None or not 0 < port < 65536:
        raise ValueError("write host or host:port, as origin.example.com:1935")
    return OriginAddress(scheme, found[1].strip("[]"), port)


def origin_at(node: Node, scheme: str) -> OriginAddress | None:
    """Return how *node* is asked for streams by *scheme*, or by another one where it does not speak that; None: not at all."""
    return _origin_at(node, (scheme, "rtmp", "http"))


def rtmp_origin_at(node: Node) -> OriginAddress | None:
    """Return how streams are published at *node*; None: not by RTMP."""
    return _origin_at(node, ("rtmp", "rtmps"))


def _origin_at(node: Node, schemes: Iterable[str]) -> OriginAddress | None:
    for each in schemes:
        if each in node.card.addresses:
            try:
                return parse_origin(node.card.addresses[each], each)
            except ValueError:
                continue
    return None


def upstream_param(param: str) -> str:
    """Return the query of a viewer as the origin is given it: with its `?`, or empty. The rest passes as it was sent."""
    pairs = [pair for pair in _PAIRS.split(param) if pair and pair.partition("=")[0] not in VIEWER_WORDS]
    return "?" + "&".join(pairs) if pairs else ""


def url_of(origin: OriginAddress, name: StreamName, vhost: str, param: str, secret: str = "") -> UpstreamUrl:
    """Return where *origin* has the stream *name*.

    *vhost*: its name there. *param*: query of the viewer, with its `?`. *secret*: of the workers, where *origin* is one.
    """
    # A worker has the same vhosts, and one of them may have the name of its address.
    vhost = "" if vhost == DEFAULT_VHOST and not secret else vhost
    param = upstream_param(param)
    if origin.scheme in ("rtmp", "rtmps"):
        return UpstreamUrl(origin, name.app, name.stream + param, vhost)
    return UpstreamUrl(origin, quote(name.app), quote(name.stream, safe="") + ".flv" + param, vhost, secret)


def redirected(url: str) -> UpstreamUrl | None:
    """Return what the URL of a redirect names; None where it is no stream that can be fetched."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (KeyError, ValueError):
        return None
    app, _, stream = parts.path.strip("/").rpartition("/")
    if not parts.hostname or not stream or (not app and parts.scheme in ("rtmp", "rtmps")):
        return None
    query = f"?{parts.query}" if parts.query else ""
    return UpstreamUrl(OriginAddress(parts.scheme, parts.hostname, port), app, stream + query)
