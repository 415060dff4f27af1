"""Two servers in this process, one of which hands all that it has to the other."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager

import pytest
from model.apisite import NAME, gop, looped, running
from model.flv import inter
from model.loop import until
from rtmpplayer import RtmpPlayer
from test_handover_state import CHANGES, leaves, with_change

from fastflv.access.tokens.revocations import Revocation
from fastflv.control.handover import Arriving, Leaving
from fastflv.control.listeners import Plan
from fastflv.errors import HandoverError
from fastflv.net.parcel import Parcel, receive_parcel, send_parcel
from fastflv.playing.threadplayer import ThreadPlayer
from fastflv.stream.endreason import EndReason


def passed(state: dict) -> Parcel:
    """*state* as another process gets it."""
    here, there = socket.socketpair()
    with here, there:
        sending = threading.Thread(target=send_parcel, args=(here, state))
        sending.start()
        try:
            return receive_parcel(there)
        finally:
            sending.join()


@asynccontextmanager
async def pair():
    async with running() as old, running() as new:
        feed = old.publish()
        gop(old, feed)
        yield old, new, feed


NO_PORTS = Plan({}, {})
"The listeners of the other server are there already."

ASKS = {
    "flv": b"GET /live/a.flv HTTP/1.1\r\nHost: a\r\n\r\n",
    "websocket": b"GET /live/a.flv HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
}


@looped
async def test_a_player_changes_the_server_and_its_client_entry_goes_with_it():
    async with pair() as (old, new, _):
        reader, writer = await old.play()
        # Its thread counts what it sent behind the send.
        await until(lambda: any(client.sent for client in old.server.clients))
        before = (await old.get("clients"))["clients"]
        old.server.tokens.store.revocations.add(5.0, jti="bad", until=1e12)
        leaving = Leaving(old.server)
        arriving = Arriving(new.server, NO_PORTS, passed(leaving.state))
        leaving.part()
        await arriving.begin()
        arriving.released()
        (player,) = (await new.get("clients"))["clients"]
        shown = next(row for row in before if not row["publish"])
        same = ("id", "ip", "pageUrl", "url", "name", "type", "publish")
        assert {name: player[name] for name in same} == {name: shown[name] for name in same}
        assert player["alive"] >= shown["alive"]
        assert list(new.server.tokens.store.revocations) == [Revocation("bad", "", 5.0, 1e12)]
        # Its publisher was no connection, so the stream waits for one.
        stream = new.server.hub.find(NAME)
        assert stream is not None and stream.id == old.server.hub.find(NAME).id
        assert stream.phase.value == "in grace"
        again = new.publish(id="pub00002")
        gop(new, again)
        again.video(80, inter(b"of the new server"))
        await reader.readuntil(b"of the new server")
        assert new.server.clients.find(player["id"]).sent > shown["send_bytes"] > 0
        new.server.clients.find(player["id"]).drop(EndReason.KICKED)
        await reader.read()
        await until(lambda: new.server.connection_limit.taken == 0)
        assert old.server.connection_limit.taken == 0
        writer.close()


async def open_player(caller, how):
    """Return a reader and a writer of the socket of a player."""
    if how == "rtmp":
        player = await asyncio.to_thread(lambda: RtmpPlayer(caller.rtmp).open("a"))
        return await asyncio.open_connection(sock=player.sock)
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.http)
    writer.write(ASKS[how])
    return reader, writer


@pytest.mark.parametrize("given", [False, True], ids=["before its thread has it", "with its thread"])
@pytest.mark.parametrize("how", [*ASKS, "rtmp"])
@looped
async def test_one_that_cannot_go_on_is_closed_alone(how, given, monkeypatch, caplog):
    real = ThreadPlayer.resume
    async with pair() as (old, new, _):
        odd, odd_writer = await open_player(old, how)
        await until(lambda: len(old.server.clients) == 2)
        reader, writer = await old.play()
        steady = [each.id for each in old.server.clients if not each.publish][1]
        leaving = Leaving(old.server)
        arriving = Arriving(new.server, NO_PORTS, passed(leaving.state))
        leaving.part()

        calls = []

        def resume(player, outlet, state):
            calls.append(player)
            if len(calls) > 1 or given:
                real(player, outlet, state)
            if len(calls) == 1:
                raise MemoryError("no room")

        monkeypatch.setattr(ThreadPlayer, "resume", resume)
        await arriving.begin()
        await asyncio.wait_for(odd.read(), 10)
        assert "lost in an upgrade" in caplog.text
        again = new.publish(id="pub00002")
        gop(new, again)
        again.video(80, inter(b"on it goes"))
        await reader.readuntil(b"on it goes")
        await until(lambda: [each.id for each in new.server.clients if not each.publish] == [steady])
        await until(lambda: new.server.connection_limit.taken == 1)
        writer.close()
        odd_writer.close()


@looped
async def test_a_server_that_is_read_and_not_parted_goes_on():
    async with pair() as (old, _, feed):
        reader, writer = await old.play()
        for turn in range(3):
            leaving = Leaving(old.server)
            assert leaving.taken == {"streams": 1, "publishers": 0, "players": 1}
            leaving.go_on()
            feed.video(80 + 40 * turn, inter(b"turn %d" % turn))
            await reader.readuntil(b"turn %d" % turn)
        writer.close()


@looped
async def test_whatever_stands_in_a_parcel_it_is_refused_or_taken():
    async with pair() as (old, new, feed):
        _, writer = await old.play()
        leaving = Leaving(old.server)
        state = leaving.state
        refused = 0
        # Streams have a test of their own.
        for path in [
            *leaves(state["plays"], ("plays",)),
            ("plays",),
            ("rtmp",),
            ("idle",),
            ("streams",),
            ("revoked",),
        ]:
            for change in CHANGES:
                parcel = passed(state)
                parcel.values = with_change(parcel.values, path, change)
                try:
                    Arriving(new.server, NO_PORTS, parcel)
                except HandoverError:
                    refused += 1
                finally:
                    parcel.close()
        leaving.go_on()
        assert refused > 100
        feed.video(80, inter())
        writer.close()
