"""MPEG-TS from tags: what goes in comes out, byte by byte, in packets that a strict reader takes."""

from __future__ import annotations

import gc
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model import ts
from model.flv import AUDIO, KEY, SCRIPT, VIDEO, Feed, Tag, write_tag
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
    aac,
    avc,
    expected_units,
    flv,
    hevc,
    pictures,
    prefixed,
    sounds,
)

from fastflv import limits
from fastflv._ext.cursor import Cursor
from fastflv._ext.intake import Intake
from fastflv._ext.medialog import MediaLog
from fastflv._ext.tsmux import TsMux
from fastflv.errors import FlvHeaderError
from fastflv.remux.mpegts import describe, mux

IDR, SLICE = b"\x65idr", b"\x41slice"
DISPOSABLE = 2


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


def shown_dts(packets: list[ts.Packet]) -> float:
    """Decode time of the PES in the packets of an entry, ms in the stream."""
    payload = b"".join(packet.payload for packet in packets if packet.pid in (0x100, 0x101))
    return ts.ahead(ts.read_pes(payload)[2], limits.TS_BASE_MS * 90) / 90


def tables(reader: ts.Reader) -> list[dict[int, int]]:
    """Stream types by PID of each PMT that differs from the one before."""
    shown: list[ts.Pmt] = []
    for pmt in reader.pmts:
        if not shown or shown[-1] != pmt:
            shown.append(pmt)
    return [{pid: stream.type for pid, stream in pmt.streams.items()} for pmt in shown]


# --- whatever comes ---------------------------------------------------------------------------

NALU = st.binary(min_size=1, max_size=300).map(lambda data: data.replace(b"\0", b"\1"))
COMMON = st.sampled_from([IDR, SLICE, b"\x09\xf0", SPS, PPS, b"\x06sei"])
PICTURES = st.tuples(
    st.just(VIDEO),
    st.lists(st.one_of(NALU, COMMON), min_size=1, max_size=4),
    st.booleans(),
    st.integers(0, 300),
)
SOUNDS = st.tuples(st.just(AUDIO), st.binary(min_size=1, max_size=500))
STEPS = st.sampled_from([0, 1, 20, 23, 40, 40, 67, 101, 200, 400, 1100, 4500, 6000])
ROWS = st.lists(st.tuples(STEPS, st.one_of(PICTURES, SOUNDS)), max_size=40)


def as_tags(rows, codec: str = "H264", start: int = 0) -> list[Tag]:
    tags, time = [], start
    for step, (kind, *more) in rows:
        time += step
        if kind == AUDIO:
            tags.append(audio(time, more[0]))
        elif codec == "H264":
            tags.append(Tag(VIDEO, time, avc(more[0], key=more[1], cts=more[2])))
        else:
            tags.append(Tag(VIDEO, time, hevc(more[0], key=more[1], cts=more[2])))
    return tags


def check(rows, reader: ts.Reader, codec: str = "H264", start: int = 0) -> None:
    """Every frame is there once, in order, at its time."""
    time, wanted, frames = start, [], []
    for step, (kind, *more) in rows:
        time += step
        if kind == AUDIO:
            frames.append((time, more[0]))
        else:
            wanted.append((time + more[2], time, expected_units(more[0], key=more[1], codec=codec)))
    got = pictures(reader, start)
    assert [picture.units for picture in got] == [units for _, _, units in wanted]
    last = None
    for picture, (pts, dts, _) in zip(got, wanted, strict=True):
        # Of several in one millisecond each is a tick later.
        expected = dts if last is None or dts > last else last + 1 / 90
        assert picture.dts_ms == pytest.approx(expected)
        assert picture.pts_ms == pytest.approx(max(pts, expected))
        last = picture.dts_ms
    heard = sounds(reader, start)
    assert [frame for one in heard for frame in one.units] == [frame for _, frame in frames]
    at = 0
    for one in heard:
        assert one.pts_ms == pytest.approx(frames[at][0])
        at += len(one.units)
        assert frames[at - 1][0] - one.pts_ms < limits.TS_AUDIO_MS


