"""Publishing by WebSocket: binary messages that carry FLV, on the mounts and on a caster's port."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flvread import flv_file
from player import Player, check_start, numbers
from publisher import Publisher, film, headers
from pushsite import Casters, publisher_row
from server import HOST, Server, until
from tlsfiles import trusting
from wsclient import BINARY, CONTINUATION, PING, TEXT, WebSocket, encode


@pytest.fixture(scope="module")
def server(casters: Casters) -> Server:
    return casters.server


def by_tag(socket: WebSocket, data: bytes) -> None:
    socket.send(BINARY, data)


def by_seven_bytes(socket: WebSocket, data: bytes) -> None:
    socket.raw(b"".join(encode(BINARY, data[at : at + 7]) for at in range(0, len(data), 7)))


def in_fragments(socket: WebSocket, data: bytes) -> None:
    half = len(data) // 2
    socket.send(BINARY, data[:half], fin=False)
    socket.send(PING, b"between")
    socket.send(CONTINUATION, b"", fin=False)
    socket.send(CONTINUATION, data[half:])


@pytest.mark.parametrize("send", [by_tag, by_seven_bytes, in_fragments])
@pytest.mark.parametrize("way", ["mount", "tls", "caster"])
def test_what_a_page_sends_is_played(
    casters: Casters, way: str, send: Callable[[WebSocket, bytes], None]
) -> None:
    server = casters.server
    name = f"{way}-{send.__name__}"
    port = {"mount": server.http, "tls": casters.secure.https, "caster": casters.caster}[way]
    query = "" if way == "caster" else "?token=a&publish"
    with (
        WebSocket(
            port, f"/live/{name}.flv{query}", tls=trusting() if way == "tls" else None, flv=False
        ) as socket,
        Player(server.http, f"/live/{name}.flv") as player,
    ):
        assert socket.head().status == 101
        for tags in ([*headers(), *film(20)], list(film(20, start=800, first=20))):
            send(socket, flv_file(tags) if tags[0].time == 0 else flv_file(tags)[13:])
            player.frames(20)
        row = publisher_row(server, name)
        assert (row["type"], row["ip"]) == ("flv-publish", HOST)
        assert row["tcUrl"] == f"{'wss' if way == 'tls' else 'ws'}://{HOST}/live"
        assert socket.close().code == 1000
        player.rest()
        check_start(player)
        assert player.clean and numbers(player) == list(range(40))
        assert socket.pongs == ([b"between"] * 2 if send is in_fragments else [])
    server.log.wait(rf"publisher \w+ of /live/{name} left: stopped")


def test_frames_right_behind_the_handshake_are_taken(server: Server) -> None:
    first = encode(BINARY, flv_file([*headers(), *film(20)]))
    with (
        WebSocket(server.http, "/live/behind.flv?publish", behind=first, flv=False) as socket,
        Player(server.http, "/live/behind.flv") as player,
    ):
        player.frames(20)
        assert socket.close().code == 1000


def test_without_the_word_a_websocket_on_a_mount_plays(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("played")
        publisher.tags([*headers(), *film(5)])
        with WebSocket(server.http, "/live/played.flv?start=gop") as socket:
            socket.frames(5)


@pytest.mark.parametrize(
    ("frame", "code", "why"),
    [
        (encode(TEXT, b"hello"), 1003, "a text message"),
        (encode(BINARY, b"GIF89a" + bytes(30)), 1007, "no FLV header"),
        (encode(BINARY, flv_file([*headers(), *film(3)]) + bytes(20)), 1007, "tag of type 0"),
        (encode(BINARY, b"x", masked=False), 1002, ""),
        (encode(3, b"x"), 1002, ""),
        (encode(BINARY, b"x", rsv=4), 1002, ""),
        (encode(CONTINUATION, b"x"), 1002, ""),
    ],
    ids=["text", "no flv", "media before", "unmasked", "opcode", "reserved", "continuation"],
)
def test_a_frame_that_cannot_be_taken_closes_with_one_reason(
    server: Server, frame: bytes, code: int, why: str
) -> None:
    mark = len(server.log.lines)
    with WebSocket(server.http, "/live/odd.flv?publish", flv=False) as socket:
        socket.head()
        socket.raw(frame)
        assert socket.rest().code == code and why in socket.reason
    server.log.wait("/live/odd left: protocol error", mark)
    assert len(server.log.find(r"websocket \S+ closed|publish of /live/odd refused", mark)) == 1
    until(lambda: "odd" not in server.streams(), "the end of the stream")


def test_a_close_before_the_header_and_a_lost_connection(server: Server) -> None:
    with WebSocket(server.http, "/live/early.flv?publish", flv=False) as socket:
        assert socket.head().close().code == 1007
        assert "FLV header" in socket.reason
    with WebSocket(server.http, "/live/lost.flv?publish", flv=False) as socket:
        socket.head()
        socket.send(BINARY, flv_file([*headers(), *film(3)]))
        until(lambda: "lost" in server.streams(), "the publish")
    server.log.wait("/live/lost left: peer closed")


def test_who_may_not_publish_is_told_by_a_close_code(server: Server) -> None:
    with WebSocket(server.http, "/live/x.flv?publish", more={"Host": "guarded"}, flv=False) as socket:
        assert socket.rest().code == 3003
    with Publisher(server.rtmp) as publisher:
        publisher.publish("busy")
        with WebSocket(server.http, "/live/busy.flv?publish", flv=False) as socket:
            assert socket.rest().code == 4409
    with WebSocket(server.http, "/live/x.ts?publish", flv=False) as socket:
        assert socket.head().status == 404
    with WebSocket(
        server.http, "/live/x.flv?publish", more={"Sec-WebSocket-Version": "8"}, flv=False
    ) as socket:
        assert socket.head().status == 426


def test_silence_and_the_api_end_a_publish(server: Server) -> None:
    with WebSocket(server.http, "/live/mute.flv?publish", more={"Host": "strict"}, flv=False) as socket:
        assert socket.rest().code == 1008 and socket.reason == "silent"
    with WebSocket(server.http, "/live/kicked.flv?publish", flv=False) as socket:
        socket.head()
        socket.send(BINARY, flv_file([*headers(), *film(3)]))
        until(lambda: "kicked" in server.streams(), "the publish")
        server.ask(f"clients/{publisher_row(server, 'kicked')['id']}", "DELETE")
        assert socket.rest().code == 1008 and "API" in socket.reason


def test_pings_that_nobody_hears_answers_to_end_the_publish(server: Server) -> None:
    with WebSocket(server.http, "/live/pings.flv?publish", buffer=4096, flv=False) as socket:
        socket.head()
        socket.send(BINARY, flv_file([*headers(), *film(3)]))
        pings = encode(PING, bytes(125)) * 1000
        with pytest.raises(ConnectionError):
            while True:
                socket.raw(pings)
    server.log.wait("/live/pings left: unread answers")


def test_many_script_tags_wait_for_turns_and_keep_their_order(server: Server) -> None:
    script = headers()[0]
    tags = [*headers()]
    for picture in film(50, gop=50):
        tags += [picture, *([script._replace(time=picture.time)] * 5)]
    with (
        WebSocket(server.http, "/live/scripts.flv?publish", flv=False) as socket,
        Player(server.http, "/live/scripts.flv") as player,
    ):
        socket.head()
        socket.send(BINARY, flv_file(tags))
        player.frames(50)
        assert socket.close().code == 1000
        player.rest()
        assert numbers(player) == list(range(50))
