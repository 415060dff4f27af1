"""HTTP/2 as clients meet it: streams side by side over one connection, beside everything else that HTTPS answers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip, ffmpeg
from flvread import VIDEO, FlvReader, media
from h2client import H2Client, established
from server import HOST, Server, vhost_text
from tlsfiles import Pair, SecureServer, serve_tls

MOUNTS = (
    "mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts [vhost]/[app]/[stream].aac; on_missing 10;"
)
CONTAINERS = {"flv": "video/x-flv", "ts": "video/MP2T", "aac": "audio/aac"}
COUNT = 16


@pytest.fixture(scope="module")
def secure(serve: Callable[..., Server], pair: Pair) -> SecureServer:
    text = vhost_text(play="mw_latency 0;", remux=MOUNTS, more="hls { enabled on; hls_fragment 1; }")
    return serve_tls(serve, text, pair)


def test_sixteen_players_of_one_connection_play_side_by_side(secure: SecureServer, h264: Clip) -> None:
    server = secure.server
    with Broadcast(server.rtmp, "wall", clip=h264), H2Client(secure.https) as client:
        streams = [client.ask("/live/wall.flv") for _ in range(COUNT)]
        readers = {stream: FlvReader() for stream in streams}

        def played() -> bool:
            for stream in streams:
                readers[stream].feed(bytes(client.answers[stream].body))
                client.answers[stream].body.clear()
            return all(
                sum(tag.kind == VIDEO for tag in media(reader.tags)) > 40 for reader in readers.values()
            )

        client.until(played)
        assert {client.answers[stream].status for stream in streams} == {200}
        assert [each["type"] for each in server.clients()].count("flv-play") == COUNT
        assert established(secure.https) == 1


@pytest.mark.parametrize("container", CONTAINERS)
def test_curl_plays_each_container(secure: SecureServer, h264: Clip, container: str, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if (
        curl is None
        or "HTTP2" not in subprocess.run([curl, "--version"], capture_output=True, text=True).stdout
    ):
        pytest.skip("no curl with HTTP/2")
    with Broadcast(secure.server.rtmp, container, clip=h264):
        url = f"https://{HOST}:{secure.https}/live/{container}.{container}"
        words = [curl, "-sk", "--http2", "-D", "-", "-m", "4", url]
        done = subprocess.run(words, capture_output=True, timeout=30)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/2 200") and f"content-type: {CONTAINERS[container]}".encode() in head
    file = tmp_path / f"played.{container}"
    file.write_bytes(body)
    # It was cut in the middle of a frame: what counts is that frames decode.
    done = subprocess.run(
        [ffmpeg(), "-v", "info", "-i", str(file), "-f", "null", "-"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and len(body) > 10_000, done.stderr


def test_the_api_playlists_segments_and_pages_answer_beside_a_player(
    secure: SecureServer, h264: Clip
) -> None:
    with Broadcast(secure.server.rtmp, "beside", clip=h264), H2Client(secure.https) as client:
        play = client.ask("/live/beside.flv")
        client.until(lambda: len(client.answers[play].body) > 10_000)
        found = client.get("/live/beside.m3u8")
        assert (found.status, found.body[:7]) == (200, b"#EXTM3U")
        listed = [line for line in found.body.decode().splitlines() if line and line[0] != "#"]
        if listed and ".m3u8" in listed[0]:
            listed = [
                line
                for line in client.get("/live/" + listed[0].rpartition("/")[2]).body.decode().splitlines()
                if line and line[0] != "#"
            ]
        segment = client.get("/live/" + listed[0].rpartition("/")[2])
        assert (segment.status, segment.body[0]) == (200, 0x47)
        assert int(segment.fields["content-length"]) == len(segment.body)
        head = client.get("/live/beside.flv", "HEAD")
        assert (head.status, head.body, head.fields["content-type"]) == (200, b"", "video/x-flv")
        assert client.get("/nothing").status == 404
        assert client.get("/live/beside.flv", "DELETE").status == 405
        assert client.answers[play].over is False
