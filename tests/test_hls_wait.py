"""Viewers of HLS who wait: for a stream, for a first segment, for a track that stalled."""

from __future__ import annotations

import asyncio

import pytest
from model import m3u8
from model.hls import Camera, looped, running
from model.loop import until

from fastflv import limits

pytestmark = pytest.mark.usefixtures("quick")

G711 = b"\x72" + bytes(160)


def stall(camera: Camera) -> None:
    """Let a camera send sound alone until its pictures count as gone."""
    end = camera.time + limits.TRACK_LOST_MS + 1000
    while camera.time < end:
        camera.feed.audio(camera.time, G711)
        camera.time += 20
    assert not camera.stream.writer.has_video


@looped
async def test_an_absent_stream_is_waited_for_and_then_not_found():
    async with running(on_missing=0.2) as site:
        answer = await site.get("/live/cam.m3u8")
        assert answer.status == 404 and answer.fields["retry-after"] == "1"
        assert site.server.hub.waiting == 0
    async with running(on_missing=0) as site:
        assert (await site.get("/live/cam.m3u8")).status == 404
    async with running(on_missing=5) as site:
        waiting = asyncio.create_task(site.get("/live/cam.m3u8"))
        await until(lambda: site.server.hub.waiting)
        Camera(site).run(1)
        assert (await waiting).status == 200


@looped
async def test_the_wait_is_that_of_play_whatever_http_remux_says():
    async with running(on_missing=5, remux="on_missing 0;") as site:
        waiting = asyncio.create_task(site.get("/live/cam.m3u8"))
        await until(lambda: site.server.hub.waiting or waiting.done())
        Camera(site).run(1)
        assert (await waiting).status == 200


@looped
async def test_a_request_that_gives_up_leaves_nothing_behind():
    async with running(on_missing=30) as site:
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"GET /live/cam.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: site.server.hub.waiting)
        writer.close()
        await until(lambda: site.server.hub.waiting == 0)
        camera = Camera(site)
        camera.run(0.5)
        url = await site.join()
        _reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(f"GET {url} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await until(lambda: site.muxer.waiting)
        writer.close()
        await until(lambda: not site.muxer.waiting)


@looped
async def test_a_first_segment_that_does_not_come_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(limits, "HLS_HOLD_SECONDS", 0.3)
    async with running() as site:
        Camera(site).run(0.5)
        url = await site.join()
        answer = await site.get(url)
        assert answer.status == 404 and "retry-after" in answer.fields


@looped
async def test_many_first_viewers_wait_for_one_segment():
    async with running() as site:
        camera = Camera(site)
        camera.run(0.5)
        urls = [await site.join() for _ in range(20)]
        waiting = [asyncio.create_task(site.media(url)) for url in urls]
        await until(lambda: len(site.muxer.waiting) == 20)
        camera.run(2)
        assert {len((await each).segments) for each in waiting} == {1}


@looped
async def test_a_crowd_that_waits_is_answered_in_steps(monkeypatch):
    monkeypatch.setattr(limits, "HLS_WAKE_COUNT", 3)
    monkeypatch.setattr(limits, "HLS_WAKE_SECONDS", 0.05)
    async with running("hls_ctx off;") as site:
        camera = Camera(site)
        camera.run(0.5)
        waiting = [asyncio.create_task(site.media("/live/cam.m3u8")) for _ in range(20)]
        await until(lambda: site.server.parts.hls.muxers and len(site.muxer.waiting) == 20)
        camera.run(2)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert sum(each.done() for each in waiting) < 10
        waiting.pop().cancel()
        assert all([(await each).segments for each in waiting])


@looped
async def test_a_request_that_fails_keeps_neither_the_others_nor_the_segments_up(caplog):
    async with running("hls_ctx off; hls_window 60;") as site:
        camera = Camera(site)
        camera.run(0.5)
        waiting = asyncio.create_task(site.media("/live/cam.m3u8"))
        await until(lambda: site.server.parts.hls.muxers and site.muxer.waiting)
        # A crowd has no order: some fail before the viewer's callback, some after it.
        for number in range(20):
            site.muxer.waiting.add(lambda n=number: n / 0)
        async with camera.rolling():
            assert (await waiting).segments
            assert len((await site.segments("/live/cam.m3u8", 3)).segments) >= 3
        assert caplog.text.count("a request that waited failed") == 20


@looped
async def test_the_first_segments_are_short_and_the_rest_is_not():
    async with running("hls_fragment 4; hls_window 30; hls_ctx off;") as site:
        camera = Camera(site)
        camera.run(2)
        async with camera.rolling():
            media = await site.media("/live/cam.m3u8")
            assert [segment.duration for segment in media.segments] == [1]
            media = await site.segments("/live/cam.m3u8", 5)
        assert [segment.duration for segment in media.segments][:4] == [1, 1, 1, 4]
        assert media.target == 4


@looped
async def test_the_first_segments_on_disk_are_short_for_a_viewer_who_comes_soon(tmp_path):
    async with running(f"hls_path {tmp_path}; hls_fragment 10; hls_window 60;") as site:
        camera = Camera(site)
        camera.run(0.1)
        await until(lambda: site.muxer.is_reading)
        camera.run(2.4)
        media = await site.segments(await site.join(), 2)
        assert [segment.duration for segment in media.segments] == [1, 1]
        assert media.target == 10
        async with camera.rolling():
            await until(lambda: "#EXTINF:10.000" in site.muxer.text)


@looped
async def test_a_long_gop_does_not_keep_the_first_viewer_waiting(monkeypatch):
    monkeypatch.setattr(limits, "HLS_FIRST_MS_MAX", 800)
    async with running("hls_fragment 10; hls_ctx off;") as site:
        camera = Camera(site)
        camera.run(0.96)
        media = await site.media("/live/cam.m3u8")
        # Nobody knows when the next keyframe comes: the target is the longest that segments may be.
        assert (media.segments[0].duration, media.target) == (0.8, 21)


@looped
async def test_a_stream_whose_only_track_for_hls_stalls_is_gone_on_with_when_it_is_back():
    async with running("hls_ctx off; hls_window 60;") as site:
        camera = Camera(site, audio=False)
        camera.feed.audio(0, G711)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 2)
        stall(camera)
        await until(lambda: not site.muxer.is_reading)
        # It is back with its next keyframe.
        camera.run(1)
        async with camera.rolling():
            after = await site.segments("/live/cam.m3u8", len(before.segments) + 3)
        m3u8.check_step(before, after)
        assert after.segments[-1].discontinuities == 1


@looped
async def test_a_muxer_with_nothing_to_carry_closes_when_no_viewer_asks():
    async with running("hls_ctx off;") as site:
        camera = Camera(site, audio=False)
        camera.feed.audio(0, G711)
        async with camera.rolling():
            await site.media("/live/cam.m3u8")
        muxer = site.muxer
        stall(camera)
        await until(lambda: not muxer.is_reading)
        assert not muxer.closed
        muxer.asked -= 1000
        await until(lambda: muxer.closed)
        assert not site.server.parts.hls.muxers


@looped
async def test_a_server_that_stops_answers_those_who_wait():
    async with running(on_missing=30) as site:
        camera = Camera(site)
        camera.run(0.5)
        url = await site.join()
        waiting = asyncio.create_task(site.get(url))
        await until(lambda: site.muxer.waiting)
    assert (await waiting).status == 503
