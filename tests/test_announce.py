"""Metadata that is true to the tracks, and the memory of tracks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import (
    AAC_HEADER,
    AUDIO,
    AVC_HEADER,
    HEVC_HEADER,
    SCRIPT,
    VIDEO,
    Feed,
    Tag,
    inter,
    key,
    log_tags,
    read_tags,
    sound,
)

from fastflv import limits
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.containers.variant import HevcLabel, Variant
from fastflv.media.amf import amf0
from fastflv.media.amf.values import EcmaArray
from fastflv.stream.announce import Seen, announce, promised
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions
from fastflv.stream.tracks import BOTH, NONE, TrackMemory, Tracks

HVC1 = int.from_bytes(b"hvc1", "big")
LIE = {
    "width": 640.0,
    "height": 360.0,
    "videocodecid": 7.0,
    "audiocodecid": 10.0,
    "stereo": True,
    "encoder": "x",
    "hasAudio": True,
    "hasVideo": True,
}
NAME = StreamName(DEFAULT_VHOST, "live", "a")
OTHER = Variant(hevc=HevcLabel.ENHANCED)


def told(published, audio=None, video=None, settled=True):
    said = dict(announce(published, audio, video, settled=settled))
    assert said.pop("server").startswith("fastflv/")
    return said


# --- what metadata says ---


def test_a_track_that_is_not_there_is_not_named():
    assert told(LIE, audio=Seen(10)) == {
        "audiocodecid": 10.0,
        "stereo": True,
        "encoder": "x",
        "hasAudio": True,
        "hasVideo": False,
    }
    assert told(LIE, video=Seen(7)) == {
        "width": 640.0,
        "height": 360.0,
        "videocodecid": 7.0,
        "encoder": "x",
        "hasAudio": False,
        "hasVideo": True,
    }


def test_a_track_that_the_publisher_did_not_speak_of_is_named():
    assert told({}, audio=Seen(10), video=Seen(HVC1)) == {
        "hasAudio": True,
        "audiocodecid": 10.0,
        "hasVideo": True,
        "videocodecid": float(HVC1),
    }
    assert told({"hasAudio": False}, audio=Seen(2))["hasAudio"] is True


@pytest.mark.parametrize(
    ("said", "codec", "comes_out"),
    [
        (7.0, 7, 7.0),
        (12.0, 7, 7.0),
        ("avc1", 7, "avc1"),
        ("hvc1", 7, 7.0),
        (float(HVC1), HVC1, float(HVC1)),
        (float(HVC1), 12, float(HVC1)),
        (7.5, 7, 7.0),
        (True, 7, 7.0),
        (None, HVC1, float(HVC1)),
    ],
)
def test_a_wrong_codec_is_put_right_and_another_spelling_of_the_right_one_stays(said, codec, comes_out):
    assert told({"videocodecid": said}, video=Seen(codec))["videocodecid"] == comes_out


def test_before_the_tracks_are_known_the_publisher_is_believed():
    assert told({"width": 640.0}, settled=False) == {"width": 640.0}
    assert told({"videocodecid": 7.0}, settled=False) == {"videocodecid": 7.0, "hasVideo": True}
    assert told({"audiocodecid": 0.0}, settled=False) == {"audiocodecid": 0.0}


@pytest.mark.parametrize(
    ("said", "tracks"),
    [
        ({}, NONE),
        ({"audiocodecid": 10.0}, Tracks(True, False)),
        ({"videocodecid": "avc1"}, Tracks(False, True)),
        ({"hasVideo": True}, Tracks(False, True)),
        ({"hasVideo": False, "videocodecid": 7.0, "audiocodecid": 2.0}, Tracks(True, False)),
        ({"videocodecid": 0.0, "audiocodecid": None}, NONE),
    ],
)
def test_what_metadata_promises(said, tracks):
    assert promised(said) == tracks


VALUES = st.one_of(st.floats(), st.booleans(), st.text(max_size=5), st.none())
FIELDS = ("hasAudio", "hasVideo", "audiocodecid", "videocodecid", "width", "stereo", "title")
SEEN = st.one_of(st.none(), st.builds(Seen, st.sampled_from([2, 7, 10, 12, HVC1])))


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES), SEEN, SEEN)
def test_whatever_the_publisher_says_the_flags_are_true(said, audio, video):
    found = told(said, audio, video)
    assert (found["hasAudio"], found["hasVideo"]) == (audio is not None, video is not None)
    assert ("audiocodecid" in found, "videocodecid" in found) == (audio is not None, video is not None)
    # By their text: a number that is none is not equal to itself.
    assert repr(found.get("title")) == repr(said.get("title"))


# --- in a stream ---


def make(**options) -> tuple[Stream, Feed]:
    stream = Stream(NAME, StreamOptions(**options), id="vid-1", now_ms=0)
    stream.begin("publisher", 0)
    return stream, Feed(stream.writer)


def settle(stream: Stream) -> None:
    """Wait as long as a stream may wait for its tracks."""
    stream.settle(0)
    stream.settle(5000)
    assert stream.settled


def say(stream: Stream, fields: dict) -> None:
    stream.take_data("onMetaData", amf0.encode("onMetaData", EcmaArray(fields)), 0)
    stream.writer.flush()


def scripts(tags: list[Tag]) -> list[dict]:
    return [amf0.decode_all(tag.body)[1] for tag in tags if tag.kind == SCRIPT]


def flags(fields: dict) -> tuple[object, object]:
    return fields["hasAudio"], fields["hasVideo"]


def watched(stream: Stream, variant: Variant | None = None):
    """A reader's log: one that follows the plain log makes it read."""
    outlet = stream.open(variant or OTHER)
    outlet.log.hold()
    return outlet.log