@settings(max_examples=120)
@given(ROWS, st.sampled_from(["H264", "HEVC"]), st.integers(0, 3) | st.integers(95_443_000, 95_444_000))
def test_every_frame_comes_out_once_in_order_and_at_its_time(rows, codec, start):
    head = AVC_HEAD if codec == "H264" else HEVC_HEAD
    bench = Bench().put(head, AAC_HEAD, *as_tags(rows, codec, start))
    bench.source.end()
    reader = bench.read()
    check(rows, reader, codec, start)
    assert bench.mux.skipped == 0
    assert bench.log.ended


@settings(max_examples=60)
@given(ROWS)
def test_what_comes_is_decoded_after_its_clock(rows):
    reader = Bench().put(AVC_HEAD, AAC_HEAD, *as_tags(rows)).read()
    for pes in reader.pes:
        if pes.lead is not None:
            assert pes.lead >= 0
    if all(step < 4500 for step, _ in rows) and sum(step for step, _ in rows) < 4500:
        assert reader.restarts == 0


@settings(max_examples=60)
@given(ROWS)
def test_each_entry_is_one_pes_and_a_place_to_start_begins_with_tables(rows):
    bench = Bench().put(AVC_HEAD, AAC_HEAD, *as_tags(rows))
    for position, size, dts_ms, kind, flags in bench.log.tags():
        data = bench.log.read(position, position + size)
        packets = ts.read_packets(data)
        starts = [packet for packet in packets if packet.start and packet.pid in (0x100, 0x101)]
        assert [packet.pid for packet in starts] == [0x100 if kind == VIDEO else 0x101]
        assert starts[0].random_access == bool(flags & KEY)
        assert dts_ms == pytest.approx(shown_dts(packets), abs=1)
        if flags & KEY:
            assert [packet.pid for packet in packets[:2]] == [0, 0x1000]
            reader = bench.read(position)
            assert [one.pid for one in reader.pes if one.packet < len(packets)] == [0x100]
            assert starts[0].pcr is not None
    keys = [row[0] for row in bench.log.tags() if row[4] & KEY]
    assert bench.log.key_pos == (keys[-1] if keys else -1)
    # Who jumps there is told that no counter goes on.
    jump = ts.read_packets(bench.log.key_headers)
    assert all(packet.discontinuity and not packet.has_payload for packet in jump)
    assert [packet.pid for packet in jump[:2]] == ([0, 0x1000] if keys else [])


@settings(max_examples=60)
@given(ROWS)
def test_a_file_becomes_what_a_live_stream_becomes(rows):
    tags = [AVC_HEAD, AAC_HEAD, video(0, key=True), *as_tags(rows)]
    bench = Bench().put(*tags)
    bench.source.end()
    assert mux(flv(tags)) == bench.bytes()


@settings(max_examples=60)
@given(ROWS, st.integers(0, 600))
def test_audio_that_runs_ahead_breaks_no_clock(rows, ahead):
    tags = [
        tag._replace(dts_ms=tag.dts_ms + ahead) if tag.kind == AUDIO else tag
        for tag in as_tags(rows)
        if tag.dts_ms < 4500
    ]
    reader = Bench().put(AVC_HEAD, AAC_HEAD, *tags).read()
    assert reader.restarts == 0


@settings(max_examples=120)
@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO, SCRIPT]), st.binary(max_size=60)), max_size=20))
def test_whatever_the_bytes_nothing_is_raised_and_the_packets_are_good(rows):
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True))
    for i, (kind, body) in enumerate(rows):
        bench.put(Tag(kind, i * 10, body))
    bench.put(AVC_HEAD, AAC_HEAD, video(1000, key=True), audio(1001), video(1040))
    bench.source.end()
    assert pictures(bench.read())[-1].units == expected_units([SLICE], key=False)


