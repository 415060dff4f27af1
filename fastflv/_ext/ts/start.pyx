"""Start blocks of MPEG-TS players: FLV tags as packets that the log continues."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from fastflv._ext.log.block cimport Block, as_media_block, block_new
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page
from fastflv._ext.ts.mux cimport TsMux
from fastflv._ext.ts.packet cimport TS_BYTES
from fastflv._ext.ts.program cimport Program

cdef int64_t FOREVER_MS = 1 << 40


def audio_not_written_ms(TsMux live not None):
    """Return the time of the first audio frame that *live* has gathered and not written, ms; far off without one."""
    return live.gathered_ms if live.gathered_size else FOREVER_MS


def tags_as_ts(TsMux live not None, const uint8_t[::1] tags not None):
    """Return whole FLV *tags* as a block of MPEG-TS with the tables of *live*; counters of its log follow on from it.

    A block may have megabytes, which nobody else waits for long: they are written once and copied once.
    """
    cdef MediaLog out = MediaLog(keep_ms=FOREVER_MS)
    cdef TsMux twin = TsMux(MediaLog(), out, live.describe)
    cdef Program* program = &twin.program
    cdef Page* page
    cdef Block* block
    cdef uint8_t* p
    cdef int32_t i
    cdef int64_t at = 0
    program[0] = live.program
    twin.length_size = live.length_size
    twin.sets = live.sets
    twin.adts = live.adts
    program.counter = program.video.counter = program.audio.counter = 0
    twin.source.log.epoch_ms = live.source.log.epoch_ms
    if tags.shape[0]:
        twin.take_block(&tags[0], tags.shape[0], live.source.log.head_dts)
    twin.flush_audio(False)
    out.publish(True)
    block = block_new(NULL, <uint32_t>(out.head - out.tail))
    if block == NULL:
        raise MemoryError
    p = block.bytes
    for i in range(out.log.first, out.log.first + out.log.count):
        page = out.log.pages[i]
        memcpy(p + at, page.bytes, <size_t>page.used)
        at += page.used
    for at in range(0, block.size, TS_BYTES):
        count_on(p + at, &live.program, program)
    return as_media_block(block)


cdef void count_on(uint8_t* packet, const Program* live, const Program* twin) noexcept nogil:
    """Have the counter of *packet*, which *twin* has written, be one that *live* follows on from."""
    cdef int pid = (packet[1] & 0x1F) << 8 | packet[2]
    cdef int step
    if pid == live.video.entry.pid:
        step = live.video.counter - twin.video.counter
    elif pid == live.audio.entry.pid:
        step = live.audio.counter - twin.audio.counter
    else:
        step = live.counter - twin.counter
    packet[3] = (packet[3] & 0xF0) | ((packet[3] + step) & 15)
