"""A thousand joins a second, each with a hook on kept connections: what they cost, and whom they hold up."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from attack import STRICT, Attack
from flvread import VIDEO
from hookserver import HookServer
from patience import SANITIZED
from publisher import Publisher, picture, silent_headers
from server import HOST, Server, until, vhost_text

JOINS = 3000
AT_ONCE = 32
FIRST = 1000
"Bytes that a player reads before it leaves."

RATE = 1000 if STRICT else 100
"Joins a second that are to be reached; the suite shares its machine."


def serve_hooks(pipe: object) -> None:
    """A hook server in a process of its own, which says how many requests it had when it is asked."""
    with HookServer(keep=False) as hooks:
        pipe.send(hooks.port)  # type: ignore[attr-defined]
        while pipe.recv():  # type: ignore[attr-defined]
            pipe.send((dict(hooks.counts), hooks.connections))  # type: ignore[attr-defined]


@contextmanager
def hook_process() -> Iterator[tuple[int, Callable[[], tuple[dict[str, int], int]]]]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve_hooks, args=(theirs,), daemon=True)
    process.start()

    def counts() -> tuple[dict[str, int], int]:
        ours.send(True)
        return ours.recv()  # type: ignore[no-any-return]

    try:
        assert ours.poll(60), "no hook server"
        yield ours.recv(), counts
        ours.send(False)
        process.join(20)
    finally:
        process.kill()


async def join_all(port: int) -> None:
    left = iter(range(JOINS))

    async def join() -> None:
        for _ in left:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"GET /live/x.flv?only=video HTTP/1.1\r\nHost: a\r\n\r\n")
            head = await reader.readexactly(12)
            assert head == b"HTTP/1.1 200", head
            await reader.readexactly(FIRST)
            writer.close()

    await asyncio.gather(*(join() for _ in range(AT_ONCE)))


def joins(server: Server) -> tuple[float, float]:
    """Joins a second, and seconds of CPU of the server for each of them."""
    cpu, began = server.cpu(), time.monotonic()
    asyncio.run(join_all(server.http))
    seconds = time.monotonic() - began
    return JOINS / seconds, (server.cpu() - cpu) / JOINS


def test_a_thousand_joins_a_second_with_a_hook_each_hold_up_nobody(
    under_attack: Callable[..., Attack], record_property: Callable[[str, object], None], tmp_path: Path
) -> None:
    with hook_process() as (port, counts):
        block = f"http_hooks {{ enabled on; on_play http://{HOST}:{port}/on_play; on_stop http://{HOST}:{port}/on_stop; }}"
        mounts = "mount [vhost]/[app]/[stream].ts; on_missing 1;"
        (tmp_path / "plain").mkdir()
        with Server(tmp_path / "plain", vhost_text(remux=mounts)) as plain, feed(plain):
            bare = joins(plain)
        attack = under_attack(vhost_text(remux=mounts, more=block))
        with feed(attack.server):
            with attack.measured():
                hooked = joins(attack.server)
            until(lambda: counts()[0].get("/on_stop", 0) >= JOINS, "on_stop for each", 60)
        asked, connections = counts()
        text = (
            f"{bare[0]:.0f} joins/s at {1e6 * bare[1]:.0f} us of CPU each; with hooks {hooked[0]:.0f} joins/s"
            f" at {1e6 * hooked[1]:.0f} us each, {connections} connections"
        )
        print(text, attack.delay, file=sys.stderr)
        record_property("hooks", text)
        assert asked["/on_play"] >= JOINS
        assert connections < JOINS / 4
        assert hooked[0] > RATE / (10 if SANITIZED else 1), text
        attack.check_delay(50.0)


@contextmanager
def feed(server: Server) -> Iterator[None]:
    """Publish a stream of ten small pictures a second."""
    over = threading.Event()

    def send(publisher: Publisher) -> None:
        number = 25
        while not over.wait(0.1):
            publisher.tag(VIDEO, 40 * number, picture(number, key=number % 25 == 0, size=1000))
            number += 1

    with Publisher(server.rtmp).publish("x") as publisher:
        publisher.tags(silent_headers())
        for number in range(25):
            publisher.tag(VIDEO, 40 * number, picture(number, key=number == 0, size=1000))
        until(lambda: "x" in server.streams(), "the stream", 20)
        sender = threading.Thread(target=send, args=(publisher,), daemon=True)
        sender.start()
        try:
            yield
        finally:
            over.set()
            sender.join(20)
