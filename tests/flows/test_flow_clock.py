"""The in-band clock: what `fastflv probe` makes of it, and what other people's players and servers do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from audience import Audience, scripts
from browser import MPEGTSJS, Browser, Source, find_chromium, find_script
from clip import Clip, decode, end, ffmpeg, finish, push
from flvread import AUDIO, SCRIPT, VIDEO, Tag, flv_file, media, read_flv
from model.ports import free_ports
from otherservers import pulled_by_nginx, pulled_by_srs
from player import Player
from publisher import Publisher
from rtmpplayer import RtmpPlayer
from server import HOST, Server, run, until, vhost_text
from tlsfiles import make_pair, serve_tls

from fastflv.stream.liveclock import NAME, ClockTag, read_clock

MOUNTS = "mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts; on_missing 10;"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(play="mw_latency 0; live_clock on;", remux=MOUNTS))


@pytest.fixture(scope="module")
def looped(server: Server, h264: Clip) -> Iterator[str]:
    """The name of a stream that a real ffmpeg publishes all the time."""
    process = push(h264.path, server.publish_url("looped"), loop=True)
    until(lambda: "looped" in server.streams(), "publish", 15)
    yield "looped"
    end(process)


def clocks(tags: list[Tag]) -> list[ClockTag]:
    found = [read_clock(tag.body) for tag in tags if tag.kind == SCRIPT]
    return [tag for tag in found if tag is not None]


def test_every_keyframe_has_its_clock_by_every_protocol(server: Server, h264: Clip, tmp_path: Path) -> None:
    began = time.time() * 1000
    with Publisher(server.rtmp) as publisher:
        publisher.publish("each")
        publisher.tags([tag for tag in h264.flv.tags if tag.is_config])
        frames = media(h264.flv.tags)
        publisher.tags(frames[:5])
        audience = Audience(server, "each").ready()
        for _ in publisher.live(frames[5:]):
            pass
        publisher.finish()
    for protocol, seat in audience.done().items():
        seat.decode(tmp_path)
        if protocol == "ts":
            continue
        tags = seat.tags
        keys = [i for i, tag in enumerate(tags) if tag.is_key]
        assert len(keys) == 2
        # The first was there before the player.
        assert clocks([tags[keys[1] - 1]]), "no clock before a keyframe"
        (clock,) = clocks(tags)
        assert (clock.sequence, clock.hop, clock.dts_ms) == (1, 0, tags[keys[1]].time)
        assert began < clock.ingest_ms <= clock.send_ms < time.time() * 1000 + 1
        assert clock.send_ms - clock.ingest_ms < 200


def test_the_clock_of_another_server_is_passed_on_with_one_more_hop(server: Server, looped: str) -> None:
    """What an edge will do: play from one server, publish to the next."""
    player = RtmpPlayer(server.rtmp).open(looped).frames(25)
    with Publisher(server.rtmp) as relay:
        relay.publish("edge")
        relay.tags([tag for tag in player.tags if tag.kind != SCRIPT or b"onMeta" in tag.body])
        at = len(player.tags)
        with Player(server.http, "/live/edge.flv") as watcher:
            watcher.frames(3)
            while len(clocks(watcher.tags)) < 2:
                player.step()
                for tag in player.tags[at:]:
                    if tag.kind == SCRIPT:
                        # As relays do: as it came, without @setDataFrame.
                        relay.message(SCRIPT, tag.body, time=tag.time, channel=5)
                    else:
                        relay.tag(*tag)
                at = len(player.tags)
                if len(player.tags) % 5 == 0:
                    watcher.frames(1, AUDIO)
            first = {tag.sequence: tag for tag in clocks(player.tags)}
            second = clocks(watcher.tags)
            passed = [tag for tag in second if tag.hop == 1]
            assert passed
            for tag in passed:
                assert tag.ingest_ms == first[tag.sequence].ingest_ms
                assert tag.send_ms >= first[tag.sequence].send_ms
            names = [name for name, _ in scripts(watcher.tags)]
            assert names.count(NAME) == len(second), "each keyframe has one clock"
    player.close()


# --- probe ---


def probe(url: str, *words: str) -> dict[str, Any]:
    done = run("probe", url, "--json", "--seconds", "3.5", *words)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert isinstance(report, dict)
    return report


@pytest.mark.parametrize("scheme", ["http", "ws", "rtmp"])
def test_probe_tells_tracks_rates_and_delay(server: Server, looped: str, scheme: str) -> None:
    port = server.rtmp if scheme == "rtmp" else server.http
    ending = "" if scheme == "rtmp" else ".flv"
    report = probe(f"{scheme}://{HOST}:{port}/live/{looped}{ending}")
    video, audio = report["tracks"]
    assert (video["codec"], video["width"], video["height"]) == ("H264", 320, 180)
    assert (audio["codec"], audio["sample_rate"], audio["channel"]) == ("AAC", 44100, 2)
    assert 18 < video["frames_per_second"] < 21
    assert 40 < audio["frames_per_second"] < 46
    assert 900 <= report["gop_ms"]["least"] <= report["gop_ms"]["most"] <= 1100
    assert 0 < report["first_byte_ms"] <= report["first_keyframe_ms"] < 3000
    assert 0 <= report["delay_ms"]["p50"] <= report["delay_ms"]["p99"] < 1000
    assert report["delay_ms"]["count"] >= 2
    assert report["hop"] == 0
    assert report["warnings"] == []


def test_probe_reads_over_tls_and_looks_at_the_certificate(
    serve: Callable[..., Server], h264: Clip, tmp_path: Path
) -> None:
    secure = serve_tls(serve, vhost_text(play="mw_latency 0; live_clock on;"), make_pair(tmp_path))
    process = push(h264.path, secure.server.publish_url("tls"), loop=True)
    try:
        until(lambda: "tls" in secure.server.streams(), "publish", 15)
        for url in (
            f"https://{HOST}:{secure.https}/live/tls.flv",
            f"wss://{HOST}:{secure.https}/live/tls.flv",
            f"rtmps://{HOST}:{secure.rtmps}/live/tls",
        ):
            report = probe(url, "--insecure")
            assert len(report["tracks"]) == 2
            assert report["delay_ms"]["count"] >= 2
            done = run("probe", url)
            assert done.returncode == 1 and "--insecure" in done.stderr
    finally:
        end(process)


def test_probe_for_people(server: Server, looped: str) -> None:
    done = run("probe", f"http://{HOST}:{server.http}/live/{looped}.flv", "--seconds", "3.5")
    assert done.returncode == 0 and not done.stderr
    for word in ("H264", "AAC", "frames/s", "keyframes every", "delay p50"):
        assert word in done.stdout


def test_probe_says_what_to_do(server: Server, looped: str) -> None:
    root = f"http://{HOST}:{server.http}"
    for url, advice in (
        (f"{root}/nowhere", "check the path against the mounts"),
        (f"{root}/live/{looped}.ts", "ends with .flv"),
        (f"http://{HOST}:{server.rtmp}/live/{looped}.flv", "no connection|no answer|http"),
        (f"rtmp://{HOST}:{server.rtmp}/{looped}", "rtmp://HOST/APP/STREAM"),
    ):
        done = run("probe", url, "--wait", "3")
        assert done.returncode == 1 and not done.stdout
        assert any(word in done.stderr for word in advice.split("|")), done.stderr
        assert "Traceback" not in done.stderr


def test_metrics_have_the_delays(server: Server, looped: str) -> None:
    from urllib.request import urlopen

    with urlopen(f"http://{HOST}:{server.api}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    count = next(line for line in text.splitlines() if line.startswith("fastflv_ingest_delay_seconds_count "))
    assert float(count.split()[1]) > 0


# --- other people's players ---


@pytest.fixture(scope="module")
def recording(server: Server, looped: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds as a file, with clocks in it."""
    with Player(server.http, f"/live/{looped}.flv") as player:
        player.until(lambda me: len(clocks(me.tags)) >= 4)
        path = player.save(tmp_path_factory.mktemp("clock") / "clock.flv")
    decode(path)
    return path


