"""HLS options of running streams change by a reload, and no viewer is lost."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest
from model import m3u8, mp4, ts
from model.hls import NAME, Camera, looped, running
from model.loop import until

from fastflv.config.load import load_text
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.control.runtime import hls_options
from fastflv.servers.hls.options import HlsOptions

pytestmark = pytest.mark.usefixtures("quick")


def options(hls: str) -> HlsOptions | None:
    """The options of a default vhost with these directives."""
    settings = load_text(f"listen 1935; vhost {DEFAULT_VHOST} {{ hls {{ {hls} }} }}")
    return hls_options(settings.vhost(DEFAULT_VHOST), settings)


def files(folder: Path) -> set[str]:
    return {
        os.path.relpath(os.path.join(root, name), folder)
        for root, _, names in os.walk(folder)
        for name in names
    }


@looped
async def test_lengths_of_segments_and_playlist_act_on_a_running_stream():
    async with running("hls_ctx off;") as site:
        async with Camera(site).rolling():
            before = await site.segments("/live/cam.m3u8", 4)
            assert site.reload("hls_fragment 1; hls_window 40; hls_ctx off;") == []
            after = await site.segments("/live/cam.m3u8", 9)
            m3u8.check_step(before, after)
            assert {segment.duration for segment in after.segments[-3:]} == {1}
            assert after.segments[-1].discontinuities == 0
            # A shorter playlist drops old segments, which stay available.
            site.reload("hls_fragment 2; hls_window 1; hls_ctx off;")
            await until(lambda: site.muxer.text.count("#EXTINF") <= 4)
            short = await site.media("/live/cam.m3u8")
        m3u8.check_step(after, short)
        assert await site.fetch(after.segments[0].uri)


@looped
async def test_segments_beyond_the_target_duration_wait_for_the_next_publish(tmp_path):
    """RFC 8216, 6.2.1: the target duration of a playlist does not change."""
    async with running(f"hls_path {tmp_path}; hls_ctx off;") as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 4)
            longer = f"hls_path {tmp_path}; hls_fragment 4; hls_window 40; hls_ctx off;"
            assert site.reload(longer) == ["hls_fragment"]
            assert site.reload(longer) == []
            after = await site.segments("/live/cam.m3u8", 9)
        m3u8.check_step(before, after)
        assert {segment.duration for segment in after.segments[-3:]} == {2}
        camera.end()
        await until(lambda: site.muxer.ended)
        async with Camera(site).rolling():
            await until(lambda: "#EXTINF:4" in site.muxer.text)
            assert (await site.media("/live/cam.m3u8")).target == 4


@looped
async def test_pictures_begin_segments_when_waiting_for_keyframes_is_switched_off():
    async with running("hls_fragment 0.5; hls_ctx off;") as site:
        async with Camera(site).rolling():
            await site.segments("/live/cam.m3u8", 4)
            site.reload("hls_fragment 0.5; hls_window 8; hls_wait_keyframe off; hls_ctx off;")
            await until(lambda: site.muxer.text.count("#EXTINF:0.5") >= 4)
            media = await site.media("/live/cam.m3u8")
        assert media.segments[-1].discontinuities == 0


@pytest.mark.parametrize("place", ["memory", "disk"])
@looped
async def test_another_container_begins_at_a_keyframe_behind_a_discontinuity(place, tmp_path):
    where = f"hls_path {tmp_path};" if place == "disk" else ""
    base = f"{where} hls_fragment 2; hls_window 60; hls_ctx off;"
    async with running(f"{where} hls_window 60; hls_ctx off;") as site:
        async with Camera(site).rolling():
            before = await site.segments("/live/cam.m3u8", 3)
            assert site.reload(f"{base} hls_use_fmp4 on;") == []
            await until(lambda: "#EXT-X-MAP" in site.muxer.text)
            middle = await site.segments("/live/cam.m3u8", len(before.segments) + 3)
            assert site.reload(base) == []
            await until(lambda: site.muxer.text.rstrip().endswith(".ts\0"))
            after = await site.media("/live/cam.m3u8")
        m3u8.check_step(before, middle)
        m3u8.check_step(middle, after)
        assert after.segments[-1].discontinuities == 2
        # No picture is missing, and none comes twice: each holds the time when it was published.
        times: list[int] = []
        for segment in after.segments:
            body = await site.fetch(segment.uri)
            if segment.map_uri:
                assert mp4.read_init(await site.fetch(segment.map_uri))
                pictures = [sample.data for sample in mp4.read_fragment(body)[1][1]]
            else:
                pictures = [pes.data for pes in ts.read_ts(body).pes if pes.stream_id == 0xE0]
            times += [int.from_bytes(picture[-24:-20], "big") for picture in pictures]
        assert times == list(range(times[0], times[-1] + 1, 40))


@looped
async def test_a_track_is_left_out_and_comes_back():
    async with running("hls_window 60; hls_ctx off;") as site:
        base = "hls_fragment 2; hls_window 60; hls_ctx off;"
        kinds = []
        async with Camera(site).rolling():
            for choice in ("", "hls_acodec an;", "hls_vcodec vn;", ""):
                before = await site.segments("/live/cam.m3u8", 1)
                site.reload(base + choice)
                wanted = before.segments[-1].discontinuities + bool(kinds)
                while True:
                    media = await site.segments("/live/cam.m3u8", len(before.segments) + 1)
                    if media.segments[-1].discontinuities >= wanted:
                        break
                m3u8.check_step(before, media)
                read = ts.read_ts(await site.fetch(media.segments[-1].uri))
                kinds.append({stream.type for stream in read.pmts[-1].streams.values()})
        assert kinds == [{0x1B, 0x0F}, {0x1B}, {0x0F}, {0x1B, 0x0F}]


@looped
async def test_templates_act_from_the_next_publish_on_and_no_viewer_is_lost_before():
    async with running("hls_ctx off;", on_missing=0) as site:
        camera = Camera(site)
        base = "hls_fragment 2; hls_window 8; hls_ctx off;"
        async with camera.rolling():
            before = await site.media("/live/cam.m3u8")
            new = "hls_m3u8_file hls/[app]/[stream].m3u8; hls_ts_file hls/[app]/[stream]/[seq].ts;"
            assert site.reload(base + new) == ["hls_m3u8_file", "hls_ts_file"]
            assert (await site.get("/hls/live/cam.m3u8")).status == 404
            after = await site.segments("/live/cam.m3u8", len(before.segments) + 2)
            m3u8.check_step(before, after)
            for segment in after.segments:
                assert await site.fetch(segment.uri)
        # A stream without a muxer has the new names at once.
        other = Camera(site, NAME._replace(stream="other"))
        async with other.rolling():
            assert (await site.media("/hls/live/other.m3u8")).segments[0].uri.startswith("other/")
            assert (await site.get("/live/other.m3u8")).status == 404
        camera.end()
        assert (await site.media("/live/cam.m3u8")).ended
        async with Camera(site).rolling():
            media = await site.media("/hls/live/cam.m3u8")
            assert await site.fetch(media.segments[0].uri, "/hls/live/")
            assert (await site.get("/live/cam.m3u8")).status == 404


@looped
async def test_another_folder_acts_from_the_next_publish_on(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    base = "hls_fragment 2; hls_window 8; hls_ctx off; hls_dispose 1;"
    async with running(f"hls_path {old}; hls_ctx off; hls_dispose 1;") as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 2)
            assert site.reload(f"{base} hls_path {new};") == ["hls_path"]
            # The publisher returns within the grace period: the same publish goes on.
            camera.leave()
            camera.publish()
            after = await site.segments("/live/cam.m3u8", len(before.segments) + 1)
            m3u8.check_step(before, after)
        assert not new.exists()
        camera.end()
        async with Camera(site).rolling():
            await until(lambda: "live/cam.m3u8" in files(new))
            assert await site.media("/live/cam.m3u8")
            # The old files are deleted in their time.
            await until(lambda: not files(old))
        # From disk to memory.
        assert site.reload(base) == ["hls_path"]


@looped
async def test_templates_that_change_in_the_same_folder_delete_nothing_of_the_new_playlist(tmp_path):
    base = f"hls_path {tmp_path}; hls_fragment 2; hls_window 8; hls_ctx off; hls_dispose 1;"
    async with running(f"hls_path {tmp_path}; hls_ctx off; hls_dispose 1;") as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 2)
            assert site.reload(f"{base} hls_ts_file [app]/[stream]/[seq].ts;") == ["hls_ts_file"]
        first = site.muxer
        camera.end()
        await first.written()
        async with Camera(site).rolling():
            second = site.muxer
            await until(lambda: second is not first and second.text)
            await until(lambda: first.closed)
            after = await site.media("/live/cam.m3u8")
            # The numbers go on behind those of the old files.
            assert after.sequence > before.segments[-1].number
            for segment in after.segments:
                assert await site.fetch(segment.uri)
            assert "live/cam.m3u8" in files(tmp_path)


@pytest.mark.parametrize("place", ["memory", "disk"])
@looped
async def test_hls_that_is_switched_off_is_not_found_and_comes_back_when_switched_on(place, tmp_path):
    where = f"hls_path {tmp_path};" if place == "disk" else ""
    base = f"{where} hls_fragment 2; hls_window 8; hls_ctx off;"
    async with running(f"{where} hls_ctx off;", on_missing=0) as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 2)
            muxer = site.muxer
            site.reload("", enabled=False)
            assert not site.server.parts.hls.muxers
            assert (await site.get("/live/cam.m3u8")).status == 404
            assert (await site.get("/live/" + before.segments[0].uri)).status == 404
            if place == "disk":
                await muxer.written()
                assert m3u8.read_media((tmp_path / "live/cam.m3u8").read_text()).ended
            else:
                assert muxer.closed and not camera.stream.is_read
            # A publish while HLS is off makes nothing.
            camera.end()
            camera.publish()
            assert not site.server.parts.hls.muxers
            site.reload(base)
            after = await site.media("/live/cam.m3u8")
        assert after.sequence > before.segments[-1].number and not after.ended


@looped
async def test_a_request_that_waits_while_hls_is_switched_off_is_answered():
    async with running(on_missing=30) as site:
        camera = Camera(site)
        camera.run(0.5)
        url = await site.join()
        waiting = asyncio.create_task(site.get(url))
        await until(lambda: site.muxer.waiting)
        site.reload("", enabled=False)
        assert (await waiting).status == 404
        assert not site.server.parts.hls.muxers


@looped
async def test_sessions_are_switched_on_and_off_for_viewers_of_a_running_stream():
    async with running() as site, Camera(site).rolling():
        url = await site.join()
        await site.media(url)
        site.reload("hls_fragment 2; hls_window 8; hls_ctx off;")
        # The viewer plays on with its old URL, and new viewers get the playlist itself.
        assert (await site.media(url)).segments[0].uri.endswith(".ts")
        assert (await site.media("/live/cam.m3u8")).segments
        site.reload("hls_fragment 2; hls_window 8;")
        assert "hls_ctx" in await site.join()


@looped
async def test_files_are_deleted_earlier_when_the_time_is_shortened_after_the_end(tmp_path):
    async with running(f"hls_path {tmp_path}; hls_ctx off; hls_dispose 600;") as site:
        camera = Camera(site)
        async with camera.rolling():
            await until(lambda: "live/cam.m3u8" in files(tmp_path))
        camera.end()
        await site.muxer.written()
        assert files(tmp_path)
        site.reload(f"hls_path {tmp_path}; hls_fragment 2; hls_window 8; hls_dispose 1;")
        await until(lambda: not files(tmp_path))
        assert not site.server.parts.hls.muxers


def test_two_loads_of_one_configuration_have_equal_options():
    text = "enabled on; hls_path /srv; hls_entry_prefix http://cdn.example;"
    assert options(text) == options(text)
    assert options(text) != options(f"{text} hls_ts_file [app]/[seq].ts;")
    first = options(text)
    assert first is not None
    assert replace(first, names=first.names) == first
