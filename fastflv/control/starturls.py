"""The URLs that a server shows when it starts: each of them takes a publisher, or plays H.264 with AAC."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from fastflv import limits
from fastflv.config.model.vhost import Vhost
from fastflv.config.routes import play_paths
from fastflv.containers.carriage import carries_codec
from fastflv.control.server import Server

APP, STREAM = "live", "livestream"
HERE = "127.0.0.1"
PORTS = {"rtmp": 1935, "rtmps": 443, "http": 80, "https": 443, "ws": 80, "wss": 443, "tcp": 0}


def start_urls(server: Server) -> Iterator[str]:
    """The lines to copy: the page to open, where to publish, where to play, vhost by vhost; then the console and the API."""
    settings = server.runtime.settings
    if settings.http_server.enabled and settings.http_server.pages:
        for name, scheme in (("HTTP", "http"), ("HTTPS", "https")):
            yield from (f"open {root}/" for root in _roots(server, name, scheme))
    vhosts = [vhost for vhost in settings.vhosts.values() if vhost.enabled]
    for vhost in vhosts[: limits.START_VHOSTS_MAX]:
        # Without a query, this address stands for the vhost that it finds.
        query = "" if settings.vhost(HERE) is vhost else f"?vhost={quote(vhost.name)}"
        yield from _of_vhost(server, vhost, query)
    more = len(vhosts) - limits.START_VHOSTS_MAX
    if more > 0:
        yield f"{more} more vhosts take the same paths with their names as hosts"
    for root in _roots(server, "HTTP-FLV caster", "http"):
        yield f"publish to {root}/{APP}/{STREAM}.flv"
    for root in _roots(server, "FLV over TCP", "tcp"):
        yield f"publish to {root}"
    if settings.http_api.enabled:
        for root in _roots(server, "HTTP" if settings.api_shared else "API", "http"):
            if settings.http_api.console:
                yield f"manage {root}/console/"
            yield f"ask {root}/api/v1/streams"


def _of_vhost(server: Server, vhost: Vhost, query: str) -> Iterator[str]:
    rtmp = [*_roots(server, "RTMP", "rtmp"), *_roots(server, "RTMPS", "rtmps")]
    yield from (f"publish to {root}/{APP}/{STREAM}{query}" for root in rtmp)
    for name, scheme, socket in (("HTTP", "http", "ws"), ("HTTPS", "https", "wss")):
        for root in _roots(server, name, scheme):
            for container, path, _ in play_paths(server.runtime.vhosts[vhost.name].site.routes, APP, STREAM):
                if container == "hls" or carries_codec(container, "AAC"):
                    yield f"play {root}{path}{query}"
                if container == "flv":
                    yield f"play {root.replace(scheme, socket, 1)}{path}{query}"
    yield from (f"play {root}/{APP}/{STREAM}{query}" for root in rtmp)


def _roots(server: Server, name: str, scheme: str) -> Iterator[str]:
    """The first listener called *name* as the beginning of a URL; nothing without one."""
    for listener in server.listeners:
        if listener.name == name and isinstance(listener.address, tuple):
            host, port = listener.address[:2]
            host = HERE if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host
            yield f"{scheme}://{host}{'' if port == PORTS[scheme] else f':{port}'}"
            return