def at_start(stream: Stream, variant: Variant | None = None) -> list[Tag]:
    """Headers that a player of this moment starts with."""
    block = bytes(stream.start(stream.open(variant or Variant())).block)
    return read_tags(block[13:])


def film(feed: Feed, start: int, stop: int, *, audio: bool = True, video: bool = True) -> None:
    for time in range(start, stop, 40):
        if video:
            feed.video(time, key() if time % 2000 == 0 else inter())
        if audio:
            feed.audio(time + 5, sound())


def test_a_promise_that_is_not_kept_is_corrected_for_those_who_join():
    stream, feed = make()
    say(stream, LIE)
    feed.video(0, AVC_HEADER)
    feed.video(0, key())
    assert not stream.settle(0)
    assert stream.settle(limits.SETTLE_NAMED_MS)
    first, header = at_start(stream)
    assert flags(amf0.decode_all(first.body)[1]) == (False, True)
    assert header.body == AVC_HEADER
    assert len(scripts(log_tags(stream.log))) == 1, "nobody was there to be told in-band"


def test_honest_metadata_is_said_once():
    stream, feed = make()
    watched(stream)
    say(stream, {"videocodecid": 7.0, "audiocodecid": 10.0})
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    feed.video(0, key())
    feed.audio(0, sound())
    assert stream.settle(0)
    assert [flags(fields) for fields in scripts(log_tags(stream.log))] == [(True, True)]


def test_a_track_that_joins_later_is_announced_before_its_first_tag():
    stream, feed = make()
    say(stream, LIE)
    # Time counts from 0 for the first player.
    watched(stream, Variant())
    feed.video(0, AVC_HEADER)
    film(feed, 0, 2040, audio=False)
    settle(stream)
    other = watched(stream)
    before = stream.log.head
    feed.audio(2041, AAC_HEADER)
    feed.audio(2041, sound(b"1"))
    new = read_tags(stream.log.read(before, stream.log.head))
    assert [tag.kind for tag in new] == [SCRIPT, AUDIO, AUDIO]
    assert flags(amf0.decode_all(new[0].body)[1]) == (True, True)
    assert amf0.decode_all(new[0].body)[1]["audiocodecid"] == 10.0
    assert [flags(fields) for fields in scripts(log_tags(other))][-1] == (True, True)
    joined = at_start(stream)
    assert [tag.kind for tag in joined] == [SCRIPT, AUDIO, VIDEO]
    assert [tag.dts_ms for tag in joined] == [0, 2000, 2000], "before the keyframe that was there already"
    assert flags(amf0.decode_all(joined[0].body)[1]) == (True, True)
    assert [tag.kind for tag in at_start(stream, OTHER)] == [SCRIPT, AUDIO, VIDEO]


