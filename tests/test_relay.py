"""Publishes to an edge, which passes them on to an origin: all of them servers in the loop of the test."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from brokenline import BrokenLine
from edgesite import ORIGIN, edge_conf, filming, players, port_of, two_origins
from embedded import looped
from model.apisite import gop, running
from model.loop import until
from model.ports import free_ports
from viewer import Viewer, check_whole

import fastflv
from fastflv.control.supervision import Supervision
from fastflv.control.upgrade import CommandLine, Upgrade, let_go
from fastflv.playing.threadplayer import ThreadPlayer


def publishers(server: fastflv.Server) -> list[fastflv.ClientView]:
    return [client for client in server.clients if client.publish]


@looped
async def test_a_publish_to_an_edge_is_seen_there_and_at_the_origin():
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin))) as edge,
        filming(edge),
        Viewer(edge, "/live/x.flv") as near,
        Viewer(origin, "/live/x.flv?start=gop") as far,
    ):
        check_whole(await near.more(10))
        check_whole(await far.more(10))
        # The edge has the stream itself.
        assert not [client for client in players(origin) if client.request.scheme == "rtmp"]
        [publisher] = publishers(origin)
        assert publisher.request.scheme == "rtmp"
    # Both servers have stopped in peace.


@looped
async def test_the_end_of_a_publish_is_its_end_at_the_origin():
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin))) as edge,
    ):
        async with filming(edge):
            await until(lambda: len(publishers(origin)) == 1)
        await until(lambda: not publishers(origin) and not origin.streams)


@looped
async def test_the_refusal_of_the_origin_is_that_of_the_edge():
    async with fastflv.Server(ORIGIN) as origin:

        @origin.on_publish
        async def judge(request: fastflv.AccessRequest) -> fastflv.Verdict:
            return fastflv.ALLOW if "good" in request.param else fastflv.forbid("a bad token")

        async with fastflv.Server(edge_conf(port_of(origin))) as edge:
            with pytest.raises(fastflv.PublishError, match=r"the origin refuses /live/x: .*a bad token"):
                await edge.publish("live/x").__aenter__()
            assert not edge.streams
    (dead,) = free_ports(1)
    async with fastflv.Server(edge_conf(dead)) as edge:
        with pytest.raises(fastflv.PublishError, match="no origin takes /live/x"):
            await edge.publish("live/x").__aenter__()


@looped
async def test_viewers_of_what_was_fetched_stay_for_the_publisher():
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin))) as edge,
        Viewer(edge, "/live/x.flv") as viewer,
    ):
        async with filming(origin):
            await viewer.more(5)
        async with filming(edge):
            await viewer.more(30)
            times = [tag.time_ms for tag in viewer.pictures]
            assert times == sorted(times)
            assert not players(origin)


@looped
async def test_a_publish_goes_on_to_the_next_origin_when_its_own_is_lost():
    async with (
        two_origins() as (first, second, line, edge),
        filming(edge),
        Viewer(edge, "/live/x.flv") as viewer,
    ):
        await until(lambda: len(publishers(first)) == 1)
        await viewer.more(5)
        line.cut()
        await until(lambda: len(publishers(second)) == 1)
        async with Viewer(second, "/live/x.flv?start=gop") as far:
            check_whole(await far.more(5))
        check_whole(await viewer.more(30))


@looped
async def test_the_late_end_of_what_sent_to_a_lost_origin_leaves_the_next_one_alone(monkeypatch):
    left, loop, ended = ThreadPlayer.left, asyncio.get_running_loop(), asyncio.Event()

    def leave(*arguments: Any) -> None:
        left(*arguments)
        ended.set()

    monkeypatch.setattr(ThreadPlayer, "left", lambda *each: loop.call_later(0.5, leave, *each) and None)
    async with (
        fastflv.Server(ORIGIN) as first,
        fastflv.Server(ORIGIN) as second,
        BrokenLine(port_of(first)) as line,
        fastflv.Server(edge_conf(line.port, port_of(second))) as edge,
        filming(edge),
    ):
        async with Viewer(first, "/live/x.flv?start=gop") as near:
            await near.more(3)
        await ended.wait()
        ended.clear()
        line.cut()
        await until(lambda: len(publishers(second)) == 1)
        (before,) = publishers(second)
        async with Viewer(second, "/live/x.flv?start=gop") as far:
            assert not ended.is_set()
            await ended.wait()
            check_whole(await far.more(100))
        assert [each.id for each in publishers(second)] == [before.id]


@looped
async def test_a_publisher_whom_the_origin_disconnects_is_disconnected():
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin))) as edge,
        filming(edge),
    ):
        await until(lambda: len(publishers(origin)) == 1)
        await asyncio.sleep(0)
        origin.disconnect(publishers(origin)[0].id)
        await until(lambda: not publishers(edge))


@looped
async def test_a_publish_that_the_origin_has_still_of_before_is_passed_on_when_it_is_gone():
    async with (
        fastflv.Server(ORIGIN) as origin,
        BrokenLine(port_of(origin)) as line,
        fastflv.Server(edge_conf(line.port)) as edge,
        filming(edge),
    ):
        await until(lambda: len(publishers(origin)) == 1)
        before = publishers(origin)[0].id
        # The origin does not hear of the end, and has its publisher until it was silent for long.
        line.lose()
        await until(lambda: line.connections > 1)
        origin.disconnect(before)
        await until(lambda: [client.id for client in publishers(origin)] not in ([], [before]))
        assert len(publishers(edge)) == 1


@looped
async def test_a_publish_goes_in_no_circle():
    one, two = free_ports(2)
    texts = [
        edge_conf(to).replace("127.0.0.1:0", f"127.0.0.1:{at}", 1) for at, to in ((one, two), (two, one))
    ]
    async with fastflv.Server(texts[0]) as first, fastflv.Server(texts[1]) as second:
        with pytest.raises(fastflv.PublishError, match="the publish comes from there"):
            await first.publish("live/x").__aenter__()
        assert not first.streams and not second.streams
    async with fastflv.Server(edge_conf(one).replace("127.0.0.1:0", f"127.0.0.1:{one}", 1)) as alone:
        with pytest.raises(fastflv.PublishError, match="the publish comes from there"):
            await alone.publish("live/x").__aenter__()


@looped
async def test_an_old_process_unpublishes_at_the_origin_before_it_hands_over_the_past_and_drains():
    """An upgrade has handed its publisher over."""
    async with (
        fastflv.Server(ORIGIN) as origin,
        running(default=f"cluster {{ mode remote; origin 127.0.0.1:{port_of(origin)}; }}") as edge,
    ):
        gop(edge, edge.publish())
        await until(lambda: len(publishers(origin)) == 1)

        class Upgraded(Upgrade):
            async def finish(self) -> None:
                await until(lambda: not publishers(origin) and not edge.server.parts.cluster.relays)
                await super().finish()

        upgrade = Upgraded(edge.server, CommandLine((), "/"), lambda: lambda: None, Supervision())
        await let_go(edge.server, upgrade, asyncio.get_running_loop().create_future())
        assert not origin.streams
