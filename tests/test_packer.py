"""Segments of MPEG-TS: entries one behind the other, tables in front, counted through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastflv.containers.packer import TsPacker
from fastflv.media.codecs import AUDIO


def packet(pid: int, counter: int, start: bool = True) -> bytes:
    return bytes([0x47, (0x40 if start else 0) | pid >> 8, pid & 255, 0x10 | counter]) + bytes(184)


def tables(counter: int) -> bytes:
    return packet(0, counter) + packet(0x1000, counter)


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 15), st.integers(0, 15))
def test_a_segment_begins_with_tables_that_the_next_ones_follow(with_tables, counter, newest):
    packer = TsPacker(lambda: tables(newest))
    entries = []
    for number, has in enumerate(with_tables):
        media = packet(0x101, number & 15)
        entries.append(tables(counter) + media if has else media)
        counter = (counter + has) & 15
    for entry in entries:
        frame = packer.read(AUDIO, 0, 0, entry)
        assert frame is not None
        packer.add(AUDIO, 0, 0, frame)
    body, init = packer.finish(0)
    assert init == b""
    packets = [body[at : at + 188] for at in range(0, len(body), 188)]
    assert packets[0][:3] == b"\x47\x40\x00" and packets[1][:3] == b"\x47\x50\x00"
    for pid in (b"\x40\x00", b"\x50\x00"):
        counters = [p[3] & 15 for p in packets if p[1:3] == pid]
        assert counters == [(counters[0] + n) & 15 for n in range(len(counters))]
        assert len(counters) == sum(with_tables) + (not with_tables[0])
    assert [p for p in packets if p[2] == 1] == [entry[-188:] for entry in entries]
    # The next segment begins anew.
    packer.add(AUDIO, 0, 0, entries[0][-188:])
    assert packer.finish(0)[0] == tables(newest) + entries[0][-188:]


def test_a_packer_without_frames_makes_nothing():
    assert TsPacker(lambda: tables(0)).finish(0) == (b"", b"")
