"""The way to the background: what the process that was started says, and when it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from model.ports import free_ports
from player import Player
from reloading import refused
from server import HOST, Log, run, start, stop, until, vhost_text

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Write a configuration for the background; what was started with it ends with the test."""

    def make(rtmp: int, http: int, more: str = "daemon on; disable_daemon_for_docker off;") -> Path:
        file = tmp_path / "server.conf"
        file.write_text(
            f"listen {HOST}:{rtmp}; pid {tmp_path}/run/server.pid; srs_log_tank file; srs_log_file {tmp_path}/log/s.log;"
            f"{more} http_server {{ enabled on; listen {HOST}:{http}; }} pithy_print_ms 5;{vhost_text()}"
        )
        return file

    yield make
    pid = tmp_path / "run" / "server.pid"
    if pid.exists():
        os.kill(int(pid.read_text()), signal.SIGKILL)


def test_the_parent_waits_until_the_listeners_are_bound_and_names_process_and_log(
    tmp_path: Path, write: Write
) -> None:
    rtmp, http = free_ports(2)
    done = run("-c", str(write(rtmp, http)))
    assert done.returncode == 0, done.stderr
    found = re.search(r"process (\d+), log (\S+)", done.stdout)
    assert found, done.stdout
    pid, log = int(found[1]), Path(found[2])
    assert (tmp_path / "run" / "server.pid").read_text() == str(pid)
    with Player(http, "/live/x.flv") as player:
        player.close()
    # The file has what stderr had.
    assert "pithy_print_ms has no effect" in done.stderr
    assert re.search("WARNING .*pithy_print_ms has no effect", log.read_text())
    os.kill(pid, signal.SIGTERM)
    until(lambda: refused(http), "the end", 20)
    until(lambda: not (tmp_path / "run" / "server.pid").exists(), "no pid file", 20)


def test_a_port_that_is_taken_is_told_and_is_exit_status_1(tmp_path: Path, write: Write) -> None:
    with socket.create_server((HOST, 0)) as holder:
        file = write(holder.getsockname()[1], *free_ports(1))
        done = run("-c", str(file))
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.count("in use") == 1, done.stderr
    assert (tmp_path / "log" / "s.log").read_text().count("in use") == 1
    assert not (tmp_path / "run" / "server.pid").exists()


def test_a_second_server_of_one_pid_file_is_told_and_is_exit_status_1(tmp_path: Path, write: Write) -> None:
    first, second = free_ports(2), free_ports(2)
    assert run("-c", str(write(*first))).returncode == 0
    done = run("-c", str(write(*second)))
    pid = (tmp_path / "run" / "server.pid").read_text()
    assert done.returncode == 1
    assert f"process {pid} runs with the pid file" in done.stderr


def test_in_a_container_the_server_stays_in_the_foreground_and_reads_files_that_change(write: Write) -> None:
    rtmp, http = free_ports(2)
    file = write(rtmp, http, "daemon on;")
    file.write_text(file.read_text().replace("srs_log_tank file;", ""))
    process = start(["-c", str(file)], {"container": "podman", "SRS_AUTO_RELOAD_FOR_DOCKER": ""})
    log = Log(process.stderr)
    try:
        log.wait("stays in the foreground", timeout=40)
        log.wait("play http")
        assert process.poll() is None
        with file.open("a") as config:
            config.write("max_connections 77;")
        log.wait(r"max_connections: \d+ -> 77, at once")
    finally:
        assert stop(process) == 0, log.text()


def test_in_docker_off_beats_the_look_for_a_container(write: Write) -> None:
    file = write(*free_ports(2), "daemon on; in_docker off;")
    done = run("-c", str(file), environ={"container": "podman"})
    assert done.returncode == 0 and "process " in done.stdout
