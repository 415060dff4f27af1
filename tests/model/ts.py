"""MPEG-TS as a slow reader that forgives nothing, and what is inside: start codes, ADTS, Opus access units.

Specs: ISO 13818-1, 2.4 and 2.7; annex A for the CRC; ISO 14496-3, 1.A.2.2; Opus in MPEG-2 TS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

PACKET = 188
WRAP = 2**33
PCR_GAP_MS = 100
TABLES_GAP_MS = 500


class Broken(Exception):
    """The bytes are not what they should be."""


def must(good: bool, complaint: str) -> None:
    if not good:
        raise Broken(complaint)


@cache
def crc(data: bytes) -> int:
    """CRC-32/MPEG-2, bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            top = value >> 31 ^ (byte >> bit & 1)
            value = (value << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if top else 0)
    return value


class Packet(NamedTuple):
    pid: int
    start: bool
    counter: int
    payload: bytes
    has_payload: bool
    pcr: int | None
    "90 kHz, 33 bits."
    random_access: bool
    discontinuity: bool


def read_packet(data: bytes) -> Packet:
    must(len(data) == PACKET and data[0] == 0x47, f"no packet: {data[:8].hex()}")
    must(data[1] & 0x80 == 0 and data[3] & 0xC0 == 0, "an error or scrambling is signalled")
    control = data[3] >> 4 & 3
    must(control != 0, "neither adaptation field nor payload")
    at, pcr, random_access, discontinuity = 4, None, False, False
    if control & 2:
        length = data[4]
        must(length <= 182 if control & 1 else length == 183, f"an adaptation field of {length} bytes")
        at = 5 + length
        if length:
            flags = data[5]
            must(flags & 0x2F == 0, f"adaptation flags {flags:#x}")
            random_access, discontinuity = bool(flags & 0x40), bool(flags & 0x80)
            rest = data[6:at]
            if flags & 0x10:
                must(len(rest) >= 6 and rest[4] & 0x7E == 0x7E, "a broken PCR")
                must((rest[4] & 1) << 8 | rest[5] == 0, "a PCR between two ticks")
                pcr = int.from_bytes(rest[:4], "big") << 1 | rest[4] >> 7
                rest = rest[6:]
            must(rest.count(0xFF) == len(rest), "stuffing that is not 0xFF")
    pid = (data[1] & 0x1F) << 8 | data[2]
    return Packet(
        pid,
        bool(data[1] & 0x40),
        data[3] & 15,
        data[at:],
        bool(control & 1),
        pcr,
        random_access,
        discontinuity,
    )


def read_packets(data: bytes) -> list[Packet]:
    must(len(data) % PACKET == 0, f"{len(data)} bytes are no whole packets")
    return [read_packet(data[i : i + PACKET]) for i in range(0, len(data), PACKET)]


def read_section(payload: bytes, table: int) -> bytes:
    """Return a section that lies in one packet, from its ID to before its CRC."""
    must(payload[0] == 0 and payload[1] == table, "no such table")
    must(payload[2] & 0xFC == 0xB0, f"section head {payload[2]:#x}")
    size = 3 + ((payload[2] & 3) << 8 | payload[3])
    section, rest = payload[1 : 1 + size], payload[1 + size :]
    must(len(section) == size and rest.count(0xFF) == len(rest), "a section that does not end in its packet")
    must(crc(section) == 0, "a wrong CRC")
    must(section[5] & 0xC1 == 0xC1 and section[6] == section[7] == 0, "not current, or not alone")
    return section[:-4]


class Stream(NamedTuple):
    type: int
    descriptors: bytes


class Pmt(NamedTuple):
    version: int
    pcr_pid: int
    streams: dict[int, Stream]


def read_pmt(section: bytes) -> Pmt:
    must(section[8] & 0xE0 == 0xE0 and section[10] & 0xFC == 0xF0, "reserved bits of the PMT")
    pcr_pid = int.from_bytes(section[8:10], "big") & 0x1FFF
    at = 12 + (int.from_bytes(section[10:12], "big") & 0x3FF)
    streams = {}
    while at < len(section):
        must(section[at + 1] & 0xE0 == 0xE0 and section[at + 3] & 0xFC == 0xF0, "reserved bits of a stream")
        pid = int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF
        size = int.from_bytes(section[at + 3 : at + 5], "big") & 0x3FF
        streams[pid] = Stream(section[at], section[at + 5 : at + 5 + size])
        at += 5 + size
    must(at == len(section), "the PMT ends in a stream")
    return Pmt(section[5] >> 1 & 31, pcr_pid, streams)


