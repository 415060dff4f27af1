"""How a server starts and ends: graceful and quick ends, its log file, its ports and sockets, its identity."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from broadcast import Broadcast
from model.ports import free_ports
from player import Player, check_complete
from publisher import Publisher, film, headers
from reloading import ChangingServer, Make, refused
from rtmpplayer import RtmpPlayer
from server import HOST, Log, environment, start, stop, until, vhost_text

VHOST = vhost_text(publish="grace 0;")
SLOW = "grace_start_wait 60000; grace_final_wait 60000;"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Start servers that live as long as the test."""
    with ExitStack() as stack:

        def begin(more: str = "") -> ChangingServer:
            return stack.enter_context(ChangingServer(tmp_path, VHOST, more=more))

        yield begin


def ask(connection: HTTPConnection, path: str) -> tuple[int, str, bytes]:
    """Status of an answer, whether its connection goes on, and its body."""
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.headers["Connection"], answer.read()


# --- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "more"),
    [(signal.SIGQUIT, ""), (signal.SIGTERM, "force_grace_quit on;")],
    ids=["SIGQUIT", "force_grace_quit"],
)
def test_a_graceful_quit_closes_the_listeners_and_waits_for_players(
    make: Make, number: signal.Signals, more: str
) -> None:
    server = make(f"grace_start_wait 1500; grace_final_wait 1000; {more}")
    with (
        Broadcast(server.rtmp, "one") as broadcast,
        Player(server.http, "/live/one.flv") as player,
        RtmpPlayer(server.rtmp).open("one") as rtmp,
    ):
        player.frames(5)
        rtmp.frames(5)
        began = time.monotonic()
        server.process.send_signal(number)
        server.log.wait(f"{number.name}: quitting gracefully")
        # A balancer that still sends clients finds the server until the wait is over.
        with Player(server.http, "/live/one.flv") as late:
            late.frames(1)
        kept = HTTPConnection(HOST, server.http, timeout=20)
        assert ask(kept, "/readyz") == (503, "keep-alive", b"the server is quitting")
        assert ask(kept, "/healthz") == (200, "keep-alive", b"ok")
        ports = (server.rtmp, server.http, server.api)
        until(lambda: all(refused(port) for port in ports), "closed listeners", 15)
        assert time.monotonic() - began >= 1.5, "grace_start_wait"
        assert ask(kept, "/readyz") == (503, "close", b"the server is quitting")
        server.log.wait(r"quitting gracefully: \d clients are still there")
        os.kill(server.pid, signal.SIGHUP)
        server.log.wait("SIGHUP: no reload")
        player.frames(30)
        rtmp.frames(5)
        assert refused(server.http), "SIGHUP opened the listeners again"
        assert broadcast.is_alive()
        check_complete(player)
        check_complete(rtmp)
    ended = time.monotonic()
    assert server.process.wait(20) == 0
    assert time.monotonic() - ended >= 1.0, "grace_final_wait"
    assert not server.log.find("server stops")


def test_a_graceful_quit_without_clients_is_over_after_its_two_waits(make: Make) -> None:
    server = make("grace_start_wait 300; grace_final_wait 300;")
    began = time.monotonic()
    server.process.send_signal(signal.SIGQUIT)
    assert server.process.wait(15) == 0
    assert time.monotonic() - began >= 0.6


def test_waits_that_a_reload_changed_count(make: Make) -> None:
    server = make(SLOW)
    server.change((SLOW, "grace_start_wait 0; grace_final_wait 0;"))
    server.process.send_signal(signal.SIGQUIT)
    assert server.process.wait(15) == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_a_second_signal_ends_a_graceful_quit_at_once(make: Make, second: signal.Signals) -> None:
    server = make(SLOW)
    with Broadcast(server.rtmp, "one"), Player(server.http, "/live/one.flv") as player:
        player.frames(5)
        server.process.send_signal(signal.SIGQUIT)
        server.log.wait("SIGQUIT: quitting gracefully")
        server.process.send_signal(second)
        player.rest()
        assert player.clean
        assert server.process.wait(15) == 0
    server.log.wait(f"{second.name}: stopping")


