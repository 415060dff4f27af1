"""Forwards between servers in one loop: what arrives, what happens when a destination goes, and that no stream comes back."""

from __future__ import annotations

import asyncio

from chain import CONF, api, forward, forwards, node, pictures, port, state, until
from embedded import Film, looped

import fastflv
from fastflv import limits


@looped
async def test_a_stream_arrives_whole_and_in_its_times_at_each_destination():
    one, two = port(), port()
    async with (
        node(one) as first,
        node(two) as second,
        node(0, forward(f"127.0.0.1:{one}", f"rtmp://127.0.0.1:{two}/tv/[app]-[stream]")) as origin,
        origin.publish("live/x") as publisher,
    ):
        film = await Film(publisher).begin()
        await state(origin, "forwarding", 2)
        readers = [
            asyncio.create_task(collect(server, name, 40))
            for server, name in ((first, "live/x"), (second, "tv/live-x"))
        ]
        while not all(reading.done() for reading in readers):
            await film.frame()
            await asyncio.sleep(0.001)
        for reading in readers:
            found = await reading
            assert found == list(range(found[0], found[0] + 40))
        rows = await forwards(origin)
        assert [row["destination"] for row in rows] == [
            f"rtmp://127.0.0.1:{one}/live/x",
            f"rtmp://127.0.0.1:{two}/tv/live-x",
        ]
        assert all(row["send_bytes"] > 0 and not row["fault"] and row["attempts"] == 1 for row in rows)


async def collect(server: fastflv.Server, name: str, count: int) -> list[int]:
    return await pictures(server.stream(name), count)


@looped
async def test_a_destination_has_the_newest_gop_from_its_keyframe_on():
    place = port()
    async with (
        node(0, forward(f"127.0.0.1:{place}")) as origin,
        origin.publish("live/x") as publisher,
    ):
        film = await Film(publisher).begin()
        await film.frames(40)
        await state(origin, "waiting")
        async with node(place) as edge:
            await state(origin, "forwarding")
            assert (await pictures(edge.stream("live/x"), 15)) == list(range(25, 40))


@looped
async def test_the_end_of_a_stream_is_its_end_at_the_destination():
    place = port()
    async with node(place) as edge, node(0, forward(f"127.0.0.1:{place}")) as origin:
        async with origin.publish("live/x") as publisher:
            film = await Film(publisher).begin()
            await film.frames(10)
            seen: list[int] = []
            reading = asyncio.create_task(pictures(edge.stream("live/x"), 1000, seen))
            await until(lambda: some(seen))
        assert await reading == list(range(10))
        assert await state(origin, "ended", 0) == []


async def some(found: list[int]) -> bool:
    return bool(found)


async def has(server: fastflv.Server, name: str) -> bool:
    return any(view.name.url == f"/{name}" for view in server.streams)


@looped
async def test_a_destination_that_returns_has_the_stream_again_from_its_newest_keyframe():
    place = port()
    async with (
        node(0, forward(f"127.0.0.1:{place}")) as origin,
        origin.publish("live/x") as publisher,
    ):
        film = await Film(publisher).begin()
        async with node(place):
            await film.frames(30)
            await state(origin, "forwarding")
        (row,) = await until(lambda: tried(origin, len(limits.FORWARD_RETRY_SECONDS) + 2))
        assert "refused" in str(row["fault"])
        async with node(place) as edge:
            await state(origin, "forwarding")
            assert (await pictures(edge.stream("live/x"), 1)) == [25]


@looped
async def test_a_stream_is_never_sent_back_to_a_server_that_it_comes_from():
    one, two, three = port(), port(), port()
    circle = [
        node(here, forward(*(f"127.0.0.1:{each}" for each in there)))
        for here, there in ((one, [two]), (two, [three, one]), (three, [one, three]))
    ]
    async with circle[0] as first, circle[1] as second, circle[2] as third:
        async with first.publish("live/x") as publisher:
            film = await Film(publisher).begin()
            await film.frames(5)
            await state(first, "forwarding")
            await until(lambda: forwards_are(second, ["loop", "forwarding"], one, three))
            await state(third, "loop", 2)
            await film.frames(5)
            assert [len(server.streams) for server in (first, second, third)] == [1, 1, 1]
        await state(third, "", 0)


