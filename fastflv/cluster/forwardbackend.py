"""`forward { backend URL; }`: a server that says where a stream is forwarded to. Request and answer are those of SRS."""

from __future__ import annotations

import json

from fastflv import limits
from fastflv.access.hookbody import refusal_of
from fastflv.config.destination import Destination
from fastflv.net.httpclient import HttpReply


def destinations_of(reply: HttpReply) -> tuple[Destination, ...]:
    """Read `{"code": 0, "data": {"urls": [...]}}`. Raises ValueError with one clause for any other answer."""
    if reply.fault:
        raise ValueError(reply.fault)
    why = refusal_of(reply.status, reply.body, limits.HOOK_REPLY_BYTES_MAX)
    if why:
        raise ValueError(why)
    answer = json.loads(reply.body)
    data = answer.get("data") if isinstance(answer, dict) else None
    urls = data.get("urls") if isinstance(data, dict) else None
    if not isinstance(urls, list):
        raise ValueError("a body without the list data.urls")
    if len(urls) > limits.FORWARD_URLS_MAX:
        raise ValueError(f"{len(urls)} URLs; {limits.FORWARD_URLS_MAX} are taken")
    found = []
    for url in urls:
        try:
            if not isinstance(url, str):
                raise ValueError("no text")
            if url:
                found.append(Destination.parse(url))
        except ValueError as error:
            raise ValueError(f"a URL that is none: {error}") from None
    return tuple(dict.fromkeys(found))
