"""Compact start: the newest GOP with its times compressed into the last moments before the live edge.

A player that is sent a compact start decodes the whole GOP at once and is live. Times before the edge are moved up to
it in their order; pictures that are shown from the edge on keep their times, so the log follows unchanged.

Spec: Adobe FLV v10.1, E.4.3 (composition time); Enhanced RTMP v2, video packet types 1 and 3.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from fastflv._ext.core.atomics cimport load_relaxed
from fastflv._ext.core.octets cimport store_be32
from fastflv._ext.log.block cimport Block, as_media_block, block_new
from fastflv._ext.log.log cimport Log, told_ms
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page, Tag
from fastflv._ext.syntax.flvtag cimport (
    COMMAND, CONFIG, DISPOSABLE, LEADING, TAG_AUDIO, TAG_FRAME_BYTES, TAG_HEADER_BYTES, TAG_VIDEO, restamp_tags,
    write_tag_header,
)
from fastflv._ext.syntax.retime cimport (
    TIMES_FIXED, TIMES_NONE, Frame, Frames, add_frame, compress_times, read_times, retimed_size, write_retimed,
)


cdef int collect(Log* log, int64_t since_ms, int64_t audio_before, Frames* video, Frames* audio) noexcept nogil:
    """Collect the pictures of the newest GOP and the audio from *since_ms* on; -1 where times cannot be changed."""
    cdef int64_t key = load_relaxed(&log.key_pos)
    cdef int64_t head = load_relaxed(&log.head)
    cdef int64_t position
    cdef int32_t i, k
    cdef int taken
    cdef Page* page
    cdef Tag* tag
    cdef Frames* frames
    cdef Frame* frame
    for i in range(log.first, log.first + log.count):
        page = log.pages[i]
        if page.start + page.used <= key:
            continue
        for k in range(page.tag_count):
            tag = &page.tags[k]
            position = page.start + tag.offset
            if position < key or position + tag.size > head:
                continue
            if tag.flags & (CONFIG | COMMAND | DISPOSABLE | LEADING):
                continue
            if tag.kind == TAG_AUDIO:
                if tag.dts_ms < since_ms or tag.dts_ms >= audio_before:
                    continue
                frames = audio
            elif tag.kind == TAG_VIDEO:
                frames = video
            else:
                continue
            frame = add_frame(
                frames, tag.kind, page.bytes + tag.offset + TAG_HEADER_BYTES, tag.size - TAG_FRAME_BYTES, tag.dts_ms
            )
            if frame == NULL:
                return -1
            if tag.kind == TAG_VIDEO:
                taken = read_times(frame)
                if taken == TIMES_FIXED:
                    return -1
                if taken == TIMES_NONE:
                    frames.count -= 1
    return 0


cdef inline uint8_t* write_frame(uint8_t* out, const Frame* frame, const Log* log) noexcept nogil:
    """Write one tag with its new times, as players of *log* are told; return the address behind it."""
    cdef uint32_t size = retimed_size(frame)
    write_tag_header(out, frame.kind, size, told_ms(log, frame.out_dts))
    write_retimed(out + TAG_HEADER_BYTES, frame)
    store_be32(out + TAG_HEADER_BYTES + size, size + TAG_HEADER_BYTES)
    return out + TAG_FRAME_BYTES + size


def compact_start(
    MediaLog log not None, *, int64_t span_ms, int64_t audio_before=1 << 62, bint still=False, bytes prefix=b"",
):
    """Return *prefix*, the headers and the newest GOP of a log of FLV tags, for a player that goes on at its head.

    The GOP takes *span_ms* before the newest picture, or 1 ms for each picture where that is longer. Audio is included
    from *span_ms* before the head up to *audio_before* (ms). Left out are disposable and leading pictures. With *still*
    the block holds only the keyframe, at the newest time. Returns None without a keyframe, or when a body holds several
    tracks. Raises MemoryError.
    """
    cdef Frames video, audio
    cdef Py_ssize_t i, v = 0, a = 0
    cdef int64_t total
    cdef uint8_t* out
    cdef bytes headers = log.key_headers
    cdef Block* block
    cdef int64_t last
    if load_relaxed(&log.log.key_pos) < 0:
        return None
    video.rows = audio.rows = NULL
    video.count = audio.count = video.room = audio.room = 0
    try:
        if collect(log.log, log.log.head_dts - span_ms, audio_before, &video, &audio) < 0 or video.count == 0:
            return None
        if still:
            video.count = 1
            # Audio would come before the picture, and TS has to begin with a picture.
            audio.count = 0
            video.rows[0].out_pts += log.log.head_dts - video.rows[0].out_dts
            video.rows[0].out_dts = log.log.head_dts
        else:
            compress_times(&video, span_ms, log.log.epoch_ms)
        total = len(prefix) + len(headers)
        for i in range(video.count):
            total += TAG_FRAME_BYTES + retimed_size(&video.rows[i])
        for i in range(audio.count):
            total += TAG_FRAME_BYTES + audio.rows[i].size
        block = block_new(NULL, <uint32_t>total)
        if block == NULL:
            raise MemoryError
        out = block.bytes
        memcpy(out, <const uint8_t*>prefix, len(prefix))
        out += len(prefix)
        memcpy(out, <const uint8_t*>headers, len(headers))
        last = video.rows[0].out_dts
        restamp_tags(out, len(headers), told_ms(log.log, last))
        out += len(headers)
        while v < video.count or a < audio.count:
            if a == audio.count or (v < video.count and video.rows[v].out_dts <= audio.rows[a].dts):
                out = write_frame(out, &video.rows[v], log.log)
                v += 1
            else:
                out = write_frame(out, &audio.rows[a], log.log)
                a += 1
        return as_media_block(block)
    finally:
        free(video.rows)
        free(audio.rows)
