"""Upgrades whose new process is of no use: the old one goes on as if nothing was, whatever the moment."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import subprocess
import sys
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from model.apisite import NAME, gop, looped, running
from model.flv import inter
from model.loop import until

from fastflv import limits
from fastflv.control.handover import Leaving
from fastflv.control.handoverform import form, shape
from fastflv.control.listeners import Listeners
from fastflv.control.supervision import Supervision
from fastflv.control.takeover import VARIABLE, Takeover
from fastflv.control.upgrade import CommandLine, Upgrade, let_go
from fastflv.errors import HandoverError, StartupError
from fastflv.net.parcel import receive_parcel, send_parcel

SCRIPT = """
import os, sys, time
sys.path[:0] = {path!r}
from fastflv.net.parcel import HEAD, receive_parcel, send_parcel
import socket
sock = socket.socket(fileno=int(os.environ[{variable!r}]))
hello = dict(format={format!r}, version="9.9", process=os.getpid())
"""
BAD = {
    "ends at once": ("sys.exit(3)", "status 3"),
    "is killed": ("os.kill(os.getpid(), 9)", "status -9"),
    "refuses": ("send_parcel(sock, dict(refused='it has no place')); time.sleep(60)", "it has no place"),
    "says something else": ("sock.sendall(b'hello, old process'); time.sleep(60)", "no parcel"),
    "ends after hello": ("send_parcel(sock, hello)", "the new process ended"),
    "ends with the listeners": ("send_parcel(sock, hello); receive_parcel(sock)", "the new process ended"),
    "does not bind": (
        "send_parcel(sock, hello); receive_parcel(sock); send_parcel(sock, dict(refused='in use')); time.sleep(60)",
        "in use",
    ),
    "is killed while it takes over": (
        "send_parcel(sock, hello); receive_parcel(sock); send_parcel(sock, {}); receive_parcel(sock);"
        "os.kill(os.getpid(), 9)",
        "the new process ended",
    ),
    "hangs while it takes over": (
        "send_parcel(sock, hello); receive_parcel(sock); send_parcel(sock, {}); time.sleep(60)",
        "did not answer in time",
    ),
    "answers a byte at a time": (
        "send_parcel(sock, hello); receive_parcel(sock); send_parcel(sock, {}); receive_parcel(sock);"
        "memory = os.memfd_create('slow'); socket.send_fds(sock, [HEAD.pack(100, 2)], [memory]);"
        "[(time.sleep(0.4), socket.send_fds(sock, [b'.'], [memory])) for _ in range(100)]",
        "did not answer in time",
    ),
    "refuses the state": (
        "send_parcel(sock, hello); receive_parcel(sock); send_parcel(sock, {}); receive_parcel(sock);"
        "send_parcel(sock, dict(refused='what is that')); time.sleep(60)",
        "what is that",
    ),
}


def command(text: str, known: str = "") -> CommandLine:
    script = SCRIPT.format(path=sys.path, format=known or form(), variable=VARIABLE) + text
    return CommandLine((sys.executable, "-c", script), str(Path.cwd()))


class Site:
    """What an upgrade gives up, and takes again."""

    def __init__(self) -> None:
        self.given = self.taken = 0

    def hand_over(self):
        self.given += 1
        return self.retake

    def retake(self) -> None:
        self.taken += 1


@pytest.mark.parametrize("what", BAD)
@looped
async def test_a_new_process_that_does_not_take_over_leaves_players_and_listeners(what, monkeypatch):
    monkeypatch.setattr(limits, "UPGRADE_TAKE_SECONDS", 1.0)
    text, why = BAD[what]
    async with running() as caller:
        feed = caller.publish()
        gop(caller, feed)
        reader, writer = await caller.play()
        site = Site()
        before = set(os.listdir("/proc/self/fd"))
        with pytest.raises(HandoverError, match=why):
            await Upgrade(caller.server, command(text), site.hand_over, Supervision()).run()
        assert set(os.listdir("/proc/self/fd")) <= before
        assert site.given == site.taken
        assert caller.server.players.count == 1
        feed.video(80, inter(b"on it goes"))
        await reader.readuntil(b"on it goes")
        again, second = await caller.play()
        feed.video(120, inter(b"and on"))
        await again.readuntil(b"and on")
        assert caller.server.unready == ""
        writer.close()
        second.close()


@looped
async def test_a_process_that_can_open_nothing_more_still_hands_everything_over(monkeypatch):
    text = (
        "send_parcel(sock, hello); receive_parcel(sock); send_parcel(sock, {}); receive_parcel(sock);"
        "send_parcel(sock, {}); receive_parcel(sock); time.sleep(60)"
    )

    class Full(Site):
        """From the commit on, nothing can be opened."""

        def hand_over(self):
            monkeypatch.setattr(os, "open", none_left)
            return super().hand_over()

    def none_left(*_path, **_mode):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with running() as caller:
        feed = caller.publish()
        gop(caller, feed)
        _, writer = await caller.play()
        site = Full()
        report = await Upgrade(caller.server, command(text), site.hand_over, Supervision()).run()
        monkeypatch.undo()
        assert report["good"] and site.taken == 0
        await until(lambda: caller.server.players.count == 0)
        os.kill(report["process"], 9)
        writer.close()


@looped
async def test_the_keeper_knows_the_new_process_from_the_commit_on_and_hears_of_its_end(monkeypatch):
    text = (
        "send_parcel(sock, hello); receive_parcel(sock); send_parcel(sock, {}); receive_parcel(sock);"
        "send_parcel(sock, {}); receive_parcel(sock); os.kill(os.getpid(), 9)"
    )
    keeper, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keeper.setblocking(False)
    words = []
    part = Leaving.part

    def partly(leaving):
        words.append(keeper.recv(100).decode())
        part(leaving)

    monkeypatch.setattr(Leaving, "part", partly)
    async with running() as caller:
        gop(caller, caller.publish())
        supervision = Supervision(sock=ours)
        report = await Upgrade(caller.server, command(text), Site().hand_over, supervision).run()
        pid = report["process"]
        assert words == [str(pid)]
        # What is collected meanwhile takes no status with it.
        gc.collect()
        loop = asyncio.get_running_loop()
        supervision.watch_followers(loop, lambda _process: words.append("of no concern here"))
        word = await asyncio.wait_for(loop.sock_recv(keeper, 100), 60)
        assert word.decode() == f"{pid} -9" and len(words) == 1
    keeper.close()
    ours.close()


@pytest.mark.parametrize("dies", ["before it is watched", "then"])
@looped
async def test_who_stays_for_a_supervisor_sees_the_end_of_the_new_process(dies):
    text = (
        "send_parcel(sock, hello); receive_parcel(sock); send_parcel(sock, {}); receive_parcel(sock);"
        "send_parcel(sock, {}); receive_parcel(sock); time.sleep(600)"
    )
    async with running() as caller:
        supervision = Supervision(stays=True)
        upgrade = Upgrade(caller.server, command(text), Site().hand_over, supervision)
        pid = (await upgrade.run())["process"]
        if dies != "then":
            os.kill(pid, 9)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            del upgrade
            gc.collect()
        seen = asyncio.get_running_loop().create_future()
        supervision.watch_followers(asyncio.get_running_loop(), seen.set_result)
        if dies == "then":
            os.kill(pid, 9)
        assert await asyncio.wait_for(seen, 60) == pid


@looped
async def test_a_command_that_cannot_be_started_is_told():
    async with running() as caller:
        line = CommandLine(("/nowhere/python", "-m", "fastflv"), "/")
        with pytest.raises(HandoverError, match="/nowhere/python cannot be started"):
            await Upgrade(caller.server, line, Site().hand_over, Supervision()).run()


@looped
async def test_a_server_that_ends_meanwhile_waits_for_no_new_process():
    async with running() as caller:
        site = Site()
        upgrade = Upgrade(caller.server, command("time.sleep(60)"), site.hand_over, Supervision())
        task = asyncio.get_running_loop().create_task(upgrade.run())
        await asyncio.sleep(0.1)
        upgrade.cancel()
        with pytest.raises(HandoverError):
            await task
        assert site.given == 0


@looped
async def test_a_version_that_knows_another_form_is_refused_before_anything_is_handed_over():
    async with running() as caller:
        feed = caller.publish()
        gop(caller, feed)
        reader, writer = await caller.play()
        site = Site()
        line = command("send_parcel(sock, hello); sys.exit(receive_parcel(sock))", "1.of another version")
        with pytest.raises(HandoverError, match=r"version 9\.9 knows another form .*--drain"):
            await Upgrade(caller.server, line, site.hand_over, Supervision()).run()
        assert site.given == 0 and len(caller.server.listeners) == 3
        feed.video(80, inter(b"on it goes"))
        await reader.readuntil(b"on it goes")
        writer.close()


def test_the_form_names_whatever_is_handed_over():
    lines = {line.partition(":")[0] for line in shape()}
    for path in (
        "/stream/writer/timeline/repairs",
        "/reader/chunk_left",
        "/player/credit_ms",
        "/player/thin/bridge",
        "/fastflv.playing.threadplayer.PlayerAt/words",
        "/fastflv.servers.rtmp.play.PlayState/paused",
        "/fastflv.servers.rtmp.handover.ConnectionState/session",
        "/fastflv.servers.http.handover.PlayState/websocket",
        "/fastflv.control.handover.ServerState/revoked",
    ):
        assert path in lines, path


@looped
async def test_a_version_that_knows_another_form_and_drains_gets_the_listeners_and_the_old_process_keeps_its_players():
    text = (
        "send_parcel(sock, hello); given = receive_parcel(sock).values; send_parcel(sock, {}); state = receive_parcel(sock).values;"
        "assert len(given['listeners']) == 3 and state == {'whole': False}; send_parcel(sock, {}); receive_parcel(sock); time.sleep(60)"
    )
    async with running() as caller:
        feed = caller.publish()
        gop(caller, feed)
        reader, writer = await caller.play()
        site = Site()
        line = command(text, "1.of another version")
        upgrade = Upgrade(caller.server, line, site.hand_over, Supervision(), drain=True)
        report = await upgrade.run()
        assert (report["good"], report["whole"], report["version"]) == (True, False, "9.9")
        assert report["taken"] == {"listeners": 3} and site.given == 1 and site.taken == 0
        assert len(caller.server.listeners) == 0
        feed.video(80, inter(b"to its end"))
        await reader.readuntil(b"to its end")
        os.kill(report["process"], 9)
        writer.close()


@looped
async def test_a_new_process_that_cannot_listen_after_all_ends_with_its_players(monkeypatch):
    def give(sock):
        """Do as the old process does."""
        for values in ({"listeners": []}, {"whole": False}, {"commit": True}):
            receive_parcel(sock).close()
            send_parcel(sock, values)

    def fail(_self, _plan):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    old, new = socket.socketpair()
    with old, new:
        async with running() as caller:
            gop(caller, caller.publish())
            reader, writer = await caller.play()
            takeover = Takeover(new)
            giving = asyncio.get_running_loop().run_in_executor(None, give, old)
            await takeover.begin(caller.server)
            await giving
            monkeypatch.setattr(Listeners, "commit", fail)
            with pytest.raises(StartupError, match="listeners cannot be opened"):
                await takeover.commit(caller.server)
            assert (await reader.read()).endswith(b"0\r\n\r\n"), "the end of a response"
            assert caller.server.connection_limit.taken == 0
            monkeypatch.setattr(caller.server, "stop", AsyncMock())
            writer.close()


@looped
async def test_what_is_handed_over_is_forgotten_without_an_end_and_the_rest_ends():
    text = (
        "send_parcel(sock, hello); receive_parcel(sock); send_parcel(sock, {}); state = receive_parcel(sock);"
        "assert len(state.values['plays']) == 1 and len(state.values['idle']) == 1;"
        "send_parcel(sock, {}); receive_parcel(sock);"
        "play = state.take(state.values['plays'][0]['fd']); os.write(play, b'from the new process');"
        "sock.recv(1)"
    )
    left = []
    async with running() as caller:
        feed = caller.publish()
        gop(caller, feed)
        reader, writer = await caller.play()
        kept, asking = await asyncio.open_connection("127.0.0.1", caller.api)
        asking.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        await kept.readuntil(b"ok")
        server = caller.server
        await until(lambda: len(server.connection_limit.open.protocols()) == 1)

        server.clients.left.append(lambda client, reason: left.append((client.id, reason.value)))
        upgrade = Upgrade(server, command(text), Site().hand_over, Supervision())
        report = await upgrade.run()
        assert report["taken"] == {"listeners": 3, "streams": 1, "publishers": 0, "players": 1}
        assert report["left"] == 1, "a publisher that is no connection"
        await reader.readuntil(b"from the new process")
        await let_go(server, upgrade, asyncio.get_running_loop().create_future())
        assert server.hub.find(NAME) is None and [id for id, _ in left] == []
        assert await reader.read(1) == b"", "nobody has the socket once the new process has ended"
        assert server.connection_limit.taken == 0
        writer.close()
        asking.close()


def test_the_form_is_the_same_in_each_process_of_a_version():
    code = "from fastflv.control.handoverform import form; print(form())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == form()
    assert form().startswith("3.") and len(form()) == 14
