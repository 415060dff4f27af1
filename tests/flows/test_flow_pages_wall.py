"""A wall of sixteen streams in a real Chromium: each is a WebSocket, and all of them move."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from clip import Clip
from pagesite import drive, need_pages, origin, published
from server import Server, vhost_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_sixteen_streams_move_on_the_wall_by_websocket(serve: Callable[..., Server], h264: Clip) -> None:
    need_pages()
    server = serve(vhost_text(play="mw_latency 0; start compact;"))
    with published(server, {f"camera{at:02}": h264 for at in range(16)}):
        said = drive("wall", origin(server), "4", "16", timeout=120)
    assert len(said["before"]) == len(said["after"]) == said["seen"]["sockets"] == 16
    for before, after in zip(said["before"], said["after"], strict=True):
        assert after["time"] > before["time"] + 1 and after["frames"] > before["frames"], (before, after)
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