def test_a_second_signal_ends_the_wait_for_players_at_once(make: Make) -> None:
    server = make("grace_start_wait 0; grace_final_wait 60000;")
    with Broadcast(server.rtmp, "one"), Player(server.http, "/live/one.flv") as player:
        player.frames(5)
        server.process.send_signal(signal.SIGQUIT)
        server.log.wait("clients are still there")
        server.process.send_signal(signal.SIGTERM)
        player.rest()
        assert player.clean
        assert server.process.wait(15) == 0


def test_a_second_signal_ends_the_final_wait_at_once(make: Make) -> None:
    server = make("grace_start_wait 0; grace_final_wait 60000;")
    with Publisher(server.rtmp) as publisher:
        publisher.publish("one")
        publisher.tags([*headers(), *film(5)])
        server.process.send_signal(signal.SIGQUIT)
        server.log.wait("clients are still there")
        publisher.finish()
    server.log.wait("no client is left; the process ends in 60 s")
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0


def test_sigterm_is_quick_and_gives_players_their_last_bytes(make: Make) -> None:
    server = make(SLOW)
    with Broadcast(server.rtmp, "one"), Player(server.http, "/live/one.flv") as player:
        player.frames(5)
        server.process.send_signal(signal.SIGTERM)
        player.rest()
        assert player.clean
        assert server.process.wait(15) == 0
    server.log.wait("SIGTERM: stopping")
    assert not server.log.find("gracefully")


@pytest.mark.parametrize(
    ("options", "up", "ends"),
    [
        ("", "play rtmp", "the parent process ended: stopping"),
        pytest.param("--workers 2", "2 workers run", "the workers end", marks=pytest.mark.slow),
    ],
)
def test_a_server_that_runs_as_a_process_of_its_parent_ends_with_it(
    tmp_path: Path, options: str, up: str, ends: str
) -> None:
    rtmp = free_ports(1)[0]
    file = tmp_path / "server.conf"
    file.write_text(f"listen {HOST}:{rtmp}; daemon off; asprocess on; srs_log_tank console; {VHOST}")
    # The shell is the parent; it ends when its input does.
    script = f"{sys.executable} -P -m fastflv -c {file} {options} & read line"
    with subprocess.Popen(
        ["sh", "-c", script], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as parent:
        log = Log(parent.stderr)
        log.wait(up, timeout=40)
        assert not refused(rtmp)
        assert parent.stdin is not None
        parent.stdin.close()
        log.wait(ends)
        until(lambda: refused(rtmp), "the end of the server", 20)
        until(lambda: log.ended, "its last line", 20)
    assert not log.find("ERROR|Traceback"), log.text()


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
)
def test_signals_up_to_the_last_moment_spoil_no_end(
    make: Make, tmp_path: Path, number: signal.Signals
) -> None:
    pid = tmp_path / "server.pid"
    server = make(f"pid {pid};")
    assert pid.read_text() == str(server.pid)
    server.process.send_signal(signal.SIGTERM)
    server.log.wait("SIGTERM: stopping")
    while server.process.poll() is None:
        server.process.send_signal(number)
    assert server.process.returncode == 0
    assert not pid.exists()


@pytest.mark.parametrize("form", ["plain", "json"])
def test_sigusr1_opens_the_log_file_anew(tmp_path: Path, form: str) -> None:
    rtmp, http, api = free_ports(3)
    file, log, old = (tmp_path / name for name in ("server.conf", "server.log", "server.log.1"))
    file.write_text(
        f"listen {rtmp}; daemon off; srs_log_tank file; srs_log_file {log}; srs_log_format {form};"
        f"http_server {{ enabled on; listen {http}; }} http_api {{ enabled on; listen {api}; }}{VHOST}"
    )
    process = start(["-c", str(file)])
    try:
        until(lambda: log.exists() and "ask http" in log.read_text(), "start", 40)
        log.rename(old)
        process.send_signal(signal.SIGUSR1)
        until(log.exists, "a new log file", 15)
        with Publisher(rtmp) as publisher:
            publisher.publish("later")
            until(lambda: "publishes /live/later" in log.read_text(), "a line in the new file", 15)
        assert "later" not in old.read_text()
        until(
            lambda: "publisher" in log.read_text() and "left" in log.read_text(), "the end of the publish", 15
        )
        about = [line for line in log.read_text().splitlines() if "/live/later" in line]
        if form == "json":
            for line in old.read_text().splitlines():
                assert {"time", "level", "message"} <= json.loads(line).keys()
            ids = {json.loads(line).get("client") for line in about}
        else:
            ids = {line.split("[")[1].split("]")[0] for line in about}
        assert len(ids) == 1, "one id on each line of a connection"
        assert f"publisher {ids.pop()} " in about[0], "which is that of the client"
    finally:
        assert stop(process) == 0


