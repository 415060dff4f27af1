"""What the first bytes of a coded audio frame say: how many samples it lasts, and what MP4 wants to know of it.

Spec: ISO 11172-3, 2.4.2.3 and ISO 13818-3 (MP3); ETSI TS 102 366, 4.3, E.1.2, F.4 and F.6 (AC-3, E-AC-3); RFC 6716, 3.1
(Opus); RFC 9639, 9.1 (FLAC).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastflv.errors import CodecConfigError
from fastflv.media.bits import BitReader

_MP3_RATES: Final = (44100, 48000, 32000)
_MP3_KBITS_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KBITS_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_AC3_RATES: Final = (48000, 44100, 32000)
_AC3_CHANNELS: Final = (2, 1, 2, 3, 3, 4, 4, 5)
_OPUS_FRAME: Final = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
"Samples at 48 kHz by the configuration of the first byte."


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """One frame, or the frames of one message."""

    sample_rate: int
    "Hz."

    channels: int
    samples: int
    "Length, in samples of one channel."

    record: bytes = b""
    "Content of the box that describes the codec in MP4 (`dac3`, `dec3`); for MP3 the object type of MPEG-4 systems."


def read_mp3(data: bytes) -> AudioFrame:
    """Read the frames of a message. Raises CodecConfigError when it does not begin with one of layer III."""
    at = samples = 0
    rate = channels = version = 0
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] & 0xE6 == 0xE2:
        version = data[at + 1] >> 3 & 3
        bits, index = data[at + 2] >> 4, data[at + 2] >> 2 & 3
        if version == 1 or bits == 15 or index == 3:
            break
        halvings = {3: 0, 2: 1, 0: 2}[version]
        rate = _MP3_RATES[index] >> halvings
        channels = 1 if data[at + 3] >> 6 == 3 else 2
        count = 1152 if version == 3 else 576
        samples += count
        kbits = (_MP3_KBITS_1 if version == 3 else _MP3_KBITS_2)[bits]
        if not kbits:  # free format: the frame has the rest
            break
        at += count // 8 * kbits * 1000 // rate + (data[at + 2] >> 1 & 1)
    if not samples:
        raise CodecConfigError("no MP3 frame", offset=at)
    return AudioFrame(rate, channels, samples, b"\x6b" if version == 3 else b"\x69")


def read_ac3(data: bytes) -> AudioFrame:
    """Read the frame header of AC-3. Raises CodecConfigError."""
    if len(data) < 8 or data[:2] != b"\x0b\x77":
        raise CodecConfigError("no AC-3 frame", offset=0)
    bits = BitReader(data[4:16])
    rate, size = bits.bits(2), bits.bits(6)
    bsid, bsmod, mode = bits.bits(5), bits.bits(3), bits.bits(3)
    if rate == 3 or bsid > 10:
        raise CodecConfigError(f"AC-3 with rate code {rate} and id {bsid}", offset=4)
    lfe = _lfe(bits, mode)
    record = rate << 22 | bsid << 17 | bsmod << 14 | mode << 11 | lfe << 10 | size >> 1 << 5
    return AudioFrame(_AC3_RATES[rate], _AC3_CHANNELS[mode] + lfe, 1536, record.to_bytes(3, "big"))


def _lfe(bits: BitReader, mode: int) -> int:
    """The bit behind the mix levels that the audio coding mode brings (TS 102 366, 4.3)."""
    if mode & 1 and mode != 1:
        bits.skip(2)
    if mode & 4:
        bits.skip(2)
    if mode == 2:
        bits.skip(2)
    return bits.bits(1)


def read_eac3(data: bytes) -> AudioFrame:
    """Read the frame header of E-AC-3, of its first independent substream. Raises CodecConfigError."""
    if len(data) < 8 or data[:2] != b"\x0b\x77":
        raise CodecConfigError("no E-AC-3 frame", offset=0)
    bits = BitReader(data[2:16])
    kind = bits.bits(2)
    bits.skip(3)
    words = bits.bits(11) + 1
    rate = bits.bits(2)
    blocks = 6
    if rate == 3:
        half = bits.bits(2)
        if half == 3:
            raise CodecConfigError("a reserved rate of E-AC-3", offset=4)
        hertz = _AC3_RATES[half] // 2
    else:
        hertz = _AC3_RATES[rate]
        blocks = (1, 2, 3, 6)[bits.bits(2)]
    mode, lfe, bsid = bits.bits(3), bits.bits(1), bits.bits(5)
    if kind == 1 or not 10 < bsid <= 16:
        raise CodecConfigError(f"E-AC-3 stream type {kind}, id {bsid}", offset=2)
    # F.6: data rate in kbit/s, one substream without dependent ones, asvc 0, bsmod 0.
    kbits = words * 16 * hertz // (blocks * 256) // 1000
    record = min(kbits, 8191) << 27 | 0 << 24
    record |= rate << 22 | bsid << 17 | mode << 9 | lfe << 8
    return AudioFrame(hertz, _AC3_CHANNELS[mode] + lfe, blocks * 256, record.to_bytes(5, "big"))


def opus_samples(data: bytes) -> int:
    """Samples at 48 kHz of a packet, at most 120 ms; 0 for one without content."""
    if not data:
        return 0
    size = _OPUS_FRAME[data[0] >> 3]
    count = (1, 2, 2, data[1] & 63 if len(data) > 1 else 0)[data[0] & 3]
    return min(size * count, 5760)


def flac_samples(data: bytes) -> int:
    """Samples of a frame; 0 when its header does not say or is none."""
    if len(data) < 6 or data[0] != 0xFF or data[1] & 0xFC != 0xF8:
        return 0
    code = data[2] >> 4
    if code == 1:
        return 192
    if 2 <= code <= 5:
        return 576 << (code - 2)
    if code >= 8:
        return 256 << (code - 8)
    if code == 0:
        return 0
    # Behind the frame number, which is coded like a character in UTF-8.
    lead = data[4]
    at = 4 + (1 if lead < 0x80 else 8 - (lead ^ 0xFF).bit_length())
    return int.from_bytes(data[at : at + code - 5], "big") + 1
