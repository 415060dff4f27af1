"""The tags of an FLV file by their headers, for whoever reads files: bodies are passed over, and need not be read.

Spec: Adobe FLV v10.1, E.3 (back pointers), E.4.1 (tags).
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t

from fastflv._ext.core.octets cimport load_be32
from fastflv._ext.syntax.flvtag cimport (
    BACK_POINTER_BYTES, COMMAND, CONFIG, KEY, NOTES, TAG_AUDIO, TAG_FRAME_BYTES, TAG_HEADER_BYTES, TAG_SCRIPT,
    TAG_VIDEO, FlvTag, TagTraits, read_tag_header, read_traits, tag_time,
)

cdef enum:
    TRAITS_BYTES = 32          # of a body, as much as its header has; longer ModEx data is not in use

STATES = ("mark", "more", "end", "torn", "broken", "stop")


@cython.final
cdef class TagWalk:
    """Walk over the tags of a file of *size* bytes, from offset *position* on.

    `feed` takes blocks of the file and returns `(offset, kind, flags, track, time_ms, size)` for each tag that is worth
    a note: keyframes, configurations, video metadata, script data while `scripts` is set, and an audio frame each
    `audio_step_ms`, none where that is negative. *size* there counts the tag with its back pointer.

    Times are unwrapped from 31 bits by the tag before; those of script data and configurations move no clock.
    Back pointers are not checked, as in `TagReader`; but where no tag follows, the one before is whole only if its own
    is right.
    The walker owns no bytes; costs some 5 ns a tag without the GIL.
    """

    def __cinit__(self, int64_t size, int64_t position=0):
        self.size = size
        self.position = position
        self.time_ms = -1
        self.first_ms = -1
        self.scripts = True
        self.audio_step_ms = 1000
        self.audio_ms = -1
        self.stop_ms = -1
        self.state_now = WALK_MORE

    @property
    def state(self):
        return STATES[<int>self.state_now]

    def feed(self, block, int64_t begin):
        """Walk over *block*, the bytes of the file from offset *begin* on.

        It begins 4 bytes before `position`, so that the back pointer there is seen. Afterwards `state` is `more` until
        the walk is over; `position` may lie behind the end of the block.
        """
        cdef Py_buffer view
        cdef Mark mark
        cdef const uint8_t* p
        found = []
        PyObject_GetBuffer(block, &view, PyBUF_SIMPLE)
        try:
            if begin < 0 or begin > self.position:
                raise ValueError("the block begins behind the position of the walk")
            p = <const uint8_t*>view.buf
            while True:
                with nogil:
                    self.state_now = self.step(p, begin, view.len, &mark)
                if self.state_now != WALK_MARK:
                    return found
                found.append((mark.offset, mark.kind, mark.flags, mark.track, mark.time_ms, mark.size))
        finally:
            PyBuffer_Release(&view)

    cdef bint is_damaged(self, const uint8_t* block, int64_t begin) noexcept nogil:
        """Whether the tag before `position` has a wrong back pointer, as far as the block shows."""
        cdef int64_t pointer = self.position - BACK_POINTER_BYTES - begin
        if pointer < 0 or self.last_size == 0 or self.last + self.last_size != self.position:
            return False
        return load_be32(block + pointer) != self.last_size - BACK_POINTER_BYTES

    cdef WalkState step(self, const uint8_t* block, int64_t begin, Py_ssize_t n, Mark* mark) noexcept nogil:
        """Go on to the next tag worth a note, or to the end of the *n* bytes at *block*."""
        cdef FlvTag tag
        cdef TagTraits traits
        cdef int64_t at, there, near
        cdef bint noted
        while True:
            if self.position >= self.size:
                return WALK_END if self.position == self.size else WALK_TORN
            if self.size - self.position < TAG_FRAME_BYTES:
                return WALK_TORN
            at = self.position - begin
            if at < 0 or at + TAG_HEADER_BYTES > n:
                return WALK_MORE
            read_tag_header(block + at, &tag)
            if tag.kind != TAG_AUDIO and tag.kind != TAG_VIDEO and tag.kind != TAG_SCRIPT:
                if self.is_damaged(block, begin):
                    self.position = self.last
                return WALK_BROKEN
            if self.size - self.position < TAG_FRAME_BYTES + <int64_t>tag.size:
                return WALK_TORN
            there = min(n - at - TAG_HEADER_BYTES, <int64_t>tag.size)
            if there < tag.size and there < TRAITS_BYTES:
                return WALK_MORE
            traits = read_traits(tag.kind, tag.body, <Py_ssize_t>there)
            near = self.time_ms if self.time_ms >= 0 else tag.timestamp & 0x7FFFFFFF
            mark.time_ms = tag_time(tag.timestamp, near)
            if tag.kind == TAG_SCRIPT:
                noted = self.scripts
            elif traits.flags & (CONFIG | COMMAND):
                noted = traits.flags & CONFIG or (traits.flags & NOTES and tag.kind == TAG_VIDEO)
            else:
                if mark.time_ms < 0:
                    # A step back over the wrap of a clock that began just behind it.
                    mark.time_ms = 0
                if 0 <= self.stop_ms <= mark.time_ms:
                    return WALK_STOP
                self.time_ms = mark.time_ms
                if self.first_ms < 0:
                    self.first_ms = mark.time_ms
                if tag.kind == TAG_VIDEO:
                    self.has_video = True
                    noted = traits.flags & KEY
                else:
                    self.has_audio = True
                    noted = self.audio_step_ms >= 0 and (
                        self.audio_ms < 0 or mark.time_ms < self.audio_ms
                        or mark.time_ms - self.audio_ms >= self.audio_step_ms
                    )
                    if noted:
                        self.audio_ms = mark.time_ms
            mark.offset = self.position
            mark.kind = tag.kind
            mark.flags = traits.flags
            mark.track = traits.track
            mark.size = tag.size + TAG_FRAME_BYTES
            self.last, self.last_size = self.position, mark.size
            self.position += mark.size
            if noted:
                return WALK_MARK
