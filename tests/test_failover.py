"""Origins that are lost while viewers watch: they keep their connections, times and every picture. All within the loop of the test."""

from __future__ import annotations

import asyncio
from itertools import count, pairwise

import pytest
from brokenline import BrokenLine
from edgesite import ORIGIN, edge_conf, filming, players, port_of, two_origins
from embedded import FRAME_MS, GOP, Film, looped
from model.loop import until
from viewer import Viewer, check_whole

import fastflv
from fastflv.media.codecs import AUDIO


def check_times(viewer: Viewer) -> None:
    """Pictures and sounds follow each other as they were published."""
    for tags in (viewer.pictures, [tag for tag in viewer.tags if tag.kind == AUDIO and tag.body[1] == 1]):
        steps = {after.time_ms - before.time_ms for before, after in pairwise(tags)}
        assert steps == {FRAME_MS}


CUT = {
    "cut": lambda line: line.cut(),
    "cut within a tag": lambda line: line.cut_within(1111),
}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_another_origin_goes_on_where_the_lost_one_was(protocol, cut):
    async with (
        two_origins(protocol) as (first, second, line, edge),
        filming(first, second) as going,
        Viewer(edge, "/live/x.flv") as one,
        Viewer(edge, "/live/x.flv") as two,
    ):
        await asyncio.gather(one.reach(3), two.reach(3))
        assert not players(second)
        cut(line)
        await until(lambda: not players(first))
        going.clear()
        await until(lambda: len(players(second)) == 1)
        going.set()
        await asyncio.gather(one.more(30), two.more(30))
        for viewer in (one, two):
            check_whole(viewer.numbers)
            check_times(viewer)
        assert len(players(second)) == 1


@pytest.mark.parametrize("place", [3, 23])
@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_a_warm_upstream_goes_on_where_the_other_one_fell_silent(protocol, place):
    async with (
        two_origins(protocol, "warm on;") as (first, second, line, edge),
        filming(first, second),
        Viewer(edge, "/live/x.flv") as viewer,
    ):
        await viewer.more(5)
        await until(lambda: len(players(second)) == 1)
        await viewer.reach(place)
        line.hold()
        began = asyncio.get_running_loop().time()
        check_whole(await viewer.more(60))
        check_times(viewer)
        print(f"60 pictures of 1.2 s came within {asyncio.get_running_loop().time() - began:.2f} s")
        assert len(players(second)) == 1


@looped
async def test_origins_whose_streams_began_at_other_times_are_joined_by_their_frames():
    async with (
        two_origins() as (first, second, line, edge),
        first.publish("live/x") as one,
        second.publish("live/x") as two,
    ):
        films = [await Film(publisher).begin() for publisher in (one, two)]
        await films[0].frames(55)
        # The second origin counts from its own first frame.
        films[1].sent = count(50)
        await films[1].frames(5)
        async with Viewer(edge, "/live/x.flv") as viewer:
            await viewer.more(5)
            line.cut()
            await until(lambda: len(players(second)) == 1)
            await films[1].frames(10)
            check_whole(await viewer.more(10))
            check_times(viewer)


@pytest.mark.parametrize("cut", ["hold", "cut"])
@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_another_origin_goes_on_where_viewers_do_not_have_its_newest_keyframe(protocol, cut):
    async with (
        two_origins(protocol) as (first, second, line, edge),
        first.publish("live/x") as one,
        second.publish("live/x") as two,
    ):
        # Of a size that fills pages: they go with their GOP, but for what is kept for edges.
        films = [await Film(publisher, size=5000).begin() for publisher in (one, two)]
        for film in films:
            await film.frames(2 * GOP - 5)
        async with Viewer(edge, "/live/x.flv") as viewer:
            await viewer.more(GOP - 5)
            getattr(line, cut)()
            for film in films:
                await film.frames(10)
            check_whole(await viewer.more(10))
            check_times(viewer)
            assert len(players(second)) == 1


@looped
async def test_a_stream_that_goes_on_by_itself_stays_where_it_is():
    async with (
        fastflv.Server(ORIGIN) as first,
        BrokenLine(port_of(first)) as line,
        fastflv.Server(edge_conf(line.port)) as edge,
        filming(first),
        Viewer(edge, "/live/x.flv") as viewer,
    ):
        await viewer.more(5)
        line.hold()
        await until(lambda: line.connections > 1)
        line.go_on()
        check_whole(await viewer.more(30))
        check_times(viewer)
        await until(lambda: len(players(first)) == 1)


@looped
async def test_without_the_same_frames_viewers_go_on_at_a_keyframe_on_the_same_connections():
    async with (
        two_origins() as (first, second, line, edge),
        filming(first),
        filming(second, size=1000),
        Viewer(edge, "/live/x.flv") as viewer,
    ):
        await viewer.more(12)
        line.cut()
        before = len(viewer.pictures)
        await viewer.more(60)
        times = [tag.time_ms for tag in viewer.pictures]
        assert times == sorted(times)
        others = [tag for tag in viewer.pictures if len(tag.body) > 1000]
        assert len(others) >= 50 and others[0].body[0] == 0x17
        assert viewer.pictures[-1] is others[-1] and before


@looped
async def test_an_origin_that_stops_is_left_for_another_one():
    first = fastflv.Server(ORIGIN)
    await first.__aenter__()
    async with (
        fastflv.Server(ORIGIN) as second,
        fastflv.Server(edge_conf(port_of(first), port_of(second))) as edge,
        filming(second),
        filming(first),
        Viewer(edge, "/live/x.flv") as viewer,
    ):
        await viewer.more(5)
        await first.__aexit__(None, None, None)
        await viewer.more(60)
        times = [tag.time_ms for tag in viewer.pictures]
        assert times == sorted(times)


@looped
async def test_an_origin_that_is_behind_is_waited_for():
    async with (
        fastflv.Server(ORIGIN) as first,
        fastflv.Server(ORIGIN) as second,
        BrokenLine(port_of(first)) as line,
        BrokenLine(port_of(second), delay=0.2) as late,
        fastflv.Server(edge_conf(line.port, late.port)) as edge,
        filming(first, second) as going,
        Viewer(edge, "/live/x.flv") as viewer,
    ):
        await viewer.reach(3)
        line.cut()
        going.clear()
        await until(lambda: len(players(second)) == 1)
        going.set()
        check_whole(await viewer.more(30))
        check_times(viewer)


@looped
async def test_edges_stand_in_tiers():
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin))) as middle,
        fastflv.Server(edge_conf(port_of(middle, "flv"), protocol="flv")) as outer,
        filming(origin),
        Viewer(outer, "/live/x.flv") as one,
        Viewer(outer, "/live/x.flv") as two,
    ):
        check_whole(await one.more(10))
        check_whole(await two.more(10))
        check_times(one)
        assert [len(players(server)) for server in (origin, middle)] == [1, 1]
