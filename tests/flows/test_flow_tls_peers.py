"""TLS peers that do not do their part: half-open handshakes, junk, readers that stop reading."""

from __future__ import annotations

import select
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip, ffmpeg
from flvread import VIDEO, media
from player import Player, Recorder, check_complete, check_start, numbers
from server import HOST, MIB, Server, until, vhost_text
from tlsfiles import Pair, RecordSpy, SecureServer, serve_tls, trusting
from wsclient import WebSocket

MOUNTS = "mount [vhost]/[app]/[stream].ts;"


@pytest.fixture(scope="module")
def secure(serve: Callable[..., object], pair: Pair) -> SecureServer:
    """Each frame at once, a queue of 2 s, FLV and TS."""
    return serve_tls(
        serve, vhost_text(play="mw_latency 0; queue_length 2; lag_close 600000;", remux=MOUNTS), pair
    )  # type: ignore[arg-type]


# --- those that do not speak TLS, or do not go on ---------------------------------------------------------


def client_hello() -> bytes:
    out = ssl.MemoryBIO()
    tls = trusting().wrap_bio(ssl.MemoryBIO(), out, server_hostname=HOST)
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def ends(sock: socket.socket) -> bool:
    """The server ends the connection, whatever it says before."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def test_half_open_handshakes_disturb_nobody_and_leave_nothing(secure: SecureServer, pair: Pair) -> None:
    server = secure.server
    start = secure.quiet_fds()
    hello = client_hello()
    silent = {
        "nothing": b"",
        "half a hello": hello[: len(hello) // 2],
        "a record without its end": b"\x16\3\1\x40\0",
    }
    wrong = {
        "junk": b"\xff" * 300,
        "plain HTTP": b"GET /live/open.flv HTTP/1.1\r\nHost: x\r\n\r\n",
        "RTMP": b"\3" + bytes(1536),
    }
    with (
        ExitStack() as stack,
        Broadcast(server.rtmp, "open"),
        Player(server.http, "/live/open.flv") as plain,
        Player(secure.https, "/live/open.flv", tls=trusting(pair)) as tls,
        WebSocket(secure.https, "/live/open.flv", tls=trusting(pair)) as wss,
    ):
        steady = (plain, tls, wss)
        for player in steady:
            player.frames(1)
        before = server.fds()

        def connect(port: int, said: bytes) -> socket.socket:
            sock = stack.enter_context(socket.create_connection((HOST, port), 15))
            sock.sendall(said)
            return sock

        began = time.monotonic()
        held = [
            connect(port, silent[how])
            for _ in range(20)
            for how in silent
            for port in (secure.https, secure.rtmps)
        ]
        for how, said in wrong.items():
            for port in (secure.https, secure.rtmps):
                assert ends(connect(port, said)), f"{how} is still connected"
        assert time.monotonic() - began < 9, "ended by the clock, not by what they said"
        for _ in range(20):
            sock = connect(server.http, hello)
            answer = sock.recv(1000)
            assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert server.fds() >= before + len(held)
        for player in steady:
            player.frames(25)
        # Two thirds go by themselves, of which half do not say so; the server lets the others go.
        for i, sock in enumerate(held):
            if i % 3 == 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if i % 3 != 2:
                sock.close()
        until(lambda: server.fds() <= before + len(held) // 3, "those that left are forgotten")
        for sock in held[2::3]:
            assert ends(sock), "a handshake may take for ever"
        assert time.monotonic() - began < 16
        until(lambda: server.fds() <= before, "no descriptor of theirs is left")
        for player in steady:
            player.frames(5)
            check_complete(player)
    until(lambda: server.fds() == start, "descriptors back", 8)
    assert not server.log.find("Traceback|Fatal|never retrieved")


def test_a_tls_client_that_stops_in_the_middle_of_its_request_is_disconnected(
    secure: SecureServer, pair: Pair
) -> None:
    start = secure.quiet_fds()
    for how in range(3):
        with RecordSpy(secure.https, trusting(pair)) as spy:
            spy.send(b"GET /live/nobody.flv HTTP/1.1\r\nHo" if how else b"")
            if how == 2:
                # Half a record, then the end.
                spy.sock.sendall(b"\x17\3\3\0\x40abc")
    until(lambda: secure.server.fds() == start, "descriptors back")


# --- slow readers --------------------------------------------------------------------------------------------


def test_tls_readers_that_stop_reading_cost_bounded_memory_and_hold_nobody_up(
    secure: SecureServer, pair: Pair
) -> None:
    # 4 times as fast as time, 2 MB a second: two seconds of queue are over in 500 ms.
    server = secure.server
    with ExitStack() as stack:
        stack.enter_context(Broadcast(server.rtmp, "wide", speed=4, size=20_000))
        steady = Recorder(Player(secure.https, "/live/wide.flv", tls=trusting(pair)))
        slow: list[Player | WebSocket] = [
            Player(secure.https, "/live/wide.flv", tls=trusting(pair), buffer=4096) for _ in range(4)
        ]
        slow += [WebSocket(secure.https, "/live/wide.flv", tls=trusting(pair), buffer=4096) for _ in range(4)]
        for player in slow:
            player.frames(3)
        before, had = server.resident(), steady.player.count()
        server.wait_late("wide", 8000, len(slow))
        grown, got = server.resident() - before, numbers(steady.player)[had:]
        assert len(got) > 125, "the one that reads was held up"
        assert got == list(range(got[0], got[0] + len(got))), "the one that reads missed a picture"
        # Without a bound it would be 8 times 5 MB.
        assert grown < 8 * MIB, f"{grown >> 20} MiB for readers that read nothing"
        for player in slow:
            player.frames(30)
            check_start(player)
            pictures = media(player.tags, VIDEO)
            seen = numbers(player)
            jumps = [i for i in range(1, len(seen)) if seen[i] != seen[i - 1] + 1]
            assert jumps, "the reader was never late"
            for i in jumps:
                assert pictures[i].is_key, "resumed on a picture that is no keyframe"
        for player in slow:
            player.sock.close()
        row = next(row for row in server.clients() if row["type"] == "flv-play")
        server.ask(f"clients/{row['id']}", "DELETE")
        steady.done()


def hashes(path: Path) -> list[str]:
    """What each decoded picture looks like; ffmpeg must not complain."""
    words = [ffmpeg(), "-v", "error", "-xerror", "-copyts", "-i", str(path), "-map", "0:v", "-fps_mode"]
    words += ["passthrough", "-enc_time_base", "demux", "-f", "framemd5", "-"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return [line.split()[-1] for line in done.stdout.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("protocol", ["https.flv", "wss.flv", "https.ts"])
def test_a_slow_tls_reader_of_a_real_stream_decodes(
    secure: SecureServer, pair: Pair, h264: Clip, tmp_path: Path, protocol: str
) -> None:
    scheme, _, ending = protocol.partition(".")
    name = f"slow{scheme}{ending}"
    target = f"/live/{name}.{ending}"
    kind = Player if scheme == "https" else WebSocket
    with (
        Broadcast(secure.server.rtmp, name, speed=40, clip=h264),
        kind(secure.https, target, tls=trusting(pair), buffer=2048, flv=ending == "flv") as player,
    ):
        for _ in range(3):
            had = len(player.body)
            player.until(lambda me, had=had: len(me.body) > had + 60_000)  # type: ignore[misc]
            secure.server.wait_late(name, 4000)
        had = len(player.body)
        player.until(lambda me: len(me.body) > had + 600_000)
        body = bytes(player.body)
    gone = secure.server.log.wait(f"player .* of /live/{name} left")
    assert int(gone.split()[-2]) > 0, f"the reader was never late: {gone}"
    out = tmp_path / f"slow.{ending}"
    if ending == "ts":
        packets = [body[at : at + 188] for at in range(0, len(body) // 188 * 188, 188)]
        assert {packet[0] for packet in packets} == {0x47}
        # What lies before a table is whole.
        last = max(i for i, packet in enumerate(packets) if packet[1] & 31 == packet[2] == 0)
        body = b"".join(packets[:last])
    else:
        check_start(player)
        body = body[: 13 + sum(15 + len(tag.body) for tag in player.tags)]
    out.write_bytes(body)
    shown = hashes(out)
    # The last group is cut where the player left.
    assert len(shown) > 60 and set(shown[:-20]) <= set(hashes(h264.path)), "a picture is not as it was sent"


def test_handshakes_count_as_connections_and_are_bounded_like_all_connections(
    serve: Callable[..., Server], pair: Pair
) -> None:
    few = serve_tls(partial(serve, connections=20), vhost_text(), pair)
    start = few.quiet_fds()
    silent = [socket.create_connection((HOST, few.https), 10) for _ in range(40)]
    few.server.log.wait("HTTPS 127.0.0.1 refused: max_connections 20 is reached")
    until(lambda: few.server.fds() == start + 20, "twenty at the handshake", 10)
    # Who was refused is told at once; those with a seat may still speak.
    until(lambda: len(select.select(silent, [], [], 0)[0]) == 20, "twenty refused", 5)
    assert all(sock.recv(1) == b"" for sock in select.select(silent, [], [], 0)[0])
    for sock in silent:
        sock.close()
    until(lambda: few.server.fds() == start, "seats back", 10)
    with Player(few.https, "/nothing", tls=trusting(pair)) as player:
        assert player.head().status == 404
