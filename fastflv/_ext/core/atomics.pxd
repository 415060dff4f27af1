"""Atomic loads and stores with their memory order in the name. Header only."""

from libc.stdint cimport int32_t, int64_t

cdef extern from *:
    """
    #include <stdint.h>
    static inline int64_t ff_load_acquire(const int64_t* p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline int64_t ff_load_relaxed(const int64_t* p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
    static inline void ff_store_release(int64_t* p, int64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline void ff_store_relaxed(int64_t* p, int64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
    static inline int32_t ff_load32_acquire(const int32_t* p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline int32_t ff_load32_relaxed(const int32_t* p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
    static inline void ff_store32_release(int32_t* p, int32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline void ff_store32_relaxed(int32_t* p, int32_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
    static inline int32_t ff_exchange32(int32_t* p, int32_t v) { return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL); }
    static inline int32_t ff_add32(int32_t* p, int32_t v) { return __atomic_add_fetch(p, v, __ATOMIC_ACQ_REL); }
    static inline int64_t ff_add_relaxed(int64_t* p, int64_t v) { return __atomic_add_fetch(p, v, __ATOMIC_RELAXED); }
    static inline void ff_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
    """
    int64_t load_acquire "ff_load_acquire"(const int64_t* p) noexcept nogil
    int64_t load_relaxed "ff_load_relaxed"(const int64_t* p) noexcept nogil
    void store_release "ff_store_release"(int64_t* p, int64_t v) noexcept nogil
    void store_relaxed "ff_store_relaxed"(int64_t* p, int64_t v) noexcept nogil
    int32_t load32_acquire "ff_load32_acquire"(const int32_t* p) noexcept nogil
    int32_t load32_relaxed "ff_load32_relaxed"(const int32_t* p) noexcept nogil
    void store32_release "ff_store32_release"(int32_t* p, int32_t v) noexcept nogil
    void store32_relaxed "ff_store32_relaxed"(int32_t* p, int32_t v) noexcept nogil
    int32_t exchange32 "ff_exchange32"(int32_t* p, int32_t v) noexcept nogil
    int32_t add32 "ff_add32"(int32_t* p, int32_t v) noexcept nogil
    int64_t add_relaxed "ff_add_relaxed"(int64_t* p, int64_t v) noexcept nogil
    void fence "ff_fence"() noexcept nogil