def test_an_audio_variant_goes_on_telling_its_own_truth():
    stream, feed = make()
    say(stream, LIE)
    feed.audio(0, AAC_HEADER)
    film(feed, 0, 400, video=False)
    settle(stream)
    only = watched(stream, Variant(video=False))
    feed.video(400, AVC_HEADER)
    feed.video(400, key())
    said = scripts(log_tags(only))
    assert [flags(fields) for fields in said][-1] == (True, False)
    assert all("width" not in fields for fields in said)
    assert flags(scripts(log_tags(stream.log))[-1]) == (True, True)


def test_video_that_joins_later_starts_with_a_keyframe():
    stream, feed = make()
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound())
    settle(stream)
    watched(stream)
    feed.video(40, AVC_HEADER)
    feed.video(40, inter(b"no"))
    feed.video(80, key(b"yes"))
    assert [tag.mark for tag in log_tags(stream.log) if tag.kind == VIDEO and not tag.is_header] == [b"yes"]
    assert flags(scripts(log_tags(stream.log))[-1]) == (True, True)
    assert stream.writer.ignored == 1


def test_sound_that_ends_is_taken_back_and_comes_back_with_its_header():
    stream, feed = make()
    stream.log.keep_ms = 10**6
    say(stream, LIE)
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    film(feed, 0, 400)
    assert stream.settle(400)
    watched(stream)
    lost = 400 + limits.TRACK_LOST_MS
    film(feed, 400, lost, audio=False)
    assert stream.tracks == BOTH
    film(feed, lost, lost + 2040, audio=False)
    assert stream.tracks == Tracks(False, True)
    assert flags(scripts(log_tags(stream.log))[-1]) == (False, True)
    assert [tag.kind for tag in at_start(stream)] == [SCRIPT, VIDEO]
    feed.audio(lost + 2040, AAC_HEADER)
    assert stream.tracks == Tracks(False, True), "a header alone is no sound"
    feed.audio(lost + 2040, sound(b"back"))
    assert stream.tracks == BOTH
    newest = log_tags(stream.log)[-3:]
    assert [tag.kind for tag in newest] == [SCRIPT, AUDIO, AUDIO]
    assert [tag.body for tag in newest[1:]] == [AAC_HEADER, sound(b"back")]
    assert [tag.kind for tag in at_start(stream)] == [SCRIPT, AUDIO, VIDEO]


def test_tracks_that_change_all_the_time_are_announced_a_few_times_a_second():
    stream, feed = make()
    say(stream, LIE)
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    film(feed, 0, 400)
    assert stream.settle(400)
    watched(stream)
    before = len(scripts(log_tags(stream.log)))
    time, now = 400, feed.writer.now_ms
    for _ in range(20):
        for kind, body in ((AUDIO, sound()), (VIDEO, key())):
            for step in (1000, 9000, 9000):
                time += step
                feed.send(kind, time, body, now_ms=now)
    said = scripts(log_tags(stream.log))[before:]
    assert len(said) <= limits.TRACK_CHANGES_MAX + 1
    assert stream.tracks == Tracks(False, True)
    feed.send(VIDEO, time + 40, inter(), now_ms=now + limits.TRACK_CHANGES_SPAN_MS)
    feed.send(VIDEO, time + 80, inter(), now_ms=now + limits.TRACK_CHANGES_SPAN_MS)
    assert flags(scripts(log_tags(stream.log))[-1]) == (False, True), "the truth of now is told in the end"
    assert [tag.kind for tag in at_start(stream)] == [SCRIPT, VIDEO]


def test_pictures_that_end_leave_a_stream_of_sound_and_come_back_with_a_keyframe():
    stream, feed = make()
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    film(feed, 0, 400)
    assert stream.settle(400)
    film(feed, 400, 800 + limits.TRACK_LOST_MS, video=False)
    assert stream.tracks == Tracks(True, False)
    assert stream.log.key_pos == -1
    assert [tag.kind for tag in at_start(stream)] == [SCRIPT, AUDIO]
    now = 800 + limits.TRACK_LOST_MS
    feed.video(now, inter(b"no"))
    feed.video(now + 40, key(b"yes"))
    assert [tag.body for tag in log_tags(stream.log)[-2:]] == [AVC_HEADER, key(b"yes")]
    assert stream.tracks == BOTH
    assert stream.log.key_pos >= 0


