"""Views: how readers on other threads pin the pages of a log."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport realloc

from fastflv._ext.core.atomics cimport add32, load_acquire
from fastflv._ext.core.pthreads cimport pthread_mutex_lock, pthread_mutex_unlock
from fastflv._ext.log.log cimport Log
from fastflv._ext.log.page cimport Page, page_drop


cdef void view_clear(View* view) noexcept nogil:
    cdef int32_t i
    for i in range(view.count):
        page_drop(view.pages[i])
    view.count = 0


cdef Page* view_find(const View* view, int64_t position) noexcept nogil:
    """Return the page that holds *position* (or ends there and is the last), NULL when it was trimmed."""
    cdef int32_t i = view.count - 1
    while i >= 0:
        if view.pages[i].start <= position:
            return view.pages[i]
        i -= 1
    return NULL


cdef int view_refresh(View* view, Log* log) noexcept nogil:
    """Pin the present list of pages; -1 without memory. It costs one load while the list has not changed."""
    cdef int32_t i
    cdef Page** grown
    if view.version == load_acquire(&log.version) and view.count:
        return 0
    view_clear(view)
    pthread_mutex_lock(&log.lock)
    if log.count > view.room:
        grown = <Page**>realloc(view.pages, (log.count + 8) * sizeof(Page*))
        if grown == NULL:
            pthread_mutex_unlock(&log.lock)
            return -1
        view.pages = grown
        view.room = log.count + 8
    for i in range(log.count):
        view.pages[i] = log.pages[log.first + i]
        add32(&view.pages[i].refs, 1)
    view.count = log.count
    view.version = log.version
    pthread_mutex_unlock(&log.lock)
    return 0
