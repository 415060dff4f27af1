"""The event loop's side of the sender threads. See sender.pyx."""

from libc.stdint cimport uint8_t

from fastflv._ext.fanout.player cimport PlayerState
from fastflv._ext.fanout.thread cimport Crew, Thread


cdef class SendHandle:
    cdef PlayerState state
    cdef int thread
    cdef readonly object log
    cdef readonly object owner


cdef class Sender:
    cdef Crew crew
    cdef Thread* threads
    cdef int thread_count
    cdef int* load
    cdef set players
    cdef bint running
    cdef bint paused           # the threads have ended, and their players wait for others (handover.pyx)

    cdef void halt(self) noexcept
    cdef int ask(self, SendHandle player, uint8_t what) except -1
