"""H.264: the AVC decoder configuration record and its sequence parameter set.

Spec: ISO 14496-15, 5.3.3.1 (record); H.264, 7.3.2.1 (SPS) and E.1.1 (VUI).
"""

from __future__ import annotations

from typing import Final

from fastflv.errors import CodecConfigError
from fastflv.media.bits import BitReader, rbsp
from fastflv.media.videoconfig import Picture, VideoConfig, cropped, rate

PROFILES: Final = {
    66: "Baseline",
    77: "Main",
    88: "Extended",
    100: "High",
    110: "High(10)",
    122: "High(422)",
    144: "High(444)",
    244: "High(444+Predictive)",
    44: "High(444+Intra)",
}

WITH_CHROMA: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"Profiles whose SPS tells chroma format and bit depths."
_ASPECT_GIVEN: Final = 255


def parse_avcc(record: bytes) -> VideoConfig:
    """Read an AVCDecoderConfigurationRecord; one without SPS gives no size.

    Raises CodecConfigError when it ends early, is of another version or its SPS cannot be read.
    """
    if len(record) < 6:
        raise CodecConfigError(f"AVC record of {len(record)} bytes", offset=0)
    if record[0] != 1:
        raise CodecConfigError(f"AVC record version {record[0]}", offset=0)
    length_size = (record[4] & 3) + 1
    sets: list[bytes] = []
    at = take_sets(record, 6, record[5] & 31, sets)
    count = len(sets)
    if at < len(record):  # some encoders send a record without the PPS part
        take_sets(record, at + 1, record[at], sets)
    picture = parse_sps(sets[0]) if count else Picture(0, 0, 0.0)
    return VideoConfig(
        codec="H264",
        profile=PROFILES.get(record[1], "Other"),
        level=level_text(record[3]),
        width=picture.width,
        height=picture.height,
        fps=picture.fps,
        length_size=length_size,
        parameter_sets=tuple(sets),
    )


def take_sets(record: bytes, at: int, count: int, sets: list[bytes]) -> int:
    """Append *count* NAL units with 16-bit lengths, from *at*; return the offset behind them."""
    for _ in range(count):
        size = int.from_bytes(record[at : at + 2], "big")
        if at + 2 + size > len(record):
            raise CodecConfigError(f"a parameter set of {size} bytes, {len(record) - at - 2} left", offset=at)
        if size:
            sets.append(record[at + 2 : at + 2 + size])
        at += 2 + size
    return at


def level_text(level: int) -> str:
    """Level 31 is `3.1`, 30 is `3`, 9 is `1b`."""
    if level == 9:
        return "1b"
    return f"{level // 10}.{level % 10}" if level % 10 else str(level // 10)


def parse_sps(nalu: bytes) -> Picture:
    """Read size and rate from an SPS NAL unit, header byte included. Raises CodecConfigError."""
    if not nalu or nalu[0] & 31 != 7:
        raise CodecConfigError("the first parameter set is no SPS", offset=0)
    bits = BitReader(rbsp(nalu[1:]))
    profile = bits.bits(8)
    bits.skip(16)  # constraints, level
    bits.ue()  # id
    chroma = 1
    if profile in WITH_CHROMA:
        chroma = bits.ue()
        if chroma > 3:
            raise CodecConfigError(f"chroma format {chroma}")
        if chroma == 3 and bits.flag():  # planes coded apart are cropped like monochrome
            chroma = 0
        bits.ue()  # bit depths
        bits.ue()
        bits.skip(1)
        if bits.flag():
            for index in range(8 if chroma != 3 else 12):
                if bits.flag():
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.ue()  # log2_max_frame_num
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.skip(1)
        bits.se()
        bits.se()
        for _ in range(_bounded(bits.ue(), 255)):
            bits.se()
    bits.ue()  # max_num_ref_frames
    bits.skip(1)
    width = (bits.ue() + 1) * 16
    rows = bits.ue() + 1
    frames_only = bits.flag()
    fields = 1 if frames_only else 2
    if not frames_only:
        bits.skip(1)
    bits.skip(1)  # direct_8x8_inference
    crop = [bits.ue() for _ in range(4)] if bits.flag() else [0, 0, 0, 0]
    x = 2 if chroma in (1, 2) else 1
    y = (2 if chroma == 1 else 1) * fields
    fps = _vui_rate(bits) if bits.flag() else 0.0
    return cropped(width, rows * 16 * fields, crop[0] * x, crop[1] * x, crop[2] * y, crop[3] * y, fps)


def _bounded(count: int, most: int) -> int:
    if count > most:
        raise CodecConfigError(f"{count} where {most} are allowed")
    return count


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    """H.264, 7.3.2.1.1.1: a step to 0 ends the list."""
    scale = 8
    for _ in range(size):
        scale = (scale + bits.se()) % 256
        if scale == 0:
            return


def _vui_rate(bits: BitReader) -> float:
    """H.264, E.1.1, up to the timing: a tick is a field, so two make a frame."""
    skip_vui_colour(bits)
    if not bits.flag():
        return 0.0
    units = bits.bits(32)
    return rate(2 * units, bits.bits(32))


def skip_vui_colour(bits: BitReader) -> None:
    """The first part of the VUI, which H.264 and HEVC share: aspect, overscan, colour, chroma place."""
    if bits.flag() and bits.bits(8) == _ASPECT_GIVEN:
        bits.skip(32)
    if bits.flag():
        bits.skip(1)
    if bits.flag():
        bits.skip(4)
        if bits.flag():
            bits.skip(24)
    if bits.flag():
        bits.ue()
        bits.ue()
