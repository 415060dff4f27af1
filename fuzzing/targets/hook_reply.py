"""Answers of hooks: whatever a server sends, a request has a reply within its bounds, and nothing but its yes is a yes.

The first byte of an input says whether what follows is a body or all that the server sends.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import suppress

from fastflv import limits
from fastflv.access.hookbody import refusal_of
from fastflv.net.httpclient import HttpClient, HttpReply

SEEDS = (
    b"\0" + b"0",
    b"\0" + b'{"code": 0, "data": null}',
    b"\0" + b'{"code": 1}',
    b"\0" + b'{"code": 0.0}',
    b"\0" + b"\xef\xbb\xbf0",
    b"\1" + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0",
    b"\1" + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n",
    b"\1" + b"HTTP/1.0 201 Created\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03\x33\0\0\x21\xdf\xdb\xf4\1\0\0\0",
    b"\1" + b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
    b"\1" + b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0",
)  # fmt: skip
WORDS = (
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 ", b"\r\n", b"\r\n\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: ", b"gzip", b"deflate", b"br",
    b"Location: ", b"Set-Cookie: ", b"Connection: close\r\n", b"Content-Type: text/html; charset=", b'"code"', b":", b"0", b"-0", b"0e0", b"NaN", b"true", b"null", b"[" * 2000,
    b"{", b"}", b"\xff\xfe", b"9" * 5000,
)  # fmt: skip
COMPILED = True
"Atheris would follow nothing of aiohttp's parser."
SHORT = 100
"Inputs in the suite: each is a connection."


class Site:
    """A server of an operator that sends what it is told, and a client of it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.faults: list[dict[str, object]] = []
        self.loop.set_exception_handler(lambda loop, context: self.faults.append(context))
        self._answer = b""
        self._client = HttpClient(self.loop)
        self._server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hook"

    def ask(self, answer: bytes) -> HttpReply:
        """Return the reply of a server that sends *answer* and closes."""
        self._answer = answer
        return self.loop.run_until_complete(self._client.send("POST", self._url, b"{}", seconds=60))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"{}")
            writer.write(self._answer)
            await writer.drain()
            # The end comes behind the answer; no port is kept for it.
            writer.write_eof()
            await reader.read()
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()


SITES: list[Site] = []


def check(data: bytes) -> None:
    if data[:1] != b"\1":
        check_reply(HttpReply(200, data[1:]))
        return
    if not SITES:
        SITES.append(Site())
    [site] = SITES
    reply = site.ask(data[1:])
    assert not site.faults, site.faults
    assert len(reply.body) <= limits.HOOK_REPLY_BYTES_MAX + 1
    assert not reply.fault or (reply.status == 0 and not reply.body)
    # The server closes at once, so nothing is left to wait for.
    assert "within" not in reply.fault, reply.fault
    if not reply.fault:
        check_reply(reply)


def check_reply(reply: HttpReply) -> None:
    """Hold that a reply that allows is one of those that the documentation names."""
    why = refusal_of(reply.status, reply.body, limits.HOOK_REPLY_BYTES_MAX)
    if why:
        assert why.isprintable()
        return
    assert reply.status in (200, 201)
    code = json.loads(reply.body) if reply.body.strip() == b"0" else json.loads(reply.body)["code"]
    assert code == 0 and type(code) is int
