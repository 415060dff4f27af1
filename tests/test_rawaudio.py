"""`.aac` and `.mp3`: frames that a player can read without a container."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model import ts
from model.flv import AUDIO, SCRIPT, VIDEO, Tag, write_tag
from model.remuxed import AAC_HEAD, AVC_HEAD, IDR_TAG, MP3_FRAME, OPUS_HEAD_TAG, aac

from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.rawaudio import AudioMux
from fastflv.containers.mpegts import describe


class Bench:
    def __init__(self, container: str, headers: bytes = b"", *before: Tag) -> None:
        self.source = MediaLog(keep_ms=10**9)
        self.log = MediaLog(keep_ms=10**9)
        self.mux = AudioMux(self.source, self.log, describe, container)
        self.put(*before)
        self.mux.begin(headers, 0)

    def put(self, *tags: Tag) -> Bench:
        for tag in tags:
            self.source.append(tag.kind, tag.dts_ms, tag.body)
        return self

    @property
    def bytes(self) -> bytes:
        return self.log.read(self.log.tail, self.log.head)


def audio(time: int, frame: bytes = b"sound") -> Tag:
    return Tag(AUDIO, time, aac(frame))


def mp3(time: int, more: bytes = b"") -> Tag:
    return Tag(AUDIO, time, b"\x2f" + MP3_FRAME + more)


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=20))
def test_aac_frames_come_out_with_headers_in_order(frames):
    bench = Bench("aac").put(AAC_HEAD, *(audio(i * 23, frame) for i, frame in enumerate(frames)))
    assert ts.read_adts(bench.bytes) == [ts.Adts(2, 4, 2, frame) for frame in frames]
    assert [row[2:] for row in bench.log.tags()] == [(i * 23, AUDIO, 0) for i in range(len(frames))]


@given(st.lists(st.binary(max_size=400), max_size=20))
def test_mp3_frames_come_out_as_they_are(rests):
    bench = Bench("mp3").put(*(mp3(i * 26, rest) for i, rest in enumerate(rests)))
    assert bench.bytes == b"".join(MP3_FRAME + rest for rest in rests)
    assert [row[1] for row in bench.log.tags()] == [4 + len(rest) for rest in rests]


def test_enhanced_tags_are_the_same():
    bench = Bench("aac").put(Tag(AUDIO, 0, b"\x90mp4a\x12\x10"), Tag(AUDIO, 1, b"\x91mp4asound"))
    assert ts.read_adts(bench.bytes) == [ts.Adts(2, 4, 2, b"sound")]
    assert Bench("mp3").put(Tag(AUDIO, 0, b"\x91.mp3" + MP3_FRAME)).bytes == MP3_FRAME
    assert Bench("mp3").put(Tag(AUDIO, 0, b"\xe2" + MP3_FRAME)).bytes == MP3_FRAME


def test_video_and_scripts_are_left_out_and_not_missed():
    bench = Bench("aac").put(AVC_HEAD, AAC_HEAD, Tag(SCRIPT, 0, b"\2\0\0"), IDR_TAG, audio(10))
    assert len(bench.log.tags()) == 1
    assert bench.log.key_pos == -1
    assert bench.mux.skipped == 0


@pytest.mark.parametrize(
    ("container", "tags"),
    [
        ("aac", [audio(0)]),
        ("aac", [mp3(0)]),
        ("aac", [Tag(AUDIO, 0, b"\xaf\0\xf8\xe8\x50\0"), audio(0)]),
        ("aac", [OPUS_HEAD_TAG]),
        ("aac", [AAC_HEAD, audio(0, bytes(8185))]),
        ("aac", [AAC_HEAD, audio(0, b"")]),
        ("mp3", [AAC_HEAD, audio(0)]),
        ("mp3", [Tag(AUDIO, 0, b"\x2fID3\4")]),
        ("mp3", [Tag(AUDIO, 0, b"\x2f\xff")]),
        ("mp3", [Tag(AUDIO, 0, b"\x72" + bytes(80))]),
    ],
)
def test_what_cannot_be_carried_is_counted(container, tags):
    bench = Bench(container).put(*tags)
    assert bench.bytes == b""
    assert bench.mux.skipped >= 1


def test_a_change_of_configuration_is_in_the_headers_behind_it():
    bench = Bench("aac").put(AAC_HEAD, audio(0), Tag(AUDIO, 20, b"\xaf\0\x11\x88"), audio(23))
    assert [(frame.rate_index, frame.channel_config) for frame in ts.read_adts(bench.bytes)] == [
        (4, 2),
        (3, 1),
    ]


def test_a_header_that_cannot_be_carried_ends_what_was_carried_before():
    bench = Bench("aac").put(AAC_HEAD, audio(0), Tag(AUDIO, 20, b"\xaf\0\xf8\xe8\x50\0"), audio(23))
    assert len(bench.log.tags()) == 1


def test_it_starts_with_what_is_there():
    bench = Bench("aac", write_tag(AAC_HEAD), IDR_TAG, audio(5), audio(28))
    assert len(ts.read_adts(bench.bytes)) == 2
    bench.put(audio(51))
    bench.source.end()
    assert len(ts.read_adts(bench.bytes)) == 3
    assert bench.log.ended


@given(
    st.sampled_from(["aac", "mp3"]),
    st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO]), st.binary(max_size=40)), max_size=20),
)
def test_whatever_the_bytes_nothing_is_raised(container, rows):
    bench = Bench(container).put(AAC_HEAD, *(Tag(kind, i, body) for i, (kind, body) in enumerate(rows)))
    assert len(bench.log.tags()) <= len(rows)


@pytest.mark.parametrize("container", ["ts", "", "AAC"])
def test_other_containers_are_refused(container):
    with pytest.raises(ValueError, match="no raw audio"):
        AudioMux(MediaLog(), MediaLog(), describe, container)