FIRST = st.sampled_from(
    [b"\x17\1", b"\x27\1", b"\x91hvc1", b"\x93avc1", b"\xaf\1", b"\x91Opus", b"\x91mp4a", b"\x2f"]
)


@settings(max_examples=120)
@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO]), FIRST, st.binary(max_size=40)), max_size=20))
def test_broken_frames_of_known_codecs_are_counted_and_do_no_harm(rows):
    bench = Bench().put(AVC_HEAD, OPUS_HEAD_TAG, video(0, key=True))
    for i, (kind, first, rest) in enumerate(rows):
        bench.put(Tag(kind, i * 10, first + rest))
    bench.source.end()
    reader = bench.read()
    assert len(pictures(reader)) + sum(len(one.units) for one in sounds(reader)) <= len(rows) + 1


# --- codecs -----------------------------------------------------------------------------------


def enhanced(kind: int, name: bytes, packet: int, data: bytes, first: int = 0x90) -> Tag:
    return Tag(kind, 0, bytes([first | packet]) + name + data)


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
    assert bench.mux.streams == [(0x100, stream[0])]
    assert bench.mux.skipped == 0


@pytest.mark.parametrize(("heads", "frame", "stream"), AUDIO_CODECS.values(), ids=AUDIO_CODECS)
def test_audio_is_told_in_the_pmt_and_carried(heads, frame, stream):
    bench = Bench().put(*heads, frame)
    reader = bench.read()
    assert reader.pmts == [ts.Pmt(0, 0x101, {0x101: ts.Stream(*stream)})]
    data = frame.body[5:] if frame.body[0] >> 4 == 9 else frame.body[2 if stream[0] == 0x0F else 1 :]
    assert [one.units for one in sounds(reader)] == [[data]]
    assert {pes.stream_id for pes in reader.pes} == {0xC0 if stream[0] in (3, 4, 0x0F) else 0xBD}
    assert bench.mux.streams == [(0x101, stream[0])]
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


@pytest.mark.parametrize("size", [1, 2, 4])
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


@pytest.mark.parametrize("code", [b"\0\0\1", b"\0\0\0\1"])
def test_start_codes_in_place_of_lengths_are_understood(code):
    bench = Bench().put(AVC_HEAD, Tag(VIDEO, 0, b"\x17\1\0\0\0" + code + b"\x65longer" + code + b"\x65last"))
    assert pictures(bench.read())[0].units == expected_units([b"\x65longer", b"\x65last"], key=True)


def test_a_picture_of_megabytes_is_carried_whole():
    big = b"\x65" + bytes(range(1, 256)) * 12_000
    bench = Bench().put(AVC_HEAD, video(0, big, key=True), video(40))
    assert [one.units[-1] for one in pictures(bench.read())] == [big, SLICE]


# --- times ------------------------------------------------------------------------------------


def test_pictures_that_are_shown_later_have_both_times():
    bench = Bench().put(
        AVC_HEAD, video(0, key=True, cts=80), video(40, cts=160), video(80), video(120, cts=40)
    )
    assert [(one.pts_ms, one.dts_ms) for one in pictures(bench.read())] == [
        (80, 0),
        (200, 40),
        (80, 80),
        (160, 120),
    ]


def test_negative_offsets_are_shown_in_time_and_decoded_before():
    bench = Bench().put(AVC_HEAD)
    offsets = [0, 80, -40, -40, 80, -40, -40]
    bench.put(*(video(i * 40, key=i == 0, cts=cts) for i, cts in enumerate(offsets)))
    got = pictures(bench.read())
    shown = [i * 40 + cts for i, cts in enumerate(offsets)]
    # The first that is to be shown before its time comes a tick after the picture it follows.
    assert [one.pts_ms for one in got] == pytest.approx(shown, abs=0.02)
    assert [one.dts_ms for one in got] == pytest.approx([0, 40, 40, 80, 120, 160, 200], abs=0.02)


