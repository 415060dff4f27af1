"""`forward { }`: pushing published streams to other servers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Forward:
    """`forward { }`: pushes each published stream to other servers."""

    enabled: bool = False
    "Default off."

    destination: tuple[str, ...] = field(default=(), repr=False)
    "RTMP servers, host or host:port; port 1935 where none is given. fastflv: or rtmp and rtmps URLs with `[vhost]`, `[app]`, `[stream]`. Stream names may be keys."

    backend: str = ""
    "URL that is asked for the destinations at publish; when set, `destination` is not used."

    rtmps: bool = False
    "Push over TLS. Default off."

    tls_verify: bool = True
    "fastflv: the certificates of RTMPS destinations must be trusted. Default on."
