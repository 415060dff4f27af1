"""Memory that goes back to the system: where pages and large blocks are.

The heap of the C library keeps what is free below anything that is not, so a server stays at its peak: of 300 streams
whose GOPs begin at the same moment it kept the whole of all GOPs, and kept it when they had gone. Here memory is taken
in extents and given out in frames, lowest first. Pages live for a GOP, so the last extents become empty, and go.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, munmap

from fastflv._ext.core.pthreads cimport (
    pthread_atfork, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_t, pthread_mutex_unlock,
)

cdef extern from *:
    """
    /* The address sanitizer sees what is touched outside of an allocation of malloc, and nothing within an extent. */
    #ifdef __SANITIZE_ADDRESS__
    #define FF_BY_MALLOC 1
    #else
    #define FF_BY_MALLOC 0
    #endif
    static inline int ff_lowest_bit(uint64_t bits) { return __builtin_ctzll(bits); }
    """
    const bint BY_MALLOC "FF_BY_MALLOC"
    int lowest_bit "ff_lowest_bit"(uint64_t bits) noexcept nogil

cdef extern from "<sys/mman.h>" nogil:
    int madvise(void* start, size_t size, int advice)
    int MADV_NOHUGEPAGE

cdef enum:
    FRAME = 16384                   # bytes; a page of a camera, so that what one leaves fits the next
    FRAMES = 64                     # of an extent
    WORDS = FRAMES // 64
    EXTENT = FRAME * FRAMES         # bytes, and its alignment: an address tells whose it is
    FREE_LEAST = FRAMES // 2        # frames that stay free, so that one page more or less does not map an extent anew
    LARGE = FRAMES // 2 - 1         # above so many frames an allocation is a mapping of its own; two of these fit

cdef struct Extent:
    # It lies in its own first frame, which is never given out.
    uint64_t used[WORDS]            # a bit for each frame: given out
    int32_t used_count
    int32_t index                   # in the lists of the arena


cdef struct Arena:
    pthread_mutex_t lock            # guards what follows
    Extent** extents                # owned, in the order in which they are filled
    int32_t* longest                # owned, of each: no run of its free frames is longer; apart, for the search
    int32_t count
    int32_t room
    int32_t used                    # frames of all extents
    int32_t empty                   # extents of which nothing is given out
    int64_t large                   # bytes of the mappings that are no extents


cdef Arena arena                    # of the process; zero at first
pthread_mutex_init(&arena.lock, NULL)
pthread_atfork(lock_arena, unlock_arena, unlock_arena)


cdef void lock_arena() noexcept nogil:
    # Around a fork too: in the child no other thread could unlock it.
    pthread_mutex_lock(&arena.lock)


cdef void unlock_arena() noexcept nogil:
    pthread_mutex_unlock(&arena.lock)


# --- frames of one extent; the caller holds the lock ----------------------------------------

cdef inline int32_t next_frame(const Extent* extent, bint used, int32_t at) noexcept nogil:
    """Return the first frame from *at* on that is used or is not, FRAMES without one."""
    cdef uint64_t flip = 0 if used else ~<uint64_t>0
    cdef int32_t word = at >> 6
    cdef uint64_t found
    if at >= FRAMES:
        return FRAMES
    found = (extent.used[word] ^ flip) & (~<uint64_t>0 << (at & 63))
    while found == 0:
        word += 1
        if word == WORDS:
            return FRAMES
        found = extent.used[word] ^ flip
    return word * 64 + lowest_bit(found)


cdef int32_t find_run(const Extent* extent, int32_t count) noexcept nogil:
    """Return where *count* free frames begin, 0: nowhere; then note how long the longest run is."""
    cdef int32_t longest = 0
    cdef int32_t start = next_frame(extent, False, 1)
    cdef int32_t end
    while start < FRAMES:
        end = next_frame(extent, True, start)
        if end - start >= count:
            return start
        longest = max(longest, end - start)
        start = next_frame(extent, False, end)
    arena.longest[extent.index] = longest
    return 0


cdef int32_t run_around(const Extent* extent, int32_t at) noexcept nogil:
    """Return how long the run of free frames is in which *at* lies."""
    cdef int32_t start = at
    while not extent.used[(start - 1) >> 6] >> ((start - 1) & 63) & 1:
        start -= 1
    return next_frame(extent, True, at) - start


cdef void* take_run(Extent* extent, int32_t start, int32_t frames) noexcept nogil:
    cdef int32_t i
    for i in range(start, start + frames):
        extent.used[i >> 6] |= <uint64_t>1 << (i & 63)
    arena.empty -= extent.used_count == 0
    extent.used_count += frames
    arena.used += frames
    return <uint8_t*>extent + start * FRAME


# --- extents --------------------------------------------------------------------------------

cdef Extent* map_extent() noexcept nogil:
    """Return a new extent, NULL without memory. No lock is held: the system call may wait."""
    cdef uint8_t* mapped = <uint8_t*>mmap(
        NULL, 2 * EXTENT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0
    )
    cdef uint8_t* start
    if <void*>mapped == MAP_FAILED:
        return NULL
    start = <uint8_t*>((<uintptr_t>mapped + EXTENT - 1) & ~<uintptr_t>(EXTENT - 1))
    if start > mapped:
        munmap(mapped, start - mapped)
    munmap(start + EXTENT, mapped + EXTENT - start)
    # Advice: a system without huge pages refuses it, and nothing is lost.
    madvise(start, EXTENT, MADV_NOHUGEPAGE)
    (<Extent*>start).used[0] = 1
    return <Extent*>start


cdef bint add_extent(Extent* extent) noexcept nogil:
    """Fill *extent* last from now on; False without memory. The caller holds the lock."""
    cdef int32_t room = arena.room * 2 + 8
    cdef void* grown
    if arena.count == arena.room:
        grown = realloc(arena.extents, room * sizeof(Extent*))
        if grown == NULL:
            return False
        arena.extents = <Extent**>grown
        grown = realloc(arena.longest, room * sizeof(int32_t))
        if grown == NULL:
            return False
        arena.longest = <int32_t*>grown
        arena.room = room
    extent.index = arena.count
    arena.extents[arena.count] = extent
    arena.longest[arena.count] = FRAMES - 1
    arena.count += 1
    arena.empty += 1
    return True


cdef Extent* take_empty() noexcept nogil:
    """Return an empty extent that is to be unmapped, NULL: none is. Room for the next pages stays.

    The caller holds the lock.
    """
    cdef int32_t free_elsewhere = (arena.count - 1) * (FRAMES - 1) - arena.used
    cdef int32_t at = arena.count - 1
    cdef int32_t i
    cdef Extent* found
    if arena.empty == 0 or free_elsewhere < FREE_LEAST:
        return NULL
    while arena.extents[at].used_count:
        at -= 1
    found = arena.extents[at]
    arena.count -= 1
    arena.empty -= 1
    memmove(arena.extents + at, arena.extents + at + 1, (arena.count - at) * sizeof(Extent*))
    memmove(arena.longest + at, arena.longest + at + 1, (arena.count - at) * sizeof(int32_t))
    for i in range(at, arena.count):
        arena.extents[i].index = i
    return found


cdef void* take_frames(int32_t frames) noexcept nogil:
    """Return so many frames of the first extent that has them, NULL: none has. The caller holds the lock."""
    cdef int32_t i, start
    for i in range(arena.count):
        if arena.longest[i] >= frames:
            start = find_run(arena.extents[i], frames)
            if start:
                return take_run(arena.extents[i], start, frames)
    return NULL


cdef void* take_large(size_t whole) noexcept nogil:
    cdef void* room = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if room == MAP_FAILED:
        return NULL
    lock_arena()
    arena.large += whole
    unlock_arena()
    return room


# --- what others call -----------------------------------------------------------------------

cdef void* arena_take(size_t size, size_t* whole) noexcept nogil:
    """Return memory for *size* bytes, NULL without any; *whole* becomes what there is, which `arena_give` is told."""
    cdef Extent* extent
    cdef void* room
    cdef int32_t frames
    if BY_MALLOC:
        whole[0] = size
        return malloc(size)
    whole[0] = (size + FRAME - 1) // FRAME * FRAME
    if whole[0] > LARGE * FRAME:
        return take_large(whole[0])
    frames = <int32_t>(whole[0] // FRAME)
    lock_arena()
    room = take_frames(frames)
    unlock_arena()
    if room != NULL:
        return room
    extent = map_extent()
    if extent == NULL:
        return NULL
    lock_arena()
    if add_extent(extent):
        room = take_run(extent, 1, frames)
    unlock_arena()
    if room == NULL:
        munmap(extent, EXTENT)
    return room


cdef void arena_give(void* room, size_t whole) noexcept nogil:
    """Take back what `arena_take` returned."""
    cdef Extent* extent = <Extent*>(<uintptr_t>room & ~<uintptr_t>(EXTENT - 1))
    cdef int32_t start = <int32_t>((<uintptr_t>room & (EXTENT - 1)) // FRAME)
    cdef int32_t frames = <int32_t>(whole // FRAME)
    cdef int32_t i
    if BY_MALLOC:
        free(room)
        return
    if whole > LARGE * FRAME:
        lock_arena()
        arena.large -= whole
        unlock_arena()
        munmap(room, whole)
        return
    lock_arena()
    for i in range(start, start + frames):
        extent.used[i >> 6] &= ~(<uint64_t>1 << (i & 63))
    arena.longest[extent.index] = max(arena.longest[extent.index], run_around(extent, start))
    extent.used_count -= frames
    arena.used -= frames
    arena.empty += extent.used_count == 0
    extent = take_empty()
    unlock_arena()
    if extent != NULL:
        munmap(extent, EXTENT)


def arena_bytes():
    """Return what is given out, and what is mapped for it, bytes."""
    cdef int64_t used, mapped
    # Objects are made without the lock: a collection of cycles may free what lies here.
    lock_arena()
    used = <int64_t>arena.used * FRAME + arena.large
    mapped = <int64_t>arena.count * EXTENT + arena.large
    unlock_arena()
    return used, mapped
