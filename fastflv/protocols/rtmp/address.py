"""Which stream a peer means: tcUrl, app and stream name, in all the forms that encoders write.

The forms: ``rtmp://host:port/app`` with stream ``name?k=v``; ``app?vhost=x`` or ``app#vhost=x``;
``app...vhost...x``; ``app/_definst_``; the whole address in tcUrl and an empty stream name; ``name/TOKEN``, which is
``name?token=TOKEN``.
Names are percent-decoded as HTTP decodes its path; parameters are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from sys import intern
from typing import Final

from fastflv import limits
from fastflv.config.masking import TOKEN
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.errors import CommandError
from fastflv.net.peertext import CONTROL
from fastflv.stream.name import decode_name, fault_of

DEFAULT_APP: Final = "__defaultApp__"
DEFAULT_PORTS: Final = {"rtmp": 1935, "rtmps": 443, "rtmpt": 80, "rtmpe": 1935}

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
    "Query of the stream name, then those of the app and of tcUrl, with a leading `?`; or empty."


def parse(tc_url: str, stream: str | None = None, *, app: str = "") -> Address:
    """Read the strings of a peer. *app*, where it names one, counts before the path of *tc_url*.

    Without *stream* (at `connect`) the whole path is the app; with an empty one its last part is the stream, that of
    *tc_url* where it goes on behind the app. Raises CommandError for names that are too long, hold control
    characters or `..`.
    """
    schema, host, port, rest = _split_url(tc_url)
    path, query = _cut(_plain(rest))
    app_path, app_query = _cut(_plain(app))
    name, own_query = _cut(stream or "")
    if stream == "":  # app?k=v/stream
        query, _, behind = query.rpartition("/") if "/" in query else (query, "", "")
        app_query, _, name = app_query.rpartition("/") if "/" in app_query else (app_query, "", behind)
    parts, url_parts = _parts(app_path), _parts(path)
    if not parts or (stream == "" and url_parts[: len(parts)] == parts):
        parts = url_parts
    if stream is not None:
        parts += _parts(name.replace("/_definst_", ""))
    token = _take_token(parts)
    if stream is not None:
        name = parts.pop() if parts else ""
    app = "/".join(parts) or DEFAULT_APP
    queries = list(dict.fromkeys(part for part in (own_query, token, app_query, query) if part))
    vhost = _vhost(queries) or host
    param = "?" + "&".join(queries) if queries else ""
    if param == f"?vhost={DEFAULT_VHOST}":
        param = ""
    _check("app", app)
    _check("stream", name)
    _check("vhost", vhost)
    if len(param) > limits.PARAM_CHARS_MAX or CONTROL.search(param):
        raise CommandError(f"parameters of {len(param)} characters, or with control characters")
    return Address(schema, host, port, intern(vhost), intern(app), name, param)


def _take_token(parts: list[str]) -> str:
    """Take JSON Web Tokens out of *parts*; return the last as a parameter, or empty without one.

    Encoders that take no `?` in a stream key have it behind a slash, and it must not become part of a name.
    """
    tokens = [part for part in parts if TOKEN.fullmatch(part)]
    if not tokens:
        return ""
    parts[:] = (part for part in parts if part not in tokens)
    return f"token={tokens[-1]}"


def query_value(param: str, key: str) -> str:
    """The first value of *key* in a query string, or empty. Pairs end at `&` or `;`."""
    for pair in _PAIRS.split(param):
        name, _, value = pair.partition("=")
        if name == key and value:
            return value
    return ""


def bounded(text: str, most: int = limits.NAME_CHARS_MAX) -> str:
    """*text* as it is kept of a peer: no control characters, *most* characters at most."""
    return CONTROL.sub("", text[:most])


def _plain(text: str) -> str:
    """A path and query without the forms of old encoders."""
    return text.replace("/_definst_", "").replace("...vhost...", "?vhost=")


def _parts(path: str) -> list[str]:
    return [part for part in decode_name(path).split("/") if part]


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
    fault = fault_of(name)
    if fault:
        raise CommandError(f"{what} {fault}")
