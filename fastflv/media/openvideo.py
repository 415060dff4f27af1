"""AV1 and VP8/VP9: their configuration records.

Spec: AV1 in ISOBMFF, 2.3 (av1C); AV1, 5.5 (sequence header); VP codecs in ISOBMFF, vpcC.
"""

from __future__ import annotations

from typing import Final

from fastflv.errors import CodecConfigError
from fastflv.media.bits import BitReader, read_leb128
from fastflv.media.videoconfig import Picture, VideoConfig, cropped, rate

AV1_PROFILES: Final = {0: "Main", 1: "High", 2: "Professional"}
_SEQUENCE_HEADER: Final = 1


def parse_av1c(record: bytes) -> VideoConfig:
    """Read an AV1CodecConfigurationRecord; one without a sequence header gives no size.

    FFmpeg sends an empty record when its encoder (libaom) has none yet; it says nothing, and is no error.
    Raises CodecConfigError for another version or a cut OBU.
    """
    if not record:
        return VideoConfig("AV1", "", "")
    if len(record) < 4 or record[0] != 0x81:
        raise CodecConfigError("not an AV1 record, version 1", offset=0)
    level = record[1] & 31
    picture = _find_sequence_header(record[4:])
    return VideoConfig(
        codec="AV1",
        profile=AV1_PROFILES.get(record[1] >> 5, "Other"),
        level=f"{2 + level // 4}.{level % 4}" if level < 24 else "",
        width=picture.width,
        height=picture.height,
        fps=picture.fps,
    )


def _find_sequence_header(obus: bytes) -> Picture:
    at = 0
    while at < len(obus):
        head = obus[at]
        at += 2 if head & 4 else 1  # extension byte
        size = len(obus) - at
        if head & 2:
            size, at = read_leb128(obus, at)
        if size < 0 or at + size > len(obus):
            raise CodecConfigError("an OBU that ends behind the record", offset=at)
        if head >> 3 & 15 == _SEQUENCE_HEADER:
            return _sequence_header(BitReader(obus[at : at + size]))
        at += size
    return Picture(0, 0, 0.0)


def _sequence_header(bits: BitReader) -> Picture:
    """AV1, 5.5.1, up to the picture size."""
    bits.skip(3)  # profile
    bits.skip(1)
    fps = 0.0
    if bits.flag():  # reduced still picture header
        bits.skip(5)
    else:
        fps = _operating_points(bits)
    width_bits, height_bits = bits.bits(4) + 1, bits.bits(4) + 1
    width, height = bits.bits(width_bits) + 1, bits.bits(height_bits) + 1
    return cropped(width, height, 0, 0, 0, 0, fps)


def _operating_points(bits: BitReader) -> float:
    fps = 0.0
    delay_bits = 0
    model = False
    if bits.flag():  # timing info
        units = bits.bits(32)
        scale = bits.bits(32)
        if bits.flag():
            fps = rate(units * (bits.ue() + 1), scale)
        model = bits.flag()
        if model:
            delay_bits = bits.bits(5) + 1
            bits.skip(42)
    delay_given = bits.flag()
    for _ in range(bits.bits(5) + 1):
        bits.skip(12)
        if bits.bits(5) > 7:
            bits.skip(1)  # tier
        if model and bits.flag():
            bits.skip(2 * delay_bits + 1)
        if delay_given and bits.flag():
            bits.skip(4)
    return fps


def parse_vpcc(record: bytes, codec: str = "VP9") -> VideoConfig:
    """Read a VPCodecConfigurationRecord, with or without the four bytes of its box. It holds no size."""
    body = record[4:] if len(record) >= 12 and record[:4] == b"\1\0\0\0" else record
    if len(body) < 8:
        raise CodecConfigError(f"VP record of {len(record)} bytes", offset=0)
    level = body[1]
    text = f"{level // 10}.{level % 10}" if level % 10 else str(level // 10)
    return VideoConfig(codec=codec, profile=str(body[0]), level=text if level else "")
