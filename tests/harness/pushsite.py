"""Vhosts for publishes by HTTP, and what the API says of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from model.ports import free_ports
from server import Server, until, vhost_text
from tlsfiles import Pair, SecureServer, serve_tls

SITES = """
vhost hls {
    play { start gop; mw_latency 0; on_missing 20; }
    publish { grace 0; }
    http_remux { enabled on; on_missing 20; }
    hls { enabled on; hls_fragment 1; hls_window 60; }
}
vhost patient { play { start gop; mw_latency 0; } publish { grace 2; } http_remux { enabled on; } }
vhost strict { publish { firstpkt_timeout 1000; normal_timeout 1000; grace 0; } http_remux { enabled on; } }
vhost guarded { security { enabled on; deny publish all; allow play all; } http_remux { enabled on; } }
vhost closed { http_remux { enabled off; } }
"""


def publisher_row(server: Server, name: str) -> dict[str, Any]:
    """Wait until the API lists a publisher of *name*; return what it says of it."""

    def rows() -> list[dict[str, Any]]:
        return [row for row in server.clients() if row["publish"] and row["name"] == name]

    until(rows, f"a publisher of {name}")
    return rows()[0]


def serve_pushes(serve: Callable[..., Server], pair: Pair) -> SecureServer:
    """Start a server that takes pushes, plain and over TLS."""
    remux = "mount [vhost]/[app]/[stream].ts; on_missing 20;"
    return serve_tls(serve, vhost_text(remux=remux) + SITES, pair)


class Casters(NamedTuple):
    """A running server with ports for encoders, plain and over TLS for its mounts."""

    secure: SecureServer
    caster: int
    "As SRS has it: /APP/STREAM.flv."
    renamed: int
    "`output` goes to the vhost hls and another name."
    tcp: int

    @property
    def server(self) -> Server:
        return self.secure.server


CASTER = "stream_caster {{ enabled on; caster flv; listen {}; output rtmp://127.0.0.1:@RTMP@/{}; }}\n"


def serve_casters(serve: Callable[..., Server], pair: Pair) -> Casters:
    """Start a server that takes FLV in every way."""
    caster, renamed, tcp = free_ports(3)
    more = (
        CASTER.format(caster, "[app]/[stream]")
        + CASTER.format(renamed, "cast/[app]-[stream]?vhost=hls")
        + f"flv_tcp {{ enabled on; listen {tcp}; }}"
    )
    secure = serve_tls(serve, vhost_text(remux="on_missing 20;") + SITES, pair, more=more)
    return Casters(secure, caster, renamed, tcp)
