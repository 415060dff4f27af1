"""A server in a program that fails: whoever waits for it is told, and a finalizer may ask it at any place."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress

import pytest
from embedded import Film, conf, looped

import fastflv
from fastflv.control.server import Server as Core
from fastflv.embed import corethread
from fastflv.servers.push.intake import Intake

BROKEN = "the thread of the server breaks"


@pytest.fixture
def breaking(monkeypatch):
    """Have the thread of a server end at the first media that it takes, as at an error that nobody has foreseen."""

    def feed(self, data):
        raise SystemExit(BROKEN)

    monkeypatch.setattr(Intake, "feed", feed)


async def fails(awaitable) -> bool:
    with pytest.raises(fastflv.ServerFailedError, match="see the log"):
        await asyncio.wait_for(awaitable, 30)
    return True


@looped
async def test_all_that_wait_for_a_server_that_fails_are_told(breaking, caplog):
    async def read(reader: fastflv.Reader) -> None:
        async for _ in reader:
            raise AssertionError("nothing was published")

    async def follow(events: fastflv.Events) -> list[object]:
        found = []
        with pytest.raises(fastflv.ServerFailedError):
            async for event in events:
                found.append(event)
        return found

    server = fastflv.Server(conf())
    with pytest.raises(fastflv.ServerFailedError):
        async with server:
            other = server.publish("live/later")
            reading = asyncio.create_task(read(server.stream("live/absent")))
            following = asyncio.create_task(follow(server.events()))
            player, viewer = await asyncio.open_connection("127.0.0.1", server.ports("HTTP")[0])
            publisher = await server.publish("live/x").__aenter__()
            with pytest.raises(fastflv.ServerFailedError):
                await Film(publisher, size=1_000_000).begin()
                await publisher.send(9, 0, bytes(1_000_000))
            assert await fails(reading)
            assert [type(each).__name__ for each in await asyncio.wait_for(following, 30)] >= ["StreamEvent"]
            assert await fails(other.__aenter__())
            assert await fails(publisher.__aexit__(None, None, None))
            for use in (lambda: server.streams, lambda: server.clients, lambda: server.stream("live/x")):
                with pytest.raises(fastflv.ServerFailedError):
                    use()
            assert await asyncio.wait_for(player.read(), 30) == b""
            viewer.close()
    assert BROKEN in caplog.text


@looped
async def test_a_server_that_fails_at_its_end_tells_its_readers_and_its_program(monkeypatch):
    stop = Core.stop

    async def broken(self: Core) -> None:
        await stop(self)
        raise OSError(BROKEN)

    monkeypatch.setattr(Core, "stop", broken)
    server = fastflv.Server(conf())
    await server.__aenter__()
    reading = asyncio.create_task(anext(server.stream("live/absent")))
    await asyncio.sleep(0)
    assert await fails(server.__aexit__(None, None, None))
    assert await fails(reading)


@looped
async def test_an_error_of_the_program_goes_before_that_of_its_server(breaking):
    with pytest.raises(ZeroDivisionError):
        async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
            # The server may have failed at the first of two messages.
            with suppress(fastflv.ServerFailedError):
                await Film(publisher).begin()
            raise ZeroDivisionError


@looped
async def test_a_thread_that_asks_while_the_server_fails_is_answered(breaking):
    async with asyncio.timeout(30):
        server = fastflv.Server(conf())
        await server.__aenter__()
        ended = []

        def ask() -> None:
            try:
                while True:
                    server.disconnect("nobody")
            except fastflv.ServerFailedError:
                ended.append(1)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        publisher = await server.publish("live/x").__aenter__()
        await publisher.feed(b"FLV")
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert len(ended) == 4
        assert await fails(server.__aexit__(None, None, None))


@looped
async def test_a_thread_that_has_not_taken_its_answer_when_the_server_fails_holds_up_nobody(
    breaking, monkeypatch
):
    answered, taken = threading.Event(), threading.Event()

    class LateFuture(Future[object]):
        def result(self, timeout=None):
            found = super().result(timeout)
            if threading.current_thread() is asking:
                answered.set()
                taken.wait(30)
            return found

    monkeypatch.setattr(corethread, "Future", LateFuture)
    async with asyncio.timeout(30):
        server = fastflv.Server(conf())
        await server.__aenter__()
        asking = threading.Thread(target=server.disconnect, args=("nobody",), daemon=True)
        asking.start()
        await asyncio.to_thread(answered.wait)
        publisher = await server.publish("live/x").__aenter__()
        await publisher.feed(b"FLV")
        assert await fails(server.__aexit__(None, None, None))
        taken.set()
        await asyncio.to_thread(asking.join)


FINALIZER = """
import asyncio, sys
import fastflv

seen = set()

async def main():
    async with fastflv.Server(sys.argv[1]) as server:
        def trace(frame, event, argument):
            # As the garbage collector would run a finalizer, once at each line.
            place = frame.f_code.co_filename, frame.f_lineno
            if not place[0].endswith(("embed/mailbox.py", "embed/eventqueue.py")):
                return None
            if place not in seen:
                seen.add(place)
                server.disconnect("nobody")
            return trace

        events = server.events()
        sys.settrace(trace)
        async with server.publish("live/x") as publisher:
            await publisher.send(8, 0, bytes(100))
            server.stream("live/x").close()
            await anext(events)
            await asyncio.sleep(0.1)
        sys.settrace(None)
    print(len(seen) > 20)

asyncio.run(main())
"""


def test_a_finalizer_that_asks_the_server_hangs_nobody():
    words = [sys.executable, "-P", "-c", FINALIZER, conf()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
