"""The steps that bring a lagging player back to live. See ladder.pyx."""

from libc.stdint cimport int64_t

from fastflv._ext.fanout.lag cimport Thinning
from fastflv._ext.fanout.player cimport PlayerState
from fastflv._ext.log.block cimport Block
from fastflv._ext.log.log cimport Log
from fastflv._ext.log.view cimport View


cdef int64_t tag_end(const PlayerState* p, const View* view) noexcept nogil
cdef void give_credit(PlayerState* p, Log* log, const View* view) noexcept nogil
cdef int64_t measure_lag(PlayerState* p, Log* log, const View* view) noexcept nogil
cdef void choose_skip(Thinning* thin, int64_t lag_ms) noexcept nogil
cdef void check_place(PlayerState* p, Log* log, const View* view, int64_t head, int64_t lag_ms) noexcept nogil
cdef bint jump(PlayerState* p, Log* log) noexcept nogil
cdef void skip_leading(Thinning* thin) noexcept nogil
cdef void skip_until_key(Thinning* thin, const Log* log) noexcept nogil
cdef int64_t skip_pictures(
    Thinning* thin, Log* log, const View* view, int64_t pos, int64_t head, Block** before
) noexcept nogil
cdef int64_t skip_stop(Thinning* thin, const View* view, int64_t pos, int64_t stop) noexcept nogil
