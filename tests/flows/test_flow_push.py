"""Publishing by HTTP: FLV in the body of a POST or PUT becomes a stream as if it had come by RTMP."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin

import pytest
from clip import Clip, decode, end, ffmpeg, finish, push
from flvread import AUDIO, VIDEO, Tag, flv_file, media
from httppush import FLV_HEADER, HttpPush
from player import Player, Recorder, check_start, numbers
from publisher import Publisher, film, headers
from pushsite import publisher_row, serve_pushes
from rtmpplayer import RtmpPlayer
from server import HOST, Server, until
from tlsfiles import Pair, SecureServer, trusting


@pytest.fixture(scope="module")
def secure(serve: Callable[..., Server], pair: Pair) -> SecureServer:
    return serve_pushes(serve, pair)


@pytest.fixture(scope="module")
def server(secure: SecureServer) -> Server:
    return secure.server


# --- a real encoder ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clip_name", "scheme", "options"),
    [
        ("h264_aac", "http", ""),
        ("h264_aac", "http", "-method PUT"),
        ("h264_aac", "http", "-send_expect_100 1"),
        ("h264_aac", "https", "-tls_verify 0"),
        ("hevc_aac", "http", ""),
        ("av1_opus", "http", ""),
        ("h264_two_tracks", "http", ""),
    ],
    ids=["post", "put", "expect", "https", "hevc", "av1", "two_tracks"],
)
def test_what_ffmpeg_pushes_is_played_to_the_last_byte(
    secure: SecureServer, clips: dict[str, Clip], tmp_path: Path, clip_name: str, scheme: str, options: str
) -> None:
    if clip_name not in clips:
        pytest.skip(f"this ffmpeg cannot make {clip_name}")
    clip, server = clips[clip_name], secure.server
    path = f"/live/{tmp_path.name}.flv"
    port = secure.https if scheme == "https" else server.http
    with Player(server.http, path) as player:
        recorder = Recorder(player)
        finish(push(clip.path, f"{scheme}://{HOST}:{port}{path}", after=options))
        recorder.done()
        assert player.clean
        assert media(player.tags, VIDEO) == media(clip.flv.tags, VIDEO)
        # The first picture begins it; sound before that is left out.
        sounds, sent = media(player.tags, AUDIO), media(clip.flv.tags, AUDIO)
        assert sounds == sent[len(sent) - len(sounds) :] and len(sounds) >= len(sent) - 2
        decode(player.save(tmp_path / "played.flv"))
    server.log.wait(rf"publisher \w+ of /live/{tmp_path.name} left: stopped")


def test_ffmpeg_is_told_that_the_name_is_taken(server: Server, h264: Clip) -> None:
    with Publisher(server.rtmp) as first:
        first.publish("taken")
        process = push(h264.path, f"http://{HOST}:{server.http}/live/taken.flv")
        _, complaint = process.communicate(timeout=20)
        assert process.returncode != 0, complaint
        assert "taken" in server.streams()


def test_ffmpeg_plays_what_ffmpeg_pushes(server: Server, h264: Clip, tmp_path: Path) -> None:
    url = f"http://{HOST}:{server.http}/live/both.flv"
    process = push(h264.path, url, loop=True)
    out = tmp_path / "out.flv"
    words = [ffmpeg(), "-v", "error", "-nostdin", "-xerror", "-i", url, "-t", "2", "-c", "copy", str(out)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and not done.stderr, done.stderr
    finally:
        end(process)
    decode(out)


# --- the same bytes as by RTMP ------------------------------------------------------------------------------


def by_tag(target: HttpPush, tags: list[Tag]) -> None:
    for tag in tags:
        target.tags([tag])


def by_seven_bytes(target: HttpPush, tags: list[Tag]) -> None:
    data = flv_file(tags)[len(FLV_HEADER) :]
    pieces = (data[at : at + 7] for at in range(0, len(data), 7))
    target.sock.sendall(b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces))


def at_once(target: HttpPush, tags: list[Tag]) -> None:
    target.tags(tags)


@pytest.mark.parametrize(
    ("feed", "method", "sized"),
    [(by_tag, "POST", False), (by_seven_bytes, "PUT", False), (at_once, "PUT", True), (by_tag, "POST", True)],
    ids=["a chunk each tag", "chunks of 7 bytes", "with length", "with length, tag by tag"],
)
def test_a_push_plays_as_an_rtmp_publish_of_the_same_tags_does(
    server: Server, feed: Callable[[HttpPush, list[Tag]], None], method: str, sized: bool
) -> None:
    first, rest = [*headers(), *film(25)], list(film(75, start=1000, first=25))
    names = {way: f"{way}{feed.__name__}{sized:d}" for way in ("rtmp", "http")}
    length = len(flv_file(first + rest)) if sized else None
    with ExitStack() as stack:
        flv = {
            way: stack.enter_context(Player(server.http, f"/live/{name}.flv", host="hls"))
            for way, name in names.items()
        }
        rtmp = {
            way: stack.enter_context(RtmpPlayer(server.rtmp).open(f"{name}?vhost=hls"))
            for way, name in names.items()
        }
        publisher = stack.enter_context(Publisher(server.rtmp))
        publisher.publish(names["rtmp"], tc_url="rtmp://hls/live")
        pusher = stack.enter_context(
            HttpPush(server.http, f"/live/{names['http']}.flv", method=method, length=length, host="hls")
        )
        publisher.tags(first)
        pusher.data(FLV_HEADER)
        feed(pusher, first)
        players: list[Player | RtmpPlayer] = [*flv.values(), *rtmp.values()]
        # Those that waited join at the newest keyframe: the rest follows when all have the first.
        for player in players:
            player.frames(25)
        # So does the muxer, which its first viewer starts.
        playlists = {way: hls_playlist(server, name) for way, name in names.items()}
        publisher.tags(rest)
        feed(pusher, rest)
        for player in players:
            player.frames(75)
        assert hls_segments(playlists["rtmp"]) == hls_segments(playlists["http"])
        publisher.finish()
        assert pusher.finish().status == 200
        for player in flv.values():
            player.rest()
            assert player.clean
            check_start(player)
            assert numbers(player) == list(range(100))
        assert bytes(flv["rtmp"].body) == bytes(flv["http"].body)
        for player in rtmp.values():
            player.rest()
        assert rtmp["rtmp"].tags == rtmp["http"].tags
        assert media(rtmp["http"].tags) == media(flv["http"].tags) == media(first + rest)


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        data = answer.read()
    assert isinstance(data, bytes)
    return data


def hls_playlist(server: Server, name: str) -> str:
    """Begin to view; return the URL of the playlist of this viewer."""
    url = f"http://{HOST}:{server.http}/live/{name}.m3u8?vhost=hls"
    lines = get(url).decode().splitlines()
    return urljoin(url, next(line for line in lines if line and not line.startswith("#")))


def hls_segments(url: str) -> list[tuple[str, bytes]]:
    """Length and bytes of the first three segments."""
    listed: list[tuple[str, str]] = []

    def complete() -> bool:
        listed[:] = re.findall(r"#EXTINF:([^\n]*)\n(?:#[^\n]*\n)*([^#\n]+)", get(url).decode())
        return len(listed) >= 3

    until(complete, "three segments", 20)
    return [(length, get(urljoin(url, uri))) for length, uri in listed[:3]]


# --- what is said of it ------------------------------------------------------------------------------------------


def test_the_api_lists_a_push_as_a_publisher(secure: SecureServer) -> None:
    server = secure.server
    frames = list(film(20))
    size = sum(len(tag.body) for tag in frames)
    with HttpPush(
        secure.https,
        "/live/listed.flv?token=secret",
        tls=trusting(),
        host="example.com",
        headers=("Referer: http://site.example/page",),
    ) as pusher:
        pusher.begin([*headers(), *frames])
        with Player(server.http, "/live/listed.flv") as player:
            player.frames(20)
            row, stream = publisher_row(server, "listed"), server.streams()["listed"]
        assert row["type"] == "flv-publish" and row["ip"] == HOST
        assert row["url"] == "/live/listed" and row["stream"] == stream["id"]
        assert row["tcUrl"] == "https://example.com/live" and row["pageUrl"] == "http://site.example/page"
        assert size <= row["recv_bytes"] <= size + 1000
        assert stream["publish"].items() >= {"active": True, "cid": row["id"], "state": "live"}.items()
        assert stream["video"]["codec"] == "H264" and stream["audio"]["codec"] == "AAC"
        assert stream["frames"] >= 20 and stream["audio_frames"] >= 20
        assert pusher.finish().status == 200
    server.log.wait(rf"publisher {row['id']} from {HOST} publishes /live/listed")
