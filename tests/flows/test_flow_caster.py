"""The port of a `stream_caster`: FLV by POST and PUT, from ffmpeg and curl as users type them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from clip import Clip, ffmpeg, finish, push
from flvread import AUDIO, VIDEO, media
from httppush import HttpPush
from model.ports import free_ports
from player import Player, Recorder, check_start, numbers
from publisher import film, headers
from pushsite import CASTER, Casters, publisher_row
from reloading import LEAN, Make, change_of, refused, status
from server import HOST, Server, run, until, vhost_text


@pytest.fixture(scope="module")
def server(casters: Casters) -> Server:
    return casters.server


def check_played(player: Player, clip: Clip) -> None:
    """All pictures of the clip came, and all sound but that before the first of them."""
    assert player.clean
    assert media(player.tags, VIDEO) == media(clip.flv.tags, VIDEO)
    sounds, sent = media(player.tags, AUDIO), media(clip.flv.tags, AUDIO)
    assert sounds == sent[len(sent) - len(sounds) :] and len(sounds) >= len(sent) - 2


def test_what_ffmpeg_sends_to_a_caster_plays_on_the_mount(casters: Casters, h264: Clip) -> None:
    with Player(casters.server.http, "/live/cast.flv") as player:
        recorder = Recorder(player)
        finish(push(h264.path, f"http://{HOST}:{casters.caster}/live/cast.flv"))
        recorder.done()
        check_played(player, h264)
    casters.server.log.wait(r"publisher \w+ of /live/cast left: stopped")


@pytest.mark.parametrize("port", ["caster", "mount"])
def test_curl_sends_what_ffmpeg_writes_into_a_pipe(casters: Casters, h264: Clip, port: str) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl here")
    number = casters.caster if port == "caster" else casters.server.http
    path = f"/live/pipe-{port}.flv"
    with Player(casters.server.http, path) as player:
        recorder = Recorder(player)
        words = [
            ffmpeg(),
            "-v",
            "error",
            "-nostdin",
            "-re",
            "-i",
            str(h264.path),
            "-c",
            "copy",
            "-f",
            "flv",
            "-",
        ]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
            done = subprocess.run(
                [curl, "-sS", "-T", "-", f"http://{HOST}:{number}{path}"],
                stdin=writer.stdout, capture_output=True, text=True, timeout=30,
            )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "published", "")
        recorder.done()
        check_played(player, h264)


def test_curl_sends_a_file(casters: Casters, h264: Clip) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl here")
    # To a folder, curl appends the name of the file.
    url = f"http://{HOST}:{casters.caster}/live/"
    with Player(casters.server.http, f"/live/{h264.path.stem}.flv") as player:
        recorder = Recorder(player)
        done = subprocess.run(
            [curl, "-sS", "--limit-rate", "200k", "-T", str(h264.path), url],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.returncode, done.stdout) == (0, "published"), done.stderr
        recorder.done()
        assert player.clean and player.count() > 0


@pytest.mark.parametrize(
    ("port", "path", "stream", "host"),
    [
        ("caster", "/live/x.flv", "/live/x.flv", HOST),
        ("caster", "/live/x", "/live/x.flv", HOST),
        ("caster", "/a/b/x.flv", "/a/b/x.flv", HOST),
        ("renamed", "/live/x.flv", "/cast/live-x.flv", "hls"),
    ],
)
def test_output_says_which_stream_is_published(
    casters: Casters, port: str, path: str, stream: str, host: str
) -> None:
    with (
        HttpPush(getattr(casters, port), f"{path}?token=a", method="PUT") as pusher,
        Player(casters.server.http, stream, host=host) as player,
    ):
        pusher.begin([*headers(), *film(20)])
        player.frames(20)
        assert pusher.finish().status == 200
        player.rest()
        check_start(player)
        assert numbers(player) == list(range(20))


def test_the_api_lists_the_publisher_of_a_caster(casters: Casters) -> None:
    with HttpPush(casters.caster, "/live/listed.flv") as pusher:
        pusher.begin([*headers(), *film(5)])
        until(lambda: "listed" in casters.server.streams(), "the publish")
        row = publisher_row(casters.server, "listed")
        assert (row["type"], row["url"], row["ip"]) == ("flv-publish", "/live/listed", HOST)
        casters.server.ask(f"clients/{row['id']}", "DELETE")
        assert pusher.answer().status == 403


@pytest.mark.parametrize(
    ("target", "method", "code"),
    [
        ("/live/x.flv", "GET", 405),
        ("/live/x.flv", "DELETE", 405),
        ("/x.flv", "POST", 400),
        ("/live/", "POST", 400),
        ("/live/%0a.flv", "POST", 400),
        ("/live/../x.flv", "POST", 400),
    ],
)
def test_a_request_that_names_no_stream_is_refused(
    casters: Casters, target: str, method: str, code: int
) -> None:
    with HttpPush(casters.caster, target, method=method, length=0) as pusher:
        answer = pusher.answer()
        assert answer.status == code, answer.text
        assert ("allow" in answer.headers) == (code == 405)


def test_a_reload_opens_moves_and_closes_the_ports(make: Make) -> None:
    first, second, tcp = free_ports(3)
    block = CASTER.format(first, "[app]/[stream]").strip()
    server = make(vhost_text(publish=LEAN), more=f"{block}\n# tcp")
    block = block.replace("@RTMP@", str(server.rtmp))
    with HttpPush(first, "/live/one.flv") as pusher, Player(server.http, "/live/one.flv") as player:
        pusher.begin([*headers(), *film(5)])
        player.frames(5)
        moved = block.replace(str(first), str(second))
        lines = server.change((block, moved), ("# tcp", f"flv_tcp {{ enabled on; listen {tcp}; }}"))
        assert change_of(lines, "stream_caster")[1] == "for new connections"
        assert change_of(lines, "flv_tcp.enabled") == ("off -> on", "at once")
        assert refused(first)
        with HttpPush(second, "/live/two.flv", length=0) as other:
            assert other.answer().status == 400
        pusher.tags(film(5, start=200, first=5))
        player.frames(5)
        assert "output" in server.refuse(("[app]/[stream]; }", "live; }"))
        other = moved.replace("[app]", "cast")
        server.change((moved, other))
        with HttpPush(second, "/live/two.flv") as renamed:
            renamed.begin([*headers(), *film(5)])
            server.log.wait("publishes /cast/two")
            assert renamed.finish().status == 200
        server.change((other, ""), (f"flv_tcp {{ enabled on; listen {tcp}; }}", ""))
        assert refused(second) and refused(tcp)
        assert status(server.http, "/0") == 404
        assert pusher.finish().status == 200


def test_an_output_on_another_server_is_refused_by_the_test_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.write_text(
        "listen 1936; daemon off; srs_log_tank console; vhost __defaultVhost__ { }\n"
        "stream_caster { enabled on; caster flv; output rtmp://127.0.0.1/[app]/[stream]; }"
    )
    done = run("-t", "-c", str(file))
    assert done.returncode == 1
    assert "a.conf:2:48: stream_caster.output rtmp://127.0.0.1/[app]/[stream]" in done.stderr
    assert "write rtmp://127.0.0.1:1936/[app]/[stream]" in done.stderr
