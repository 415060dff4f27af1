"""What MPEG-TS carries: codecs and how they are told, NAL units, and what is left out."""

from __future__ import annotations

import pytest
from model import ts
from model.flv import AUDIO, VIDEO, Tag
from model.remuxed import (
    AAC_HEAD,
    AC3_FRAME,
    AVC_CONFIG,
    AVC_HEAD,
    HEVC_CONFIG,
    HEVC_HEAD,
    MP3_FRAME,
    OPUS_HEAD,
    OPUS_HEAD_TAG,
    PPS,
    SPS,
    avc,
    expected_units,
    hevc,
    pictures,
    prefixed,
    sounds,
)
from model.tsfeed import IDR, SLICE, Bench, announced, audio, enhanced, tables, video

# --- codecs -----------------------------------------------------------------------------------

VIDEO_CODECS = {
    "AVC": ([AVC_HEAD], video(0, key=True), (0x1B, b"")),
    "avc1": (
        [enhanced(VIDEO, b"avc1", 0, AVC_CONFIG)],
        enhanced(VIDEO, b"avc1", 1, b"\0\0\0" + prefixed([IDR])),
        (0x1B, b""),
    ),
    "avc1 without offsets": (
        [enhanced(VIDEO, b"avc1", 0, AVC_CONFIG)],
        enhanced(VIDEO, b"avc1", 3, prefixed([IDR])),
        (0x1B, b""),
    ),
    "hvc1": ([HEVC_HEAD], Tag(VIDEO, 0, hevc([b"\x26\1idr"], key=True)), (0x24, b"\x05\x04HEVC")),
    "HEVC of 12": (
        [Tag(VIDEO, 0, b"\x1c\0\0\0\0" + HEVC_CONFIG)],
        Tag(VIDEO, 0, b"\x1c\1\0\0\0" + prefixed([b"\x26\1idr"])),
        (0x24, b"\x05\x04HEVC"),
    ),
}
OPUS_DESCRIPTORS = b"\x05\x04Opus\x7f\x02\x80"
AUDIO_CODECS = {
    "AAC": ([AAC_HEAD], audio(0), (0x0F, b"")),
    "mp4a": ([enhanced(AUDIO, b"mp4a", 0, b"\x12\x10")], enhanced(AUDIO, b"mp4a", 1, b"sound"), (0x0F, b"")),
    "MP3": ([], Tag(AUDIO, 0, b"\x2f" + MP3_FRAME), (0x03, b"")),
    "MP3 at 22 kHz": ([], Tag(AUDIO, 0, b"\x2b\xff\xf3\x90\x64"), (0x04, b"")),
    "MP3 at 8 kHz": ([], Tag(AUDIO, 0, b"\xe2\xff\xe3\x98\xc4"), (0x04, b"")),
    ".mp3": ([], enhanced(AUDIO, b".mp3", 1, MP3_FRAME), (0x03, b"")),
    "ac-3": ([], enhanced(AUDIO, b"ac-3", 1, AC3_FRAME), (0x81, b"\x05\x04AC-3")),
    "ec-3": ([], enhanced(AUDIO, b"ec-3", 1, AC3_FRAME), (0x87, b"\x05\x04EAC3")),
    "Opus": ([OPUS_HEAD_TAG], enhanced(AUDIO, b"Opus", 1, b"sound"), (0x06, OPUS_DESCRIPTORS + b"\2")),
    "mono Opus": (
        [enhanced(AUDIO, b"Opus", 0, OPUS_HEAD[:9] + b"\1" + OPUS_HEAD[10:])],
        enhanced(AUDIO, b"Opus", 1, b"sound"),
        (0x06, OPUS_DESCRIPTORS + b"\1"),
    ),
    "Opus without a header": ([], enhanced(AUDIO, b"Opus", 1, b"sound"), (0x06, OPUS_DESCRIPTORS + b"\2")),
    "5.1 Opus": (
        [enhanced(AUDIO, b"Opus", 0, OPUS_HEAD[:9] + b"\6" + OPUS_HEAD[10:18] + b"\1\4\2\0\4\1\2\3\5")],
        enhanced(AUDIO, b"Opus", 1, b"sound"),
        (0x06, OPUS_DESCRIPTORS + b"\6"),
    ),
}


