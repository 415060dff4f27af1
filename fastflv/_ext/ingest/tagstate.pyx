"""A tag reader as plain values, by which another process goes on within the same tag."""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from fastflv._ext.ingest.tagread cimport TagReader
from fastflv._ext.syntax.flvtag cimport BACK_POINTER_BYTES, FLV_HEADER_BYTES, TAG_HEADER_BYTES, read_tag_header

from fastflv import limits
from fastflv.errors import HandoverError


def tags_state(TagReader reader not None):
    """Return the reader as a dict of plain values. It shows no message."""
    return {
        "has_header": bool(reader.has_header),
        "received": reader.received,
        "dropped": reader.dropped,
        "passing": reader.passing,
        "head": reader.head[:reader.head_size],
        "body": reader.body[:reader.got] if reader.got else b"",
    }


def restore_tags(TagReader reader not None, dict state not None):
    """Have a new reader go on as `tags_state` says.

    Raises HandoverError, PeerError, and what a conversion of a wrong value raises: the reader is of no use then.
    """
    cdef bytes head = state["head"]
    cdef bytes body = state["body"]
    cdef uint64_t passing = state["passing"]
    cdef bint has_header = state["has_header"]
    cdef Py_ssize_t whole = TAG_HEADER_BYTES if has_header else FLV_HEADER_BYTES
    if reader.received or passing > <uint64_t>(limits.FLV_HEADER_BYTES_MAX + BACK_POINTER_BYTES):
        raise HandoverError("a tag reader passes over too much")
    # A tag header may be whole, that of a file is read at once.
    if len(head) > (whole if has_header else whole - 1) or (len(body) and len(head) != whole):
        raise HandoverError("a tag reader has too long a header, or a body without one")
    reader.has_header = has_header
    reader.received = state["received"]
    reader.dropped = state["dropped"]
    reader.passing = passing
    memcpy(reader.head, <const char*>head, len(head))
    reader.head_size = len(head)
    if has_header and len(head) == whole:
        read_tag_header(reader.head, &reader.tag)
        reader.check(&reader.tag)
        if len(body) >= <Py_ssize_t>reader.tag.size:
            raise HandoverError("the body of a tag reader is longer than its tag")
    if body:
        reader.keep(<const uint8_t*><const char*>body, len(body))
