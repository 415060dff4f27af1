"""From media messages to tags in a log, without a Python object per message."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastflv._ext.ingest.dependency cimport VideoForm
from fastflv._ext.ingest.headers cimport HeaderStore
from fastflv._ext.ingest.sink cimport MediaSink
from fastflv._ext.ingest.timeline cimport Timeline
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.syntax.flvtag cimport TagTraits


cdef class StreamWriter(MediaSink):
    cdef readonly MediaLog log
    cdef public int64_t now_ms         # monotonic clock of the read being taken in, ms
    cdef public bint reduce_headers    # leave out sequence headers equal to the last
    cdef readonly bint open            # media of this publisher goes to the log
    cdef readonly bint has_audio       # of this publisher, and not lost
    cdef readonly bint has_video
    cdef readonly uint32_t audio_codec  # as TagTraits.codec
    cdef readonly uint32_t video_codec
    cdef readonly uint8_t audio_head   # first byte of the newest audio tag of the default track
    cdef readonly int64_t gop_ms       # time between keyframes of this publisher, the longest so far, ms; 0: not known
    cdef readonly int64_t gop_least_ms  # and the shortest
    cdef readonly uint64_t audio_tags  # since creation
    cdef readonly uint64_t video_tags
    cdef readonly uint64_t bytes       # of media bodies, since creation
    cdef readonly uint64_t ignored     # messages left out: empty, timecode, before the first keyframe
    cdef Timeline timeline
    cdef VideoForm form                # of the default video track
    cdef int64_t key_shown_ms          # time at which the newest keyframe is shown, ms
    cdef HeaderStore headers
    cdef int64_t key_ms                # time of the newest keyframe of this publisher, -1: none yet
    cdef bint key_bare                 # the pending keyframe of the log, or a place of its past, has no headers yet
    cdef int64_t sound_ms              # time of the newest place of the past that is sound, ms
    cdef int snapshots                 # headers made for keyframes since the last flush, before they changed
    cdef bint urgent                   # a tag written since the last flush does not wait for a video frame
    cdef bint written                  # tags were written since the last flush
    cdef bint wait_video               # the log had video before: start with a keyframe
    cdef int64_t gate_ms               # wall clock at the first audio behind a closed gate, ms
    cdef bint gate_timed
    cdef public bint settled           # players may read: changes of the tracks are announced from now on
    cdef public object on_tracks_changed  # called before the tag that changes the tracks is written, or None
    cdef int changes                   # of tracks, announced since `changes_ms`
    cdef int64_t changes_ms            # wall clock, ms
    cdef bint change_due               # the tracks have changed, which is announced later
    cdef public object clock           # called with a time in ms, returns the body of the clock tag for it; or None
    cdef bint lost[2]                  # audio, video: silent for TRACK_LOST_MS
    cdef int64_t silent_since_ms[2]    # first tag of the other track since the last of audio, of video, ms; -1: none
    cdef bint returned                 # players of the publisher before may be there
    cdef bint wait_key                 # video appeared after the first players: it starts with a keyframe
    cdef int64_t clock_ms              # time of the newest clock tag, ms
    cdef bint clocked                  # this publisher has a clock tag

    cdef int take_message(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1
    cdef int take_aggregate(self, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1
    cdef int add_track(self, uint8_t kind) except -1
    cdef bint may_announce(self) noexcept
    cdef int announce_tracks(self) except -1
    cdef int give_headers(self) except -1
    cdef int keep_headers(self) except -1
    cdef int detect_lost_track(self, int track, int64_t dts_ms) except -1
    cdef int begin_epoch(self, int64_t dts_ms) except -1
    cdef int write_clock(self, int64_t dts_ms) except -1
    cdef bint pass_gate(self, uint8_t kind, const TagTraits* traits) noexcept
    cdef uint8_t picture_flags(
        self, const TagTraits* traits, int64_t dts_ms, const uint8_t* body, Py_ssize_t size
    ) noexcept
    cdef int write(self, uint8_t kind, int64_t dts_ms, uint8_t flags, const uint8_t* body, uint32_t size) except -1
    cdef int mark_key(self, int64_t position, int64_t dts_ms) except -1
    cdef void mark_place(self, int64_t position, int64_t dts_ms) noexcept
