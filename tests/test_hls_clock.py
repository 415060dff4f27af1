"""HLS and clocks: times that are not repaired, target durations that never change, dates, frame rates."""

from __future__ import annotations

import struct
import time
from dataclasses import replace

import pytest
from model import m3u8, mp4
from model.hls import OPTIONS, Camera, looped, running
from model.loop import until

from fastflv.config.model.play import TimeJitter

pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.parametrize("container", ["mp4", "ts"])
@pytest.mark.parametrize(
    ("jitter", "jump_ms"),
    [
        (TimeJitter.ZERO, 16_775_000),
        (TimeJitter.OFF, 16_775_000),
        (TimeJitter.OFF, -40_000),
        (TimeJitter.OFF, -(1 << 24)),
    ],
    ids=["zero, ahead", "off, ahead", "off, back", "off, wrap at 24 bits"],
)
@looped
async def test_a_clock_that_is_not_repaired_makes_discontinuities_and_no_long_segment(
    jitter, jump_ms, container, caplog
):
    more = "hls_use_fmp4 on;" if container == "mp4" else ""
    async with running(f"{more} hls_ctx off; hls_window 60;") as site:
        camera = Camera(site, options=replace(OPTIONS, jitter=jitter))
        camera.time = 17_000_000
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 3)
            camera.time += jump_ms
            camera.time -= camera.time % 1000
            after = await site.segments("/live/cam.m3u8", len(before.segments) + 4)
        m3u8.check_step(before, after)
        assert after.target <= 4 and all(segment.duration <= 4.2 for segment in after.segments)
        assert after.segments[-1].discontinuities == 1
        for segment in after.segments if container == "mp4" else ():
            init = mp4.read_boxes(await site.fetch(segment.map_uri))
            assert init and mp4.read_boxes(await site.fetch(segment.uri))
    assert "Traceback" not in caplog.text


@looped
async def test_the_target_duration_stays_when_keyframes_become_rare():
    async with running("hls_fragment 1; hls_window 60; hls_ctx off;") as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 4)
        # Pictures go on for 8 s without a keyframe.
        end = camera.time + 8000
        while camera.time < end:
            unit = b"\x41" + camera.time.to_bytes(4, "big") + b"\x80" * 20
            camera.feed.video(camera.time, b"\x27\1\0\0\0" + struct.pack(">I", len(unit)) + unit)
            camera.time += 40
        async with camera.rolling():
            after = await site.segments("/live/cam.m3u8", len(before.segments) + 8)
        m3u8.check_step(before, after)
        assert before.target == after.target == 1
        assert {segment.discontinuities for segment in after.segments} == {0}


@looped
async def test_a_segment_has_the_date_at_which_its_first_frame_came(tmp_path):
    hls = f"hls_path {tmp_path}; hls_ctx off; hls_window 60;"
    async with running(hls) as site:
        began = time.time()
        camera = Camera(site)
        camera.run(0.1)
        await until(lambda: site.muxer.is_reading)
        async with camera.rolling(1):
            before = await site.segments("/live/cam.m3u8", 2)
        assert before.segments[0].date == pytest.approx(began, abs=2)
        # The dates of segments that continue each other are as far apart as these are long.
        first, second = before.segments[:2]
        assert second.date - first.date == pytest.approx(first.duration, abs=0.01)
    # A playlist on disk keeps its dates over a restart.
    async with running(hls) as site:
        async with Camera(site).rolling():
            after = await site.segments("/live/cam.m3u8", 4)
        m3u8.check_step(before, after)
        assert after.segments[0].date == first.date


@looped
async def test_the_frame_rate_is_counted_and_not_what_the_encoder_says():
    async with running() as site:
        camera = Camera(site)
        # The header says 25: half of the pictures are left out.
        video = camera.feed.video
        camera.feed.video = lambda time, body: None if time % 80 and body[0] == 0x27 else video(time, body)
        camera.run(1)
        assert "FRAME-RATE" not in (await site.get("/live/cam.m3u8")).text
        async with camera.rolling():
            await until(lambda: site.muxer.text.count("#EXTINF") >= 4)
        master = m3u8.read_master((await site.get("/live/cam.m3u8")).text)
        assert float(master.attributes["FRAME-RATE"]) == pytest.approx(13, abs=0.5)
    # An encoder that says what is true is believed from the begin.
    async with running() as site:
        Camera(site).run(1)
        master = m3u8.read_master((await site.get("/live/cam.m3u8")).text)
        assert master.attributes["FRAME-RATE"] == "25.000"
