"""A server that was started for playing alone takes on, by a reload, all that it did not load at its start."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path

from broadcast import Broadcast
from player import Player, check_complete
from reloading import LEAN, Make, status
from server import HOST, Server, until, vhost_text

EDGE, KEYED = "edge.example", "keyed.example"
MOUNT = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }"
SECRET = "a-secret-of-at-least-32-characters"


def answer_of(server: Server, path: str) -> bytes:
    return urllib.request.urlopen(f"http://{HOST}:{server.http}{path}", timeout=20).read()


def test_a_reload_begins_to_use_what_no_configuration_has_used(
    serve: Callable[..., Server], make: Make, tmp_path: Path
) -> None:
    other = serve(vhost_text())
    server = make(vhost_text(publish=LEAN))
    with (
        Broadcast(server.rtmp, "here"),
        Broadcast(other.rtmp, "there"),
        Player(server.http, "/live/here.flv") as player,
    ):
        player.frames(5)
        # Nothing of it is there, and each answers that.
        for path in ("/live/here.m3u8", "/clip/live/here.flv?from=-1", "/live/there.flv"):
            assert status(server.http, path) == 404, path
        for rows in ("forwards", "pulls", "upstreams"):
            assert server.ask(rows)[rows] == []
        assert server.ask("recordings")["recordings"] == []
        parts = f"""
            hls {{ enabled on; hls_fragment 1; hls_window 20; }}
            dvr {{ enabled on; dvr_path {tmp_path}/[app]/[stream].[timestamp].flv; }}
            forward {{ enabled on; destination {HOST}:{other.rtmp}; }}
            timeshift {{ window 60; }}
            publish {{"""
        more = f"""
            vhost {EDGE} {{ cluster {{ mode remote; origin {HOST}:{other.rtmp}; vhost __defaultVhost__; }} {MOUNT} }}
            vhost {KEYED} {{ auth {{ enabled on; apply play; key {SECRET}; }} {MOUNT} }}
            vhost __defaultVhost__ {{"""
        server.change(("publish {", parts), ("vhost __defaultVhost__ {", more))
        # Of the stream that runs already.
        other.log.wait("publishes /live/here$")
        until(lambda: list(tmp_path.rglob("here.*.tmp")), "a recording", 10)
        assert b"#EXTM3U" in answer_of(server, "/live/here.m3u8")
        until(lambda: status(server.http, "/clip/live/here.flv?from=-1") == 200, "a clip", 10)
        assert answer_of(server, "/clip/live/here.flv?from=-1")[:3] == b"FLV"
        (row,) = server.ask("forwards")["forwards"]
        assert row["destination"].startswith(f"rtmp://{HOST}:{other.rtmp}/live")
        # Of other vhosts.
        with Player(server.http, f"/live/there.flv?vhost={EDGE}") as viewer:
            viewer.frames(5)
            (pull,) = server.ask("pulls")["pulls"]
            assert (pull["name"], pull["state"]) == ("there", "fetching")
        assert status(server.http, f"/live/any.flv?vhost={KEYED}") == 401
        player.frames(5)
        check_complete(player)
        server.change((parts, "publish {"), (more, "vhost __defaultVhost__ {"))
        assert status(server.http, "/live/here.m3u8") == 404
        other.log.wait("publisher .* of /live/here left")
        until(lambda: list(tmp_path.rglob("here.*.flv")), "a file that is finished", 10)
        player.frames(5)
        check_complete(player)
