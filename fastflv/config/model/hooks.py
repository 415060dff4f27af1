"""`http_hooks { }`: callbacks over HTTP."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hooks:
    """`http_hooks { }`: URLs to POST to, called in order; none by default."""

    enabled: bool = False
    "Default off."

    on_connect: tuple[str, ...] = ()
    "A client connected; may refuse it."

    on_close: tuple[str, ...] = ()
    "A client left."

    on_publish: tuple[str, ...] = ()
    "A publisher begins; may refuse it."

    on_unpublish: tuple[str, ...] = ()
    "A publisher ended."

    on_play: tuple[str, ...] = ()
    "A player begins; may refuse it."

    on_stop: tuple[str, ...] = ()
    "A player ended."

    on_dvr: tuple[str, ...] = ()
    "A recording is closed."

    on_hls: tuple[str, ...] = ()
    "An HLS segment is closed."

    on_hls_notify: tuple[str, ...] = ()
    "GET templates that warm a cache with a new segment."
