"""The page at `/` of a server without built pages: live streams as links, and what is missing. Plain HTML without a script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastflv.protocols.http.message import Response
from fastflv.servers.pages.livestreams import LiveStream

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}
MISSING: Final = (
    "The player and the console are not part of this installation: it was built without npm. Install npm"
    " (Node.js 20.19 or newer) and run 'make pages', or install fastflv from a wheel or an sdist."
)


def plain_page(streams: Iterable[LiveStream], *, listed: bool) -> Response:
    """Return the page of *streams*. *listed* off: their names are not for all."""
    if listed:
        body = "\n".join(_row(stream) for stream in streams) or "<p>No stream is live.</p>"
    else:
        body = "<p>The API of this server shows its streams; it asks for a password.</p>"
    text = (
        f"<!doctype html>\n<meta charset=utf-8>\n<title>fastflv</title>\n<h1>Live streams</h1>\n{body}\n"
        f"<p>{_escape(MISSING)}</p>\n"
    )
    return Response(200, text.encode("utf-8", "replace"), "text/html; charset=utf-8", dict(HEADERS))


def _row(stream: LiveStream) -> str:
    paths = (_escape(output["path"]) for output in stream.outputs)
    links = [f'<li><a href="{path}">{path}</a>' for path in paths]
    if stream.rtmp:
        links.append(f"<li>{_escape(stream.rtmp)}")
    return f"<h2>{_escape(stream.url)}</h2>\n<ul>{''.join(links)}</ul>"


def _escape(text: str) -> str:
    """As html.escape, whose module loads 0.4 MB of entities with it."""
    for sign, name in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot"), ("'", "#x27")):
        text = text.replace(sign, f"&{name};")
    return text
