"""`fastflv upgrade` and SIGUSR2: another process goes on with listeners, publishers and players."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from broadcast import Broadcast, endless
from clip import Clip
from flvread import AUDIO, FlvReader, flv_file, media
from hookserver import HookServer
from httppush import HttpPush
from model.ports import free_ports
from model.ts import read_ts
from player import Player, check_complete, numbers
from publisher import Publisher, film, headers
from reloading import refused
from rtmpplayer import RtmpPlayer
from server import HOST, until, vhost_text
from tlsfiles import Pair, trusting
from upgrading import UpgradingServer
from wsclient import PING, WebSocket, encode

PATIENT = "mw_latency 0; lag_drop 600000; lag_jump 600000; lag_close 600000;"
"Nothing is left out for a player that a busy machine holds up."
TEXT = vhost_text(
    play=PATIENT,
    publish="grace 0; normal_timeout 60000;",
    remux="mount [vhost]/[app]/[stream].ts [vhost]/[app]/[stream].aac;",
)
TEXT = TEXT.replace("mount [vhost]/[app]/[stream].flv; mount", "mount [vhost]/[app]/[stream].flv")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[UpgradingServer]:
    with UpgradingServer(tmp_path, TEXT) as running:
        yield running


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """What a service manager listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(60)
        yield sock


def check_part_of(clip: Clip, player: Player) -> None:
    """The player got frames of the clip that follow each other, in the order that they were sent, and none twice."""
    got = [(tag.kind, tag.body) for tag in media(player.tags)]
    sent = [(tag.kind, tag.body) for tag in islice(endless(clip), len(got) + 1000)]
    begin = sent.index(got[0])
    assert got == sent[begin : begin + len(got)]


