"""Requests for HLS: whatever path and query, an answer, and in playlists only lines that players read as they are meant.

The first byte of an input chooses the options; the rest is the target of a request. `{word}` in it is a session, and
`{file}` a segment.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count

from fastflv._ext.core.memory import trim_heap
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv.access.gate import Gate
from fastflv.containers.playlist import QUERY
from fastflv.net.filepool import FilePool
from fastflv.net.heap import Heap
from fastflv.net.peer import Peer
from fastflv.net.turns import Turns
from fastflv.playing.join import Joins
from fastflv.protocols.http.h1 import H1
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.clips.clips import Clips
from fastflv.servers.hls.names import HlsNames, is_inside
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.server import HlsServer
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions
from fastflv.stream.timeshift import TimeshiftOptions
from fuzzing.standins import Answers

NAMES = HlsNames("v", key="[app]/[stream]-[seq].key")
NAME = StreamName("v", "live", "cam")
PLAIN = HlsOptions(NAMES, least_ms=2000, most_ms=4000, playlist_ms=8000, on_missing=0.0)
OPTIONS = (
    PLAIN,
    replace(PLAIN, sessions=False, segment_sessions=False, forward_query=True),
    replace(PLAIN, forward_query=True, master_relative=True),
    replace(PLAIN, names=HlsNames("v", "[app]/[vhost]/[stream]/a.m3u8", "[stream]-[seq]-[timestamp].ts", prefix="https://cdn.example/x"), forward_query=True),
    replace(PLAIN, mp4=True),
)  # fmt: skip
SEEDS = tuple(
    bytes([option]) + target
    for option in range(len(OPTIONS))
    for target in (
        b"/live/cam.m3u8",
        b"/live/cam.m3u8?hls_ctx={word}&token=a%22b",
        b"/live/cam.m3u8?hls_ctx={word}&window=10",
        b"{file}?hls_ctx={word}",
        b"/live/cam-0.ts",
        b"/live/v/cam/a.m3u8?vhost=v&x=y",
        b"/live/cam/init.mp4",
        b"/live/gone.m3u8?hls_ctx=abcd1234",
    )
)
WORDS = (
    b"{file}", b"hls_ctx={word}", b"hls_ctx=", b"window=", b"?", b"&", b"%22", b"%0a", b"%0d%0a#EXT", b"..", b"/../", b"%2f", b"%00", b".m3u8", b".ts", b".m4s",
    b".key", b"-1", b"vhost=", b"domain=", b"%e2%80%a8", b"\xc3\xa9", b"999999999999999999999999", b"init.mp4", b"/live/cam", b"#",
)  # fmt: skip
AVC = bytes.fromhex("014d400dffe10019674d400deca0a0cfcf80880000030008000003019078a14cb001000468ce3c80")
SESSIONS_MAX = 500
"Sessions of one server before the target makes another."


class Site:
    """A server of HLS with one stream of twenty seconds, without sockets."""

    def __init__(self, options: HlsOptions) -> None:
        self.names = options.names
        self.loop = asyncio.new_event_loop()
        ids = count(1)
        hub = Hub(lambda: f"vid-{next(ids)}")
        clients = Clients()
        joins = Joins(self.loop, hub, Gate(lambda vhost: ()), Turns(self.loop), clients)
        pool = FilePool(self.loop)
        self.server = HlsServer(
            joins,
            clients,
            pool.hls,
            Heap(self.loop, trim_heap),
            clips=Clips(pool.clips),
            vhost_of=lambda vhost: options,
            new_id=lambda: f"{next(ids):08x}",
        )
        hub.watchers += [self.server.muxers, self.server.windows]
        kept = StreamOptions(merge_window_ms=0, timeshift=TimeshiftOptions(window_ms=60_000))
        stream = hub.publish(NAME, kept, "publisher", 0)
        reader = ChunkReader()
        reader.set_sink(1, stream.writer)
        reader.deliver(9, 0, 1, b"\x17\0\0\0\0" + AVC)
        for time in range(0, 20_000, 40):
            unit = (b"\x41" if time % 1000 else b"\x65") + time.to_bytes(4, "big") + bytes(20)
            head = (b"\x27" if time % 1000 else b"\x17") + b"\1\0\0\0"
            stream.writer.now_ms = time
            reader.deliver(9, time, 1, head + len(unit).to_bytes(4, "big") + unit)
            stream.writer.flush()
            hub.settle(stream, time)
            if time == 10_000:
                self.word()
        muxer = self.server.muxers.find(NAME)
        assert muxer is not None
        for _ in range(500):
            if not muxer.text:
                self.turn(0.01)
        assert muxer.text, "the stream has no segment"
        segments = [line.removesuffix(QUERY) for line in muxer.text.splitlines() if not line.startswith("#")]
        self.file = f"/{self.names.path_of(segments[-1], muxer.path)}".encode()
        answer = self.ask(self.file)
        assert answer is not None and answer.status == 200

    @property
    def full(self) -> bool:
        return len(self.server.sessions) > SESSIONS_MAX

    def turn(self, seconds: float = 0) -> None:
        """Let the loop do what is due."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def word(self) -> bytes:
        """The id of a new session; empty where there are none."""
        master = self.ask(f"/{self.names.playlist_path(NAME)}".encode())
        return master.body.partition(b"hls_ctx=")[2][:8] if master is not None else b""

    def close(self) -> None:
        self.loop.run_until_complete(self.server.stop())
        self.loop.close()

    def ask(self, target: bytes) -> Response | None:
        """Return the answer to a request; None for one that HTTP refuses, that waits, or that is for no file of HLS."""
        h1 = H1(Peer("192.0.2.1", "192.0.2.1"))
        h1.feed(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        request = next(iter(h1.events), None)
        if not isinstance(request, Request):
            return None
        exchange = Answers(request)
        name = self.names.stream_of(request.path)
        if name is None or not self.server.playlist(exchange, name):
            self.server.segment(exchange, NAME) or self.server.key(exchange, NAME)
        response = exchange.response
        if response is None:
            exchange.lose()
        return response


SITES: dict[int, Site] = {}


def site_of(number: int) -> Site:
    """The server with the options *number*, a new one where the last has many sessions."""
    site = SITES.get(number)
    if site is not None and site.full:
        site.close()
        site = None
    if site is None:
        site = SITES[number] = Site(OPTIONS[number])
    return site


def lines_of(response: Response) -> list[str]:
    """The URIs of a playlist, which has nothing but ASCII lines of known tags and URIs."""
    text = response.body.decode("ascii")
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U" and all(line.isprintable() for line in lines)
    assert text.count("\n") == len(lines)
    tags = [line for line in lines if line.startswith("#")]
    assert all(tag.startswith("#EXT") and tag.count('"') % 2 == 0 for tag in tags)
    return [line for line in lines if not line.startswith("#")]


def check(data: bytes) -> None:
    number, target = (data[0] if data else 0) % len(OPTIONS), data[1:]
    site = site_of(number)
    if b"{word}" in target:
        target = target.replace(b"{word}", site.word())
    target = target.replace(b"{file}", site.file)
    names = site.names
    text = target.decode("latin-1")
    for path in (names.path_of(text, "live/cam.m3u8"), names.path_of_key(text, "live/cam.m3u8")):
        assert not path or is_inside(path)
    response = site.ask(target)
    if response is None:
        return
    assert response.status in (200, 400, 404, 414, 416)
    assert not any(end in value for value in response.headers.values() for end in "\r\n")
    if response.content_type == "application/vnd.apple.mpegurl":
        for uri in lines_of(response):
            assert uri.isascii() and " " not in uri
