"""Walks over FLV files, and their indexes: what stands in them, lists that are true and false, and bounds."""

from __future__ import annotations

import struct

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
    Tag,
    inter,
    key,
    sound,
    write_tag,
)

from fastflv import limits
from fastflv._ext.syntax.tagwalk import TagWalk
from fastflv.containers.cut import Place, run_reading
from fastflv.containers.flv.cut import read_cut
from fastflv.containers.flv.header import flv_header
from fastflv.containers.flv.index import read_index
from fastflv.errors import FlvHeaderError, MediaFileError, MediaPlaceError

HEADER = flv_header(audio=True, video=True)


def metadata(positions=(), times=(), more=b"") -> bytes:
    def numbers(values) -> bytes:
        return b"\x0a" + struct.pack(">I", len(values)) + b"".join(struct.pack(">Bd", 0, v) for v in values)

    listed = (
        b"\0\x09keyframes\3\0\x0dfilepositions"
        + numbers(positions)
        + b"\0\5times"
        + numbers(times)
        + b"\0\0\x09"
    )
    return b"\2\0\x0aonMetaData\x08\0\0\0\2" + listed + more + b"\0\0\x09"


def write(tags: list[Tag]) -> bytes:
    return HEADER + b"".join(map(write_tag, tags))


def film(
    seconds: int, *, gop_ms: int = 1000, begin_ms: int = 0, size: int = 50, head: bytes = b""
) -> list[Tag]:
    tags = [Tag(SCRIPT, 0, head or metadata()), Tag(VIDEO, 0, AVC_HEADER), Tag(AUDIO, 0, AAC_HEADER)]
    for at in range(0, 1000 * seconds, 40):
        time = begin_ms + at
        body = key(bytes(size)) if at % gop_ms == 0 else inter(bytes(size))
        tags += [Tag(VIDEO, time, body), Tag(AUDIO, time + 1, sound(b"a" * 9))]
    return tags


def offsets(tags: list[Tag]) -> list[int]:
    found, at = [], len(HEADER)
    for tag in tags:
        found.append(at)
        at += 15 + len(tag.body)
    return found


