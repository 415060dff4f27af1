"""`fastflv push`: files are published by every protocol, at their own pace."""

from __future__ import annotations

import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
from clip import Clip, decode, ffmpeg
from command import ask, command, on_terminal
from flvread import AUDIO, VIDEO, media
from patience import patient
from player import Player, Recorder
from publisher import Publisher
from pushsite import Casters
from server import HOST, Server, until


@pytest.fixture(scope="module")
def server(casters: Casters) -> Server:
    return casters.server


def url_of(casters: Casters, way: str, name: str) -> str:
    server, secure = casters.server, casters.secure
    return {
        "rtmp": f"rtmp://{HOST}:{server.rtmp}/live/{name}",
        "rtmps": f"rtmps://{HOST}:{secure.rtmps}/live/{name}",
        "http": f"http://{HOST}:{server.http}/live/{name}.flv",
        "https": f"https://{HOST}:{secure.https}/live/{name}.flv",
        "ws": f"ws://{HOST}:{server.http}/live/{name}.flv?token=a",
        "wss": f"wss://{HOST}:{secure.https}/live/{name}.flv",
        "caster": f"http://{HOST}:{casters.caster}/live/{name}.flv",
        "caster ws": f"ws://{HOST}:{casters.caster}/live/{name}.flv",
    }[way]


@pytest.mark.parametrize("way", ["rtmp", "rtmps", "http", "https", "ws", "wss", "caster", "caster ws"])
def test_a_file_is_published_to_its_last_frame(
    casters: Casters, h264: Clip, way: str, tmp_path: Path
) -> None:
    name = way.replace(" ", "-")
    with Player(casters.server.http, f"/live/{name}.flv") as player:
        recorder = Recorder(player)
        report = ask("push", h264.path, url_of(casters, way, name), "--insecure", "--speed", "2")
        recorder.done()
        assert player.clean
        assert media(player.tags, VIDEO) == media(h264.flv.tags, VIDEO)
        sounds, sent = media(player.tags, AUDIO), media(h264.flv.tags, AUDIO)
        assert sounds == sent[len(sent) - len(sounds) :] and len(sounds) >= len(sent) - 2
        decode(player.save(tmp_path / "played.flv"))
    assert report["took"] > h264.form.seconds / 2 - 0.5, "faster than its pace"
    casters.server.log.wait(rf"publisher \w+ of /live/{name} left: stopped")


def test_two_files_and_a_loop_are_one_stream(casters: Casters, h264: Clip, tmp_path: Path) -> None:
    server = casters.server
    process = command("push", h264.path, h264.path, url_of(casters, "rtmp", "loop"), "--loop", "--speed", "4")
    count = len(media(h264.flv.tags, VIDEO))
    with Player(server.http, "/live/loop.flv") as player:
        player.frames(2 * count + 30)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        player.rest()
        assert player.clean
        # The sound of the clip is a little longer than its pictures.
        times = [tag.time for tag in player.tags if tag.kind == VIDEO and not tag.is_config]
        assert times == sorted(times) and max(b - a for a, b in pairwise(times)) <= 250
        assert sum(tag.is_config for tag in player.tags if tag.kind == VIDEO) == 1
        decode(player.save(tmp_path / "loop.flv"))
    server.log.wait(r"publisher \w+ of /live/loop left: stopped")


@pytest.mark.parametrize("way", ["rtmp", "http", "ws"])
def test_ctrl_c_ends_a_publish_and_not_in_the_middle_of_a_tag(casters: Casters, h264: Clip, way: str) -> None:
    process = command("push", h264.path, url_of(casters, way, f"int-{way}"))
    # Not the stream alone: it is there before the command is told so.
    until(lambda: casters.server.streams().get(f"int-{way}", {}).get("frames", 0) > 0, "a frame", 20)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 130
    casters.server.log.wait(rf"publisher \w+ of /live/int-{way} left: stopped")


@pytest.mark.parametrize("way", ["rtmp", "http", "ws"])
def test_a_name_that_is_taken_and_a_place_that_is_none_are_said(
    casters: Casters, h264: Clip, way: str
) -> None:
    with Publisher(casters.server.rtmp) as first:
        first.publish(f"busy-{way}")
        said = ask("push", h264.path, url_of(casters, way, f"busy-{way}"), status=1)["error"]
        assert "has a publisher" in said
    said = ask("push", h264.path, f"{way}://{HOST}:1/live/x.flv", status=1)["error"]
    assert "connection refused" in said and "is that its port?" in said


def test_a_publish_that_the_server_ends_says_why(casters: Casters, h264: Clip) -> None:
    server = casters.server
    for way, why in (("http", "403"), ("ws", "1008"), ("rtmp", "The publish is over")):
        process = command("push", h264.path, url_of(casters, way, f"kick-{way}"), "--loop")
        until(lambda way=way: f"kick-{way}" in server.streams(), "the publish", 20)  # type: ignore[misc]
        row = next(row for row in server.clients() if row["publish"] and row["name"] == f"kick-{way}")
        server.ask(f"clients/{row['id']}", "DELETE")
        _, complaint = process.communicate(timeout=patient(20))
        assert process.returncode == 1 and why in complaint, complaint


def test_mistakes_are_answered_with_what_to_do(casters: Casters, h264: Clip, tmp_path: Path) -> None:
    def said(*words: str | Path) -> str:
        return str(ask("push", *words, status=1)["error"])

    url = url_of(casters, "rtmp", "x")
    assert "is no URL" in said(h264.path, tmp_path / "a.flv")
    assert "cannot read ftp://a/b" in said(h264.path, "ftp://a/b")
    assert "a push has one URL" in said(h264.path, url, url)
    assert "--loop" in said("-", url, "--loop")
    assert "there is no file" in said(tmp_path / "none.flv", url)
    empty = tmp_path / "empty.flv"
    empty.write_bytes(h264.path.read_bytes()[:13])
    assert "no media" in said(empty, url)
    assert "certificate is not trusted" in said(h264.path, url_of(casters, "https", "x"))


def test_what_ffmpeg_writes_into_a_pipe_is_published(casters: Casters, h264: Clip) -> None:
    words = [ffmpeg(), "-v", "error", "-nostdin", "-re", "-i", str(h264.path), "-c", "copy", "-f", "flv", "-"]
    with Player(casters.server.http, "/live/stdin.flv") as player:
        recorder = Recorder(player)
        with subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
            process = command("push", "-", url_of(casters, "http", "stdin"), stdin=writer.stdout)
            assert process.communicate(timeout=patient(30)) == ("", "")
        assert process.returncode == 0
        recorder.done()
        assert media(player.tags, VIDEO) == media(h264.flv.tags, VIDEO)


def test_speed_0_is_as_fast_as_it_goes_and_a_terminal_shows_progress(casters: Casters, h264: Clip) -> None:
    began = time.monotonic()
    status, shown = on_terminal("push", h264.path, url_of(casters, "rtmp", "fast"), "--speed", "0")
    assert status == 0 and " s" in shown and "/live/fast" in shown.replace("\r\n", "")
    assert time.monotonic() - began < 60