@pytest.mark.parametrize("protocol", ["rtmp", "http"])
def test_ffmpeg_plays_and_records_it(server: Server, looped: str, tmp_path: Path, protocol: str) -> None:
    url = (
        server.publish_url(looped) if protocol == "rtmp" else f"http://{HOST}:{server.http}/live/{looped}.flv"
    )
    path = tmp_path / "out.mp4"
    words = [ffmpeg(), "-v", "error", "-xerror", "-i", url, "-t", "4"]
    for more in (["-f", "null", "-"], ["-c", "copy", str(path)]):
        done = subprocess.run([*words, *more], capture_output=True, text=True, timeout=40)
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_ffmpeg_takes_it_for_a_track_of_data(recording: Path, tmp_path: Path) -> None:
    """Why it is off unless asked for: "all tracks" into a container without data tracks is refused."""
    words = [ffmpeg(), "-v", "error", "-i", str(recording), "-map", "0", "-c", "copy"]
    done = subprocess.run([*words, str(tmp_path / "a.mp4")], capture_output=True, text=True, timeout=40)
    assert done.returncode and "codec none" in done.stderr
    done = subprocess.run([*words, str(tmp_path / "a.flv")], capture_output=True, text=True, timeout=40)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("how", ["flvdemux", "decodebin"])
