"""Compact start: the newest GOP with its times compressed into the last moments before the live edge.

A player that is sent a compact start decodes the whole GOP at once and is live. Times before the edge are moved up to
it in their order; pictures that are shown from the edge on keep their times, so the log follows unchanged.

Spec: Adobe FLV v10.1, E.4.3 (composition time); Enhanced RTMP v2, video packet types 1 and 3.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from fastflv._ext.core.atomics cimport load_relaxed
from fastflv._ext.core.octets cimport store_be24, store_be32
from fastflv._ext.log.block cimport Block, as_media_block, block_new
from fastflv._ext.log.log cimport Log, told_ms
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page, Tag
from fastflv._ext.syntax.flvtag cimport (
    AV1_ID, AVC1, AVC_ID, COMMAND, CONFIG, DISPOSABLE, HEVC_ID, HVC1, LEADING, TAG_AUDIO, TAG_FRAME_BYTES,
    TAG_HEADER_BYTES, TAG_VIDEO, VVC1, Payload, read_payload, restamp_tags, write_tag_header,
)

cdef enum:
    CTS_BYTES = 3
    EXTENDED = 0x80
    TYPE_CODED = 1             # Enhanced RTMP: coded frames with a composition time
    TYPE_MODEX = 7
    TYPE_MULTITRACK = 6
    CTS_MAX = 0x7FFFFF

cdef enum Form:                # place of the composition time in a body
    FORM_NONE                  # the codec has none: shown when decoded
    FORM_FIELD                 # the three bytes before the data
    FORM_LEFT_OUT              # no field: the time is 0


cdef struct Item:
    const uint8_t* body        # borrowed from the log
    uint32_t size              # of it, bytes
    uint32_t at                # of the data in it
    uint8_t kind
    uint8_t form
    int64_t dts                # ms, as published
    int64_t pts
    int64_t out_dts            # ms, as written
    int64_t out_pts


cdef struct Items:
    Item* rows                 # owned
    Py_ssize_t count
    Py_ssize_t room


cdef Item* add_item(Items* items) noexcept nogil:
    cdef Item* grown
    if items.count == items.room:
        grown = <Item*>realloc(items.rows, (2 * items.room + 64) * sizeof(Item))
        if grown == NULL:
            return NULL
        items.rows = grown
        items.room = 2 * items.room + 64
    items.count += 1
    return &items.rows[items.count - 1]


cdef int read_picture(Item* item) noexcept nogil:
    """Find the times of a video frame. 1: take it, 0: leave it out, -1: its times cannot be changed."""
    cdef Payload found
    cdef uint8_t first = item.body[0] if item.size else 0
    if not read_payload(TAG_VIDEO, item.body, item.size, &found) or found.packet != 1:
        return 0
    item.at = found.at
    item.pts = item.out_pts = item.dts + found.cts_ms
    item.form = FORM_NONE
    if not first & EXTENDED:
        if found.codec == AVC_ID or found.codec == HEVC_ID or found.codec == AV1_ID:
            item.form = FORM_FIELD
        return 1
    if first & 0x0F == TYPE_MULTITRACK or first & 0x0F == TYPE_MODEX:
        return -1
    if found.codec == AVC1 or found.codec == HVC1 or found.codec == VVC1:
        item.form = FORM_FIELD if first & 0x0F == TYPE_CODED else FORM_LEFT_OUT
    return 1


cdef int collect(Log* log, int64_t since_ms, int64_t audio_before, Items* video, Items* audio) noexcept nogil:
    """Collect the pictures of the newest GOP and the audio from *since_ms* on; -1 where times cannot be changed."""
    cdef int64_t key = load_relaxed(&log.key_pos)
    cdef int64_t head = load_relaxed(&log.head)
    cdef int64_t position
    cdef int32_t i, k
    cdef int taken
    cdef Page* page
    cdef Tag* tag
    cdef Items* items
    cdef Item* item
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
                items = audio
            elif tag.kind == TAG_VIDEO:
                items = video
            else:
                continue
            item = add_item(items)
            if item == NULL:
                return -1
            item.body = page.bytes + tag.offset + TAG_HEADER_BYTES
            item.size = tag.size - TAG_FRAME_BYTES
            item.at = 0
            item.kind = tag.kind
            item.form = FORM_NONE
            item.dts = item.pts = item.out_dts = item.out_pts = tag.dts_ms
            if tag.kind == TAG_VIDEO:
                taken = read_picture(item)
                if taken < 0:
                    return -1
                if taken == 0:
                    items.count -= 1
    return 0


cdef void compress_times(Items* video, int64_t span, int64_t least) noexcept nogil:
    """Move the pictures' times so that the first is decoded *span* ms before the last, or 1 ms for each picture.

    Both times pass through one rising map, which keeps times from the last decode time on. So the order of presentation
    stays, also against the pictures that follow in the log. Equal decode times are then made distinct from the end
    backwards, only ever earlier but not before *least*, so that no picture is shown before it is decoded.
    """
    cdef Py_ssize_t i
    cdef Item* row
    cdef int64_t last = video.rows[video.count - 1].dts
    cdef int64_t whole = last - video.rows[0].dts
    cdef int64_t before = last + 1
    span = max(span, <int64_t>video.count)
    for i in range(video.count - 1, -1, -1):
        row = &video.rows[i]
        if whole > span:
            if row.dts < last:
                row.out_dts = last - (last - row.dts) * span // whole
            if row.pts < last:
                row.out_pts = last - (last - row.pts) * span // whole
        row.out_dts = max(min(row.out_dts, before - 1), least)
        before = row.out_dts


cdef inline uint32_t written_size(const Item* item) noexcept nogil:
    cdef bint longer = item.form == FORM_LEFT_OUT and item.out_pts != item.out_dts
    return TAG_FRAME_BYTES + item.size + (CTS_BYTES if longer else 0)


cdef uint8_t* write_item(uint8_t* out, const Item* item, const Log* log) noexcept nogil:
    """Write one tag with its new times, as players of *log* are told; return the address behind it."""
    cdef uint32_t size = written_size(item) - TAG_FRAME_BYTES
    cdef uint8_t* body = out + TAG_HEADER_BYTES
    cdef int64_t cts = min(item.out_pts - item.out_dts, <int64_t>CTS_MAX)
    write_tag_header(out, item.kind, size, told_ms(log, item.out_dts))
    if size == item.size:
        memcpy(body, item.body, size)
        if item.form == FORM_FIELD:
            store_be24(body + item.at - CTS_BYTES, <uint32_t>cts & 0xFFFFFF)
    else:
        memcpy(body, item.body, item.at)
        body[0] = (body[0] & 0xF0) | TYPE_CODED
        store_be24(body + item.at, <uint32_t>cts & 0xFFFFFF)
        memcpy(body + item.at + CTS_BYTES, item.body + item.at, item.size - item.at)
    store_be32(body + size, size + TAG_HEADER_BYTES)
    return body + size + 4


def compact_start(
    MediaLog log not None, *, int64_t span_ms, int64_t audio_before=1 << 62, bint still=False, bytes prefix=b"",
):
    """Return *prefix*, the headers and the newest GOP of a log of FLV tags, for a player that goes on at its head.

    The GOP takes *span_ms* before the newest picture, or 1 ms for each picture where that is longer. Audio is included
    from *span_ms* before the head up to *audio_before* (ms). Left out are disposable and leading pictures. With *still*
    the block holds only the keyframe, at the newest time. Returns None without a keyframe, or when a body holds several
    tracks. Raises MemoryError.
    """
    cdef Items video, audio
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
            total += written_size(&video.rows[i])
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
                out = write_item(out, &video.rows[v], log.log)
                v += 1
            else:
                out = write_item(out, &audio.rows[a], log.log)
                a += 1
        return as_media_block(block)
    finally:
        free(video.rows)
        free(audio.rows)
