"""The body of a publish by HTTP: asked for, refused, whole, cut, stalled, faster than it is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flvread import AUDIO, flv_file, media
from httppush import FLV_HEADER, HttpPush
from player import Player, Recorder, check_complete, numbers
from publisher import Publisher, Refused, film, headers
from pushsite import publisher_row, serve_pushes
from server import MIB, Server, stop, until
from tlsfiles import Pair, SecureServer, trusting


@pytest.fixture(scope="module")
def secure(serve: Callable[..., Server], pair: Pair) -> SecureServer:
    return serve_pushes(serve, pair)


@pytest.fixture(scope="module")
def server(secure: SecureServer) -> Server:
    return secure.server


@pytest.fixture
def bystander(server: Server) -> Iterator[Player]:
    """A player of a stream that another client pushes meanwhile; it must miss nothing."""
    with HttpPush(server.http, "/live/bystander.flv") as other:
        other.begin([*headers(), *film(10)])
        with Player(server.http, "/live/bystander.flv") as player:
            player.frames(10)
            yield player
            other.tags(film(10, start=400, first=10))
            player.frames(10)
            check_complete(player)
        assert other.finish().status == 200
    until(lambda: "bystander" not in server.streams(), "end of the stream")


# --- beginning -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("length", [None, 13 + 200_000], ids=["chunked", "sized"])
def test_the_body_is_asked_for_once_the_publish_is_admitted(
    secure: SecureServer, scheme: str, length: int | None
) -> None:
    tls, port = (trusting(), secure.https) if scheme == "https" else (None, secure.server.http)
    with HttpPush(port, "/live/expected.flv", expect=True, tls=tls, length=length) as pusher:
        assert pusher.answer().status == 100
        assert publisher_row(secure.server, "expected")["type"] == "flv-publish"
        pusher.begin([*headers(), *film(5)])
        with Player(secure.server.http, "/live/expected.flv") as player:
            player.frames(5)
    until(lambda: "expected" not in secure.server.streams(), "end of the stream")


@pytest.mark.parametrize(
    ("target", "status", "said"),
    [
        ("/live/busy.flv", 409, "has a publisher already"),
        ("/live/x.flv?vhost=guarded", 403, "'deny publish all' matches 127.0.0.1"),
        ("/live/x.flv?vhost=closed", 404, ""),
        ("/live/x.ts", 405, ""),
        ("/elsewhere", 404, ""),
    ],
)
@pytest.mark.parametrize("expect", [True, False], ids=["expects", "sends on"])
def test_a_refused_publisher_is_told_why_and_asked_for_nothing(
    server: Server, target: str, status: int, said: str, expect: bool
) -> None:
    with Publisher(server.rtmp) as busy:
        busy.publish("busy")
        with HttpPush(server.http, target, expect=expect) as pusher:
            if not expect:
                pusher.begin([*headers(), *film(20)])
            answer = pusher.answer()
            assert answer.status == status and said in answer.text
            if status == 405:
                assert "GET" in answer.headers["allow"] and "POST" not in answer.headers["allow"]
            # A publisher that sends on for ever is not listened to for ever.
            until(lambda: is_cut_off(pusher), "the end of the connection", 10)
        busy.tags([*headers(), *film(3)])
        with Player(server.http, "/live/busy.flv") as player:
            player.frames(3)


def is_cut_off(pusher: HttpPush) -> bool:
    try:
        pusher.data(bytes(10_000))
    except ConnectionError:
        return True
    return False


def test_a_name_that_is_pushed_is_taken_for_rtmp_and_http(server: Server) -> None:
    with HttpPush(server.http, "/live/one.flv") as pusher:
        pusher.begin(headers())
        until(lambda: "one" in server.streams(), "publish")
        with Publisher(server.rtmp) as other, pytest.raises(Refused, match=r"NetStream.Publish.BadName"):
            other.publish("one")
        with HttpPush(server.http, "/live/one.flv", method="PUT") as other:
            answer = other.answer()
            assert answer.status == 409 and publisher_row(server, "one")["id"] in answer.text
        pusher.tags(film(5))
        with Player(server.http, "/live/one.flv") as player:
            player.frames(5)
        assert pusher.finish().status == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"GIF89a" + bytes(100), "no FLV header"),
        (b"FLV\2" + FLV_HEADER[4:], "no FLV header"),
        (b"FLV\1\5\xff\xff\xff\xff" + bytes(4), "FLV header of 4294967295 bytes"),
        (FLV_HEADER + b"\x15" + bytes(20), "tag of type 21"),
        (FLV_HEADER + b"\x29" + bytes(20), "encrypted tag"),
        (FLV_HEADER + b"\x09\xff\xff\xff" + bytes(20), "tag of 16777215 bytes"),
        (flv_file([*headers(), *film(3)]) + b"GET / HTTP/1.1\r\n", "tag of type"),
    ],
    ids=["a picture", "version", "offset", "type", "encrypted", "size", "media before"],
)
def test_a_body_that_is_no_flv_is_refused_with_the_reason_and_harms_nobody(
    server: Server, bystander: Player, body: bytes, said: str
) -> None:
    mark = len(server.log.lines)
    with HttpPush(server.http, "/live/garbage.flv") as pusher:
        answer = pusher.data(body).answer()
        assert answer.status == 400 and said in answer.text
        assert pusher.closed()
    server.log.wait("/live/garbage left", mark)
    assert len(server.log.find(rf"publish of /live/garbage refused: .*{said}", mark)) == 1
    assert len(server.log.find(r"/live/garbage left: protocol error", mark)) == 1
    until(lambda: "garbage" not in server.streams(), "end of the stream")


@pytest.mark.parametrize(
    ("version", "length"), [("1.1", 0), ("1.0", None)], ids=["length 0", "HTTP/1.0 without a length"]
)
def test_a_body_without_an_flv_header_is_refused(server: Server, version: str, length: int | None) -> None:
    with HttpPush(server.http, "/live/empty.flv", version=version, length=length) as pusher:
        answer = pusher.answer()
        assert answer.status == 400 and "FLV header" in answer.text


# --- end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_the_end_of_the_body_is_the_end_of_the_stream(server: Server, version: str) -> None:
    body = flv_file([*headers(), *film(10)])
    length = len(body) if version == "1.0" else None
    with (
        HttpPush(server.http, "/live/whole.flv", version=version, length=length) as pusher,
        Player(server.http, "/live/whole.flv") as player,
    ):
        pusher.data(body[:-100])
        player.frames(9)
        answer = pusher.data(body[-100:]).finish()
        assert (answer.status, answer.text) == (200, "published")
        assert pusher.closed()
        player.rest()
        assert player.clean and numbers(player) == list(range(10))
    server.log.wait(r"publisher \w+ of /live/whole left: stopped")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_push_that_is_cut_may_return_within_the_grace_period(secure: SecureServer, scheme: str) -> None:
    server, name = secure.server, f"return{scheme}"
    tls, port = (trusting(), secure.https) if scheme == "https" else (None, server.http)
    target = f"/live/{name}.flv?vhost=patient"
    with Player(server.http, target) as player:
        with HttpPush(port, target, tls=tls) as pusher:
            pusher.begin([*headers(), *film(10)])
            player.frames(10)
            # Half a tag: the last one is lost, no more.
            pusher.data(flv_file(list(film(1, start=400)))[len(FLV_HEADER) :][:200])
        server.log.wait(rf"publisher \w+ of patient/live/{name} left: peer closed")
        with Publisher(server.rtmp) as publisher:
            publisher.publish(f"{name}?vhost=patient")
            publisher.tags([*headers(), *film(10, start=400, first=10)])
            player.frames(10)
            check_complete(player)
        with HttpPush(port, target, tls=tls, method="PUT") as pusher:
            until(lambda: publisher_row(server, name)["type"] == "flv-publish", "push")
            pusher.begin([*headers(), *film(10, start=800, first=20)])
            player.frames(10)
        # Cut once more, and nobody returns.
        player.rest()
        assert player.clean and numbers(player) == list(range(30))
    server.log.wait(rf"stream patient/live/{name} ended: no publisher returned within the grace period")


@pytest.mark.parametrize("media_before", [0, 3], ids=["from the start", "after some media"])
def test_a_push_that_stalls_is_ended(server: Server, media_before: int) -> None:
    with HttpPush(server.http, "/live/stall.flv?vhost=strict") as pusher:
        pusher.begin([*headers(), *film(media_before)] if media_before else [])
        answer = pusher.answer()
        assert answer.status == 408 and "silent" in answer.text
        assert pusher.closed()
    server.log.wait(r"publisher of strict/live/stall is disconnected: no media for 1 s")
    until(lambda: "stall" not in server.streams(), "end of the stream")


def test_bytes_that_are_no_media_do_not_keep_a_push_alive(server: Server) -> None:
    with HttpPush(server.http, "/live/script.flv?vhost=strict") as pusher:
        pusher.begin(headers()[:1])
        try:
            while True:
                pusher.tags(headers()[:1])
                pusher.sock.settimeout(0.1)
                try:
                    answer = pusher.answer()
                    break
                except TimeoutError:
                    continue
        except ConnectionError:
            pytest.fail("cut off without an answer")
        assert answer.status == 408


def test_an_operator_ends_a_push(server: Server) -> None:
    with HttpPush(server.http, "/live/kicked.flv") as pusher:
        pusher.begin([*headers(), *film(3)])
        with Player(server.http, "/live/kicked.flv") as player:
            player.frames(3)
            server.ask(f"clients/{publisher_row(server, 'kicked')['id']}", "DELETE")
            answer = pusher.answer()
            assert answer.status == 403 and "disconnected by the API" in answer.text
            player.rest()
            assert player.clean


def test_the_end_of_the_server_is_told_to_a_push(tmp_path: Path) -> None:
    with Server(tmp_path) as server, HttpPush(server.http, "/live/last.flv") as pusher:
        pusher.begin([*headers(), *film(3)])
        with Player(server.http, "/live/last.flv") as player:
            player.frames(3)
            assert stop(server.process) == 0
            answer = pusher.answer()
            assert answer.status == 503 and "server stops" in answer.text
            player.rest()
            assert player.clean


# --- back-pressure ---------------------------------------------------------------------------------------------


def test_a_body_behind_an_unanswered_request_waits_in_its_socket(server: Server) -> None:
    """The request before it waits for a stream: the push is not read until that is answered."""
    tags = [*headers(), *film(250, size=144_000)]
    head = "PUT /live/queued.flv HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked"
    target = "/live/awaited.m3u8?vhost=hls"
    asked = HttpPush(server.http, target, method="GET", length=0, headers=("", head))
    before = server.resident()
    with asked as pusher:
        pusher.chunked = True
        data = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces(flv_file(tags), 50_000))
        pusher.sock.settimeout(1)
        sent = 0
        try:
            while sent < len(data):
                sent += pusher.sock.send(data[sent : sent + 65536])
        except TimeoutError:
            pass
        assert sent < len(data) // 2, f"{sent} bytes were taken"
        assert server.resident() - before < 4 * MIB
        assert "queued" not in server.streams()
        with (
            Publisher(server.rtmp) as publisher,
            Player(server.http, "/live/queued.flv", timeout=30) as player,
        ):
            publisher.publish("awaited?vhost=hls")
            publisher.tags([*headers(), *film(100)])
            pusher.sock.settimeout(30)
            recorder = Recorder(player)
            pusher.sock.sendall(data[sent:])
            playlist, pushed = pusher.answer(), pusher.finish()
            assert playlist.status == 200 and playlist.text.startswith("#EXTM3U")
            assert (pushed.status, pushed.text) == (200, "published")
            recorder.done(30)
            assert player.clean and media(player.tags, AUDIO) and numbers(player)[-1] == 249


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def test_a_push_faster_than_time_costs_bounded_memory(server: Server) -> None:
    with HttpPush(server.http, "/live/flood.flv", timeout=30) as pusher:
        pusher.begin([*headers(), *film(50, size=60_000)])
        until(lambda: server.streams()["flood"]["frames"] >= 50, "the first second")
        before = server.resident()
        # 25 minutes of stream time, 40,000 bytes a second: what is kept is bounded by time and bytes alike.
        for turn in range(1, 40):
            pusher.tags(film(50, size=60_000, start=2000 * turn, first=50 * turn))
        assert pusher.finish().status == 200
        assert server.resident() - before < 80 * MIB


def test_pushes_leave_no_descriptor(server: Server) -> None:
    start = server.quiet_fds()
    for turn in range(20):
        with HttpPush(server.http, f"/live/turn{turn}.flv") as pusher:
            pusher.begin([*headers(), *film(2)])
            if turn % 2:
                assert pusher.finish().status == 200
    until(lambda: server.fds() == start, "descriptors back")
    until(lambda: not [name for name in server.streams() if name.startswith("turn")], "streams gone")