class Pes(NamedTuple):
    pid: int
    stream_id: int
    pts: int
    "90 kHz, 33 bits."
    dts: int
    data: bytes
    random_access: bool
    type: int
    "Stream type, of the PMT before it."
    packet: int
    "Index of its first packet."
    lead: int | None
    "Ticks from the newest PCR to its DTS; None before the first PCR."


def read_stamp(data: bytes, mark: int) -> int:
    must(data[0] >> 4 == mark and data[0] & data[2] & data[4] & 1 == 1, f"a broken time stamp {data.hex()}")
    return (data[0] >> 1 & 7) << 30 | data[1] << 22 | data[2] >> 1 << 15 | data[3] << 7 | data[4] >> 1


def read_pes(data: bytes) -> tuple[int, int, int, bytes]:
    """Return stream ID, PTS, DTS and data of one whole PES."""
    must(data[:3] == b"\0\0\1", f"no PES: {data[:6].hex()}")
    stream_id, length = data[3], int.from_bytes(data[4:6], "big")
    if length:
        must(length == len(data) - 6, f"a PES of {len(data) - 6} bytes says {length}")
    else:
        must(stream_id == 0xE0 and len(data) - 6 > 65535, "a PES without a length")
    must(data[6] == 0x84, "PES flags")
    must(data[7] in (0x80, 0xC0), "a PES without time, or with more than that")
    both = data[7] == 0xC0
    must(data[8] == (10 if both else 5), f"a PES header of {data[8]} bytes")
    pts = read_stamp(data[9:14], 3 if both else 2)
    dts = read_stamp(data[14:19], 1) if both else pts
    must(not both or pts != dts, "a DTS that says nothing")
    return stream_id, pts, dts, data[9 + data[8] :]


