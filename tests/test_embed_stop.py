"""The end of an embedded server: no descriptor stays, whatever its peers do."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
import uvloop
from embedded import Film, conf
from tlsfiles import make_pair, trusting

import fastflv

UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
ASKS = ("/live/x.flv", "/live/x.ts", "/live/x.m3u8", "/nothing", "/live/x.flv ws", "")
"Paths that a connection asks for; without one it says nothing."


def ask(port: int, path: str, tls: ssl.SSLContext | None = None) -> socket.socket:
    """Open a connection that reads the first bytes of its answer, and then neither reads nor closes. Blocks."""
    sock = socket.create_connection(("127.0.0.1", port), 20)
    if tls is not None:
        sock = tls.wrap_socket(sock, server_hostname="127.0.0.1")
    path, _, upgrade = path.partition(" ")
    if path:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{UPGRADE if upgrade else ''}\r\n".encode())
        assert sock.recv(64).startswith(b"HTTP/1.1 ")
    return sock


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_server_that_has_stopped_keeps_no_descriptor_of_peers_that_stay(run, tmp_path, descriptors):
    pair = make_pair(tmp_path, "127.0.0.1")
    https = f"https {{ enabled on; listen 127.0.0.1:0; cert {pair.cert}; key {pair.key}; }}"
    text = conf("hls { enabled on; }").replace("listen 127.0.0.1:0; }", f"listen 127.0.0.1:0; {https} }}")

    async def use() -> None:
        async with fastflv.Server(text):
            # The loop opens descriptors of its own for the first listener and the first thread.
            await asyncio.to_thread(int)
        before = descriptors()
        server = fastflv.Server(text)
        async with server:
            [plain], [secure], [rtmp] = map(server.ports, ("HTTP", "HTTPS", "RTMP"))
            async with server.publish("live/x") as publisher:
                film = await Film(publisher).begin()
                await film.frames(30)
                asks = [(plain, path) for path in ASKS] + [(secure, path, trusting()) for path in ASKS]
                peers = [await asyncio.to_thread(ask, *each) for each in (*asks, (rtmp, ""))]
                await film.frames(30)
        own = {str(peer.fileno()) for peer in peers}
        assert {each for each in descriptors() - before if each.split()[0] not in own} == set()
        for peer in peers:
            peer.close()

    run(asyncio.wait_for(use(), 60))
