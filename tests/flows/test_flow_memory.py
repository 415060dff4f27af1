"""What a server costs in memory, and each stream: its newest GOP and little else, with players as without."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from player import Player
from publisher import Publisher, film, headers
from server import Server, until, vhost_text

STREAMS = 50
PICTURES = 50
"Of a GOP of 2 s."

PICTURE_BYTES = 2400
GOP_KB = PICTURES * (PICTURE_BYTES + 150) / 1024
STREAM_KB = 70
"The rest of a publisher: its connection, its session, its stream, and the pages around the GOP."

PLAYER_KB = 60
"A player, with a stream that somebody reads: what lies within a merge window of the head."

PUBLISHERS = 300
PUBLISHER_KB = 17
"A publisher that has sent its headers: its connection, its session, its stream, and one page of 4 KB for the headers."

CRYPTO_KB = 900
"Code and tables of OpenSSL. An idle server has some 470; the first hash or signature brings 1,000 more."

LIBRARIES = "asyncio, ssl, uvloop, httptools"
SHARES = {"VmRSS": 1.6, "RssFile": 0.75}
"A server without streams, by a process that has loaded these libraries and nothing else: in all, and of files (code, tables)."


def resident_kb(status: str) -> dict[str, int]:
    """Return the resident KB of each kind, by the status of a process."""
    return {kind: int(re.findall(rf"{kind}:\s+(\d+)", status)[0]) for kind in SHARES}


def test_a_server_takes_little_more_than_its_libraries(serve: Callable[..., Server]) -> None:
    code = f"import {LIBRARIES}; print(open('/proc/self/status').read())"
    bare = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    most = {kind: SHARES[kind] * kb for kind, kb in resident_kb(bare).items()}
    status = Path(f"/proc/{serve(vhost_text()).pid}/status")

    def is_small() -> bool:
        return all(kb < most[kind] for kind, kb in resident_kb(status.read_text()).items())

    # The kernel adds up what its cores count from time to time.
    until(is_small, f"a server that takes less than {most}", 10)


@pytest.fixture
def crowd(serve: Callable[..., Server]) -> Iterator[tuple[Server, list[Publisher]]]:
    """A server, and publishers that have sent their headers."""
    server = serve(vhost_text())
    with ExitStack() as stack:
        publishers = [stack.enter_context(Publisher(server.rtmp)) for _ in range(STREAMS)]
        yield server, publishers


def shoot(publishers: list[Publisher], first: int, count: int) -> None:
    """Send whole GOPs, *count* of them from number *first* on, each stream its own after the other."""
    for gop in range(first, first + count):
        for publisher in publishers:
            publisher.tags(
                film(PICTURES, gop=PICTURES, start=2000 * gop, first=PICTURES * gop, size=PICTURE_BYTES)
            )


def grown_kb(server: Server, before: int) -> float:
    """KB that each of the streams has taken since *before*."""
    return (server.resident() - before) / 1024 / STREAMS


def crypto_kb(server: Server) -> int:
    """KB of OpenSSL that the server has loaded."""
    maps = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path(f"/proc/{server.pid}/smaps").read_text(), flags=re.M)
    return sum(int(re.findall(r"Rss:\s+(\d+)", one)[0]) for one in maps if "libcrypto" in one)


def test_a_publisher_that_signs_nothing_needs_no_openssl(serve: Callable[..., Server]) -> None:
    server = serve(vhost_text())
    until(lambda: crypto_kb(server) < CRYPTO_KB, "a server that has forgotten the code of its start", 10)
    with Publisher(server.rtmp) as publisher:
        publisher.publish("camera").tags(headers())
        assert crypto_kb(server) < CRYPTO_KB


def test_a_publisher_takes_little_besides_its_media(serve: Callable[..., Server]) -> None:
    server = serve(vhost_text())
    with ExitStack() as stack:

        def publish(first: int, count: int) -> None:
            for number in range(first, first + count):
                publisher = stack.enter_context(Publisher(server.rtmp))
                publisher.publish(f"camera{number}").tags(headers())

        # Code and tables that the first of them brings are not counted.
        publish(0, 20)
        before = server.resident()
        # The last one takes its name once all others are read.
        publish(20, PUBLISHERS)
        assert (server.resident() - before) / 1024 / PUBLISHERS < PUBLISHER_KB


def test_a_stream_keeps_its_newest_gop_and_little_else(crowd: tuple[Server, list[Publisher]]) -> None:
    server, publishers = crowd
    before = server.resident()
    for number, publisher in enumerate(publishers):
        publisher.publish(f"camera{number}")
        publisher.tags(headers())
    shoot(publishers, 0, 4)
    until(lambda: all(row["frames"] >= 4 * PICTURES for row in server.streams().values()), "media", 20)
    assert grown_kb(server, before) < GOP_KB + STREAM_KB
    with ExitStack() as stack:
        players = [
            stack.enter_context(Player(server.http, f"/live/camera{number}.flv")) for number in range(STREAMS)
        ]
        for player in players:
            # The GOP at once, though nothing is published meanwhile.
            player.frames(PICTURES)
        for gop in range(4, 8):
            shoot(publishers, gop, 1)
            for player in players:
                player.frames(PICTURES)
        assert grown_kb(server, before) < GOP_KB + STREAM_KB + PLAYER_KB
