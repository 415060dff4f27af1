"""Pages of the past on their way to files: a thread writes them, the event loop puts them in their place."""

cimport cython
from libc.errno cimport EINTR, errno
from libc.stdint cimport int32_t, int64_t

from fastflv._ext.core.atomics cimport add32
from fastflv._ext.log.page cimport Page, page_drop, page_in_file
from fastflv._ext.log.past cimport Past
from fastflv._ext.log.timeshift cimport Timeshift, timeshift_exchange

import os

cdef extern from "<unistd.h>" nogil:
    ssize_t pwrite(int fd, const void* bytes, size_t size, int64_t offset)


@cython.final
cdef class SpoolPage:
    """A page of the past on its way to a file. Made by `pages_in_memory`."""

    cdef Past past
    cdef Page* page               # referenced: as it is in memory
    cdef Page* made               # owned until `swap`: the same in the file; NULL before `write`

    def __dealloc__(self):
        page_drop(self.page)
        page_drop(self.made)

    @property
    def size(self):
        """Bytes that it takes in the file."""
        return self.page.used

    def write(self, int fd, int64_t offset):
        """Write the page to *offset* of a file, a multiple of 4096, and map it. A thread calls it. Raises OSError."""
        cdef int64_t done = 0
        cdef ssize_t n = 0
        cdef int fault = 0
        with nogil:
            while done < self.page.used:
                n = pwrite(fd, self.page.bytes + done, <size_t>(self.page.used - done), offset + done)
                if n < 0 and errno != EINTR:
                    fault = errno
                    break
                done += max(n, 0)
            if fault == 0 and self.page.used:
                self.made = page_in_file(self.page, fd, offset)
                if self.made == NULL:
                    fault = errno
        if fault:
            raise OSError(fault, os.strerror(fault))

    def swap(self):
        """Have the past read the page from its file. The event loop calls it."""
        if self.made != NULL and self.past.log.log.past != NULL:
            if timeshift_exchange(self.past.log.log.past, self.page, self.made):
                self.made = NULL


def pages_in_memory(Past past not None, int64_t most):
    """Return the oldest pages of *past* that are in no file, some *most* bytes."""
    cdef list found = []
    cdef Timeshift* pages = past.log.log.past
    cdef int32_t i, end
    cdef Page* page
    cdef SpoolPage one
    if pages == NULL:
        return found
    # The oldest are moved first, so what is in memory is the end; hours of pages are not walked each time.
    i = end = pages.first + pages.count
    while i > pages.first and pages.pages[i - 1].map == NULL:
        i -= 1
    for i in range(i, end):
        page = pages.pages[i]
        if page.used == 0:
            continue
        if most <= 0:
            break
        one = SpoolPage.__new__(SpoolPage)
        one.past = past
        add32(&page.refs, 1)
        one.page = page
        found.append(one)
        most -= page.used
    return found
