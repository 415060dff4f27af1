"""Bits of headers, most significant first, with a bound on every read."""

from __future__ import annotations

from fastflv.errors import CodecConfigError


class BitReader:
    """A place in *data*. Every read past the end raises CodecConfigError. For headers: it is not fast."""

    __slots__ = ("_left", "_size", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._size = self._left = len(data) * 8

    def bits(self, count: int) -> int:
        """The next *count* bits as an unsigned number."""
        if count > self._left:
            raise CodecConfigError(
                f"{count} bits wanted, {self._left} left", offset=(self._size - self._left) // 8
            )
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit."""
        return self.bits(1) == 1

    def skip(self, count: int) -> None:
        """Leave *count* bits out."""
        self.bits(count)

    def ue(self) -> int:
        """Exp-Golomb, unsigned (H.264, 9.1); at most 32 bits."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 31:
                raise CodecConfigError("an exp-Golomb number over 32 bits")
        return (1 << zeros) - 1 + self.bits(zeros)

    def se(self) -> int:
        """Exp-Golomb, signed (H.264, 9.1.1)."""
        number = self.ue()
        return (number + 1) // 2 if number & 1 else -(number // 2)


def rbsp(nalu: bytes) -> bytes:
    """A NAL unit without its emulation prevention bytes: 00 00 03 means 00 00 (H.264, 7.4.1.1)."""
    if b"\0\0\3" not in nalu:
        return nalu
    out = bytearray()
    zeros = 0
    for byte in nalu:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        zeros = zeros + 1 if byte == 0 else 0
        out.append(byte)
    return bytes(out)


def read_leb128(data: bytes, at: int) -> tuple[int, int]:
    """Read the size of an OBU at *at*; return it and the offset behind it (AV1, 4.10.5).

    At most 8 bytes count. Raises CodecConfigError for a size without an end.
    """
    number = 0
    for shift in range(0, 56, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise CodecConfigError("an OBU size without an end", offset=at)
