"""Decoder configurations: known records, headers that no encoder at hand writes, and hostile bytes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv import limits
from fastflv._ext.syntax.flvtag import traits
from fastflv.errors import CodecConfigError
from fastflv.media import audioconfig, codecs, hevc, openvideo
from fastflv.media import h264 as avc
from fastflv.media.bits import BitReader, rbsp
from fastflv.media.decoderconfig import audio_config, video_config
from fastflv.media.videoconfig import rate


def asc(*fields: tuple[int, int]) -> bytes:
    """A record from (value, bits) pairs."""
    text = "".join(f"{value:0{bits}b}" for value, bits in fields)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[n : n + 8], 2) for n in range(0, len(text), 8))


FIELDS = {
    "LC": (((2, 5), (4, 4), (2, 4)), ("LC", 2, 44100, 44100, 2)),
    "rate in full": (((2, 5), (15, 4), (37800, 24), (1, 4)), ("LC", 2, 37800, 37800, 1)),
    "7.1": (((2, 5), (3, 4), (7, 4)), ("LC", 2, 48000, 48000, 8)),
    "channels in the stream": (((2, 5), (3, 4), (0, 4)), ("LC", 2, 48000, 48000, 0)),
    "HE": (((5, 5), (7, 4), (2, 4), (4, 4), (2, 5)), ("HE", 2, 22050, 44100, 2)),
    "HEv2": (((29, 5), (7, 4), (1, 4), (4, 4), (2, 5)), ("HEv2", 2, 22050, 44100, 1)),
    "escaped type": (((31, 5), (10, 6), (3, 4), (2, 4)), ("xHE", 42, 48000, 48000, 2)),
    "SBR announced behind": (
        ((2, 5), (7, 4), (2, 4), (0, 3), (0x2B7, 11), (5, 5), (1, 1), (4, 4)),
        ("HE", 2, 22050, 44100, 2),
    ),
    "SBR and PS announced behind": (
        ((2, 5), (7, 4), (1, 4), (0, 3), (0x2B7, 11), (5, 5), (1, 1), (4, 4), (0x548, 11), (1, 1)),
        ("HEv2", 2, 22050, 44100, 1),
    ),
    "SBR denied behind": (
        ((2, 5), (4, 4), (2, 4), (0, 3), (0x2B7, 11), (5, 5), (0, 1)),
        ("LC", 2, 44100, 44100, 2),
    ),
    "an announcement cut short": (
        ((2, 5), (4, 4), (2, 4), (0, 3), (0x2B7, 11), (5, 5)),
        ("LC", 2, 44100, 44100, 2),
    ),
    "an unknown profile": (((17, 5), (4, 4), (2, 4)), ("Other", 17, 44100, 44100, 2)),
}


@pytest.mark.parametrize(("fields", "told"), FIELDS.values(), ids=FIELDS)
def test_the_forms_of_an_audio_specific_config(fields, told):
    found = audioconfig.parse_asc(asc(*fields))
    assert (found.profile, found.object_type, found.sample_rate, found.output_rate, found.channels) == told


class Bits:
    """Writes bits, so that a test can build headers that no encoder at hand writes."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, *pairs: tuple[int, int]) -> Bits:
        self.text += "".join(f"{value:0{bits}b}" for value, bits in pairs)
        return self

    def ue(self, *numbers: int) -> Bits:
        for number in numbers:
            digits = f"{number + 1:b}"
            self.text += "0" * (len(digits) - 1) + digits
        return self

    def bytes(self) -> bytes:
        """The bits with a stop bit, emulation prevention left out: no test here has three zero bytes."""
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        return bytes(int(text[n : n + 8], 2) for n in range(0, len(text), 8))


