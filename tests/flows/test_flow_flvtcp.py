"""Raw FLV over TCP: each connection is the stream of the next number, which plays by that number too."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from clip import Clip, end, finish, push
from flvread import VIDEO, flv_file, media
from model.ports import free_ports
from player import Player, Recorder, check_start, numbers
from publisher import Publisher, film, headers
from pushsite import Casters, publisher_row
from server import HOST, Server, until, vhost_text
from wsclient import WebSocket


def dial(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), 15)


def closed(sock: socket.socket) -> bool:
    """Whether the server closes without a word."""
    try:
        return not sock.recv(1)
    except ConnectionError:
        return True


def name_of(server: Server, mark: int) -> str:
    """The name of the stream whose publish is the first one behind line *mark* of the log."""
    line = server.log.wait(r"publisher \w+ from \S+ publishes /live/\d+$", mark)
    return re.findall(r"/live/(\d+)$", line)[0]


def test_what_ffmpeg_sends_plays_by_name_and_by_number(casters: Casters, h264: Clip) -> None:
    server = casters.server
    mark = len(server.log.lines)
    process = push(h264.path, f"tcp://{HOST}:{casters.tcp}")
    name = name_of(server, mark)
    with ExitStack() as stack:
        players = [
            stack.enter_context(Player(server.http, target)) for target in (f"/live/{name}.flv", f"/{name}")
        ]
        socket_ = stack.enter_context(WebSocket(server.http, f"/{name}"))
        recorders = [Recorder(each) for each in (*players, socket_)]
        row = publisher_row(server, name)
        assert (row["type"], row["ip"], row["url"]) == ("flv-publish", HOST, f"/live/{name}")
        assert row["tcUrl"] == f"tcp://{HOST}:{casters.tcp}/live"
        finish(process)
        for recorder in recorders:
            recorder.done()
        for each in (*players, socket_):
            pictures = media(each.tags, VIDEO)
            assert len(pictures) > 20 and pictures == media(h264.flv.tags, VIDEO)[-len(pictures) :]
    server.log.wait(rf"publisher \w+ of /live/{name} left: stopped", mark)


def test_streams_are_numbered_in_the_order_of_their_headers(make: Callable[..., Server]) -> None:
    (port,) = free_ports(1)
    server = make(vhost_text(), more=f"flv_tcp {{ enabled on; listen {port}; }}")
    with ExitStack() as stack:
        # A name that somebody has by RTMP is left to him; one that sends no header takes no number.
        rtmp = stack.enter_context(Publisher(server.rtmp))
        rtmp.publish("1")
        mute = stack.enter_context(dial(port))
        peers = []
        for number in (0, 2, 3):
            peer = stack.enter_context(dial(port))
            peer.sendall(flv_file([*headers(), *film(10, first=100 * number)]))
            server.log.wait(rf"publishes /live/{number}$")
            peers.append((number, peer))
        for number, _ in peers:
            with Player(server.http, f"/{number}") as player:
                player.frames(10)
                check_start(player)
                assert numbers(player)[0] == 100 * number
        for _, peer in peers:
            peer.shutdown(socket.SHUT_WR)
            assert closed(peer)
        mute.close()
        until(lambda: set(server.streams()) == {"1"}, "ends of the streams")
        with dial(port) as again:
            again.sendall(flv_file([*headers(), *film(3)]))
            server.log.wait(r"publishes /live/4$")


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "its first bytes are no FLV header"),
        (b"FLV\2\5\0\0\0\x09", "its first bytes are no FLV header"),
        (b"\3" + bytes(1536), "its first bytes are no FLV header"),
        (b"FLV\1\5\xff\xff\xff\xff" + bytes(4), "FLV header of 4294967295 bytes"),
        (flv_file([]) + b"\x15" + bytes(20), "tag of type 21"),
        (flv_file([]) + b"\x09\xff\xff\xff" + bytes(20), "tag of 16777215 bytes"),
        (flv_file([*headers(), *film(3)]) + b"XXXXXXXXXXXXX", "tag of type"),
    ],
    ids=["http", "version", "rtmp", "offset", "type", "size", "media before"],
)
def test_bytes_that_are_no_flv_close_the_connection_with_one_reason(
    casters: Casters, sent: bytes, why: str
) -> None:
    server = casters.server
    mark = len(server.log.lines)
    with dial(casters.tcp) as peer:
        peer.sendall(sent)
        assert closed(peer)
    server.log.wait(why, mark)
    assert len(server.log.find(rf"(closed|refused): .*{why}", mark)) == 1


def test_a_header_in_pieces_and_one_that_is_cut(casters: Casters) -> None:
    server = casters.server
    mark = len(server.log.lines)
    with dial(casters.tcp) as peer:
        for byte in flv_file(headers()):
            peer.sendall(bytes([byte]))
        name = name_of(server, mark)
        with Player(server.http, f"/{name}") as player:
            peer.sendall(flv_file(list(film(5)))[13:])
            player.frames(5)
    mark = len(server.log.lines)
    with dial(casters.tcp) as peer:
        peer.sendall(b"FLV\1\5")
        peer.shutdown(socket.SHUT_WR)
        assert closed(peer)
    server.log.wait("it ended before its FLV header did", mark)


def test_rules_bounds_and_the_api_hold_for_raw_flv(make: Callable[..., Server]) -> None:
    (port,) = free_ports(1)
    server = make(
        vhost_text(
            publish="grace 0; firstpkt_timeout 1000; normal_timeout 1000;",
            more="security { enabled on; allow publish 127.0.0.1; allow play all; }",
        ),
        more=f"flv_tcp {{ enabled on; listen {port}; }}",
    )
    with dial(port) as silent:
        silent.sendall(flv_file([]))
        assert closed(silent)
        server.log.wait("publisher of /live/0 is disconnected: no media for 1 s")
    with dial(port) as kicked:
        kicked.sendall(flv_file([*headers(), *film(3)]))
        until(lambda: "1" in server.streams(), "the publish")
        server.ask(f"clients/{publisher_row(server, '1')['id']}", "DELETE")
        assert closed(kicked)
    server.log.wait("of /live/1 left: disconnected by the API")
    with dial(port) as running:
        running.sendall(flv_file([*headers(), *film(3)]))
        server.log.wait("publishes /live/2")
        server.change(("allow publish 127.0.0.1", "deny publish all"))
        assert closed(running)
    server.log.wait("of /live/2 left: forbidden")
    with dial(port) as denied:
        denied.sendall(flv_file([*headers(), *film(3)]))
        assert closed(denied)
    server.log.wait(r"publisher \w+ from 127.0.0.1 of /live/3 refused: forbidden")


def test_a_port_opens_by_a_reload_and_its_publisher_stays_when_it_closes(
    make: Callable[..., Server], h264: Clip
) -> None:
    (port,) = free_ports(1)
    block = f"flv_tcp {{ enabled on; listen {port}; }}"
    server = make(vhost_text())
    server.change(("daemon off;", f"daemon off; {block}"))
    process = push(h264.path, f"tcp://{HOST}:{port}", loop=True)
    try:
        server.log.wait("publishes /live/0")
        with Player(server.http, "/live/0.flv") as player:
            player.frames(5)
            server.change((block, ""))
            player.frames(20)
    finally:
        end(process)