def test_an_offset_back_in_time_beyond_all_reason_is_bounded():
    bench = Bench().put(AVC_HEAD, video(0, key=True), video(1000, cts=-900), video(1040))
    got = pictures(bench.read())
    assert got[1].pts_ms == got[1].dts_ms == 1000 - limits.TS_SHIFT_MS
    assert got[2].pts_ms == 1040


def test_the_first_picture_is_at_the_base_and_its_clock_before():
    reader = Bench().put(AVC_HEAD, video(0, key=True)).read()
    assert reader.pes[0].pts == limits.TS_BASE_MS * 90
    assert reader.pcrs == [(limits.TS_BASE_MS - limits.TS_PCR_LEAD_MS) * 90]


def test_pictures_far_apart_are_bridged_by_clock_packets():
    bench = Bench().put(AVC_HEAD)
    bench.put(*(video(time, key=time == 0) for time in range(0, 5000, 200)))
    reader = bench.read()
    assert len(reader.pcrs) >= 49
    assert reader.restarts == 0


def test_few_pictures_with_audio_have_a_clock_from_the_audio():
    bench = Bench().put(AVC_HEAD, AAC_HEAD)
    for time in range(0, 3000, 20):
        bench.put(audio(time), *([video(time, key=time == 0)] if time % 200 == 0 else []))
    reader = bench.read()
    assert len(pictures(reader)) == 15
    gaps = [later - earlier for earlier, later in zip(reader.pcrs, reader.pcrs[1:], strict=False)]
    assert max(gaps) <= 100 * 90
    assert len(reader.pcrs) <= 60


def test_at_25_frames_a_second_no_packet_is_spent_on_a_clock_alone():
    bench = Bench().put(AVC_HEAD, AAC_HEAD)
    for time in range(0, 2000, 20):
        bench.put(audio(time), *([video(time, key=time == 0)] if time % 40 == 0 else []))
    assert all(packet.has_payload for packet in ts.read_packets(bench.bytes()))


def test_a_long_silence_is_a_new_start_of_the_clock():
    bench = Bench().put(AVC_HEAD, video(0, key=True), video(40), video(60_000), video(60_040))
    reader = bench.read()
    assert reader.restarts == 1
    assert len(bench.bytes()) < 30 * 188


def test_a_step_back_is_a_new_start_of_the_clock():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(50_000, key=True), audio(50_010), video(50_040))
    bench.put(video(0, key=True), audio(10), video(40), video(80))
    reader = bench.read()
    assert reader.restarts == 1
    assert [one.dts_ms for one in pictures(reader)] == [50_000, 50_040, 0, 40, 80]


# --- audio ------------------------------------------------------------------------------------


def test_audio_waits_for_the_next_picture():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True))
    head = bench.log.head
    bench.put(audio(0, b"a"), audio(23, b"b"))
    assert bench.log.head == head
    bench.put(video(40))
    assert [one.units for one in sounds(bench.read())] == [[b"a", b"b"]]
    assert [row[3] for row in bench.log.tags()] == [VIDEO, AUDIO, VIDEO]


def test_audio_waits_no_longer_than_its_bound():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True))
    bench.put(*(audio(time) for time in range(0, 400, 23)))
    heard = sounds(bench.read())
    assert [one.pts_ms for one in heard] == [0, 92, 184, 276]
    assert {len(one.units) for one in heard} == {4}


def test_without_video_audio_does_not_wait():
    bench = Bench().put(AAC_HEAD, audio(0, b"a"))
    assert [one.units for one in sounds(bench.read())] == [[b"a"]]
    bench.put(audio(23, b"b"))
    assert [one.units for one in sounds(bench.read())] == [[b"a"], [b"b"]]


