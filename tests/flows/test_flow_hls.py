"""HLS as real players read it: every codec, from memory and from disk, over a publisher's return."""

from __future__ import annotations

import contextlib
import re
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import av
import pytest
from clip import FORMS, H264, X264, Clip, Form, end, ffmpeg, finish, make, push
from flvread import AUDIO, VIDEO, Tag, media
from server import HOST, Server, until, vhost_text

HLS = "hls { enabled on; hls_fragment 1; hls_window 6; %s }"
MP4 = {"hevc_aac", "av1_opus", "vp9_opus", "h264_flac"}
"Forms whose segments are fragmented MP4."
LEFT_OUT = {"h264_alaw", "h264_mulaw"}
"Forms whose sound HLS does not carry."


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Server:
    folder = tmp_path_factory.mktemp("www")
    sites = f"""
    vhost mp4.example.com {{ {HLS % "hls_use_fmp4 on; hls_ctx off;"} }}
    vhost disk.example.com {{ publish {{ grace 0; }} {HLS % f"hls_path {folder}; hls_dispose 2; hls_ctx off;"} }}
    vhost keys.example.com {{ {HLS % "hls_keys on; hls_fragments_per_key 2;"} }}
    vhost mp4keys.example.com {{ {HLS % "hls_keys on; hls_use_fmp4 on; hls_ctx off;"} }}
    vhost slow.example.com {{ hls {{ enabled on; hls_path {folder}/slow; }} }}
    vhost film.example.com {{ publish {{ grace 0; }} hls {{ enabled on; hls_fragment 1; hls_window 200; hls_path {folder}/film; }} }}
    vhost back.example.com {{ publish {{ grace 10; }} {HLS % "hls_ctx off; hls_window 30;"} }}
    """
    return serve(vhost_text(play="mw_latency 0; on_missing 10;", more=HLS % "") + sites)


@pytest.fixture(scope="module")
def on_air(server: Server, clips: dict[str, Clip]) -> Iterator[dict[str, Clip]]:
    """All clips published in a loop, all at once."""
    publishers = [push(made.path, server.publish_url(name), loop=True) for name, made in clips.items()]
    until(lambda: set(clips) <= set(server.streams()), "publish", 20)
    yield clips
    for process in publishers:
        end(process)


def url(server: Server, stream: str, vhost: str = "") -> str:
    return f"http://{HOST}:{server.http}/live/{stream}.m3u8" + (f"?vhost={vhost}" if vhost else "")


def text(address: str) -> str:
    with urllib.request.urlopen(address, timeout=15) as answer:
        return str(answer.read().decode())


def variant(address: str) -> str:
    """The playlist behind a master playlist."""
    line = next(line for line in text(address).splitlines() if line and not line.startswith("#"))
    return urljoin(address, line)


