"""A log of tags with a TS log that follows it, tags to feed it with, and the tables that came out."""

from __future__ import annotations

from model import ts
from model.flv import AUDIO, VIDEO, Tag
from model.remuxed import aac, avc

from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.ts.mux import TsMux
from fastflv.containers.mpegts import describe

IDR, SLICE = b"\x65idr", b"\x41slice"


class Bench:
    """A source log with a TS log that follows it; each tag is a publish of its own."""

    def __init__(self, *before: Tag, headers: bytes = b"") -> None:
        self.source = MediaLog(keep_ms=10**9)
        self.log = MediaLog(keep_ms=10**9)
        self.mux = TsMux(self.source, self.log, describe)
        self.put(*before)
        self.mux.begin(headers, 0)

    def put(self, *tags: Tag) -> Bench:
        for tag in tags:
            self.source.append(tag.kind, tag.dts_ms, tag.body)
        return self

    def bytes(self, start: int = 0) -> bytes:
        return self.log.read(max(start, self.log.tail), self.log.head)

    def read(self, start: int = 0) -> ts.Reader:
        return ts.read_ts(self.bytes(start))


def video(time: int, *nalus: bytes, key: bool = False, cts: int = 0) -> Tag:
    return Tag(VIDEO, time, avc(nalus or ([IDR] if key else [SLICE]), key=key, cts=cts))


def audio(time: int, frame: bytes = b"sound") -> Tag:
    return Tag(AUDIO, time, aac(frame))


def enhanced(kind: int, name: bytes, packet: int, data: bytes, first: int = 0x90) -> Tag:
    return Tag(kind, 0, bytes([first | packet]) + name + data)


def tables(reader: ts.Reader) -> list[dict[int, int]]:
    """Stream types by PID of each PMT that differs from the one before."""
    shown: list[ts.Pmt] = []
    for pmt in reader.pmts:
        if not shown or shown[-1] != pmt:
            shown.append(pmt)
    return [{pid: stream.type for pid, stream in pmt.streams.items()} for pmt in shown]


def announced(mux: TsMux) -> list[tuple[int, int]]:
    """`(PID, stream type)` of each track in the tables that a player is sent now."""
    tables = mux.tables()
    return (
        [(pid, stream.type) for pid, stream in ts.read_ts(tables).pmts[0].streams.items()] if tables else []
    )