@pytest.mark.parametrize(("heads", "frame", "stream"), VIDEO_CODECS.values(), ids=VIDEO_CODECS)
def test_video_is_told_in_the_pmt_and_carried(heads, frame, stream):
    bench = Bench().put(*heads, frame)
    reader = bench.read()
    assert reader.pmts == [ts.Pmt(0, 0x100, {0x100: ts.Stream(*stream)})]
    nalu, codec = (IDR, "H264") if stream[0] == 0x1B else (b"\x26\1idr", "HEVC")
    assert [one.units for one in pictures(reader)] == [expected_units([nalu], key=True, codec=codec)]
    assert announced(bench.mux) == [(0x100, stream[0])]
    assert bench.mux.skipped == 0


@pytest.mark.parametrize(("heads", "frame", "stream"), AUDIO_CODECS.values(), ids=AUDIO_CODECS)
def test_audio_is_told_in_the_pmt_and_carried(heads, frame, stream):
    bench = Bench().put(*heads, frame)
    reader = bench.read()
    assert reader.pmts == [ts.Pmt(0, 0x101, {0x101: ts.Stream(*stream)})]
    data = frame.body[5:] if frame.body[0] >> 4 == 9 else frame.body[2 if stream[0] == 0x0F else 1 :]
    assert [one.units for one in sounds(reader)] == [[data]]
    assert {pes.stream_id for pes in reader.pes} == {0xC0 if stream[0] in (3, 4, 0x0F) else 0xBD}
    assert announced(bench.mux) == [(0x101, stream[0])]
    assert bench.mux.skipped == 0


REFUSED = {
    "VP9": [enhanced(VIDEO, b"vp09", 0, bytes(8)), enhanced(VIDEO, b"vp09", 1, b"x")],
    "AV1": [enhanced(VIDEO, b"av01", 0, b"\x81\0\0\0"), enhanced(VIDEO, b"av01", 1, b"x")],
    "H.263": [Tag(VIDEO, 0, b"\x12x")],
    "AVC without a header": [video(0, key=True)],
    "AVC with a broken header": [Tag(VIDEO, 0, b"\x17\0\0\0\0\2"), video(0, key=True)],
    "HEVC with the header of AVC": [AVC_HEAD, Tag(VIDEO, 0, hevc([b"\x26\1"], key=True))],
    "FLAC": [enhanced(AUDIO, b"fLaC", 0, bytes(34)), enhanced(AUDIO, b"fLaC", 1, b"x")],
    "G.711": [Tag(AUDIO, 0, b"\x72" + bytes(80))],
    "Speex": [Tag(AUDIO, 0, b"\xb2" + bytes(80))],
    "PCM": [Tag(AUDIO, 0, b"\x3e" + bytes(80))],
    "AAC without a header": [audio(0)],
    "AAC-ELD": [Tag(AUDIO, 0, b"\xaf\0\xf8\xe8\x50\0"), audio(0)],
    "AAC at a rate of its own": [Tag(AUDIO, 0, b"\xaf\0\x17\x80\x13\x88\x10"), audio(0)],
    "AAC with channels in band": [Tag(AUDIO, 0, b"\xaf\0\x12\x00"), audio(0)],
    "AAC frame too long": [AAC_HEAD, audio(0, bytes(8185))],
    "AAC frame of nothing": [AAC_HEAD, audio(0, b"")],
    "MP3 without sync": [Tag(AUDIO, 0, b"\x2fID3\x04")],
    "MP3 cut short": [Tag(AUDIO, 0, b"\x2f\xff\xfb")],
    "AC-3 without sync": [enhanced(AUDIO, b"ac-3", 1, b"\x77\x0b\0\0")],
    "Opus with a layout of its own": [
        enhanced(AUDIO, b"Opus", 0, OPUS_HEAD[:9] + b"\3" + OPUS_HEAD[10:18] + b"\xff\3\0\0\1\2")
    ],
    "more than a PES holds": [Tag(AUDIO, 0, b"\x2f" + MP3_FRAME + bytes(65_530))],
}


