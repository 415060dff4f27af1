"""What live streams keep for edges that come from another origin, and how a server learns that some may come."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from model.apisite import CONF, gop, looped, running
from model.flv import AVC_HEADER, Feed, inter, key
from model.loop import until
from model.ports import free_ports
from model.rtmp import Peer, Site
from test_handover_server import NO_PORTS, passed

from fastflv import limits
from fastflv.cluster.address import OriginAddress
from fastflv.cluster.origins import Origins, ask_for_life
from fastflv.config.load import load_text
from fastflv.control.handover import Arriving, Leaving
from fastflv.control.server import Server
from fastflv.control.workerplace import WorkerPlace
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions

NAME = StreamName("v", "live", "x")
FRAME_MS = 40
GOP_FRAMES = 50
BODY = bytes(5000)
PAST_BYTES = limits.RESUME_PAST_MS // FRAME_MS * len(BODY)


def film(stream, since: int = 0) -> int:
    """Feed three GOPs of 2 s, and the first pictures of the fourth; return the time behind them."""
    feed = Feed(stream.writer)
    feed.video(since, AVC_HEADER)
    for number in range(3 * GOP_FRAMES + 2):
        feed.video(since + number * FRAME_MS, (inter if number % GOP_FRAMES else key)(BODY))
    stream.log.trim()
    return since + number * FRAME_MS


# --- what streams keep ---


def test_a_stream_keeps_the_past_from_the_first_edge_on():
    hub = Hub(lambda: "vid")
    stream = hub.publish(NAME, StreamOptions(), "p", 0)
    behind = film(stream)
    alone = stream.log.kept_bytes
    assert alone < PAST_BYTES / 2
    hub.expect_edges()
    film(stream, behind + FRAME_MS)
    assert stream.log.kept_bytes >= alone + PAST_BYTES / 2
    other = hub.publish(NAME._replace(stream="y"), StreamOptions(), "q", 0)
    film(other)
    assert other.log.kept_bytes >= PAST_BYTES


def test_a_stream_in_its_grace_keeps_the_past_once_its_publisher_is_back():
    hub = Hub(lambda: "vid")
    stream = hub.publish(NAME, StreamOptions(), "p", 0)
    behind = film(stream)
    hub.unpublish(stream, behind)
    hub.expect_edges()
    assert stream.log.keep_ms == 0
    assert hub.publish(NAME, StreamOptions(), "p", behind) is stream
    assert stream.log.keep_ms == limits.RESUME_PAST_MS


# --- who tells ---


@pytest.mark.parametrize(("mark", "told"), [(None, False), (False, True), (True, True)])
def test_an_edge_tells_by_connect(mark, told):
    site = Site()
    peer = Peer(site)
    arguments = ConnectArguments(tc_url="rtmp://127.0.0.1/live", app="live", resumes=mark).object()
    peer.client.call("connect", 1, arguments)
    peer.say()
    assert site.hub.expects_edges is told
    assert peer.connection.resumes is (mark is True)


@pytest.mark.parametrize(
    ("method", "path"), [("OPTIONS", "*"), ("GET", "/live/none.flv"), ("HEAD", "/live/none.flv")]
)
@looped
async def test_an_edge_tells_by_a_request(method, path):
    async with running(default="play { on_missing 0; }") as origin:
        for fields in ((), ("Fastflv-Resumes: 0",)):
            await origin.raw(path, *fields, method=method, port=origin.http)
            assert origin.server.hub.expects_edges is bool(fields)


@pytest.mark.parametrize("scheme", ["rtmp", "http"])
@looped
async def test_a_question_for_a_sign_of_life_tells(scheme, caplog):
    async with running() as origin:
        port = origin.rtmp if scheme == "rtmp" else origin.http
        caplog.clear()
        assert await ask_for_life(OriginAddress(scheme, "127.0.0.1", port)) == ""
        assert origin.server.hub.expects_edges
        await until(lambda: not origin.server.connection_limit.taken)
        assert not caplog.messages


class Told:
    """Origins that note who is asked for a sign of life; *faults* are their answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.faults: dict[str, str] = {}
        self.origins = Origins(asyncio.get_running_loop(), self._check, lambda address: True)

    async def _check(self, address: OriginAddress) -> str:
        self.asked.append(address.host)
        return self.faults.get(address.host, "")


A, B = (OriginAddress("rtmp", host, 1935) for host in "ab")


@looped
async def test_an_origin_is_told_once_in_a_while_and_its_silence_changes_nothing(monkeypatch, caplog):
    told = Told()
    told.faults["b"] = "no answer in time"
    told.origins.announce([A, B])
    told.origins.announce([B, A])
    await until(lambda: len(told.asked) == 2)
    told.origins.announce([A], again=True)
    await until(lambda: len(told.asked) == 3)
    monkeypatch.setattr("fastflv.limits.ORIGIN_ANNOUNCE_SECONDS", 0.0)
    told.origins.announce([B])
    await until(lambda: told.asked == ["a", "b", "a", "b"])
    assert [health.fault for health in told.origins] == ["", ""]
    assert not caplog.messages
    await told.origins.close()


