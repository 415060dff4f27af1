"""Where recorded files begin and end: nothing lost, nothing twice, each file from a keyframe with its headers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from model.flv import AAC_HEADER

from fastflv._ext.syntax.flvtag import make_tag, traits
from fastflv.containers.filecutter import FileCutter, FilePart
from fastflv.containers.filewriter import Entry
from fastflv.media.amf import amf0
from fastflv.media.codecs import AUDIO, VIDEO

AVC_HEADER = b"\x17\0\0\0\0" + bytes.fromhex(
    "014d400dffe10019674d400deca0a0cfcf80880000030008000003019078a14cb001000468ce3c80"
)
OTHER_AVC_HEADER = AVC_HEADER.replace(b"\x4d", b"\x42", 1)
OTHER_AAC_HEADER = AAC_HEADER[:2] + b"\x11\x90"
SCRIPT, NOTES = 18, 16


def entry(kind: int, dts_ms: int, body: bytes) -> Entry:
    flags = NOTES if kind == SCRIPT and body[3:13] == b"onMetaData" else 0
    flags |= 0 if kind == SCRIPT else traits(kind, body)[0]
    return kind, flags, dts_ms, make_tag(kind, dts_ms, body)


def picture(dts_ms: int, number: int = 0, *, key: bool = False) -> Entry:
    return entry(VIDEO, dts_ms, (b"\x17" if key else b"\x27") + b"\1\0\0\0" + number.to_bytes(4, "big"))


def sound(dts_ms: int, number: int = 0) -> Entry:
    return entry(AUDIO, dts_ms, b"\xaf\1" + number.to_bytes(4, "big"))


def metadata(**fields: object) -> Entry:
    return entry(SCRIPT, 0, amf0.encode("onMetaData", fields))


HEADERS = [metadata(width=320.0), entry(VIDEO, 0, AVC_HEADER), entry(AUDIO, 0, AAC_HEADER)]


def film(seconds: float, *, start: int = 0, gop_ms: int = 1000, late: int = 0) -> list[Entry]:
    """25 pictures and sounds a second; sounds are *late* ms older than the pictures that they stand behind."""
    found = []
    for i in range(int(seconds * 25)):
        at = start + 40 * i
        found += [picture(at, i, key=at % gop_ms == 0), sound(max(at - late, 0), i)]
    return found


def cut(cutter: FileCutter, entries: list[Entry], sizes: list[int] = (40,), **more: bool) -> list[FilePart]:
    """Hand *entries* over in runs of *sizes*, the last one again and again; return whole files."""
    files: list[FilePart] = []
    sizes = list(sizes)
    at = 0
    while at < len(entries):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        run, at = entries[at : at + size], at + size
        for part in cutter.take(run, video=more.get("video", True), last=at >= len(entries)):
            if part.begins:
                files.append(part)
            else:
                files[-1].entries += part.entries
                files[-1].ends = part.ends
    assert all(part.ends for part in files)
    return files


def media(entries: list[Entry]) -> list[Entry]:
    return [each for each in entries if each[0] != SCRIPT and not each[1] & 4]


@given(
    st.integers(1, 6),
    st.sampled_from([400, 1000, 2000]),
    st.integers(0, 200),
    st.lists(st.integers(1, 90), min_size=1, max_size=6),
)
def test_segments_have_every_frame_once_and_begin_at_keyframes(length, gop_ms, late, sizes):
    entries = HEADERS + film(12, gop_ms=gop_ms, late=late)
    files = cut(FileCutter(1000 * length), entries, sizes)
    assert [each for file in files for each in file.entries] == media(entries)
    for file in files:
        first = file.entries[0]
        assert first[0] == VIDEO and first[1] & 1
        assert [kind for kind, _ in file.headers] == [VIDEO, AUDIO]
        assert file.metadata == {"width": 320.0}
        assert min(each[2] for each in file.entries) == file.base_ms
    starts = [file.entries[0][2] for file in files]
    step = -(-1000 * length // gop_ms) * gop_ms
    assert starts == list(range(0, 12_000, step))


def test_a_session_is_one_file():
    entries = HEADERS + film(5)
    [file] = cut(FileCutter(), entries)
    assert file.entries == media(entries)


def test_pictures_before_the_first_keyframe_are_left_out_and_sound_is_not():
    entries = [
        *HEADERS,
        sound(0),
        picture(0),
        picture(40),
        sound(40),
        picture(80, key=True),
        *film(1, start=120),
    ]
    [file] = cut(FileCutter(), entries)
    assert [(each[0], each[2]) for each in file.entries[:3]] == [(AUDIO, 0), (AUDIO, 40), (VIDEO, 80)]
    [file] = cut(FileCutter(wait_key=False), entries)
    assert file.entries == media(entries)


def test_without_waiting_for_keyframes_files_end_at_any_frame():
    entries = HEADERS + film(4, gop_ms=100_000)
    files = cut(FileCutter(1000, wait_key=False), entries)
    assert [file.entries[0][2] for file in files] == [0, 1000, 2000, 3000]
    assert len(cut(FileCutter(1000), entries)) == 1


def test_sound_alone_is_cut_at_any_frame():
    entries = [HEADERS[0], HEADERS[2], *(sound(20 * i) for i in range(250))]
    files = cut(FileCutter(2000), entries, video=False)
    assert [file.entries[0][2] for file in files] == [0, 2000, 4000]
    assert [each for file in files for each in file.entries] == media(entries)


def test_another_configuration_of_the_pictures_begins_a_file():
    more = [metadata(width=640.0), entry(VIDEO, 2000, OTHER_AVC_HEADER), *film(2, start=2000)]
    first, second = cut(FileCutter(), HEADERS + film(2) + more)
    assert [each[2] for each in first.entries] == [each[2] for each in film(2)]
    assert (VIDEO, OTHER_AVC_HEADER) in second.headers and second.metadata == {"width": 640.0}
    assert second.entries == film(2, start=2000) and second.base_ms == 2000


def test_the_same_configuration_again_stays_in_the_file():
    entries = [*HEADERS, *film(2), *HEADERS, *film(2, start=2000)]
    [file] = cut(FileCutter(), entries)
    assert media(file.entries) == media(entries)


def test_another_configuration_of_the_sound_begins_a_file_at_the_next_keyframe():
    change = entry(AUDIO, 1500, OTHER_AAC_HEADER)
    first, second = cut(FileCutter(), [*HEADERS, *film(1.5), change, *film(2.5, start=1520, gop_ms=2000)])
    assert change in first.entries
    assert (AUDIO, OTHER_AAC_HEADER) in second.headers
    assert second.entries[0] == picture(2000, 12, key=True)


def test_sound_of_another_codec_without_a_header_begins_a_file():
    mp3 = [entry(AUDIO, 2000 + 26 * i, b"\x2f\xff\xfb" + bytes([i])) for i in range(50)]
    files = cut(FileCutter(), [HEADERS[2], *(sound(20 * i) for i in range(100)), *mp3], video=False)
    assert [file.entries[0][2] for file in files] == [0, 2000]


def test_a_track_that_comes_later_begins_a_file_where_a_file_cannot_take_it():
    silent = [HEADERS[1], *(each for each in film(2) if each[0] == VIDEO)]
    later = [entry(AUDIO, 2000, AAC_HEADER), *film(2, start=2000)]
    assert len(cut(FileCutter(), silent + later)) == 1
    first, second = cut(FileCutter(strict=True), silent + later)
    assert media(second.entries) == film(2, start=2000)
    assert {kind for kind, _ in second.headers} == {VIDEO, AUDIO} and len(first.headers) == 1


def test_behind_a_gap_pictures_begin_at_a_keyframe():
    cutter = FileCutter()
    before = cutter.take(HEADERS + film(1), video=True)
    cutter.lose()
    after = cutter.take([each for each in film(2, start=5040)], video=True, last=True)
    assert before[0].begins and not after[0].begins
    pictures = [each[2] for each in after[0].entries if each[0] == VIDEO]
    assert pictures[0] == 6000
    assert after[0].entries[0] == sound(5040)


def test_times_of_the_stream_are_kept_on_request():
    files = cut(FileCutter(1000, keep_times=True), HEADERS + film(3))
    assert [file.base_ms for file in files] == [0, 0, 0]


def test_a_stream_that_pauses_behind_a_keyframe_keeps_no_frame_back():
    cutter = FileCutter()
    assert cutter.take([*HEADERS, picture(0, key=True)], video=True) == []
    [part] = cutter.take([], video=True)
    assert part.begins and len(part.entries) == 1


def test_script_data_stays_in_its_place_and_metadata_does_not():
    cue = entry(SCRIPT, 400, amf0.encode("onCuePoint", {"name": "x"}))
    [file] = cut(FileCutter(), [*HEADERS, *film(0.4), cue, metadata(width=1.0), *film(1, start=400)])
    assert [each for each in file.entries if each[0] == SCRIPT] == [cue]
