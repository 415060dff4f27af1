"""WebSocket players: the handshake, frames by the rules both ways, and how each end is told."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import decode
from flvread import VIDEO, media
from player import Player, check_start
from publisher import Publisher, film, headers
from server import HOST, MIB, Server, until, vhost_text
from wsclient import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, WebSocket, encode, farewell
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Request

MOUNTS = "mount [vhost]/[app]/[stream].ts; on_missing 3;"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(remux=MOUNTS))


@pytest.fixture(scope="module")
def live(server: Server) -> Iterator[str]:
    """A stream that goes on for the whole module; its path."""
    with Broadcast(server.rtmp, "cam"):
        until(lambda: "cam" in server.streams(), "publish")
        yield "/live/cam.flv"


def numbers(player: WebSocket | Player) -> list[int]:
    """Which pictures came."""
    return [int.from_bytes(tag.body[10:14], "big") for tag in media(player.tags, VIDEO)]


# --- the handshake ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"Sec-WebSocket-Key": None},
        {"Sec-WebSocket-Key": "dGhlIHNhbXBsZQ=="},
        {"Sec-WebSocket-Key": "no base64 at all!"},
        {"Sec-WebSocket-Version": None},
        {"Sec-WebSocket-Version": "8"},
        {"Connection": None},
        {"Connection": "keep-alive"},
        {"Sec-WebSocket-Protocol": "flv\u00e9"},
    ],
    ids=[
        "no_key",
        "short_key",
        "odd_key",
        "no_version",
        "version_8",
        "no_connection",
        "keep_alive",
        "not_ascii",
    ],
)
def test_a_wrong_handshake_is_told_the_right_version_and_may_try_again(
    server: Server, live: str, more: dict[str, str | None]
) -> None:
    with WebSocket(server.http, live, more=more) as player:
        assert "not a WebSocket handshake" in player.text()
        assert player.status == (426 if "Sec-WebSocket-Version" in more else 400)
        if player.status == 426:
            assert player.headers["sec-websocket-version"] == "13"
            assert player.headers["upgrade"] == "websocket"
        again = WebSocket(server.http, live)
        player.raw(f"GET {live} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert player.sock.recv(100).startswith(b"HTTP/1.1 200")
        again.sock.close()


@pytest.mark.parametrize(
    "more",
    [
        {"Host": "a..b" + "x" * 80},
        {"Sec-WebSocket-Protocol": " "},
        {"X-Filler": "y" * 12_000},
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Upgrade": "WebSocket", "Connection": "upgrade"},
    ],
    ids=["odd_host", "no_protocol", "long", "extension", "spelling"],
)
def test_what_does_not_concern_the_handshake_does_not_spoil_it(
    server: Server, live: str, more: dict[str, str | None]
) -> None:
    with WebSocket(server.http, live, more=more) as player:
        player.frames(2)
        check_start(player)


@pytest.mark.parametrize(("method", "version"), [("POST", "1.1"), ("GET", "1.0")])
def test_only_get_of_http_1_1_begins_one(server: Server, live: str, method: str, version: str) -> None:
    fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    fields += ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",)
    with Player(server.http, live, method=method, version=version, headers=fields) as player:
        assert "GET and HTTP/1.1" in player.text()
        assert player.status == 400


@pytest.mark.parametrize(("asked", "chosen"), [("flv", "flv"), ("b, flv", "b"), (",x", "x")])
def test_the_first_subprotocol_is_chosen(server: Server, live: str, asked: str, chosen: str) -> None:
    with WebSocket(server.http, live, more={"Sec-WebSocket-Protocol": asked}) as player:
        assert player.head().headers["sec-websocket-protocol"] == chosen
        player.frames(1)


def test_an_absent_stream_is_404_and_the_connection_goes_on(server: Server, live: str) -> None:
    with WebSocket(server.http, "/live/nobody.flv") as player:
        assert "no stream /live/nobody is live" in player.text()
        assert player.status == 404
        player.raw(f"GET {live} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert player.sock.recv(100).startswith(b"HTTP/1.1 200")


def test_who_waits_is_let_in_when_the_stream_begins(server: Server) -> None:
    with WebSocket(server.http, "/live/later.flv") as player, Publisher(server.rtmp) as publisher:
        publisher.publish("later")
        publisher.tags([*headers(), *film(20, gop=20)])
        player.frames(20)
        check_start(player)


def test_frames_right_behind_the_request_are_heard(server: Server, live: str) -> None:
    behind = encode(PING, b"early") + encode(PING, b"bird")[:3]
    with WebSocket(server.http, live, behind=behind) as player:
        player.until(lambda me: me.pongs == [b"early"])
        player.frames(1)


def test_wsproto_as_the_client_agrees(server: Server, live: str) -> None:
    ws = WSConnection(ConnectionType.CLIENT)
    body = bytearray()
    with socket.create_connection((HOST, server.http), 10) as sock:
        sock.sendall(ws.send(Request(host=HOST, target=live, subprotocols=["flv"])))
        asked = False
        while True:
            ws.receive_data(sock.recv(65536) or None)
            for event in ws.events():
                if isinstance(event, AcceptConnection):
                    assert event.subprotocol == "flv"
                elif isinstance(event, BytesMessage):
                    body += event.data
                elif isinstance(event, CloseConnection):
                    assert event.code == 1000
                    assert body.startswith(b"FLV\1")
                    return
            if len(body) > 20_000 and not asked:
                asked = True
                sock.sendall(ws.send(CloseConnection(code=1000)))


# --- messages -----------------------------------------------------------------------------------------


def test_messages_are_whole_tags_many_at_a_time_where_there_are_many(server: Server, h264_live: str) -> None:
    with WebSocket(server.http, h264_live) as player:
        player.frames(30)
        at = 13
        assert player.messages[0][:13] == b"FLV\1\5\0\0\0\x09\0\0\0\0"
        for message in player.messages:
            while at < len(message):
                at += 15 + int.from_bytes(message[at + 1 : at + 4], "big")
            assert at == len(message), "a tag is cut in two"
            at = 0
        assert max(message.count(b"\0\0\0") for message in player.messages) > 2


@pytest.fixture
def h264_live(server: Server, h264: object) -> Iterator[str]:
    """Real pictures."""
    with Broadcast(server.rtmp, "real", clip=h264):  # type: ignore[arg-type]
        yield "/live/real.flv"


def test_a_window_merges_tags_into_few_messages(serve: Callable[..., Server]) -> None:
    server = serve(vhost_text(play="mw_latency 200;"))
    with Broadcast(server.rtmp, "merge"), WebSocket(server.http, "/live/merge.flv") as player:
        player.frames(30)
        before, tags = len(player.messages), len(player.tags)
        player.frames(40)
        fresh = len(player.messages) - before
        assert (len(player.tags) - tags) / fresh > 6, "ten tags come in 200 ms"


def test_a_slow_reader_goes_on_at_a_keyframe_with_its_messages_whole(
    serve: Callable[..., Server], h264: object, tmp_path: Path
) -> None:
    server = serve(vhost_text(play="mw_latency 0; gop_cache on; queue_length 2; lag_close 600000;"))
    with (
        Broadcast(server.rtmp, "slow", speed=30, clip=h264),  # type: ignore[arg-type]
        WebSocket(server.http, "/live/slow.flv", buffer=4096) as player,
        Player(server.http, "/live/slow.flv") as steady,
    ):
        player.frames(5)
        before = server.resident()
        for _ in range(3):
            server.wait_late("slow", 4000)
            player.send(PING, b"still here")
            player.frames(40)
        player.until(lambda me: me.pongs == [b"still here"] * 3)
        assert server.resident() - before < 6 * MIB
        steady.frames(10)
        check_start(steady)
        check_start(player)
        path = tmp_path / "slow.flv"
        whole = sum(15 + len(tag.body) for tag in player.tags) + 13
        path.write_bytes(player.body[:whole])
        player.close()
    gone = server.log.wait("player .* of /live/slow left: peer closed.* [1-9][0-9]* jumps")
    assert int(gone.split()[-2]) > 0
    decode(path)


# --- control frames -----------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"x", b"y" * 125])
def test_a_ping_is_answered_with_what_it_holds(server: Server, live: str, payload: bytes) -> None:
    with WebSocket(server.http, live) as player:
        player.frames(1)
        player.send(PING, payload)
        player.until(lambda me: me.pongs == [payload])
        player.frames(2)


def test_pings_do_not_cost_a_picture(server: Server, live: str) -> None:
    with WebSocket(server.http, live) as player:
        player.frames(2)
        for i in range(60):
            player.send(PING, bytes([i]))
            player.step()
        player.until(lambda me: len(me.pongs) == 60).frames(5)
        assert player.pongs == [bytes([i]) for i in range(60)]
        seen = numbers(player)
        assert seen == list(range(seen[0], seen[0] + len(seen)))


# --- closing --------------------------------------------------------------------------------------------


def test_the_end_of_a_stream_is_1000(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("short")
        publisher.tags([*headers(), *film(5)])
        players = [WebSocket(server.http, f"/live/short.{kind}", flv=kind == "flv") for kind in ("flv", "ts")]
        players[0].frames(5)
        players[1].until(lambda me: len(me.body) > 1000)
        publisher.finish()
    for player in players:
        player.rest()
        assert (player.code, player.reason) == (1000, "stream ended")
    assert players[0].flv.whole
    assert len(players[1].body) % 188 == 0


def test_an_operator_that_kicks_is_1008(server: Server, live: str) -> None:
    with WebSocket(server.http, live) as player, WebSocket(server.http, live) as other:
        for each in (player, other):
            each.frames(1)
        mine = player.sock.getsockname()
        assert mine
        rows = [row for row in server.clients() if row["type"] == "flv-play"]
        server.ask(f"clients/{rows[-2]['id']}", "DELETE")
        # What it still says crosses our close on the way, and harms nothing.
        player.send(PING, b"late")
        player.rest()
        assert (player.code, player.reason) == (1008, "disconnected by the API")
        assert player.flv.whole
        other.frames(5)
        server.log.wait("left: disconnected by the API")
        until(lambda: rows[-2]["id"] not in {row["id"] for row in server.clients()}, "it is off the list")


def test_a_server_that_stops_is_1001(tmp_path: Path) -> None:
    with (
        Server(tmp_path, vhost_text()) as server,
        Broadcast(server.rtmp, "last"),
        WebSocket(server.http, "/live/last.flv") as player,
        Player(server.http, "/live/last.flv") as plain,
    ):
        player.frames(3)
        plain.frames(3)
        server.process.send_signal(signal.SIGTERM)
        player.rest()
        assert (player.code, player.reason) == (1001, "server stops")
        assert player.flv.whole
        assert plain.rest().clean
        assert server.process.wait(10) == 0


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_close_of_the_client_is_answered_with_its_code(server: Server, live: str, code: int) -> None:
    with WebSocket(server.http, live) as player:
        player.frames(1)
        player.close(code, "bye")
        assert player.code == code
        assert player.flv.whole
        server.log.wait("left: peer closed")


def test_a_close_without_a_code_is_answered(server: Server, live: str) -> None:
    with WebSocket(server.http, live) as player:
        player.frames(1)
        player.send(CLOSE)
        player.rest()
        assert player.code == 1005


BAD = {
    "unmasked": (encode(BINARY, b"hello", masked=False), 1002),
    "reserved_bits": (encode(BINARY, b"", rsv=4), 1002),
    "opcode_3": (encode(3), 1002),
    "opcode_11": (encode(11), 1002),
    "fragmented_ping": (encode(PING, b"", fin=False), 1002),
    "long_ping": (encode(PING, b"x" * 126), 1002),
    "continuation_of_nothing": (encode(CONTINUATION, b"x"), 1002),
    "text_within_a_message": (encode(BINARY, b"x", fin=False) + encode(TEXT, b"y"), 1002),
    "long_form_of_a_short_length": (b"\x82\xfe\0\1\0\0\0\0x", 1002),
    "length_over_2_63": (b"\x82\xff" + b"\xff" * 8 + bytes(4), 1002),
    "close_code_1005": (encode(CLOSE, farewell(1005)), 1002),
    "close_of_one_byte": (encode(CLOSE, b"x"), 1002),
    "text_that_is_no_utf8": (encode(TEXT, b"\xff\xfe"), 1007),
    "more_than_a_player_has_to_say": (encode(BINARY, bytes(100_000)), 1009),
    "very_many_small_frames": (encode(PONG) * 20_000, 1009),
}


@pytest.mark.parametrize("name", BAD)
def test_frames_against_the_rules_end_it_with_their_code(server: Server, live: str, name: str) -> None:
    data, code = BAD[name]
    with WebSocket(server.http, live) as player:
        player.frames(1)
        player.raw(data)
        # And what comes behind them is not read any more.
        player.raw(encode(PING, b"late") + b"\xff\xff\xff")
        player.rest()
        assert player.code == code, player.reason
        assert player.flv.whole


@pytest.mark.parametrize(
    "data",
    [
        encode(TEXT, b'{"play": true}'),
        encode(BINARY, b"one", fin=False) + encode(PING, b"amid") + encode(CONTINUATION, b"two"),
        encode(TEXT, "\u00e9".encode()[:1], fin=False) + encode(CONTINUATION, "\u00e9".encode()[1:]),
        encode(BINARY, bytes(10_000)),
        encode(PONG, b"nobody asked"),
    ],
    ids=["text", "fragments_around_a_ping", "half_a_letter", "binary", "pong"],
)
def test_messages_by_the_rules_are_no_harm(server: Server, live: str, data: bytes) -> None:
    with WebSocket(server.http, live) as player:
        player.frames(1)
        for byte in data[:300]:
            player.raw(bytes([byte]))
        player.raw(data[300:])
        player.send(PING, b"and on")
        player.until(lambda me: b"and on" in me.pongs).frames(3)


def test_a_client_that_asks_and_does_not_read_is_cut_off_and_holds_nobody_up(
    server: Server, live: str
) -> None:
    with Player(server.http, live) as steady:
        steady.frames(1)
        start = server.resident()
        rude = WebSocket(server.http, live, buffer=4096)
        rude.sock.settimeout(3)
        began = time.monotonic()
        try:
            while time.monotonic() - began < 10:
                rude.raw(encode(PING, b"?" * 20) * 100)
        except (ConnectionError, TimeoutError):
            pass
        assert server.resident() - start < 8 * MIB
        came, had = time.monotonic(), steady.count()
        steady.frames(10)
        assert time.monotonic() - came < 2 or steady.count() - had > 40
        rude.sock.close()


def test_who_is_told_goodbye_and_says_nothing_is_cut_off(server: Server) -> None:
    start = server.quiet_fds()
    with Broadcast(server.rtmp, "mute"):
        player = WebSocket(server.http, "/live/mute.flv", polite=False)
        player.frames(1)
    player.until(lambda me: bool(me.code))
    until(lambda: server.fds() == start + 1, "only its own connection is left")
    began = time.monotonic()
    player.rest()
    assert player.ended and time.monotonic() - began < 4
    player.sock.close()
    until(lambda: server.fds() == start, "descriptors back")


def test_close_and_junk_while_the_socket_is_full_leave_nothing(server: Server) -> None:
    start = server.quiet_fds()
    with Broadcast(server.rtmp, "jam", speed=40, size=20_000):
        players = [WebSocket(server.http, "/live/jam.flv", buffer=2048) for _ in range(3)]
        for player in players:
            player.head()
        server.wait_late("jam", 1000, len(players))
        for i, player in enumerate(players):
            player.send(CLOSE, farewell(1000))
            for _ in range(3):
                player.raw(b"\xff" * (10 + i))
                time.sleep(0.05)
        until(lambda: not [row for row in server.clients() if row["type"] == "flv-play"][1:], "they left", 8)
        for player in players:
            player.sock.close()
    until(lambda: server.fds() == start, "descriptors back", 8)
