"""Start blocks of MPEG-TS players: FLV tags as packets that the log continues."""

from libc.stdint cimport int64_t, uint8_t

from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.ts.mux cimport TsMux
from fastflv._ext.ts.packet cimport TS_BYTES
from fastflv._ext.ts.program cimport Program

cdef int64_t FOREVER_MS = 1 << 40


def audio_not_written_ms(TsMux live not None):
    """Return the time of the first audio frame that *live* has gathered and not written, ms; far off without one."""
    return live.gathered_ms if live.gathered_size else FOREVER_MS


def tags_as_ts(TsMux live not None, bytes tags not None):
    """Return whole FLV *tags* as MPEG-TS with the tables of *live*; the counters of its log follow on from these."""
    cdef MediaLog out = MediaLog(keep_ms=FOREVER_MS)
    cdef TsMux twin = TsMux(MediaLog(), out, live.describe)
    cdef Program* program = &twin.program
    cdef uint8_t* p
    cdef Py_ssize_t at
    cdef int pid, step
    cdef bytearray packets
    program[0] = live.program
    twin.length_size = live.length_size
    twin.sets = live.sets
    twin.adts = live.adts
    program.counter = program.video.counter = program.audio.counter = 0
    twin.source.log.epoch_ms = live.source.log.epoch_ms
    twin.take_block(tags, len(tags), live.source.log.head_dts)
    twin.flush_audio(False)
    out.publish(True)
    packets = bytearray(out.read(out.tail, out.head))
    p = packets
    for at in range(0, len(packets), TS_BYTES):
        pid = (p[at + 1] & 0x1F) << 8 | p[at + 2]
        if pid == live.program.video.entry.pid:
            step = live.program.video.counter - program.video.counter
        elif pid == live.program.audio.entry.pid:
            step = live.program.audio.counter - program.audio.counter
        else:
            step = live.program.counter - program.counter
        p[at + 3] = (p[at + 3] & 0xF0) | ((p[at + 3] + step) & 15)
    return bytes(packets)
