"""Other people's RTMP clients and servers that play a stream of ours."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip, decode, end, ffmpeg, finish, push
from flvread import AUDIO, VIDEO, media, read_flv
from model.ports import free_ports
from otherservers import pulled_by_nginx, pulled_by_srs
from publisher import Publisher
from server import HOST, Server, until, vhost_text

CODECS = ("h264_aac", "hevc_aac", "h264_mp3", "av1_opus")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    # A client that tries again at the end is not kept waiting.
    return serve(vhost_text(remux="on_missing 0;"))


def show(server: Server, clip: Clip, name: str, words: list[str]) -> None:
    """Start a client, publish the clip to it, and see it end with the stream, content."""
    since = len(server.log.lines)
    with Publisher(server.rtmp) as publisher:
        publisher.publish(name)
        frames = media(clip.flv.tags)
        publisher.tags([*(tag for tag in clip.flv.tags if tag.is_config), *frames[:4]])
        client = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        try:
            server.log.wait(f"joins /live/{name} by rtmp", since)
            for _ in publisher.live(frames[4:]):
                pass
            publisher.finish()
            _, complaint = client.communicate(timeout=20)
        finally:
            end(client)
    assert client.returncode == 0 and not complaint, complaint


def check_recording(path: Path, clip: Clip) -> None:
    """Every frame of the clip, at its time, and a decoder is content."""
    tags = read_flv(path.read_bytes()).tags
    for kind in (VIDEO, AUDIO):
        assert media(tags, kind) == media(clip.flv.tags, kind)
    decode(path)


@pytest.mark.parametrize("name", CODECS)
def test_ffmpeg_plays(server: Server, clips: dict[str, Clip], name: str) -> None:
    if name not in clips:
        pytest.skip(f"this ffmpeg cannot make {name} in FLV")
    words = [ffmpeg(), "-v", "error", "-xerror", "-i", server.publish_url(f"ff_{name}")]
    show(server, clips[name], f"ff_{name}", [*words, "-map", "0:v", "-map", "0:a", "-f", "null", "-"])


def test_ffmpeg_records_every_frame(server: Server, h264: Clip, tmp_path: Path) -> None:
    path = tmp_path / "record.flv"
    words = [
        ffmpeg(),
        "-v",
        "error",
        "-i",
        server.publish_url("record"),
        "-map",
        "0",
        "-c",
        "copy",
        str(path),
    ]
    show(server, h264, "record", words)
    check_recording(path, h264)


def test_rtmpdump_records(server: Server, h264: Clip, tmp_path: Path) -> None:
    if shutil.which("rtmpdump") is None:
        pytest.skip("no rtmpdump")
    path = tmp_path / "dump.flv"
    show(
        server, h264, "dump", ["rtmpdump", "-q", "--live", "-r", server.publish_url("dump"), "-o", str(path)]
    )
    check_recording(path, h264)


def test_rtmpdump_ends_after_the_time_it_asks_for(server: Server, h264: Clip, tmp_path: Path) -> None:
    if shutil.which("rtmpdump") is None:
        pytest.skip("no rtmpdump")
    url = server.publish_url("timed")
    with Broadcast(server.rtmp, "timed", clip=h264):
        until(lambda: "timed" in server.streams(), "publish")
        words = ["rtmpdump", "-q", "--live", "-B", "2", "-r", url, "-o", str(tmp_path / "dump.flv")]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert media(read_flv((tmp_path / "dump.flv").read_bytes()).tags, VIDEO)


@pytest.mark.parametrize("source", ["rtmp2src", "rtmpsrc"])
def test_gstreamer_records(server: Server, h264: Clip, tmp_path: Path, source: str) -> None:
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("no gst-launch-1.0")
    if subprocess.run(["gst-inspect-1.0", "--exists", source], capture_output=True).returncode:
        pytest.skip(f"no {source}")
    path = tmp_path / "gst.flv"
    words = [
        "gst-launch-1.0",
        "-q",
        source,
        f"location={server.publish_url(source)}",
        "!",
        "filesink",
        f"location={path}",
    ]
    show(server, h264, source, words)
    check_recording(path, h264)


# --- servers that pull -----------------------------------------------------------------------------


@pytest.mark.parametrize("pulling", [pulled_by_srs, pulled_by_nginx])
def test_a_server_pulls_once_for_all_its_players(
    server: Server, h264: Clip, tmp_path: Path, pulling: Callable[..., AbstractContextManager[None]]
) -> None:
    (port,) = free_ports(1)
    name = pulling.__name__
    with pulling(tmp_path, port, server.rtmp):
        publisher = push(h264.path, server.publish_url(name), loop=True)
        paths = [tmp_path / f"{i}.flv" for i in range(2)]
        words = [
            ffmpeg(),
            "-v",
            "error",
            "-rw_timeout",
            "15000000",
            "-i",
            f"rtmp://{HOST}:{port}/live/{name}",
        ]
        words += ["-t", "3", "-map", "0", "-c", "copy"]
        try:
            server.log.wait(f"publishes /live/{name}$")
            players = [
                subprocess.Popen([*words, str(path)], stderr=subprocess.PIPE, text=True) for path in paths
            ]
            for player in players:
                finish(player, 40)
            assert len(server.log.find(f"joins /live/{name} by rtmp")) == 1
        finally:
            end(publisher)
    for path in paths:
        tags = read_flv(path.read_bytes()).tags
        for kind in (VIDEO, AUDIO):
            frames = [tag.body for tag in media(h264.flv.tags, kind)]
            got = [tag.body for tag in media(tags, kind)]
            first = frames.index(got[0])
            assert got == (frames * 4)[first : first + len(got)] and len(got) >= 30
        decode(path)