def play(address: str, seconds: float) -> None:
    """Decode for a while; the first complaint of ffmpeg fails the test."""
    words = [ffmpeg(), "-v", "error", "-xerror", "-i", address, "-t", str(seconds), "-f", "null", "-"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.fixture(params=[form.name for form in FORMS])
def name(request: pytest.FixtureRequest, on_air: dict[str, Clip]) -> str:
    if request.param not in on_air:
        pytest.skip(f"this ffmpeg cannot make {request.param} in FLV")
    return str(request.param)


def test_ffmpeg_decodes_every_codec(name: str, server: Server) -> None:
    play(url(server, name), 4)


def test_the_container_fits_the_codecs(name: str, server: Server, on_air: dict[str, Clip]) -> None:
    playlist = text(variant(url(server, name)))
    assert ("#EXT-X-MAP" in playlist) == (name in MP4)
    form = on_air[name].form
    codecs = re.search(r'CODECS="([^"]*)"', text(url(server, name)))
    assert codecs is not None
    kinds = {"avc1": "video", "hvc1": "video", "av01": "video", "vp09": "video"}
    found = [kinds.get(codec[:4], "audio") for codec in codecs[1].split(",")]
    wanted = ["video"] * bool(form.video) + ["audio"] * (bool(form.audio) and name not in LEFT_OUT)
    assert found == wanted


@pytest.mark.parametrize("where", ["keys.example.com", "mp4keys.example.com"], ids=["ts", "mp4"])
def test_ffmpeg_decodes_what_is_encrypted(where: str, server: Server, h264: Clip) -> None:
    process = push(h264.path, server.publish_url(f"sealed?vhost={where}"), loop=True)
    try:
        address = url(server, "sealed", where)
        play(address, 6)
        playlist = text(variant(address)) if where == "keys.example.com" else text(address)
        assert playlist.count("#EXT-X-KEY:METHOD=AES-128") >= 4
        if where == "keys.example.com":
            assert len(set(re.findall(r'URI="([^"?]*\.key)', playlist))) >= 2
    finally:
        end(process)


@pytest.mark.parametrize("where", ["", "mp4.example.com"], ids=["ts", "mp4"])
def test_sound_and_picture_are_as_far_apart_as_they_were_published(
    where: str, server: Server, on_air: dict[str, Clip], h264: Clip
) -> None:
    if where:
        process = push(h264.path, server.publish_url(f"sync?vhost={where}"), loop=True)
        address = url(server, "sync", where)
    else:
        process, address = None, url(server, "h264_aac")
    try:
        apart = list(offsets(address, h264.flv.tags, 8))
    finally:
        if process is not None:
            end(process)
    assert len(apart) > 50
    # The clip begins anew every two seconds: a few pairs lie across that.
    assert abs(statistics.median(apart)) < 3
    assert sum(abs(each) > 25 for each in apart) < len(apart) / 5


def offsets(address: str, sent: list[Tag], seconds: float) -> Iterator[float]:
    """How much later each sound comes, against the picture before it, than it was published, ms."""
    sources: dict[bytes, list[float]] = {}
    for tag in media(sent):
        if tag.kind == VIDEO:
            shown = tag.time + int.from_bytes(tag.body[2:5], "big", signed=True)
            sources.setdefault(last_unit(lengths(tag.body[5:])), []).append(shown)
        else:
            sources.setdefault(tag.body[2:], []).append(tag.time)
    picture: tuple[float, float] | None = None
    with av.open(address, timeout=20) as stream:
        first = None
        for packet in stream.demux():
            if packet.pts is None:
                continue
            at = float(packet.pts * packet.time_base * 1000)
            first = at if first is None else first
            if at > first + seconds * 1000:
                return
            data = bytes(packet)
            if packet.stream.type == "video":
                units = codes(data) if data[:4] == b"\0\0\0\1" else lengths(data)
                found = sources.get(last_unit(units), [])
                if len(found) == 1:
                    picture = (at, found[0])
            else:
                found = sources.get(data[7:] if data[:2] == b"\xff\xf1" else data, [])
                if len(found) == 1 and picture is not None:
                    yield (at - picture[0]) - (found[0] - picture[1])


def lengths(data: bytes) -> list[bytes]:
    units = []
    while data:
        size = int.from_bytes(data[:4], "big")
        units.append(data[4 : 4 + size])
        data = data[4 + size :]
    return units


def codes(data: bytes) -> list[bytes]:
    return re.split(rb"\x00?\x00\x00\x01", data)[1:]


def last_unit(units: list[bytes]) -> bytes:
    return units[-1].rstrip(b"\0")


def test_a_player_stays_while_the_publisher_returns(server: Server, h264: Clip) -> None:
    where = "back.example.com"
    publish = server.publish_url(f"cam?vhost={where}")
    address = url(server, "cam", where)
    process = push(h264.path, publish, loop=True)
    try:
        until(lambda: "cam" in server.streams(), "publish", 10)
        words = [ffmpeg(), "-v", "error", "-xerror", "-i", address, "-t", "12", "-f", "null", "-"]
        player = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        server.log.wait("publishes back.example.com/live/cam")
        until(lambda: text(address).count("#EXTINF") >= 3, "three segments", 15)
        process.kill()
        process.communicate()
        server.log.wait("of back.example.com/live/cam left")
        process = push(h264.path, publish, loop=True)
        until(lambda: "#EXT-X-DISCONTINUITY\n" in text(address), "a discontinuity", 15)
        _, complaint = player.communicate(timeout=60)
        # FFmpeg may mention that the frame numbers of H.264 begin anew.
        assert player.returncode == 0, complaint
        assert "ENDLIST" not in text(address)
    finally:
        end(process)


def files(folder: Path, pattern: str) -> list[Path]:
    """Files below *folder*, also while the server removes some."""
    with contextlib.suppress(FileNotFoundError):
        return list(folder.rglob(pattern))
    return [folder]


def test_files_are_there_whether_somebody_asks_or_not(server: Server, h264: Clip, tmp_path: Path) -> None:
    where = "disk.example.com"
    folder = Path(re.search(r"hls_path (\S+);", server.file.read_text())[1])  # type: ignore[index]
    process = push(h264.path, server.publish_url(f"cam?vhost={where}"), loop=True)
    try:
        playlist = folder / "live/cam.m3u8"
        until(lambda: playlist.exists() and playlist.read_text().count("#EXTINF") >= 4, "four segments", 20)
        play(str(playlist), 3)
        play(url(server, "cam", where), 3)
        until(lambda: not files(folder, "*.part"), "no file that is being written")
    finally:
        end(process)
    until(lambda: not playlist.exists() or "#EXT-X-ENDLIST" in playlist.read_text(), "the end", 10)
    until(lambda: not files(folder, "*.*"), "removal", 10)
    with pytest.raises(urllib.error.HTTPError):
        text(url(server, "cam", where))


def test_a_film_that_ffmpeg_pushes_as_fast_as_it_can_is_whole(server: Server, clip_folder: Path) -> None:
    made = make(Form("two_minutes", X264, H264.audio, seconds=120), clip_folder)
    assert made is not None
    folder = Path(re.search(r"hls_path (\S+/film);", server.file.read_text())[1])  # type: ignore[index]
    finish(push(made.path, server.publish_url("whole?vhost=film.example.com"), rate=0), 60)
    playlist = folder / "live/whole.m3u8"
    until(lambda: playlist.exists() and "#EXT-X-ENDLIST" in playlist.read_text(), "the end", 20)
    assert "DISCONTINUITY" not in playlist.read_text()
    counts = {"video": 0, "audio": 0}
    with av.open(str(playlist)) as film:
        for packet in film.demux():
            counts[packet.stream.type] += packet.size > 0
    assert counts == {
        "video": len(media(made.flv.tags, VIDEO)),
        "audio": len(media(made.flv.tags, AUDIO)),
    }


def test_a_viewer_is_a_client_of_the_api(server: Server, on_air: dict[str, Clip]) -> None:
    address = variant(url(server, "h264_aac"))
    assert "#EXTINF" in text(address)
    word = address.partition("hls_ctx=")[2]
    (row,) = [row for row in server.clients() if row["id"] == word]
    assert row["type"] == "hls-play" and row["send_bytes"] > 0 and row["name"] == "h264_aac.m3u8"
    assert server.ask(f"clients/{word}", method="DELETE")["code"] == 0
    with pytest.raises(urllib.error.HTTPError) as refused:
        text(address)
    assert refused.value.code == 404
    assert word not in {row["id"] for row in server.clients()}


@pytest.mark.parametrize("where", ["", "slow.example.com"], ids=["memory", "disk, 10 s"])
def test_the_first_playlist_comes_soon(where: str, server: Server, h264: Clip) -> None:
    query = f"?vhost={where}" if where else ""
    process = push(h264.path, server.publish_url("quick") + query, loop=True)
    try:
        until(lambda: server.streams().get("quick", {}).get("frames", 0) >= 50, "2 s of pictures", 10)
        began = time.monotonic()
        assert "#EXTINF" in text(variant(url(server, "quick", where)))
        assert time.monotonic() - began < 4
    finally:
        end(process)
