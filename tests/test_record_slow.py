"""Recordings on a disk that hangs, which threads that wait for an event stand for: the stream and its players do not notice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from model.flv import AAC_HEADER, AVC_HEADER, Feed, inter, key, read_file, sound
from model.loop import until
from model.ports import free_ports

from fastflv import limits
from fastflv.config.load import load_text
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.control.server import Server
from fastflv.record.event import RecordEvent, RecordStep
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions

TEXT = """
listen 127.0.0.1:0;
http_server {{ enabled on; listen 127.0.0.1:{http}; }}
vhost __defaultVhost__ {{
    http_remux {{ enabled on; mount /[app]/[stream].flv; }}
    dvr {{ enabled on; dvr_path {folder}/[stream].flv; }}
}}
"""
FRAME = 4000
"Bytes of a picture."


class Site:
    """A server that records, a publisher of ten pictures a second, and a player beside the recording."""

    def __init__(self, server: Server, http: int) -> None:
        self.server = server
        self.events: list[RecordEvent] = []
        server.recorders.watchers.append(self.events.append)
        stream = server.hub.publish(StreamName(DEFAULT_VHOST, "live", "x"), StreamOptions(), "c1", 0)
        self.stream = stream
        self.feed = Feed(stream.writer)
        self.feed.audio(0, AAC_HEADER)
        self.feed.video(0, AVC_HEADER)
        self.sent = 0
        self.http = http
        self.shown = bytearray()
        "What the player got."

    def frames(self, count: int) -> None:
        """Publish *count* pictures, a keyframe each second, and as much sound."""
        for number in range(self.sent, self.sent + count):
            body = mark(number) + bytes(FRAME)
            self.feed.video(number * 100, key(body) if number % 10 == 0 else inter(body))
            self.feed.audio(number * 100, sound(mark(number)))
        self.sent += count
        self.server.hub.settle(self.stream, self.sent * 100)

    async def play(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.http)
        writer.write(b"GET /live/x.flv?start=live HTTP/1.0\r\nHost: a\r\n\r\n")
        try:
            while data := await reader.read(65536):
                self.shown += data
        finally:
            writer.close()

    async def run(self, seconds: int) -> None:
        """Publish, no faster than the player is shown it."""
        for _ in range(seconds):
            self.frames(10)
            last = mark(self.sent - 1)
            await until(lambda last=last: last in self.shown)

    def steps(self) -> list[RecordStep]:
        return [each.step for each in self.events]


def mark(number: int) -> bytes:
    return b"picture %06d" % number


@asynccontextmanager
async def recorded(folder: Path) -> AsyncIterator[Site]:
    [http] = free_ports(1)
    server = Server(load_text(TEXT.format(folder=folder, http=http)), asyncio.get_running_loop())
    await server.start()
    site = Site(server, http)
    site.frames(10)
    player = asyncio.create_task(site.play())
    try:
        async with asyncio.timeout(60):
            await until(lambda: RecordStep.BEGAN in site.steps())
            yield site
    finally:
        await server.stop()
        player.cancel()


@asynccontextmanager
async def hanging(server: Server) -> AsyncIterator[None]:
    """Every thread that writes recordings waits for its disk."""
    goes_on = threading.Event()
    disks = [server.file_pool.recording.run(goes_on.wait) for _ in range(limits.FILE_RECORD_THREADS)]
    try:
        yield
    finally:
        goes_on.set()
        await asyncio.gather(*disks)


def is_whole(shown: bytes, first: int, sent: int) -> bool:
    """Whether the player was shown every picture once, from number *first* on."""
    places = [shown.find(b"".join((mark(number), bytes(FRAME)))) for number in range(first, sent)]
    return -1 not in places and places == sorted(places)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECORD_PULL_SECONDS", 0.05)


@pytest.mark.usefixtures("quick")
def test_a_slow_disk_leaves_a_gap_with_one_line_and_nobody_else_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "RECORD_WAITING_BYTES", 10 * FRAME)

    async def run() -> None:
        async with recorded(tmp_path) as site:
            await site.run(2)
            first = site.sent
            async with hanging(site.server):
                # Longer than the log keeps what nobody else reads.
                await site.run(40)
                assert site.events[-1].step is not RecordStep.FAILED
                held = site.stream.log.kept_bytes
                assert held < 20 * 10 * FRAME, "the log keeps its own bounds, whoever reads it"
            await until(lambda: RecordStep.GAP in site.steps())
            await site.run(5)
            assert is_whole(bytes(site.shown), first, site.sent)
            sent = site.sent

            def has_last() -> bool:
                return mark(sent - 1) in b"".join(path.read_bytes() for path in tmp_path.rglob("x*"))

            await until(has_last)
        assert site.steps() == [RecordStep.BEGAN, RecordStep.GAP, RecordStep.FINISHED]

    with caplog.at_level("INFO", "fastflv.record.recorders"):
        asyncio.run(run())
    lines = [record.getMessage() for record in caplog.records if record.levelname != "INFO"]
    assert lines == ["record of /live/x: the disk is too slow: frames are missing in the file"]
    [path] = tmp_path.rglob("*.flv")
    pictures = [tag for tag in read_file(path.read_bytes())[2] if tag.kind == 9 and len(tag.body) > FRAME]
    numbers = [int(tag.body.partition(b"picture ")[2][:6]) for tag in pictures]
    [(before, after)] = [pair for pair in pairwise(numbers) if pair[1] != pair[0] + 1]
    assert after > before + 100 and after % 10 == 0, "it goes on at a keyframe"


@pytest.mark.usefixtures("quick")
def test_a_disk_that_hangs_ends_the_recording_with_one_event_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "RECORD_STALL_SECONDS", 0.5)

    async def run() -> None:
        async with recorded(tmp_path) as site:
            first = site.sent
            await site.run(2)
            async with hanging(site.server):
                await site.run(1)
                await until(lambda: RecordStep.FAILED in site.steps())
                await site.run(3)
                # It does not begin anew by itself.
                assert site.steps() == [RecordStep.BEGAN, RecordStep.FAILED]
                assert not list(site.server.recorders)
            await site.run(2)
            assert is_whole(bytes(site.shown), first, site.sent)
        assert site.steps() == [RecordStep.BEGAN, RecordStep.FAILED]

    with caplog.at_level("INFO", "fastflv.record.recorders"):
        asyncio.run(run())
    [line] = [record.getMessage() for record in caplog.records if record.levelname != "INFO"]
    assert line.startswith("record of /live/x stops: the disk has not taken a write for")
    assert line.endswith("needs fastflv repair")
