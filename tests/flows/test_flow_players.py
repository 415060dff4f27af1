"""Many players, slow players, players that come and go; and nobody at all."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip, decode, end, push
from flvread import AUDIO, VIDEO, media
from player import Player, check_start
from publisher import Publisher, film, headers
from server import HOST, MIB, Server, environment, until, vhost_text


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(remux="on_missing 10;"), connections=2000)


@pytest.fixture(scope="module")
def short(serve: Callable[..., Server]) -> Server:
    """A queue of 2 s, no GOP cache."""
    return serve(vhost_text(play="mw_latency 0; gop_cache off; queue_length 2; lag_close 600000;"))


def test_without_gop_cache_the_first_picture_is_a_keyframe_all_the_same(
    short: Server, h264: Clip, tmp_path: Path
) -> None:
    process = push(h264.path, short.publish_url("nogop"), loop=True)
    try:
        with Player(short.http, "/live/nogop.flv") as first:
            first.frames(7)
            with Player(short.http, "/live/nogop.flv") as player:
                player.frames(30)
                check_start(player)
                assert player.flv.flags == 5
                decode(player.save(tmp_path / "nogop.flv"))
    finally:
        end(process)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_stalled_reader_jumps_to_a_keyframe_and_reads_on(short: Server, version: str) -> None:
    # 25 times as fast as time: 2 s of queue are over in 80 ms.
    name = f"stall{version[-1]}"
    with (
        Broadcast(short.rtmp, name, speed=25, size=4000),
        Player(short.http, f"/live/{name}.flv", version=version, buffer=4096) as player,
    ):
        player.frames(5)
        before = short.resident()
        short.wait_late(name, 30_000)
        grown = short.resident() - before
        player.frames(100)
        rows = [row for row in short.clients() if row["type"] == "flv-play"]
        assert rows
        check_start(player)
        pictures = media(player.tags, VIDEO)
        numbers = [int.from_bytes(tag.body[10:14], "big") for tag in pictures]
        jumps = [i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1]
        assert jumps, "the reader was never late"
        for i in jumps:
            assert pictures[i].is_key, "resumed on a picture that is no keyframe"
            at = player.tags.index(pictures[i])
            assert any(tag.kind == VIDEO and tag.is_config for tag in player.tags[at - 4 : at])
        assert grown < 6 * MIB, f"{grown >> 20} MB for one reader that stalls"


def test_a_stalled_reader_of_a_real_stream_decodes(short: Server, h264: Clip, tmp_path: Path) -> None:
    with (
        Broadcast(short.rtmp, "real", speed=40, clip=h264),
        Player(short.http, "/live/real.flv", buffer=2048) as player,
    ):
        player.frames(3)
        for _ in range(3):
            short.wait_late("real", 4000)
            player.frames(60)
        check_start(player)
        decode(player.save(tmp_path / "real.flv"))
    gone = short.log.wait("player .* of /live/real left")
    assert int(gone.split()[-2]) > 0, f"the reader was never late: {gone}"


def test_two_hundred_players_at_once(server: Server) -> None:
    start = server.quiet_fds()
    with Broadcast(server.rtmp, "crowd"):
        players = [Player(server.http, "/live/crowd.flv") for _ in range(200)]
        for player in players:
            player.frames(5)
        assert server.streams()["crowd"]["clients"] == 201
        assert len([row for row in server.clients() if row["url"] == "/live/crowd"]) == 201
        for player in players[::2]:
            player.close()
        until(lambda: server.streams()["crowd"]["clients"] == 101, "half of them gone")
        for player in players[1::2]:
            player.frames(5)
            check_start(player)
        for player in players[1::2]:
            player.close()
        until(lambda: server.streams()["crowd"]["clients"] == 1, "all of them gone")
    until(lambda: server.fds() == start, "descriptors back")


def test_every_player_of_a_merge_window_gets_every_tag(serve: Callable[..., Server]) -> None:
    server = serve(vhost_text(play="mw_latency 100;"))
    with Broadcast(server.rtmp, "merge"):
        players = [Player(server.http, "/live/merge.flv") for _ in range(20)]
        for player in players:
            player.frames(30)
            bodies = [tag.body for tag in media(player.tags, VIDEO)]
            numbers = [int.from_bytes(body[10:14], "big") for body in bodies]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            player.close()


def test_200_publishes_in_a_row_leave_nothing_behind(server: Server) -> None:
    start = server.quiet_fds()
    for i in range(200):
        with Publisher(server.rtmp) as publisher:
            publisher.publish(f"row{i}")
            publisher.tags([*headers(), *film(2)])
            if i % 3:
                publisher.finish()
    until(lambda: server.fds() == start, "descriptors back")
    until(lambda: not server.streams(), "streams gone")
    assert server.ask("clients")["total"] == 0


def hit_and_run(port: int, name: str, how: int) -> None:
    """Join and leave at a moment that depends on *how*."""
    sock = socket.create_connection((HOST, port), 10)
    sock.sendall(f"GET /live/{name}.flv HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    if how % 4 == 0:
        sock.recv(100)
    elif how % 4 == 1:
        sock.recv(1 << 16)
    elif how % 4 == 2:
        # A reset, not a goodbye.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def storm(server: Server, name: str, count: int) -> None:
    """*count* joins and leaves, 8 at a time."""

    def part(which: int) -> None:
        for i in range(which, count, 8):
            hit_and_run(server.http, name, i // 8)

    threads = [threading.Thread(target=part, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_joins_that_end_at_once_disturb_nobody(server: Server) -> None:
    start = server.quiet_fds()
    with Broadcast(server.rtmp, "storm"):
        steady = [Player(server.http, "/live/storm.flv").frames(1) for _ in range(4)]
        storm(server, "storm", 1500)
        for player in steady:
            player.frames(3)
            numbers = [int.from_bytes(tag.body[10:14], "big") for tag in media(player.tags, VIDEO)]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        until(lambda: server.streams()["storm"]["clients"] == 5, "only the steady ones left")
        for player in steady:
            player.close()
    until(lambda: server.fds() == start, "descriptors back")


@pytest.mark.timeout(180)
def test_ten_thousand_joins_and_leaves_leave_nothing_behind(server: Server) -> None:
    with Broadcast(server.rtmp, "leak"), Player(server.http, "/live/leak.flv") as steady:
        steady.frames(1)
        storm(server, "leak", 1000)
        until(lambda: server.streams()["leak"]["clients"] == 2, "warm", 10)
        fds, resident = server.quiet_fds(), server.resident()
        for _ in range(10):
            storm(server, "leak", 1000)
            # A player that reads nothing for half a minute is let go.
            steady.frames(1)
        until(lambda: server.streams()["leak"]["clients"] == 2, "all gone", 10)
        until(lambda: server.fds() == fds, "descriptors back")
        grown = server.resident() - resident
        assert grown < 8 * MIB, f"{grown >> 10} KB grown"
        # It read little for long: what matters is that it reads on.
        steady.frames(30)
        check_start(steady)


HELD = """
import os, socket, time
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.fanout.sender import Sender

