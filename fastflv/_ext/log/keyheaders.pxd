"""Headers of the newest keyframe, read and replaced by the writer's thread."""

from fastflv._ext.log.medialog cimport MediaLog

cdef bytes newest_key_headers(MediaLog log)
cdef int set_key_headers(MediaLog log, bytes headers) except -1
