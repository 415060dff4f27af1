"""A stream writer as plain values, by which another process goes on with the same publisher."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from fastflv._ext.ingest.accessunits cimport AccessUnits, UnitCoding
from fastflv._ext.ingest.adtsframes cimport AdtsFrames
from fastflv._ext.ingest.figures cimport Figures
from fastflv._ext.ingest.headers cimport HEADER_TOO_LARGE, Header
from fastflv._ext.ingest.streamwriter cimport SOUND_HEAD, StreamWriter
from fastflv._ext.ingest.timeline cimport Timeline
from fastflv._ext.syntax.flvtag cimport AVC1, CONFIG, HVC1, TAG_AUDIO, TAG_VIDEO, TagTraits

from fastflv.errors import HandoverError

cdef tuple FLAGS = (
    "open", "has_audio", "has_video", "wait_video", "gate_timed", "settled", "change_due", "returned", "clocked",
)


def writer_state(StreamWriter writer not None):
    """Return the writer as a dict of plain values, once all that it holds is written and published."""
    cdef Header* h
    cdef int i
    writer.finish()
    writer.flush()
    headers = []
    for i in range(writer.headers.count):
        h = &writer.headers.rows[i]
        headers.append({
            "kind": h.kind, "track": h.track, "flags": h.flags, "stale": bool(h.stale), "held": bool(h.held),
            "body": h.body[:h.size],
        })
    return {
        "timeline": writer.timeline,
        "figures": writer.figures,
        "headers": headers,
        "metadata": writer.headers.metadata,
        "hidden": [bool(writer.hidden[0]), bool(writer.hidden[1])],
        "silent_since_ms": [writer.silent_since_ms[0], writer.silent_since_ms[1]],
        "sound": writer.audio_head,
        "units": units_state(writer.units),
        "adts": {"has_config": bool(writer.adts.has_config), "known": writer.adts.known, "bare": writer.adts.bare},
        "pictures": [writer.pictures.key_shown_ms, writer.pictures.sent_key_ms, writer.pictures.start_ms],
        "flags": [
            bool(flag) for flag in (
                writer.open, writer.has_audio, writer.has_video, writer.wait_video, writer.gate_timed, writer.settled,
                writer.change_due, writer.returned, writer.clocked,
            )
        ],
        "key_ms": writer.key_ms,
        "clock_ms": writer.clock_ms,
        "audio_codec": writer.audio_codec,
        "video_codec": writer.video_codec,
        "formats": writer.formats,
        "gop_ms": writer.gop_ms,
        "gop_least_ms": writer.gop_least_ms,
        "audio_tags": writer.audio_tags,
        "video_tags": writer.video_tags,
        "bytes": writer.bytes,
        "sound_bytes": writer.sound_bytes,
        "ignored": writer.ignored,
        "sound_ms": writer.sound_ms,
        "gate_ms": writer.gate_ms,
        "changes": writer.changes,
        "changes_ms": writer.changes_ms,
        "waited_ms": writer.waited_ms,
        "now_ms": writer.now_ms,
    }


def restore_writer(StreamWriter writer not None, dict state not None):
    """Have a new writer go on as `writer_state` says. Its log is restored before.

    Raises HandoverError, and what a conversion of a wrong value raises: the writer is of no use then.
    """
    cdef Timeline timeline = state["timeline"]
    cdef Figures figures = state["figures"]
    cdef bytes sound = state["sound"]
    cdef bytes body
    cdef Header* h
    cdef TagTraits traits
    if not 0 <= timeline.mode <= 2 or len(sound) > SOUND_HEAD or len(state["flags"]) != len(FLAGS):
        raise HandoverError("the clock, the sound or the flags of a writer are wrong")
    writer.timeline = timeline
    writer.figures = figures
    for row in state["headers"]:
        body = row["body"]
        if row["kind"] != TAG_AUDIO and row["kind"] != TAG_VIDEO:
            raise HandoverError("a sequence header is neither of audio nor of video")
        traits.flags = row["flags"]
        traits.track = row["track"]
        if writer.headers.store(row["kind"], &traits, <const uint8_t*>body, <uint32_t>len(body)) == HEADER_TOO_LARGE:
            raise HandoverError("the sequence headers of a writer are too many or too large")
        h = &writer.headers.rows[writer.headers.count - 1]
        h.stale = bool(row["stale"])
        h.held = bool(row["held"])
        if row["kind"] == TAG_VIDEO and traits.flags == CONFIG and traits.track == 0:
            writer.pictures.configure(<const uint8_t*>body, <uint32_t>len(body))
    writer.headers.metadata = state["metadata"]
    # Unpacked, since an index in C is not checked.
    writer.hidden[0], writer.hidden[1] = state["hidden"]
    writer.silent_since_ms[0], writer.silent_since_ms[1] = state["silent_since_ms"]
    memcpy(writer.sound, <const char*>sound, len(sound))
    writer.sound_size = <int>len(sound)
    restore_units(writer.units, state["units"])
    restore_adts(writer.adts, state["adts"])
    writer.pictures.key_shown_ms, writer.pictures.sent_key_ms, writer.pictures.start_ms = state["pictures"]
    (
        writer.open, writer.has_audio, writer.has_video, writer.wait_video, writer.gate_timed, writer.settled,
        writer.change_due, writer.returned, writer.clocked,
    ) = state["flags"]
    writer.key_ms = state["key_ms"]
    writer.clock_ms = state["clock_ms"]
    writer.audio_codec = state["audio_codec"]
    writer.video_codec = state["video_codec"]
    writer.formats = state["formats"]
    writer.gop_ms = state["gop_ms"]
    writer.gop_least_ms = state["gop_least_ms"]
    writer.audio_tags = state["audio_tags"]
    writer.video_tags = state["video_tags"]
    writer.bytes = state["bytes"]
    writer.sound_bytes = state["sound_bytes"]
    writer.ignored = state["ignored"]
    writer.sound_ms = state["sound_ms"]
    writer.gate_ms = state["gate_ms"]
    writer.changes = state["changes"]
    writer.changes_ms = state["changes_ms"]
    writer.waited_ms = state["waited_ms"]
    writer.now_ms = state["now_ms"]


cdef dict units_state(AccessUnits units):
    """What a publisher has shown of its pictures. Units that wait for the next picture are not among it."""
    return {
        "family": units.family,
        "sent_size": units.sent_size,
        "size": units.size,
        "coding": <int>units.coding,
        "bare": bool(units.bare),
        "is_empty": bool(units.is_empty),
        "known": units.known,
    }


cdef int restore_units(AccessUnits units, dict state) except -1:
    cdef uint32_t family = state["family"]
    cdef int sent_size = state["sent_size"]
    cdef int size = state["size"]
    cdef int coding = state["coding"]
    if family != 0 and family != AVC1 and family != HVC1:
        raise HandoverError("the pictures of a writer have no known form")
    if not 0 <= sent_size <= 4 or not (0 <= size <= 4 and size != 3) or not 0 <= coding <= 2:
        raise HandoverError("the lengths of units are wrong")
    if family and not (sent_size and size):
        raise HandoverError("the lengths of units are wrong")
    units.family = family
    units.sent_size = <uint8_t>sent_size
    units.size = <uint8_t>size
    units.coding = <UnitCoding>coding
    units.bare = state["bare"]
    units.is_empty = state["is_empty"]
    units.known = state["known"]
    return 0


cdef int restore_adts(AdtsFrames adts, dict state) except -1:
    adts.has_config = state["has_config"]
    adts.known = state["known"]
    adts.bare = state["bare"]
    return 0