@pytest.mark.parametrize("tags", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_carried_is_counted_and_leaves_no_trace(tags):
    bench = Bench().put(*tags)
    assert bench.mux.skipped >= 1
    assert bench.bytes() == b""
    bench.put(*([AVC_HEAD, video(10, key=True)] if tags[0].kind == VIDEO else [AAC_HEAD, audio(10)]))
    reader = bench.read()
    assert tables(reader) == [{0x100: 0x1B} if tags[0].kind == VIDEO else {0x101: 0x0F}]
    assert len(reader.pes) == 1


def test_he_aac_is_carried_as_its_core():
    # Explicit SBR: core 24 kHz stereo, output 48 kHz (ISO 14496-3, 1.6.5).
    bench = Bench().put(Tag(AUDIO, 0, b"\xaf\0\x2b\x11\x88\x00"), audio(0))
    (frame,) = ts.read_adts(bench.read().pes[0].data)
    assert frame == ts.Adts(2, 6, 2, b"sound")


@pytest.mark.parametrize("size", [1, 253, 254, 255, 256, 509, 510, 511, 65_000])
def test_opus_units_of_any_size_are_read_back(size):
    frame = bytes([size % 251]) * size
    bench = Bench().put(
        OPUS_HEAD_TAG, enhanced(AUDIO, b"Opus", 1, frame), enhanced(AUDIO, b"Opus", 1, b"next")
    )
    bench.source.end()
    assert [unit for one in sounds(bench.read()) for unit in one.units] == [frame, b"next"]


def test_only_the_default_track_is_carried():
    first = b"\x96\x10avc1" + b"\1\0\0\2zz" + b"\0" + len(AVC_CONFIG).to_bytes(3, "big") + AVC_CONFIG
    nalus = b"\0\0\0" + prefixed([IDR])
    both = b"\x96\x11avc1" + b"\1\0\0\3zzz" + b"\0" + len(nalus).to_bytes(3, "big") + nalus
    bench = Bench().put(Tag(VIDEO, 0, first), Tag(VIDEO, 0, both), Tag(VIDEO, 40, b"\x96\x01avc1\5" + nalus))
    assert [one.units for one in pictures(bench.read())] == [expected_units([IDR], key=True)]
    assert bench.mux.skipped == 1


# --- NAL units --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_lengths_of_any_size_become_start_codes(size):
    head = Tag(VIDEO, 0, b"\x17\0\0\0\0" + AVC_CONFIG[:4] + bytes([0xFC | size - 1]) + AVC_CONFIG[5:])
    bench = Bench().put(head, Tag(VIDEO, 0, avc([IDR, SLICE], key=True, size=size)))
    assert [one.units for one in pictures(bench.read())] == [expected_units([IDR, SLICE], key=True)]


def test_a_delimiter_and_parameter_sets_in_band_are_not_doubled():
    nalus = [b"\x09\xf0", SPS, PPS, IDR]
    bench = Bench().put(AVC_HEAD, video(0, *nalus, key=True))
    assert pictures(bench.read())[0].units == nalus


def test_parameter_sets_stand_behind_a_delimiter_in_band():
    bench = Bench().put(AVC_HEAD, video(0, b"\x09\x10", IDR, key=True))
    assert pictures(bench.read())[0].units == [b"\x09\x10", SPS, PPS, IDR]


def test_a_keyframe_without_idr_gets_parameter_sets_too():
    bench = Bench().put(AVC_HEAD, video(0, b"\x06recovery", b"\x41i", key=True), video(40))
    assert [len(one.units) for one in pictures(bench.read())] == [5, 2]


def test_an_idr_that_is_not_marked_as_a_keyframe_gets_parameter_sets():
    bench = Bench().put(AVC_HEAD, video(0, IDR))
    assert pictures(bench.read())[0].units == [b"\x09\xf0", SPS, PPS, IDR]
    assert bench.log.key_pos == -1


def test_a_frame_with_wrong_lengths_is_left_out_and_the_next_is_not():
    bench = Bench().put(AVC_HEAD, video(0, key=True))
    bench.put(Tag(VIDEO, 40, b"\x27\1\0\0\0\0\0\0\x09abc"), Tag(VIDEO, 60, b"\x27\1\0\0\0"), video(80))
    assert bench.mux.skipped == 2
    assert [one.dts_ms for one in pictures(bench.read())] == [0, 80]


@pytest.mark.parametrize("tail", [b"x", b"\0\0\0\x09abc"])
def test_the_units_before_a_broken_end_are_carried(tail):
    bench = Bench().put(AVC_HEAD, Tag(VIDEO, 0, avc([IDR, SLICE], key=True) + tail))
    assert pictures(bench.read())[0].units == expected_units([IDR, SLICE], key=True)


def test_a_picture_of_megabytes_is_carried_whole():
    big = b"\x65" + bytes(range(1, 256)) * 12_000
    bench = Bench().put(AVC_HEAD, video(0, big, key=True), video(40))
    assert [one.units[-1] for one in pictures(bench.read())] == [big, SLICE]
