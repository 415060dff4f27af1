"""Joins at any phase of a long GOP: a keyframe at once, and with a compact start nobody stays behind live."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import pytest
from broadcast import Broadcast, endless
from clip import Clip, Form, ffmpeg, make
from flvread import VIDEO, flv_file, media
from model import ts
from offset import frames
from player import Player, check_start
from rtmpplayer import RtmpPlayer
from server import Server, until, vhost_text
from wsclient import WebSocket

GOP = 4.0
"Seconds."
FORM = Form(
    "long_gop",
    "libx264 -preset ultrafast -pix_fmt yuv420p -profile:v main -bf 2 -g 80 -keyint_min 80 -sc_threshold 0",
    "aac -ar 44100 -ac 2 -b:a 64k",
    seconds=8.0,
)
PHASES = 5


@pytest.fixture(scope="module")
def live(serve: Callable[..., Server], clip_folder: Path) -> Iterator[tuple[Server, Clip]]:
    made = make(FORM, clip_folder)
    assert made is not None, "this ffmpeg has no libx264 or no aac"
    server = serve(
        vhost_text(
            play="mw_latency 0; start compact;", remux="mount [vhost]/[app]/[stream].ts; on_missing 5;"
        )
    )
    with Broadcast(server.rtmp, "long", clip=made):
        until(lambda: "long" in server.streams(), "publish")
        yield server, made


def behind(player: Player | WebSocket | RtmpPlayer) -> float:
    """Read on for a second; return how much media more than time has passed since the first picture, ms."""
    player.frames(1)
    began = time.monotonic()
    player.until(lambda me: time.monotonic() - began > 1)
    shown = [tag.time for tag in media(player.tags, VIDEO)]
    return shown[-1] - shown[0] - 1000 * (time.monotonic() - began)


def test_a_compact_start_leaves_nobody_behind(live: tuple[Server, Clip], tmp_path: Path) -> None:
    server, _ = live
    lags: list[float] = []
    for i in range(PHASES):
        with Player(server.http, "/live/long.flv") as player:
            lags.append(behind(player))
            check_start(player)
            assert len(frames(player.save(tmp_path / f"{i}.flv"), "v")) >= len(media(player.tags, VIDEO)) - 2
        time.sleep(GOP / PHASES / 2)
    # A start at the GOP's own pace would leave one of them some 3.5 s behind.
    assert max(lags) < 1000, lags


def test_the_same_over_websocket_and_rtmp(live: tuple[Server, Clip], tmp_path: Path) -> None:
    server, _ = live
    with WebSocket(server.http, "/live/long.flv") as ws, RtmpPlayer(server.rtmp).open("long") as rtmp:
        assert behind(ws) < 1000
        assert behind(rtmp) < 2000, "the second it waited for the other included"
        for player, name in ((ws, "ws"), (rtmp, "rtmp")):
            check_start(player)
            path = tmp_path / f"{name}.flv"
            path.write_bytes(flv_file([tag for tag in player.tags if tag.kind != 18]))
            assert len(frames(path, "v")) >= len(media(player.tags, VIDEO)) - 2


def test_a_compact_start_of_ts_decodes_and_has_no_seam(live: tuple[Server, Clip], tmp_path: Path) -> None:
    server, _ = live
    for i in range(PHASES):
        with Player(server.http, "/live/long.ts", flv=False) as player:
            player.head()
            began = time.monotonic()
            player.until(lambda me, began=began: time.monotonic() - began > 0.8)
            body = bytes(player.body[: len(player.body) // 188 * 188])
        reader = ts.read_ts(body)
        assert reader.restarts == reader.jumps == 0
        assert reader.pes[0].random_access
        # The last frame may be cut short.
        (tmp_path / f"{i}.ts").write_bytes(body[: 188 * reader.pes[-1].packet])
        assert len(frames(tmp_path / f"{i}.ts", "v")) > 10
        whole = [pes for pes in reader.pes if pes.pid == 0x100]
        assert len(whole) > 10
        span = ts.ahead(whole[-1].dts, whole[0].dts) / 90
        assert span - 1000 * 0.8 < 1000, span
        time.sleep(GOP / PHASES / 2)


def on_ffmpeg(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Read the pictures of *url* with ffmpeg."""
    words = [ffmpeg(), "-hide_banner", "-nostdin", "-i", url, "-map", "0:v", *options, "-"]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def test_tools_of_ffmpeg_find_the_frame_rate_and_record_what_was_asked_for(
    live: tuple[Server, Clip], clip_folder: Path
) -> None:
    server, _ = live
    # Where a clip begins again its frames are off their grid.
    made = make(replace(FORM, name="no_seam", seconds=90.0), clip_folder)
    assert made is not None
    with Broadcast(server.rtmp, "steady", clip=made):
        until(lambda: "steady" in server.streams(), "publish")
        for _ in range(PHASES):
            for container in ("flv", "ts"):
                url = f"http://127.0.0.1:{server.http}/live/steady.{container}"
                said = on_ffmpeg(url, "-frames:v", "1", "-f", "null").stderr
                assert re.search(r"Video: .* 20 tbr", said), said
            time.sleep(GOP / PHASES / 2)
        url = f"http://127.0.0.1:{server.http}/live/steady.flv"
        copied = on_ffmpeg(url, "-t", "3", "-c", "copy", "-f", "framemd5").stdout
        pictures = [line for line in copied.splitlines() if not line.startswith("#")]
        assert len(pictures) == pytest.approx(60, abs=2)


@pytest.mark.parametrize(
    ("agent", "query", "moved"),
    [
        ("Lavf/61.7.100", "", False),
        ("Lavf/61.7.100", "?start=compact", True),
        ("VLC/3.0.21 LibVLC/3.0.21", "", True),
        ("", "", True),
    ],
)
def test_frames_are_moved_for_players_and_not_for_tools(
    live: tuple[Server, Clip], agent: str, query: str, moved: bool
) -> None:
    server, _ = live
    headers = (f"User-Agent: {agent}",) if agent else ()

    def least() -> int:
        with Player(server.http, f"/live/long.flv{query}", headers=headers) as player:
            shown = times(player.frames(8).tags)
        return min(b - a for a, b in pairwise(shown))

    if moved:
        # At the beginning of a GOP there is nothing to move.
        until(lambda: least() < 25, "frames closer than those of the stream", 20)
    else:
        assert [least() >= 25 for _ in range(PHASES)] == [True] * PHASES


def test_a_player_may_ask_for_the_whole_gop(live: tuple[Server, Clip]) -> None:
    server, made = live
    # Two turns: the GOP may be the last of one, and the sound of a turn is longer than its pictures.
    turns = list(islice(endless(made), 2 * len(media(made.flv.tags))))
    steps = {b - a for a, b in pairwise(times(turns))}
    with Player(server.http, "/live/long.flv?start=gop") as player:
        player.frames(40)
        shown = times(player.tags)
        assert {b - a for a, b in pairwise(shown)} <= steps
    with Player(server.http, "/live/long.flv?start=key") as player:
        player.frames(1)
        assert media(player.tags, VIDEO)[0].is_key
    with Player(server.http, "/live/long.flv?start=never") as player:
        assert "start=never" in player.text()
        assert player.status == 400


def times(tags: list) -> list[int]:  # type: ignore[type-arg]
    return [tag.time for tag in media(tags, VIDEO)]