def ahead(later: int, earlier: int) -> int:
    """Ticks from one 33-bit time to another, either way."""
    return (later - earlier + WRAP // 2) % WRAP - WRAP // 2


@dataclass
class Reader:
    """What was found in a stream of packets. `read` may be called with any number of whole packets."""

    counters: dict[int, int] = field(default_factory=dict)
    pmts: list[Pmt] = field(default_factory=list)
    pes: list[Pes] = field(default_factory=list)
    pcrs: list[int] = field(default_factory=list)
    restarts: int = 0
    jumps: int = 0
    "Places where what was before does not go on, on all PIDs."
    bridges: int = 0
    "Places where pictures were left out: packets for a jump on some PIDs only."
    _jumped: bool = False
    _bridged: bool = False
    _parts: dict[int, list] = field(default_factory=dict)
    _index: int = 0
    _tables_at: int | None = None
    _has_pat: bool = False

    def read(self, data: bytes) -> Reader:
        for packet in read_packets(data):
            self._take(packet)
            self._index += 1
        return self

    def end(self) -> Reader:
        for pid in list(self._parts):
            self._finish(pid)
        return self

    def _take(self, packet: Packet) -> None:
        last = self.counters.get(packet.pid)
        if packet.discontinuity and not packet.has_payload and packet.pcr is None:
            # 2.4.3.5: from here on its counter, and the clock on its PID, are others.
            self.counters[packet.pid] = packet.counter
            if packet.pid == 0:
                self.jumps += 1
                self.restarts += 1
                self._jumped = True
            elif packet.pid == 0x100 and not self._jumped:
                self.bridges += 1
                self._bridged = True
            return
        if last is not None:
            must(
                packet.counter == (last + packet.has_payload) % 16,
                f"PID {packet.pid:#x} counts {packet.counter} after {last} (packet {self._index})",
            )
        self.counters[packet.pid] = packet.counter
        if packet.pid == 0:
            section = read_section(packet.payload, 0)
            must(section[8:] == b"\0\1\xf0\0", f"PAT {section.hex()}")
            self._has_pat = True
        elif packet.pid == 0x1000:
            must(self._has_pat, "a PMT before a PAT")
            self._take_pmt(read_pmt(read_section(packet.payload, 2)))
        else:
            self._take_media(packet)

    def _take_pmt(self, pmt: Pmt) -> None:
        if self.pmts:
            old = self.pmts[-1]
            same = old._replace(version=pmt.version) == pmt
            must((old.version == pmt.version) == same, "a PMT changed without a version, or the reverse")
            must(same or self._jumped or pmt.version == (old.version + 1) % 32, "a version is left out")
        self.pmts.append(pmt)
        self._tables_at = self.pcrs[-1] if self.pcrs else None

    def _take_media(self, packet: Packet) -> None:
        must(bool(self.pmts), "media before a PMT")
        pmt = self.pmts[-1]
        if packet.pcr is not None:
            must(packet.pid == pmt.pcr_pid, "a PCR on another PID")
            self._take_pcr(packet)
        must(packet.has_payload or packet.pcr is not None, "a packet with nothing")
        if not packet.has_payload:
            return
        must(packet.pid in pmt.streams, f"PID {packet.pid:#x} is not in the PMT")
        if packet.start:
            self._finish(packet.pid)
            pcr = self.pcrs[-1] if self.pcrs else None
            self._parts[packet.pid] = [self._index, packet.random_access, pmt.streams[packet.pid].type, pcr]
        else:
            must(packet.pid in self._parts, "the middle of a PES without its start")
            must(not packet.random_access, "random access in the middle of a PES")
        self._parts[packet.pid].append(packet.payload)

    def _take_pcr(self, packet: Packet) -> None:
        if self.pcrs and not packet.discontinuity and not self._jumped:
            gap = ahead(packet.pcr, self.pcrs[-1])
            must(
                gap > 0 and (self._bridged or gap <= PCR_GAP_MS * 90),
                f"{gap} ticks between two PCRs (packet {self._index})",
            )
        if packet.discontinuity or self._jumped:
            self.restarts += 0 if self._jumped else 1
            self._jumped = False
            self._tables_at = None
        self._bridged = False
        self.pcrs.append(packet.pcr)
        if self._tables_at is None:
            self._tables_at = packet.pcr
        gap = ahead(packet.pcr, self._tables_at)
        must(gap <= TABLES_GAP_MS * 90, f"no tables for {gap} ticks")

    def _finish(self, pid: int) -> None:
        if pid not in self._parts:
            return
        index, random_access, kind, pcr, *payloads = self._parts.pop(pid)
        stream_id, pts, dts, data = read_pes(b"".join(payloads))
        must(stream_id == {0x100: 0xE0}.get(pid, stream_id), "video with the stream ID of another kind")
        must(ahead(pts, dts) >= 0, "shown before it is decoded")
        for before in reversed(self.pes):
            if before.pid == pid:
                break
        else:
            before = None
        if before is not None and not self.restarts:
            gap = ahead(dts, before.dts)
            must(gap > 0 if pid == 0x100 else gap >= 0, f"PID {pid:#x} goes back by {-gap} ticks")
        lead = None if pcr is None else ahead(dts, pcr)
        self.pes.append(Pes(pid, stream_id, pts, dts, data, random_access, kind, index, lead))


def read_ts(data: bytes) -> Reader:
    """Read a whole stream."""
    return Reader().read(data).end()


# --- what is inside ---------------------------------------------------------------------------


def units(data: bytes) -> list[bytes]:
    """NAL units between 4-byte start codes."""
    must(data[:4] == b"\0\0\0\1", "no start code first")
    return data[4:].split(b"\0\0\0\1")


def from_lengths(data: bytes, size: int) -> list[bytes] | None:
    """NAL units behind lengths of *size* bytes, up to a wrong one; None without any."""
    found = []
    while len(data) >= size:
        length = int.from_bytes(data[:size], "big")
        if len(data) < size + length:
            break
        if length:
            found.append(data[size : size + length])
        data = data[size + length :]
    return found or None


class Adts(NamedTuple):
    object_type: int
    rate_index: int
    channel_config: int
    frame: bytes


def read_adts(data: bytes) -> list[Adts]:
    """Frames with headers, one behind the other."""
    found = []
    while data:
        must(data[:2] == b"\xff\xf1", f"no ADTS header: {data[:7].hex()}")
        bits = int.from_bytes(data[:7], "big")
        size = bits >> 13 & 0x1FFF
        must(7 < size <= len(data), f"an ADTS frame of {size} bytes, {len(data)} are left")
        must(bits & 0x1FFF == 0x7FF << 2, "fullness or blocks")
        must(bits >> 26 & 15 == 0 and bits >> 33 & 1 == 0, "private or copyright bits")
        found.append(Adts((bits >> 38 & 3) + 1, bits >> 34 & 15, bits >> 30 & 7, data[7:size]))
        data = data[size:]
    return found


def read_opus(data: bytes) -> list[bytes]:
    """Access units behind control headers without trimming."""
    found = []
    while data:
        must(data[:2] == b"\x7f\xe0", f"no Opus control header: {data[:4].hex()}")
        at, size = 2, 0
        while data[at] == 255:
            size, at = size + 255, at + 1
        size, at = size + data[at], at + 1
        must(at + size <= len(data), "an Opus access unit that is cut")
        found.append(data[at : at + size])
        data = data[at + size :]
    return found
