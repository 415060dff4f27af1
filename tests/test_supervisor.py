"""The parent of several workers: what it starts, what it passes on, and what it refuses."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import sys

import pytest
from model.apisite import looped

from fastflv.config.load import load_text
from fastflv.control.life import Life
from fastflv.control.presence import Presence
from fastflv.control.server import Server
from fastflv.control.supervision import Supervision
from fastflv.control.supervisor import Supervisor
from fastflv.control.takeover import Takeover
from fastflv.control.upgrade import CommandLine
from fastflv.control.workerplace import WorkerPlace
from fastflv.errors import ConfigError, StartupError
from fastflv.net.parcel import receive_parcel
from fastflv.servers.api.identity import Identity
from fastflv.tools.arguments import Arguments
from fastflv.tools.cli import main
from fastflv.tools.configtest import load_checked
from fastflv.tools.supervise import supervise

EDGE = "cluster { mode remote; origin 127.0.0.1:1; }"


@pytest.mark.parametrize(
    ("block", "name"),
    [
        ("dvr { enabled on; }", "vhost.dvr.enabled"),
        ("hls { enabled on; hls_path ./x; }", "vhost.hls.hls_path"),
    ],
)
def test_what_each_worker_of_an_edge_would_do_once_more_is_refused_by_start_reload_and_test(
    tmp_path, block, name, capsys
):
    file = tmp_path / "edge.conf"
    file.write_text(f"listen 1935; daemon off; srs_log_tank console; vhost v {{ {EDGE} {block} }}")
    two, one = (["-c", str(file), "--workers", count] for count in ("2", "1"))
    for arguments in (two, [*two, "-t"]):
        assert main(arguments) == 1
        assert f"{name} is for one process on an edge" in capsys.readouterr().err
    assert main([*one, "-t"]) == 0
    # A reload of a worker reads the file so.
    with pytest.raises(ConfigError, match=f"{name} is for one process on an edge"):
        load_checked(Arguments().parse(two, {}), folder=str(tmp_path), stamps={})
    file.write_text(file.read_text().replace(EDGE, ""))
    assert load_checked(Arguments().parse(two, {}), folder=str(tmp_path), stamps={}).vhosts


def test_a_parent_of_workers_takes_no_server_over_and_tells_the_old_process_why():
    old, new = socket.socketpair()
    with old, new:
        with pytest.raises(StartupError, match="--workers"):
            supervise(load_text("listen 1935; daemon off;"), 2, CommandLine((), "."), Takeover(new))
        assert "--workers" in receive_parcel(old).values["refused"]


@looped
async def test_one_of_several_workers_refuses_an_upgrade_with_a_sentence():
    settings = load_text("listen 127.0.0.1:1935; daemon off;")
    loop = asyncio.get_running_loop()
    server = Server(settings, loop, worker=WorkerPlace(1, [4001, 4002], 5, 6, "abc", "vid-1", "s"))
    command = CommandLine((sys.executable, "-c", "raise SystemExit(3)"), ".")
    life = Life(server, loop, lambda stamps: settings, {}, Presence(None), command, Supervision())
    report = await life.commands["upgrade"]()
    assert report["good"] is False and "--workers" in report["problems"][0]


WORKER = """#!{python}
import json, os, socket
place = json.loads(os.environ["FASTFLV_WORKER"])
channel = socket.socket(fileno=place["channel"])
channel.sendall(b'{{"ask": "ready"}}\\n')
while channel.recv(1000):
    pass
"""
"A program that does what the parent looks at."


@pytest.mark.parametrize("mends", [True, False])
def test_a_worker_that_cannot_be_started_is_tried_again_with_the_reason(tmp_path, caplog, mends):
    program, hidden = tmp_path / "worker", tmp_path / "hidden"
    program.write_text(WORKER.format(python=sys.executable))
    program.chmod(0o700)

    async def told(text: str) -> str:
        while not (found := [each for each in caplog.messages if re.search(text, each)]):
            await asyncio.sleep(0.01)
        return found[-1]

    async def run() -> None:
        supervisor = Supervisor(CommandLine((str(program),), "."), 1, Identity("vid-1", "s"))
        ready = asyncio.Event()
        running = asyncio.ensure_future(supervisor.run(ready.set))
        await ready.wait()
        pid = int((await told("worker 1 is process")).split()[-1])
        program.rename(hidden)
        os.kill(pid, signal.SIGKILL)
        await told("worker 1, it could not be started: .*No such file.*; the next one starts in")
        caplog.clear()
        if mends:
            hidden.rename(program)
            await told("worker 1 is process")
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    with caplog.at_level(logging.INFO):
        asyncio.run(asyncio.wait_for(run(), 60))


SLOW = """#!{python}
import json, os, signal, socket, time
signal.signal(signal.SIGHUP, lambda *_: open({told!r}, "w").close())
open({begun!r}, "w").close()
while not os.path.exists({go!r}):
    time.sleep(0.01)
place = json.loads(os.environ["FASTFLV_WORKER"])
channel = socket.socket(fileno=place["channel"])
channel.sendall(b'{{"ask": "ready"}}\\n')
while channel.recv(1000):
    pass
