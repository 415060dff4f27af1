"""What the process holds of memory besides what it has asked for: free heap, and code that has run once."""

from libc.stdint cimport intptr_t, uintptr_t
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
    int PT_LOAD, PT_DYNAMIC, PF_W, DT_NULL, DT_TEXTREL, DT_FLAGS, DF_TEXTREL

cdef extern from "<link.h>" nogil:
    ctypedef struct Segment "ElfW(Phdr)":
        int p_type
        int p_flags
        uintptr_t p_vaddr
        uintptr_t p_memsz
    ctypedef struct Entry "ElfW(Dyn)":
        intptr_t d_tag
        uintptr_t value "d_un.d_val"
    struct dl_phdr_info:
        uintptr_t dlpi_addr
        const Segment* dlpi_phdr
        int dlpi_phnum
    int dl_iterate_phdr(int (*each)(dl_phdr_info* loaded, size_t size, void* page) noexcept nogil, void* page)


cdef bint has_relocated_code(const dl_phdr_info* loaded) noexcept nogil:
    """Whether the loader has written to segments that are not writable; compilers make such code on request only."""
    cdef const Entry* entry
    cdef int i
    for i in range(loaded.dlpi_phnum):
        if loaded.dlpi_phdr[i].p_type == PT_DYNAMIC:
            entry = <const Entry*>(loaded.dlpi_addr + loaded.dlpi_phdr[i].p_vaddr)
            while entry.d_tag != DT_NULL:
                if entry.d_tag == DT_TEXTREL or (entry.d_tag == DT_FLAGS and entry.value & DF_TEXTREL):
                    return True
                entry += 1
    return False


cdef int unmap_code(dl_phdr_info* loaded, size_t size, void* data) noexcept nogil:
    cdef uintptr_t page = (<uintptr_t*>data)[0], start, end
    cdef const Segment* segment
    cdef int i
    if has_relocated_code(loaded):
        return 0
    for i in range(loaded.dlpi_phnum):
        segment = &loaded.dlpi_phdr[i]
        # What is not writable is as it is in the file.
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
