"""FLV tags for muxers: real sequence headers, frames made up, and what a TS made of them must hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from model import ts
from model.flv import AUDIO, VIDEO, Tag, write_tag

from fastflv import limits

SPS = bytes.fromhex("6742c00cda05067e7c0440000003004000000c83c50aa8")
PPS = bytes.fromhex("68ce0fc8")
AVC_CONFIG = b"\1" + SPS[1:4] + b"\xff\xe1" + len(SPS).to_bytes(2, "big") + SPS + b"\1\0\4" + PPS

HEVC_CONFIG = bytes.fromhex(
    "0101600000009000000000003cf000fcfdf8f800000f032000010018"
    "40010c01ffff01600000030090000003000003003c959409210001002b"
    "42010101600000030090000003000003003ca00a080c1f3e595952930bc05a02000003000200000300321022000100064401c073c189"
)
HEVC_SETS = [
    bytes.fromhex("40010c01ffff01600000030090000003000003003c959409"),
    bytes.fromhex("42010101600000030090000003000003003ca00a080c1f3e595952930bc05a020000030002000003003210"),
    bytes.fromhex("4401c073c189"),
]

ASC = b"\x12\x10"
"AAC-LC, 44.1 kHz, stereo."

OPUS_HEAD = b"OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0"

MP3_FRAME = b"\xff\xfb\x90\x64"
AC3_FRAME = b"\x0b\x77\0\0"


def prefixed(nalus: Iterable[bytes], size: int = 4) -> bytes:
    return b"".join(len(nalu).to_bytes(size, "big") + nalu for nalu in nalus)


def avc(nalus: Iterable[bytes], *, key: bool = False, cts: int = 0, size: int = 4) -> bytes:
    return (b"\x17" if key else b"\x27") + b"\1" + (cts % 2**24).to_bytes(3, "big") + prefixed(nalus, size)


def hevc(nalus: Iterable[bytes], *, key: bool = False, cts: int = 0) -> bytes:
    return (b"\x91" if key else b"\xa1") + b"hvc1" + (cts % 2**24).to_bytes(3, "big") + prefixed(nalus)


AVC_HEAD = Tag(VIDEO, 0, b"\x17\0\0\0\0" + AVC_CONFIG)
HEVC_HEAD = Tag(VIDEO, 0, b"\x90hvc1" + HEVC_CONFIG)
IDR_TAG = Tag(VIDEO, 0, avc([b"\x65idr"], key=True))
AAC_HEAD = Tag(AUDIO, 0, b"\xaf\0" + ASC)
OPUS_HEAD_TAG = Tag(AUDIO, 0, b"\x90Opus" + OPUS_HEAD)


def aac(frame: bytes) -> bytes:
    return b"\xaf\1" + frame


def flv(tags: Iterable[Tag]) -> bytes:
    return b"FLV\1\5\0\0\0\x09\0\0\0\0" + b"".join(map(write_tag, tags))


def expected_units(nalus: list[bytes], *, key: bool, codec: str = "H264") -> list[bytes]:
    """The units of an access unit in TS: with a delimiter, and with parameter sets before a sequence start."""
    heavy = codec == "HEVC"
    kinds = [nalu[0] >> 1 & 63 if heavy else nalu[0] & 31 for nalu in nalus]
    wanted = {32, 33, 34} if heavy else {7, 8}
    starts = key or any(16 <= kind <= 23 if heavy else kind == 5 for kind in kinds)
    sets = (HEVC_SETS if heavy else [SPS, PPS]) if starts and not wanted <= set(kinds) else []
    if kinds[0] == (35 if heavy else 9):
        return [nalus[0], *sets, *nalus[1:]]
    return [b"\x46\1\x50" if heavy else b"\x09\xf0", *sets, *nalus]


class Shown(NamedTuple):
    """One picture, or the audio frames of one PES."""

    pts_ms: float
    dts_ms: float
    units: list[bytes]


def pictures(reader: ts.Reader, start: int = 0) -> list[Shown]:
    """Video access units, with their times in the stream; *start* is near to those, 33 bits wrap."""
    return [shown(pes, ts.units(pes.data), start) for pes in reader.pes if pes.pid == 0x100]


def sounds(reader: ts.Reader, start: int = 0) -> list[Shown]:
    """Audio frames; those of codecs without a frame of their own in TS stay together."""
    found = []
    for pes in reader.pes:
        if pes.pid == 0x101:
            frames = [pes.data]
            if pes.type == 0x0F:
                frames = [one.frame for one in ts.read_adts(pes.data)]
            elif pes.type == 0x06:
                frames = ts.read_opus(pes.data)
            found.append(shown(pes, frames, start))
    return found


def shown(pes: ts.Pes, frames: list[bytes], start: int) -> Shown:
    base = (limits.TS_BASE_MS + start) * 90
    return Shown(start + ts.ahead(pes.pts, base) / 90, start + ts.ahead(pes.dts, base) / 90, frames)
