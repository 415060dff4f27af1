"""The account of a reader that may lag: what its peer has not got, and what is left out for it. Header only."""

from libc.stdint cimport int64_t, uint8_t


cdef enum:
    INTER = 128                # only in Thinning.skip: pictures that are no keyframes


cdef struct Mark:
    # A place in what was handed over, and the time of the media that follows it. All zero at first.
    int64_t sent               # bytes
    int64_t dts_ms


cdef struct Thinning:
    # What is left out for one reader between two pictures that it is sent.
    uint8_t skip               # LEADING behind a jump or a start, INTER up to a keyframe, DISPOSABLE while it lags
    int64_t key_pos            # of the keyframe that LEADING is about, -1: not met yet
    uint8_t bridge             # 1: pictures were left out; the container wants the log's `bridge` before the next
    int64_t drop_ms            # lag beyond which disposable pictures are left out; change.pyx may change it
    int64_t drops              # counters, relaxed: times that began
    int64_t dropped            # pictures left out


cdef inline int64_t mark_lag(
    Mark* mark, int64_t sent, int64_t unacked, int64_t next_dts, int64_t head_dts
) noexcept nogil:
    """Return how old the media is that the peer lacks, ms, at least: where a reader is in a log does not tell.

    *sent*: bytes handed over so far, of which it has not acknowledged *unacked*, at most *sent*; *next_dts*: time of
    what comes next.
    """
    cdef int64_t since = next_dts
    if sent - unacked >= mark.sent:
        # It has all that was handed over before the mark: the next is set at what is handed over now.
        mark.sent = sent
        mark.dts_ms = next_dts
    elif mark.dts_ms < since:
        since = mark.dts_ms
    return max(head_dts - since, <int64_t>0)