def test_gstreamer_plays_it(recording: Path, how: str) -> None:
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("no gst-launch-1.0")
    words = ["gst-launch-1.0", "-q"]
    if how == "flvdemux":
        words += ["filesrc", f"location={recording}", "!", "flvdemux", "name=d"]
        words += ["d.video", "!", "queue", "!", "fakesink", "d.audio", "!", "queue", "!", "fakesink"]
    else:
        words += ["uridecodebin", f"uri=file://{recording}", "name=d"]
        words += ["d.", "!", "video/x-raw", "!", "queue", "!", "fakesink"]
        words += ["d.", "!", "audio/x-raw", "!", "queue", "!", "fakesink"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr


def vlc(source: Path) -> int:
    """Have VLC remux a file; return how many bytes come out."""
    with tempfile.TemporaryDirectory() as home:
        words = [
            "cvlc",
            "--sout",
            f"#std{{access=file,mux=ts,dst={home}/out.ts}}",
            f"{home}/in.flv",
            "vlc://quit",
        ]
        shutil.copy(source, f"{home}/in.flv")
        os.chmod(home, 0o777)
        os.chmod(f"{home}/in.flv", 0o644)
        if os.geteuid() == 0:
            # It refuses to run as root.
            words = ["runuser", "-u", "nobody", "--", "env", f"HOME={home}", *words]
        subprocess.run(words, capture_output=True, timeout=60, check=True)
        return Path(f"{home}/out.ts").stat().st_size


def test_vlc_plays_it_like_a_stream_without(recording: Path, tmp_path: Path) -> None:
    if shutil.which("cvlc") is None:
        pytest.skip("no cvlc")
    bare = tmp_path / "bare.flv"
    tags = read_flv(recording.read_bytes()).tags
    bare.write_bytes(flv_file([tag for tag in tags if tag.kind != SCRIPT or NAME.encode() not in tag.body]))
    made = vlc(recording)
    assert made > recording.stat().st_size
    assert abs(made - vlc(bare)) < made / 50


def test_rtmpdump_records_it(server: Server, h264: Clip, tmp_path: Path) -> None:
    if shutil.which("rtmpdump") is None:
        pytest.skip("no rtmpdump")
    path = tmp_path / "dump.flv"
    words = ["rtmpdump", "-q", "--live", "-r", server.publish_url("dumped"), "-o", str(path)]
    publisher = push(h264.path, server.publish_url("dumped"), loop=True, after="-t 5")
    until(lambda: "dumped" in server.streams(), "publish", 15)
    done = subprocess.run(words, capture_output=True, text=True, timeout=40)
    finish(publisher)
    assert not done.stderr
    tags = read_flv(path.read_bytes()).tags
    assert len(media(tags, VIDEO)) > 60 and len(media(tags, AUDIO)) > 100
    decode(path)


@pytest.mark.slow
def test_a_browser_plays_it(server: Server, looped: str, tmp_path: Path) -> None:
    find_chromium(), find_script(MPEGTSJS)
    sources = {
        "http": Source("flv", f"http://{HOST}:{server.http}/live/{looped}.flv"),
        "ws": Source("flv", f"ws://{HOST}:{server.http}/live/{looped}.flv"),
    }

    def played(said: dict[str, Any]) -> bool:
        players = said["players"].values()
        return len(players) == 2 and all(one["fatal"] or one["played"] > 4 for one in players)

    with Browser(sources, tmp_path) as browser:
        browser.wait(lambda said: True, 120)
        browser.go()
        said = browser.wait(played, 60)["players"]
    for one in said.values():
        assert not one["fatal"] and not one["errors"], one
        assert one["played"] > 4


@pytest.mark.parametrize("pulling", [pulled_by_srs, pulled_by_nginx])
def test_a_server_that_pulls_plays_it(
    server: Server, looped: str, tmp_path: Path, pulling: Callable[..., AbstractContextManager[None]]
) -> None:
    (port,) = free_ports(1)
    path = tmp_path / "pulled.flv"
    words = [ffmpeg(), "-v", "error", "-rw_timeout", "15000000", "-i", f"rtmp://{HOST}:{port}/live/{looped}"]
    with pulling(tmp_path, port, server.rtmp):
        player = subprocess.Popen(
            [*words, "-t", "4", "-c", "copy", str(path)], stderr=subprocess.PIPE, text=True
        )
        finish(player, 40)
    tags = read_flv(path.read_bytes()).tags
    assert len(media(tags, VIDEO)) > 60 and len(media(tags, AUDIO)) > 100
    decode(path)