@given(st.lists(st.sampled_from([0, 40, 400, 4000]), max_size=60))
def test_a_gap_of_the_whole_stream_takes_no_track_away(steps):
    stream, feed = make()
    time = 0
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    film(feed, 0, 40)
    stream.settle(0)
    for step in steps:
        time += step
        feed.video(time, inter())
        time += step
        feed.audio(time, sound())
    assert stream.tracks == BOTH


# --- what was there last time ---


def settles_after(expected: Tracks, said: dict, *, audio: bool, video: bool) -> int:
    """How long players wait when these tracks come at once and no other does, ms."""
    stream, feed = make()
    stream.begin("next", 0, expected)
    if said:
        say(stream, said)
    if audio:
        feed.audio(0, sound())
    if video:
        feed.video(0, key())
    if stream.settle(1000):
        return 0
    assert not stream.settle(stream.settle_at - 1)
    assert stream.settle(stream.settle_at)
    return stream.settle_at - 1000


@pytest.mark.parametrize(
    ("expected", "said", "audio", "video", "wait"),
    [
        (NONE, {}, True, True, 0),
        (NONE, {}, False, True, limits.SETTLE_MS),
        (NONE, LIE, False, True, limits.SETTLE_NAMED_MS),
        (Tracks(False, True), {}, False, True, 0),
        (Tracks(False, True), LIE, False, True, limits.SETTLE_MS),
        (Tracks(True, False), {}, True, False, 0),
        (BOTH, {"videocodecid": 7.0}, False, True, limits.SETTLE_MS),
        (BOTH, LIE, False, True, limits.SETTLE_NAMED_MS),
        (BOTH, {}, False, True, limits.SETTLE_MS),
    ],
)
def test_what_was_there_last_time_says_what_to_wait_for(expected, said, audio, video, wait):
    assert settles_after(expected, said, audio=audio, video=video) == wait


def test_a_track_with_a_sequence_header_is_waited_for_as_one_that_metadata_names():
    stream, feed = make()
    stream.begin("next", 0)
    feed.video(0, AVC_HEADER)
    feed.audio(0, sound())
    assert not stream.settle(1000)
    assert stream.settle_at == 1000 + limits.SETTLE_NAMED_MS
    feed.video(0, key())
    assert stream.settle(2000)


def test_a_hub_remembers_the_tracks_of_a_stream_that_ended():
    hub = Hub(lambda: "vid-1")
    stream = hub.publish(NAME, StreamOptions(grace_ms=0), "p", 0)
    Feed(stream.writer).video(0, key())
    hub.settle(stream, 5000)
    hub.settle(stream, 5000 + limits.SETTLE_MS)
    hub.unpublish(stream, 9000)
    assert hub.find(NAME) is None
    again = hub.publish(NAME, StreamOptions(grace_ms=0), "p", 10_000)
    assert again is not stream
    Feed(again.writer).video(0, key())
    hub.settle(again, 10_000)
    assert again.settled


def test_a_stream_that_never_settled_is_not_remembered():
    hub = Hub(lambda: "vid-1")
    stream = hub.publish(NAME, StreamOptions(grace_ms=0), "p", 0)
    hub.unpublish(stream, 9000)
    assert len(hub.memory) == 0


def test_the_memory_of_tracks_is_bounded_and_keeps_the_newest():
    memory = TrackMemory()
    names = [StreamName(DEFAULT_VHOST, "live", str(i)) for i in range(limits.TRACKS_REMEMBERED + 1)]
    for name in names[:-1]:
        memory.keep(name, BOTH)
    memory.keep(names[0], Tracks(True, False))
    memory.keep(names[-1], BOTH)
    assert len(memory) == limits.TRACKS_REMEMBERED
    assert memory.recall(names[0]) == Tracks(True, False)
    assert memory.recall(names[1]) == NONE


def test_hevc_is_named_by_the_number_that_its_tags_have():
    stream, feed = make()
    say(stream, {"videocodecid": 7.0})
    feed.video(0, HEVC_HEADER)
    feed.video(0, b"\x91hvc1\0\0\0x")
    assert stream.settle(0)
    first, _ = at_start(stream)
    assert amf0.decode_all(first.body)[1]["videocodecid"] == float(HVC1)