@looped
async def test_an_origin_that_is_down_is_told_when_it_is_asked_for_a_sign_of_life(monkeypatch):
    monkeypatch.setattr("fastflv.limits.ORIGIN_CHECK_SECONDS", 0.3)
    told = Told()
    told.origins.health(A)
    told.origins.failed(A, "for a test")
    told.origins.announce([A])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told.asked == []
    await until(lambda: not told.origins.health(A).fault)
    assert told.asked == ["a"]
    await told.origins.close()


# --- edges ---


def edge_of(*ports: int, protocol: str = "rtmp") -> str:
    places = " ".join(f"127.0.0.1:{port}" for port in ports)
    return f"cluster {{ mode remote; origin {places}; protocol {protocol}; }} play {{ on_missing 60; start gop; }}"


@pytest.fixture
def patient(monkeypatch):
    """Streams stand still, and edges look for no other origin by themselves."""
    for name in ("STALL_SECONDS_MIN", "STALL_SECONDS_MAX", "STALL_GAP_FIRST_SECONDS"):
        monkeypatch.setattr(f"fastflv.limits.{name}", 60.0)


@asynccontextmanager
async def watched(*ports: int, protocol: str = "rtmp"):
    """An edge of the servers at *ports* with a viewer who has the stream of the first one."""
    async with running(default=edge_of(*ports, protocol=protocol)) as edge:
        _, writer = await edge.play()
        yield edge
        writer.close()


@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_an_edge_tells_the_origins_that_may_go_on_with_a_stream(protocol, patient):
    async with running() as first, running() as second:
        gop(first, first.publish())
        ports = [each.rtmp if protocol == "rtmp" else each.http for each in (first, second)]
        async with watched(*ports, protocol=protocol) as edge:
            await until(lambda: second.server.hub.expects_edges)
            assert first.server.hub.expects_edges
            assert not edge.server.hub.expects_edges
            assert [client.publish for client in second.server.clients] == []


@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_an_edge_of_one_origin_tells_it_by_its_pull(protocol, monkeypatch, patient):
    monkeypatch.setattr("fastflv.limits.ORIGIN_ANNOUNCE_SECONDS", 0.01)
    async with running() as origin:
        gop(origin, origin.publish())
        accepted = origin.server.connection_limit
        async with watched(origin.rtmp if protocol == "rtmp" else origin.http, protocol=protocol) as edge:
            assert origin.server.hub.expects_edges
            await asyncio.sleep(3 * limits.PULL_LOOK_SECONDS)
            assert [health.told_at for health in edge.server.parts.cluster.pulls.origins] == [float("-inf")]
            assert accepted.taken == 1


@looped
async def test_an_origin_that_was_started_anew_is_told_while_the_edge_pulls(monkeypatch, patient):
    monkeypatch.setattr("fastflv.limits.ORIGIN_ANNOUNCE_SECONDS", 0.05)
    (port,) = free_ports(1)
    async with running() as first:
        gop(first, first.publish())
        async with watched(first.rtmp, port):
            later = load_text(f"listen 127.0.0.1:{port}; daemon off; srs_log_tank console; vhost a {{ }}")
            second = Server(later, asyncio.get_running_loop())
            await second.start()
            await until(lambda: second.hub.expects_edges)
            await second.stop()


@looped
async def test_an_origin_that_a_reload_brings_is_told(patient):
    async with running() as first, running() as second:
        gop(first, first.publish())
        async with watched(first.rtmp) as edge:
            assert not second.server.hub.expects_edges
            places = edge.rtmp, edge.http, edge.api
            text = CONF.format(*places, more="", top="", default=edge_of(first.rtmp, second.rtmp))
            edge.server.reload(load_text(text))
            await until(lambda: second.server.hub.expects_edges)


# --- what a server knows by itself ---


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        ("cluster { origin_cluster on; coworkers 127.0.0.1:1; }", True),
        ("cluster { directory redis://127.0.0.1:1/0; }", True),
        ("cluster { mode remote; directory redis://127.0.0.1:1/0; }", False),
        ("", False),
    ],
    ids=["origin cluster", "directory", "edge of a directory", "alone"],
)
@looped
async def test_a_server_with_colleagues_keeps_the_past_always(cluster, told):
    async with running(default=cluster) as server:
        assert server.server.hub.expects_edges is told


@looped
async def test_a_worker_keeps_the_past_always():
    place = WorkerPlace(1, [4001, 4002], 5, 6, "abc", "vid-1", "s")
    server = Server(load_text("listen 1935;"), asyncio.get_running_loop(), worker=place)
    assert server.hub.expects_edges
    await server.stop()


@pytest.mark.parametrize("told", ["", "the old process", "the new process"])
@looped
async def test_an_upgrade_hands_over_whether_edges_may_come(told):
    async with running() as old, running() as new:
        gop(old, old.publish())
        if told == "the old process":
            old.server.hub.expect_edges()
        leaving = Leaving(old.server)
        arriving = Arriving(new.server, NO_PORTS, passed(leaving.state))
        leaving.part()
        if told == "the new process":
            # Its configuration may name a directory.
            new.server.hub.expect_edges()
        await arriving.begin()
        arriving.released()
        assert new.server.hub.expects_edges is bool(told)
        again = new.publish(id="pub00002")
        gop(new, again)
        (stream,) = new.server.hub
        assert stream.log.keep_ms == (limits.RESUME_PAST_MS if told else 0)
