"""The program config element: the channels of AAC with channel configuration 0.

It stands in the AudioSpecificConfig, and in ADTS in the frames; each aligns it to bytes from its own begin.

Spec: ISO 14496-3, 4.4.1.1 (element), 4.5.1.2 (alignment), 4.4.2.1 (in a frame).
"""

from __future__ import annotations

from dataclasses import dataclass

from fastflv.media.bits import BitReader

_ID, _ID_BITS = 5, 3
"""id_syn_ele, in front of the element in a frame."""


@dataclass(frozen=True, slots=True)
class ProgramConfig:
    """An element without its comment."""

    value: int
    "Its bits as a number."

    size: int
    "Bits."

    channels: int

    @property
    def in_config(self) -> bytes:
        """The element where it begins with a byte."""
        return self._aligned(0, 0)

    @property
    def in_frame(self) -> bytes:
        """The element at the begin of an AAC frame."""
        return self._aligned(_ID, _ID_BITS)

    def _aligned(self, before: int, bits: int) -> bytes:
        fill = -(bits + self.size) % 8
        number = (before << self.size | self.value) << fill
        # The last byte is the size of the comment.
        return number.to_bytes((bits + self.size + fill) // 8, "big") + b"\0"


def read_program_config(bits: BitReader) -> ProgramConfig:
    """Read the element at *bits*, up to the alignment behind it. Raises CodecConfigError when it ends early."""
    value = size = 0

    def take(count: int) -> int:
        nonlocal value, size
        number = bits.bits(count)
        value, size = value << count | number, size + count
        return number

    take(10)  # tag, object type, rate
    front, side, back = take(4), take(4), take(4)
    low, data, coupling = take(2), take(3), take(4)
    for width in (4, 4, 3):  # mixdowns
        if take(1):
            take(width)
    channels = low
    for _ in range(front + side + back):
        channels += 1 + take(1)
        take(4)
    take(4 * (low + data) + 5 * coupling)
    return ProgramConfig(value, size, channels)
