"""Callbacks of connections, departures and segments: each admitted client and connection leaves once, in order."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from embedded import Film, conf, looped, status_of
from model.loop import until
from publisher import Publisher, Refused

import fastflv


def on_thread(call: Any, *arguments: Any) -> Any:
    return asyncio.to_thread(call, *arguments)


@looped
async def test_a_connection_is_asked_about_once_before_its_publishes_and_closed_behind_them():
    seen: list[tuple[str, str]] = []
    server = fastflv.Server(conf())

    @server.on_connect
    async def on_connect(request: fastflv.AccessRequest) -> fastflv.Verdict:
        seen.append(("connect", request.stream))
        return fastflv.ALLOW

    @server.on_publish
    async def on_publish(request: fastflv.AccessRequest) -> fastflv.Verdict:
        seen.append(("publish", request.stream))
        return fastflv.ALLOW

    @server.on_unpublish
    async def on_unpublish(event: fastflv.ClientEvent) -> None:
        seen.append(("unpublish", event.name.stream))

    @server.on_close
    async def on_close(event: fastflv.ConnectionEvent) -> None:
        seen.append(("close", event.request.stream))
        assert event.received > 3000

    async with server:
        publisher = await on_thread(Publisher, server.ports("RTMP")[0])
        await on_thread(publisher.publish, "a")
        await on_thread(publisher.begin, "b")
        assert (await status_of(server, "/live/x.flv"))[0] == 404
        await on_thread(publisher.finish)
        await until(lambda: ("close", "a") in seen)
    assert seen[:3] == [("connect", "a"), ("publish", "a"), ("publish", "b")]
    # Each callback has its own order; that of the connection comes last in what happens.
    assert sorted(seen[3:]) == [("close", "a"), ("unpublish", "a"), ("unpublish", "b")]


@looped
async def test_a_connection_that_on_connect_refuses_reaches_no_other_callback_and_has_no_end():
    asked = []

    def told(event: object) -> None:
        asked.append(event)

    def refuse(request: fastflv.AccessRequest) -> fastflv.Verdict:
        return fastflv.forbid("not from there")

    async def on_publish(request: fastflv.AccessRequest) -> fastflv.Verdict:
        asked.append(request)
        return fastflv.ALLOW

    server = fastflv.Server(
        conf(), on_connect=refuse, on_publish=on_publish, on_close=told, on_unpublish=told
    )
    async with server:
        publisher = await on_thread(Publisher, server.ports("RTMP")[0])
        with pytest.raises(Refused):
            await on_thread(publisher.publish, "a")
        await on_thread(publisher.close)
        async with server.publish("live/x"):
            # Only RTMP has connections.
            pass
    assert [request.stream for request in asked if isinstance(request, fastflv.AccessRequest)] == ["x"]
    assert [event.name.stream for event in asked if isinstance(event, fastflv.ClientEvent)] == ["x"]
    assert len(asked) == 2


@looped
async def test_every_player_that_was_admitted_has_a_stop_also_where_its_stream_never_came():
    admitted: list[str] = []
    stopped: list[fastflv.ClientEvent] = []

    async def on_play(request: fastflv.AccessRequest) -> fastflv.Verdict:
        if request.stream == "no":
            return fastflv.forbid("not this one")
        admitted.append(request.client_id)
        return fastflv.ALLOW

    async def on_stop(event: fastflv.ClientEvent) -> None:
        stopped.append(event)

    async with fastflv.Server(conf(), on_play=on_play, on_stop=on_stop) as server:
        for name, status in (("no", 403), ("absent", 404)):
            assert (await status_of(server, f"/live/{name}.flv"))[0] == status
        async with server.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(30)
            assert (await status_of(server, "/live/x.flv"))[0] == 200
        await until(lambda: len(stopped) == 2)
    assert [event.request.client_id for event in stopped] == admitted
    assert [event.name.stream for event in stopped] == ["absent", "x"]
    assert "stream" in stopped[0].reason
    assert (stopped[0].sent, stopped[1].sent > 0) == (0, True)


@looped
async def test_callbacks_are_told_of_each_segment(tmp_path):
    told: dict[str, list[fastflv.SegmentEvent]] = {"on_hls": [], "on_hls_notify": []}

    async def on_hls(event: fastflv.SegmentEvent) -> None:
        told["on_hls"].append(event)

    text = conf(f"hls {{ enabled on; hls_fragment 1; hls_path {tmp_path}; }}")
    server = fastflv.Server(text, on_hls=on_hls)
    server.on_hls_notify(told["on_hls_notify"].append)
    async with server, server.publish("live/x") as publisher:
        film = await Film(publisher).begin()
        while not all(told.values()):
            await film.frames(5)
            await asyncio.sleep(0.01)
    assert told["on_hls"] == told["on_hls_notify"]
    assert [event.number for event in told["on_hls"]] == list(range(len(told["on_hls"])))
    first = told["on_hls"][0]
    assert (first.publisher.scheme, first.playlist, first.duration_ms) == ("python", "live/x.m3u8", 1000)
    assert (tmp_path / first.path).stat().st_size > 0


@looped
async def test_a_def_callback_that_is_late_is_told_of_the_next_event_when_it_has_ended(caplog):
    running: list[int] = []
    most = []
    lock = threading.Lock()

    def on_unpublish(event: fastflv.ClientEvent) -> None:
        with lock:
            running.append(1)
            most.append(len(running))
        time.sleep(0.3)
        with lock:
            running.pop()

    async with fastflv.Server(conf(), on_unpublish=on_unpublish, callback_seconds=0.1) as server:
        for name in "abc":
            async with server.publish(f"live/{name}"):
                pass
        await until(lambda: len(most) == 3)
    assert most == [1, 1, 1]
    assert "on_unpublish has not returned within 0.1 s" in caplog.text
