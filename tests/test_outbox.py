"""The outbox: order for each client, a bound at once and in all, and events that fail."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from fastflv import limits
from fastflv.servers.hooks.outbox import Outbox


class Wire:
    """Sends when the test says so."""

    def __init__(self):
        self.begun = []
        self.sent = []
        self.gate = asyncio.Event()

    async def send(self, client, number):
        self.begun.append((client, number))
        await self.gate.wait()
        if number < 0:
            raise OSError("broken")
        self.sent.append((client, number))


async def turns():
    for _ in range(5):
        await asyncio.sleep(0)


def run(test):
    async def body():
        await test(Outbox(asyncio.get_running_loop(), "a.example"), Wire())

    asyncio.run(body())


def test_events_of_a_client_go_in_order_and_those_of_others_beside_them():
    async def test(box, wire):
        for number in range(3):
            for client in "ab":
                box.put(client, partial(wire.send, client, number))
        await turns()
        assert wire.begun == [("a", 0), ("b", 0)]
        wire.gate.set()
        await box.drain()
        assert [number for client, number in wire.sent if client == "a"] == [0, 1, 2]
        assert [number for client, number in wire.sent if client == "b"] == [0, 1, 2]
        assert len(box) == 0

    run(test)


def test_so_many_are_sent_at_once_and_no_more():
    async def test(box, wire):
        for number in range(limits.HOOK_EVENTS_AT_ONCE + 9):
            box.put(f"c{number}", partial(wire.send, "c", number))
        await turns()
        assert len(wire.begun) == limits.HOOK_EVENTS_AT_ONCE
        wire.gate.set()
        await box.drain()
        assert len(wire.sent) == limits.HOOK_EVENTS_AT_ONCE + 9

    run(test)


def test_what_there_is_no_room_for_is_lost_and_the_log_says_how_much(monkeypatch, caplog):
    monkeypatch.setattr(limits, "HOOK_EVENTS_MAX", 4)

    async def test(box, wire):
        for number in range(7):
            box.put("c", partial(wire.send, "c", number))
        wire.gate.set()
        await box.drain()
        assert [number for _, number in wire.sent] == [0, 1, 2, 3]
        box.put("c", partial(wire.send, "c", 8))
        await box.drain()
        assert wire.sent[-1] == ("c", 8)

    run(test)
    assert [record.getMessage() for record in caplog.records] == [
        "hooks of vhost a.example: too many events wait to be sent; new ones are lost",
        "hooks of vhost a.example: 3 events were lost",
    ]


def test_an_event_that_fails_stops_no_other(caplog):
    async def test(box, wire):
        wire.gate.set()
        for number in (-1, 1):
            box.put("c", partial(wire.send, "c", number))
        await box.drain()
        assert wire.sent == [("c", 1)]

    run(test)
    assert "an event failed" in caplog.text


@pytest.mark.parametrize("client", ["one", "many"])
def test_a_box_that_closes_sends_no_more(client):
    async def test(box, wire):
        for number in range(3):
            box.put(client if client == "one" else f"c{number}", partial(wire.send, "c", number))
        await turns()
        assert box.close() == 3
        await turns()
        assert wire.sent == []
        assert len(wire.begun) == (1 if client == "one" else 3)

    run(test)
