"""Vhosts for publishes by HTTP, and what the API says of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server import Server, vhost_text
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
    """Return what the API says of the publisher of *name*."""
    return next(row for row in server.clients() if row["publish"] and row["name"] == name)


def serve_pushes(serve: Callable[..., Server], pair: Pair) -> SecureServer:
    """Start a server that takes pushes, plain and over TLS."""
    remux = "mount [vhost]/[app]/[stream].ts; on_missing 20;"
    return serve_tls(serve, vhost_text(remux=remux) + SITES, pair)