def full_hevc_sps() -> Bits:
    """An SPS with every optional part in front of the timing (H.265, 7.3.2.2)."""
    sps = Bits().u((0, 4), (2, 3), (1, 1))  # two sub-layers more
    sps.u(((1 << 96) - 1, 96))
    sps.u((3, 2), (1, 2), ((1 << 12) - 1, 12), ((1 << 96) - 1, 96), ((1 << 8) - 1, 8))
    sps.ue(0, 3).u((1, 1)).ue(1279, 719)  # 4:4:4 in separate planes
    sps.u((1, 1)).ue(1, 2, 3, 4)
    sps.ue(0, 0, 4).u((1, 1)).ue(1, 2, 3, 1, 2, 3, 1, 2, 3)
    sps.ue(0, 3, 0, 3, 0, 0)
    sps.u((1, 1), (1, 1))  # scaling lists in the SPS
    for size in range(4):
        for matrix in range(2 if size == 3 else 6):
            if matrix % 2:
                sps.u((0, 1)).ue(0)
                continue
            sps.u((1, 1))
            if size > 1:
                sps.ue(4)
            sps.ue(*[1] * min(64, 1 << (4 + 2 * size)))
    sps.u((3, 2))
    sps.u((1, 1), (0x77, 8)).ue(0, 1).u((0, 1))  # pcm
    sps.ue(3)  # reference sets: two pictures, then three by change, then one
    sps.ue(1, 1, 0).u((1, 1)).ue(1).u((0, 1))
    sps.u((1, 1), (0, 1)).ue(2).u((1, 1), (0, 1), (1, 1), (0, 1), (0, 1))
    sps.u((0, 1)).ue(1, 0, 5).u((1, 1))
    sps.u((1, 1)).ue(2).u((7, 8), (1, 1), (9, 8), (0, 1))  # long-term pictures
    return sps.u((3, 2))


def test_an_hevc_sps_with_every_optional_part_gives_its_rate():
    sps = full_hevc_sps().u((1, 1))
    sps.u(
        (1, 1), (255, 8), (0x10001, 32), (1, 1), (1, 1), (1, 1), (0xB, 4), (1, 1), (0x010101, 24), (1, 1)
    ).ue(1, 1)
    sps.u((7, 3), (1, 1)).ue(1, 1, 1, 1).u((1, 1), (1001, 32), (60000, 32))
    found = hevc.parse_sps(b"\x42\1" + escaped(sps.bytes()))
    assert (found.width, found.height) == (1279 - 3, 719 - 7)
    assert found.fps == pytest.approx(59.94, abs=0.01)


def test_an_hevc_sps_without_timing_has_no_rate():
    plain = full_hevc_sps().u((0, 1))
    assert hevc.parse_sps(b"\x42\1" + escaped(plain.bytes())).fps == 0.0
    silent = full_hevc_sps().u((1, 1), (0, 4), (0, 3), (0, 1), (0, 1))
    assert hevc.parse_sps(b"\x42\1" + escaped(silent.bytes())).fps == 0.0


def test_an_hevc_sps_that_cannot_be_read_to_its_rate_still_has_a_size():
    sps = Bits().u((0, 4), (0, 3), (1, 1), ((1 << 96) - 1, 96)).ue(0, 1, 640, 360).u((0, 1))
    found = hevc.parse_sps(b"\x42\1" + escaped(sps.bytes()))
    assert (found.width, found.height, found.fps) == (640, 360, 0.0)


def escaped(plain: bytes) -> bytes:
    """With emulation prevention (H.264, 7.4.1.1)."""
    out = bytearray()
    zeros = 0
    for byte in plain:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def av1_record(header: Bits, sized: bool = True) -> bytes:
    body = header.bytes()
    other = b"\x12\0"  # a temporal delimiter in front
    return b"\x81\x08\0\0" + other + (b"\x0e\0" + bytes([len(body)]) if sized else b"\x08") + body


def test_an_av1_sequence_header_with_timing_gives_its_rate():
    header = Bits().u((0, 3), (0, 1), (0, 1)).u((1, 1), (1001, 32), (30000, 32), (1, 1)).ue(0)
    header.u((1, 1), (9, 5), (0, 32), (0, 5), (0, 5))  # decoder model, delays of 10 bits
    header.u((1, 1), (1, 5))  # initial delay given, two operating points
    header.u((0, 12), (8, 5), (1, 1), (1, 1), (0, 10), (0, 10), (0, 1), (1, 1), (3, 4))
    header.u((0, 12), (5, 5), (0, 1), (0, 1))
    header.u((10, 4), (10, 4), (1279, 11), (719, 11))
    for sized in (True, False):
        found = video_config("AV1", av1_record(header, sized))
        assert (found.width, found.height, found.level) == (1280, 720, "4.0")
        assert found.fps == pytest.approx(29.97, abs=0.01)


def test_an_av1_still_picture_header_gives_its_size():
    header = Bits().u((0, 3), (1, 1), (1, 1), (5, 5), (8, 4), (7, 4), (319, 9), (179, 8))
    found = video_config("AV1", av1_record(header))
    assert (found.width, found.height, found.fps) == (320, 180, 0.0)


def avc_sps(order, frames_only: bool = True) -> bytes:
    """A High 4:4:4 SPS in separate planes, with the given picture order fields."""
    sps = Bits().u((244, 8), (0, 8), (30, 8)).ue(0, 3).u((1, 1)).ue(0, 0).u((0, 1), (0, 1)).ue(0)
    order(sps)
    sps.ue(1).u((0, 1)).ue(19)
    sps.ue(14 if frames_only else 7).u((frames_only, 1))
    if not frames_only:
        sps.u((0, 1))
    return b"\x67" + escaped(sps.u((1, 1), (1, 1)).ue(0, 1, 0, 2).u((0, 1)).bytes())