# --- ports and sockets ---------------------------------------------------------------------------


def test_port_0_is_a_free_port_that_the_log_tells_and_a_reload_keeps(tmp_path: Path) -> None:
    file = tmp_path / "server.conf"
    file.write_text(
        f"listen 0 {HOST}:0; daemon off; srs_log_tank console; max_connections 500;"
        f"http_server {{ enabled on; listen {HOST}:0; }} http_api {{ enabled on; listen 0; }}{VHOST}"
    )
    process = start(["-c", str(file)])
    log = Log(process.stderr)
    try:
        log.wait("ask http", timeout=40)
        rtmp = [int(line.rpartition(" ")[2].rpartition(":")[2]) for line in log.find("INFO RTMP on ")]
        http = int(log.wait(rf"INFO HTTP on {HOST}:\d+").rpartition(":")[2])
        api = int(log.wait(r"INFO API on \d+").rpartition(" ")[2])
        assert len({*rtmp, http, api}) == len(rtmp) + 2
        assert f":{rtmp[0]}/live" in log.wait("publish to ")
        assert f":{http}/live" in log.wait("play http")
        assert f":{api}/api" in log.wait("ask http")
        with Broadcast(rtmp[0], "one"), Player(http, "/live/one.flv") as player:
            player.frames(5)
            file.write_text(file.read_text().replace("500", "600"))
            process.send_signal(signal.SIGHUP)
            log.wait("configuration 2 is in force")
            assert not log.find("is closed")
            for port in rtmp:
                with RtmpPlayer(port).open("one") as fresh:
                    fresh.frames(5)
            with Player(http, "/live/one.flv") as again:
                again.frames(5)
    finally:
        assert stop(process) == 0, log.text()


ACTIVATE = """
import fcntl, os, sys
given = [fcntl.fcntl(int(word), fcntl.F_DUPFD, 100) for word in sys.argv[1].split(",")]
for fd, kept in enumerate(given, 3):
    os.dup2(kept, fd, inheritable=True)
    os.close(kept)
os.environ["LISTEN_FDS"] = str(len(given))
os.environ["LISTEN_PID"] = sys.argv[2] or str(os.getpid())
os.execv(sys.executable, [sys.executable, "-P", "-m", "fastflv", *sys.argv[3:]])
"""
"What systemd does: descriptors from 3 on, and the variables that announce them to one process."


