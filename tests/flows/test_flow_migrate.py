"""What docs/migrate.md says, at work: streams that move, nginx in front, and a hook server that was written for nginx-rtmp."""

from __future__ import annotations

import base64
import hashlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from clip import Clip, end, push
from model.ports import free_ports
from otherservers import accepts, load_module, nginx
from player import Player
from publisher import Publisher, Refused, film, headers
from server import HOST, Server, until, vhost_text

DOCS = Path(__file__).parents[2] / "docs"
END = 4_000_000_000
"Seconds since 1970 until which a signature is good."


def example(heading: str, folder: Path, origin: int, port: int) -> str:
    """The first block of nginx under *heading*, between *port* and a fastflv on *origin*."""
    part = (DOCS / "migrate.md").read_text().split(f"\n### {heading}\n")[1]
    found = re.search(r"```nginx\n(.*?)```", part, re.DOTALL)
    assert found is not None
    text = (
        found[1].replace("listen 80;", f"listen {HOST}:{port};").replace("127.0.0.1:8080", f"{HOST}:{origin}")
    )
    assert str(port) in text and str(origin) in text
    paths = "".join(
        f"{each}_temp_path {folder}/{each}; " for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return text.replace("http {\n", f"http {{ access_log off; {paths}\n", 1)


@contextmanager
def live(folder: Path, more: str = "") -> Iterator[tuple[Server, Publisher]]:
    """A server with a stream `cam`, and its publisher."""
    with Server(folder, vhost_text(more=more), more=f"trusted_proxies {HOST};") as server:
        publisher = Publisher(server.rtmp).publish("cam")
        publisher.tags([*headers(), *film(100)])
        yield server, publisher
        publisher.finish()


@pytest.mark.slow
def test_a_viewer_stays_while_streams_move_from_nginx_rtmp(tmp_path: Path, h264: Clip) -> None:
    load = load_module("rtmp")
    (old,) = free_ports(1)
    blocks = f"rtmp {{ server {{ listen {HOST}:{old}; application live {{ live on; }} }} }}"
    edge = f"cluster {{ mode remote; origin {HOST}:{old}; }}"
    server = Server(tmp_path, vhost_text(more=edge, publish="grace 20;"))
    publisher = None
    with nginx(tmp_path, blocks, old, load), server:
        try:
            publisher = push(h264.path, f"rtmp://{HOST}:{old}/live/x", loop=True)
            with Player(server.http, "/live/x.flv", timeout=30) as viewer:
                viewer.frames(5)
                # The encoder moves to the edge, which passes its stream on.
                end(publisher)
                publisher = push(h264.path, server.publish_url("x"), loop=True)
                server.log.wait("publish of /live/x is passed on")
                viewer.frames(viewer.count() + 30)
                # The edge becomes the origin.
                forward = f"forward {{ enabled on; destination {HOST}:{old}; }}"
                server.file.write_text(server.file.read_text().replace(edge, forward))
                server.process.send_signal(signal.SIGHUP)
                server.log.wait("configuration 2 is in force; 0 clients are disconnected")
                viewer.frames(viewer.count() + 30)
                end(publisher)
                publisher = push(h264.path, server.publish_url("x"), loop=True)
                until(lambda: _forwarded(server), "the forward", 20)
                viewer.frames(viewer.count() + 30)
        finally:
            if publisher is not None:
                end(publisher)


def _forwarded(server: Server) -> bool:
    return [row["state"] for row in server.ask("forwards")["forwards"]] == ["forwarding"]


def test_a_url_of_nginx_http_flv_plays_through_the_nginx_of_the_docs(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with (
        live(tmp_path) as (server, _),
        nginx(tmp_path, example("URLs of nginx-http-flv", tmp_path, server.http, port), port),
        Player(port, "/live?port=1935&app=live&stream=cam", source="127.0.0.7") as player,
    ):
        player.frames(20)
        assert {row["ip"] for row in server.clients() if not row["publish"]} == {"127.0.0.7"}


def signed(path: str) -> str:
    digest = hashlib.md5(f"{END}{path} SECRET".encode()).digest()
    return f"{path}?md5={base64.urlsafe_b64encode(digest).decode().rstrip('=')}&expires={END}"


def test_links_of_secure_link_are_verified_by_the_nginx_of_the_docs(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with (
        live(tmp_path, "hls { enabled on; }") as (server, publisher),
        nginx(tmp_path, example("secure_link", tmp_path, server.http, port), port),
    ):
        with Player(port, signed("/live/cam.flv")) as player:
            player.frames(20)
        for path in ("/live/cam.flv", signed("/live/other.flv").replace("other", "cam")):
            with Player(port, path, flv=False) as refused:
                assert refused.head().status == 403, path
        with Player(port, signed("/live/cam.m3u8"), flv=False) as playlist:
            text = playlist.head().text()
            assert playlist.status == 200
        publisher.tags(film(100, start=4000, first=100))
        # The first playlist names that of the viewer, which names segments.
        for _ in range(2):
            target = next(line for line in text.splitlines() if line and not line.startswith("#"))
            target = target if target.startswith("/") else f"/live/{target}"
            if ".ts" in target:
                break
            with Player(port, target, flv=False) as playlist:
                text = playlist.head().text()
                assert playlist.status == 200, target
        with Player(port, target, flv=False) as segment:
            assert segment.head().status == 200 and ".ts?" in target


class OldHooks(BaseHTTPRequestHandler):
    """A hook server of nginx-rtmp: forms, and a status for an answer."""

    told: list[dict[str, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.told.append(form)
        status = {"good": 204, "moved": 302}.get(form.get("key", ""), 404)
        self.send_response(200 if form["call"].endswith("_done") else status)
        self.send_header("Location", f"http://{HOST}:1/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def old_hooks() -> Iterator[ThreadingHTTPServer]:
    OldHooks.told = []
    server = ThreadingHTTPServer((HOST, 0), OldHooks)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_hook_server_of_nginx_rtmp_decides_by_the_program_of_the_docs(
    tmp_path: Path, old_hooks: ThreadingHTTPServer
) -> None:
    (port,) = free_ports(1)
    target = f"http://{HOST}:{old_hooks.server_port}/auth"
    words = [sys.executable, str(DOCS / "examples" / "nginx_hooks.py"), target, str(port)]
    program = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    url = f"http://{HOST}:{port}/"
    hooks = f"http_hooks {{ enabled on; on_publish {url}; on_unpublish {url}; }}"
    try:
        until(lambda: accepts(port), "the program listens", 20)
        with Server(tmp_path, vhost_text(more=hooks)) as server:
            for key in ("bad", "moved"):
                with Publisher(server.rtmp) as publisher, pytest.raises(Refused):
                    publisher.publish(f"cam?key={key}")
            publisher = Publisher(server.rtmp).publish("cam?key=good")
            publisher.finish()
            until(lambda: len(OldHooks.told) == 4, "the end of the publish", 20)
    finally:
        program.terminate()
        program.wait(20)
    assert [form["call"] for form in OldHooks.told] == ["publish"] * 3 + ["publish_done"]
    last = OldHooks.told[-1]
    assert (last["app"], last["name"], last["addr"], last["key"]) == ("live", "cam", HOST, "good")