"""
"A worker that is ready when it may go, and says that it was told to reload."


@pytest.mark.parametrize("way", ["command", "signal"])
def test_a_worker_that_is_starting_when_a_reload_comes_reloads_once_it_is_ready(tmp_path, way):
    program, begun, go, told = (tmp_path / name for name in ("worker", "begun", "go", "told"))
    program.write_text(SLOW.format(python=sys.executable, begun=str(begun), go=str(go), told=str(told)))
    program.chmod(0o700)

    async def run() -> None:
        supervisor = Supervisor(CommandLine((str(program),), "."), 1, Identity("vid-1", "s"))
        ready = asyncio.Event()
        running = asyncio.ensure_future(supervisor.run(ready.set))
        while not begun.exists():
            await asyncio.sleep(0.01)
        if way == "command":
            answer = await supervisor.commands["reload"]()
            assert answer["problems"] == ["no worker is running"]
        else:
            os.kill(os.getpid(), signal.SIGHUP)
        assert not told.exists()
        go.touch()
        await ready.wait()
        while not told.exists():
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    asyncio.run(asyncio.wait_for(run(), 60))


RIVALS = """#!{python}
import json, os, socket, time
place = json.loads(os.environ["FASTFLV_WORKER"])
channel = socket.socket(fileno=place["channel"]).makefile("rw")
first = place["number"] == 1

def say(**fields):
    channel.write(json.dumps(fields) + "\\n")
    channel.flush()

def note(text):
    with open({notes!r}, "a") as notes:
        notes.write(text + "\\n")

def claim():
    say(ask="claim", number=1, name=["v", "live", "x"], client="c", takeover=True)

say(ask="ready")
if first:
    claim()
for line in channel:
    said = json.loads(line)
    if said.get("ask") == "published" and said["worker"] == 1 and not first:
        claim()
    elif said.get("ask") == "left":
        time.sleep(0.2)
        note("stored")
        say(reply=said["number"], value=None)
    elif "reply" in said and not first:
        note("begins at " + str(said["value"]))
"""
"Two workers, of which the second takes a name over."


def test_a_publisher_that_takes_a_name_over_begins_when_the_former_worker_has_stored_the_stream(tmp_path):
    program, notes = tmp_path / "worker", tmp_path / "notes"
    program.write_text(RIVALS.format(python=sys.executable, notes=str(notes)))
    program.chmod(0o700)

    async def run() -> None:
        supervisor = Supervisor(CommandLine((str(program),), "."), 2, Identity("vid-1", "s"))
        running = asyncio.ensure_future(supervisor.run(lambda: None))
        while not notes.exists() or "begins" not in notes.read_text():
            await asyncio.sleep(0.01)
        assert notes.read_text() == "stored\nbegins at 2\n"
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    asyncio.run(asyncio.wait_for(run(), 60))


HEARD = """#!{python}
import json, os, socket
place = json.loads(os.environ["FASTFLV_WORKER"])
channel = socket.socket(fileno=place["channel"]).makefile("rw")
channel.write(json.dumps(dict(ask="ready")) + "\\n")
channel.flush()
for line in channel:
    said = json.loads(line)
    with open({notes!r} + str(place["number"]), "a") as notes:
        notes.write(said["ask"] + " " + str(said["worker"]) + "\\n")
"""
"A worker that notes what it is told."


def test_workers_are_told_which_one_has_died_and_when_the_next_one_serves(tmp_path, caplog):
    program, notes = tmp_path / "worker", tmp_path / "notes1"
    program.write_text(HEARD.format(python=sys.executable, notes=str(tmp_path / "notes")))
    program.chmod(0o700)

    async def run() -> None:
        supervisor = Supervisor(CommandLine((str(program),), "."), 2, Identity("vid-1", "s"))
        ready = asyncio.Event()
        running = asyncio.ensure_future(supervisor.run(ready.set))
        await ready.wait()
        (pid,) = (int(each.split()[-1]) for each in caplog.messages if each.startswith("worker 2 is process"))
        os.kill(pid, signal.SIGKILL)
        told = ["absent 2", "present 2"]
        while not notes.exists() or notes.read_text().splitlines()[-2:] != told:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    with caplog.at_level(logging.INFO):
        asyncio.run(asyncio.wait_for(run(), 60))


def test_a_worker_that_cannot_be_started_at_all_ends_the_parent_with_the_reason(caplog):
    async def run() -> None:
        supervisor = Supervisor(CommandLine(("/nowhere/python",), "."), 2, Identity("vid-1", "s"))
        await supervisor.run(lambda: None)

    with pytest.raises(StartupError, match="could not start"):
        asyncio.run(asyncio.wait_for(run(), 60))
    assert any("it could not be started" in each and "/nowhere/python" in each for each in caplog.messages)


@looped
async def test_a_parent_of_workers_answers_an_upgrade_with_the_reason_against_it():
    answer = Supervisor(CommandLine((), "."), 2, Identity("vid-1", "s")).commands["upgrade"]()
    assert answer["good"] is False and "--workers" in answer["problems"][0]
