"""The FLV readers, in C and in Python: every cut of a file, wrong back pointers, and bytes that are no FLV."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from model.flv import AUDIO, SCRIPT, VIDEO, Tag, write_tag

from fastflv import limits
from fastflv._ext.ingest.sink import CollectSink
from fastflv._ext.ingest.tagread import TagReader
from fastflv.containers.flv.header import flv_header
from fastflv.containers.flv.reader import FlvReader
from fastflv.errors import FlvHeaderError, TagError, TagSizeError
from fuzzing.targets import flv_tags

TIMES = st.sampled_from([0, 40, 0xFFFFFF, 0x1000000, 0x7FFFFFFF])
BODIES = st.one_of(st.binary(max_size=40), st.sampled_from([b"", bytes(5000), b"\x17\x01" + bytes(70_000)]))
TAGS = st.lists(st.builds(Tag, st.sampled_from([AUDIO, VIDEO, SCRIPT]), TIMES, BODIES), max_size=12)
HEADER = flv_header(audio=True, video=True)


def write_file(tags: list[Tag], header: bytes = HEADER) -> bytes:
    return header + b"".join(map(write_tag, tags))


def cut(wire: bytes, places) -> list[bytes]:
    return [wire[a:b] for a, b in pairwise([0, *sorted(places), len(wire)])]


def read(pieces: list[bytes], **bounds) -> list[tuple]:
    """What a TagReader shows of *pieces*, in order."""
    reader = TagReader(**bounds)
    sink = reader.sink = CollectSink()
    shown: list[tuple] = []
    for piece in pieces:
        at = 0
        while True:
            at = reader.feed(piece, at)
            shown += sink.messages
            sink.messages.clear()
            if reader.message is None:
                break
            shown.append(reader.message)
        assert at == len(piece)
    assert reader.received == sum(map(len, pieces))
    return shown


def read_slowly(pieces: list[bytes]) -> list[tuple]:
    reader = FlvReader()
    return [tuple(tag) for piece in pieces for tag in reader.feed(piece)]


@given(TAGS, st.data())
def test_any_cut_of_a_file_gives_the_same_tags(tags, data):
    wire = write_file(tags)
    pieces = cut(wire, data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    assert read(pieces) == [tuple(tag) for tag in tags]
    assert read_slowly(pieces) == [tuple(tag) for tag in tags]


@given(TAGS.map(lambda tags: [tag._replace(body=tag.body[:30]) for tag in tags]))
def test_a_file_that_comes_byte_by_byte_gives_the_same_tags(tags):
    pieces = [bytes([byte]) for byte in write_file(tags)]
    assert read(pieces) == read_slowly(pieces) == [tuple(tag) for tag in tags]


def test_a_whole_media_tag_is_shown_before_its_back_pointer_comes():
    wire = write_file([Tag(VIDEO, 40, b"\x27\x01")])
    assert read([wire[:-4]]) == [(VIDEO, 40, b"\x27\x01")]


def test_the_extension_byte_is_the_top_of_the_timestamp():
    wire = HEADER + b"\x08\0\0\x01\x12\x34\x56\xff\0\0\0\xaf" + bytes(4)
    assert read([wire]) == read_slowly([wire]) == [(AUDIO, 0xFF123456, b"\xaf")]


@pytest.mark.parametrize("pointer", [0, 1, 12, 2**32 - 1])
def test_a_wrong_back_pointer_is_passed_over(pointer):
    tags = [Tag(AUDIO, 0, b"a"), Tag(VIDEO, 0, b"v")]
    wire = HEADER + b"".join(write_tag(tag)[:-4] + pointer.to_bytes(4, "big") for tag in tags)
    assert read([wire]) == read_slowly([wire]) == [tuple(tag) for tag in tags]


def test_a_longer_header_is_passed_over():
    wire = write_file([Tag(AUDIO, 0, b"a")], b"FLV\x01\x05\0\0\x04\0" + bytes(1024 - 9 + 4))
    assert read(cut(wire, [5, 20, 700])) == read_slowly(cut(wire, [5, 20, 700])) == [(AUDIO, 0, b"a")]


REFUSED = {
    "html": (b"<html><body>", FlvHeaderError),
    "version 2": (b"FLV\x02\x05\0\0\0\x09", FlvHeaderError),
    "short header": (b"FLV\x01\x05\0\0\0\x08", FlvHeaderError),
    "long header": (b"FLV\x01\x05\0\0\x04\x01", FlvHeaderError),
    "unknown type": (HEADER + b"\x07" + bytes(10), TagError),
    "aggregate": (HEADER + b"\x16" + bytes(10), TagError),
    "encrypted": (HEADER + b"\x29" + bytes(10), TagError),
    "reserved bits": (HEADER + b"\x49" + bytes(10), TagError),
    "too long": (
        HEADER + b"\x09" + (limits.MESSAGE_BYTES_MAX + 1).to_bytes(3, "big") + bytes(7),
        TagSizeError,
    ),
}


@pytest.mark.parametrize(("wire", "error"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_plain_flv_is_refused(wire, error):
    for pieces in [wire], [bytes([byte]) for byte in wire]:
        with pytest.raises(error):
            read(pieces)
        with pytest.raises(error):
            read_slowly(pieces)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_random_bytes_raise_only_the_errors_of_flv(noise, at):
    wire = write_file(
        [Tag(SCRIPT, 0, b"\x02"), Tag(VIDEO, 0, b"\x17\x01" + bytes(100)), Tag(AUDIO, 0, b"\xaf\x01")]
    )
    wire = wire[:at] + noise + wire[at + len(noise) :]
    found = []
    for reading in read, read_slowly:
        try:
            found.append(reading([wire]))
        except (FlvHeaderError, TagError, TagSizeError) as error:
            found.append(type(error))
    if isinstance(found[0], list) and found[0]:
        # The slow reader waits for the last back pointer.
        assert found[1] in (found[0], found[0][:-1])


def test_a_reader_holds_no_more_than_arrived():
    reader = TagReader()
    reader.feed(HEADER + b"\x09" + (limits.MESSAGE_BYTES_MAX).to_bytes(3, "big") + bytes(7))
    before = rss()
    for _ in range(50):
        reader.feed(bytes(1000))
    assert rss() - before < 1 << 20


def rss() -> int:
    """Resident memory of this process, bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_without_a_sink_media_is_counted_and_dropped():
    reader = TagReader()
    assert not reader.has_header
    reader.feed(write_file([Tag(AUDIO, 0, b"a"), Tag(VIDEO, 0, b"v")]))
    assert (reader.has_header, reader.dropped, reader.message) == (True, 2, None)


def test_no_python_object_is_left_per_media_tag():
    wire = write_file([Tag(VIDEO, i, b"\x27\x01" + bytes(500)) for i in range(500)])
    reader = TagReader()
    reader.feed(wire[:13])
    reader.feed(wire, 13)
    before = sys.getallocatedblocks()
    reader.feed(wire, 13)
    assert sys.getallocatedblocks() - before < 20
    assert reader.dropped == 1000


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=400).map(lambda data: b"\x07" + HEADER + data)))
@example(b"\x03" + write_file([Tag(SCRIPT, 1, b"s"), Tag(VIDEO, 2, bytes(50)), Tag(AUDIO, 3, b"")]))
def test_the_fuzz_target_holds(data):
    flv_tags.check(data)


def test_a_reader_is_inside_until_the_back_pointer_of_a_tag_is_whole():
    tag = write_tag(Tag(VIDEO, 40, b"\x27\x01" + bytes(20)))
    reader = TagReader()
    reader.sink = CollectSink()
    reader.feed(HEADER)
    told = []
    for byte in tag + tag:
        reader.feed(bytes([byte]))
        told.append(reader.inside)
    assert told == 2 * ([True] * (len(tag) - 1) + [False])
