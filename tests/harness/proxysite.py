"""A server behind proxies, and what it says of the viewers that they name."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from model.ports import free_ports
from model.proxy import binary, block, line, option
from proxyclients import HttpClient, rtmp_player
from publisher import Publisher, film, headers
from server import Server
from tlsfiles import Pair, trusting

VIEWER, BANNED, VIEWER_6 = "198.51.100.7", "198.51.100.66", "2001:db8::7"
STRANGER, PROXY = "127.0.0.2", "127.0.0.9"
"Addresses of this machine: one that is no trusted proxy, and that of nginx."

SITES = f"""
vhost __defaultVhost__ {{
    play {{ start gop; mw_latency 0; on_missing 20; }}
    publish {{ grace 0; firstpkt_timeout 600000; normal_timeout 600000; }}
    http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts; on_missing 20; }}
    hls {{ enabled on; hls_fragment 1; }}
    security {{ enabled on; deny play {BANNED}; deny publish {BANNED}; allow play all; allow publish all; }}
}}
vhost members {{
    http_remux {{ enabled on; }}
    security {{ enabled on; allow play {VIEWER}; allow publish {VIEWER}; }}
}}
"""

LINE = line(VIEWER, 40000, "192.0.2.1", 1935)
BLOCK = block(VIEWER, 40000, "192.0.2.1", 1935)
LINES_6 = line(VIEWER_6, 40000, "2001:db8::1", 1935)
BLOCK_6 = block(VIEWER_6, 40000, "2001:db8::1", 1935)
HEADERS = {
    "v1": (LINE, VIEWER),
    "v1 of IPv6": (LINES_6, VIEWER_6),
    "v2": (binary(BLOCK), VIEWER),
    "v2 of IPv6": (binary(BLOCK_6, family=0x21), VIEWER_6),
    "v2 with options": (binary(BLOCK + option(4, bytes(3000)) + option(2, b"example.com")), VIEWER),
}
"Headers and the viewers that they name."
UNNAMED = {"v1": b"PROXY UNKNOWN\r\n", "v2": binary(b"", command=0, family=0)}
"Headers of connections that the proxy opened for itself."
STREAMING = ("rtmp", "rtmps", "http", "https")
ALL = (*STREAMING, "api")


class Site(NamedTuple):
    """A server, and what it speaks on which port."""

    server: Server
    ports: dict[str, int]
    before: bytes
    "What each connection of this test begins with, by default."

    def tls(self, listener: str) -> ssl.SSLContext | None:
        return trusting() if listener in ("rtmps", "https") else None

    def http(self, listener: str = "http", **form: Any) -> HttpClient:
        form.setdefault("before", self.before)
        return HttpClient(self.ports[listener], tls=self.tls(listener), **form)

    def clients(self) -> list[dict[str, Any]]:
        with self.http("api") as client:
            rows = json.loads(client.ask("/api/v1/clients?count=1000").text())["clients"]
        assert isinstance(rows, list)
        return rows

    def newest(self) -> dict[str, Any]:
        """The client that came last."""
        return self.clients()[-1]

    def check(self, ip: str) -> dict[str, Any]:
        """The client that came last came from *ip*, says the API, and so does the log."""
        row = self.newest()
        assert row["ip"] == ip, row
        self.server.log.wait(rf"(player|publisher) {row['id']} from {ip} ")
        return row

    @contextmanager
    def playing(self, listener: str, before: bytes, source: str = "") -> Iterator[None]:
        """Play the stream `cam` meanwhile."""
        form: dict[str, Any] = {"before": before, "source": source, "tls": self.tls(listener)}
        with ExitStack() as stack:
            if listener in ("rtmp", "rtmps"):
                stack.enter_context(rtmp_player(self.ports[listener], **form)).open("cam").frames(1)
            else:
                stack.enter_context(HttpClient(self.ports[listener], **form)).ask("/live/cam.flv").media()
            yield


@contextmanager
def run(folder: Path, pair: Pair, top: str, inner: str) -> Iterator[Site]:
    """Run a server with *top* at the top of its file and *inner* in the block of each listener."""
    https, rtmps = free_ports(2)
    cert = f"cert {pair.cert}; key {pair.key};"
    server = Server(
        folder,
        SITES,
        web=f"{inner} https {{ enabled on; listen {https}; {cert} {inner} }}",
        more=f"{top} rtmp {{ {inner} }} rtmps {{ enabled on; listen {rtmps}; {cert} {inner} }}",
    )
    server.file.write_text(server.file.read_text().replace("http_api {", f"http_api {{ {inner}"))
    ports = {"rtmp": server.rtmp, "http": server.http, "api": server.api, "https": https, "rtmps": rtmps}
    site = Site(server, ports, UNNAMED["v1"] if inner else b"")
    with server, Publisher(server.rtmp) as publisher:
        publisher.raw(site.before)
        publisher.publish("cam")
        publisher.tags([*headers(), *film(5)])
        yield site


OPENINGS = {
    "rtmp": b"\3" + bytes(1536),
    "rtmps": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(508),
    "http": b"GET /live/cam.flv HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n",
    "https": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(508),
    "api": b"GET /api/v1/versions HTTP/1.1\r\nHost: x\r\n\r\n",
}
"What clients send that came without a proxy."


def is_dropped(sock: socket.socket) -> bool:
    """Whether the connection ends before a byte comes."""
    with sock:
        try:
            return not sock.recv(100)
        except (ConnectionError, ssl.SSLError):
            return True
