"""Two origins and an edge, each a process: viewers of every output stay when the origin in use is lost."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from audience import Audience, Seat, check_times
from broadcast import Broadcast
from clip import Clip, end, ffmpeg
from flvread import AUDIO, VIDEO, Tag, media
from player import Player
from server import HOST, Server, until, vhost_text
from upgrading import UpgradingServer

EDGE = """
vhost __defaultVhost__ {{
    cluster {{ mode remote; origin {origins}; warm on; }}
    play {{ mw_latency 0; start gop; }}
    http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts; }}
    hls {{ enabled on; hls_fragment 1; hls_ctx off; }}
}}
"""


@contextmanager
def pushed_to(clip: Clip, *urls: str) -> Iterator[None]:
    """Publish the clip over and over by one ffmpeg; a server that is lost is left out."""
    places = "|".join(f"[f=flv:onfail=ignore]{url}" for url in urls)
    words = [
        ffmpeg(),
        "-v",
        "error",
        "-nostdin",
        "-readrate",
        "1",
        "-stream_loop",
        "-1",
        "-i",
        str(clip.path),
    ]
    words += ["-map", "0", "-c", "copy", "-f", "tee", places]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        end(process)


def check_turns(tags: list[Tag], clip: Clip) -> None:
    """Every frame of each track is there once, from the first to the last."""
    for kind in (VIDEO, AUDIO):
        frames = [tag.body for tag in media(clip.flv.tags, kind)]
        got = [tag.body for tag in media(tags, kind)]
        first = frames.index(got[0])
        turns = len(got) // len(frames) + 2
        assert got == (frames * turns)[first : first + len(got)]


def segments(edge: Server) -> int:
    """How many segments the playlist has had."""
    with urlopen(f"http://{HOST}:{edge.http}/live/x.m3u8", timeout=20) as answer:
        text = answer.read().decode()
    first = next(line for line in text.splitlines() if line.startswith("#EXT-X-MEDIA-SEQUENCE:"))
    return int(first.partition(":")[2]) + text.count("#EXTINF")


@pytest.fixture
def origins(tmp_path: Path) -> Iterator[list[Server]]:
    """Two; the test may kill the first."""
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        made.append(Server(folder, vhost_text()).__enter__())
    yield made
    killed, other = made
    killed.process.kill()
    killed.process.wait()
    killed.log.close()
    other.__exit__(None, None, None)


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)], ids=["killed", "stopped"]
)
def test_viewers_stay_when_the_origin_in_use_is_lost(
    origins: list[Server], film: Clip, tmp_path: Path, how: signal.Signals
) -> None:
    places = " ".join(f"{HOST}:{origin.rtmp}" for origin in origins)
    with (
        Server(tmp_path, EDGE.format(origins=places)) as edge,
        pushed_to(film, *(origin.publish_url("x") for origin in origins)),
    ):
        until(lambda: all("x" in origin.streams() for origin in origins), "publish", 15)
        audience = Audience(edge, "x").ready()
        had = segments(edge)
        edge.log.wait("is fetched from")
        until(lambda: any(not row["publish"] for row in origins[1].clients()), "a warm upstream")
        before = {protocol: seat.size for protocol, seat in audience.seats.items()}
        origins[0].process.send_signal(how)
        edge.log.wait("goes on from .*, no frame repeated")
        audience.wait(lambda seat: seat.size > before[seat.protocol] + 20, "media from the other origin")
        until(lambda: segments(edge) > had, "segments from the other origin")
        until(
            lambda: [row["up"] for row in edge.ask("upstreams")["upstreams"]] == [False, True],
            "an origin that counts as down",
            10,
        )
        [pull] = edge.ask("pulls")["pulls"]
        assert (pull["switches"], pull["origin"]) == (1, f"rtmp://{HOST}:{origins[1].rtmp}")
    for protocol, seat in audience.done().items():
        if protocol != "ts":
            check_turns(seat.tags, film)
            check_times(seat.tags)
        seat.decode(tmp_path)


def last_pictures(seat: Seat) -> int:
    """How many pictures of the newest GOP have come, after its keyframe."""
    bodies = [tag.body for tag in media(list(seat.tags), VIDEO)]
    return next((after for after, body in enumerate(reversed(bodies)) if body[0] >> 4 == 1), 0)


def test_nothing_is_lost_where_a_keyframe_comes_before_the_edge_finds_out(
    origins: list[Server], film: Clip, tmp_path: Path
) -> None:
    """The other origin has a newer GOP by then, and has kept what came before it."""
    places = " ".join(f"{HOST}:{origin.rtmp}" for origin in origins)
    with (
        Server(tmp_path, EDGE.format(origins=places).replace("warm on;", "")) as edge,
        pushed_to(film, *(origin.publish_url("x") for origin in origins)),
    ):
        until(lambda: all("x" in origin.streams() for origin in origins), "publish", 15)
        audience = Audience(edge, "x").ready()
        seat = audience.seats["flv"]
        until(lambda: seat.size > 60, "more than one GOP")
        until(lambda: 14 <= last_pictures(seat) <= 17, "the end of a GOP")
        origins[0].process.send_signal(signal.SIGSTOP)
        before = seat.size
        edge.log.wait("goes on from .*, no frame repeated")
        until(lambda: seat.size > before + 40, "media from the other origin")
    for protocol, seat in audience.done().items():
        if protocol != "ts":
            check_turns(seat.tags, film)
            check_times(seat.tags)


@pytest.mark.slow
def test_an_upgraded_edge_fetches_and_passes_on_what_it_did(tmp_path: Path) -> None:
    """Viewers and publishers of an edge stay while another process takes its place."""
    folder = tmp_path / "origin"
    folder.mkdir()
    with Server(folder, vhost_text(publish="grace 5;")) as origin:
        text = EDGE.format(origins=f"{HOST}:{origin.rtmp}").replace("warm on;", "linger 1;")
        with (
            UpgradingServer(tmp_path, text) as edge,
            Broadcast(origin.rtmp, "down"),
            Broadcast(edge.rtmp, "up"),
            Player(origin.http, "/live/up.flv") as far,
        ):
            far.frames(5)
            with Player(edge.http, "/live/down.flv") as near:
                near.frames(5)
                edge.upgrade()
                until(lambda: edge.keeps, "the old process has let go", 20)
                near.frames(80)
                far.frames(80)
                assert [row["state"] for row in edge.ask("pulls")["pulls"]] == ["fetching"]
            until(lambda: not edge.ask("pulls")["pulls"], "nobody watches", 10)
