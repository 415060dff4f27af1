"""`fastflv record`: a live stream becomes a file that is whole, however the recording ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from clip import Clip, end, push
from command import ask, command, decoded, on_terminal
from publisher import Publisher
from reloading import Make
from server import HOST, Server, until, vhost_text
from tlsfiles import Pair, SecureServer, serve_tls


@pytest.fixture(scope="module")
def secure(serve: Callable[..., Server], pair: Pair) -> SecureServer:
    # The publisher waits for the recorder, which is a process that has to start.
    text = vhost_text(
        play="mw_latency 0; on_missing 20;", publish="grace 0; normal_timeout 60000;", remux="on_missing 20;"
    )
    return serve_tls(serve, text, pair)


def url_of(secure: SecureServer, way: str, name: str) -> str:
    server = secure.server
    return {
        "rtmp": f"rtmp://{HOST}:{server.rtmp}/live/{name}",
        "rtmps": f"rtmps://{HOST}:{secure.rtmps}/live/{name}",
        "http": f"http://{HOST}:{server.http}/live/{name}.flv",
        "https": f"https://{HOST}:{secure.https}/live/{name}.flv",
        "ws": f"ws://{HOST}:{server.http}/live/{name}.flv",
        "wss": f"wss://{HOST}:{secure.https}/live/{name}.flv",
    }[way]


@pytest.mark.parametrize("way", ["rtmp", "rtmps", "http", "https", "ws", "wss"])
def test_every_frame_of_a_stream_is_in_the_file(
    secure: SecureServer, h264: Clip, tmp_path: Path, way: str
) -> None:
    server, name, out = secure.server, f"all-{way}", tmp_path / "out.ts"
    tags = h264.flv.tags
    # A part of the first GOP, which a player that joins has from its begin on.
    first = 20
    with Publisher(server.rtmp) as publisher:
        publisher.publish(name)
        publisher.tags(tags[:first])
        process = command("record", url_of(secure, way, name), out, "--insecure", "--json")
        server.log.wait(rf"joins /live/{name} by {way}", timeout=40)
        publisher.tags(tags[first:])
        publisher.finish()
        said, complaint = process.communicate(timeout=40)
    assert process.returncode == 0, complaint
    assert '"ended": "stream ended"' in said
    assert decoded(out, "v") == decoded(h264.path, "v")


@pytest.fixture
def film(secure: SecureServer, h264: Clip) -> Callable[[str], str]:
    """Publish the clip in a loop under a name until the test ends; return the URL that plays."""
    running = []

    def begin(name: str) -> str:
        running.append(push(h264.path, secure.server.publish_url(name), loop=True))
        until(lambda: name in secure.server.streams(), "the publish", 20)
        return url_of(secure, "http", name)

    yield begin  # type: ignore[misc]
    for process in running:
        end(process)


@pytest.mark.parametrize("ending", ["flv", "mp4", "ts", "aac", "m3u8"])
def test_a_duration_ends_it(film: Callable[[str], str], tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    report = ask("record", film("two"), out, "--duration", "2")
    assert report["ended"] == "duration" and 1.9 <= report["seconds"] <= 2.1
    assert len(decoded(out, "a")) > 60
    if ending != "aac":
        assert 35 <= len(decoded(out, "v")) <= 41


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_whole_file(film: Callable[[str], str], tmp_path: Path, number: int) -> None:
    out = tmp_path / "out.flv"
    process = command("record", film("stopped"), out, "--json")
    part = tmp_path / "out.flv.part"
    until(lambda: part.exists() and part.stat().st_size > 50_000, "a part of the file", 30)
    process.send_signal(number)
    said, complaint = process.communicate(timeout=20)
    assert process.returncode == 0 and '"ended": "interrupted"' in said, complaint
    assert len(decoded(out, "v")) > 5 and not part.exists()


def test_a_server_that_dies_breaks_it_off(h264: Clip, tmp_path: Path) -> None:
    server = Server(tmp_path, vhost_text()).__enter__()
    process = push(h264.path, server.publish_url("x"), loop=True)
    outs = [tmp_path / f"{way}.ts" for way in ("http", "ws", "rtmp")]
    try:
        until(lambda: "x" in server.streams(), "the publish", 20)
        urls = (
            f"http://{HOST}:{server.http}/live/x.flv",
            f"ws://{HOST}:{server.http}/live/x.flv",
            server.publish_url("x"),
        )
        records = [command("record", url, out, "--json") for url, out in zip(urls, outs, strict=True)]
        for out in outs:
            part = out.with_name(f"{out.name}.part")
            until(lambda part=part: part.exists() and part.stat().st_size > 50_000, "a part of the file", 30)  # type: ignore[misc]
        os.kill(server.pid, signal.SIGKILL)
        for record, out in zip(records, outs, strict=True):
            said, _ = record.communicate(timeout=20)
            assert record.returncode == 1 and "broken off" in said
            assert len(decoded(out, "v")) > 5
    finally:
        end(process)
        server.process.kill()
        server.process.wait(10)
        server.log.close()


def test_what_is_not_there_leaves_no_file(secure: SecureServer, make: Make, tmp_path: Path) -> None:
    server = make(vhost_text(play="on_missing 0;", remux="on_missing 0;"))
    out = tmp_path / "none.ts"
    said = ask("record", f"http://{HOST}:{server.http}/live/none.flv", out, status=1)["error"]
    assert "404" in said and "publish it first" in said
    said = ask("record", f"rtmp://{HOST}:1/live/none", out, status=1)["error"]
    assert "connection refused" in said
    said = ask("record", url_of(secure, "http", "never"), out, "--wait", "1", status=1)["error"]
    assert "within 1 s" in said or "no media" in said
    assert "cannot read x.flv" in ask("record", "x.flv", out, status=1)["error"]
    assert "write one of" in ask("record", url_of(secure, "http", "x"), tmp_path / "a", status=1)["error"]
    assert "certificate is not trusted" in ask("record", url_of(secure, "https", "x"), out, status=1)["error"]
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".conf"] == []


def test_a_terminal_shows_progress(film: Callable[[str], str], tmp_path: Path) -> None:
    status, shown = on_terminal("record", film("shown"), tmp_path / "a.ts", "--duration", "1")
    assert status == 0 and "/live/shown.flv" in shown.replace("\r\n", "")