def test_players_of_each_kind_go_on_at_the_exact_byte(
    tmp_path: Path, h264: Clip, manager: socket.socket
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context
        environ = {"NOTIFY_SOCKET": str(manager.getsockname())}
        server = first(UpgradingServer(tmp_path, TEXT, environ=environ))
        assert manager.recv(100) == b"READY=1"
        first(Broadcast(server.rtmp, "one"))
        first(Broadcast(server.rtmp, "clip", clip=h264))
        plays = [
            first(Player(server.http, "/live/one.flv")),
            first(Player(server.http, "/live/one.flv", version="1.0")),
            first(WebSocket(server.http, "/live/one.flv")),
            first(RtmpPlayer(server.rtmp).open("one")),
            first(Player(server.http, "/live/one.flv?only=video")),
        ]
        clips = [first(Player(server.http, "/live/clip.flv"))]
        bodies = [first(Player(server.http, f"/live/clip.{kind}", flv=False)) for kind in ("ts", "aac")]
        for play in (*plays, *clips):
            play.frames(5)
        for body in bodies:
            body.until(lambda me: len(me.body) > 5000)
        old = server.present
        report = server.upgrade()
        assert report["taken"] == {"listeners": 3, "streams": 2, "publishers": 2, "players": 8}
        assert report["process"] == server.present != old and report["left"] == 0
        server.log.wait("it has taken over 3 listeners, 2 streams, 2 publishers, 8 players")
        said = {manager.recv(100) for _ in range(2)}
        assert said == {b"READY=1", b"MAINPID=%d" % report["process"]}
        assert server.process.wait(60) == 0, "the old process ends"
        for play in (*plays, *clips):
            play.frames(30)
            if play not in clips:
                check_complete(play)
        check_part_of(h264, clips[0])
        assert len(plays[3].streams) == 1
        for body in bodies:
            size = len(body.body)
            body.until(lambda me, least=size + 30_000: len(me.body) > least)
        ts = bytes(bodies[0].body)
        found = read_ts(ts[: len(ts) // 188 * 188])
        assert found.jumps == found.restarts == found.bridges == 0 and len(found.pes) > 50
        aac, at = bytes(bodies[1].body), 0
        while at + 7 < len(aac):
            assert aac[at] == 0xFF and aac[at + 1] & 0xF0 == 0xF0, f"no ADTS frame at {at} of {len(aac)}"
            at += (aac[at + 3] & 3) << 11 | aac[at + 4] << 3 | aac[at + 5] >> 5
        # Who joins now is served by the new process, and so are commands on connections that were taken over.
        first(Player(server.http, "/live/one.flv")).frames(5)
        plays[2].send(PING, b"still there")
        plays[2].until(lambda me: b"still there" in me.pongs)
        plays[3].heard_of()
        assert len(server.clients()) == 11
    assert manager.recv(100) == b"STOPPING=1"


def test_half_sent_tags_of_a_player_that_does_not_read_are_finished(server: UpgradingServer) -> None:
    """What is published is bounded, not paced: the log keeps all of it however long the upgrade takes."""
    with ExitStack() as stack:
        first = stack.enter_context
        publisher = first(Publisher(server.rtmp).publish("large"))
        publisher.tags(headers())
        publisher.tags(film(25, size=60_000))
        slow = [
            first(Player(server.http, "/live/large.flv", buffer=40_000)),
            first(Player(server.http, "/live/large.flv", version="1.0", buffer=40_000)),
            first(WebSocket(server.http, "/live/large.flv", buffer=40_000)),
            first(RtmpPlayer(server.rtmp, buffer=40_000).open("large")),
        ]
        for play in slow:
            play.frames(1)
        publisher.tags(film(100, start=1000, first=25, size=60_000))
        server.wait_late("large", 300, 4)
        assert server.upgrade()["taken"]["players"] == 4
        publisher.tags(film(50, start=5000, first=125, size=60_000))
        for play in slow:
            play.until(lambda me: numbers(me)[-1] == 174)
            check_complete(play)


@pytest.mark.slow
def test_odd_connections_of_rtmp_go_on_as_they_were(server: UpgradingServer) -> None:
    with ExitStack() as stack:
        first = stack.enter_context
        publisher = first(Publisher(server.rtmp).publish("one"))
        publisher.begin("two")
        numbers_of = {name: number for name, number in publisher.streams.items()}

        def shoot(begin: int, count: int) -> None:
            for stream in numbers_of.values():
                publisher.tags(film(count, start=40 * begin, first=begin), stream=stream)

        for stream in numbers_of.values():
            publisher.tags(headers(), stream=stream)
        shoot(0, 25)
        paused = first(RtmpPlayer(server.rtmp).open("one")).frames(5)
        paused.say("pause", True, 0.0)
        paused.told("NetStream.Pause.Notify").heard_of()
        silent = first(RtmpPlayer(server.rtmp).open("two")).frames(5)
        silent.say("receiveAudio", False)
        silent.heard_of()
        brief = first(RtmpPlayer(server.rtmp).greet().connect()).play("two", -2.0, 600_000.0).frames(5)
        plain = first(Player(server.http, "/live/two.flv")).frames(5)
        assert server.upgrade()["taken"] == {"listeners": 3, "streams": 2, "publishers": 2, "players": 4}
        before = paused.count()
        shoot(25, 50)
        silent.heard_of()
        sounds = silent.count(AUDIO)
        shoot(75, 50)
        plain.frames(90)
        check_complete(plain)
        brief.frames(90)
        check_complete(brief)
        silent.until(lambda me: me.count() >= 95)
        assert silent.count(AUDIO) == sounds
        assert paused.heard_of().count() == before
        paused.say("pause", False, 0.0)
        paused.told("NetStream.Unpause.Notify").until(lambda me: me.count() >= before + 5)
        publisher.end("two")
        plain.rest()
        assert plain.clean
        publisher.tags(film(10, start=40 * 125, first=125), stream=numbers_of["one"])
        paused.until(lambda me: numbers(me)[-1] == 134)


@pytest.mark.slow
def test_what_stays_in_the_old_process_is_finished_there_or_comes_back(tmp_path: Path, pair: Pair) -> None:
    (port,) = free_ports(1)
    (tmp_path / "film.bin").write_bytes(os.urandom(8 << 20))
    web = f"dir {tmp_path}; https {{ enabled on; listen {port}; cert {pair.cert}; key {pair.key}; }}"
    with ExitStack() as stack:
        first = stack.enter_context
        server = first(UpgradingServer(tmp_path, TEXT.replace("grace 0;", "grace 20;"), web=web))
        first(Broadcast(server.rtmp, "one"))
        plain = first(Player(server.http, "/live/one.flv")).frames(5)
        secure = first(Player(port, "/live/one.flv", tls=trusting())).frames(5)
        loading = HTTPConnection(HOST, server.http, timeout=60)
        loading.sock = socket.create_connection((HOST, server.http))
        loading.request("GET", "/film.bin")
        answer = loading.getresponse()
        kept = HTTPConnection(HOST, server.api, timeout=60)
        kept.request("GET", "/healthz")
        assert kept.getresponse().read() == b"ok"
        ours = kept.sock.getsockname()
        idle = first(RtmpPlayer(server.rtmp)).greet().connect()
        report = server.upgrade()
        assert report["left"] == 1 and report["taken"]["players"] == 1
        secure.rest()
        assert secure.clean, "the end of the response is announced"
        idle.rest()
        check_complete(secure)
        # The connection between two requests goes on in the new process.
        kept.request("GET", "/api/v1/versions")
        assert json.load(kept.getresponse())["pid"] == str(server.present)
        assert kept.sock.getsockname() == ours
        assert server.process.poll() is None, "a download goes on in the old process"
        assert answer.read() == (tmp_path / "film.bin").read_bytes()
        until(lambda: server.keeps, "a keeper: the old process has nothing left", 60)
        plain.frames(30)
        check_complete(plain)
        first(Player(port, "/live/one.flv", tls=trusting())).frames(5)


@pytest.mark.slow
def test_the_new_process_has_the_logs_of_a_hundred_streams_once(tmp_path: Path) -> None:
    text = vhost_text(play=PATIENT, publish="grace 0; normal_timeout 600000;")
    with UpgradingServer(tmp_path, text) as server, ExitStack() as stack:
        for number in range(100):
            publisher = stack.enter_context(Publisher(server.rtmp, timeout=60, chunk_size=65536))
            publisher.publish(f"s{number}").tags([*headers(), *film(40, gop=50, size=50_000)])
        until(lambda: received(server) > 200_000_000, "200 MB", 30)
        before = resident(server.present)
        report = server.upgrade()
        assert report["taken"]["streams"] == 100
        until(lambda: server.keeps, "a keeper: the old process has nothing left", 30)
        after = resident(server.present)
        print(f"{before >> 20} MiB before, {after >> 20} MiB after, {report['paused_ms']} ms")
        assert before > 200 << 20, "the logs are there"
        assert after < 1.1 * before


def resident(pid: int) -> int:
    """Resident memory of a process, bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_hooks_recordings_and_segments_go_on(tmp_path: Path, h264: Clip) -> None:
    files = (
        f"dvr {{ enabled on; dvr_plan session; dvr_path {tmp_path}/rec/[stream].[timestamp].flv; }}"
        f"hls {{ enabled on; hls_fragment 1; hls_window 60; hls_path {tmp_path}/hls; }}"
    )
    playlist = tmp_path / "hls/live/one.m3u8"
    with HookServer() as hooks, ExitStack() as stack:
        block = hooks.block("on_connect", "on_close", "on_publish", "on_unpublish", "on_play", "on_stop")
        server = stack.enter_context(UpgradingServer(tmp_path, vhost_text(more=block + files)))
        with (
            Broadcast(server.rtmp, "one", clip=h264, speed=2),
            Player(server.http, "/live/one.flv") as player,
        ):
            player.frames(60)
            until(lambda: playlist.exists() and "one-1.ts" in playlist.read_text(), "two segments", 20)
            client = hooks.wait("on_play")[0].fields["client_id"]
            server.upgrade()
            old = playlist.read_text().count("#EXTINF")
            player.frames(60)
            check_part_of(h264, player)
            until(lambda: playlist.read_text().count("#EXTINF") > old + 1, "further segments", 20)
            asked = ["on_connect", "on_publish", "on_play"]
            assert hooks.actions() == asked, "nobody is asked about, or told to have left, once more"
        hooks.wait("on_close")
        assert sorted(hooks.actions()[3:]) == ["on_close", "on_stop", "on_unpublish"]
        assert hooks.of("on_stop")[0].fields["client_id"] == client
        segments = [line for line in playlist.read_text().splitlines() if line.endswith(".ts")]
        assert segments == [f"one-{number}.ts" for number in range(len(segments))]
    for number in range(len(segments)):
        read_ts((tmp_path / f"hls/live/one-{number}.ts").read_bytes())
    first, second = sorted((tmp_path / "rec").iterdir())
    for recording in (first, second):
        reader = FlvReader()
        reader.feed(recording.read_bytes())
        assert reader.whole and len(media(reader.tags)) > 20


def test_two_upgrades_in_a_row_by_signal_lose_no_publisher_that_is_within_a_message(
    server: UpgradingServer,
) -> None:
    with (
        Publisher(server.rtmp, chunk_size=128) as publisher,
        Player(server.http, "/live/torn.flv") as player,
    ):
        publisher.publish("torn")
        publisher.tags([*headers(), *film(30, size=3000)])
        player.frames(5)
        tags = list(film(200, size=3000))[60:]
        for turn in range(2):
            tag = tags.pop(0)
            sent = publisher.session.write_media(publisher.stream, tag.kind, tag.time, tag.body)
            publisher.sock.sendall(sent[:1000])
            old = server.present
            os.kill(old, signal.SIGUSR2)
            until(
                lambda before=old: server.present != before,
                "the new process",
                30,
            )
            server.log.wait(f"process {server.present} serves", timeout=30)
            publisher.sock.sendall(sent[1000:])
            publisher.tags(tags[:10])
            del tags[:10]
            player.frames(5)
            assert len(server.log.find("SIGUSR2: upgrade")) == turn + 1
        check_complete(player)


def test_publishers_of_flv_go_on_within_a_tag_and_within_its_framing(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with ExitStack() as stack:
        first = stack.enter_context
        server = first(UpgradingServer(tmp_path, TEXT, more=f"flv_tcp {{ enabled on; listen {port}; }}"))
        wires = {
            "chunked": lambda data: b"%x\r\n%b\r\n" % (len(data), data),
            "sized": lambda data: data,
            "socket": lambda data: encode(2, data),
            "0": lambda data: data,
        }
        tcp = first(socket.create_connection((HOST, port)))
        web = first(WebSocket(server.http, "/live/socket.flv?publish", flv=False)).head()
        socks = {
            "chunked": first(HttpPush(server.http, "/live/chunked.flv")).sock,
            "sized": first(HttpPush(server.http, "/live/sized.flv", length=1 << 30)).sock,
            "socket": web.sock,
            "0": tcp,
        }
        tags = [*headers(), *film(150, size=3000)]
        begun = flv_file(tags[:23])
        for name, sock in socks.items():
            sock.sendall(wires[name](begun))
        players = {name: first(Player(server.http, f"/live/{name}.flv")).frames(5) for name in socks}
        ends = {name: (sock.getsockname(), sock.getpeername()) for name, sock in socks.items()}
        at = 23
        for cut in (1, 2, 9, 700):
            rest = {}
            for name, sock in socks.items():
                wire = wires[name](flv_file(tags[at : at + 10])[13:])
                sock.sendall(wire[:cut])
                rest[name] = wire[cut:]
            if cut in (1, 700):
                report = server.upgrade()
                assert report["taken"]["publishers"] == 4 and report["left"] == 0
            for name, sock in socks.items():
                sock.sendall(rest[name])
            at += 10
        web.send(PING, b"still there?")
        for name, player in players.items():
            player.until(lambda me: len(numbers(me)) >= 30)
            check_complete(player)
            assert (socks[name].getsockname(), socks[name].getpeername()) == ends[name]
        web.until(lambda me: me.pongs)
        socks["chunked"].sendall(b"0\r\n\r\n")
        assert socks["chunked"].recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("where", ["memory", pytest.param("files", marks=pytest.mark.slow)])
def test_players_are_sent_the_past_from_before_an_upgrade(where: str, tmp_path: Path) -> None:
    path = f"path {tmp_path}/past;" if where == "files" else ""
    quiet = "grace 0; normal_timeout 600000;"
    text = vhost_text(play=PATIENT, publish=quiet, more=f"timeshift {{ window 600; {path} }}")
    with UpgradingServer(tmp_path, text) as server, Publisher(server.rtmp, timeout=60) as publisher:
        publisher.publish("one").tags([*headers(), *film(500, size=20_000)])
        until(lambda: received(server) > 500 * 20_000, "all pictures", 20)
        with Player(server.http, "/live/one.flv?from=-19") as player:
            player.frames(20)
            first = numbers(player)[0]
        assert first < 50
        if where == "files":
            until(lambda: "timeshift" in mapped(server.present), "pages in a file", 20)
        for turn in range(2 if where == "files" else 1):
            server.upgrade()
            server.log.wait(f"process {server.present} has the past")
            publisher.tags(film(100, first=500 + 100 * turn, start=20_000 + 4000 * turn, size=20_000))
            until(lambda all=600 + 100 * turn: received(server) > all * 20_000, "all pictures", 20)
            with Player(server.http, f"/live/one.flv?from=-{23 + 4 * turn}") as player:
                player.frames(20)
                assert numbers(player)[0] == first
                check_complete(player)


def received(server: UpgradingServer) -> int:
    """Bytes of media that publishers have sent."""
    return sum(row["recv_bytes"] for row in server.clients())


def mapped(pid: int) -> str:
    """The files that a process has mapped."""
    return Path(f"/proc/{pid}/maps").read_text()


def test_a_configuration_that_is_wrong_leaves_the_old_process_as_it_was(server: UpgradingServer) -> None:
    with Broadcast(server.rtmp, "one"), Player(server.http, "/live/one.flv") as player:
        player.frames(5)
        server.edit(("max_connections 1000;", "max_connections many;"))
        report = server.upgrade(status=1)
        assert any("max_connections" in each for each in report["problems"])
        server.expect_error("this process goes on")
        goes_on(server, player)


@pytest.mark.slow
def test_a_new_process_that_cannot_bind_leaves_the_old_one_as_it_was(server: UpgradingServer) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        Broadcast(server.rtmp, "one"),
        Player(server.http, "/live/one.flv") as player,
    ):
        player.frames(5)
        port = taken.getsockname()[1]
        server.edit((f"listen {server.rtmp};", f"listen {server.rtmp} 127.0.0.1:{port};"))
        report = server.upgrade(status=1)
        assert str(port) in report["problems"][0] and "in use" in report["problems"][0]
        server.expect_error("this process goes on")
        goes_on(server, player)


def goes_on(server: UpgradingServer, player: Any) -> None:
    """The process that was started serves whom it had and who comes, and answers commands."""
    player.frames(30)
    check_complete(player)
    assert server.present == server.pid and server.process.poll() is None
    with Player(server.http, "/live/one.flv") as fresh:
        fresh.frames(5)
    assert not refused(server.rtmp)
