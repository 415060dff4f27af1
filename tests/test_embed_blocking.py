"""Programs whose event loop is held, by callbacks or by other code: media of all streams goes on."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from statistics import median

import pytest
from broadcast import Broadcast
from embedded import Film, conf, is_picture, looped, status_of
from model.loop import until
from player import Player

import fastflv

BLOCK_SECONDS = 0.2
STREAMS = ("a", "b", "c")


class Listener(threading.Thread):
    """Plays a stream and notes when bytes came."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(daemon=True)
        self.player = Player(port, f"/live/{name}.flv")
        self.times: list[float] = []
        self.start()

    def run(self) -> None:
        while self.player.step() or not self.player.ended:
            self.times.append(time.monotonic())

    def longest_gap(self, begin: float, end: float) -> float:
        """Return the longest time without bytes between two moments, seconds."""
        times = [begin, *(at for at in list(self.times) if begin < at < end), end]
        return max(b - a for a, b in pairwise(times))


@contextmanager
def watched(server: fastflv.Server) -> Iterator[list[Listener]]:
    """Publish STREAMS over RTMP, 25 pictures a second, and play each; blocks until all of them play."""
    with ExitStack() as stack:
        for name in STREAMS:
            stack.enter_context(Broadcast(server.ports("RTMP")[0], name))
        listeners = [Listener(server.ports("HTTP")[0], name) for name in STREAMS]
        for listener in listeners:
            stack.callback(listener.player.sock.shutdown, socket.SHUT_RDWR)
        wait_for(listeners, 25)
        yield listeners


def wait_for(listeners: list[Listener], more: int) -> None:
    """Block until each listener has had bytes so many times more, 30 s at most."""
    wanted = [len(listener.times) + more for listener in listeners]
    until_end = time.monotonic() + 30
    while any(len(listener.times) < count for listener, count in zip(listeners, wanted, strict=True)):
        assert time.monotonic() < until_end, "no media came while the program held its loop"
        time.sleep(0.01)


def sleeps() -> None:
    time.sleep(BLOCK_SECONDS)


def computes() -> None:
    end = time.monotonic() + BLOCK_SECONDS
    while time.monotonic() < end:
        sum(range(1000))


@looped
async def test_media_of_all_streams_goes_on_for_as_long_as_an_async_callback_blocks():
    watching: list[list[Listener]] = []

    async def on_play(request: fastflv.AccessRequest) -> fastflv.Verdict:
        if request.stream == "other":
            # It returns when every player was sent a second of what is published meanwhile.
            wait_for(watching[0], 25)
        return fastflv.ALLOW

    async with fastflv.Server(conf(), on_play=on_play, callback_seconds=40) as server:
        context = watched(server)
        watching.append(await asyncio.to_thread(context.__enter__))
        assert (await status_of(server, "/live/other.flv"))[0] == 404
        await asyncio.to_thread(context.__exit__, None, None, None)


@pytest.mark.parametrize("block", [sleeps, computes], ids=lambda block: block.__name__)
@looped
async def test_players_have_no_gap_as_long_as_a_callback_blocks(block: Callable[[], None]):
    spans: list[tuple[float, float]] = []

    async def on_play(request: fastflv.AccessRequest) -> fastflv.Verdict:
        if request.stream == "other":
            began = time.monotonic()
            block()
            spans.append((began, time.monotonic()))
        return fastflv.ALLOW

    async with fastflv.Server(conf(), on_play=on_play) as server:
        context = watched(server)
        listeners = await asyncio.to_thread(context.__enter__)
        for _ in range(7):
            assert (await status_of(server, "/live/other.flv"))[0] == 404
        await asyncio.to_thread(context.__exit__, None, None, None)
    gaps = [max(listener.longest_gap(*span) for listener in listeners) for span in spans]
    # A picture each 40 ms; the machine may be busy in some of the spans.
    assert median(gaps) < 0.6 * BLOCK_SECONDS, gaps


@looped
async def test_publishers_that_come_while_the_program_holds_its_loop_are_admitted_and_played():
    async with fastflv.Server(conf()) as server:
        rtmp, http = server.ports("RTMP")[0], server.ports("HTTP")[0]
        # Nothing of the program is asked: the loop is held from here to the end of the block.
        with Broadcast(rtmp, "x"), Player(http, "/live/x.flv") as player:
            while len(player.body) < 10_000:
                player.step()


@looped
async def test_what_a_reader_gets_behind_a_block_is_what_came_meanwhile():
    async with fastflv.Server(conf()) as server:
        context = watched(server)
        listeners = await asyncio.to_thread(context.__enter__)
        async with server.stream("live/a") as reader:
            while not is_picture(await anext(reader)):
                pass
            wait_for(listeners, 25)
            times = []
            while len(times) < 40:
                tag = await anext(reader)
                if is_picture(tag):
                    times.append(tag.time)
        await asyncio.to_thread(context.__exit__, None, None, None)
    assert {b - a for a, b in pairwise(times)} == {40}
    assert reader.jumps == 0


@looped
async def test_a_callback_that_blocks_for_too_long_refuses_its_client_while_it_blocks(caplog):
    refused = threading.Event()

    async def on_play(request: fastflv.AccessRequest) -> fastflv.Verdict:
        assert refused.wait(30)
        return fastflv.ALLOW

    def ask(port: int) -> int:
        with Player(port, "/live/x.flv", flv=False) as player:
            player.head()
            refused.set()
            return player.status

    async with fastflv.Server(conf(), on_play=on_play, callback_seconds=0.3) as server:
        assert await asyncio.to_thread(ask, server.ports("HTTP")[0]) == 403
    assert "has not answered within 0.3 s" in caplog.text


@looped
async def test_a_thread_of_the_program_may_ask_what_there_is_while_the_loop_is_held():
    found: list[tuple[str, ...]] = []
    asked = threading.Event()

    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        await (await Film(publisher).begin()).frames(3)

        def ask() -> None:
            found.append(tuple(stream.name.url for stream in server.streams))
            found.append(tuple(client.name.url for client in server.clients))
            assert server.disconnect(server.clients[0].id)
            asked.set()

        thread = threading.Thread(target=ask)
        thread.start()
        assert asked.wait(30)
        thread.join()
        await until(lambda: server.streams == ())
    assert found == [("/live/x",), ("/live/x",)]
