"""Answers of HTTP origins: any bytes, in any pieces, give a status and a body, or an HttpReplyError; the pieces do not matter.

The first byte of an input says how long the pieces are.
"""

from __future__ import annotations

from fastflv import limits
from fastflv.errors import HttpReplyError
from fastflv.protocols.http.reply import Reply

SEEDS = (
    b"\1HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: video/x-flv\r\n\r\n5\r\nFLV\1\5\r\n0\r\n\r\n",
    b"\7HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nFLV",
    b"\3HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nFLV\1\5",
    b"\5HTTP/1.1 302 Found\r\nLocation: http://b/live/x.flv\r\nContent-Length: 0\r\n\r\n",
    b"\2HTTP/1.0 404 Not Found\r\n\r\nnothing",
    b"\4HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nFLV",
)
WORDS = (
    b"\r\n\r\n",
    b"HTTP/1.1 ",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 0\r\n",
    b"0\r\n\r\n",
    b"\r\n",
)


def read(data: bytes, step: int) -> tuple[int, dict[str, str], bool, bytes] | None:
    """What the answer is; None where it is none."""
    reply = Reply()
    body = b""
    try:
        for at in range(0, len(data), step):
            body += b"".join(reply.feed(data[at : at + step]))
    except HttpReplyError:
        return None
    assert reply.status == 0 or 200 <= reply.status < 1000
    assert reply.status or not body
    return reply.status, reply.fields, reply.complete, body


def check(data: bytes) -> None:
    if len(data) > limits.UPSTREAM_HEAD_BYTES_MAX:
        return
    step = max(data[0] if data else 1, 1)
    whole, pieces = read(data[1:], max(len(data), 1)), read(data[1:], step)
    # Bytes behind a wrong place may have been used before it was seen.
    assert whole is None or pieces is None or whole == pieces, (whole, pieces)
