"""Which stream a peer means: tcUrl and stream name, in all the forms that encoders write.

The forms: ``rtmp://host:port/app`` with stream ``name?k=v``; ``app?vhost=x`` or ``app#vhost=x``;
``app...vhost...x``; ``app/_definst_``; the whole address in tcUrl and an empty stream name.
Nothing is percent-decoded: names are compared as sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fastflv import limits
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.errors import CommandError

DEFAULT_APP: Final = "__defaultApp__"
DEFAULT_PORTS: Final = {"rtmp": 1935, "rtmps": 443, "rtmpt": 80, "rtmpe": 1935}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_QUERY = re.compile(r"[?#]")
_PAIRS = re.compile(r"[&;?#]+")
_AUTHORITY = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//(?:[^/?#@]*@)?(\[[^]/]*\]|[^/?#:]*)(?::([0-9]{0,5})[^/?#]*)?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A stream, or with an empty `stream` the place where streams will be named."""

    schema: str
    "`rtmp`, `rtmps`, ...; lower case."

    host: str
    "Host of tcUrl, no port, IPv6 without brackets; may be empty."

    port: int
    "Port of tcUrl, or the usual one of the schema."

    vhost: str
    "`?vhost=` or `?domain=`, else the host. Not looked up in any configuration yet."

    app: str
    "Application, no slash at either end; inner slashes are kept."

    stream: str
    "Stream name, no slash, no query."

    param: str
    "Query of the stream name, then that of tcUrl, with a leading `?`; or empty."


def parse(tc_url: str, stream: str | None = None) -> Address:
    """Read the two strings of a peer.

    Without *stream* (at `connect`) the path of *tc_url* is the app; with an empty one its last part is
    the stream. Raises CommandError for names that are too long, hold control characters or `..`.
    """
    schema, host, port, rest = _split_url(tc_url)
    rest = rest.replace("/_definst_", "").replace("...vhost...", "?vhost=")
    path, query = _cut(rest)
    name, own_query = _cut(stream or "")
    if stream == "" and "/" in query:  # app?k=v/stream
        query, _, name = query.rpartition("/")
    parts = [part for part in path.split("/") if part]
    names = [part for part in name.replace("/_definst_", "").split("/") if part]
    if stream is not None:
        parts += names
        name = parts.pop() if parts else ""
    app = "/".join(parts) or DEFAULT_APP
    queries = [part for part in (own_query, query) if part]
    vhost = _vhost(queries) or host
    param = "?" + "&".join(queries) if queries else ""
    if param == f"?vhost={DEFAULT_VHOST}":
        param = ""
    _check("app", app)
    _check("stream", name)
    _check("vhost", vhost)
    if len(param) > limits.NAME_CHARS_MAX or _CONTROL.search(param):
        raise CommandError(f"parameters of {len(param)} characters, or with control characters")
    return Address(schema, host, port, vhost, app, name, param)


def query_value(param: str, key: str) -> str:
    """The first value of *key* in a query string, or empty. Pairs end at `&` or `;`."""
    for pair in _PAIRS.split(param):
        name, _, value = pair.partition("=")
        if name == key and value:
            return value
    return ""


def printable(text: str) -> str:
    """*text* for logs and hooks: no control characters, NAME_CHARS_MAX characters at most."""
    return _CONTROL.sub("", text[: limits.NAME_CHARS_MAX])


def _split_url(url: str) -> tuple[str, str, int, str]:
    """Schema, host, port and the rest, which begins with the path."""
    found = _AUTHORITY.match(url)
    if not found:
        return "rtmp", "", DEFAULT_PORTS["rtmp"], url
    schema = (found[1] or "rtmp").lower()
    port = int(found[3] or 0)
    if not 0 < port < 65536:
        port = DEFAULT_PORTS.get(schema, 1935)
    return schema, found[2].strip("[]"), port, url[found.end() :]


def _cut(text: str) -> tuple[str, str]:
    """Path and query; a second `?` or `#` is a separator too, as old encoders nest them."""
    path, *query = _QUERY.split(text, maxsplit=1)
    return path, query[0].lstrip("?#") if query else ""


def _vhost(queries: list[str]) -> str:
    for key in ("vhost", "domain"):
        for query in queries:
            value = query_value(query, key).partition("/")[0]  # an instance may follow: ?vhost=x/inst
            if value == DEFAULT_VHOST:
                return ""
            if value:
                return value
    return ""


def _check(what: str, name: str) -> None:
    if len(name) > limits.NAME_CHARS_MAX:
        raise CommandError(f"{what} of {len(name)} characters; {limits.NAME_CHARS_MAX} are taken")
    if ".." in name or "\\" in name or _CONTROL.search(name):
        raise CommandError(f"{what} with `..`, a backslash or a control character")