def test_audio_that_was_there_before_the_first_player_is_gathered():
    bench = Bench(AAC_HEAD, *(audio(time, b"%d" % time) for time in range(0, 100, 20)))
    assert [one.units for one in sounds(bench.read())] == [[b"0", b"20", b"40", b"60"], [b"80"]]


def test_audio_of_a_codec_does_not_mix_with_that_of_another():
    bench = Bench(
        AVC_HEAD, AAC_HEAD, video(0, key=True), audio(0), Tag(AUDIO, 10, b"\x2f" + MP3_FRAME), video(40)
    )
    reader = bench.read()
    assert [(pes.type, len(pes.data)) for pes in reader.pes if pes.pid == 0x101] == [(0x0F, 12), (0x03, 4)]


def test_gathered_audio_is_written_when_the_stream_ends():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10))
    assert sounds(bench.read()) == []
    bench.source.end()
    assert len(sounds(bench.read())) == 1


# --- tables -----------------------------------------------------------------------------------


def test_tables_come_at_least_twice_a_second():
    bench = Bench().put(AVC_HEAD, video(0, key=True), *(video(time) for time in range(40, 4000, 40)))
    assert 8 <= len(bench.read().pmts) <= 11


def test_a_track_that_comes_later_is_announced_before_its_first_frame():
    bench = Bench().put(AVC_HEAD, video(0, key=True), video(40), AAC_HEAD, video(80), audio(90), video(120))
    reader = bench.read()
    assert tables(reader) == [{0x100: 0x1B}, {0x100: 0x1B, 0x101: 0x0F}]
    assert [pmt.version for pmt in reader.pmts] == [0, 1]


def test_audio_without_a_header_is_in_the_first_tables_when_it_is_in_the_log():
    sound = Tag(AUDIO, 10, b"\x2f" + MP3_FRAME)
    tags = [AVC_HEAD, video(0, key=True), sound, video(40), sound]
    assert tables(Bench(*tags).read()) == [{0x100: 0x1B, 0x101: 0x03}]
    assert tables(ts.read_ts(mux(flv(tags)))) == [{0x100: 0x1B, 0x101: 0x03}]
    assert len(tables(Bench().put(*tags).read())) == 2


def test_a_repeated_header_changes_nothing():
    bench = Bench().put(
        AVC_HEAD, AAC_HEAD, video(0, key=True), AVC_HEAD, AAC_HEAD, video(40), audio(41), video(80)
    )
    assert len(bench.read().pmts) == 1


def test_another_codec_is_announced_before_its_first_frame():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10), video(40))
    bench.put(HEVC_HEAD, OPUS_HEAD_TAG, Tag(VIDEO, 80, hevc([b"\x26\1"], key=True)))
    bench.put(enhanced(AUDIO, b"Opus", 1, b"x")._replace(dts_ms=81), Tag(VIDEO, 120, hevc([b"\x02\1"])))
    reader = bench.read()
    assert tables(reader) == [{0x100: 0x1B, 0x101: 0x0F}, {0x100: 0x24, 0x101: 0x06}]
    assert [pes.type for pes in reader.pes if pes.pid == 0x101] == [0x0F, 0x06]


def test_a_track_that_has_only_a_header_leaves_the_tables():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, *(video(time, key=time == 0) for time in range(0, 2000, 40)))
    assert tables(bench.read()) == [{0x100: 0x1B, 0x101: 0x0F}, {0x100: 0x1B}]
    bench.put(audio(2010), video(2040))
    assert tables(bench.read())[2:] == [{0x100: 0x1B, 0x101: 0x0F}]


def test_sound_that_falls_silent_leaves_the_tables_and_comes_back():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10), video(40))
    silence = limits.TRACK_LOST_MS
    bench.put(*(video(time) for time in range(80, silence, 40)))
    assert tables(bench.read()) == [{0x100: 0x1B, 0x101: 0x0F}]
    bench.put(*(video(time) for time in range(silence, silence + 200, 40)))
    assert tables(bench.read())[1:] == [{0x100: 0x1B}]
    bench.put(audio(silence + 200), video(silence + 240))
    assert tables(bench.read())[2:] == [{0x100: 0x1B, 0x101: 0x0F}]
    assert sorted({pmt.version for pmt in bench.read().pmts}) == [0, 1, 2]


