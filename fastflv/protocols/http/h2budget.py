"""What an HTTP/2 client may send besides requests and their bodies: such frames cost it nothing, and the server a step each.

Frames are judged by their nine header bytes, before anything decodes them.

Spec: RFC 9113, 10.5.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from fastflv import limits


class FrameType(IntEnum):
    """Types of frames (RFC 9113, 6)."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class ErrorCode(IntEnum):
    """Reasons of GOAWAY and RST_STREAM (RFC 9113, 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    ENHANCE_YOUR_CALM = 11


END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4

FRAME_HEAD_BYTES: Final = 9
"Length, type, flags and stream of a frame (RFC 9113, 4.1)."


class Fault(NamedTuple):
    """Why a connection is closed."""

    code: ErrorCode
    why: str


class FrameHead(NamedTuple):
    """The header of a frame."""

    length: int
    "Bytes behind the header."
    type: int
    flags: int

    @classmethod
    def read(cls, data: bytes | bytearray) -> FrameHead:
        """Read the first bytes of *data*, which has FRAME_HEAD_BYTES at least."""
        return cls(int.from_bytes(data[:3], "big"), data[3], data[4])


class Allowance:
    """Tokens that come back with time."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, burst: float, rate: float) -> None:
        """*burst*: tokens at most; *rate*: tokens a second."""
        self._burst = burst
        self._rate = rate
        self._left = burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Take a token at *now*, seconds; False without one."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def earn(self, tokens: float) -> None:
        """Give *tokens* more."""
        self._left = min(self._burst, self._left + tokens)


class FrameBudget:
    """Judges the frames of one client."""

    __slots__ = ("_block_bytes", "_block_frames", "_control", "_resets")

    def __init__(self) -> None:
        self._control = Allowance(limits.HTTP2_CONTROL_BURST, limits.HTTP2_CONTROL_PER_SECOND)
        self._resets = Allowance(limits.HTTP2_RESETS_BURST, limits.HTTP2_RESETS_PER_SECOND)
        self._block_bytes = 0
        "Bytes of a header block whose last frame has not come."
        self._block_frames = 0
        "Its CONTINUATION frames."

    def measure(self, head: FrameHead) -> Fault | None:
        """Judge the size of a frame, whose body may not be there yet."""
        most = limits.HTTP2_FRAME_BYTES
        if head.type == FrameType.SETTINGS:
            most = limits.HTTP2_SETTINGS_BYTES_MAX
        if head.length > most:
            return Fault(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {head.length} bytes, over {most}")
        return None

    def spend(self, head: FrameHead, now: float) -> Fault | None:
        """Count a whole frame at *now*, seconds."""
        if head.type in (FrameType.HEADERS, FrameType.CONTINUATION):
            return self._spend_block(head)
        if head.type == FrameType.DATA and (head.length or head.flags & END_STREAM):
            return None
        if head.type == FrameType.RST_STREAM:
            fine = self._resets.take(now)
            why = f"over {limits.HTTP2_RESETS_PER_SECOND} requests a second are cancelled"
        else:
            fine = self._control.take(now)
            why = f"over {limits.HTTP2_CONTROL_PER_SECOND} frames a second without request or body"
        return None if fine else Fault(ErrorCode.ENHANCE_YOUR_CALM, why)

    def sent(self) -> None:
        """A DATA frame was sent; the client may answer it."""
        self._control.earn(limits.HTTP2_CONTROL_EARNED)

    def _spend_block(self, head: FrameHead) -> Fault | None:
        if head.type == FrameType.HEADERS:
            self._block_bytes = self._block_frames = 0
        else:
            self._block_frames += 1
        self._block_bytes += head.length
        if (
            self._block_bytes > limits.HTTP2_BLOCK_BYTES_MAX
            or self._block_frames > limits.HTTP2_CONTINUATIONS_MAX
        ):
            return Fault(ErrorCode.ENHANCE_YOUR_CALM, "request head too large")
        return None
