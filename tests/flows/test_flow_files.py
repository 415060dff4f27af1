"""Files over HTTP and HTTPS from a running server: roots, ranges, conditions, what changes under way, and who comes first."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clip import Clip, end, push
from model.ports import free_ports
from player import Player
from server import HOST, Server, until, vhost_text
from tlsfiles import make_pair, trusting

BIG = 9_000_000
SITES = """
vhost files.example.com {{ http_static {{ enabled on; mount [vhost]/; dir {own}; }} http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; }} }}
vhost hls.example.com {{ http_static {{ enabled on; mount [vhost]/hls; dir {own}; }} }}
vhost share.example.com {{ http_static {{ enabled on; mount /share; dir {own}; }} }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    root, own = folder / "root", folder / "own"
    (root / "sub").mkdir(parents=True)
    own.mkdir()
    (root / "index.html").write_text("<p>the root</p>")
    (root / "sub" / "index.html").write_text("<p>below</p>")
    (root / "only.json").write_text('{"root": 1}')
    (root / "big.mp4").write_bytes(os.urandom(BIG))
    (own / "index.html").write_text("<p>of one host</p>")
    (own / "a b.ts").write_bytes(b"G" * 188)
    os.mkfifo(root / "pipe.flv")
    return folder


@pytest.fixture(scope="module")
def server(
    serve: Callable[..., Server], folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    pair = make_pair(tmp_path_factory.mktemp("pair"))
    (port,) = free_ports(1)
    web = f"dir {folder}/root; https {{ enabled on; listen {port}; key {pair.key}; cert {pair.cert}; }}"
    made = serve(
        vhost_text(remux="on_missing 2;", more="hls { enabled on; }") + SITES.format(own=folder / "own"),
        web=web,
    )
    made.https = port
    return made


def ask(
    server: Server, path: str, method: str = "GET", secure: bool = False, **fields: str
) -> tuple[int, dict[str, str], bytes]:
    if secure:
        made = http.client.HTTPSConnection(HOST, server.https, timeout=20, context=trusting())
    else:
        made = http.client.HTTPConnection(HOST, server.http, timeout=20)
    made.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    answer = made.getresponse()
    body = answer.read()
    made.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def test_a_host_has_its_own_files_before_those_of_the_server(server: Server) -> None:
    assert ask(server, "/")[2] == b"<p>the root</p>"
    assert ask(server, "/", Host="files.example.com")[2] == b"<p>of one host</p>"
    assert ask(server, "/only.json", Host="files.example.com")[2] == b'{"root": 1}'
    assert ask(server, "/hls/", Host="hls.example.com")[2] == b"<p>of one host</p>"
    assert ask(server, "/hls/", Host="files.example.com")[0] == 404
    assert ask(server, "/share/", Host="anybody.example.com")[2] == b"<p>of one host</p>"
    status, fields, body = ask(server, "/a%20b.ts?x=1", Host="files.example.com")
    assert (status, fields["content-type"], body) == (200, "video/MP2T;charset=utf-8", b"G" * 188)


def test_a_directory_is_known_by_its_slash_and_has_no_listing(server: Server) -> None:
    status, fields, _ = ask(server, "/sub?a=b")
    assert (status, fields["location"]) == (301, "/sub/?a=b")
    assert ask(server, "/sub/")[2] == b"<p>below</p>"
    assert ask(server, "//sub")[1].get("location", "/sub/") == "/sub/", "no redirect names another host"


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_large_file_comes_whole_in_part_and_as_a_head(server: Server, folder: Path, secure: bool) -> None:
    film = (folder / "root" / "big.mp4").read_bytes()
    status, fields, body = ask(server, "/big.mp4", secure=secure)
    assert (status, fields["content-type"], fields["accept-ranges"]) == (200, "video/mp4", "bytes")
    assert body == film
    status, part, body = ask(server, "/big.mp4", secure=secure, Range="bytes=1000-5000999")
    assert (status, part["content-range"]) == (206, f"bytes 1000-5000999/{BIG}")
    assert body == film[1000:5001000]
    assert ask(server, "/big.mp4", secure=secure, Range="bytes=-7")[2] == film[-7:]
    status, beyond, _ = ask(server, "/big.mp4", secure=secure, Range=f"bytes={BIG}-")
    assert (status, beyond["content-range"]) == (416, f"bytes */{BIG}")
    assert ask(server, "/big.mp4", secure=secure, Range="bytes=0-1,5-6")[0] == 200
    status, head, body = ask(server, "/big.mp4", "HEAD", secure=secure)
    assert (status, head["content-length"], body) == (200, str(BIG), b"")
    old = ask(server, "/big.mp4", secure=secure, Range="bytes=0-9", If_Range='"other"')
    assert (old[0], len(old[2])) == (200, BIG)


@pytest.mark.parametrize("path", ["/big.mp4", "/only.json"])
def test_a_client_that_has_the_file_gets_no_body(server: Server, path: str) -> None:
    _, fields, _ = ask(server, path)
    for condition in ({"If_None_Match": fields["etag"]}, {"If_Modified_Since": fields["last-modified"]}):
        status, again, body = ask(server, path, **condition)
        assert (status, again["etag"], body) == (304, fields["etag"], b"")
        assert "content-length" not in again
    assert ask(server, path, If_Match='"other"')[0] == 412


def test_what_is_no_file_is_404_at_once(server: Server) -> None:
    for path in (
        "/none.html",
        "/pipe.flv",
        "/sub/none/",
        "/..%2f..%2fetc%2fpasswd",
        "/%252e%252e/x",
        "/sub%5c..%5cx",
    ):
        assert ask(server, path)[0] in (400, 404), path
    assert ask(server, "/only.json", "POST")[0] == 405


def test_an_edit_is_seen_and_an_absent_file_may_appear(server: Server, folder: Path) -> None:
    page = folder / "root" / "page.html"
    assert ask(server, "/page.html")[0] == 404
    page.write_text("one")
    until(lambda: ask(server, "/page.html")[2] == b"one", "the new file")
    page.write_text("second")
    until(lambda: ask(server, "/page.html")[2] == b"second", "the edit")
    page.unlink()
    until(lambda: ask(server, "/page.html")[0] == 404, "the end of the file")


@pytest.mark.parametrize("size", [1_000_000, 20_000_000], ids=["shorter", "longer"])
def test_a_file_that_changes_its_size_under_way_never_mixes_answers(
    server: Server, folder: Path, size: int
) -> None:
    film = folder / "root" / f"moving{size}.mp4"
    film.write_bytes(b"a" * BIG)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(20)
        sock.connect((HOST, server.http))
        sock.sendall(
            f"GET /{film.name} HTTP/1.1\r\nHost: x\r\n\r\nGET /only.json HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        data = sock.recv(4096)
        os.truncate(film, size)
        while len(data) < BIG + 1_000_000:
            try:
                block = sock.recv(1 << 20)
            except ConnectionResetError:
                break
            if not block:
                break
            data += block
            if data.endswith(b'{"root": 1}'):
                break
    head, _, rest = data.partition(b"\r\n\r\n")
    assert f"Content-Length: {BIG}".encode() in head
    if size < BIG:
        # Truncating clears the rest of a page that the kernel was still to send.
        assert len(rest) < BIG and set(rest) <= {ord("a"), 0}, (
            "it ends early, and nothing stands in its place"
        )
    else:
        assert rest[:BIG] == b"a" * BIG
        assert rest[BIG:].startswith(b"HTTP/1.1 200") and rest.endswith(b'{"root": 1}')


def test_a_stream_goes_before_a_file_of_its_name_and_the_file_before_the_wait(
    server: Server, folder: Path, h264: Clip
) -> None:
    (folder / "root" / "live").mkdir(exist_ok=True)
    (folder / "root" / "live" / "both.flv").write_bytes(b"FLV of yesterday")
    (folder / "root" / "live" / "both.m3u8").write_text("#EXTM3U yesterday")
    until(lambda: ask(server, "/live/both.flv")[2] == b"FLV of yesterday", "the file")
    assert ask(server, "/live/both.m3u8")[2] == b"#EXTM3U yesterday"
    process = push(h264.path, server.publish_url("both"), loop=True)
    until(lambda: "both" in server.streams(), "publish")
    with Player(server.http, "/live/both.flv") as player:
        player.frames(5)
        assert player.chunked
    assert b"yesterday" not in ask(server, "/live/both.m3u8")[2]
    end(process)
    until(lambda: "both" not in server.streams(), "the end")
    assert ask(server, "/live/both.flv")[2] == b"FLV of yesterday"


def test_slow_downloads_take_neither_memory_nor_each_others_turn(server: Server, folder: Path) -> None:
    slow = []
    before = server.resident()
    for _ in range(60):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((HOST, server.http))
        sock.sendall(b"GET /big.mp4 HTTP/1.1\r\nHost: x\r\n\r\n")
        slow.append(sock)
    assert all(sock.recv(1000) for sock in slow)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(len(ask(server, "/big.mp4")[2]))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [BIG] * 4
    assert server.resident() - before < 30 << 20
    for sock in slow:
        sock.close()
