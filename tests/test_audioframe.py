"""The first bytes of coded audio frames: made by hand from the tables of the specifications, and by real encoders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv.errors import CodecConfigError
from fastflv.media.audioframe import flac_samples, opus_samples, read_ac3, read_eac3, read_mp3

av = pytest.importorskip("av")


def packets(
    codec: str, rate: int, layout: str, form: str, bit_rate: int = 128_000
) -> list[tuple[bytes, int]]:
    """Encode a second of silence; return the packets and their lengths in samples."""
    try:
        encoder = av.CodecContext.create(codec, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"no encoder {codec}")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = rate, layout, form, bit_rate
    encoder.open()
    size = encoder.frame_size or 1024
    out = []
    for number in range(rate // size):
        frame = av.AudioFrame(form, layout, size)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts = rate, number * size
        out += encoder.encode(frame)
    return [(bytes(packet), size) for packet in out]


@pytest.mark.parametrize(
    ("rate", "layout", "object_type"),
    [(44_100, "stereo", 0x6B), (48_000, "mono", 0x6B), (22_050, "stereo", 0x69)],
)
def test_mp3_frames_of_an_encoder(rate, layout, object_type):
    made = packets("libmp3lame", rate, layout, "fltp")
    assert made
    for data, size in made:
        frame = read_mp3(data)
        assert (frame.sample_rate, frame.channels, frame.samples) == (
            rate,
            1 if layout == "mono" else 2,
            size,
        )
        assert frame.record == bytes([object_type])
    both = read_mp3(made[0][0] + made[1][0])
    assert both.samples == 2 * made[0][1]


@pytest.mark.parametrize(
    ("rate", "layout", "channels"), [(48_000, "stereo", 2), (44_100, "5.1", 6), (32_000, "mono", 1)]
)
def test_ac3_frames_of_an_encoder(rate, layout, channels):
    for data, size in packets("ac3", rate, layout, "fltp"):
        frame = read_ac3(data)
        assert (frame.sample_rate, frame.channels, frame.samples) == (rate, channels, size)


def test_ac3_in_the_words_of_its_box():
    # fscod 0, frmsizecod 30 (384 kbit/s), bsid 8, bsmod 0, acmod 7, mix levels, lfe on
    assert read_ac3(bytes.fromhex("0b7700001e40e100") + bytes(8)).record == bytes.fromhex("103de0")


@pytest.mark.parametrize(("layout", "channels"), [("stereo", 2), ("5.1", 6)])
def test_eac3_frames_of_an_encoder(layout, channels):
    for data, size in packets("eac3", 48_000, layout, "fltp", 192_000):
        frame = read_eac3(data)
        assert (frame.sample_rate, frame.channels, frame.samples) == (48_000, channels, size)
        record = int.from_bytes(frame.record, "big")
        assert len(frame.record) == 5
        assert record >> 27 == pytest.approx(192, abs=8)
        assert (record >> 24 & 7, record >> 22 & 3, record >> 17 & 31) == (0, 0, 16)
        assert (record >> 9 & 7, record >> 8 & 1) == ((7, 1) if channels == 6 else (2, 0))


def test_flac_frames_of_an_encoder():
    made = packets("flac", 44_100, "stereo", "s16")
    assert made
    for data, size in made:
        assert flac_samples(data) == size


@pytest.mark.parametrize(
    ("head", "samples"),
    [
        ("fff81900 00 00", 192),
        ("fff85900 00 00", 4608),
        ("fff8c900 00 00", 4096),
        ("fff86900 00 63", 100),
        ("fff87900 00 0063", 100),
        ("fff86900 c280 63", 100),
        ("fff80900 00 00", 0),
        ("ffe05900 00 00", 0),
    ],
    ids=str,
)
def test_flac_block_sizes(head, samples):
    assert flac_samples(bytes.fromhex(head)) == samples


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"\x00", 480),
        (b"\x18", 2880),
        (b"\x60", 480),
        (b"\x80", 120),
        (b"\xfc", 960),
        (b"\xfd", 1920),
        (b"\xfe", 1920),
        (b"\xfb\x03", 2880),
        (b"\xfb", 0),
        (b"\xfb\x3f", 5760),
        (b"", 0),
    ],
    ids=repr,
)
def test_opus_packets_tell_their_length(packet, samples):
    assert opus_samples(packet) == samples


@pytest.mark.parametrize("read", [read_mp3, read_ac3, read_eac3])
@given(data=st.binary(max_size=40))
def test_any_bytes_are_a_frame_or_an_error(read, data):
    for head in (b"", b"\xff\xfb", b"\x0b\x77"):
        try:
            frame = read(head + data)
        except CodecConfigError:
            continue
        assert frame.samples > 0 and 8000 <= frame.sample_rate <= 48_000 and 0 < frame.channels <= 6


@given(st.binary(max_size=40))
def test_any_bytes_have_a_length(data):
    assert 0 <= opus_samples(data) <= 5760
    assert 0 <= flac_samples(b"\xff\xf8" + data) <= 65_536