def test_an_avc_sps_in_separate_planes_is_cropped_by_pixels():
    found = avc.parse_sps(avc_sps(lambda sps: sps.ue(0, 2)))
    assert (found.width, found.height) == (319, 238)
    found = avc.parse_sps(avc_sps(lambda sps: sps.ue(2), frames_only=False))
    assert (found.width, found.height) == (319, 256 - 4)


def test_an_avc_sps_with_a_cycle_of_picture_order_is_read():
    found = avc.parse_sps(avc_sps(lambda sps: sps.ue(1).u((0, 1)).ue(1, 2, 3, 4, 5, 6)))
    assert (found.width, found.height) == (319, 238)
    with pytest.raises(CodecConfigError, match="256"):
        avc.parse_sps(avc_sps(lambda sps: sps.ue(1).u((0, 1)).ue(1, 2, 256)))


REFUSED = {
    "empty AAC": ("AAC", b""),
    "AAC of one byte": ("AAC", b"\x12"),
    "AAC object type 0": ("AAC", b"\x02\x10"),
    "AAC reserved rate": ("AAC", asc((2, 5), (13, 4), (2, 4))),
    "AAC rate 0": ("AAC", asc((2, 5), (15, 4), (0, 24), (2, 4))),
    "AAC reserved channels": ("AAC", asc((2, 5), (4, 4), (9, 4))),
    "Opus of another kind": ("Opus", b"OpusTags" + bytes(11)),
    "Opus version 16": ("Opus", b"OpusHead\x10\2" + bytes(9)),
    "Opus without channels": ("Opus", b"OpusHead\1\0" + bytes(9)),
    "FLAC without STREAMINFO": ("FLAC", b"fLaC\4" + bytes(37)),
    "FLAC at 0 Hz": ("FLAC", b"fLaC" + bytes(38)),
    "empty AVC": ("H264", b""),
    "AVC version 0": ("H264", b"\0\x64\0\x1e\xff\xe0\0"),
    "AVC with a cut SPS": ("H264", b"\1\x64\0\x1e\xff\xe1\0\x10\x67"),
    "AVC whose SPS is a PPS": ("H264", b"\1\x64\0\x1e\xff\xe1\0\2\x68\1\0"),
    "short HEVC": ("HEVC", b"\1" + bytes(21)),
    "HEVC version 2": ("HEVC", b"\2" + bytes(22)),
    "HEVC with a cut array": ("HEVC", b"\1" + bytes(20) + b"\3\1\x21"),
    "HEVC whose SPS has chroma format 4": (
        "HEVC",
        b"\1"
        + bytes(20)
        + b"\3\1\x21\0\1\0\x13\x42\1"
        + Bits().u((1, 8), ((1 << 96) - 1, 96)).ue(0, 4).bytes()[:14]
        + bytes(3),
    ),
    "HEVC whose SPS is a PPS": ("HEVC", b"\1" + bytes(20) + b"\3\1\x21\0\1\0\4\x44\1\1\1"),
    "AV1 of another version": ("AV1", b"\x82\0\0\0"),
    "AV1 whose OBU is cut": ("AV1", b"\x81\0\0\0\x0a\x0b\0"),
    "AV1 whose OBU size has no end": ("AV1", b"\x81\0\0\0\x0a" + b"\xff" * 9),
    "short VP9": ("VP9", b"\1\0\0\0\0"),
}


@pytest.mark.parametrize(("codec", "record"), REFUSED.values(), ids=REFUSED)
def test_a_record_that_contradicts_itself_is_refused(codec, record):
    with pytest.raises(CodecConfigError):
        (video_config if codec in ("H264", "HEVC", "AV1", "VP9") else audio_config)(codec, record)


@pytest.mark.parametrize(("parse", "codec"), [(video_config, "H264"), (audio_config, "AAC")])
def test_a_record_that_is_too_large_is_not_read(parse, codec):
    with pytest.raises(CodecConfigError, match="are read"):
        parse(codec, bytes(limits.HEADERS_BYTES_MAX + 1))


