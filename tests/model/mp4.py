"""Fragmented MP4 as a slow reader that forgives nothing.

Spec: ISO 14496-12, 4.2 and 8.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"moof", b"traf"}


class Broken(Exception):
    """The bytes are not what they should be."""


def must(good: bool, complaint: str) -> None:
    if not good:
        raise Broken(complaint)


class Box(NamedTuple):
    name: bytes
    at: int
    "Of its first byte, in the bytes that were read."
    body: bytes

    def children(self, skip: int = 0) -> list[Box]:
        return read_boxes(self.body[skip:], self.at + 8 + skip)

    def all(self, name: bytes) -> list[Box]:
        return [child for child in self.children() if child.name == name]

    def one(self, *path: bytes) -> Box:
        box = self
        for name in path:
            found = box.all(name)
            must(len(found) == 1, f"{len(found)} boxes {name!r} in {box.name!r}")
            box = found[0]
        return box

    def full(self) -> tuple[int, int, bytes]:
        """Version, flags and the rest."""
        return self.body[0], int.from_bytes(self.body[1:4], "big"), self.body[4:]


def read_boxes(data: bytes, base: int = 0) -> list[Box]:
    """Read boxes to the last byte."""
    found = []
    at = 0
    while at < len(data):
        must(len(data) - at >= 8, "a box without a head")
        size = int.from_bytes(data[at : at + 4], "big")
        must(8 <= size <= len(data) - at, f"a box of {size} bytes, {len(data) - at} are left")
        box = Box(data[at + 4 : at + 8], base + at, data[at + 8 : at + size])
        if box.name in CONTAINERS:
            box.children()
        found.append(box)
        at += size
    return found


class Track(NamedTuple):
    handler: bytes
    timescale: int
    width: int
    height: int
    entry: Box
    "Its sample entry."

    def inner(self, name: bytes) -> bytes:
        """Content of a box in the sample entry."""
        head = 78 if self.handler == b"vide" else 28
        return next(box.body for box in self.entry.children(head) if box.name == name)


def read_init(data: bytes) -> dict[int, Track]:
    """Read an initialisation section; return its tracks by ID."""
    boxes = read_boxes(data)
    must([box.name for box in boxes] == [b"ftyp", b"moov"], f"boxes {[box.name for box in boxes]}")
    must(b"iso6" in boxes[0].body, "no brand for fragments whose base is the moof")
    moov = boxes[1]
    version, _, rest = moov.one(b"mvhd").full()
    must(version == 0 and len(rest) == 96, "mvhd")
    next_id = int.from_bytes(rest[-4:], "big")
    tracks = {}
    for trak in moov.all(b"trak"):
        _, flags, head = trak.one(b"tkhd").full()
        must(len(head) == 80 and flags & 3 == 3, "tkhd")
        track_id = int.from_bytes(head[8:12], "big")
        must(0 < track_id < next_id and track_id not in tracks, f"track ID {track_id}")
        _, _, media = trak.one(b"mdia", b"mdhd").full()
        handler = trak.one(b"mdia", b"hdlr").full()[2][4:8]
        stbl = trak.one(b"mdia", b"minf", b"stbl")
        for name in (b"stts", b"stsc", b"stco"):
            must(stbl.one(name).full()[2] == bytes(4), f"{name!r} is not empty")
        must(stbl.one(b"stsz").full()[2] == bytes(8), "stsz is not empty")
        trak.one(b"mdia", b"minf", b"vmhd" if handler == b"vide" else b"smhd")
        trak.one(b"mdia", b"minf", b"dinf", b"dref")
        entries = stbl.one(b"stsd").body
        must(entries[:8] == struct.pack(">II", 0, 1), "stsd")
        (entry,) = read_boxes(entries[8:])
        must(entry.body[:8] == bytes(6) + b"\0\1", "data reference of the sample entry")
        tracks[track_id] = Track(
            handler,
            int.from_bytes(media[8:12], "big"),
            int.from_bytes(head[72:74], "big"),
            int.from_bytes(head[76:78], "big"),
            entry,
        )
    extended = [int.from_bytes(box.full()[2][:4], "big") for box in moov.one(b"mvex").all(b"trex")]
    must(extended == list(tracks), f"trex for {extended}, tracks {list(tracks)}")
    return tracks


class Sample(NamedTuple):
    dts: int
    duration: int
    composition: int
    flags: int
    data: bytes


def read_fragment(data: bytes) -> tuple[int, dict[int, list[Sample]]]:
    """Read one segment; return its sequence number and the samples by track ID."""
    boxes = read_boxes(data)
    must([box.name for box in boxes] == [b"moof", b"mdat"], f"boxes {[box.name for box in boxes]}")
    moof, mdat = boxes
    sequence = int.from_bytes(moof.one(b"mfhd").full()[2], "big")
    tracks: dict[int, list[Sample]] = {}
    used = 0
    for traf in moof.all(b"traf"):
        _, flags, head = traf.one(b"tfhd").full()
        must(flags & 0x20000 and not flags & 0x1, "the base is not the moof")
        track_id = int.from_bytes(head[:4], "big")
        default = int.from_bytes(head[4:8], "big") if flags & 0x20 else 0
        must(len(head) == (8 if flags & 0x20 else 4), "tfhd")
        version, _, rest = traf.one(b"tfdt").full()
        must(version == 1 and len(rest) == 8, "tfdt")
        dts = int.from_bytes(rest, "big")
        version, present, rest = traf.one(b"trun").full()
        count, at = struct.unpack_from(">Ii", rest)
        must(present & 0x301 == 0x301 and count > 0, "trun")
        rest = rest[8:]
        at += moof.at
        samples = []
        for _ in range(count):
            duration, size = struct.unpack_from(">II", rest)
            rest = rest[8:]
            flags = default
            if present & 0x400:
                flags, rest = int.from_bytes(rest[:4], "big"), rest[4:]
            composition = 0
            if present & 0x800:
                composition = int.from_bytes(rest[:4], "big", signed=version == 1)
                rest = rest[4:]
            must(at >= mdat.at + 8 and at + size <= mdat.at + 8 + len(mdat.body), "a sample outside of mdat")
            samples.append(Sample(dts, duration, composition, flags, data[at : at + size]))
            dts += duration
            at += size
            used += size
        must(not rest, "trun is longer than its samples")
        must(track_id not in tracks, f"two runs of track {track_id}")
        tracks[track_id] = samples
    must(used == len(mdat.body), f"{len(mdat.body)} bytes in mdat, {used} used")
    return sequence, tracks