def pair():
    with socket.create_server(("127.0.0.1", 0)) as connection_limit:
        theirs = socket.create_connection(connection_limit.getsockname())
        ours, _ = connection_limit.accept()
    ours.setblocking(False)
    return ours, theirs

sender, log, head = Sender(1), MediaLog(), MediaBlock(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
for turn in range(20):
    held, gone = pair()
    first = sender.add(os.dup(held.fileno()), log, framing=0, preamble=head)
    gone.recv(100)
    sender.kick(first)
    while not first.closed:
        time.sleep(0.001)
    sender.reap()
    del first
    socket_of_second, steady = pair()
    second = sender.add(socket_of_second.detach(), log, framing=0, preamble=head)
    steady.recv(100)
    gone.close()
    time.sleep(0.02)
    assert not second.closed, f"turn {turn}: let go for another: {second.reason}"
    steady.close()
    held.close()
    while not second.closed:
        time.sleep(0.001)
    sender.reap()
    del second
sender.stop()
"""


def test_what_happens_to_a_socket_after_its_player_left_reaches_no_other_player() -> None:
    # The event loop's transport holds the socket a moment longer than a player that leaves at once.
    done = subprocess.run(
        [sys.executable, "-P", "-c", HELD], capture_output=True, text=True, timeout=30, env=environment()
    )
    assert done.returncode == 0, done.stderr


# --- nobody ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def idle(serve: Callable[..., Server]) -> Iterator[Server]:
    yield serve(vhost_text(remux="on_missing 60;", publish="grace 60;"))


def is_idle(server: Server) -> bool:
    """Over 2 s it uses less than 1 % of a core: a few timers a second of a publisher, nothing per player, no spinning."""
    before = server.cpu()
    time.sleep(2)
    return server.cpu() - before < 0.02


def test_an_idle_server_uses_no_cpu(idle: Server) -> None:
    idle.quiet_fds()
    assert is_idle(idle)


def test_a_player_that_waits_costs_no_cpu(idle: Server) -> None:
    with Player(idle.http, "/live/absent.flv"):
        idle.quiet_fds()
        assert is_idle(idle)


def test_players_in_the_grace_cost_no_cpu(idle: Server) -> None:
    with Publisher(idle.rtmp) as publisher:
        publisher.publish("pause")
        publisher.tags([*headers(), *film(10)])
        players = [Player(idle.http, "/live/pause.flv").frames(5) for _ in range(20)]
        publisher.finish()
    for player in players:
        player.until(lambda me: me.count(AUDIO) >= 10)
    idle.quiet_fds()
    assert is_idle(idle)
    for player in players:
        player.close()


def test_a_publisher_that_sends_nothing_costs_no_cpu(idle: Server) -> None:
    with Publisher(idle.rtmp) as publisher:
        publisher.publish("quiet")
        idle.quiet_fds()
        assert is_idle(idle)
