"""How much of a socket is read at once."""


cdef class ReadPace:
    cdef readonly Py_ssize_t room  # bytes of the next read at most
    cdef double ended              # when the last read was done, by the clock of the caller, seconds
    cdef double spending           # cost of the reads that followed each other, seconds

    cpdef bint spent(self, Py_ssize_t size, double began, double ended) noexcept
