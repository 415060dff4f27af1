"""Upgrades below a supervisor that knows the process that it started, and no other: tini, supervisord, a container."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from broadcast import Broadcast
from command import ask
from patience import SILENCE
from player import Player, check_complete
from server import Log, environment, until
from upgrading import UpgradingServer

MEMORY_MAX = 16 << 20
"Of a keeper, bytes: an interpreter without a program."

STARTS = {
    "supervisord": (),
    "tini": ("tini", "-s", "--"),
    "a container": (
        "unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
    ),
}
"What stands before the command of the server. As supervisord does, the test itself knows its child alone."


ALIEN = """
import os, sys
from fastflv.control import handoverform
handoverform.FORMAT = os.getpid()
from fastflv.tools.cli import main
sys.exit(main())
"""
"A server each of whose processes knows another form of streams, as versions may: an upgrade drains."


class SupervisedServer(UpgradingServer):
    """`process` is the supervisor, or the first process of the server where the test is the supervisor."""

    def __init__(
        self, folder: Path, before: Sequence[str] = (), program: Sequence[str] = ("-m", "fastflv")
    ) -> None:
        super().__init__(folder)
        self._before = before
        self._program = program
        self._first = 0

    def __enter__(self) -> SupervisedServer:
        command = [*self._before, sys.executable, "-P", *self._program, "-c", str(self.file)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
        self.log = Log(self.process.stderr)
        self.log.wait("ask http", timeout=40)
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self._first = int(children[0]) if self._before else pid
        return self

    @property
    def first(self) -> int:
        return self._first

    def __exit__(self, *failure: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.first, signal.SIGKILL)
        self.process.wait(10 * SILENCE)
        self.log.close()
        print(self.log.text())

    @property
    def serving(self) -> int:
        """The process that answers, by its number where the server is."""
        return int(self.ask("versions")["pid"])

    def upgraded(self) -> int:
        """Upgrade; return the process that serves once the old one has ended or keeps."""
        process = int(self.upgrade()["process"])
        until(lambda: self.keeps, "a keeper", 30)
        assert self.serving == process
        return process

    def drained(self) -> int:
        """Upgrade to another form of streams; return the process that serves. The old one has its clients still."""
        report = ask("upgrade", "--drain", "--pid", self.pid_file)
        assert not report["whole"] and report["left"] == 2
        return int(report["process"])

    def ended(self) -> int:
        """Wait until nobody serves any more; return the status that the supervisor sees."""
        status = self.process.wait(10 * SILENCE)
        assert not Path(f"/proc/{self.first}").exists()
        return status


@pytest.mark.parametrize(
    "supervisor",
    [
        "supervisord",
        *(pytest.param(name, marks=pytest.mark.slow) for name in STARTS if name != "supervisord"),
    ],
)
def test_the_first_process_stays_for_its_supervisor_and_passes_on_what_that_says(
    supervisor: str, tmp_path: Path
) -> None:
    before = STARTS[supervisor]
    if before and (not shutil.which(before[0]) or subprocess.run([*before, "true"], check=False).returncode):
        pytest.skip(f"no {before[0]} here")
    with SupervisedServer(tmp_path, before) as server:
        with Broadcast(server.rtmp, "one"), Player(server.http, "/live/one.flv") as player:
            player.frames(5)
            assert len({server.serving, server.upgraded(), server.upgraded()}) == 3
            player.frames(30)
            check_complete(player)
        memory = int(Path(f"/proc/{server.first}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        print(f"the keeper has {memory >> 10} KiB")
        assert memory < MEMORY_MAX
        children = Path(f"/proc/{server.first}/task/{server.first}/children")
        until(lambda: len(children.read_text().split()) == 1, "one child: the former ones have ended", 30)
        os.kill(server.first, signal.SIGHUP)
        server.log.wait(r"reload: configuration 2 is in force")
        os.kill(server.process.pid if supervisor == "tini" else server.first, signal.SIGTERM)
        server.log.wait("SIGTERM: stopping")
        assert server.ended() == 0
        assert not server.pid_file.exists()


@pytest.mark.slow
@pytest.mark.parametrize("dies", ["who serves", "the keeper"])
def test_when_one_dies_the_supervisor_sees_it_and_the_ports_are_free(dies: str, tmp_path: Path) -> None:
    with SupervisedServer(tmp_path) as server:
        process = server.upgraded()
        watch = os.pidfd_open(process)
        try:
            os.kill(process if dies == "who serves" else server.first, signal.SIGKILL)
            assert server.ended() == (128 + signal.SIGKILL if dies == "who serves" else -signal.SIGKILL)
            if dies == "the keeper":
                server.log.wait("the process that the supervisor knows ended: stopping")
            until(lambda: not running(process), "the end of who served", 30)
        finally:
            os.close(watch)
        with SupervisedServer(tmp_path) as again:
            assert again.serving == again.first


@pytest.mark.slow
@pytest.mark.parametrize("dies", [False, True])
def test_the_first_process_serves_its_clients_on_while_others_follow_each_other(
    dies: bool, tmp_path: Path
) -> None:
    program = tmp_path / "alien.py"
    program.write_text(ALIEN)
    with SupervisedServer(tmp_path, program=(str(program),)) as server, ExitStack() as first:
        first.enter_context(Broadcast(server.rtmp, "one"))
        player = first.enter_context(Player(server.http, "/live/one.flv")).frames(5)
        second = server.drained()
        with ExitStack() as then:
            then.enter_context(Broadcast(server.rtmp, "two"))
            other = then.enter_context(Player(server.http, "/live/two.flv")).frames(5)
            third = server.drained()
            assert server.serving == third and len({server.first, second, third}) == 3
            other.frames(30)
            if dies:
                os.kill(third, signal.SIGKILL)
                assert server.ended() == 128 + signal.SIGKILL
                until(lambda: not running(second), "the end of who drained", 30)
                return
            os.kill(server.first, signal.SIGHUP)
            server.log.wait(r"reload: configuration 2 is in force")
            assert running(second)
        until(lambda: not running(second), "the end of the second process", 30)
        player.frames(player.count() + 30)
        os.kill(server.first, signal.SIGHUP)
        server.log.wait(r"reload: configuration 3 is in force")
        assert server.serving == third
        first.close()
        until(lambda: server.keeps, "a keeper", 30)
        os.kill(server.first, signal.SIGTERM)
        assert server.ended() == 0 and not running(third)


def running(process: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
