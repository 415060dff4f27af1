"""`fastflv top` at a running server: once, as JSON, in a pipe and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from clip import Clip, end, push
from player import Player
from server import HOST, Log, Server, environment, run, until, vhost_text


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(play="mw_latency 0; lag_close 600000;"))


@pytest.fixture(scope="module")
def looped(server: Server, h264: Clip) -> Iterator[str]:
    process = push(h264.path, server.publish_url("looped"), loop=True)
    until(lambda: "looped" in server.streams(), "publish", 15)
    yield "looped"
    end(process)


def url(server: Server) -> str:
    return f"http://{HOST}:{server.api}"


def test_one_look_is_a_table_with_each_stream(server: Server, looped: str) -> None:
    with Player(server.http, f"/live/{looped}.flv") as player:
        player.frames(3)
        done = run("top", url(server), "--once")
    assert (done.returncode, done.stderr) == (0, "")
    heading, _, titles, row = done.stdout.splitlines()[:4]
    assert "1 streams, 2 clients" in heading
    assert titles.split()[:3] == ["STREAM", "STATE", "PLAYERS"]
    name, state, players, *_ = row.split()
    assert (name, state, players) == (f"/live/{looped}", "live", "1")


def test_json_has_frames_a_second_and_who_lags(server: Server, looped: str) -> None:
    # Nothing is read behind the start.
    with Player(server.http, f"/live/{looped}.flv", buffer=4096) as player:
        player.frames(1)
        server.wait_late(looped, 500)
        done = run("top", url(server), "--once", "--json")
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert found["streams_total"] == 1
    (stream,) = found["streams"]
    assert (stream["url"], stream["players"], stream["lagging"]) == (f"/live/{looped}", 1, 1)
    assert stream["lag_ms"] > 500
    assert 5 < stream["frame_rate"] < 60
    (late,) = found["players"]
    assert (late["ip"], late["type"]) == (HOST, "flv-play")


def test_in_a_pipe_there_is_a_block_for_each_look_until_it_is_ended(server: Server, looped: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fastflv", "top", url(server), "--interval", "0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    log = Log(process.stdout)
    until(lambda: len(log.find(r"^fastflv ")) >= 3, "three looks", 20)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert process.stderr is not None and process.stderr.read() == ""
    assert log.find(rf"^/live/{looped}  +live ")


def test_on_a_terminal_the_view_is_live(server: Server, looped: str) -> None:
    pytest.importorskip("rich")
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fastflv", "top", url(server), "--interval", "0.2"],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env=environment({"TERM": "xterm", "COLUMNS": "120", "LINES": "30"}),
    )
    os.close(inner)
    shown = b""
    while shown.count(f"/live/{looped}".encode()) < 3:
        shown += os.read(outer, 65536)
    process.send_signal(signal.SIGINT)
    while True:
        try:
            more = os.read(outer, 65536)
        except OSError:
            break
        if not more:
            break
        shown += more
    os.close(outer)
    assert process.wait(20) == 0
    assert shown.startswith(b"\x1b[?1049h") and b"\x1b[?1049l" in shown, "the terminal is as it was"
    assert b"Traceback" not in shown


def test_it_says_what_to_do_where_there_is_no_api(server: Server) -> None:
    for target, advice in (
        (f"http://{HOST}:{server.rtmp}", "port of http_api"),
        (f"http://{HOST}:{server.http}", "no API is there; is it the port of http_api?"),
        (f"http://{HOST}:1", "connection refused; is it the port of http_api?"),
        ("ftp://x", "write http://HOST:1985"),
        ("http://u:secret@[", "write http://HOST:1985"),
    ):
        done = run("top", target, "--once")
        assert done.returncode == 1 and not done.stdout
        assert advice in done.stderr, done.stderr
        assert "Traceback" not in done.stderr and "secret" not in done.stderr


def test_it_asks_with_the_password_of_its_url(serve: Callable[..., Server]) -> None:
    auth = {"ENABLED": "on", "USERNAME": "me", "PASSWORD": "word"}
    server = serve(environ={f"SRS_HTTP_API_AUTH_{name}": value for name, value in auth.items()})
    done = run("top", f"http://{HOST}:{server.api}", "--once")
    assert done.returncode == 1 and "USER:PASSWORD" in done.stderr
    assert run("top", f"http://me:word@{HOST}:{server.api}", "--once").returncode == 0
