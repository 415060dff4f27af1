"""A wall of sixteen streams in a real Chromium: WebSockets, or one connection of HTTP/2, and all of them move."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from clip import Clip
from h2client import established
from pagesite import drive, need_pages, origin, published
from server import HOST, Server, vhost_text
from tlsfiles import Pair, serve_tls

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Watch(threading.Thread):
    """Counts, while a wall of *wall* streams plays, what it plays by, and connections to *port*."""

    def __init__(self, server: Server, port: int, wall: int) -> None:
        super().__init__(daemon=True)
        self.players: list[dict[str, Any]] = []
        self.connections = 0
        self.over = threading.Event()
        self._server, self._port, self._wall = server, port, wall
        self.start()

    def run(self) -> None:
        while not self.over.wait(0.5):
            players = self._playing()
            connections = established(self._port)
            # The page may have been closed between the two questions.
            if len(players) == len(self._playing()) == self._wall:
                self.players, self.connections = players, connections

    def _playing(self) -> list[dict[str, Any]]:
        return [each for each in self._server.clients() if not each["publish"]]


@pytest.mark.parametrize("secure", [False, True], ids=["websocket", "http2"])
def test_sixteen_streams_move_on_the_wall(
    serve: Callable[..., Server], pair: Pair, h264: Clip, secure: bool
) -> None:
    need_pages()
    vhosts = vhost_text(play="mw_latency 0; start compact;")
    if secure:
        made = serve_tls(serve, vhosts, pair)
        server, address, port = made.server, f"https://{HOST}:{made.https}", made.https
    else:
        server = serve(vhosts)
        address, port = origin(server), server.http
    with published(server, {f"camera{at:02}": h264 for at in range(16)}):
        watch = Watch(server, port, 16)
        said = drive("wall", address, "4", "16", timeout=120)
        watch.over.set()
        watch.join()
    assert len(said["before"]) == len(said["after"]) == 16
    for before, after in zip(said["before"], said["after"], strict=True):
        assert after["time"] > before["time"] + 1 and after["frames"] > before["frames"], (before, after)
    assert said["seen"]["sockets"] == (0 if secure else 16)
    assert len(watch.players) == 16
    assert watch.connections == 1 if secure else watch.connections >= 16
    assert said["faults"] == [] and said["seen"]["errors"] == [] and said["seen"]["foreign"] == []


def test_every_view_is_without_serious_faults_and_fits_its_screen(
    serve: Callable[..., Server], h264: Clip
) -> None:
    need_pages()
    server = serve(vhost_text(play="mw_latency 0; start compact; on_missing 0;"))
    with published(server, {f"view{at}": h264 for at in range(5)}):
        said = drive("views", origin(server), "live/view0", timeout=120)
    assert len(said) > 8
    for name, view in said.items():
        assert view["faults"] == [] and view["errors"] == [] and view["foreign"] == [], (name, view)
        assert view["wide"] <= 0, (name, view)
