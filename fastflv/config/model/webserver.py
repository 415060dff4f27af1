"""The HTTP server for streams and files, and the HTTP API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastflv.config.endpoint import Endpoint, same_ports
from fastflv.config.grammar.problems import value_error
from fastflv.config.grammar.section import Section
from fastflv.config.model.files import HTML_DIR
from fastflv.config.notice import NoticeKind


@dataclass(frozen=True, slots=True)
class Https:
    """`https { }`: the same over TLS."""

    enabled: bool = False
    "Needs the HTTP around it enabled. Default off."

    listen: tuple[Endpoint, ...] = (Endpoint("", 8088),)
    "Default 8088; for the API 1990, or the server's where both share their HTTP ports."

    key: tuple[str, ...] = ("./conf/server.key",)
    "PEM files of the private keys. SRS takes one; fastflv several. Default ./conf/server.key."

    cert: tuple[str, ...] = ("./conf/server.crt",)
    "PEM files of the certificate chains, in the order of the keys; clients that ask for no name or an unknown one get the first. Default ./conf/server.crt."

    proxy_protocol: bool = False
    "fastflv: each connection begins with a PROXY header, version 1 or 2, of one of `trusted_proxies`. Default off."

    http2: bool = True
    "fastflv: offer HTTP/2 (ALPN), where the package h2 is installed: pip install 'fastflv[http2]'. Default on."

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(certificate, key), the default one first."""
        return tuple(zip(self.cert, self.key, strict=True))


@dataclass(frozen=True, slots=True)
class HttpServer:
    """`http_server { }`: live streams and files."""

    enabled: bool = False
    "Default off."

    listen: tuple[Endpoint, ...] = (Endpoint("", 8080),)
    "Default 8080."

    dir: str = HTML_DIR
    "Files, where no vhost has any. Default ./objs/nginx/html."

    crossdomain: bool = True
    "Let pages of other sites play and ask. Default on."

    pages: bool = True
    "fastflv: the page of live streams at `/` and the player at `/players/`. Default on."

    proxy_protocol: bool = False
    "fastflv: each connection begins with a PROXY header, version 1 or 2, of one of `trusted_proxies`. Default off."

    https: Https = field(default_factory=Https)
    "The same over TLS."


@dataclass(frozen=True, slots=True)
class ApiAuth:
    """`auth { }`: HTTP Basic authentication."""

    enabled: bool = False
    "Default off."

    username: str = ""
    "Not empty where enabled."

    password: str = field(default="", repr=False)
    "Not empty where enabled. Kept out of logs."


@dataclass(frozen=True, slots=True)
class RawApi:
    """`raw_api { }`: /api/v1/raw."""

    enabled: bool = False
    "Default off."

    allow_reload: bool = False
    "Permit rpc=reload. Default off."


API_HTTPS_LISTEN: Final = (Endpoint("", 1990),)


@dataclass(frozen=True, slots=True)
class HttpApi:
    """`http_api { }`: the API, on its own port or on the server's."""

    enabled: bool = False
    "Default off."

    listen: tuple[Endpoint, ...] = (Endpoint("", 1985),)
    "Equal to the server's = both on the same ports. Default 1985."

    crossdomain: bool = True
    "Let pages of other sites read, and with `auth` also change. Default: the server's, which in SRS governs both."

    console: bool = True
    "fastflv: the console at `/console/`. Default on."

    read_only: bool = False
    "fastflv: nothing is changed by the API: it refuses all methods but GET and HEAD, and reloads. Default off."

    proxy_protocol: bool = False
    "fastflv: each connection begins with a PROXY header, version 1 or 2, of one of `trusted_proxies`. Default off."

    auth: ApiAuth = field(default_factory=ApiAuth)
    "Who may ask."

    https: Https = field(default_factory=lambda: Https(listen=API_HTTPS_LISTEN))
    "The same over TLS."

    raw_api: RawApi = field(default_factory=RawApi)
    "Reload and the like."


def read_http_server(root: Section) -> HttpServer:
    """Build `http_server`."""
    section = root.sub("http_server")
    return section.fill(HttpServer, https=read_https(section.sub("https"), Https()))


def read_https(section: Section, default: Https) -> Https:
    """Build `https`, which takes listeners and certificates that are not written from *default*.

    Where it is on, certificates and keys that do not make pairs are a problem.
    """
    cert, key = (section.texts(name, getattr(default, name)) for name in ("cert", "key"))
    enabled = section.flag("enabled", False)
    if len(cert) != len(key):
        at = section.value("cert", split=True) or section.value("key", split=True)
        assert at is not None
        if enabled:
            section.problems.add(
                value_error(
                    at,
                    f"{section.path} has {len(cert)} {'certificates' if len(cert) > 1 else 'certificate'}"
                    f" and {len(key)} {'keys' if len(key) > 1 else 'key'}",
                    "write as many, in the same order: 'cert a.crt b.crt; key a.key b.key;'",
                )
            )
        cert, key = cert[:1], key[:1]
    return section.fill(
        Https, enabled=enabled, listen=section.endpoints("listen", default.listen), cert=cert, key=key
    )


def read_http_api(root: Section) -> HttpApi:
    """Build `http_api`, which takes some defaults from `http_server`."""
    server = read_http_server(root)
    section = root.sub("http_api")
    listen = section.endpoints("listen", HttpApi().listen)
    # On the server's ports the server's listeners answer, so what they have is what holds.
    shared = same_ports(listen, server.listen)
    https = read_https(section.sub("https"), server.https if shared else Https(listen=API_HTTPS_LISTEN))
    if shared and https.enabled and server.https.enabled and https.pairs != server.https.pairs:
        section.notify(
            NoticeKind.ADVICE,
            "http_api.https is on the ports of http_server, whose certificates hold",
            section.sub("https").directive,
        )
    _check_proxied(section, server, https, shared)
    auth = section.sub("auth").fill(ApiAuth)
    if auth.enabled and not (auth.username and auth.password):
        section.problems.add(
            value_error(
                section.sub("auth").value("enabled"),
                "http_api.auth is on without a username and a password",
                "write both, or 'enabled off;'",
            )
        )
    return section.fill(
        HttpApi,
        listen=listen,
        crossdomain=section.flag("crossdomain", server.crossdomain),
        auth=auth,
        https=https,
        raw_api=section.sub("raw_api").fill(RawApi),
    )


def _check_proxied(api: Section, server: HttpServer, https: Https, shared: bool) -> None:
    """Write a notice where the API, on ports of the server, says something else of PROXY headers."""
    if not shared:
        return
    for section, mine, its in (
        (api, api.flag("proxy_protocol", False), server.proxy_protocol),
        (api.sub("https"), https.proxy_protocol, server.https.proxy_protocol),
    ):
        at = section.value("proxy_protocol")
        if at is not None and mine is not its:
            section.notify(
                NoticeKind.ADVICE,
                f"{section.path} is on the ports of http_server, whose proxy_protocol holds",
                at,
            )
