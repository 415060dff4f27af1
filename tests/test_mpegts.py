"""What muxers are told of sequence headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.remuxed import ASC, AVC_CONFIG, HEVC_CONFIG, HEVC_SETS, OPUS_HEAD, PPS, SPS

from fastflv import limits
from fastflv.containers.mpegts import Setup, describe

CODE = b"\0\0\0\1"


def four(name: bytes) -> int:
    return int.from_bytes(name, "big")


OPUS_SIX = OPUS_HEAD[:9] + b"\6" + OPUS_HEAD[10:18] + b"\1\4\2\0\4\1\2\3\5"
CASES = {
    "AVC": (9, 7, AVC_CONFIG, Setup(length_size=4, sets=CODE + SPS + CODE + PPS)),
    "avc1": (9, four(b"avc1"), AVC_CONFIG, Setup(length_size=4, sets=CODE + SPS + CODE + PPS)),
    "HEVC": (9, 12, HEVC_CONFIG, Setup(length_size=4, sets=b"".join(CODE + nalu for nalu in HEVC_SETS))),
    "hvc1": (9, four(b"hvc1"), HEVC_CONFIG, Setup(length_size=4, sets=b"".join(CODE + n for n in HEVC_SETS))),
    "AVC without sets": (9, 7, b"\1\x42\xc0\x0c\xfd\xe0\0", Setup(length_size=2)),
    "AAC": (8, 10, ASC, Setup(object_type=2, rate_index=4, channels=2)),
    "mp4a": (8, four(b"mp4a"), ASC, Setup(object_type=2, rate_index=4, channels=2)),
    "AAC Main": (8, 10, b"\x0a\x10", Setup(object_type=1, rate_index=4, channels=2)),
    "AAC of 7 channels and more": (8, 10, b"\x11\xb8", Setup(object_type=2, rate_index=3, channels=7)),
    "HE-AAC": (8, 10, b"\x2b\x11\x88\x00", Setup(object_type=2, rate_index=6, channels=2)),
    "HE-AAC v2": (8, 10, b"\xeb\x09\x88\x00", Setup(object_type=2, rate_index=6, channels=1)),
    "HE-AAC, announced behind": (
        8,
        10,
        b"\x13\x10\x56\xe5\x98",
        Setup(object_type=2, rate_index=6, channels=2),
    ),
    "44.1 kHz in 24 bits": (8, 10, b"\x17\x80\x56\x22\x10", Setup(object_type=2, rate_index=4, channels=2)),
    "Opus": (8, four(b"Opus"), OPUS_HEAD, Setup(channels=2)),
    "Opus without a head": (8, four(b"Opus"), b"", Setup(channels=2)),
    "Opus 5.1": (8, four(b"Opus"), OPUS_SIX, Setup(channels=6)),
    "MP3": (8, four(b".mp3"), b"", Setup()),
    "AC-3": (8, four(b"ac-3"), b"", Setup()),
    "E-AC-3": (8, four(b"ec-3"), b"", Setup()),
}
REFUSED = {
    "AV1": (9, four(b"av01"), b"\x81\0\0\0"),
    "VP9": (9, four(b"vp09"), bytes(8)),
    "VVC": (9, four(b"vvc1"), bytes(40)),
    "FLAC": (8, four(b"fLaC"), bytes(34)),
    "Speex": (8, 11, b""),
    "nothing known": (9, 0, b""),
    "broken AVC": (9, 7, b"\1"),
    "broken HEVC": (9, 12, HEVC_CONFIG[:40]),
    "broken AAC": (8, 10, b"\x12"),
    "AAC-LD": (8, 10, b"\xb9\x90"),
    "xHE-AAC": (8, 10, b"\xf9\x46\x40\0"),
    "AAC at a rate without an index": (8, 10, b"\x17\x80\x13\x88\x10"),
    "AAC with channels in band": (8, 10, b"\x12\0"),
    "AAC of 6.1 channels": (8, 10, b"\x12\x58"),
    "broken Opus": (8, four(b"Opus"), b"OpusHead"),
    "Opus without layout": (8, four(b"Opus"), OPUS_HEAD[:9] + b"\3" + OPUS_HEAD[10:]),
    "Opus with a layout of its own": (8, four(b"Opus"), OPUS_SIX[:-1] + b"\4"),
    "Opus of family 255": (8, four(b"Opus"), OPUS_SIX[:18] + b"\xff" + OPUS_SIX[19:]),
}


@pytest.mark.parametrize(("kind", "codec", "record", "setup"), CASES.values(), ids=CASES)
def test_what_muxers_need_is_read(kind, codec, record, setup):
    assert describe(kind, codec, record) == setup


@pytest.mark.parametrize(("kind", "codec", "record"), REFUSED.values(), ids=REFUSED)
def test_what_ts_cannot_say_is_refused(kind, codec, record):
    assert describe(kind, codec, record) is None


def test_parameter_sets_that_are_too_large_are_not_carried():
    room = limits.TS_SETS_BYTES_MAX - 2 * len(CODE) - len(SPS)
    for pps, taken in ((PPS.ljust(room, b"x"), True), (PPS.ljust(room + 1, b"x"), False)):
        record = AVC_CONFIG.replace(len(PPS).to_bytes(2, "big") + PPS, len(pps).to_bytes(2, "big") + pps)
        setup = describe(9, 7, record)
        assert (setup is not None) == taken
        assert setup is None or setup.sets == CODE + SPS + CODE + pps


@given(
    st.sampled_from([8, 9]),
    st.sampled_from([7, 10, 12, *map(four, (b"avc1", b"hvc1", b"mp4a", b"Opus", b"ac-3", b"fLaC"))])
    | st.integers(0, 15),
    st.binary(max_size=60),
)
def test_whatever_the_record_there_is_an_answer(kind, codec, record):
    setup = describe(kind, codec, record)
    if setup is not None:
        assert setup.length_size in (0, 1, 2, 4)
        assert 0 <= setup.object_type <= 4
        assert 0 <= setup.rate_index <= 12
        assert 0 <= setup.channels <= 8
