"""Playlists over the past of a stream: a change of codecs, choices of the configuration, reloads, and the end of the stream."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from urllib.parse import urljoin

import pytest
from model import m3u8, mp4
from model.hls import AVC_HEADER, OPTIONS, OTHER_AVC_HEADER, Camera, Site, looped, running
from model.loop import until

from fastflv import limits
from fastflv.stream.timeshift import TimeshiftOptions

pytestmark = pytest.mark.usefixtures("quick")

URL = "/live/cam.m3u8?window=30"
KEPT = replace(OPTIONS, timeshift=TimeshiftOptions(window_ms=60_000))
PAST = "} timeshift { window 60;"
"Behind the block `http_remux`."


async def fetch(site: Site, uri: str) -> bytes:
    """Have what a playlist names."""
    return await site.fetch(urljoin(URL, uri), "")


@looped
async def test_another_coding_is_a_discontinuity_with_a_map_of_its_own():
    async with running("hls_ctx off;", remux=PAST) as site:
        camera = Camera(site, options=KEPT)
        camera.run(6)
        camera.feed.video(camera.time, OTHER_AVC_HEADER)
        camera.run(7)
        media = await site.media(URL)
        maps = [segment.map_uri for segment in media.segments]
        assert len(set(maps)) == 2
        change = maps.index(maps[-1])
        steps = [segment.discontinuities for segment in media.segments]
        assert steps == [0] * change + [1] * (len(steps) - change)
        for segment, avc in ((media.segments[0], AVC_HEADER), (media.segments[-1], OTHER_AVC_HEADER)):
            tracks = mp4.read_init(await fetch(site, segment.map_uri))
            assert tracks[1].inner(b"avcC") == avc[5:]
            _, runs = mp4.read_fragment(await fetch(site, segment.uri))
            assert set(runs) == set(tracks) == {1, 2}


@looped
async def test_tracks_that_the_configuration_leaves_out_are_left_out():
    async with running("hls_ctx off; hls_acodec an;", remux=PAST) as site:
        Camera(site, options=KEPT).run(8)
        segment = (await site.media(URL)).segments[1]
        assert [track.handler for track in mp4.read_init(await fetch(site, segment.map_uri)).values()] == [
            b"vide"
        ]
        _, runs = mp4.read_fragment(await fetch(site, segment.uri))
        assert list(runs) == [1]


@looped
async def test_sound_alone_has_a_window_too():
    async with running("hls_ctx off;", remux=PAST) as site:
        camera = Camera(site, options=KEPT, video=False)
        camera.run(6)
        camera.run(6)
        media = await site.media(URL)
        assert media.length >= 9 and media.discontinuities == 0
        for segment in media.segments:
            _, runs = mp4.read_fragment(await fetch(site, segment.uri))
            assert len(runs) == 1


@looped
async def test_a_past_that_a_reload_ends_is_refused_and_one_that_begins_anew_goes_on():
    async with running("hls_ctx off;", remux=PAST) as site:
        camera = Camera(site, options=KEPT)
        camera.run(8)
        before = await site.media(URL)
        camera.stream.adopt(OPTIONS)
        answer = await site.get(URL)
        assert answer.status == 416 and "keeps no past" in answer.text
        assert (await site.get(urljoin(URL, before.segments[-1].uri))).status == 404
        camera.stream.adopt(KEPT)
        camera.run(8)
        after = await site.media(URL)
        assert after.sequence > before.segments[-1].number
        assert await fetch(site, after.segments[0].uri)


@looped
async def test_many_places_are_looked_at_in_portions(monkeypatch):
    monkeypatch.setattr(limits, "HLS_WINDOW_STEPS", 5)
    async with running("hls_ctx off;", remux=PAST) as site:
        Camera(site, options=KEPT).run(23)
        media = await site.media(URL)
        assert 20 <= media.length <= 23


@looped
async def test_a_window_ends_with_its_stream_and_is_freed_later(monkeypatch):
    monkeypatch.setattr(limits, "HLS_IDLE_SECONDS", 0.3)
    options = replace(OPTIONS, timeshift=TimeshiftOptions(window_ms=1000))
    async with running("hls_ctx off;", remux=PAST) as site:
        camera = Camera(site, options=options)
        camera.run(8)
        url = "/live/cam.m3u8?window=1"
        before = await site.media(url)
        stream = weakref.ref(camera.stream)
        camera.end()
        after = await site.media(url)
        m3u8.check_step(before, after)
        assert after.ended and not before.ended
        assert await fetch(site, after.segments[-1].uri)
        gc.collect()
        gc.disable()
        try:
            del camera
            await until(lambda: not site.server.parts.hls.windows and stream() is None)
        finally:
            gc.enable()
        assert (await site.get(urljoin(URL, after.segments[-1].uri))).status == 404


@looped
async def test_a_stream_that_begins_again_has_a_window_of_its_own():
    async with running("hls_ctx off;", remux=PAST) as site:
        camera = Camera(site, options=KEPT)
        camera.run(8)
        before = await site.media(URL)
        camera.end()
        assert (await site.media(URL)).ended
        again = Camera(site, options=KEPT)
        again.run(8)
        after = await site.media(URL)
        assert not after.ended and after.sequence > before.segments[-1].number
