"""What the rules see of an HTTP request."""

from __future__ import annotations

from sys import intern
from typing import Final
from urllib.parse import quote

from fastflv import limits
from fastflv.access.request import AccessRequest, Action
from fastflv.protocols.http.message import Request
from fastflv.stream.name import StreamName

ASCII: Final = "".join(map(chr, range(128)))


def access_request(
    request: Request, action: Action, name: StreamName, output: str, scheme: str, client_id: str = ""
) -> AccessRequest:
    """Describe a publish or play of *name*; *output*: as SRS names the kind of client, for example `flv-play`.

    *client_id*: empty: that of the connection. The page is that of Referer. Browsers send none with a WebSocket: there it is Origin.
    """
    headers, path = request.headers, request.path
    authorization = headers.get("authorization")
    page = headers.get("referer", "")
    if not page and scheme in ("ws", "wss"):
        page = headers.get("origin", "")
    return AccessRequest(
        action=action,
        peer=request.peer,
        client_id=client_id or request.peer.id,
        vhost=name.vhost,
        app=name.app,
        stream=name.stream,
        output=output,
        scheme=scheme,
        param=f"?{_ascii(request.query)}" if request.query else "",
        # Thousands of players keep the same texts; interned ones are freed with the last of them.
        page_url=intern(page[: limits.PAGE_URL_CHARS_MAX]) if page else "",
        tc_url=intern(f"{scheme}://{headers.get('host', '')}/{name.app}"),
        file=intern(path.rpartition("/")[2]) if action is Action.PLAY else "",
        bearer=_bearer(authorization) if authorization else "",
        path=intern(path),
        own=request.peer.own,
    )


def _ascii(query: str) -> str:
    """Return a query without bytes that no URL has: RTMP sends parameters as text, HTTP as bytes."""
    return query if query.isascii() else quote(query, safe=ASCII, encoding="latin-1")


def _bearer(authorization: str) -> str:
    """Return the token of `Authorization: Bearer TOKEN` (RFC 6750, 2.1); empty for any other scheme."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
