"""Viewers on slow links: what is left out for them, and that all they got decodes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip, Form, decode, make
from player import Player
from server import Server, until, vhost_text
from tlsfiles import make_pair, serve_tls, trusting

FORM = Form(
    "b_frames",
    "libx264 -preset ultrafast -pix_fmt yuv420p -profile:v main -bf 2 -g 40 -keyint_min 40 -sc_threshold 0"
    " -x264-params b-pyramid=none -minrate 1000k -maxrate 1000k -bufsize 200k",
    "aac -ar 44100 -ac 2 -b:a 64k",
    seconds=6.0,
    size="640x360",
)
SPEED = 3
PLAY = "mw_latency 0; start gop; lag_drop 300; lag_jump 4000; lag_close 600000;"


@pytest.fixture(scope="module")
def clip(clip_folder: Path) -> Clip:
    made = make(FORM, clip_folder)
    assert made is not None, "this ffmpeg has no libx264 or no aac"
    return made


def crawl(player: Player, seconds: float, rate: float) -> None:
    """Read no faster than *rate* bytes a second."""
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        player.step()
        ahead = len(player.body) / rate - spent
        if ahead > 0:
            # This is what a slow link does.
            time.sleep(ahead)


def steps(server: Server) -> dict[str, int]:
    """What the API says of the one player."""
    (row,) = [row for row in server.clients() if not row["publish"]]
    return {name: row[name] for name in ("lag_ms", "drops", "dropped", "jumps")}


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("container", ["flv", "ts"])
@pytest.mark.parametrize(("part", "jumps"), [(0.7, False), (0.3, True)], ids=["70%", "30%"])
def test_what_a_slow_viewer_gets_decodes(
    serve: Callable[..., Server],
    clip: Clip,
    tmp_path: Path,
    secure: bool,
    container: str,
    part: float,
    jumps: bool,
) -> None:
    text = vhost_text(play=PLAY, remux="mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts;")
    if secure:
        made = serve_tls(serve, text, make_pair(tmp_path))
        server, port, tls = made.server, made.https, trusting()
    else:
        server = serve(text)
        port, tls = server.http, None
    rate = clip.path.stat().st_size / FORM.seconds * SPEED * part
    with Broadcast(server.rtmp, "slow", clip=clip, speed=SPEED):
        until(lambda: "slow" in server.streams(), "publish")
        target = f"/live/slow.{container}"
        with Player(port, target, buffer=4096, tls=tls, flv=container == "flv") as player:
            crawl(player, 8, rate)
            seen = steps(server)
            path = tmp_path / f"slow.{container}"
            if container == "flv":
                player.save(path)
            else:
                path.write_bytes(player.body[: len(player.body) // 188 * 188])
    assert seen["drops"] >= 1
    assert seen["dropped"] >= 10
    assert seen["jumps"] > 0 or not jumps
    decode(path)
