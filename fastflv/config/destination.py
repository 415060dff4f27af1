"""Where streams are forwarded to: `host[:port]`, or an RTMP URL with `[vhost]`, `[app]` and `[stream]` in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fastflv.config.model.vhost import DEFAULT_VHOST

PORTS: Final = {"rtmp": 1935, "rtmps": 443}
HIDDEN: Final = "***"

_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_VARIABLE: Final = re.compile(r"\[(vhost|app|stream)\]")


@dataclass(frozen=True, slots=True)
class Place:
    """One publish on another server."""

    host: str
    "Name or address, IPv6 without brackets."

    port: int

    secure: bool
    "RTMP over TLS."

    tc_url: str
    "For `connect`."

    app: str

    name: str
    "Stream name, query included."

    shown: str
    "The URL for log lines and the API, without the query, and without a stream name that the file fixes: it may be a key."


@dataclass(frozen=True, slots=True)
class Destination:
    """A server that takes streams, and the names that they have there."""

    host: str
    port: int
    secure: bool = False

    app: str = ""
    "Template; empty: the app that the stream has here."

    stream: str = ""
    "Template; empty: the name that the stream has here, with the query of its publisher unless `app` is given."

    query: str = ""
    "Template of the query behind the stream name, without `?`."

    @classmethod
    def parse(cls, text: str, *, secure: bool = False) -> Destination:
        """Read `host[:port]` or `rtmp[s]://host[:port]/app[/stream][?query]`. *secure*: TLS where no scheme is written.

        Raises ValueError with one sentence.
        """
        scheme, found, rest = text.partition("://")
        if not found:
            scheme, rest = "rtmps" if secure else "rtmp", text
        elif scheme.lower() not in PORTS:
            raise ValueError("write host:port, rtmp://HOST/APP/STREAM or rtmps://HOST/APP/STREAM")
        scheme = scheme.lower()
        authority, slash, path = rest.partition("/")
        if slash and not found:
            raise ValueError("write rtmp:// in front where an application follows")
        match = _AUTHORITY.fullmatch(authority)
        if match is None:
            raise ValueError("write host:port, rtmp://HOST/APP/STREAM or rtmps://HOST/APP/STREAM")
        # `host:port` means 1935 with TLS too, as SRS writes its samples.
        port = int(match["port"] or (PORTS[scheme] if found else PORTS["rtmp"]))
        if not 0 < port < 65536:
            raise ValueError("a port is a number from 1 to 65535")
        path, _, query = path.partition("?")
        *apps, stream = [part for part in path.split("/") if part] or [""]
        if stream and not apps:
            apps, stream = [stream], ""
        return cls(match["host"].strip("[]"), port, scheme == "rtmps", "/".join(apps), stream, query)

    def place(self, vhost: str, app: str, stream: str, param: str) -> Place:
        """Return where the stream *stream* of *app* goes; *param*: query of its publisher with a leading `?`, or empty."""
        values = {"vhost": vhost, "app": app, "stream": stream}

        def fill(template: str) -> str:
            return _VARIABLE.sub(lambda found: values[found[1]], template)

        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "rtmps" if self.secure else "rtmp"
        port = "" if self.port == PORTS[scheme] else f":{self.port}"
        if self.app:
            where, there, query = host, fill(self.app), fill(self.query)
        else:
            # As SRS and its edges: the host of tcUrl names the vhost.
            where, there, query = host if vhost == DEFAULT_VHOST else vhost, app, param.removeprefix("?")
        name = fill(self.stream) or stream
        open_name = name if not self.stream or _VARIABLE.search(self.stream) else HIDDEN
        return Place(
            self.host,
            self.port,
            self.secure,
            f"{scheme}://{where}{port}/{there}",
            there,
            f"{name}?{query}" if query else name,
            f"{scheme}://{host}{port}/{there}/{open_name}",
        )
