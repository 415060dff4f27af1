"""The newest GOP of a publisher on standby, with its sequence headers, as the publisher sent them.

Messages are kept unchanged: the writer that takes them over repairs, times and classifies them as it does with those of
any publisher.

Spec: Adobe FLV v10.1, E.4.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from fastflv._ext.core.octets cimport load_be32
from fastflv._ext.ingest.headers cimport HEADER_STORED, Header, HeaderStore
from fastflv._ext.ingest.sink cimport MediaSink
from fastflv._ext.syntax.flvtag cimport (
    COMMAND, CONFIG, KEY, NOTES, TAG_FRAME_BYTES, TAG_VIDEO, FlvTag, TagTraits, next_tag,
    read_traits, write_tag,
)
from fastflv._ext.syntax.retime cimport (
    TIMES_FIXED, TIMES_NONE, Frame, Frames, add_frame, compress_times, read_times, retimed_size, write_retimed,
)

from fastflv import limits

cdef int64_t BURST_MS = limits.SPLICE_BURST_MS

cdef enum:
    GROWTH = 64 * 1024         # least step by which the memory grows, bytes
    TAG_BODY_MAX = 0xFFFFFF    # FLV has 24 bits for the size of a body


@cython.final
cdef class KeptGop(MediaSink):
    """Messages since the newest keyframe. A GOP beyond a bound is dropped, and the next keyframe begins another.

    *bytes_max*: of a GOP. *pictures_max*: likewise, count; 0: no bound.
    """

    def __cinit__(self, int64_t bytes_max, int pictures_max):
        self.headers = HeaderStore()
        self.bytes_max = bytes_max
        self.pictures_max = pictures_max

    def __dealloc__(self):
        free(self.rows)

    cdef int take(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        """Take one message of audio or video."""
        cdef TagTraits traits
        if size == 0 or size > TAG_BODY_MAX or (kind == TAG_VIDEO and size >= 4 and load_be32(body) == 0):
            # An empty message, or the timecode track of ffmpeg.
            return 0
        traits = read_traits(kind, body, size)
        if traits.flags & (CONFIG | NOTES):
            if self.headers.store(kind, &traits, body, <uint32_t>size) == HEADER_STORED:
                # What is kept belongs to the header before.
                self.drop()
            return 0
        if traits.flags & COMMAND == 0:
            self.newest_time = timestamp
            if kind == TAG_VIDEO:
                self.picture_time = timestamp
                self.shown += 1
                self.pictures += 1
                if traits.flags & KEY and traits.track == 0:
                    self.keys += 1
                    self.used = 0
                    self.pictures = 1
                    self.whole = True
                    self.key_time = timestamp
        if not self.whole:
            return 0
        if self.used + size + TAG_FRAME_BYTES > self.bytes_max or 0 < self.pictures_max < self.pictures:
            self.drop()
            return 0
        return self.append(kind, timestamp, body, <uint32_t>size)

    cdef int64_t span_ms(self) noexcept:
        """Return the time from the keyframe to the newest picture, ms; 0 where no GOP is kept."""
        return max(<int32_t>(self.picture_time - self.key_time), 0) if self.whole else 0

    cdef int64_t fitted_ms(self, int64_t room_ms) noexcept:
        """Return the time that the GOP takes where *room_ms* are left, ms: BURST_MS and 1 ms a picture at least."""
        return min(self.span_ms(), max(room_ms, BURST_MS, <int64_t>self.pictures))

    cdef int replay(self, MediaSink sink, int64_t span_ms) except -1:
        """Give headers and GOP to *sink*, and forget the GOP; *span_ms*: as `fitted_ms` has said."""
        cdef Py_ssize_t at = 0
        cdef bint squeezed = span_ms < self.span_ms()
        cdef uint32_t began = self.picture_time - <uint32_t>span_ms if self.whole else self.newest_time
        cdef FlvTag tag
        cdef Header* header
        cdef int i
        for i in range(self.headers.count):
            header = &self.headers.rows[i]
            sink.take(header.kind, began, header.body, header.size)
        squeezed = squeezed and self.squeeze(sink, span_ms)
        while self.whole and not squeezed and next_tag(self.rows, self.used, &at, &tag):
            # Sound from before the keyframe would fall before what players have.
            if tag.kind == TAG_VIDEO or <int32_t>(tag.timestamp - self.key_time) >= 0:
                sink.take(tag.kind, tag.timestamp, tag.body, tag.size)
        self.drop()
        return 0

    cdef bint squeeze(self, MediaSink sink, int64_t span_ms) except -1:
        """Give *sink* the pictures within *span_ms*, and the sound of that time; False where times are fixed.

        The newest picture keeps its time, so what follows goes on by its own.
        """
        cdef Frames video, audio
        cdef Frames* frames
        cdef Frame* frame
        cdef Py_ssize_t at = 0, v = 0, a = 0
        cdef int64_t whole = self.span_ms(), time
        cdef int found
        cdef FlvTag tag
        cdef uint8_t* body = <uint8_t*>malloc(self.used)
        memset(&video, 0, sizeof(video))
        memset(&audio, 0, sizeof(audio))
        try:
            if body == NULL:
                raise MemoryError
            while next_tag(self.rows, self.used, &at, &tag):
                time = <int32_t>(tag.timestamp - self.key_time)
                if tag.kind != TAG_VIDEO and time < whole - span_ms:
                    continue
                frames = &video if tag.kind == TAG_VIDEO else &audio
                frame = add_frame(frames, tag.kind, tag.body, tag.size, time)
                if frame == NULL:
                    raise MemoryError
                if tag.kind == TAG_VIDEO:
                    found = read_times(frame)
                    if found == TIMES_FIXED:
                        return False
                    if found == TIMES_NONE:
                        video.count -= 1
            if video.count == 0:
                return False
            compress_times(&video, span_ms, whole - span_ms)
            while v < video.count or a < audio.count:
                if a == audio.count or (v < video.count and video.rows[v].out_dts <= audio.rows[a].dts):
                    frame = &video.rows[v]
                    v += 1
                else:
                    frame = &audio.rows[a]
                    a += 1
                write_retimed(body, frame)
                sink.take(frame.kind, self.key_time + <uint32_t>frame.out_dts, body, retimed_size(frame))
            return True
        finally:
            free(body)
            free(video.rows)
            free(audio.rows)

    cdef void drop(self) noexcept:
        """Keep nothing until the next keyframe."""
        free(self.rows)
        self.rows = NULL
        self.used = self.room = 0
        self.whole = False

    cdef int append(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, uint32_t size) except -1:
        cdef Py_ssize_t needed = self.used + size + TAG_FRAME_BYTES
        cdef Py_ssize_t room
        cdef uint8_t* grown
        if needed > self.room:
            room = max(needed, self.room + max(self.room // 2, <Py_ssize_t>GROWTH))
            grown = <uint8_t*>realloc(self.rows, room)
            if grown == NULL:
                raise MemoryError
            self.rows = grown
            self.room = room
        write_tag(self.rows + self.used, kind, body, size, timestamp)
        # Times of tags have 31 bits, those of messages 32.
        self.rows[self.used + 7] = timestamp >> 24
        self.used = needed
        return 0
