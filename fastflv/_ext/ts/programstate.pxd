"""A program of a TS as plain values. See programstate.pyx."""

from fastflv._ext.ts.program cimport Program

cdef dict program_state(const Program* program)
cdef int restore_program(Program* program, dict state) except -1
