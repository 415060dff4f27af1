"""HEVC: the decoder configuration record and its sequence parameter set.

Spec: ISO 14496-15, 8.3.3.1 (record); H.265, 7.3.2.2 (SPS), 7.3.3 (profile), 7.3.7 (reference sets), E.2.1 (VUI).
"""

from __future__ import annotations

from typing import Final

from fastflv.errors import CodecConfigError
from fastflv.media.bits import BitReader, rbsp
from fastflv.media.h264 import skip_vui_colour, take_sets
from fastflv.media.videoconfig import Picture, VideoConfig, cropped, rate

PROFILES: Final = {1: "Main", 2: "Main10", 3: "Main Still Picture", 4: "Rext"}
VPS, SPS, PPS = 32, 33, 34


def parse_hvcc(record: bytes) -> VideoConfig:
    """Read an HEVCDecoderConfigurationRecord; one without SPS gives no size.

    Raises CodecConfigError when it ends early or its SPS cannot be read. Version 0 is taken as 1: old
    encoders wrote it.
    """
    if len(record) < 23:
        raise CodecConfigError(f"HEVC record of {len(record)} bytes", offset=0)
    if record[0] > 1:
        raise CodecConfigError(f"HEVC record version {record[0]}", offset=0)
    length_size = (record[21] & 3) + 1
    found: dict[int, list[bytes]] = {VPS: [], SPS: [], PPS: []}
    at = 23
    for _ in range(record[22]):
        if at + 3 > len(record):
            raise CodecConfigError("a cut array of parameter sets", offset=at)
        sets = found.get(record[at] & 63, [])
        at = take_sets(record, at + 3, int.from_bytes(record[at + 1 : at + 3], "big"), sets)
    picture = parse_sps(found[SPS][0]) if found[SPS] else Picture(0, 0, 0.0)
    frames = int.from_bytes(record[19:21], "big") / 256
    return VideoConfig(
        codec="HEVC",
        profile=PROFILES.get(record[1] & 31, "Other"),
        level=level_text(record[12]),
        width=picture.width,
        height=picture.height,
        fps=picture.fps or frames,
        length_size=length_size,
        parameter_sets=(*found[VPS], *found[SPS], *found[PPS]),
    )


def level_text(level: int) -> str:
    """general_level_idc is 30 times the level: 93 is `3.1`, 120 is `4`."""
    whole, rest = divmod(level, 30)
    return f"{whole}.{rest // 3}" if rest else str(whole)


def parse_sps(nalu: bytes) -> Picture:
    """Read size and rate from an SPS NAL unit, header bytes included. Raises CodecConfigError.

    The rate lies behind everything else, so it is given up (0) where an extension is not understood.
    """
    if len(nalu) < 3 or nalu[0] >> 1 & 63 != SPS:
        raise CodecConfigError("the parameter set is no SPS", offset=0)
    bits = BitReader(rbsp(nalu[2:]))
    bits.skip(4)
    layers = bits.bits(3)
    bits.skip(1)
    skip_profile(bits, layers)
    bits.ue()  # id
    chroma = bits.ue()
    if chroma > 3:
        raise CodecConfigError(f"chroma format {chroma}")
    if chroma == 3 and bits.flag():
        chroma = 0
    width, height = bits.ue(), bits.ue()
    crop = [bits.ue() for _ in range(4)] if bits.flag() else [0, 0, 0, 0]
    x = 2 if chroma in (1, 2) else 1
    y = 2 if chroma == 1 else 1
    try:
        fps = _rate(bits, layers)
    except CodecConfigError:
        fps = 0.0
    return cropped(width, height, crop[0] * x, crop[1] * x, crop[2] * y, crop[3] * y, fps)


def skip_profile(bits: BitReader, layers: int) -> None:
    """Step over profile_tier_level for *layers* layers below the highest (H.265, 7.3.3)."""
    bits.skip(96)
    present = [(bits.flag(), bits.flag()) for _ in range(layers)]
    if layers:
        bits.skip(2 * (8 - layers))
    for profile, level in present:
        bits.skip(88 * profile + 8 * level)


def _rate(bits: BitReader, layers: int) -> float:
    """From the bit depths to the timing of the VUI."""
    bits.ue()
    bits.ue()
    order_bits = bits.ue() + 4
    for _ in range(1 if not bits.flag() else layers + 1):
        bits.ue()
        bits.ue()
        bits.ue()
    for _ in range(6):  # block sizes and depths
        bits.ue()
    if bits.flag() and bits.flag():
        _skip_scaling(bits)
    bits.skip(2)  # amp, sao
    if bits.flag():  # pcm
        bits.skip(8)
        bits.ue()
        bits.ue()
        bits.skip(1)
    _skip_reference_sets(bits)
    if bits.flag():  # long-term references
        for _ in range(_bounded(bits.ue(), 32)):
            bits.skip(order_bits + 1)
    bits.skip(2)  # temporal mvp, strong intra smoothing
    if not bits.flag():  # no VUI
        return 0.0
    skip_vui_colour(bits)
    bits.skip(3)  # neutral chroma, field sequence, frame info
    if bits.flag():  # default display window
        for _ in range(4):
            bits.ue()
    if not bits.flag():
        return 0.0
    units = bits.bits(32)
    return rate(units, bits.bits(32))


def _skip_scaling(bits: BitReader) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.flag():
                bits.ue()
                continue
            if size > 1:
                bits.se()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.se()


def _skip_reference_sets(bits: BitReader) -> None:
    """H.265, 7.3.7: a set may be told as a change of the one before, whose size is then needed."""
    pictures = 0
    for index in range(_bounded(bits.ue(), 64)):
        if index and bits.flag():
            bits.skip(1)
            bits.ue()
            kept = 0
            for _ in range(pictures + 1):
                used = bits.flag()
                kept += 1 if used or bits.flag() else 0
            pictures = kept
            continue
        negative, positive = _bounded(bits.ue(), 16), _bounded(bits.ue(), 16)
        pictures = negative + positive
        for _ in range(pictures):
            bits.ue()
            bits.skip(1)


def _bounded(count: int, most: int) -> int:
    if count > most:
        raise CodecConfigError(f"{count} where {most} are allowed")
    return count
