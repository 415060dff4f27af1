"""FLV tags made of FLV tags, against a plain model of the choice; what metadata becomes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
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
    write_tag,
)
from model.remux import AS_IS, ENHANCED, LEGACY, Choice

from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.flvmux import FlvMux
from fastflv.containers.flv.metadata import edit_metadata
from fastflv.containers.variant import HevcLabel, Variant
from fastflv.media.amf import amf0
from fastflv.media.amf.values import EcmaArray

CODED = b"\0\0\x28NALU"
HEVC = {
    "enhanced header": HEVC_HEADER,
    "enhanced key": b"\x91hvc1" + CODED,
    "enhanced picture before its time": b"\xa1hvc1\xff\xff\xd8NALU",
    "enhanced without a composition time": b"\xa3hvc1NALU",
    "enhanced end": b"\x92hvc1",
    "enhanced colours": b"\x94hvc1\x02\0\x09colorInfo",
    "enhanced behind ModEx": b"\x97\x02\0\0\5\1hvc1" + CODED,
    "enhanced default track": b"\x96\x01hvc1\x00" + CODED,
    "enhanced second track": b"\xa6\x01hvc1\x01" + CODED,
    "enhanced two tracks": b"\x96\x11hvc1\x00\0\0\x07" + CODED + b"\x01\0\0\x01x",
    "header by id": b"\x1c\0\0\0\0" + bytes(23),
    "key by id": b"\x1c\1" + CODED,
    "picture by id": b"\x2c\1\xff\xff\xd8NALU",
    "end by id": b"\x1c\2\0\0\0",
    "header of AV1": b"\x90av01\x81\0\0\0",
    "key of AV1": b"\x91av01OBU",
}
TAGS = st.lists(
    st.builds(
        lambda step, tag: (step, *tag),
        st.integers(0, 90),
        st.one_of(
            st.tuples(st.just(VIDEO), st.sampled_from([*HEVC.values(), AVC_HEADER, key(b"k"), inter(b"i")])),
            st.tuples(st.just(VIDEO), st.binary(max_size=12)),
            st.tuples(st.just(AUDIO), st.sampled_from([AAC_HEADER, sound(b"s"), b"\x91Opus", b""])),
            st.tuples(
                st.just(SCRIPT), st.sampled_from([amf0.encode("onCuePoint", {"width": 1.0}), b"", b"\2"])
            ),
        ),
    ),
    max_size=30,
)


def timed(rows) -> list[Tag]:
    tags, time = [], 0
    for step, kind, body in rows:
        time += step
        tags.append(Tag(kind, time, body))
    return tags


@settings(max_examples=150)
@given(
    TAGS,
    st.integers(0, 30),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([AS_IS, LEGACY, ENHANCED]),
    st.booleans(),
)
def test_the_log_is_what_the_model_makes_of_each_tag(rows, first, audio, video, keys_only, label, edits):
    edit = (lambda body: body + b"!") if edits else None
    how = {"audio": audio, "video": video, "keys_only": keys_only, "label": label, "edit": edit}
    source, log = MediaLog(), MediaLog()
    tags = timed(rows)
    for tag in tags[:first]:
        source.append(*tag)
    mux = FlvMux(source, log, **how)
    # What was there before it began, and what came after.
    mux.begin(b"", 0)
    for tag in tags[first:]:
        source.append(*tag)
    wanted = [made for tag in tags if (made := Choice(**how).of(tag)) is not None]
    assert log_tags(log) == wanted
    assert b"".join(map(write_tag, wanted)) == mux.headers(b"".join(map(write_tag, tags)))
    mux.stop()
    source.append(VIDEO, 9999, key())
    assert log_tags(log) == wanted


BY_ID = {
    "enhanced header": b"\x1c\0\0\0\0" + bytes(23),
    "enhanced key": b"\x1c\1" + CODED,
    "enhanced picture before its time": b"\x2c\1\xff\xff\xd8NALU",
    "enhanced without a composition time": b"\x2c\1\0\0\0NALU",
    "enhanced end": b"\x1c\2\0\0\0",
    "enhanced colours": None,
    "enhanced behind ModEx": b"\x1c\1" + CODED,
    "enhanced default track": b"\x1c\1" + CODED,
    "enhanced second track": None,
    "enhanced two tracks": b"\x1c\1" + CODED,
}
BY_NAME = {
    "header by id": b"\x90hvc1" + bytes(23),
    "key by id": b"\x91hvc1" + CODED,
    "picture by id": b"\xa1hvc1\xff\xff\xd8NALU",
    "end by id": b"\x92hvc1",
}


@pytest.mark.parametrize(("label", "made"), [(LEGACY, BY_ID), (ENHANCED, BY_NAME)], ids=["id", "name"])
@pytest.mark.parametrize("name", HEVC)
def test_hevc_under_each_label_byte_for_byte(name, label, made):
    source, log = MediaLog(), MediaLog()
    source.append(VIDEO, 7, HEVC[name])
    FlvMux(source, log, label=label).begin(b"", 0)
    body = made.get(name, HEVC[name])
    assert log_tags(log) == ([] if body is None else [Tag(VIDEO, 7, body)])


def mirrored(**how) -> tuple[StreamWriter, MediaLog, FlvMux]:
    """A stream in full and a choice of it, after the first keyframe."""
    source, log = MediaLog(), MediaLog()
    feed = Feed(StreamWriter(source))
    feed.writer.begin(0)
    feed.audio(0, AAC_HEADER)
    feed.video(0, HEVC_HEADER)
    mux = FlvMux(source, log, **how)
    mux.begin(b"", source.head)
    feed.video(0, HEVC["enhanced key"])
    feed.audio(10, sound())
    feed.video(40, b"\xa1hvc1" + CODED)
    return feed.writer, log, mux


def test_players_may_start_where_those_of_the_source_may():
    _, log, _ = mirrored(label=LEGACY)
    assert log.key_pos == 0
    assert [tag.body for tag in read_tags(log.key_headers)] == [AAC_HEADER, b"\x1c\0\0\0\0" + bytes(23)]
    writer, log, mux = mirrored(video=False)
    assert (log.key_pos, log.key_headers) == (-1, b"")
    assert mux.source is writer.log


def test_when_the_publisher_goes_nobody_starts_from_its_last_picture():
    writer, log, _ = mirrored()
    writer.forget_key()
    assert log.key_pos == -1
    writer.log.end()
    assert log.ended


def test_groups_that_one_read_brings_are_taken_whole_though_nobody_reads_the_source():
    source, log = MediaLog(), MediaLog(keep_ms=10**9)
    feed = Feed(StreamWriter(source))
    feed.writer.begin(0)
    mux = FlvMux(source, log)
    mux.begin(b"", source.head)
    bodies = [key(bytes([i]) + bytes(10_000)) for i in range(100)]
    # More than a segment holds, and a newer keyframe in each: what is behind it is shown to nobody before the flush.
    wire = b"".join(write_message(VIDEO, 40 * i, 1, 6, body, 128) for i, body in enumerate(bodies))
    assert feed.reader.feed(wire) == len(wire)
    feed.writer.flush()
    assert [tag.body[5] for tag in log_tags(log)] == list(range(100))
    # Taken, it is kept no longer than the newest group needs.
    feed.video(4000, key(bytes(2_000_000)))
    feed.video(4040, key())
    assert source.head - source.tail < 2_100_000


def test_of_the_keyframes_of_one_read_only_the_newest_gets_headers():
    edits = []

    def edit(body: bytes) -> bytes:
        edits.append(body)
        return body

    source, log = MediaLog(), MediaLog()
    feed = Feed(StreamWriter(source))
    feed.writer.begin(0)
    FlvMux(source, log, edit=edit).begin(b"", source.head)
    feed.writer.set_metadata(b"meta", 0)
    feed.video(0, AVC_HEADER)
    wire = b"".join(write_message(VIDEO, 40 * i, 1, 6, key(bytes([i])), 128) for i in range(50))
    assert feed.reader.feed(wire) == len(wire)
    feed.writer.flush()
    assert edits == [b"meta", b"meta"], "where it stands, and before the newest keyframe"
    assert read_tags(log.key_headers) == [Tag(SCRIPT, 0, b"meta"), Tag(VIDEO, 1960, AVC_HEADER)]
    assert [tag.mark for tag in read_tags(log.read(log.key_pos, log.head))] == [bytes([49])]


# --- metadata ---------------------------------------------------------------------------------------

FIELDS = {
    "width": 320.0,
    "height": 180.0,
    "videocodecid": 12.0,
    "framerate": 25.0,
    "audiocodecid": 10.0,
    "stereo": True,
    "server": "fastflv",
}
ENHANCED_ID = float(int.from_bytes(b"hvc1", "big"))


def edited(variant: Variant, fields=FIELDS) -> dict[str, object]:
    name, said = amf0.decode_all(edit_metadata(amf0.encode("onMetaData", EcmaArray(fields)), variant))
    assert name == "onMetaData"
    assert isinstance(said, EcmaArray)
    return dict(said)


def test_metadata_names_no_track_that_is_left_out():
    assert edited(Variant()) == FIELDS
    assert edited(Variant(audio=False)) == {
        k: v for k, v in FIELDS.items() if k not in ("audiocodecid", "stereo")
    } | {"hasAudio": False}
    assert edited(Variant(video=False)) == {
        "audiocodecid": 10.0,
        "stereo": True,
        "server": "fastflv",
        "hasVideo": False,
    }
    assert edited(Variant(video=False), FIELDS | {"hasVideo": True})["hasVideo"] is False


def test_metadata_names_hevc_by_the_label_that_is_sent():
    for label, before, after in (
        (HevcLabel.LEGACY, ENHANCED_ID, 12.0),
        (HevcLabel.ENHANCED, 12.0, ENHANCED_ID),
        (HevcLabel.LEGACY, 7.0, 7.0),
        (HevcLabel.AS_IS, 12.0, 12.0),
    ):
        assert edited(Variant(hevc=label), {"videocodecid": before}) == {"videocodecid": after}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\2",
        amf0.encode("onCuePoint", {"width": 3.0, "videocodecid": 12.0}),
        amf0.encode("onTextData", {"text": "x", "framerate": 1.0}),
        amf0.encode("onMetaData"),
        amf0.encode(1.0, {"width": 2.0}),
    ],
)
def test_other_script_data_is_left_as_it_is(body):
    assert edit_metadata(body, Variant(audio=False, video=False, hevc=HevcLabel.LEGACY)) == body


@given(st.binary(max_size=60), st.booleans())
def test_whatever_a_publisher_calls_metadata_comes_out_as_bytes(rest, audio):
    body = amf0.encode("onMetaData") + rest
    assert isinstance(edit_metadata(body, Variant(audio=audio, hevc=HevcLabel.ENHANCED)), bytes)
