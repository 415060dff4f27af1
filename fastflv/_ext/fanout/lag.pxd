"""Lag of a reader: the media that its peer has not acknowledged, and the pictures left out. Header only."""

from libc.stdint cimport int64_t, uint8_t


cdef enum:
    INTER = 128                # only in Thinning.skip: pictures that are no keyframes


cdef struct Mark:
    # A point in the byte stream that was sent, and the time of the media behind it. All zero at first.
    int64_t sent               # bytes before it
    int64_t dts_ms


cdef struct Thinning:
    # The pictures left out for one reader.
    uint8_t skip               # LEADING behind a start or a jump, INTER up to a keyframe, DISPOSABLE while it lags
    int64_t wait_ms            # how long the wait for a keyframe (INTER) lasts at most
    int64_t until_ms           # time of the tag at which it ends, whatever comes
    int64_t key_pos            # of the keyframe whose leading pictures are left out; -1: not sent yet
    uint8_t bridge             # 1: pictures were left out, and the container needs the log's `bridge` before the next
    int64_t drop_ms            # lag beyond which disposable pictures are left out; change.pyx may change it
    int64_t drops              # counters, relaxed: how often DISPOSABLE was set
    int64_t dropped            # pictures left out


cdef inline int64_t mark_lag(
    Mark* mark, int64_t sent, int64_t unacked, int64_t next_dts, int64_t head_dts
) noexcept nogil:
    """Return a lower bound of the age of the oldest media that the peer has not acknowledged, ms.

    *sent*: bytes sent so far; *unacked*: those not acknowledged, at most *sent*; *next_dts*: time of the next tag.
    """
    cdef int64_t since = next_dts
    if sent - unacked >= mark.sent:
        # All bytes before the mark are acknowledged: the next mark is set at the present end.
        mark.sent = sent
        mark.dts_ms = next_dts
    elif mark.dts_ms < since:
        since = mark.dts_ms
    return max(head_dts - since, <int64_t>0)
