"""HLS on disk: files that come, go, outlive a restart, and disks that fail."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from model import m3u8
from model.access import request
from model.hls import Camera, looped, running
from model.loop import until

from fastflv import limits
from fastflv.access.request import Action
from fastflv.servers.hls.files import FileMark, find_files, read_text, write_file
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason

pytestmark = pytest.mark.usefixtures("quick")


def files(folder: Path) -> set[str]:
    """Files below *folder*; a thread may be removing some, and folders with them, while this looks (os.walk minds not)."""
    found = [Path(where, name) for where, _, names in os.walk(folder) for name in names]
    return {path.relative_to(folder).as_posix() for path in found if path.is_file()}


@looped
async def test_files_are_made_from_the_publish_on_and_deleted_after_they_left_the_playlist(tmp_path):
    async with running(f"hls_path {tmp_path}; hls_fragment 1; hls_window 1; hls_ctx off;") as site:
        camera = Camera(site)
        camera.run(1)
        await until(lambda: site.muxer.is_reading)
        before = None
        old = set()
        for _number in range(10):
            await site.step(camera)
            now = m3u8.read_media((tmp_path / "live/cam.m3u8").read_text())
            if before is not None:
                m3u8.check_step(before, now)
                m3u8.check_removal(before, now)
                old |= {segment.uri for segment in before.segments} - {
                    segment.uri for segment in now.segments
                }
            assert all((tmp_path / "live" / segment.uri).exists() for segment in now.segments)
            before = now
        assert before is not None and before.sequence > 5
        assert before.segments[-1].uri == f"cam-{before.segments[-1].number}.ts"
        assert not [name for name in files(tmp_path) if name.endswith(".part")]
        served = await site.media("/live/cam.m3u8")
        m3u8.check_step(before, served)
        assert (
            await site.fetch(served.segments[0].uri)
            == (tmp_path / "live" / served.segments[0].uri).read_bytes()
        )
        (tmp_path / "live" / served.segments[1].uri).unlink()
        assert (await site.get("/live/" + served.segments[1].uri)).status == 404
        assert old
        await until(lambda: not {f"live/{uri}" for uri in old} & files(tmp_path))


@looped
async def test_files_stay_where_cleanup_is_off(tmp_path):
    hls = f"hls_path {tmp_path}; hls_cleanup off; hls_dispose 0; hls_fragment 1; hls_window 1;"
    async with running(hls) as site:
        camera = Camera(site)
        camera.run(1)
        await until(lambda: site.muxer.is_reading)
        for _ in range(8):
            await site.step(camera)
        await until(lambda: site.muxer.fetch("live/cam-0.ts") is None)
        camera.end()
        await until(lambda: "ENDLIST" in (tmp_path / "live/cam.m3u8").read_text())
    assert {f"live/cam-{number}.ts" for number in range(8)} <= files(tmp_path)


@looped
async def test_all_files_go_a_while_after_the_publisher(tmp_path):
    async with running(f"hls_path {tmp_path}/www; hls_dispose 1; hls_use_fmp4 on; hls_ctx off;") as site:
        camera = Camera(site)
        async with camera.rolling():
            await until(lambda: "live/cam.m3u8" in files(tmp_path / "www"))
        camera.run(3)
        camera.end()
        await until(lambda: site.muxer.text.endswith("ENDLIST\n"))
        assert m3u8.read_media((tmp_path / "www/live/cam.m3u8").read_text()).ended
        media = await site.media("/live/cam.m3u8")
        assert media.ended and media.length == pytest.approx(camera.time / 1000, abs=0.05)
        assert await site.fetch(media.segments[-1].map_uri)
        await until(lambda: not files(tmp_path))
        await until(lambda: not (tmp_path / "www/live").exists())
        assert not site.server.parts.hls.muxers
        assert (await site.get("/live/cam.m3u8")).status == 404


@looped
async def test_a_publisher_that_returns_before_that_has_a_playlist_of_its_own(tmp_path):
    async with running(f"hls_path {tmp_path}; hls_ctx off;") as site:
        camera = Camera(site)
        async with camera.rolling():
            await site.segments("/live/cam.m3u8", 2)
        camera.run(1)
        camera.end()
        # It is back before the end is written.
        again = Camera(site)
        async with again.rolling():
            await until(lambda: "DISCONTINUITY-SEQUENCE" in (tmp_path / "live/cam.m3u8").read_text())
            media = await site.segments("/live/cam.m3u8", 2)
        assert media.sequence >= 3 and not media.ended
        assert media.discontinuities == 1
        assert {"live/cam-0.ts", "live/cam-1.ts"} <= files(tmp_path)


@looped
async def test_after_a_restart_the_old_playlist_is_gone_on_with(tmp_path):
    hls = f"hls_path {tmp_path}; hls_ctx off; hls_window 60;"
    async with running(hls) as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 2)
        camera.run(0.6)
    left = m3u8.read_media((tmp_path / "live/cam.m3u8").read_text())
    # Nothing of the stream is lost, and its players need not give up.
    assert not left.ended and left.length == pytest.approx(camera.time / 1000, abs=0.05)
    m3u8.check_step(before, left)
    async with running(hls) as site:
        async with Camera(site).rolling():
            after = await site.segments("/live/cam.m3u8", len(left.segments) + 2)
        m3u8.check_step(left, after)
        steps = [segment.discontinuities for segment in after.segments]
        assert steps == [0] * len(left.segments) + [1] * (len(steps) - len(left.segments))
        assert await site.fetch(after.segments[0].uri)


@looped
async def test_a_restart_that_does_not_recover_ends_what_was(tmp_path):
    hls = f"hls_path {tmp_path}; hls_ctx off; hls_recover off;"
    async with running(hls) as site, Camera(site).rolling():
        await site.segments("/live/cam.m3u8", 2)
    assert m3u8.read_media((tmp_path / "live/cam.m3u8").read_text()).ended
    async with running(hls) as site, Camera(site).rolling():
        assert (await site.segments("/live/cam.m3u8", 1)).sequence == 0


@pytest.mark.parametrize("back", [True, False], ids=["returns", "ends"])
@looped
async def test_a_publisher_that_leaves_while_the_old_playlist_is_read(back, tmp_path, monkeypatch):
    hls = f"hls_path {tmp_path}; hls_ctx off; hls_window 60;"
    async with running(hls) as site, Camera(site).rolling():
        await site.segments("/live/cam.m3u8", 2)
    left = m3u8.read_media((tmp_path / "live/cam.m3u8").read_text())
    reading, go = threading.Event(), threading.Event()

    def read_late(path: str, most: int) -> tuple[str, FileMark | None]:
        reading.set()
        assert go.wait(10)
        return read_text(path, most)

    monkeypatch.setattr("fastflv.servers.hls.diskstore.read_text", read_late)
    async with running(hls) as site:
        camera = Camera(site)
        camera.run(1)
        await until(reading.is_set)
        camera.leave()
        if not back:
            camera.end()
            go.set()
            await site.muxer.written()
            # The old playlist is complete now, with what came meanwhile.
            ended = m3u8.read_media((tmp_path / "live/cam.m3u8").read_text())
            m3u8.check_step(left, ended._replace(ended=False))
            assert ended.ended and ended.length - left.length == pytest.approx(1, abs=0.05)
            return
        camera.publish()
        camera.run(1)
        go.set()
        await until(lambda: site.muxer.is_reading)
        (outlet,) = (each for each in camera.stream.outlets if each.variant.container == "ts")
        assert outlet.log.readers == 1
        async with camera.rolling():
            after = await site.segments("/live/cam.m3u8", len(left.segments) + 2)
        m3u8.check_step(left, after)
        assert outlet.log.readers == 1


@looped
async def test_a_playlist_whose_end_cannot_be_written_is_disposed_all_the_same(tmp_path, caplog):
    async with running(f"hls_path {tmp_path}; hls_ctx off; hls_dispose 1;") as site:
        camera = Camera(site)
        async with camera.rolling():
            await site.segments("/live/cam.m3u8", 2)
        muxer = site.muxer
        (tmp_path / "live").rename(tmp_path / "away")
        (tmp_path / "live").write_text("in the way")
        camera.end()
        await until(lambda: muxer.closed)
        assert "Not a directory" in caplog.text
        assert not site.server.parts.hls.muxers


@looped
async def test_a_segment_that_could_not_be_written_is_marked_as_missing(tmp_path, caplog):
    async with running(f"hls_path {tmp_path}; hls_ctx off; hls_window 60;") as site:
        camera = Camera(site)
        async with camera.rolling():
            before = await site.segments("/live/cam.m3u8", 2)
            (tmp_path / "live").rename(tmp_path / "away")
            (tmp_path / "live").write_text("in the way")
            await until(lambda: "Not a directory" in caplog.text)
            (tmp_path / "live").unlink()
            (tmp_path / "away").rename(tmp_path / "live")
            after = await site.segments("/live/cam.m3u8", len(before.segments) + 2)
    m3u8.check_step(before, after)
    assert after.segments[-1].discontinuities == 1


@pytest.mark.parametrize(
    "old", [b"", b"\xff\xfe", b"#EXTM3U\n#EXTINF:1,\n../../../etc/passwd\n", b"no playlist"]
)
@looped
async def test_an_old_playlist_that_is_none_does_no_harm(old, tmp_path):
    (tmp_path / "live").mkdir()
    (tmp_path / "live/cam.m3u8").write_bytes(old)
    async with running(f"hls_path {tmp_path}; hls_ctx off;") as site:
        async with Camera(site).rolling():
            await until(lambda: "live/cam-1.ts" in files(tmp_path))
        assert (await site.get("/etc/passwd")).status == 404


@looped
async def test_a_path_that_recurs_has_the_new_file(tmp_path):
    async with running(f"hls_path {tmp_path}; hls_ctx off; hls_recover off;") as site:
        camera = Camera(site)
        async with camera.rolling():
            await site.segments("/live/cam.m3u8", 1)
        muxer = site.muxer
        old = await site.fetch("cam-0.ts")
        camera.end()
        await muxer.written()
        muxer.close()
        camera = Camera(site)
        # Bytes tell at what time they were published.
        camera.time = 100_000
        async with camera.rolling():
            await site.segments("/live/cam.m3u8", 1)
        new = await site.fetch("cam-0.ts")
        assert new == (tmp_path / "live/cam-0.ts").read_bytes() != old


class Source:
    """The link of a publisher, which remembers why it was dropped."""

    sent = received = 0

    def __init__(self, dropped: list[EndReason]) -> None:
        self.drop = dropped.append


@pytest.mark.parametrize("on_error", ["continue", "ignore", "disconnect"])
@looped
async def test_a_folder_that_cannot_be_written(on_error, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(limits, "HLS_PULL_SECONDS", 0.02)
    caplog.set_level(logging.INFO)
    (tmp_path / "live").write_text("in the way")
    dropped = []
    async with running(f"hls_path {tmp_path}; hls_on_error {on_error};") as site:
        camera = Camera(site)
        asked = replace(request(Action.PUBLISH), client_id="publisher")
        site.server.clients.add(Client(asked, camera.stream, Source(dropped), 0.0))
        async with camera.rolling():
            await until(lambda: "hls of /live/cam" in caplog.text)
        if on_error == "disconnect":
            assert dropped[0] is EndReason.STORE_FAILED
        elif on_error == "ignore":
            assert not camera.stream.is_read
        else:
            assert camera.stream.is_read
            (tmp_path / "live").unlink()
            async with camera.rolling():
                await until(lambda: "live/cam.m3u8" in files(tmp_path))
                await until(lambda: "written again" in caplog.text)
        # One line for many failures.
        assert sum(row.levelname == "ERROR" for row in caplog.records) == 1


@pytest.mark.parametrize("crowded", [False, True], ids=["alone", "many"])
@looped
async def test_a_disk_that_cannot_keep_up_does_not_fill_the_memory(crowded, tmp_path, monkeypatch, caplog):
    go = threading.Event()

    def write_late(path: str, body: bytes) -> FileMark:
        assert go.wait(10)
        return write_file(path, body)

    monkeypatch.setattr("fastflv.servers.hls.diskstore.write_file", write_late)
    monkeypatch.setattr(limits, "HLS_WAITING_BYTES", 40_000 if crowded else 0)
    monkeypatch.setattr(limits, "HLS_SERVER_WAITING_BYTES", 0 if crowded else 40_000)
    async with running(f"hls_path {tmp_path}; hls_window 60;") as site:
        camera = Camera(site)
        async with camera.rolling(40):
            await until(lambda: "cannot keep up" in caplog.text)
        waiting = site.muxer.backlog
        camera.run(20)
        assert site.muxer.backlog == waiting
        go.set()
        await until(lambda: not site.muxer.backlog)
        camera.run(2)
        await until(lambda: "cam-5.ts" in site.muxer.text)
        camera.end()
        await site.muxer.written()
        media = m3u8.read_media((tmp_path / "live/cam.m3u8").read_text())
    # The log bounds what the muxer reads late; each loss is marked.
    assert media.length < camera.time / 1000
    assert 1 <= media.segments[-1].discontinuities <= 2


@looped
async def test_a_stream_that_ends_twice_before_its_end_is_written_has_two_playlists(tmp_path, monkeypatch):
    go = threading.Event()

    def write_late(path: str, body: bytes) -> FileMark:
        assert go.wait(10)
        return write_file(path, body)

    monkeypatch.setattr("fastflv.servers.hls.diskstore.write_file", write_late)
    async with running(f"hls_path {tmp_path}; hls_ctx off;") as site:
        for _ in range(2):
            camera = Camera(site)
            camera.run(1)
            await until(lambda: site.muxer.is_reading)
            camera.run(2)
            camera.end()
        muxer = site.muxer
        assert muxer.backlog
        go.set()
        await muxer.written()
        media = m3u8.read_media((tmp_path / "live/cam.m3u8").read_text())
    assert media.ended and media.sequence > 0
    assert media.length == pytest.approx(3, abs=0.05)
    assert {segment.discontinuities for segment in media.segments} == {1}


@looped
async def test_no_descriptor_is_left_open(tmp_path):
    async with running(f"hls_path {tmp_path}; hls_ctx off;") as site:
        async with Camera(site).rolling():
            media = await site.segments("/live/cam.m3u8", 2)
        open_now = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            for segment in media.segments:
                await site.fetch(segment.uri)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= open_now + 1)


@looped
async def test_a_stream_without_anything_to_carry_has_no_files(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with running(f"hls_path {tmp_path}; hls_vcodec vn;") as site:
        camera = Camera(site, audio=False)
        async with camera.rolling():
            await until(lambda: "no track that HLS can carry" in caplog.text)
        assert not camera.stream.is_read
        camera.end()
    assert not files(tmp_path)


def test_a_part_file_that_is_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "other").write_text("keep")
    for name in ("a.ts.part", "a.ts"):
        (tmp_path / name).symlink_to(tmp_path / "other")
    write_file(str(tmp_path / "a.ts"), b"segment")
    assert (tmp_path / "other").read_text() == "keep"
    assert (tmp_path / "a.ts").read_bytes() == b"segment" and not (tmp_path / "a.ts").is_symlink()
    assert files(tmp_path) == {"a.ts", "other"}
    # Nor is a link resumed after a restart.
    (tmp_path / "b.ts").symlink_to(tmp_path / "other")
    found = find_files(str(tmp_path), ["a.ts", "b.ts"])
    assert {path: size for path, (size, _) in found.items()} == {"a.ts": 7}
    assert read_text(str(tmp_path / "b.ts"), 100) == ("", None)


def test_a_part_file_of_a_process_that_was_killed_is_replaced(tmp_path):
    (tmp_path / "a.ts.part").write_text("half")
    write_file(str(tmp_path / "a.ts"), b"segment")
    assert files(tmp_path) == {"a.ts"}


FILL = """
import resource, sys
from fastflv.servers.hls.files import write_file
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_file(sys.argv[1], bytes(5000))
except OSError as error:
    print(error.filename)
"""


def test_a_disk_that_takes_no_more_is_an_error_that_names_the_file(tmp_path):
    words = [sys.executable, "-P", "-c", FILL, str(tmp_path / "a.ts")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == str(tmp_path / "a.ts"), done.stderr
    assert not files(tmp_path)
