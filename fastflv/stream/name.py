"""What a stream is called, and which names may be. RTMP and HTTP read names alike: percent-decoded once, judged by one rule."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

from fastflv import limits
from fastflv.access.request import stream_url
from fastflv.net.peertext import CONTROL


def decode_name(text: str) -> str:
    """Return *text* with its percent escapes decoded as UTF-8; what is no escape stays (RFC 3986, 2.1)."""
    return unquote(text) if "%" in text else text


def fault_of(name: str) -> str:
    """Return why a decoded app, stream or vhost cannot be served, as the end of a sentence; empty when it can."""
    if len(name) > limits.NAME_CHARS_MAX:
        return f"of {len(name)} characters; {limits.NAME_CHARS_MAX} are taken"
    if ".." in name or "\\" in name or CONTROL.search(name):
        return "with `..`, a backslash or a control character"
    return ""


class StreamName(NamedTuple):
    """Virtual host, application and stream; the key of a stream in the hub."""

    vhost: str
    "Name of the virtual host whose settings apply."

    app: str
    "Application, may hold slashes."

    stream: str
    "Stream, without extension and query."

    @property
    def url(self) -> str:
        """`/app/stream`, with the vhost before it unless it is the default one (as SRS prints it)."""
        return stream_url(*self)
