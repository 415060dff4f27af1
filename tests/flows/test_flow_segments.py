"""Segments of HLS and the gate: a client that may not play gets none, whatever path it guesses."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urljoin

import pytest
from broadcast import Broadcast
from player import Player
from server import HOST, Server

DENIED = "127.0.0.2"
VHOSTS = """
vhost __defaultVhost__ {{
    play {{ start gop; mw_latency 0; }}
    publish {{ grace 0; }}
    hls {{ enabled on; hls_fragment 1; hls_window 60; hls_use_fmp4 {fmp4}; {more} }}
    security {{ enabled on; allow publish all; allow play {allowed}; }}
}}
"""


def get(server: Server, path: str, source: str = HOST) -> tuple[int, str]:
    fields = ("Connection: close",)
    with closing(Player(server.http, path, headers=fields, source=source, flv=False)) as player:
        player.head()
        return player.status, player.rest().body.decode("latin-1") if player.status == 200 else player.text()


def follow(server: Server, path: str) -> list[str]:
    """Paths of the media of a stream: from the playlist to that of the session to its segments."""
    while True:
        status, text = get(server, path)
        assert status == 200, text
        uris = [line for line in text.splitlines() if line and not line.startswith("#")]
        uris += re.findall(r'URI="([^"]+)"', text)
        if "#EXT-X-STREAM-INF" not in text:
            return [urljoin(path, uri) for uri in uris]
        path = urljoin(path, uris[0])


OPEN = "vhost open.example { play { start gop; } publish { grace 0; } hls { enabled on; hls_fragment 1; hls_window 60; } }"


def test_a_session_of_one_stream_opens_no_other(serve: Callable[..., Server]) -> None:
    server = serve(VHOSTS.format(allowed=HOST, more="", fmp4="off") + OPEN)
    with (
        Broadcast(server.rtmp, "both", speed=4),
        Broadcast(server.rtmp, "both?vhost=open.example", speed=4),
    ):
        media = follow(server, "/live/both.m3u8")
        status, master = get(server, "/live/both.m3u8?vhost=open.example", DENIED)
        assert status == 200, master
        (word,) = re.findall(r"hls_ctx=(\w+)", master)
        assert get(server, f"/live/both.m3u8?hls_ctx={word}&vhost=open.example", DENIED)[0] == 200
        for path in ("/live/both.m3u8", *(each.partition("?")[0] for each in media)):
            assert get(server, f"{path}?hls_ctx={word}", DENIED)[0] == 403
        assert get(server, f"/live/both.m3u8?hls_ctx={word}&vhost=open.example", DENIED)[0] == 200


@pytest.mark.parametrize("fmp4", ["off", "on"])
@pytest.mark.parametrize("more", ["", "hls_ctx off;", "hls_ts_ctx off;"])
def test_segments_are_for_those_who_may_play(serve: Callable[..., Server], more: str, fmp4: str) -> None:
    server = serve(VHOSTS.format(allowed=HOST, more=more, fmp4=fmp4))
    with Broadcast(server.rtmp, "closed", speed=4):
        media = follow(server, "/live/closed.m3u8")
        assert media
        for path in media:
            bare = path.partition("?")[0]
            for each in {path, bare}:
                assert get(server, each)[0] == 200
                assert get(server, each, DENIED)[0] == 403
        server.log.wait(rf"player \w+ from {DENIED} of /live/closed refused: forbidden")
        assert not [row for row in server.clients() if row["ip"] == DENIED]
        assert get(server, "/live/closed-999.ts", DENIED)[0] == 404
