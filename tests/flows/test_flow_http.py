"""The forms of an HTTP-FLV request: what comes back, byte for byte."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from clip import Clip, end, push
from player import Player, check_start
from publisher import Publisher, film, headers
from server import HOST, MIB, Server, until, vhost_text

SITES = """
vhost fast.example.com { play { start gop; mw_latency 0; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; on_missing 0; } }
vhost shop.example.com { http_remux { enabled on; mount /shop/[stream].flv; on_missing 0; } }
vhost plain.example.com { }
vhost off.example.com { enabled off; http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
"""


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(remux="on_missing 2;") + SITES)


@pytest.fixture(scope="module")
def live(server: Server, h264: Clip) -> Iterator[str]:
    """A stream that goes on for the whole module; its path."""
    process = push(h264.path, server.publish_url("cam"), loop=True)
    until(lambda: "cam" in server.streams(), "publish")
    yield "/live/cam.flv"
    end(process)


def keep_publishing(publisher: Publisher, seconds: float) -> None:
    for _ in publisher.live(film(int(seconds * 25)), speed=1.0):
        pass


def test_http_1_1_is_chunked(server: Server, live: str) -> None:
    with Player(server.http, live) as player:
        player.frames(10)
        assert player.status == 200 and player.chunked
        assert player.headers["content-type"] == "video/x-flv"
        assert player.headers["cache-control"] == "no-cache"
        assert "content-length" not in player.headers
        assert not [name for name in player.headers if name.startswith("access-control")]
        check_start(player)


@pytest.mark.parametrize(
    ("version", "more"),
    [("1.0", ()), ("1.0", ("Connection: keep-alive",)), ("1.1", ("Connection: close",))],
    ids=["http_1_0", "http_1_0_keep_alive", "connection_close"],
)
def test_raw_where_the_client_cannot_or_will_not_read_chunks(
    server: Server, live: str, version: str, more: tuple[str, ...]
) -> None:
    with Player(server.http, live, version=version, headers=more) as player:
        player.frames(10)
        assert not player.chunked and "content-length" not in player.headers
        assert player.headers["connection"] == "close"
        check_start(player)


def test_a_page_of_another_site_may_play(server: Server, live: str) -> None:
    with Player(server.http, live, headers=("Origin: https://example.com",)) as player:
        player.frames(1)
        assert player.headers["access-control-allow-origin"] == "*"


def test_preflight_is_answered(server: Server) -> None:
    asked = (
        "Origin: https://example.com",
        "Access-Control-Request-Method: GET",
        "Access-Control-Request-Headers: range",
    )
    with Player(server.http, "/live/cam.flv", method="OPTIONS", headers=asked) as player:
        assert player.text() == "" and player.status in (200, 204)
        assert player.headers["access-control-allow-origin"] == "*"
        assert "GET" in player.headers["access-control-allow-methods"]
        assert player.headers["access-control-allow-headers"] in ("range", "*")


def test_with_crossdomain_off_no_page_may_play(serve: Callable[..., Server]) -> None:
    server = serve(vhost_text(), web="crossdomain off;")
    with Publisher(server.rtmp) as publisher:
        publisher.publish("cam")
        publisher.tags([*headers(), *film(3)])
        with Player(server.http, "/live/cam.flv", headers=("Origin: https://example.com",)) as player:
            player.frames(1)
            assert not [name for name in player.headers if name.startswith("access-control")]
        with Player(
            server.http, "/live/cam.flv", method="OPTIONS", headers=("Origin: https://a.b",)
        ) as player:
            assert player.head().status == 405


def test_head_shows_the_head_only(server: Server, live: str) -> None:
    with Player(server.http, live, method="HEAD", headers=("Connection: close",)) as player:
        assert player.head().status == 200
        assert player.headers["content-type"] == "video/x-flv"
        assert player.sock.recv(100) == b"", "a body after HEAD"
    with Player(server.http, "/live/nobody.flv", method="HEAD") as player:
        assert player.head().status == 404


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "PROPFIND", "BREW"])
def test_other_methods_are_refused(server: Server, live: str, method: str) -> None:
    with Player(server.http, live, method=method) as player:
        assert player.head().status == (501 if method == "BREW" else 405)
        assert {"GET", "HEAD", "POST", "PUT"} <= set(player.headers["allow"].split(", "))


@pytest.mark.parametrize("target", ["/live/cam.flv", "/live/nobody.flv", "/none"])
@pytest.mark.parametrize(
    ("version", "fields", "status"),
    [
        ("1.1", "", 400),
        ("1.1", "Host: x\r\nHost: x\r\n", 400),
        ("1.1", "Host: a b\r\n", 400),
        ("1.1", "Host: http://x/\r\n", 400),
        ("1.0", "", 404),
    ],
    ids=["none", "two", "a space", "a URL", "none of HTTP/1.0"],
)
def test_a_request_of_http_1_1_names_one_host(
    server: Server, target: str, version: str, fields: str, status: int
) -> None:
    if status == 404:
        target = "/none"
    with socket.create_connection((HOST, server.http), 10) as sock:
        sock.sendall(f"GET {target} HTTP/{version}\r\n{fields}\r\n".encode())
        answer = b""
        while data := sock.recv(65536):
            answer += data
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer


def test_an_absent_stream_is_waited_for_then_404(server: Server) -> None:
    began = time.monotonic()
    with Player(server.http, "/live/nobody.flv") as player:
        player.head()
        assert player.status == 404
        assert int(player.headers["retry-after"]) >= 1
    assert 1.9 < time.monotonic() - began < 4


def test_on_missing_0_answers_at_once(server: Server) -> None:
    began = time.monotonic()
    with Player(server.http, "/live/nobody.flv", host="fast.example.com") as player:
        assert player.head().status == 404
        assert int(player.headers["retry-after"]) >= 1
    assert time.monotonic() - began < 1


def test_a_player_that_came_first_gets_the_stream_from_its_start(server: Server) -> None:
    with Player(server.http, "/live/early.flv") as player, Publisher(server.rtmp) as publisher:
        publisher.publish("early")
        # One GOP: who waits joins at the newest, and all may come in one read.
        publisher.tags([*headers(), *film(30, gop=30)])
        player.frames(30)
        check_start(player)
        assert player.flv.flags == 5


def test_a_404_leaves_the_connection_usable(server: Server, live: str) -> None:
    with Player(server.http, "/other/path.txt") as player:
        assert player.text() and player.status == 404
        again = f"GET {live} HTTP/1.1\r\nHost: x\r\n\r\n"
        player.status = 0
        player._wire.clear()
        player.sock.sendall(again.encode())
        player.frames(2)


def test_two_requests_at_once_are_answered_in_order(server: Server, live: str) -> None:
    with Player(server.http, "/a.txt", headers=("", f"GET {live} HTTP/1.1", "Host: x")) as player:
        length = len(player.text())
        assert player.status == 404
        del player._wire[:length]
        player.status = 0
        player.frames(2)


def test_a_request_in_single_bytes_plays(server: Server, live: str) -> None:
    with Player(server.http, live, headers=("X-Slow: yes",)) as fast:
        fast.head()
    sock = socket.create_connection((HOST, server.http), 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in f"GET {live} HTTP/1.0\r\n\r\n".encode():
        sock.sendall(bytes([byte]))
    assert sock.recv(12).startswith(b"HTTP/1.1 200")
    sock.close()


# --- names ---------------------------------------------------------------------------------------


def plays(server: Server, target: str, host: str = HOST) -> int:
    """Status of a request; where it is 200, pictures must come."""
    with Player(server.http, target, host=host) as player:
        player.head()
        if player.status == 200:
            player.frames(1)
        return player.status


@pytest.mark.parametrize(
    ("app", "stream", "target"),
    [
        ("live", "my.cam.v1.2", "/live/my.cam.v1.2.flv"),
        ("a/b/c", "nested", "/a/b/c/nested.flv"),
        ("live", "x_-~1", "/live/x_-~1.flv?token=a%20b&start=1"),
        ("live", "\u76f4\u64ad", "/live/%E7%9B%B4%E6%92%AD.flv"),
        ("live", "with space", "/live/with%20space.flv"),
        ("live", "cam?token=secret&x=1", "/live/cam.flv"),
        ("live", "cam.flv", "/live/cam.flv.flv"),
    ],
)
def test_stream_names(server: Server, app: str, stream: str, target: str) -> None:
    with Publisher(server.rtmp) as publisher:
        if stream.startswith("cam?"):
            publisher.publish("q" + stream, app)
            target = target.replace("cam", "qcam")
        else:
            publisher.publish(stream, app)
        publisher.tags([*headers(), *film(3)])
        assert plays(server, target) == 200


@pytest.mark.parametrize(
    "target",
    [
        "/live/../live/cam.flv",
        "/live/%2e%2e/cam.flv",
        "/../etc/passwd",
        "/live/..%2fcam.flv",
        "/live/c%00am.flv",
    ],
)
def test_a_path_that_leaves_the_root_is_refused(server: Server, live: str, target: str) -> None:
    with Player(server.http, target) as player:
        assert 400 <= player.head().status < 500


def test_vhosts_by_host_and_by_query(server: Server) -> None:
    with Publisher(server.rtmp) as fast, Publisher(server.rtmp) as shop:
        fast.publish("one", tc_url="rtmp://fast.example.com/live")
        shop.publish("two?vhost=shop.example.com")
        for publisher in (fast, shop):
            publisher.tags([*headers(), *film(3)])
        assert server.streams()["one"]["url"] == "fast.example.com/live/one"
        assert plays(server, "/live/one.flv", "fast.example.com") == 200
        assert plays(server, "/live/one.flv", f"FAST.example.com:{server.http}") == 200
        assert plays(server, "/live/one.flv?vhost=fast.example.com") == 200
        assert plays(server, "/live/one.flv?domain=fast.example.com", "shop.example.com") == 200
        assert plays(server, "/shop/two.flv", "shop.example.com") == 200
        # Mounts and streams of one vhost are not those of another.
        assert plays(server, "/live/two.flv", "shop.example.com") == 404
        assert plays(server, "/live/two.flv", "fast.example.com") == 404
        assert plays(server, "/live/one.flv", "plain.example.com") == 404
        assert plays(server, "/live/one.flv", "off.example.com") == 404


def test_a_vhost_that_is_off_takes_no_publisher(server: Server) -> None:
    with Publisher(server.rtmp) as publisher, pytest.raises(Exception, match=r"Rejected|closed|BadName"):
        publisher.publish("one", tc_url="rtmp://off.example.com/live")


def test_the_vhost_may_be_in_the_stream_name_alone(serve: Callable[..., Server]) -> None:
    # rtmp://192.0.2.1/live/three?vhost=fast.example.com, on a server without a default vhost.
    server = serve(SITES)
    with Publisher(server.rtmp) as publisher:
        publisher.publish("three?vhost=fast.example.com")
        publisher.tags([*headers(), *film(3)])
        assert plays(server, "/live/three.flv?vhost=fast.example.com") == 200


# --- bad clients ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"\3" + bytes(1536),
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(4000)) + b"\r\n",
    ],
    ids=["tls", "rtmp", "length", "transfer", "chunk", "http2", "long_line", "many_fields"],
)
def test_garbage_closes_that_connection_and_harms_no_other(server: Server, live: str, garbage: bytes) -> None:
    with Player(server.http, live) as watching:
        watching.frames(1)
        mark = len(server.log.lines)
        with socket.create_connection((HOST, server.http), 10) as sock:
            sock.sendall(garbage)
            answer = bytearray()
            try:
                while data := sock.recv(65536):
                    answer += data
            except ConnectionResetError:
                pass
        assert not answer or answer.split()[1] in (b"400", b"404", b"405", b"431", b"501", b"505"), bytes(
            answer[:100]
        )
        # An answer that was complete before the garbage came is not taken back.
        if answer.split()[1:2] not in ([b"404"], [b"405"]):
            server.log.wait(r" http ", mark)
            assert len(server.log.find(r" http ", mark)) == 1, "one line, with the reason"
        watching.frames(10)


@pytest.mark.parametrize(
    "target",
    [
        "/live/nobody.flv?" + "&".join(f"k{i}=v" for i in range(200)),
        "/live/nobody.flv?vhost=",
        "/live/nobody.flv?vhost=%00%ff%zz",
        "/live/nobody.flv?;;&&==&=",
    ],
    ids=["many", "empty", "odd", "separators"],
)
def test_odd_queries_are_only_odd(server: Server, target: str) -> None:
    with Player(server.http, target, host="fast.example.com") as player:
        assert player.head().status == 404


def test_a_client_that_sends_on_after_its_request_keeps_its_picture(server: Server, live: str) -> None:
    with Player(server.http, live) as player:
        player.frames(1)
        player.sock.sendall(b"x" * 10000)
        player.frames(10)


def test_an_upgrade_that_is_not_taken_plays_as_plain_http(server: Server, live: str) -> None:
    with Player(server.http, live, headers=("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")) as player:
        player.frames(2)
        assert player.status == 200


def test_a_client_that_asks_and_never_reads_costs_bounded_memory(server: Server) -> None:
    before = server.resident()
    request = b"GET /nothing.txt HTTP/1.1\r\nHost: x\r\n\r\n"
    sock = socket.create_connection((HOST, server.http), 10)
    sock.settimeout(1)
    try:
        for _ in range(1000):
            sock.sendall(request * 200)
    except (TimeoutError, ConnectionError):
        pass
    grown = server.resident() - before
    sock.close()
    assert grown < 16 * MIB, f"{grown >> 20} MB grown"


def test_a_player_that_leaves_while_it_waits_is_forgotten(server: Server) -> None:
    start = server.quiet_fds()
    waiting = [Player(server.http, f"/live/never{i}.flv") for i in range(20)]
    until(lambda: server.fds() == start + 20, "20 connections")
    for player in waiting:
        player.close()
    until(lambda: server.fds() == start, "descriptors back")


def test_curl_like_half_close_is_a_player_that_left(server: Server, live: str) -> None:
    with Player(server.http, live) as player:
        player.frames(1)
        mark = len(server.log.lines)
        player.sock.shutdown(socket.SHUT_WR)
        server.log.wait(r"left: peer closed", mark)


def test_more_than_max_connections_is_refused(serve: Callable[..., Server]) -> None:
    server = serve(vhost_text(remux="on_missing 5;"), connections=5)
    held = [Player(server.http, f"/live/x{i}.flv") for i in range(5)]
    with Player(server.http, "/live/y.flv") as late:
        assert late.turned_away()
    server.log.wait("refused: max_connections 5 is reached")
    held.pop().close()

    def answered() -> bool:
        with Player(server.http, "/none") as player:
            return not player.turned_away()

    until(answered, "a seat is free again")
    for player in held:
        player.close()


def test_ffprobe_style_open_by_ffmpeg(server: Server, live: str) -> None:
    from clip import ffmpeg

    words = [
        ffmpeg(),
        "-v",
        "error",
        "-xerror",
        "-i",
        f"http://{HOST}:{server.http}{live}",
        "-frames:v",
        "20",
    ]
    done = subprocess.run([*words, "-f", "null", "-"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_players_of_all_framings_get_the_same_tags(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("same")
        publisher.tags([*headers(), *film(2)])
        forms: list[dict[str, object]] = [{}, {"version": "1.0"}, {"headers": ("Connection: close",)}]
        players = [Player(server.http, "/live/same.flv", **form) for form in forms]  # type: ignore[arg-type]
        for player in players:
            player.frames(2)
        sender = threading.Thread(target=keep_publishing, args=(publisher, 1.0))
        sender.start()
        for player in players:
            player.frames(20)
        sender.join()
        count = min(len(player.tags) for player in players)
        assert count > 30
        assert players[0].tags[:count] == players[1].tags[:count] == players[2].tags[:count]
        for player in players:
            player.close()
