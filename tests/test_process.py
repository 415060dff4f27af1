"""The pid file: written, locked, released."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fastflv.control.process import PidFile
from fastflv.errors import StartupError

HOLD = """
import sys
from fastflv.control.process import PidFile
PidFile(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_the_pid_file_holds_the_process_id_and_is_emptied_at_the_end(tmp_path):
    path = tmp_path / "run" / "server.pid"
    file = PidFile(str(path))
    assert path.read_text() == str(os.getpid())
    file.release()
    assert path.read_text() == ""


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
