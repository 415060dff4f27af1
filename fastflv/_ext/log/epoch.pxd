"""Epochs: from where on the time that players are told counts."""

from libc.stdint cimport int64_t

from fastflv._ext.log.medialog cimport MediaLog

cdef int move_epoch(MediaLog log, int64_t epoch_ms) except -1
cdef int restamp_log(MediaLog log) except -1
