"""The muxer of an HLS stream: its cost, failures, and publishers that leave and return."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from model import m3u8, mp4
from model.hls import AVC_HEADER, NAME, OTHER_AVC_HEADER, Camera, looped, running
from model.loop import until

from fastflv import limits
from fastflv.containers.segmenter import Segmenter

pytestmark = pytest.mark.usefixtures("quick")


# --- cost ------------------------------------------------------------------------------------------


@looped
async def test_a_stream_that_nobody_watches_costs_nothing(monkeypatch):
    monkeypatch.setattr(limits, "HLS_IDLE_SECONDS", 0.3)
    async with running("hls_fragment 0.1; hls_ctx off;") as site:
        camera = Camera(site)
        camera.run(3)
        assert not camera.stream.is_read and len(camera.stream.outlets) == 1
        async with camera.rolling(2):
            before = await site.media("/live/cam.m3u8")
        assert camera.stream.is_read
        muxer = site.muxer
        await until(lambda: muxer.closed)
        assert not camera.stream.is_read and len(camera.stream.outlets) == 1
        assert not site.server.parts.hls.muxers
        assert (await site.get("/live/" + before.segments[0].uri)).status == 404
        async with camera.rolling(2):
            after = await site.media("/live/cam.m3u8")
        # Numbers and names go on.
        assert after.sequence > before.segments[-1].number
        assert not {s.uri for s in after.segments} & {s.uri for s in before.segments}


@pytest.mark.parametrize("place", ["memory", "disk"])
@looped
async def test_a_muxer_that_closed_keeps_nothing_until_the_collector_comes(place, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "HLS_IDLE_SECONDS", 0.3)
    where = f"hls_path {tmp_path}; hls_dispose 1;" if place == "disk" else ""
    async with running(f"{where} hls_fragment 0.1; hls_window 0.1; hls_keys on;") as site:
        camera = Camera(site)
        async with camera.rolling():
            media = await site.segments(await site.join(), 2)
        assert await site.fetch(media.segments[0].key_uri)
        stream, muxer = weakref.ref(camera.stream), weakref.ref(site.muxer)
        gc.collect()
        gc.disable()
        try:
            if place == "disk":
                camera.end()
                del camera
            await until(lambda: not site.server.parts.hls.muxers and not len(site.server.clients))
            await until(lambda: muxer() is None)
            if place == "memory":
                camera.end()
                del camera
            await until(lambda: stream() is None)
        finally:
            gc.enable()


@looped
async def test_segments_are_available_for_a_while_after_they_left_the_playlist():
    # Three target durations of 1 s, the shortest possible, are the longest that is listed.
    async with running("hls_fragment 1; hls_window 1; hls_ctx off;") as site:
        camera = Camera(site)
        async with camera.rolling():
            steps = [await site.media("/live/cam.m3u8")]
        for _ in range(6):
            await site.step(camera)
            steps.append(await site.media("/live/cam.m3u8"))
            m3u8.check_step(steps[-2], steps[-1])
            m3u8.check_removal(steps[-2], steps[-1])
        assert steps[-1].sequence > steps[0].sequence
        assert 3 <= steps[-1].length < 4
        first = steps[0].segments[0].uri
        assert await site.fetch(first)
        await until(lambda: site.muxer.fetch(f"live/{first}") is None)
        gone = await site.get(f"/live/{first}")
        assert gone.status == 404 and "gone" in gone.text
        assert await site.fetch(steps[-1].segments[0].uri)


@looped
async def test_memory_is_bounded_and_three_segments_stay(monkeypatch):
    monkeypatch.setattr(limits, "HLS_MEMORY_BYTES", 1000)
    async with running("hls_fragment 1; hls_ctx off;") as site:
        camera = Camera(site)
        async with camera.rolling():
            await site.media("/live/cam.m3u8")
        for _ in range(8):
            await site.step(camera)
        media = await site.media("/live/cam.m3u8")
        assert len(media.segments) == 3
        assert len(site.muxer.store) == 3
        for segment in media.segments:
            await site.fetch(segment.uri)


@looped
async def test_the_memory_of_all_streams_together_is_bounded(monkeypatch):
    async with running("hls_fragment 1; hls_window 60; hls_ctx off;") as site:
        cameras = [Camera(site, NAME._replace(stream=stream)) for stream in ("a", "b")]
        paths = [f"/live/{camera.name.stream}.m3u8" for camera in cameras]
        async with cameras[0].rolling(), cameras[1].rolling():
            assert all([len((await site.segments(path, 5)).segments) >= 5 for path in paths])
            monkeypatch.setattr(limits, "HLS_SERVER_BYTES", 1000)
            await until(lambda: {len(muxer.store) for muxer in site.server.parts.hls.muxers} == {3})
            monkeypatch.setattr(limits, "HLS_SERVER_BYTES", 1 << 30)
            # Streams that are over count no more.
            for muxer in list(site.server.parts.hls.muxers):
                muxer.close()
            monkeypatch.setattr(limits, "HLS_SERVER_BYTES", 0)
            store = site.server.parts.hls.muxers.start(cameras[0].stream).store
            assert not store.is_full


@looped
async def test_a_segmenter_that_fails_is_begun_again(monkeypatch, caplog):
    monkeypatch.setattr(limits, "HLS_RETRY_SECONDS", 0.05)
    async with running("hls_ctx off; hls_window 60;") as site, Camera(site).rolling() as camera:
        before = await site.segments("/live/cam.m3u8", 2)
        with monkeypatch.context() as broken:
            broken.setattr(Segmenter, "take", lambda *_, **__: 1 / 0)
            await until(lambda: not site.muxer.is_reading)
        after = await site.segments("/live/cam.m3u8", len(before.segments) + 3)
        m3u8.check_step(before, after)
        assert after.segments[-1].discontinuities == 1
        assert "begun again" in caplog.text
        # A remux that fails ends its log; the stream goes on.
        next(outlet.log for outlet in camera.stream.outlets if outlet.variant.container == "ts").end()
        more = await site.segments("/live/cam.m3u8", len(after.segments) + 3)
        m3u8.check_step(after, more)
        assert more.segments[-1].discontinuities == 2


@looped
async def test_a_reader_that_cannot_be_made_is_tried_again(monkeypatch, caplog):
    monkeypatch.setattr(limits, "HLS_RETRY_SECONDS", 0.05)
    async with running("hls_ctx off;") as site:
        camera = Camera(site)
        camera.run(3)
        with monkeypatch.context() as broken:
            broken.setattr(Segmenter, "__init__", lambda *_, **__: 1 / 0)
            waiting = asyncio.create_task(site.media("/live/cam.m3u8"))
            await until(lambda: caplog.text.count("cannot begin") >= 2)
            assert not site.muxer.is_reading
            # A failed attempt leaves no remux behind.
            assert len(camera.stream.outlets) == 1
        async with camera.rolling():
            assert (await waiting).segments


# --- publishers come and go -----------------------------------------------------------------------


@looped
async def test_a_publisher_that_returns_goes_on_behind_a_discontinuity():
    async with running("hls_ctx off; hls_window 60;") as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 4)
        camera.run(0.5)
        camera.leave()
        # The open segment can be had at once: from the keyframe where the first began, nothing is missing.
        left = await site.media("/live/cam.m3u8")
        missing = camera.time / 1000 - left.length
        assert missing == pytest.approx(round(missing), abs=0.05)
        m3u8.check_step(before, left)
        camera.time += 10_000 - camera.time % 1000
        camera.publish()
        async with camera.rolling():
            after = await site.segments("/live/cam.m3u8", len(left.segments) + 1)
        m3u8.check_step(left, after)
        steps = [
            b.discontinuities - a.discontinuities
            for a, b in zip(after.segments, after.segments[1:], strict=False)
        ]
        assert steps.count(1) == 1 and steps[len(left.segments) - 1] == 1
        camera.end()
        ended = await site.media("/live/cam.m3u8")
        assert ended.ended
        m3u8.check_step(after, ended._replace(ended=False))


@looped
async def test_an_end_that_fails_is_left_out_and_the_stream_ends_all_the_same(monkeypatch, caplog):
    async with running("hls_ctx off;") as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.media("/live/cam.m3u8")
        monkeypatch.setattr(Segmenter, "flush", lambda *_: 1 / 0)
        camera.leave()
        assert not camera.stream.is_read
        assert "its last segment failed" in caplog.text
        camera.end()
        assert site.server.hub.find(NAME) is None
        ended = await site.media("/live/cam.m3u8")
        assert ended.ended
        m3u8.check_step(before, ended._replace(ended=False))


@looped
async def test_a_complete_playlist_can_be_had_until_nobody_needs_it(monkeypatch):
    monkeypatch.setattr(limits, "HLS_IDLE_SECONDS", 0.2)
    async with running("hls_fragment 0.1; hls_window 0.1; hls_ctx off;", on_missing=0) as site:
        camera = Camera(site)
        async with camera.rolling(2):
            await site.media("/live/cam.m3u8")
        camera.end()
        ended = await site.media("/live/cam.m3u8")
        assert ended.ended and await site.fetch(ended.segments[-1].uri)
        # The stream that comes now is another one: its playlist is its own, its numbers are new.
        again = Camera(site)
        async with again.rolling(2):
            fresh = await site.media("/live/cam.m3u8")
        assert not fresh.ended
        assert fresh.sequence > ended.segments[-1].number
        assert fresh.discontinuities > ended.segments[-1].discontinuities
        again.end()
        muxer = site.muxer
        await until(lambda: muxer.closed)
        assert (await site.get("/live/cam.m3u8")).status == 404


@looped
async def test_viewers_stay_counted_when_the_stream_begins_anew():
    async with running() as site:
        camera = Camera(site)
        async with camera.rolling():
            url = await site.join()
            await site.media(url)
        camera.end()
        again = Camera(site)
        async with again.rolling():
            await site.media(url)
        (client,) = site.server.clients
        assert client.stream is again.stream


@looped
async def test_another_coding_in_the_middle_gets_a_map_of_its_own():
    async with running("hls_use_fmp4 on; hls_ctx off; hls_window 60;") as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 1)
        camera.feed.video(camera.time, OTHER_AVC_HEADER)
        async with camera.rolling():
            media = await site.segments("/live/cam.m3u8", len(before.segments) + 3)
        maps = [segment.map_uri for segment in media.segments]
        assert len(set(maps)) == 2 and maps == sorted(maps)
        change = maps.index(maps[-1])
        steps = [segment.discontinuities for segment in media.segments]
        assert steps == [0] * change + [1] * (len(steps) - change)
        for segment, avc in ((media.segments[0], AVC_HEADER), (media.segments[-1], OTHER_AVC_HEADER)):
            tracks = mp4.read_init(await site.fetch(segment.map_uri))
            assert tracks[1].inner(b"avcC") == avc[5:]
            _, runs = mp4.read_fragment(await site.fetch(segment.uri))
            assert set(runs) == set(tracks)


@looped
async def test_another_coding_in_ts_is_a_discontinuity_too():
    async with running("hls_ctx off; hls_window 60;") as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 1)
        camera.feed.video(camera.time, OTHER_AVC_HEADER)
        async with camera.rolling():
            media = await site.segments("/live/cam.m3u8", len(before.segments) + 3)
        assert media.segments[-1].discontinuities == 1
