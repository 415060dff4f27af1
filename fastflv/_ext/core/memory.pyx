"""What the process holds of memory besides what it has asked for: free heap, and code that has run once."""

from libc.stdint cimport uintptr_t
from posix.unistd cimport _SC_PAGESIZE, sysconf

cdef extern from *:
    """
    /* musl gives free memory back by itself. */
    #include <malloc.h>
    #ifdef __GLIBC__
    #define FF_TRIM_HEAP() malloc_trim(0)
    #else
    #define FF_TRIM_HEAP() 0
    #endif
    """
    int malloc_trim "FF_TRIM_HEAP"() nogil

cdef extern from "<sys/mman.h>" nogil:
    int madvise(void* start, size_t size, int advice)
    int MADV_DONTNEED

cdef extern from "<elf.h>" nogil:
    int PT_LOAD
    int PF_W

cdef extern from "<link.h>" nogil:
    ctypedef struct Segment "ElfW(Phdr)":
        int p_type
        int p_flags
        uintptr_t p_vaddr
        uintptr_t p_memsz
    struct dl_phdr_info:
        uintptr_t dlpi_addr
        const Segment* dlpi_phdr
        int dlpi_phnum
    int dl_iterate_phdr(int (*each)(dl_phdr_info* loaded, size_t size, void* page) noexcept nogil, void* page)


cdef int unmap_code(dl_phdr_info* loaded, size_t size, void* data) noexcept nogil:
    cdef uintptr_t page = (<uintptr_t*>data)[0], start, end
    cdef const Segment* segment
    cdef int i
    for i in range(loaded.dlpi_phnum):
        segment = &loaded.dlpi_phdr[i]
        # What is not writable is as it is in the file: relocations are in segments that were writable.
        if segment.p_type == PT_LOAD and not segment.p_flags & PF_W:
            start = (loaded.dlpi_addr + segment.p_vaddr) & ~(page - 1)
            end = (loaded.dlpi_addr + segment.p_vaddr + segment.p_memsz + page - 1) & ~(page - 1)
            madvise(<void*>start, end - start, MADV_DONTNEED)
    return 0


def forget_code():
    """Take the code of all libraries out of the process. What runs again comes back from the kernel's cache.

    A start runs much that a server never runs again: half of 14 MB. Each 64 KB that come back cost some microseconds.
    """
    cdef uintptr_t page = sysconf(_SC_PAGESIZE)
    dl_iterate_phdr(unmap_code, &page)


def trim_heap():
    """Give free memory of the C library's heap back to the system, where that has a call for it."""
    with nogil:
        malloc_trim()
