"""Pictures as encoders in the field send them, and the access units that players get instead."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import AUDIO, COMMAND, CONFIG, KEY, VIDEO, Feed, Tag, log_tags, sound
from model.remuxed import AVC_CONFIG, HEVC_CONFIG, HEVC_SETS, PPS, SPS, prefixed
from patience import SANITIZED

from fastflv import limits
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.syntax.flvtag import payload, traits
from fastflv.media.decoderconfig import video_config
from fastflv.media.inband import make_record

IDR, SLICE, SPARE = b"\x65\x88idr", b"\x41\x9aslice", b"\x01\x9espare"
SEI, AUD, FILLER, END = b"\x06\x05\x01x\x80", b"\x09\xf0", b"\x0c\xff\x80", b"\x0a"
RECOVERY = b"\x06\x06\x01\xc4\x80"
HEVC_IDR, HEVC_SLICE, HEVC_RECOVERY = b"\x26\x01idr", b"\x02\x01slice", b"\x4e\x01\x06\x01\xd0\x80"
HEAD = b"\x17\0\0\0\0"
CODES = [b"\0\0\1", b"\0\0\0\1"]


def avcc(length_size: int) -> bytes:
    return HEAD + AVC_CONFIG[:4] + bytes([0xFC | length_size - 1]) + AVC_CONFIG[5:]


def annexb(*units: bytes, code: bytes = b"\0\0\0\1") -> bytes:
    return b"".join(code + unit for unit in units)


def tag(data: bytes, *, key: bool = False, cts: int = 0) -> bytes:
    return (b"\x17" if key else b"\x27") + b"\1" + cts.to_bytes(3, "big") + data


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Bench(Feed):
    """A publisher, and what players get of it."""

    def __init__(self, *headers: bytes) -> None:
        super().__init__(StreamWriter(MediaLog(keep_ms=10**9), make_record=make_record))
        self.writer.begin(10)
        for header in headers:
            self.video(0, header)

    @property
    def tags(self) -> list[Tag]:
        return log_tags(self.writer.log)

    @property
    def pictures(self) -> list[list[bytes]]:
        """NAL units of each picture, by the lengths that the sequence header promises."""
        header = self.writer.config(VIDEO)
        found = payload(VIDEO, header) if header else None
        size = (found[4][4 if found[0] in (7, 0x61766331) else 21] & 3) + 1 if found else 4
        return [whole_units(tag.body, size) for tag in self.tags if is_picture(tag)]

    @property
    def keys(self) -> list[int]:
        """Times of the tags that are keyframes to a player, and starts in the index."""
        marked = [
            dts for _, _, dts, kind, flags in self.writer.log.tags() if is_frame(kind, flags) and flags & KEY
        ]
        assert [one.dts_ms for one in self.tags if is_picture(one) and one.body[0] & 0x70 == 0x10] == marked
        return marked


def is_frame(kind: int, flags: int) -> bool:
    return kind == VIDEO and not flags & (CONFIG | COMMAND)


def is_picture(tag: Tag) -> bool:
    return is_frame(tag.kind, traits(tag.kind, tag.body)[0])


def whole_units(body: bytes, size: int) -> list[bytes]:
    found = payload(VIDEO, body)
    assert found is not None
    data, units = found[4], []
    while data:
        length = int.from_bytes(data[:size], "big")
        assert 0 < length <= len(data) - size, f"no whole unit: {data[:20].hex()}"
        units.append(data[size : size + length])
        data = data[size + length :]
    return units


# --- how units are parted ---


@pytest.mark.parametrize("size", [1, 2, 4])
def test_what_is_well_formed_passes_as_it_is(size):
    bench = Bench(avcc(size))
    sent = [tag(prefixed([SEI, IDR], size), key=True), tag(prefixed([AUD, SLICE, SLICE], size))]
    for number, body in enumerate(sent):
        bench.video(40 * number, body)
    assert [one.body for one in bench.tags] == [avcc(size), *sent]


def test_lengths_of_three_bytes_become_four_in_header_and_pictures():
    bench = Bench(avcc(3))
    bench.video(0, tag(prefixed([SEI, IDR], 3), key=True, cts=80))
    bench.video(40, tag(prefixed([SPARE], 3), cts=80))
    assert bench.writer.config(VIDEO) == avcc(4)
    assert bench.pictures == [[SEI, IDR], [SPARE]]
    assert payload(VIDEO, bench.tags[1].body)[3] == 80
    assert [row[4] for row in bench.writer.log.tags()] == [CONFIG, KEY, 2], "it is disposable all the same"


def test_lengths_of_three_bytes_in_hevc_too():
    record = HEVC_CONFIG[:21] + b"\x0e" + HEVC_CONFIG[22:]
    bench = Bench(b"\x90hvc1" + record)
    bench.video(0, b"\x91hvc1\0\0\0" + prefixed([HEVC_IDR], 3))
    assert bench.writer.config(VIDEO) == b"\x90hvc1" + HEVC_CONFIG
    assert bench.pictures == [[HEVC_IDR]]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("header", [HEAD, HEAD + b"\1\x42\xc0\x0d\xff\xe0\0", b"", HEAD + AVC_CONFIG])
def test_start_codes_become_lengths_and_parameter_sets_a_header(header, code):
    bench = Bench(*([header] if header else []))
    bench.video(0, tag(annexb(AUD, SPS, PPS, IDR, code=code), key=True))
    bench.video(40, tag(annexb(AUD, SLICE, code=code)))
    bench.video(80, tag(annexb(SLICE, code=code)))
    assert bench.writer.config(VIDEO) == HEAD + AVC_CONFIG
    assert bench.tags[0].body == HEAD + AVC_CONFIG, "the header is sent before the picture"
    assert bench.pictures == [[AUD, SPS, PPS, IDR], [AUD, SLICE], [SLICE]]


def test_start_codes_in_the_header_are_parameter_sets():
    bench = Bench(HEAD + annexb(SPS, PPS))
    bench.video(0, tag(annexb(IDR), key=True))
    assert [one.body[5:] for one in bench.tags[:1]] == [AVC_CONFIG]
    assert bench.pictures == [[IDR]]


def test_parameter_sets_behind_lengths_make_a_header_too():
    bench = Bench()
    bench.video(0, b"\x91avc1\0\0\0" + prefixed([SPS, PPS, IDR]))
    assert bench.writer.config(VIDEO) == b"\x90avc1" + AVC_CONFIG


def test_hevc_without_a_header_gets_one_that_can_be_read():
    bench = Bench()
    bench.video(0, b"\x91hvc1\0\0\0" + annexb(*HEVC_SETS, HEVC_IDR))
    header = bench.writer.config(VIDEO)
    ours, real = video_config("HEVC", header[5:]), video_config("HEVC", HEVC_CONFIG)
    assert (ours.profile, ours.level, ours.width, ours.height) == (
        real.profile,
        real.level,
        real.width,
        real.height,
    )
    assert ours.parameter_sets == tuple(HEVC_SETS)
    assert header[5 + 1 : 5 + 13] == HEVC_CONFIG[1:13]
    assert header[5 + 16 : 5 + 19] == HEVC_CONFIG[16:19], "chroma format and bit depths"


def test_new_parameter_sets_in_pictures_are_a_new_header():
    bench = Bench(HEAD)
    other = PPS + b"\1"
    for time, pps in ((0, PPS), (1000, PPS), (2000, other)):
        bench.video(time, tag(annexb(SPS, pps, IDR), key=True))
    assert [one.body[-len(PPS) - 1 :] for one in bench.tags if one.is_header] == [b"\4" + PPS, other]


@pytest.mark.parametrize("stray", [b"\0", b"x", b"\0\0\1"])
def test_stray_bytes_behind_the_last_unit_are_cut_off(stray):
    bench = Bench(avcc(4))
    bench.video(0, tag(prefixed([SEI, IDR]) + stray, key=True))
    assert bench.pictures == [[SEI, IDR]]


@given(st.integers(256, 511), st.sampled_from([b"", b"x"]), st.booleans())
def test_a_first_length_that_looks_like_a_start_code_is_a_length(length, stray, header):
    bench = Bench(*([avcc(4)] if header else []))
    unit = b"\x65" + bytes(range(1, 256)) + b"\0\0\1" * 85
    if not header:
        # Without a header the pictures themselves have to show it.
        bench.video(0, tag(prefixed([SPS, PPS, IDR]), key=True))
    bench.video(40, tag(prefixed([unit[:length]]) + stray, key=True))
    bench.video(80, tag(prefixed([unit[:length], SLICE])))
    assert bench.pictures[-2:] == [[unit[:length]], [unit[:length], SLICE]]


@given(st.binary(max_size=80), st.sampled_from([HEAD, avcc(3), avcc(4), b"\x90hvc1" + HEVC_CONFIG, b""]))
def test_whatever_the_bytes_players_get_whole_tags(data, header):
    bench = Bench(*([header] if header else []))
    bench.video(0, tag(data, key=True))
    bench.video(40, b"\x91hvc1\0\0\0" + data)
    bench.video(80, tag(annexb(SPS, PPS, IDR), key=True))
    assert bench.tags[-1].dts_ms >= 0


# --- what is no picture ---


@pytest.mark.parametrize("code", [None, b"\0\0\0\1"])
def test_sei_and_parameter_sets_of_their_own_belong_to_the_next_picture(code):
    bench = Bench(HEAD + AVC_CONFIG)

    def data(*units: bytes) -> bytes:
        return annexb(*units, code=code) if code else prefixed(units)

    bench.video(0, tag(data(AUD, SPS, PPS), key=True))
    bench.video(0, tag(data(SEI)))
    bench.video(0, tag(data(AUD, IDR), key=True))
    bench.video(40, tag(data(SEI)))
    bench.video(40, tag(data(SLICE, SLICE)))
    bench.video(80, tag(data(SLICE)))
    assert bench.pictures == [[AUD, SPS, PPS, SEI, IDR], [SEI, SLICE, SLICE], [SLICE]]
    assert [one.dts_ms for one in bench.tags if is_picture(one)] == [0, 40, 80]
    assert bench.writer.video_tags == 3


def test_parameter_sets_of_their_own_make_a_header_too():
    bench = Bench(HEAD)
    bench.video(0, tag(annexb(SPS, PPS)))
    bench.video(0, tag(annexb(IDR), key=True))
    assert bench.writer.config(VIDEO) == HEAD + AVC_CONFIG
    assert bench.pictures == [[SPS, PPS, IDR]]


def test_units_that_end_a_picture_are_no_picture():
    bench = Bench(HEAD + AVC_CONFIG)
    bench.video(0, tag(prefixed([IDR]), key=True))
    for unit in (FILLER, END, AUD):
        bench.video(20, tag(prefixed([unit])))
    bench.video(40, tag(prefixed([SLICE])))
    assert bench.pictures == [[IDR], [SLICE]]


def test_endless_sei_without_a_picture_does_not_take_endless_memory():
    bench = Bench(HEAD + AVC_CONFIG)
    big = SEI + bytes(range(1, 250)) * 40
    for _ in range(100):
        bench.video(0, tag(prefixed([big])))
    bench.video(40, tag(prefixed([IDR]), key=True))
    (picture,) = bench.pictures
    assert sum(map(len, picture)) <= limits.UNITS_HELD_BYTES_MAX + len(IDR)
    assert picture[-1] == IDR


def test_what_a_publisher_left_behind_is_not_the_next_ones():
    bench = Bench(HEAD + AVC_CONFIG)
    bench.video(0, tag(prefixed([SEI])))
    bench.writer.begin(10)
    bench.video(0, HEAD + AVC_CONFIG)
    bench.video(0, tag(prefixed([IDR]), key=True))
    assert bench.pictures == [[IDR]]


# --- where players can start ---


@pytest.mark.parametrize(
    "units", [[IDR], [SEI, IDR], [SPS, PPS, IDR], [RECOVERY, SLICE], [SEI[:-1] + RECOVERY[1:], SLICE]]
)
def test_a_picture_that_a_decoder_can_start_with_is_a_keyframe_whatever_its_mark(units):
    bench = Bench(HEAD + AVC_CONFIG)
    bench.video(0, tag(prefixed(units)))
    bench.video(40, tag(prefixed([SLICE])))
    bench.video(80, b"\x37" + tag(prefixed(units))[1:])
    assert bench.keys == [0, 80]


@pytest.mark.parametrize("units", [[HEVC_IDR], [HEVC_RECOVERY, HEVC_SLICE], [b"\x2a\1cra"]])
def test_so_it_is_in_hevc(units):
    bench = Bench(b"\x90hvc1" + HEVC_CONFIG)
    bench.video(0, b"\xa1hvc1\0\0\0" + prefixed(units))
    bench.video(40, b"\xa1hvc1\0\0\0" + prefixed([HEVC_SLICE]))
    assert bench.keys == [0]


def test_a_recovery_point_in_a_tag_of_its_own_counts():
    bench = Bench(HEAD + AVC_CONFIG)
    bench.video(0, tag(prefixed([RECOVERY])))
    bench.video(0, tag(prefixed([SLICE])))
    bench.video(40, tag(prefixed([SLICE])))
    assert bench.keys == [0]


def test_without_any_keyframe_a_picture_that_others_refer_to_becomes_a_start_after_a_while():
    bench = Bench(HEAD + AVC_CONFIG)
    wait = limits.KEY_WAIT_MS
    for time in range(0, 2 * wait + 400, 40):
        bench.video(time, tag(prefixed([SPARE if time == wait else SLICE])))
        bench.audio(time, sound())
    assert bench.keys == [wait + 40]
    assert bench.writer.log.key_pos >= 0


def test_once_the_only_keyframe_is_no_start_any_more_another_picture_is():
    bench = Bench(HEAD + AVC_CONFIG)
    bench.writer.log.key_tags_max = 500
    bench.video(0, tag(prefixed([IDR]), key=True))
    for time in range(40, 50_000, 40):
        bench.video(time, tag(prefixed([SLICE])))
    assert bench.keys == [0, 20_080, 40_160]


def test_a_gop_that_is_no_start_any_more_is_waited_for_as_long_as_the_one_before():
    bench = Bench(HEAD + AVC_CONFIG)
    bench.writer.log.key_tags_max = 500
    for time in range(0, 90_000, 40):
        keyed = time % 28_000 == 0
        bench.video(time, tag(prefixed([IDR if keyed else SLICE]), key=keyed))
    # The first GOP is longer than the wait, and nothing is known of its end.
    assert bench.keys == [0, 20_080, 28_000, 56_000, 84_000]


def test_keyframes_that_come_are_the_only_ones():
    bench = Bench(HEAD + AVC_CONFIG)
    for time in range(0, 60_000, 40):
        bench.video(time, tag(prefixed([SLICE if time % 20_000 else IDR])))
    assert bench.keys == [0, 20_000, 40_000]


def test_sound_is_there_however_the_pictures_are():
    bench = Bench(HEAD)
    bench.audio(0, b"\xaf\0\x12\x10")
    for time in range(0, 1000, 20):
        bench.video(time, tag(annexb(SEI)))
        bench.audio(time, sound())
    assert len([one for one in bench.tags if one.kind == AUDIO]) == 51
    assert not bench.writer.has_video


@pytest.mark.skipif(SANITIZED, reason="sanitizers keep what is freed for a while")
def test_memory_of_a_large_picture_is_given_back_with_the_next():
    large, before = annexb(IDR + bytes([7]) * 7_000_000), resident()
    writers = []
    for _ in range(10):
        feed = Feed(StreamWriter(MediaLog(), make_record=make_record))
        feed.writer.begin(10)
        feed.video(0, avcc(4))
        for number, data in enumerate([large, *[annexb(IDR)] * 3]):
            feed.video(40 * number, tag(data, key=True))
        feed.writer.log.trim()
        writers.append(feed.writer)
    assert resident() - before < 40 << 20
