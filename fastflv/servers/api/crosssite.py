"""Where a request comes from: a page of which site, under which name of the server, and from which machine."""

from __future__ import annotations

from typing import Final

from fastflv.net.ip import canonical, is_loopback
from fastflv.protocols.http.message import Request

PROXIED: Final = ("x-forwarded-for", "x-real-ip", "forwarded", "via")
FORMS: Final = ("", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"Media types that any page may send without a preflight (Fetch, 2.2.2)."


def from_other_site(request: Request) -> bool:
    """Return whether a browser says that a page of another site made the request (Fetch Metadata, 2.4).

    Clients that are no browsers say nothing, and no page can make a browser say otherwise.
    """
    return request.headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")


def from_other_origin(request: Request) -> bool:
    """Return whether a browser says that a page of another origin made the request: by Fetch Metadata, else by `Origin`.

    Browsers send no Fetch Metadata to a plain HTTP server on another machine, but each request whose answer a page could
    read, and each by another method than GET, has `Origin` (Fetch, 3.1). A page of the same host on another port is of
    another origin. Behind a proxy that writes another `Host`, Fetch Metadata alone tells.
    """
    origin = request.headers.get("origin")
    if origin is None or "sec-fetch-site" in request.headers:
        return from_other_site(request)
    return not _is_own(request, origin)


def from_own_page(request: Request) -> bool:
    """Return whether a browser says that a page of this origin made the request, or nobody's page.

    A script has no `Origin`. A page may withhold its `Referer`, but not write that of another one.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    return _is_own(request, request.headers.get("referer", ""))


def from_page(request: Request) -> bool:
    """Return whether a browser made the request for a page, as far as it tells."""
    return any(name in request.headers for name in ("origin", "sec-fetch-site", "referer"))


def is_form(request: Request) -> bool:
    """Return whether a form of any page could have sent the request, together with a password that the browser knows."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return request.method == "POST" and kind in FORMS


def to_address(request: Request) -> bool:
    """Return whether `Host` is an address or `localhost`: a name may come to mean this server for a page of that name
    (DNS rebinding)."""
    host = request.host
    return bool(canonical(host)) or host == "localhost" or host.endswith(".localhost")


def from_this_machine(request: Request) -> bool:
    """Return whether the client is on this machine: by a socket of it, and through no proxy that is not trusted.

    The machine of a trusted proxy may be another one, so both ends of the connection count.
    """
    peer = request.peer
    if peer.ip == peer.socket_ip and any(name in request.headers for name in PROXIED):
        return False
    # The address of an AF_UNIX socket is empty.
    return all(not ip or is_loopback(ip) for ip in (peer.ip, peer.socket_ip))


def _is_own(request: Request, url: str) -> bool:
    host = url.partition("://")[2].partition("/")[0]
    return bool(host) and host.lower() == request.headers.get("host", "").lower()