async def forwards_are(server: fastflv.Server, states: list[str], *ports: int) -> bool:
    rows = {row["destination"].split(":")[2].split("/")[0]: row["state"] for row in await forwards(server)}
    return [rows.get(str(each)) for each in ports] == states


@looped
async def test_a_publisher_that_takes_over_from_the_stream_that_came_back_is_forwarded():
    one, two = port(), port()
    async with (
        node(one, forward(f"127.0.0.1:{two}")) as first,
        node(two, forward(f"127.0.0.1:{one}"), grace=20) as second,
    ):
        async with first.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(5)
            await state(second, "loop")
        await until(lambda: in_grace(second))
        # Another one publishes where the stream was sent to.
        async with second.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(5)
            await state(second, "forwarding")
            await state(first, "loop")


async def in_grace(server: fastflv.Server) -> bool:
    return [row["publish"]["state"] for row in (await api(server, "streams"))["streams"]] == ["in grace"]


async def none(server: fastflv.Server) -> bool:
    return not server.streams


@looped
async def test_a_publisher_that_returns_within_the_grace_period_goes_on_at_the_destination():
    place = port()
    async with node(place) as edge, node(0, forward(f"127.0.0.1:{place}"), grace=20) as origin:
        async with origin.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(5)
            seen: list[int] = []
            reading = asyncio.create_task(pictures(edge.stream("live/x"), 10, seen))
            await until(lambda: some(seen))
        async with origin.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(5)
            assert await reading == [*range(5), *range(5)]
            (row,) = await forwards(origin)
            assert row["attempts"] == 1


@looped
async def test_a_reload_begins_and_stops_forwards_and_leaves_the_others_alone():
    one, two, three = port(), port(), port()
    async with node(one) as first, node(two) as second, node(three) as third:
        here = port()
        async with (
            node(here, forward(f"127.0.0.1:{one}", f"127.0.0.1:{two}")) as origin,
            origin.publish("live/x") as publisher,
        ):
            await (await Film(publisher).begin()).frames(5)
            await state(origin, "forwarding", 2)
            origin.reload(settings(here, forward(f"127.0.0.1:{two}", f"127.0.0.1:{three}")))
            await state(origin, "forwarding", 2)
            await until(lambda: none(first))
            await until(lambda: has(third, "live/x"))
            assert [row["attempts"] for row in await forwards(origin)] == [1, 1]
            origin.reload(settings(here, ""))
            await state(origin, "", 0)
            await until(lambda: none(second))


def settings(rtmp: int, vhost: str) -> str:
    return CONF.format(rtmp=rtmp, vhost=vhost, grace=0, more="")


@looped
async def test_a_destination_that_refuses_is_tried_again_and_says_why():
    place = port()
    async with (
        node(place, "security { enabled on; deny publish all; }") as edge,
        node(0, forward(f"127.0.0.1:{place}")) as origin,
        origin.publish("live/x") as publisher,
    ):
        await (await Film(publisher).begin()).frames(5)
        (row,) = await until(lambda: tried(origin, 2))
        assert "it refuses: NetStream.Publish.Denied" in row["fault"]
        edge.reload(settings(place, ""))
        await state(origin, "forwarding")


def test_no_pause_of_a_destination_that_cannot_be_reached_is_as_long_as_a_second():
    assert max(limits.FORWARD_RETRY_SECONDS) < 0.8


async def tried(server: fastflv.Server, times: int) -> list[dict[str, object]] | None:
    rows = await forwards(server)
    return rows if rows and rows[0]["attempts"] >= times and rows[0]["fault"] else None