def test_a_pause_of_all_tracks_leaves_the_tables_alone():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10))
    for time in range(9000, 90_000, 9000):
        bench.put(video(time), audio(time + 8000))
    assert tables(bench.read()) == [{0x100: 0x1B, 0x101: 0x0F}]


def test_a_publisher_without_video_after_one_with_it_turns_the_stream_into_audio():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10), video(40))
    bench.source.forget_key()
    assert bench.log.key_pos == -1
    bench.put(AAC_HEAD, *(audio(time) for time in range(1000, 3000, 20)))
    reader = bench.read()
    assert tables(reader) == [{0x100: 0x1B, 0x101: 0x0F}, {0x101: 0x0F}]
    assert reader.pmts[-1].pcr_pid == 0x101
    assert bench.mux.streams == [(0x101, 0x0F)]


def test_publishers_that_follow_each_other_are_one_stream():
    source, log = MediaLog(keep_ms=10**9), MediaLog(keep_ms=10**9)
    intake = Intake(source)
    follower = TsMux(source, log, describe)
    follower.begin(b"", 0)
    firsts = {0x1B: (AVC_HEAD.body, avc([IDR], key=True), avc([SLICE]))}
    firsts[0x24] = (HEVC_HEAD.body, hevc([b"\x26\1idr"], key=True), hevc([b"\x02\1slice"]))
    for codec in (0x1B, 0x24, 0x24, 0x1B):
        intake.begin(1000)
        feed = Feed(intake)
        head, key, inter = firsts[codec]
        feed.video(70_000, head)
        feed.audio(70_000, AAC_HEAD.body)
        for time in range(70_000, 71_000, 40):
            feed.video(time, key if time == 70_000 else inter)
            feed.audio(time + 10, aac(b"sound"))
        intake.forget_key()
        assert log.key_pos == -1
    source.end()
    reader = ts.read_ts(log.read(0, log.head))
    assert [types[0x100] for types in tables(reader)] == [0x1B, 0x24, 0x1B]
    assert all(types[0x101] == 0x0F for types in tables(reader))
    assert reader.restarts == 0
    assert len(pictures(reader)) == 100
    assert sum(len(one.units) for one in sounds(reader)) == 100
    assert follower.skipped == 0


def test_audio_that_was_gathered_is_published_when_the_publisher_leaves():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10))
    bench.source.forget_key()
    assert len(sounds(bench.read())) == 1


def test_video_that_becomes_one_that_cannot_be_carried_leaves_the_audio():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10), video(40))
    bench.put(enhanced(VIDEO, b"vp09", 0, bytes(8)), audio(50), enhanced(VIDEO, b"vp09", 1, b"x"), audio(80))
    assert tables(bench.read()) == [{0x100: 0x1B, 0x101: 0x0F}, {0x101: 0x0F}]
    assert bench.mux.skipped == 2


@given(st.integers(0, 60))
def test_the_tables_for_a_player_at_the_head_are_those_of_the_log(count):
    bench = Bench().put(AAC_HEAD, *(audio(time * 30) for time in range(count)))
    start = bench.mux.tables()
    head = bench.log.head
    bench.put(*(audio(time * 30) for time in range(count, count + 40)))
    reader = ts.Reader().read(start + bench.bytes(head)).end()
    assert tables(reader) == [{0x101: 0x0F}]
    assert len(sounds(reader)) == 40


def test_there_are_no_tables_before_there_is_a_track():
    bench = Bench()
    assert bench.mux.tables() == b""
    assert bench.mux.streams == []


