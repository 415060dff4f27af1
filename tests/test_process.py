"""The pid file: written, locked, released. The log file: moved and lost. Signs of a container."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys

import pytest

from fastflv.config.model.server import LogSettings, LogTank
from fastflv.control.background import in_container
from fastflv.control.identity import server_id
from fastflv.control.log import reopen_log, start_log
from fastflv.control.process import PidFile
from fastflv.errors import StartupError

HOLD = """
import sys
from fastflv.config.model.server import LogSettings, LogTank
from fastflv.control.background import in_container
from fastflv.control.log import reopen_log, start_log
from fastflv.control.process import PidFile
PidFile(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_the_pid_file_holds_the_process_id_and_is_gone_after_the_end(tmp_path):
    path = tmp_path / "run" / "server.pid"
    file = PidFile(str(path))
    assert path.read_text() == str(os.getpid())
    file.release()
    assert not path.exists()


def test_a_pid_file_that_was_replaced_is_left_alone(tmp_path):
    path = tmp_path / "server.pid"
    file = PidFile(str(path))
    path.unlink()
    path.write_text("77")
    file.release()
    assert path.read_text() == "77"


def test_a_second_server_with_the_same_pid_file_is_refused_by_name(tmp_path):
    path = str(tmp_path / "server.pid")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StartupError, match=f"process {holder.pid} runs"):
            PidFile(path)
        holder.stdin.close()
        holder.wait(10)
    PidFile(path).release()


def test_a_pid_file_that_cannot_be_written_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="set `pid` to another path"):
        PidFile(str(tmp_path / "file" / "server.pid"))


@pytest.fixture
def log_file(tmp_path):
    """The log of the process goes to a file in a folder of its own."""
    root = logging.getLogger("fastflv")
    before = root.handlers[:], root.propagate, root.level
    path = tmp_path / "logs" / "server.log"
    start_log(LogSettings(LogTank.FILE, file=str(path)))
    yield path
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.propagate = before[:2]
    root.setLevel(before[2])


def test_a_log_whose_folder_is_gone_stops_nobody_and_comes_back(log_file, capsys):
    log = logging.getLogger("fastflv.test")
    log.info("first")
    shutil.rmtree(log_file.parent)
    log.info("lost")
    reopen_log("SIGUSR1")
    assert "cannot open the log" in capsys.readouterr().err
    log_file.parent.mkdir()
    reopen_log("SIGUSR1")
    log.info("second")
    lines = log_file.read_text().splitlines()
    assert len(lines) == 2 and "SIGUSR1: the log file is open" in lines[0] and "second" in lines[1]


@pytest.mark.parametrize(
    ("files", "environ", "contained"),
    [
        ({}, {}, False),
        ({"proc/1/cgroup": "0::/\n"}, {}, False),
        ({"proc/1/cgroup": "4:memory:/docker/9f\n"}, {}, True),
        ({"proc/1/cgroup": "1:cpu:/kubepods/burstable/pod1\n"}, {}, True),
        ({".dockerenv": ""}, {}, True),
        ({"run/.containerenv": ""}, {}, True),
        ({}, {"container": "podman"}, True),
    ],
)
def test_a_container_is_found_by_its_signs(tmp_path, files, environ, contained):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert in_container(environ, tmp_path) is contained


def test_a_link_in_the_place_of_the_pid_file_is_not_written_through(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("precious")
    (tmp_path / "server.pid").symlink_to(mine)
    with pytest.raises(StartupError, match="symbolic link"):
        PidFile(str(tmp_path / "server.pid"))
    assert mine.read_text() == "precious"


def test_a_link_in_the_place_of_the_server_id_is_not_written_through(tmp_path, caplog):
    mine = tmp_path / "mine"
    mine.write_text("precious words")
    (tmp_path / "server.pid.id").symlink_to(mine)
    assert server_id("", str(tmp_path / "server.pid")).startswith("vid-")
    assert mine.read_text() == "precious words"
    assert "symbolic link" in caplog.text
    (tmp_path / "server.pid.id").unlink()
    made = server_id("", str(tmp_path / "server.pid"))
    assert server_id("", str(tmp_path / "server.pid")) == made
