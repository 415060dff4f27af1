"""A PES in packets, read back by the model, whatever its size and the pieces it is put in."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from model.ts import WRAP, read_packet, read_packets, read_pes

from fastflv._ext.ts.packet import packets, pcr_packet

TIMES = st.one_of(st.integers(0, WRAP), st.integers(-(2**40), 2**40))


def put_together(data: bytes) -> bytes:
    return b"".join(packet.payload for packet in read_packets(data))


@given(
    st.binary(max_size=2000),
    st.integers(0, 0x1FFF),
    st.integers(0, 15),
    TIMES,
    st.sampled_from([0, 1, 3600]),
    st.one_of(st.none(), TIMES),
    st.booleans(),
    st.lists(st.integers(0, 2000), max_size=8).map(sorted),
)
@example(b"", 0x100, 15, WRAP - 1, 1, WRAP - 1, True, [])
def test_a_pes_is_read_back(payload, pid, counter, dts, offset, pcr, random_access, cuts):
    data = packets(
        payload,
        pid=pid,
        stream_id=0xE0,
        pts=dts + offset,
        dts=dts,
        counter=counter,
        pcr=pcr,
        random_access=random_access,
        cuts=tuple(cuts),
    )
    found = read_packets(data)
    assert [packet.counter for packet in found] == [(counter + i) % 16 for i in range(len(found))]
    assert {packet.pid for packet in found} == {pid}
    assert [packet.start for packet in found] == [True] + [False] * (len(found) - 1)
    assert [packet.random_access for packet in found] == [random_access] + [False] * (len(found) - 1)
    assert [packet.pcr for packet in found[1:]] == [None] * (len(found) - 1)
    assert found[0].pcr == (None if pcr is None else pcr % WRAP)
    assert read_pes(put_together(data)) == (0xE0, (dts + offset) % WRAP, dts % WRAP, payload)


@pytest.mark.parametrize("field", ["", "random", "pcr"])
def test_every_size_around_a_packet_is_stuffed_right(field):
    for size in range(600):
        payload = bytes([1 + size % 255]) * size
        data = packets(
            payload,
            pid=0x101,
            stream_id=0xC0,
            pts=90_000,
            dts=90_000,
            pcr=1 if field == "pcr" else None,
            random_access=field == "random",
        )
        assert read_pes(put_together(data))[3] == payload
        overhead = 14 + {"": 0, "random": 2, "pcr": 8}[field]
        assert len(data) == 188 * -(-(size + overhead) // 184)


@pytest.mark.parametrize(("size", "length"), [(65527, 65535), (65528, 0), (3_000_000, 0)])
def test_only_a_picture_that_is_too_long_has_no_length(size, length):
    data = packets(bytes(size), pid=0x100, stream_id=0xE0, pts=5, dts=5)
    whole = put_together(data)
    assert int.from_bytes(whole[4:6], "big") == length
    assert read_pes(whole)[3] == bytes(size)


@given(st.integers(0, 0x1FFF), st.integers(0, 15), TIMES, st.booleans())
def test_a_packet_of_a_pcr_alone_has_no_payload_and_counts_nothing(pid, counter, pcr, restarts):
    packet = read_packet(pcr_packet(pid, counter, pcr, restarts=restarts))
    assert (packet.pid, packet.counter, packet.pcr) == (pid, counter, pcr % WRAP)
    assert not packet.has_payload
    assert packet.discontinuity == restarts


def test_a_restart_of_the_clock_is_told_with_its_pcr():
    data = packets(b"x", pid=0x100, stream_id=0xE0, pts=5, dts=5, pcr=3, restarts=True)
    assert read_packet(data).discontinuity


@pytest.mark.parametrize("wrong", [{"pid": 0x2000}, {"counter": 16}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="out of range"):
        packets(b"", **{"pid": 1, "stream_id": 0xE0, "pts": 0, "dts": 0, **wrong})
    with pytest.raises(ValueError, match="out of range"):
        pcr_packet(**{"pid": 1, "counter": 1, "pcr": 0, **wrong})
