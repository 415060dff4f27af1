"""From media messages to tags in a log, without a Python object per message."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastflv._ext.ingest.accessunits cimport AccessUnits
from fastflv._ext.ingest.adtsframes cimport AdtsFrames
from fastflv._ext.ingest.figures cimport Figures
from fastflv._ext.ingest.interleaver cimport Interleaver
from fastflv._ext.ingest.pictures cimport Pictures
from fastflv._ext.ingest.tagwriter cimport TagWriter
from fastflv._ext.syntax.flvtag cimport Payload, TagTraits

cdef enum:
    SOUND_HEAD = 12            # a tag header of Enhanced RTMP, and the sync of a frame, bytes


cdef class StreamWriter(TagWriter):
    cdef public bint reduce_headers    # leave out sequence headers equal to the last
    cdef readonly bint open            # media of this publisher goes to the log
    cdef readonly bint has_audio       # of this publisher, and not lost
    cdef readonly bint has_video
    cdef readonly uint32_t audio_codec  # as TagTraits.codec
    cdef readonly uint32_t video_codec
    cdef uint8_t sound[SOUND_HEAD]     # begin of the newest audio body of the default track
    cdef int sound_size                # bytes
    cdef readonly uint64_t formats     # changes of codecs and decoder configurations of default tracks, since creation
    cdef int64_t shown_ms              # greatest presentation time written, ms
    cdef readonly int64_t gop_ms       # time between keyframes of this publisher, the longest so far, ms; 0: not known
    cdef readonly int64_t gop_least_ms  # and the shortest
    cdef readonly uint64_t audio_tags  # since creation
    cdef readonly uint64_t video_tags
    cdef readonly uint64_t bytes       # of media bodies, since creation
    cdef readonly uint64_t sound_bytes  # of audio bodies, since creation
    cdef uint32_t least_picture        # bytes of the smallest video message since it was asked for; 0: none came
    cdef readonly uint64_t ignored     # messages left out: empty, timecode, before the first keyframe
    cdef int64_t sound_ms              # time of the newest place of the past that is sound, ms
    cdef bint wait_video               # the log had video before: start with a keyframe
    cdef int64_t gate_ms               # wall clock at the first audio behind a closed gate, ms
    cdef bint gate_timed
    cdef public bint settled           # players may read: changes of the tracks are announced from now on
    cdef public object on_tracks_changed  # called before the tag that changes the tracks is written, or None
    cdef int changes                   # of tracks, announced since `changes_ms`
    cdef int64_t changes_ms            # wall clock, ms
    cdef bint change_due               # the tracks have changed, which is announced later
    cdef int64_t silent_since_ms[2]    # first tag of the other track since the last of audio, of video, ms; -1: none
    cdef bint returned                 # players of the publisher before may be there
    cdef int64_t waited_ms             # wall clock of the first picture that video could not begin with, ms; -1: none

    cdef Figures figures               # of this publisher
    cdef AccessUnits units
    cdef Pictures pictures
    cdef AdtsFrames adts
    cdef Interleaver interleaver       # None: media is written in the order of its arrival

    cdef int take_message(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1
    cdef int take_media(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, uint32_t size) except -1
    cdef int take_due(self) except -1
    cdef int take_header(
        self, uint8_t kind, const TagTraits* traits, uint32_t timestamp, const uint8_t* body, uint32_t size
    ) except -1
    cdef int keep_header(
        self, uint8_t kind, const TagTraits* traits, uint32_t timestamp, const uint8_t* body, uint32_t size
    ) except -1
    cdef int keep_record(
        self, uint8_t kind, const Payload* found, uint32_t timestamp, const uint8_t* body, bytes record
    ) except -1
    cdef int take_picture(self, TagTraits* traits, uint32_t timestamp, const uint8_t* body, uint32_t size) except -1
    cdef int take_sound(self, TagTraits* traits, uint32_t timestamp, const uint8_t* body, uint32_t size) except -1
    # picture: coded data of the default video track in body; NULL: there is none.
    cdef int take_frame(
        self, uint8_t kind, TagTraits* traits, uint32_t timestamp, const uint8_t* body, uint32_t size,
        const Payload* picture,
    ) except -1
    cdef int show_track(self, uint8_t kind, uint32_t timestamp) except -1
    cdef bint is_watched(self) noexcept
    cdef bint may_announce(self) noexcept
    cdef int announce_tracks(self) except -1
    cdef int detect_lost_track(self, int track, int64_t dts_ms) except -1
    cdef int64_t shown_ahead(self) noexcept
    cdef bint pass_gate(self, uint8_t kind, bint key) noexcept
    cdef bint may_begin(self, bint key) noexcept
