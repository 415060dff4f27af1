"""Tags of a log as Python objects: views of pages that stay while the objects do."""

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.core.atomics cimport add32
from fastflv._ext.log.page cimport Page, Tag, page_drop
from fastflv._ext.syntax.flvtag cimport (
    COMMAND, CONFIG, KEY, TAG_FRAME_BYTES, TAG_VIDEO, FlvTag, Payload, next_tag, read_payload,
    read_tag_header, read_traits, write_tag,
)


@cython.final
cdef class PinnedBytes:
    """Counts the memory that the views of one reader keep. A page counts in full, also while the log has it too."""


@cython.final
@cython.no_gc
cdef class PagePin:
    """Keeps one page while views of it exist. Freed on any thread that holds the lock of the interpreter."""

    def __dealloc__(self):
        if self.page != NULL:
            self.pins.held -= self.page.capacity
            page_drop(self.page)


@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class MediaTag:
    """One FLV tag of a stream. As a buffer it is the tag's body, read only and not copied.

    The body stays in memory while the tag or a view of it exists: it pins its page, 64 KiB to 1 MiB or one larger tag.
    Keep `bytes(tag.payload)` of what is kept for long.
    """

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, <void*>self.body, self.size, True, flags)

    def __repr__(self):
        key = " keyframe" if self.keyframe else ""
        return f"<MediaTag kind={self.kind} time={self.time}{key} {self.size} bytes>"

    @property
    def payload(self):
        """The tag's body, with the header of its codec: a view that is not copied."""
        return memoryview(self)

    @property
    def data(self):
        """The coded bytes of the default track: a frame, or a decoder configuration where `config`; may be empty."""
        cdef Payload found
        if not read_payload(self.kind, self.body, self.size, &found):
            return memoryview(self)[:0]
        return memoryview(self)[found.at:found.at + found.size]

    @property
    def cts(self):
        """What to add to `time` for the time of presentation, ms; 0 for audio."""
        cdef Payload found
        return found.cts_ms if read_payload(self.kind, self.body, self.size, &found) else 0

    @property
    def codec(self):
        """FourCC as a number, or the codec id or sound format of FLV below 16; 0 for script data."""
        return read_traits(self.kind, self.body, self.size).codec

    @property
    def keyframe(self):
        """A picture at which a decoder can start."""
        return self.kind == TAG_VIDEO and self.flags & KEY != 0 and self.flags & (CONFIG | COMMAND) == 0

    @property
    def config(self):
        """A sequence header: the configuration of a decoder, no picture and no sound."""
        return self.flags & CONFIG != 0

    def to_bytes(self, *, time=None):
        """Return the whole FLV tag with header and back pointer, a copy. *time*: instead of its own, ms."""
        cdef bytes out = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>self.size + TAG_FRAME_BYTES)
        cdef int64_t at = self.time if time is None else time
        write_tag(<uint8_t*>PyBytes_AS_STRING(out), self.kind, self.body, self.size, at)
        return out


cdef PagePin pin_page(Page* page, PinnedBytes pins):
    """Keep *page* until the object returned is freed."""
    cdef PagePin pin = PagePin.__new__(PagePin)
    pin.pins = pins
    pin.page = page
    add32(&page.refs, 1)
    pins.held += page.capacity
    return pin


cdef MediaTag tag_at(object owner, const uint8_t* start, uint32_t size, uint8_t flags):
    """Return the tag that begins at *start* within *owner*; *size*: of its body."""
    cdef MediaTag made = MediaTag.__new__(MediaTag)
    cdef FlvTag tag
    read_tag_header(start, &tag)
    made.owner = owner
    made.body = tag.body
    made.size = size
    made.flags = flags
    made.kind = tag.kind
    made.time = tag.timestamp
    return made


cdef MediaTag tag_in_page(PagePin pin, const Tag* tag):
    """Return an entry of a page as an object."""
    return tag_at(pin, pin.page.bytes + tag.offset, tag.size - TAG_FRAME_BYTES, tag.flags)


cdef list tags_in_bytes(bytes run):
    """Return the whole tags of *run*."""
    cdef list found = []
    cdef const uint8_t* p = <const uint8_t*>PyBytes_AS_STRING(run)
    cdef Py_ssize_t at = 0
    cdef FlvTag tag
    while next_tag(p, PyBytes_GET_SIZE(run), &at, &tag):
        found.append(tag_at(run, tag.start, tag.size, read_traits(tag.kind, tag.body, tag.size).flags))
    return found


def read_tags(bytes run not None, *, bint jumped=False):
    """Return the whole tags of *run*, FLV tags without a file header, as views of it. *jumped*: of the first one."""
    cdef list found = tags_in_bytes(run)
    if found:
        (<MediaTag>found[0]).jumped = jumped
    return found
