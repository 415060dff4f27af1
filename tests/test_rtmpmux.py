"""RTMP chunks made of FLV tags: what readers get back is what was published, whatever the chunk size."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.chunks import Decoder, Encoder, Message
from model.flv import (
    AAC_HEADER,
    AUDIO,
    AVC_HEADER,
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

from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.rtmpmux import RtmpMux

CHUNKS = st.sampled_from([1, 2, 127, 128, 129, 300, 1500, 60_000, 0xFFFFFF])
TIMES = st.integers(0, 500) | st.sampled_from(
    [0xFFFFFE, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x123456789]
)
SIZES = st.integers(0, 300) | st.sampled_from([1500, 1501, 3000])
TAGS = st.lists(
    st.builds(
        lambda kind, time, first, size: Tag(kind, time, first[:size] + bytes(max(0, size - len(first)))),
        st.sampled_from([AUDIO, VIDEO, SCRIPT]),
        TIMES,
        st.sampled_from([key(b"x"), inter(b"y"), sound(b"z"), b"\x91hvc1\0\0\0", b"\xff" * 20]),
        SIZES,
    ),
    max_size=8,
)
OFF = 2
"Timestamps pass unrepaired."
CHUNK_STREAM = {AUDIO: 4, SCRIPT: 5, VIDEO: 6}


def set_chunk(size: int) -> bytes:
    encoder = Encoder()
    encoder.set_chunk_size(size)
    return bytes(encoder.wire)


def told(wire: bytes, chunk_size: int) -> list[Message]:
    """What a reader that was told the chunk size gets of *wire*, which must be whole messages."""
    decoder = Decoder(max_message=1 << 24)
    decoder.decode(set_chunk(chunk_size) + wire)
    assert decoder.at == len(decoder.wire)
    assert all(stream.body is None for stream in decoder.streams.values())
    return decoder.messages


def message(tag: Tag, stream_id: int = 1) -> Message:
    """RTMP has 32 bits of time; FLV tags 31."""
    return Message(tag.kind, tag.dts_ms % 2**32, stream_id, CHUNK_STREAM[tag.kind], tag.body)


@settings(max_examples=100)
@given(TAGS, CHUNKS, st.sampled_from([0, 1, 2, 0xFFFFFFFF]), st.integers(0, 8))
def test_a_reader_gets_back_what_was_published(tags, chunk_size, stream_id, first):
    source, log, pulled, published = (MediaLog(history_bytes=10**9, keep_ms=1 << 40) for _ in range(4))
    for tag in tags[:first]:
        source.append(*tag)
    mux = RtmpMux(source, log, chunk_size, stream_id)
    mux.begin(b"", 0)
    for tag in tags[first:]:
        source.append(*tag)
    wanted = [message(tag, stream_id) for tag in tags]
    wire = log.read(log.tail, log.head)
    assert told(wire, chunk_size) == wanted
    # The server's own reader and writer, as at an edge that pulls, make the same of it as of what was published.
    edge, origin = StreamWriter(pulled, jitter=OFF), StreamWriter(published, jitter=OFF)
    for writer in (edge, origin):
        writer.begin(10)
    reader, feed = ChunkReader(), Feed(origin)
    reader.set_sink(stream_id, edge)
    scripts, at, data = [], 0, set_chunk(chunk_size) + wire
    while at < len(data):
        at = reader.feed(data, at)
        if reader.message is not None:
            scripts.append(reader.message)
    edge.flush()
    for tag in tags:
        if tag.kind != SCRIPT:
            feed.send(*tag)
    assert log_tags(edge.log) == log_tags(origin.log)
    assert scripts == [tuple(row) for row in wanted if row.kind == SCRIPT and row.is_read]


@settings(max_examples=50)
@given(TAGS, CHUNKS)
def test_a_player_may_start_at_any_message(tags, chunk_size):
    # Their times are years apart, and nothing of them may be forgotten.
    source, log = MediaLog(), MediaLog(keep_ms=1 << 40)
    RtmpMux(source, log, chunk_size, 1).begin(b"", 0)
    for tag in tags:
        source.append(*tag)
    for i, (position, size, dts, kind, _) in enumerate(log.tags()):
        assert (kind, dts) == (tags[i].kind, tags[i].dts_ms)
        assert told(log.read(position, position + size), chunk_size) == [message(tags[i])]
    rows = log.tags()
    middle = len(rows) // 2
    if rows:
        assert told(log.read(rows[middle][0], log.head), chunk_size) == list(map(message, tags[middle:]))


@settings(max_examples=50)
@given(TAGS, CHUNKS, TIMES, st.integers(-1000, 1000))
def test_headers_are_the_same_messages_with_the_time_of_the_present(tags, chunk_size, now, near):
    tags = [tag._replace(dts_ms=max(0, now + near)) for tag in tags]
    source = MediaLog()
    source.append(AUDIO, now, sound(b""))
    mux = RtmpMux(source, MediaLog(), chunk_size, 7)
    # FLV tags hold 31 bits of it.
    wire = mux.headers(b"".join(write_tag(tag._replace(dts_ms=tag.dts_ms % 2**31)) for tag in tags))
    assert told(wire, chunk_size) == [
        message(tag._replace(dts_ms=0) if tag.kind == SCRIPT else tag, 7) for tag in tags
    ]


@pytest.mark.parametrize("keep_gop", [False, True])
def test_all_that_one_read_of_the_publisher_brings_comes_over(keep_gop):
    # Nobody reads the source itself, so it keeps next to nothing; here it is more than several segments at once.
    source, log = MediaLog(keep_gop=keep_gop), MediaLog(history_bytes=10**9)
    feed = Feed(StreamWriter(source))
    feed.writer.begin(0)
    feed.video(0, AVC_HEADER)
    RtmpMux(source, log, 60_000, 1).begin(b"", log.head)
    cursor, got, sent = Cursor(log, position=log.head), b"", []
    for turn in range(4):
        wire = b""
        for i in range(60):
            sent.append((key if i == 40 else inter)((turn * 60 + i).to_bytes(2, "big") + bytes(20_000)))
            wire += write_message(VIDEO, 10 * len(sent), 1, 6, sent[-1], 128)
        feed.reader.feed(wire)
        feed.writer.flush()
        while data := cursor.take():
            got += data
    assert [row.payload for row in told(got, 60_000)] == sent


@pytest.mark.parametrize("chunk_size", [128, 60_000])
def test_a_player_starts_at_the_keyframe_with_its_headers(chunk_size):
    source, log = MediaLog(), MediaLog()
    feed = Feed(StreamWriter(source))
    feed.writer.begin(0)
    feed.writer.set_metadata(b"\2\0\x0aonMetaData\5", 0)
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound())
    feed.video(0, AVC_HEADER)
    feed.video(0, key(b"1"))
    mux = RtmpMux(source, log, chunk_size, 1)
    mux.begin(source.key_headers, source.key_pos)
    feed.video(40, inter(b"2"))
    feed.video(80, key(b"3"))
    headers = told(log.key_headers, chunk_size)
    assert [row.payload for row in headers] == [b"\2\0\x0aonMetaData\5", AAC_HEADER, AVC_HEADER]
    assert {row.timestamp for row in headers} == {tag.dts_ms for tag in read_tags(source.key_headers)}
    assert [row.payload for row in told(log.read(log.key_pos, log.head), chunk_size)] == [key(b"3")]
    # What was there when it began is there: the headers, then the GOP.
    assert [row.payload for row in told(log.read(0, log.head), chunk_size)][-3:] == [
        key(b"1"), inter(b"2"), key(b"3")
    ]  # fmt: skip
    assert log_tags(source)[-1].body == key(b"3")
    source.forget_key()
    assert log.key_pos == -1
    source.end()
    assert log.ended


@pytest.mark.parametrize("time", [40, 0xFFFFFF], ids=["short", "extended"])
@pytest.mark.parametrize("size", [59_999, 60_000, 60_001, 180_000])
def test_large_frames_are_cut_at_the_default_chunk_size(size, time):
    source, log = MediaLog(), MediaLog()
    RtmpMux(source, log, 60_000, 1).begin(b"", 0)
    tag = Tag(VIDEO, time, key(bytes(size - 5)))
    source.append(*tag)
    chunks = -(-size // 60_000)
    assert log.head == 12 + size + (chunks - 1) + (4 * chunks if time == 0xFFFFFF else 0)
    assert told(log.read(0, log.head), 60_000) == [message(tag)]


def test_a_chunk_size_below_one_is_refused():
    with pytest.raises(ValueError, match="chunk size"):
        RtmpMux(MediaLog(), MediaLog(), 0, 1)