@contextmanager
def activated(
    sockets: Sequence[socket.socket], file: Path, pid: str = ""
) -> Iterator[tuple[subprocess.Popen[str], Log]]:
    """A server that is given *sockets*; *pid*: of the process that they are announced to."""
    fds = [sock.fileno() for sock in sockets]
    process = subprocess.Popen(
        [sys.executable, "-c", ACTIVATE, ",".join(map(str, fds)), pid, "-c", str(file)],
        pass_fds=fds, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    log = Log(process.stderr)
    try:
        yield process, log
    finally:
        stop(process)
        log.close()
        print(log.text())


def listening(host: str = HOST) -> socket.socket:
    return socket.create_server((host, free_ports(1)[0]), backlog=10)


def conf(folder: Path, rtmp: str, http: str) -> Path:
    file = folder / "server.conf"
    file.write_text(
        f"listen {rtmp}; daemon off; srs_log_tank console; max_connections 500;"
        f"http_server {{ enabled on; listen {http}; }}{VHOST}"
    )
    return file


@pytest.mark.parametrize("host", ["", f"{HOST}:"], ids=["port", "address"])
def test_sockets_of_a_supervisor_are_served(tmp_path: Path, host: str) -> None:
    with listening(HOST if host else "0.0.0.0") as first, listening(HOST if host else "0.0.0.0") as second:
        rtmp, http = (sock.getsockname()[1] for sock in (first, second))
        file = conf(tmp_path, f"{host}{rtmp}", f"{host}{http}")
        # Comes before the server does, and waits in the backlog.
        with Player(http, "/live/one.flv", timeout=60) as early:
            with activated([first, second], file) as (process, log):
                first.close()
                second.close()
                log.wait("play http", timeout=40)
                with Broadcast(rtmp, "one"):
                    early.frames(5)
                    file.write_text(file.read_text().replace("500", "600"))
                    process.send_signal(signal.SIGHUP)
                    log.wait("configuration 2 is in force")
                    with Player(http, "/live/one.flv") as player:
                        player.frames(5)
                    early.frames(5)
                assert not log.find("is closed"), log.text()
                assert stop(process) == 0, log.text()
            assert not log.find("ERROR|Traceback"), log.text()


def test_a_socket_that_no_listen_names_is_refused_in_one_sentence(tmp_path: Path) -> None:
    rtmp, http = free_ports(2)
    with listening() as stray, activated([stray], conf(tmp_path, str(rtmp), str(http))) as (process, log):
        assert process.wait(40) == 1
        log.close()
        said = [line for line in log.lines if line.startswith("fastflv: ")]
        assert len(said) == 1, log.text()
        assert str(stray.getsockname()[1]) in said[0] and "which no `listen` names" in said[0]
        assert "ListenStream=" in said[0]
        assert "Traceback" not in log.text()
        assert refused(rtmp) and refused(http)


def test_a_socket_that_does_not_listen_is_refused_in_one_sentence(tmp_path: Path) -> None:
    rtmp, http = free_ports(2)
    with socket.socket() as idle, activated([idle], conf(tmp_path, str(rtmp), str(http))) as (process, log):
        assert process.wait(40) == 1
        log.close()
        assert "does not listen" in log.lines[-1] and "Traceback" not in log.text()


def test_sockets_that_are_announced_to_another_process_are_left_alone(tmp_path: Path) -> None:
    rtmp, http = free_ports(2)
    with (
        listening() as theirs,
        activated([theirs], conf(tmp_path, str(rtmp), str(http)), "1") as (process, log),
    ):
        log.wait("play http", timeout=40)
        assert not refused(http)
        assert stop(process) == 0


# --- identity ------------------------------------------------------------------------------------


def identity(server: ChangingServer) -> tuple[str, str]:
    """Ids of the installation and of this run."""
    url = f"http://{HOST}:{server.api}/api/v1/versions"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    found = {name: re.search(rf'"{name}":\s*"([^"]+)"', text) for name in ("server", "service")}
    assert all(found.values()), text
    return tuple(match[1] for match in found.values() if match)  # type: ignore[return-value]


def run_once(folder: Path, more: str) -> tuple[str, str]:
    with ChangingServer(folder, VHOST, more=more) as server:
        return identity(server)


def test_the_server_id_is_kept_over_a_restart_where_a_pid_file_is_configured(tmp_path: Path) -> None:
    more = f"pid {tmp_path}/run/server.pid;"
    first, second = (run_once(tmp_path, more) for _ in range(2))
    assert first[0] == second[0] and first[0].startswith("vid-")
    assert first[1] != second[1]


def test_the_server_id_is_fresh_at_each_start_without_a_pid_file(tmp_path: Path) -> None:
    first, second = (run_once(tmp_path, "") for _ in range(2))
    assert first[0] != second[0]
    assert not list(tmp_path.rglob("*.id"))


def test_a_configured_server_id_counts_and_a_reload_says_that_another_waits(tmp_path: Path) -> None:
    more = f"pid {tmp_path}/server.pid;"
    kept = run_once(tmp_path, more)[0]
    with ChangingServer(tmp_path, VHOST, more=f"{more} server_id mine;") as server:
        assert identity(server)[0] == "mine"
        lines = server.change(("server_id mine;", "server_id other;"))
        assert any("server_id: mine -> other, after a restart" in line for line in lines)
        assert identity(server)[0] == "mine"
    assert run_once(tmp_path, more)[0] == kept
