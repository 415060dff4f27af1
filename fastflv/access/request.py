"""One request to publish or play, as rules see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from fastflv.access.query import query_values
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.net.peer import Peer


class Action(Enum):
    """What a client asks for. The values are the words of `allow` and `deny`."""

    PUBLISH = "publish"
    PLAY = "play"
    RECORD = "record"
    "Begin, end, list, load or delete recordings."

    # Each rule looks it up in a set: the hash of `Enum` is a Python function.
    __hash__ = object.__hash__


class Role(Enum):
    """What a publisher is to its stream. The values are words of the HTTP API and of hooks."""

    PRIMARY = "primary"
    BACKUP = "backup"
    "It is ready to follow the primary one."

    __hash__ = object.__hash__


def stream_url(vhost: str, app: str, stream: str) -> str:
    """Return `/app/stream`, with the vhost before it unless it is the default one (as SRS prints it)."""
    path = f"/{app}/{stream}"
    return path if vhost == DEFAULT_VHOST else f"{vhost}{path}"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Everything that a rule may judge by. Names are percent-decoded, parameters and URLs as the client sent them."""

    action: Action

    peer: Peer
    "`peer.ip` is the viewer's address, also behind trusted proxies."

    client_id: str
    "Identity of the client in logs and in the HTTP API."

    vhost: str
    "Name of the configured vhost that serves the request."

    app: str
    "Application, no slash at either end."

    stream: str
    "Stream name, without query and file extension."

    output: str
    "Kind of client as SRS names it: `flv-play`, `hls-play`, `rtmp-play`, `fmle-publish`, ..."

    scheme: str
    "`rtmp`, `rtmps`, `http`, `https`, `ws` or `wss`."

    param: str = ""
    "Query with its leading `?`, or empty."

    page_url: str = ""
    "RTMP pageUrl, HTTP Referer, or Origin of a WebSocket (browsers send no Referer there); may be empty."

    tc_url: str = ""
    "RTMP tcUrl, or the URL of an HTTP request without its query."

    file: str = ""
    "Last part of an HTTP player's path, with its extension; the API shows it, as SRS does. Empty for others."

    bearer: str = ""
    "Token of `Authorization: Bearer`; empty without one."

    path: str = ""
    "Path of an HTTP request, percent-decoded; empty for others."

    own: bool = False
    "This server itself asks: it fetches the stream from another one. No rule is asked, and no limit counts it."

    via: tuple[str, ...] = ()
    "Marks of the servers that sent the stream on, the first one first (`ConnectArguments.via`)."

    role: Role = Role.PRIMARY
    "Of a publisher."

    @property
    def query(self) -> Mapping[str, str]:
        """Values of `param` by name, percent-decoded; the first one of each name."""
        return query_values(self.param)

    @property
    def app_stream(self) -> str:
        """`app/stream`, as tokens name streams."""
        return f"{self.app}/{self.stream}"

    @property
    def url(self) -> str:
        """The stream, as `stream_url` writes it."""
        return stream_url(self.vhost, self.app, self.stream)
