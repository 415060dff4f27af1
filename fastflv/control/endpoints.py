"""The listeners that a configuration asks for: where, what is spoken there, and with what settings to choose another place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from fastflv import limits
from fastflv.config.model.caster import StreamCaster
from fastflv.config.model.server import Settings
from fastflv.config.model.webserver import Https
from fastflv.config.place import change_place
from fastflv.control.listeners import Wanted
from fastflv.net.negotiation import Connect


@dataclass(frozen=True, slots=True)
class Spoken:
    """What makes the connections of each kind of listener."""

    rtmp: Connect
    streams: Connect
    "HTTP/1 with the streams."

    streams2: Connect
    "HTTP/2 with the streams."

    api: Connect
    "HTTP/1 with the API alone."

    api2: Connect
    "HTTP/2 with the API alone."

    flv_tcp: Connect
    caster: Callable[[StreamCaster], Connect]
    exporter: Connect
    "HTTP with the metrics alone."


def wanted(settings: Settings, spoken: Spoken) -> Iterator[Wanted]:
    """The listeners of *settings*, in the order in which they open."""
    yield Wanted(
        "RTMP",
        settings.listen,
        spoken.rtmp,
        proxied=settings.rtmp.proxy_protocol,
        place=_place(settings, "listen", "rtmp.listen"),
    )
    if settings.rtmps is not None:
        rtmps = settings.rtmps
        yield Wanted(
            "RTMPS",
            rtmps.listen,
            spoken.rtmp,
            ((rtmps.cert, rtmps.key),),
            rtmps.proxy_protocol,
            place=_place(settings, "rtmps.listen"),
        )
    yield from _web(settings, spoken)
    for caster in settings.stream_casters:
        at = caster.source.value("listen") if caster.source is not None else None
        yield Wanted(
            "HTTP-FLV caster",
            caster.listen,
            spoken.caster(caster),
            place=f"in {at.place}" if at is not None else "with listen in its stream_caster",
        )
    if settings.flv_tcp.enabled:
        yield Wanted(
            "FLV over TCP",
            settings.flv_tcp.listen,
            spoken.flv_tcp,
            place=_place(settings, "flv_tcp.listen"),
        )
    if settings.exporter.enabled:
        yield Wanted(
            "Exporter",
            settings.exporter.listen,
            spoken.exporter,
            kept=limits.API_CONNECTIONS_KEPT,
            place=_place(settings, "exporter.listen"),
        )


def _web(settings: Settings, spoken: Spoken) -> Iterator[Wanted]:
    """The streams and the API, which share ports where the configuration says so."""
    server, api = settings.http_server, settings.http_api
    if server.enabled:
        yield Wanted(
            "HTTP",
            server.listen,
            spoken.streams,
            proxied=server.proxy_protocol,
            place=_place(settings, "http_server.listen"),
        )
        if server.https.enabled:
            yield Wanted(
                "HTTPS",
                server.https.listen,
                spoken.streams,
                server.https.pairs,
                server.https.proxy_protocol,
                place=_place(settings, "http_server.https.listen"),
                offered=_offered(server.https, spoken.streams2),
            )
    if api.enabled and not settings.api_shared:
        yield Wanted(
            "API",
            api.listen,
            spoken.api,
            proxied=api.proxy_protocol,
            kept=limits.API_CONNECTIONS_KEPT,
            place=_place(settings, "http_api.listen"),
        )
    if api.enabled and api.https.enabled and not settings.api_https_shared:
        yield Wanted(
            "API over TLS",
            api.https.listen,
            spoken.api,
            api.https.pairs,
            api.https.proxy_protocol,
            limits.API_CONNECTIONS_KEPT,
            _place(settings, "http_api.https.listen"),
            _offered(api.https, spoken.api2),
        )


def _offered(https: Https, http2: Connect) -> Mapping[str, Connect]:
    """What handshakes offer besides HTTP/1: HTTP/2, where its library is there."""
    if not https.http2 or find_spec("h2") is None:
        return {}
    # It takes 50 ms, in which the first client and all others would wait.
    import_module("fastflv.servers.http.h2connection")
    return {"h2": http2}


def _place(settings: Settings, *paths: str) -> str:
    """With what an operator chooses another value for the setting at one of *paths*, for messages."""
    return change_place(settings.source, *paths) if settings.source else "in the settings"
