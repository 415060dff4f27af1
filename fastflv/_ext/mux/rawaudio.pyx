"""Audio without a container: ADTS frames for `.aac`, frames as they are for `.mp3`.

Spec: ISO 14496-3, 1.A.2.2 (ADTS).
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from fastflv._ext.core.octets cimport load_be16
from fastflv._ext.log.log cimport log_commit, log_reserve
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.mux.remux cimport Remux
from fastflv._ext.syntax.adts cimport AdtsFields, adts_size, set_adts, write_adts
from fastflv._ext.syntax.flvtag cimport COMMAND, CONFIG, TAG_AUDIO, Payload, is_aac, read_payload

cdef enum:
    DOT_MP3 = 0x2E6D7033


@cython.final
cdef class AudioMux(Remux):
    """The audio of the default track; the log has no video, so players start at its head.

    *container*: `aac` or `mp3`. *describe* reads AAC headers (see fastflv.containers.mpegts). Broken frames and audio
    of another codec are left out and counted in `skipped`.
    """

    cdef object describe
    cdef bint is_aac
    cdef bint known            # `adts` is set
    cdef AdtsFields adts

    def __init__(self, MediaLog source not None, MediaLog log not None, describe, str container not None):
        Remux.__init__(self, source, log)
        self.carries_video = False
        if container not in ("aac", "mp3"):
            raise ValueError(f"no raw audio as {container}")
        self.describe = describe
        self.is_aac = container == "aac"

    def resume(self, bytes headers not None, dict state not None):
        """As in Remux; the sequence header brings the fields of ADTS."""
        self.take_block(headers, len(headers), self.source.log.head_dts)
        Remux.resume(self, headers, state)

    cdef int take_tag(self, uint8_t kind, uint8_t flags, int64_t dts_ms, const uint8_t* body, uint32_t size) except -1:
        cdef Payload payload
        if kind != TAG_AUDIO or flags & COMMAND:
            return 0
        if not read_payload(kind, body, size, &payload):
            self.skipped += 1
        elif flags & CONFIG:
            if payload.packet == 0 and self.is_aac:
                self.configure(&payload, body + payload.at)
        elif payload.packet != 1:
            self.skipped += 1
        elif self.is_aac:
            self.take_aac(dts_ms, &payload, body + payload.at)
        else:
            self.take_mp3(dts_ms, &payload, body + payload.at)
        return 0

    cdef int configure(self, const Payload* payload, const uint8_t* data) except -1:
        setup = None
        if is_aac(payload.codec):
            setup = self.describe(TAG_AUDIO, payload.codec, data[:payload.size])
        self.known = setup is not None
        if setup is None:
            self.skipped += 1
        else:
            set_adts(&self.adts, setup.object_type, setup.rate_index, setup.channels, setup.program)
        return 0

    cdef int take_aac(self, int64_t dts_ms, const Payload* payload, const uint8_t* data) except -1:
        cdef uint8_t* out
        cdef uint32_t size = adts_size(&self.adts, data, payload.size)
        if not is_aac(payload.codec) or not self.known or size == 0:
            self.skipped += 1
            return 0
        out = log_reserve(self.log.log, size)
        if out == NULL:
            raise MemoryError
        write_adts(out, &self.adts, data, payload.size)
        log_commit(self.log.log, size, dts_ms, TAG_AUDIO, 0)
        self.written = True
        return 0

    cdef int take_mp3(self, int64_t dts_ms, const Payload* payload, const uint8_t* data) except -1:
        cdef uint8_t* out
        if (
            (payload.codec != 2 and payload.codec != 14 and payload.codec != DOT_MP3)
            or payload.size < 4
            or load_be16(data) & 0xFFE0 != 0xFFE0
        ):
            self.skipped += 1
            return 0
        out = log_reserve(self.log.log, payload.size)
        if out == NULL:
            raise MemoryError
        memcpy(out, data, payload.size)
        log_commit(self.log.log, payload.size, dts_ms, TAG_AUDIO, 0)
        self.written = True
        return 0
