"""Listeners on real sockets: ports, peers, PROXY headers before plain bytes and TLS, the limit, and closing."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
from contextlib import suppress
from dataclasses import replace

import pytest
from model import proxy
from model.http import looped
from model.listening import ANY_PORT, HOST, Site, ended, listening
from model.loop import until
from model.ports import free_ports

from fastflv import limits
from fastflv.config.endpoint import Endpoint
from fastflv.net.listener import bind
from fastflv.net.networkset import NetworkSet
from fastflv.net.peer import Peer

VIEWER = ("198.51.100.7", 51000, "192.0.2.1", 443)
LINE = proxy.line(*VIEWER)
BINARY = proxy.binary(proxy.block(*VIEWER))
BEHIND_TLS = proxy.binary(proxy.block(*VIEWER) + proxy.tls_option(True))


# --- ports ---


@looped
async def test_port_0_takes_a_free_port_and_says_which():
    async with listening() as one, listening() as other:
        assert one.listener.port and one.listener.port != other.listener.port
        connection = await one.greet()
        assert connection.peer.local_port == one.listener.port


@looped
async def test_an_endpoint_without_address_takes_both_families():
    async with listening(Endpoint("", 0)) as site:
        assert (await site.greet()).peer.ip == "127.0.0.1"
        if socket.has_ipv6:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("::1", site.listener.port)
                await until(lambda: len(site.connections) == 2)
                assert site.connections[-1].peer.ip == "::1"
                writer.close()


@looped
async def test_an_ipv6_address_leaves_the_port_of_ipv4_free():
    (port,) = free_ports(1)
    try:
        six = bind(Endpoint("::1", port))
    except OSError:
        pytest.skip("no IPv6")
    with six, bind(Endpoint(HOST, port)) as four:
        assert four.getsockname()[1] == six.getsockname()[1]


@looped
async def test_a_port_that_is_in_use_cannot_be_bound():
    async with listening() as site:
        with pytest.raises(OSError) as caught:
            bind(Endpoint(HOST, site.listener.port))
        assert caught.value.errno == errno.EADDRINUSE


@looped
async def test_a_peer_is_made_of_the_socket(tls):
    async with listening(context=tls[0]) as site:
        reader, writer = await site.connect(tls=tls[1])
        writer.write(b"a")
        await reader.readexactly(1)
        port = writer.get_extra_info("sockname")[1]
        assert site.connections[0].peer == Peer(HOST, HOST, port, site.listener.port, tls[0] is not None)
        writer.close()


# --- the PROXY protocol ---


@pytest.mark.parametrize("header", [LINE, BINARY, BEHIND_TLS], ids=["v1", "v2", "v2 with TLS"])
@looped
async def test_a_proxy_header_tells_who_the_viewer_is_and_what_follows_is_not_touched(header, tls):
    async with listening(proxied=True, context=tls[0]) as site:
        connection = await site.greet(header, tls[1])
        secure = tls[0] is not None or header is BEHIND_TLS
        assert connection.peer == Peer("198.51.100.7", HOST, 51000, site.listener.port, secure)
        assert connection.data == b"hello"


@pytest.mark.parametrize("header", [LINE, BINARY], ids=["v1", "v2"])
@looped
async def test_a_proxy_header_may_come_together_with_the_bytes_of_the_client(header):
    async with listening(proxied=True) as site:
        reader, writer = await site.connect(header + b"GET / HTTP/1.1\r\n")
        assert await reader.readexactly(16) == b"GET / HTTP/1.1\r\n"
        assert site.connections[0].peer.ip == "198.51.100.7"
        writer.close()


@pytest.mark.parametrize("header", [LINE, BINARY], ids=["v1", "v2"])
@looped
async def test_a_proxy_header_may_come_byte_by_byte(header, tls):
    loop = asyncio.get_running_loop()
    async with listening(proxied=True, context=tls[0]) as site:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, (HOST, site.listener.port))
        for byte in header:
            await asyncio.sleep(0.001)
            assert site.connections == []
            await loop.sock_sendall(sock, bytes([byte]))
        more = {"ssl": tls[1], "server_hostname": "a"} if tls[1] else {}
        reader, writer = await asyncio.open_connection(sock=sock, **more)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        assert site.connections[0].peer.ip == "198.51.100.7"
        writer.close()


@pytest.mark.parametrize(
    "header",
    [b"PROXY UNKNOWN\r\n", proxy.binary(b"", command=0, family=0), proxy.binary(b"", family=0)],
    ids=["v1 unknown", "v2 local", "v2 unspecified"],
)
@looped
async def test_a_header_without_addresses_leaves_the_address_of_the_proxy(header):
    async with listening(proxied=True) as site:
        assert (await site.greet(header)).peer.ip == HOST


@looped
async def test_a_header_of_a_proxy_that_is_not_trusted_is_taken_off_and_not_believed():
    async with listening(proxied=True, trusted=NetworkSet(("10.0.0.0/8",))) as site:
        connection = await site.greet(LINE)
        assert (connection.peer.ip, connection.data) == (HOST, b"hello")
    async with listening(proxied=True, trusted=NetworkSet((f"{HOST}/32",))) as site:
        assert (await site.greet(LINE)).peer.ip == "198.51.100.7"


@looped
async def test_a_listener_without_the_protocol_takes_a_header_for_the_clients_bytes():
    async with listening() as site:
        reader, writer = await site.connect(LINE)
        assert await reader.readexactly(len(LINE)) == LINE
        assert site.connections[0].peer.ip == HOST
        writer.close()


@pytest.mark.parametrize(
    "first",
    [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"\x16\x03\x01\x02\x00", proxy.SIGNATURE + b"\x31\x11\0\0"],
)  # fmt: skip
@looped
async def test_a_connection_without_a_proper_header_is_closed_and_the_log_says_why(caplog, first):
    caplog.set_level(logging.INFO)
    async with listening(proxied=True) as site:
        reader, writer = await site.connect(first)
        assert await ended(reader)
        await until(lambda: site.limit.taken == 0)
        assert site.connections == []
        assert any(f"HTTP {HOST} closed: " in message and "PROXY" in message for message in caplog.messages)
        writer.close()


@looped
async def test_a_header_that_never_ends_is_waited_for_only_so_long(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.2)
    async with listening(proxied=True) as site:
        reader, writer = await site.connect(LINE[:-1])
        assert await ended(reader)
        await until(lambda: site.limit.taken == 0)
        assert f"HTTP {HOST} closed: no PROXY header or TLS handshake within 0.2 s" in caplog.messages
        writer.close()


@looped
async def test_a_peer_that_leaves_within_its_header_is_no_connection(caplog):
    caplog.set_level(logging.INFO)
    async with listening(proxied=True) as site:
        for first in (b"", LINE[:20]):
            _, writer = await site.connect(first)
            writer.close()
        await until(lambda: site.limit.total == 2 and site.limit.taken == 0)
        assert site.connections == []
        assert len([message for message in caplog.messages if "closed: the peer left" in message]) == 2


# --- TLS ---


@looped
async def test_a_peer_that_speaks_no_tls_is_closed_and_the_log_says_why(contexts, caplog):
    caplog.set_level(logging.INFO)
    async with listening(context=contexts[0]) as site:
        reader, writer = await site.connect(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.wait_for(reader.read(), 10)
        await until(lambda: site.limit.taken == 0)
        assert site.connections == []
        assert [message for message in caplog.messages if message.startswith(f"HTTP {HOST} closed: ")]
        writer.close()


@looped
async def test_a_handshake_that_takes_too_long_is_given_up(contexts, monkeypatch):
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.2)
    async with listening(context=contexts[0]) as site:
        reader, writer = await site.connect()
        assert await ended(reader)
        await until(lambda: site.limit.taken == 0)
        writer.close()


@looped
async def test_a_slow_handshake_holds_up_nobody_else(contexts):
    async with listening(context=contexts[0]) as site:
        _, silent = await site.connect()
        await until(lambda: site.limit.taken == 1)
        assert (await site.greet(tls=contexts[1])).data == b"hello"
        silent.close()


# --- the limit ---


@looped
async def test_a_connection_above_the_limit_is_closed_at_once(caplog):
    async with listening(places=2) as site:
        kept = [await site.connect() for _ in range(2)]
        await until(lambda: site.limit.taken == 2)
        reader, writer = await site.connect()
        assert await ended(reader)
        assert (len(site.connections), site.limit.refused) == (2, 1)
        assert f"HTTP {HOST} refused: max_connections 2 is reached" in caplog.messages
        kept[0][1].close()
        await until(lambda: site.limit.taken == 1)
        assert (await site.greet()).data == b"hello"
        for _, each in (*kept, (reader, writer)):
            each.close()


@pytest.mark.parametrize("proxied", [False, True], ids=["handshake", "header"])
@looped
async def test_connections_that_have_not_begun_count_towards_the_limit(contexts, proxied):
    async with listening(places=1, proxied=proxied, context=contexts[0]) as site:
        _, silent = await site.connect()
        await until(lambda: site.limit.taken == 1)
        reader, refused = await site.connect()
        assert await ended(reader)
        assert site.limit.refused == 1
        silent.close()
        await until(lambda: site.limit.taken == 0)
        header = LINE if proxied else b""
        assert (await site.greet(header, contexts[1])).data == b"hello"
        refused.close()


# --- peers without an address ---


@pytest.mark.parametrize("empty_ip_ok", [True, False])
@looped
async def test_a_peer_without_an_address_is_accepted_only_where_that_is_allowed(
    tmp_path, caplog, empty_ip_ok
):
    caplog.set_level(logging.INFO)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "http"))
    sock.setblocking(False)
    site = Site(sock, empty_ip_ok=empty_ip_ok)
    assert site.listener.port == 0
    if empty_ip_ok:
        connection = await site.greet()
        assert connection.peer == Peer("", "", 0, 0, False)
    else:
        reader, writer = await site.connect()
        assert await ended(reader)
        assert site.limit.total == 0
        assert "HTTP: a peer without an address is refused (empty_ip_ok off)" in caplog.messages
        writer.close()
    site.listener.close()
    await until(lambda: site.limit.taken == 0)


# --- changes and the end ---


@looped
async def test_a_new_acceptance_counts_for_the_next_connection_and_no_other(contexts):
    async with listening() as site:
        reader, writer = await site.connect()
        await until(lambda: site.connections)
        site.listener.acceptance = replace(site.listener.acceptance, context=contexts[0], proxied=True)
        assert (await site.greet(LINE, contexts[1])).peer.ip == "198.51.100.7"
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        assert site.connections[0].peer.ip == HOST
        writer.close()


@looped
async def test_no_connection_of_a_storm_is_lost_when_the_acceptance_changes_meanwhile():
    async with listening() as site:
        storm = asyncio.gather(*(site.connect() for _ in range(90)))
        for number in range(60):
            networks = NetworkSet((f"10.0.0.{number}/32",))
            site.listener.acceptance = replace(site.listener.acceptance, trusted=networks)
            await asyncio.sleep(0)
        pairs = await storm
        for _, writer in pairs:
            writer.write(b"hello")
        assert await asyncio.gather(*(reader.readexactly(5) for reader, _ in pairs)) == [b"hello"] * 90
        for _, writer in pairs:
            writer.close()


@looped
async def test_a_closed_listener_accepts_no_more_and_its_connections_stay(contexts):
    site = Site(bind(ANY_PORT), context=contexts[0])
    reader, writer = await site.connect(tls=contexts[1])
    silent_reader, silent = await site.connect()
    await until(lambda: site.limit.taken == 2)
    site.listener.close()
    assert await ended(silent_reader), "a handshake is given up"
    with pytest.raises(ConnectionRefusedError):
        await site.connect()
    writer.write(b"still here")
    assert await reader.readexactly(10) == b"still here"
    assert site.limit.taken == 1
    for each in (writer, silent):
        each.close()
    await until(lambda: site.limit.taken == 0)


@looped
async def test_a_storm_of_connections_is_accepted_whole(tls):
    async with listening(context=tls[0]) as site:
        count = 96
        pairs = await asyncio.gather(*(site.connect(tls=tls[1]) for _ in range(count)))
        await until(lambda: len(site.connections) == count)
        assert site.limit.taken == count
        # A reset instead of a close: none of them waits.
        for _, writer in pairs:
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            writer.transport.abort()
        await until(lambda: site.limit.taken == 0)
