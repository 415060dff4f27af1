"""Socket options that depend on the rate of the stream.

`TCP_NOTSENT_LOWAT` keeps the unsent bytes in the kernel few: pictures in them can no longer be left out.
`SO_MAX_PACING_RATE`, where the operator sets it, bounds the rate of sending, so that a keyframe does not overrun the
queue of a slow link in one burst.
"""

from libc.stdint cimport int64_t

from fastflv._ext.core.sockets cimport (
    IPPROTO_TCP, SO_MAX_PACING_RATE, SOL_SOCKET, TCP_NOTSENT_LOWAT, setsockopt,
)
from fastflv._ext.log.log cimport last_page
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.rate cimport rate_now

from fastflv import limits

cdef int64_t NOTSENT_MAX = limits.NOTSENT_BYTES
cdef int64_t NOTSENT_MIN = limits.NOTSENT_BYTES_MIN
cdef int64_t NOTSENT_MS = limits.NOTSENT_MS
cdef int64_t PACE_STEP_PERCENT = limits.PACE_STEP_PERCENT


cdef int64_t pace(int fd, int64_t wanted, int64_t paced) noexcept nogil:
    """Bound the rate of sending on *fd* by *wanted* bytes a second (0: not known); return the bound of now.

    *paced*: the bound before. A *wanted* that differs by less than PACE_STEP_PERCENT saves the system call.
    """
    cdef unsigned int value
    if wanted == 0 or paced and (
        paced * (100 - PACE_STEP_PERCENT) < wanted * 100 and wanted * 100 < paced * (100 + PACE_STEP_PERCENT)
    ):
        return paced
    value = <unsigned int>min(wanted, <int64_t>0xFFFFFFFE)
    setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &value, sizeof(value))
    return wanted


cdef void unpace(int fd) noexcept nogil:
    """Have the kernel send on *fd* without a bound."""
    cdef unsigned int value = 0xFFFFFFFF
    setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &value, sizeof(value))


cdef int keep_unsent(int fd, int64_t rate) noexcept nogil:
    """Bound the unsent bytes in the kernel, for a stream of *rate* bytes a second (0: not known)."""
    cdef int most = <int>(NOTSENT_MAX if rate == 0 else min(max(rate * NOTSENT_MS // 1000, NOTSENT_MIN), NOTSENT_MAX))
    return setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof(most))


def bytes_per_second(MediaLog log not None):
    """Return the mean rate of the newest pages of *log*; 0 while they are too few. Writer's thread only."""
    return rate_now(&log.log.rate, last_page(log.log))


def pace_socket(int fd, int64_t wanted, int64_t paced):
    """Bound the rate of sending on *fd* by *wanted* bytes a second (0: not known); return the bound of now.

    *paced*: the bound before. A *wanted* near it changes nothing.
    """
    return pace(fd, wanted, paced)


def limit_unsent(int fd, int64_t rate):
    """Bound the unsent bytes of *fd* in the kernel, for a stream of *rate* bytes a second (0: not known)."""
    keep_unsent(fd, rate)
