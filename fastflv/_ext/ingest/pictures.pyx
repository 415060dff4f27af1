"""Flags of pictures in the index of the log: where a decoder can start, what leads a keyframe, what is disposable."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from fastflv._ext.ingest.dependency cimport VideoForm, is_disposable, note_key, read_form
from fastflv._ext.log.log cimport Log, has_start
from fastflv._ext.syntax.flvtag cimport DISPOSABLE, KEY, LEADING, TAG_VIDEO, Payload, read_payload

from fastflv import limits

cdef int64_t KEY_WAIT_MS = limits.KEY_WAIT_MS
cdef int64_t KEY_GAP_MS_MAX = limits.KEY_GAP_MS_MAX


@cython.final
cdef class Pictures:
    """The default video track of one publisher after the other. Belongs to the writer's thread."""

    cdef void clear(self) noexcept:
        """Begin with a publisher that has sent no header and no picture."""
        memset(&self.form, 0, sizeof(VideoForm))
        self.start_ms = self.sent_key_ms = -1

    cdef void configure(self, const uint8_t* body, uint32_t size) noexcept:
        """Take the body of a sequence header tag."""
        cdef Payload found
        if read_payload(TAG_VIDEO, body, size, &found):
            read_form(&self.form, found.codec, body + found.at, found.size)

    cdef uint8_t flags_of(
        self, uint8_t flags, int64_t dts_ms, const Payload* found, const uint8_t* body, Log* log
    ) noexcept:
        """Return the flags of a picture: KEY, and LEADING and DISPOSABLE as its coded headers say.

        Where the log has offered no start for its `key_wait_ms`, a picture that others refer to becomes one. That wait
        grows with the interval between the publisher's keyframes.
        """
        cdef bint readable = found != NULL
        if readable and not flags & (KEY | DISPOSABLE) and is_disposable(&self.form, body + found.at, found.size):
            flags |= DISPOSABLE
        if flags & KEY:
            if 0 <= self.sent_key_ms < dts_ms:
                log.key_wait_ms = KEY_WAIT_MS + min(dts_ms - self.sent_key_ms, KEY_GAP_MS_MAX)
            self.sent_key_ms = dts_ms
        if self.start_ms < 0 or dts_ms < self.start_ms:
            self.start_ms = dts_ms
        if not flags & (KEY | DISPOSABLE) and dts_ms - self.start_ms >= log.key_wait_ms and not has_start(log):
            flags |= KEY
        if flags & KEY:
            self.start_ms = dts_ms
            if readable:
                note_key(&self.form, body + found.at, found.size)
                self.key_shown_ms = dts_ms + found.cts_ms
        elif readable and dts_ms + found.cts_ms < self.key_shown_ms:
            flags |= LEADING
        return flags