def test_records_without_parameter_sets_give_no_size():
    found = video_config("H264", b"\1\x4d\0\x1f\xff\xe0")
    assert (found.profile, found.level, found.width, found.parameter_sets) == ("Main", "3.1", 0, ())
    found = video_config("HEVC", b"\1\1" + bytes(10) + b"\x5d" + bytes(8) + b"\3\0")
    assert (found.profile, found.level, found.width) == ("Main", "3.1", 0)
    assert video_config("AV1", b"\x81\x08\0\0").level == "4.0"
    assert video_config("AV1", b"\x81\x1f\0\0").level == ""


def test_codecs_without_a_parser_give_their_name():
    assert video_config("VVC", b"any").codec == "VVC"
    assert audio_config("MP3", b"any").codec == "MP3"
    assert video_config("VP8", bytes(8)).codec == "VP8"
    assert audio_config("Opus", b"").channels == 2


LEVELS = {9: "1b", 10: "1", 11: "1.1", 30: "3", 31: "3.1", 42: "4.2", 52: "5.2", 62: "6.2"}


@pytest.mark.parametrize("level", LEVELS)
def test_avc_levels_are_printed_as_srs_prints_them(level):
    assert avc.level_text(level) == LEVELS[level]


def test_hevc_levels_are_printed_as_srs_prints_them():
    assert [hevc.level_text(level) for level in (30, 63, 93, 120, 156)] == ["1", "2.1", "3.1", "4", "5.2"]


def test_rates_that_no_camera_has_are_not_believed():
    assert rate(1, 25) == 25.0
    assert rate(0, 25) == rate(1, 0) == rate(1, 1 << 31) == rate(1 << 31, 1) == 0.0


NAMES = {
    b"\xaf\0": ("audio", "AAC"),
    b"\x2f": ("audio", "MP3"),
    b"\x90Opus": ("audio", "Opus"),
    b"\x91mp4a": ("audio", "AAC"),
    b"\x90Op": ("audio", ""),
    b"\xc0": ("audio", ""),
    b"\xbf": ("audio", "Speex"),
    b"\x17\0": ("video", "H264"),
    b"\x1c\0": ("video", "HEVC"),
    b"\x90hvc1": ("video", "HEVC"),
    b"\xa1av01": ("video", "AV1"),
    b"\x90xxxx": ("video", ""),
    b"\x1f": ("video", ""),
}


@pytest.mark.parametrize("head", NAMES)
def test_the_first_bytes_of_a_message_name_its_codec(head):
    track, name = NAMES[head]
    kind = codecs.AUDIO if track == "audio" else codecs.VIDEO
    assert codecs.codec_name(kind, traits(kind, head)[1]) == name


def test_no_number_and_no_four_cc_stands_for_two_codecs():
    taken = [(codec.kind, number) for codec in codecs.CODECS for number in (*codec.numbers, codec.four_cc)]
    taken = [row for row in taken if row[1] != ""]
    assert len(taken) == len(set(taken))


@given(st.integers(0, 0xFFFFFFFE))
def test_exp_golomb_numbers_are_read_back(number):
    bits = f"{number + 1:b}"
    bits = "0" * (len(bits) - 1) + bits
    bits += "0" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert BitReader(data).ue() == number
    signed = BitReader(data).se()
    assert signed == (number + 1) // 2 * (1 if number % 2 else -1)


@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 255]), max_size=30).map(bytes))
def test_emulation_prevention_is_undone(plain):
    assert rbsp(escaped(plain)) == plain


PARSERS = [
    avc.parse_avcc,
    hevc.parse_hvcc,
    openvideo.parse_av1c,
    openvideo.parse_vpcc,
    audioconfig.parse_asc,
    audioconfig.parse_opus,
    audioconfig.parse_flac,
]
STARTS = [
    b"",
    b"\1\x64\0\x1e\xff\xe1\0\x20\x67",
    b"\1" + bytes(20) + b"\3\1\x21\0\1\0\x40\x42\1",
    b"\x81\0\0\0\x0a\x20",
    b"OpusHead",
    b"fLaC",
]


@pytest.mark.parametrize("parse", PARSERS)
@given(start=st.sampled_from(STARTS), tail=st.binary(max_size=80))
def test_any_bytes_give_a_config_or_a_codec_config_error(parse, start, tail):
    with suppress(CodecConfigError):
        parse(start + tail)


@given(st.binary(min_size=1, max_size=120), st.integers(0, 15))
def test_any_sps_gives_a_picture_or_a_codec_config_error(body, profile):
    profile = [66, 77, 88, 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135][profile]
    for parse, nalu in ((avc.parse_sps, bytes([0x67, profile]) + body), (hevc.parse_sps, b"\x42\1" + body)):
        try:
            picture = parse(nalu)
        except CodecConfigError:
            continue
        assert 0 < picture.width <= 65536
        assert 0 < picture.height <= 65536
