"""Decoder configurations made of what stands in the frames, for publishers whose sequence header is empty or absent.

Spec: ISO 14496-15, 5.3.3.1 (avcC) and 8.3.3.1 (hvcC); H.265, 7.3.2.2 (SPS); ISO 14496-3, 1.6.2.1
(AudioSpecificConfig) and 1.A.2.2 (ADTS).
"""

from __future__ import annotations

from fastflv.errors import CodecConfigError
from fastflv.media.bits import BitReader, rbsp
from fastflv.media.codecs import AUDIO, codec_name
from fastflv.media.h264 import WITH_CHROMA
from fastflv.media.hevc import PPS, SPS, VPS, skip_profile
from fastflv.media.programconfig import read_program_config

AVC_SPS, AVC_PPS = 7, 8


def make_record(kind: int, codec: int, data: bytes) -> bytes | None:
    """Return the configuration record of an audio (8) or video (9) codec; None where *data* does not say it.

    *codec* is the FourCC as a number, or the FLV id. *data*: of H.264 and HEVC the parameter sets, each behind four
    bytes of length; of AAC an ADTS frame.
    """
    name = codec_name(kind, codec)
    try:
        if kind == AUDIO:
            return asc_of_adts(data) if name == "AAC" else None
        if name == "H264":
            return make_avcc(_units(data))
        return make_hvcc(_units(data)) if name == "HEVC" else None
    except CodecConfigError:
        return None


def _units(data: bytes) -> list[bytes]:
    units = []
    at = 0
    while at + 4 < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        units.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return units


def make_avcc(units: list[bytes]) -> bytes:
    """Return the AVC decoder configuration record of parameter sets. Raises CodecConfigError for a cut SPS."""
    sps = [unit for unit in units if unit[0] & 31 == AVC_SPS]
    pps = [unit for unit in units if unit[0] & 31 == AVC_PPS]
    if not sps or len(sps[0]) < 4 or not pps or len(sps) > 31 or len(pps) > 255:
        raise CodecConfigError("no SPS and PPS")
    record = b"\1" + sps[0][1:4] + bytes([0xFF, 0xE0 | len(sps)]) + _sized(sps)
    record += bytes([len(pps)]) + _sized(pps)
    if sps[0][1] in WITH_CHROMA:
        bits = BitReader(rbsp(sps[0][4:]))
        bits.ue()  # id
        record += _depths(bits, bits.ue()) + b"\0"
    return record


def make_hvcc(units: list[bytes]) -> bytes:
    """Return the HEVC decoder configuration record of parameter sets. Raises CodecConfigError for a cut SPS."""
    sets = {kind: [unit for unit in units if unit[0] >> 1 & 63 == kind] for kind in (VPS, SPS, PPS)}
    if not all(0 < len(found) < 65536 for found in sets.values()):
        raise CodecConfigError("no VPS, SPS and PPS")
    body = rbsp(sets[SPS][0][2:])
    bits = BitReader(body)
    bits.skip(4)
    layers = bits.bits(3)
    nested = bits.bits(1)
    skip_profile(bits, layers)
    bits.ue()  # id
    chroma = bits.ue()
    if chroma == 3:
        bits.skip(1)
    bits.ue()
    bits.ue()
    if bits.flag():
        for _ in range(4):
            bits.ue()
    # No least segment size, parallelism and frame rate are known.
    record = b"\1" + body[1:13] + b"\xf0\0\xfc" + _depths(bits, chroma) + b"\0\0"
    record += bytes([(layers + 1) << 3 | nested << 2 | 3, len(sets)])
    for kind, found in sets.items():
        record += bytes([0x80 | kind]) + len(found).to_bytes(2, "big") + _sized(found)
    return record


def _sized(units: list[bytes]) -> bytes:
    if any(len(unit) > 0xFFFF for unit in units):
        raise CodecConfigError("a parameter set over 65,535 bytes")
    return b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


def _depths(bits: BitReader, chroma: int) -> bytes:
    """Chroma format and bit depths, as both records write them; *bits* stands behind the chroma format of AVC."""
    if chroma > 3:
        raise CodecConfigError(f"chroma format {chroma}")
    luma, colour = bits.ue(), bits.ue()
    if luma > 7 or colour > 7:
        raise CodecConfigError(f"bit depths of {8 + luma} and {8 + colour}")
    return bytes([0xFC | chroma, 0xF8 | luma, 0xF8 | colour])


def asc_of_adts(frame: bytes) -> bytes:
    """Return the AudioSpecificConfig of an ADTS frame. Raises CodecConfigError when it ends early."""
    bits = BitReader(frame[:512])
    bits.skip(15)
    has_crc = not bits.flag()
    kind, rate = bits.bits(2) + 1, bits.bits(4)
    bits.skip(1)
    channels = bits.bits(3)
    record = (kind << 11 | rate << 7 | channels << 3).to_bytes(2, "big")
    if channels:
        return record
    bits.skip(30 + 16 * has_crc)
    if bits.bits(3) != 5:
        raise CodecConfigError("AAC with channel configuration 0 and no program config element")
    return record + read_program_config(bits).in_config