def test_what_tables_told_a_player_counts_as_told():
    bench = Bench().put(AAC_HEAD)
    start = bench.mux.tables()
    bench.put(AVC_HEAD, video(0, key=True), audio(10), video(40))
    reader = ts.Reader().read(start + bench.bytes()).end()
    assert [pmt.version for pmt in reader.pmts] == [0, 1]


# --- the log ----------------------------------------------------------------------------------


def test_headers_before_the_newest_gop_are_taken_first():
    headers = b"".join(map(write_tag, (AVC_HEAD, AAC_HEAD)))
    bench = Bench(video(5000, key=True), audio(5010), video(5040), headers=headers)
    assert len(pictures(bench.read())) == 2
    assert bench.mux.skipped == 0


def test_flags_of_frames_go_to_the_log():
    bench = Bench().put(AVC_HEAD, video(0, key=True), Tag(VIDEO, 40, b"\x37" + avc([SLICE])[1:]), video(80))
    assert [(row[2], row[3], row[4]) for row in bench.log.tags()] == [
        (0, VIDEO, KEY),
        (40, VIDEO, DISPOSABLE),
        (80, VIDEO, 0),
    ]


def test_headers_scripts_and_ends_of_sequence_are_no_entries_and_not_missed():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, Tag(SCRIPT, 0, b"\2\0\0"), Tag(VIDEO, 0, b"\x17\2\0\0\0"))
    bench.put(enhanced(AUDIO, b"mp4a", 4, b"\1\2\0\0\0\3"), Tag(VIDEO, 0, b"\x57\0"))
    assert bench.log.tags() == []
    assert bench.mux.skipped == 0


def test_nothing_comes_after_the_follower_was_stopped():
    bench = Bench().put(AVC_HEAD, video(0, key=True))
    head = bench.log.head
    bench.mux.stop()
    bench.put(video(40))
    assert bench.log.head == head


def test_no_python_object_is_left_per_frame():
    bench = Bench().put(AVC_HEAD, AAC_HEAD)
    tags = [tag for time in range(0, 4000, 20) for tag in (video(time, key=time % 1000 == 0), audio(time))]
    bench.put(*tags)
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        bench.put(*tags)
        grown = sys.getallocatedblocks() - before
    finally:
        gc.enable()
    assert grown < 40


@pytest.mark.parametrize("data", [b"", b"FLV\1\5\0\0\0\x09\0\0\0", b"FLV\2\5\0\0\0\x09\0\0\0\0", bytes(20)])
def test_a_file_that_is_no_flv_is_refused(data):
    with pytest.raises(FlvHeaderError, match="no FLV header"):
        mux(data)


@given(st.integers(0, 400))
def test_a_file_that_is_cut_gives_what_its_whole_tags_give(cut):
    tags = [AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10), video(40), audio(50), video(80)]
    whole = flv(tags)[: 13 + cut]
    count, at = 0, 13
    while count < len(tags) and at + len(write_tag(tags[count])) <= len(whole):
        at += len(write_tag(tags[count]))
        count += 1
    assert mux(whole) == mux(flv(tags[:count]))


@given(st.integers(1, 40), st.booleans())
def test_a_player_that_jumps_is_told_that_nothing_goes_on(missed, with_audio):
    bench = Bench(AVC_HEAD, *([AAC_HEAD] if with_audio else []))

    def shoot(first, count):
        for i in range(first, first + count):
            bench.put(video(40 * i, key=i % 10 == 0))
            if with_audio:
                bench.put(audio(40 * i + 20))

    shoot(0, 12)
    player = Cursor(bench.log, position=0, jump_ms=600)
    wire = player.take()
    seen = len(ts.read_ts(wire).pes)
    shoot(12, 20 + missed)
    shoot(32 + missed, 10 - (32 + missed) % 10 + 1)
    wire += player.take()
    reader = ts.read_ts(wire)
    assert player.jumps == reader.jumps == 1
    assert reader.pes[seen].random_access
