"""Peers that say nothing, or half of it, before a PROXY header or a TLS handshake: they end some at a time."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest
from model import proxy
from model.hello import hello, records
from model.http import looped
from model.listening import HOST, ended, listening
from model.loop import until

from fastflv import limits
from fastflv.net.networkset import NetworkSet

LINE = proxy.line("198.51.100.7", 51000, "192.0.2.1", 443)
CROWD = 3 * limits.QUIET_WAKE_COUNT


@pytest.fixture(autouse=True)
def lines(caplog):
    caplog.set_level(logging.INFO)


@pytest.mark.parametrize(
    "said", [b"", hello()[:100], LINE[:10]], ids=["nothing", "half a hello", "half a header"]
)
@looped
async def test_a_crowd_that_leaves_before_it_has_begun_ends_over_several_turns(contexts, said):
    async with listening(proxied=said == LINE[:10], context=contexts[0]) as site:
        peers = [socket.create_connection((HOST, site.listener.port)) for _ in range(CROWD)]
        for peer in peers:
            peer.sendall(said)
        await until(lambda: site.limit.taken == CROWD)
        # What they said is read, and they wait.
        await asyncio.sleep(0.1)
        for peer in peers:
            peer.close()
        most, before = 0, CROWD
        while before:
            await asyncio.sleep(0)
            most = max(most, before - site.limit.taken)
            before = site.limit.taken
        assert most <= limits.QUIET_WAKE_COUNT
        assert site.connections == []


@pytest.mark.parametrize("size", [1, 40], ids=["bytes", "pieces"])
@looped
async def test_a_hello_that_comes_in_pieces_is_answered_when_it_is_whole(contexts, size):
    async with listening(context=contexts[0]) as site:
        reader, writer = await site.connect()
        said = hello()
        for at in range(0, len(said), size):
            writer.write(said[at : at + size])
            await asyncio.sleep(0)
        assert (await asyncio.wait_for(reader.readexactly(1), 10)) == b"\x16"
        writer.close()


@looped
async def test_a_hello_in_several_records_is_answered(contexts):
    async with listening(context=contexts[0]) as site:
        reader, writer = await site.connect(records(hello()[5:], 200))
        assert (await asyncio.wait_for(reader.readexactly(1), 10)) == b"\x16"
        writer.close()


@looped
async def test_a_hello_in_too_many_records_is_refused(contexts, caplog):
    async with listening(context=contexts[0]) as site:
        reader, writer = await site.connect(records(hello()[5:], 1))
        assert await ended(reader)
        assert any("a ClientHello in more than 16 records" in message for message in caplog.messages)
        writer.close()


@looped
async def test_a_hello_without_its_end_is_given_up(contexts, monkeypatch, caplog):
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.2)
    async with listening(context=contexts[0], proxied=True, trusted=NetworkSet((HOST,))) as site:
        reader, writer = await site.connect(LINE + hello()[:-1])
        assert await ended(reader)
        assert any(message.endswith("handshake within 0.2 s") for message in caplog.messages)
        writer.close()


@looped
async def test_a_peer_that_leaves_behind_half_a_hello_ends_at_once(contexts, caplog):
    async with listening(context=contexts[0]) as site:
        reader, writer = await site.connect(hello()[:-1])
        writer.write_eof()
        assert await ended(reader)
        assert any("the peer left within the handshake" in message for message in caplog.messages)
        writer.close()


@looped
async def test_beyond_their_bound_the_oldest_handshake_gives_way(contexts, monkeypatch, caplog):
    monkeypatch.setattr(limits, "HANDSHAKES_MAX", 2)
    async with listening(context=contexts[0]) as site:
        peers = []
        for _ in range(3):
            peers.append(await site.connect(hello()))
            assert (await asyncio.wait_for(peers[-1][0].readexactly(1), 10)) == b"\x16"
        while await asyncio.wait_for(peers[0][0].read(4096), 10):
            pass
        assert any("its handshake gave way to newer ones" in message for message in caplog.messages)
        assert site.limit.taken == 2
        # Who answers in time is served.
        assert (await site.greet(tls=contexts[1])).data == b"hello"
        for _, writer in peers:
            writer.close()
