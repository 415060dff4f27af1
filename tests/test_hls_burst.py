"""HLS of media that comes faster than time: what a publish has sent is in the playlist, whenever the muxer can read it."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from model import m3u8, ts
from model.hls import NAME, Camera, looped, running
from model.loop import until

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv.containers.segmenter import Segmenter
from fastflv.containers.variant import Variant
from fastflv.servers.hls.files import read_text

pytestmark = pytest.mark.usefixtures("quick")

HLS = "hls_ctx off; hls_window 200; hls_fragment 1;"


async def ended(site, folder) -> m3u8.Media:
    """Wait for the end of the playlist on disk."""
    await until(lambda: site.muxer.ended and not site.muxer.backlog)
    await site.muxer.written()
    media = m3u8.read_media((folder / "live/cam.m3u8").read_text())
    assert media.ended
    return media


async def pictures(site, media: m3u8.Media) -> list[int]:
    """The times at which the pictures in the segments of TS were published, by their bytes."""
    times = []
    for segment in media.segments:
        frames = [pes.data for pes in ts.read_ts(await site.fetch(segment.uri)).pes if pes.stream_id == 0xE0]
        times += [int.from_bytes(frame[-24:-20], "big") for frame in frames]
    return times


@pytest.mark.parametrize("form", ["ts", "mp4"])
@pytest.mark.parametrize("seconds", [4, 60])
@looped
async def test_a_publish_that_comes_and_goes_within_one_turn_is_in_the_playlist(seconds, form, tmp_path):
    more = "hls_use_fmp4 on;" if form == "mp4" else ""
    async with running(f"hls_path {tmp_path}; {HLS} {more}") as site:
        camera = Camera(site)
        camera.run(seconds)
        camera.end()
        media = await ended(site, tmp_path)
        assert media.length == pytest.approx(seconds, abs=0.05)
        assert {segment.discontinuities for segment in media.segments} == {0}
        if form == "ts":
            assert await pictures(site, media) == list(range(0, camera.time, 40))


@pytest.mark.parametrize("kinds", [{"video": False}, {"audio": False}], ids=["sound", "pictures"])
@looped
async def test_one_track_alone_is_whole_too(kinds, tmp_path):
    async with running(f"hls_path {tmp_path}; {HLS}") as site:
        camera = Camera(site, **kinds)
        camera.run(20)
        camera.end()
        assert (await ended(site, tmp_path)).length == pytest.approx(20, abs=0.05)


def read_sounds(data: bytes) -> list[int]:
    """The times at which the sound of a TS was published, by its bytes; the tables before it tell of both tracks."""
    found = ts.read_ts(data)
    assert {tuple(pmt.streams) for pmt in found.pmts} == {(0x100, 0x101)}
    frames = [one.frame for pes in found.pes if pes.stream_id == 0xC0 for one in ts.read_adts(pes.data)]
    return [int.from_bytes(frame[:4], "big") for frame in frames]


@pytest.mark.parametrize("form", ["ts", "mp4"])
@looped
async def test_sound_whose_header_comes_behind_the_first_keyframe_is_whole(form, tmp_path):
    more = "hls_use_fmp4 on;" if form == "mp4" else ""
    async with running(f"hls_path {tmp_path}; {HLS} {more}") as site:
        camera = Camera(site, adts=True)
        camera.run(20)
        camera.end()
        media = await ended(site, tmp_path)
        bodies = [await site.fetch(segment.uri) for segment in media.segments]
        if form == "ts":
            sounds = [time for body in bodies for time in read_sounds(body)]
        else:
            (head,) = {segment.map_uri for segment in media.segments}
            assert (await site.fetch(head)).count(b"trak") == 2
            frames = b"".join(bodies)
            times = range(0, camera.time, 20)
            sounds = [time for time in times if time.to_bytes(4, "big") + b"\x55" * 16 in frames]
        assert sounds == list(range(0, camera.time, 20))


@looped
async def test_players_that_share_a_log_with_hls_hear_sound_that_came_after_it_was_opened(tmp_path):
    async with running(f"hls_path {tmp_path}; {HLS}") as site:
        players = []

        def play(stream) -> None:
            outlet = stream.open(Variant("ts"))
            players.append((outlet.starts.at_gop(), Cursor(outlet.log, position=outlet.log.key_pos)))

        site.server.hub.wait(NAME, play)
        camera = Camera(site, adts=True)
        camera.run(2.5)
        ((start, cursor),) = players
        assert len(camera.stream.outlets) == 2
        camera.run(2.5)
        camera.end()
        got = bytes(start.block) + b"".join(entry[3] for entry in cursor.take_tags())
        assert read_sounds(got) == list(range(2000, camera.time, 20))


@looped
async def test_a_track_that_comes_after_the_reader_was_opened_is_read_from_its_begin(tmp_path):
    async with running(f"hls_path {tmp_path}; {HLS}") as site:
        camera = Camera(site, adts=True)
        camera.audio = False
        camera.run(3)
        assert site.muxer.is_reading and not camera.stream.settled
        camera.audio = True
        camera.run(0.5)
        camera.run(20)
        camera.end()
        media = await ended(site, tmp_path)
        seen = await pictures(site, media)
        assert sorted(set(seen)) == list(range(0, camera.time, 40))
        newest = media.segments[-1].discontinuities
        heard = [segment for segment in media.segments if segment.discontinuities == newest]
        bodies = [await site.fetch(segment.uri) for segment in heard]
        assert [time for body in bodies for time in read_sounds(body)] == list(range(3000, camera.time, 20))


@looped
async def test_a_burst_within_a_publish_is_whole(tmp_path):
    async with running(f"hls_path {tmp_path}; {HLS}") as site:
        camera = Camera(site)
        async with camera.rolling():
            await site.segments("/live/cam.m3u8", 2)
        camera.run(30)
        camera.end()
        media = await ended(site, tmp_path)
        assert await pictures(site, media) == list(range(0, camera.time, 40))


@looped
async def test_a_burst_while_the_old_playlist_is_read_is_whole(tmp_path, monkeypatch):
    async with running(f"hls_path {tmp_path}; {HLS}") as site, Camera(site).rolling():
        await site.segments("/live/cam.m3u8", 2)
    left = m3u8.read_media((tmp_path / "live/cam.m3u8").read_text())
    reading, go = threading.Event(), threading.Event()

    def read_late(path: str, most: int) -> str:
        reading.set()
        assert go.wait(10)
        return read_text(path, most)

    monkeypatch.setattr("fastflv.servers.hls.diskstore.read_text", read_late)
    async with running(f"hls_path {tmp_path}; {HLS}") as site:
        camera = Camera(site)
        await until(reading.is_set)
        camera.run(20)
        go.set()
        camera.end()
        media = await ended(site, tmp_path)
    m3u8.check_step(left, media._replace(ended=False))
    assert media.length - left.length == pytest.approx(20, abs=0.05)


@pytest.mark.parametrize("returns", [False, True], ids=["first", "returns"])
@looped
async def test_players_of_ts_that_were_there_before_change_nothing(returns, tmp_path):
    """The log that they read begins with the newest GOP, or has none of the burst any more."""
    async with running(f"hls_path {tmp_path}; {HLS}") as site:
        readers = []

        def play(stream) -> None:
            readers.append(Cursor(stream.open(Variant("ts")).log))

        site.server.hub.wait(NAME, play)
        camera = Camera(site)
        camera.run(20)
        if returns:
            camera.leave()
            readers[0].take_tags()
            camera.time += 1000
            camera.publish()
            camera.run(20)
        camera.end()
        media = await ended(site, tmp_path)
        assert media.length == pytest.approx(40 if returns else 20, abs=0.1)
        steps = [b - a for a, b in pairwise(await pictures(site, media))]
        assert steps.count(40) == len(steps) - returns
        assert len(readers) == 1


@looped
async def test_a_publish_in_its_own_time_shares_one_log_with_players_of_ts(tmp_path):
    async with running(f"hls_path {tmp_path}; {HLS}") as site:
        readers = []
        site.server.hub.wait(NAME, lambda stream: readers.append(Cursor(stream.open(Variant("ts")).log)))
        camera = Camera(site)
        camera.run(0.5)
        async with camera.rolling():
            await site.segments("/live/cam.m3u8", 2)
        assert len(camera.stream.outlets) == 2
        camera.end()
        media = await ended(site, tmp_path)
        assert await pictures(site, media) == list(range(0, camera.time, 40))
        del readers[:]


@looped
async def test_a_muxer_that_begins_late_has_the_begin(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(limits, "HLS_RETRY_SECONDS", 0.05)
    async with running(f"hls_path {tmp_path}; {HLS}") as site:
        with monkeypatch.context() as broken:
            broken.setattr(Segmenter, "__init__", lambda *_, **__: 1 / 0)
            camera = Camera(site)
            camera.run(4)
            await until(lambda: "cannot begin" in caplog.text)
        await until(lambda: site.muxer.is_reading)
        camera.end()
        assert await pictures(site, await ended(site, tmp_path)) == list(range(0, camera.time, 40))


@looped
async def test_nothing_is_held_where_hls_carries_no_track(tmp_path):
    async with running(f"hls_path {tmp_path}; {HLS} hls_vcodec vn;") as site:
        camera = Camera(site, audio=False)
        camera.run(0.5)
        assert camera.stream.is_read
        camera.run(0.5)
        assert camera.stream.settled and not camera.stream.is_read
