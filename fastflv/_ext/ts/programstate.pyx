"""A program of a TS as plain values: another process goes on with its counters and the version of its tables."""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from fastflv._ext.ts.program cimport FORM_NONE, FORM_OPUS, Program, ProgramTrack, program_show
from fastflv._ext.ts.tables cimport SECTION_BYTES_MAX

from fastflv.errors import HandoverError


cdef dict track_state(const ProgramTrack* track):
    return {
        "type": track.entry.type,
        "opus_channels": track.entry.opus_channels,
        "registration": track.entry.registration,
        "form": track.form,
        "stream_id": track.stream_id,
        "counter": track.counter & 15,
        "announced": bool(track.announced),
        "waiting": bool(track.waiting),
        "since_ms": track.since_ms,
    }


cdef int restore_track(Program* program, ProgramTrack* track, dict state) except -1:
    cdef int form = state["form"]
    cdef uint8_t counter = state["counter"]
    if not FORM_NONE <= form <= FORM_OPUS or counter > 15:
        raise HandoverError("a track of a TS is wrong")
    track.form = form
    track.counter = counter
    track.entry.type = state["type"]
    track.entry.opus_channels = state["opus_channels"]
    track.entry.registration = state["registration"]
    track.stream_id = state["stream_id"]
    track.announced = False
    if state["announced"]:
        # It writes the tables anew.
        program_show(program, track)
    track.waiting = state["waiting"]
    track.since_ms = state["since_ms"]
    return 0


cdef dict program_state(const Program* program):
    """Return the tracks, and what players were told of them."""
    return {
        "video": track_state(&program.video),
        "audio": track_state(&program.audio),
        "sent": program.sent[:program.sent_size],
        "version": program.version,
        "counter": program.counter & 15,
        "due": bool(program.due),
        "pcr": program.pcr,
    }


cdef int restore_program(Program* program, dict state) except -1:
    """Raises HandoverError, and what a conversion of a wrong value raises."""
    cdef bytes sent = state["sent"]
    cdef int version = state["version"]
    cdef int counter = state["counter"]
    cdef int64_t pcr = state["pcr"]
    if len(sent) > SECTION_BYTES_MAX or not 0 <= version <= 31 or not 0 <= counter <= 15:
        raise HandoverError("the tables of a TS are wrong")
    memcpy(program.sent, <const char*>sent, len(sent))
    program.sent_size = <unsigned int>len(sent)
    program.version = <uint8_t>version
    restore_track(program, &program.video, state["video"])
    restore_track(program, &program.audio, state["audio"])
    program.counter = <uint8_t>counter
    program.due = state["due"]
    program.pcr = pcr
    return 0