class Disk:
    """A file in memory that counts what is read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read_bytes = 0

    def read(self, offset: int, size: int) -> bytes:
        found = self.data[offset : offset + size]
        self.read_bytes += len(found)
        return found

    def index(self, **more):
        return run_reading(read_index(len(self.data), **more), self.read)

    def cut(self, start=None, end=None, **more):
        return run_reading(read_cut(self.index(**more), start, end), self.read)


def seconds(value: float) -> Place:
    return Place(value, True)


def place(value: int) -> Place:
    return Place(value, False)


BODIES = st.sampled_from([key(b"k"), inter(b"i"), AVC_HEADER, b"\x57\0", b"", key(bytes(900))])
SOUNDS = st.sampled_from([sound(b"s"), AAC_HEADER, b"", b"\x2f" + bytes(300)])
TAGS = st.lists(
    st.one_of(
        st.builds(Tag, st.just(VIDEO), st.integers(0, 5000), BODIES),
        st.builds(Tag, st.just(AUDIO), st.integers(0, 5000), SOUNDS),
        st.builds(Tag, st.just(SCRIPT), st.just(0), st.sampled_from([b"", metadata(), bytes(600)])),
    ),
    max_size=20,
)


@given(TAGS, st.integers(200, 2000), st.integers(0, 30))
def test_a_walk_in_blocks_of_any_size_notes_the_same_tags(tags, block, torn):
    data = write(tags)
    data = data[: max(len(data) - torn, 13)]
    whole = TagWalk(len(data), 13)
    expected = whole.feed(data, 0)
    walk = TagWalk(len(data), 13)
    found = []
    while walk.state == "more":
        begin = walk.position - 4
        found += walk.feed(data[begin : begin + block], begin)
    assert (found, walk.position, walk.state) == (expected, whole.position, whole.state)
    ends = [at + 15 + len(tag.body) for at, tag in zip(offsets(tags), tags, strict=True)]
    assert walk.position == max([end for end in ends if end <= len(data)], default=13)
    places = dict(zip(offsets(tags), tags, strict=True))
    for offset, kind, _flags, _track, time, size in found:
        assert (kind, time, size) == (
            places[offset].kind,
            places[offset].dts_ms,
            15 + len(places[offset].body),
        )
    keys = [at for at, tag in places.items() if tag.is_key and at + 15 + len(tag.body) <= len(data)]
    assert [mark[0] for mark in found if mark[1] == VIDEO and mark[2] == 1] == keys


def test_times_are_unwrapped_and_stand_where_the_clock_steps_back():
    near = 2**31 - 1500
    tags = [
        Tag(VIDEO, 0, AVC_HEADER),
        *(Tag(VIDEO, near + step, key()) for step in (0, 1000, 2000, 1200, 3000)),
    ]
    index = Disk(write(tags)).index()
    assert [time - near for time in index.times] == [0, 1000, 2000, 2000, 3000]
    assert index.at_time(near + 2500) == 3


def test_what_no_block_shows_whole_is_passed_over_without_being_read():
    tags = film(30, size=400_000)
    disk = Disk(write(tags))
    index = disk.index()
    assert len(index.positions) == 30
    assert disk.read_bytes < len(disk.data) * 0.7


def test_headers_are_those_in_force_at_the_start():
    first, second = film(5), film(5, begin_ms=5000)
    tags = [*first, Tag(VIDEO, 5000, HEVC_HEADER), *second[3:]]
    disk = Disk(write(tags))
    assert AVC_HEADER in disk.cut(seconds(2)).before and HEVC_HEADER not in disk.cut(seconds(2)).before
    late = disk.cut(seconds(7))
    assert HEVC_HEADER in late.before and AAC_HEADER in late.before and b"onMetaData" in late.before[:50]


def test_a_start_counts_from_the_first_frame_whatever_its_time():
    tags = film(5, begin_ms=3_600_000)
    disk = Disk(write(tags))
    cut = disk.cut(seconds(2.5), seconds(4))
    at = offsets(tags)
    assert cut.offset == at[3 + 100]
    assert cut.offset + cut.size == at[3 + 200]


def test_an_end_is_behind_the_last_whole_tag_before_it():
    tags = film(4)
    disk, at = Disk(write(tags)), offsets(tags)
    for bound in (at[50], at[50] + 1, at[51] - 1):
        cut = disk.cut(None, place(bound))
        assert (cut.before, cut.offset, cut.size) == (b"", 0, at[50])
    with pytest.raises(MediaPlaceError):
        disk.cut(place(at[60]), place(at[60] - 1))
    with pytest.raises(MediaPlaceError):
        disk.cut(None, place(14))
    with pytest.raises(MediaPlaceError):
        disk.cut(seconds(9))


@pytest.fixture
def claims(monkeypatch):
    monkeypatch.setattr(limits, "VOD_CLAIM_BYTES_MIN", 0)
    monkeypatch.setattr(limits, "VOD_HEAD_BYTES_MAX", 4000)


def listed(shift: int = 0, slow: float = 1.0) -> tuple[list[Tag], Disk]:
    """A film whose metadata has a list of its keyframes."""
    tags = film(40, size=5000, head=metadata([0.0] * 40, [0.0] * 40))
    keys = [(at, tag.dts_ms) for at, tag in zip(offsets(tags), tags, strict=True) if tag.is_key]
    head = metadata([at + shift for at, _ in keys], [slow * time / 1000 for _, time in keys])
    tags[0] = Tag(SCRIPT, 0, head)
    return tags, Disk(write(tags))


def test_a_true_list_spares_reading_the_file(claims):
    _, disk = listed()
    told = disk.index()
    spared = disk.read_bytes
    walked = disk.index(claims=False)
    assert told.claimed and not walked.claimed
    assert (told.positions, told.times, told.end, told.last_ms) == (
        walked.positions, walked.times, walked.end, walked.last_ms,
    )  # fmt: skip
    assert spared < len(disk.data) / 2


@pytest.mark.parametrize(("shift", "slow"), [(1, 1.0), (-1, 1.0), (0, 1.5)])
def test_a_list_that_is_not_true_is_not_believed(claims, shift, slow):
    _, disk = listed(shift, slow)
    index = disk.index()
    assert not index.claimed and len(index.positions) == 40


def test_a_list_that_is_false_where_no_sample_was_taken_is_found_out_by_the_cut(claims, monkeypatch):
    monkeypatch.setattr(limits, "VOD_CLAIM_SAMPLES", 1)
    tags, disk = listed()
    at = offsets(tags)
    keys = [place for place, tag in zip(at, tags, strict=True) if tag.is_key]
    body = disk.data.replace(struct.pack(">d", keys[20]), struct.pack(">d", keys[20] + 7))
    wrong = Disk(body)
    assert wrong.index().claimed
    with pytest.raises(MediaFileError):
        wrong.cut(seconds(20.5))
    assert wrong.cut(seconds(20.5), claims=False).offset == keys[20]


def test_an_index_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "VOD_POINTS_MAX", 10)
    disk = Disk(write(film(100)))
    index = disk.index()
    assert len(index.positions) <= 10 and index.cost < 10_000
    assert index.times[-1] >= 80_000
    still = [Tag(VIDEO, 0, key()) for _ in range(1000)]
    assert len(Disk(write(still)).index().positions) <= 10


def test_headers_without_end_end_the_index(monkeypatch):
    monkeypatch.setattr(limits, "VOD_HEAD_BYTES_MAX", 2000)
    tags = [Tag(VIDEO, 0, key())]
    for number in range(200):
        tags += [Tag(VIDEO, 0, AVC_HEADER + bytes([number])), Tag(VIDEO, 40 * number, key())]
    index = Disk(write(tags)).index()
    assert index.state == "full" and index.cost < 10_000 and 10 < len(index.positions) < 100


def test_headers_of_many_tracks_end_the_index():
    """Each change keeps the headers of all tracks from there on."""
    tags = [Tag(VIDEO, 0, key())]
    for number in range(200):
        tags += [
            Tag(AUDIO, number, bytes([0x95, 0]) + b"Opus" + bytes([track, number])) for track in range(256)
        ]
    index = Disk(write(tags)).index()
    assert index.state == "full"
    assert sum(len(each.tags) for each in index.headers) <= limits.VOD_HEADER_COPIES_MAX


def test_what_is_no_flv_file_has_no_index():
    for data in (b"", b"FLV", b"MP4" + bytes(20), HEADER[:5] + b"\0\0\xff\xff" + bytes(9)):
        with pytest.raises(FlvHeaderError):
            Disk(data).index()
    for data in (HEADER, HEADER + bytes(100), write([Tag(VIDEO, 0, AVC_HEADER), Tag(VIDEO, 0, inter())])):
        with pytest.raises(MediaFileError):
            Disk(data).index()
