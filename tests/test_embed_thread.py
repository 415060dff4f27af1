"""The thread of an embedded server: its start and end in every order, and what passes between it and the program."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
from embedded import Film, Waiting, conf, is_picture, looped, number_of, status_of
from model.flv import AUDIO, VIDEO, inter, sound
from model.loop import until

import fastflv
from fastflv import limits
from fastflv.embed.mailbox import Mailbox


def core_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("fastflv")]


# --- mailboxes ---


@looped
async def test_calls_are_made_in_the_order_they_were_posted_by_any_thread():
    made: list[int] = []
    mailbox = Mailbox(asyncio.get_running_loop())

    def post() -> None:
        for number in range(1000):
            assert mailbox.post(made.append, number)

    await asyncio.to_thread(post)
    await until(lambda: len(made) == 1000)
    assert made == list(range(1000))


@looped
async def test_a_call_that_fails_is_logged_and_the_next_one_is_made(caplog):
    made: list[int] = []
    mailbox = Mailbox(asyncio.get_running_loop())
    mailbox.post({}.__getitem__, "absent")
    mailbox.post(made.append, 1)
    await until(lambda: made)
    assert "KeyError: 'absent'" in caplog.text


@looped
async def test_calls_that_take_long_leave_the_loop_its_turns(monkeypatch):
    monkeypatch.setattr(limits, "TURN_SECONDS", 0.0)
    order: list[str] = []
    loop = asyncio.get_running_loop()
    mailbox = Mailbox(loop)
    for _ in range(3):
        mailbox.post(order.append, "call")
    mailbox.post(order.append, "last")
    loop.call_soon(lambda: loop.call_soon(order.append, "turn"))
    await until(lambda: "last" in order)
    assert order.index("turn") < order.index("last")


@looped
async def test_what_is_posted_in_a_turn_is_called_when_the_turn_is_over():
    loop = asyncio.get_running_loop()
    made: list[str] = []
    mailbox = Mailbox(loop, behind=loop)
    mailbox.post(made.append, "posted")
    loop.call_soon(made.append, "same turn")
    await until(lambda: len(made) == 2)
    assert made == ["same turn", "posted"]


def test_nothing_is_taken_for_a_loop_that_is_closed():
    loop = asyncio.new_event_loop()
    mailbox = Mailbox(loop)
    loop.close()
    made: list[int] = []
    assert not mailbox.post(made.append, 1)
    assert not mailbox.post(made.append, 2)
    assert made == []


def test_a_mailbox_that_closes_makes_the_calls_that_wait_and_takes_no_more():
    loop = asyncio.new_event_loop()
    mailbox = Mailbox(loop)
    made: list[int] = []
    assert mailbox.post(made.append, 1)
    mailbox.close()
    assert made == [1]
    assert not mailbox.post(made.append, 2)
    loop.close()


# --- starts and ends ---


@looped
async def test_a_start_that_is_cancelled_leaves_no_thread_and_no_port():
    before = core_threads()
    server = fastflv.Server(conf())
    starting = asyncio.create_task(server.__aenter__())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert core_threads() == before
    assert server.clients == ()


@looped
async def test_an_end_that_is_cancelled_ends_the_server_all_the_same():
    before = core_threads()
    server = fastflv.Server(conf())
    await server.__aenter__()
    port = server.ports("HTTP")[0]
    ending = asyncio.create_task(server.__aexit__(None, None, None))
    await asyncio.sleep(0)
    ending.cancel()
    with suppress(asyncio.CancelledError):
        await ending
    await until(lambda: core_threads() == before)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


@looped
async def test_a_server_that_stops_refuses_those_whose_callbacks_wait_and_cancels_these():
    callback = Waiting()
    before = core_threads()
    async with fastflv.Server(conf(), on_play=callback, callback_seconds=3600) as server:
        waiting = asyncio.create_task(status_of(server, "/live/x.flv"))
        await callback.asked.wait()
    await asyncio.wait_for(callback.cancelled.wait(), 20)
    with suppress(asyncio.IncompleteReadError):
        assert (await waiting)[0] == 403
    assert core_threads() == before


@looped
async def test_what_was_received_can_be_read_when_the_server_has_stopped():
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        await (await Film(publisher).begin()).frames(20)
        reader = server.stream("live/x")
        first = [await anext(reader) for _ in range(3)][-1]
    rest = [tag async for tag in reader if is_picture(tag)]
    assert number_of(first) == 0
    assert [number_of(tag) for tag in rest] == list(range(1, 20))
    assert [tag async for tag in server.stream("live/x")] == []
    assert (server.streams, server.clients, server.disconnect("x")) == ((), (), False)


def test_a_server_whose_loop_the_program_has_closed_stops_by_itself(caplog):
    before = core_threads()
    loop = asyncio.new_event_loop()
    server = fastflv.Server(conf())
    loop.run_until_complete(server.__aenter__())
    assert len(server.ports("HTTP")) == 1
    loop.close()
    asyncio.run(until(lambda: core_threads() == before))
    assert "the event loop of the program was closed while its server ran" in caplog.text


def test_a_program_that_ends_within_the_block_of_its_server_ends():
    code = f"""
import asyncio, fastflv
loop = asyncio.new_event_loop()
server = fastflv.Server({conf()!r})
loop.run_until_complete(server.__aenter__())
print(len(server.ports("RTMP")))
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


# --- publishers ---


@looped
async def test_a_tag_that_the_server_does_not_take_raises_at_the_end_of_the_block_at_the_latest():
    async with fastflv.Server(conf()) as server:
        with pytest.raises(fastflv.PublishError, match="no FLV header"):
            async with server.publish("live/x") as publisher:
                await publisher.feed(b"nonsense that is no FLV")


@looped
async def test_bytes_on_their_way_are_bounded(monkeypatch):
    monkeypatch.setattr(limits, "PUBLISHER_WAITING_BYTES", 1000)
    posted: list[int] = []
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        await (await Film(publisher).begin()).frame()
        (client,) = server.clients
        for number in range(50):
            await publisher.send(VIDEO, 100 + number, inter(bytes(4000)))
            posted.append(server.clients[0].received - client.received)
    # Each is larger than what may be on its way, so each was taken before `send` returned.
    assert posted == sorted(set(posted))


@looped
async def test_two_tasks_may_send_to_one_publisher(monkeypatch):
    monkeypatch.setattr(limits, "PUBLISHER_WAITING_BYTES", 500)
    async with fastflv.Server(conf()) as server:
        async with server.publish("live/x") as publisher:
            film = await Film(publisher, size=1000).begin()
            await film.frame()

            async def sounds() -> None:
                for number in range(200):
                    await publisher.send(AUDIO, number, sound(bytes(1000)))

            await asyncio.wait_for(asyncio.gather(film.frames(100), sounds()), 30)
            received = server.clients[0].received
        assert received > 300_000
