"""Fragmented MP4, read back box by box; frames of tags as samples, whatever the codec."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model import mp4

from fastflv import limits
from fastflv._ext.syntax.flvtag import make_tag
from fastflv.containers.fmp4 import DISPOSABLE, INTER, SYNC, Run, Sample, fragment, init_section
from fastflv.containers.mp4box import box, descriptor
from fastflv.containers.mp4entry import Mp4Track, audio_track, video_track
from fastflv.containers.nalunits import has_lengths, to_lengths
from fastflv.containers.packer import Mp4Packer
from fastflv.errors import CodecConfigError
from fastflv.media.codecs import AUDIO, VIDEO

AVC = bytes.fromhex("014d400dffe10019674d400deca0a0cfcf80880000030008000003019078a14cb001000468ce3c80")
ASC = bytes.fromhex("1210")
"AAC LC, 44100 Hz, 2 channels."
OPUS = b"OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0"
FLAC = b"fLaC\x80\0\0\x22" + bytes.fromhex("1200120000000000000a0ac442f0") + bytes(20)
AC3 = bytes.fromhex("0b77000014404000") + bytes(8)
"48 kHz, id 8, stereo, 192 kbit/s."
VIDEO_TRACK = Mp4Track(VIDEO, "H264", 90_000, box(b"avc1", bytes(6), b"\0\1", bytes(70)), 64, 36)
AUDIO_TRACK = Mp4Track(AUDIO, "AAC", 44_100, box(b"mp4a", bytes(6), b"\0\1", bytes(20)))

DATA = st.binary(min_size=1, max_size=40)
VIDEO_SAMPLES = st.lists(
    st.builds(
        Sample,
        st.integers(1, 90_000),
        DATA,
        st.sampled_from([SYNC, INTER, DISPOSABLE]),
        st.integers(-90_000, 900_000),
    ),
    max_size=20,
)
AUDIO_SAMPLES = st.lists(st.builds(Sample, st.integers(1, 4096), DATA), max_size=20)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**40), VIDEO_SAMPLES, st.integers(0, 2**40), AUDIO_SAMPLES)
def test_a_fragment_read_back_is_the_same(sequence, video_start, video, audio_start, audio):
    data = fragment(sequence, [Run(AUDIO_TRACK, audio_start, audio), Run(VIDEO_TRACK, video_start, video)])
    number, tracks = mp4.read_fragment(data)
    assert number == sequence
    for track_id, start, samples in ((1, video_start, video), (2, audio_start, audio)):
        found = tracks.get(track_id, [])
        assert [Sample(s.duration, s.data, s.flags, s.composition) for s in found] == samples
        if found:
            assert found[0].dts == start
    assert len(tracks) == bool(video) + bool(audio)


def test_an_initialisation_section_describes_both_tracks():
    tracks = mp4.read_init(init_section([AUDIO_TRACK, VIDEO_TRACK]))
    assert list(tracks) == [1, 2]
    assert (tracks[1].handler, tracks[1].timescale, tracks[1].width, tracks[1].height) == (
        b"vide",
        90_000,
        64,
        36,
    )
    assert (tracks[2].handler, tracks[2].timescale) == (b"soun", 44_100)
    assert list(mp4.read_init(init_section([AUDIO_TRACK]))) == [2]


@given(st.binary(max_size=300))
def test_a_descriptor_tells_its_size(body):
    data = descriptor(5, body)
    size = 0
    for byte in data[1:5]:
        size = size << 7 | byte & 127
    assert data[0] == 5 and data[5:] == body and size == len(body)


# --- sample entries -------------------------------------------------------------------------------


def track_of(made: Mp4Track | None) -> mp4.Mp4Track:
    assert made is not None
    (track,) = mp4.read_init(init_section([made])).values()
    return track


def test_h264_is_described_by_its_record():
    made = video_track("H264", AVC)
    track = track_of(made)
    assert track.entry.name == b"avc1"
    assert track.inner(b"avcC") == AVC
    assert (track.width, track.height) == (made.width, made.height) == (320, 180)
    assert made.length_size == 4
    assert track.entry.body[24:28] == (320).to_bytes(2, "big") + (180).to_bytes(2, "big")


@pytest.mark.parametrize(
    "record", [b"\0\x0a\x82\1\1\1\0\0", b"\1\0\0\0\0\x0a\x82\1\1\1\0\0"], ids=["bare", "boxed"]
)
def test_vp9_takes_its_size_from_elsewhere(record):
    track = track_of(video_track("VP9", record, size=(640, 360)))
    assert (track.entry.name, track.width, track.height) == (b"vp09", 640, 360)
    assert track.inner(b"vpcC") == b"\1\0\0\0\0\x0a\x82\1\1\1\0\0"


def test_aac_is_described_by_its_record():
    made = audio_track("AAC", ASC)
    track = track_of(made)
    assert (track.entry.name, track.timescale, made.samples) == (b"mp4a", 44_100, 1024)
    assert track.entry.body[16:18] == b"\0\2" and track.entry.body[24:28] == (44_100 << 16).to_bytes(4, "big")
    esds = track.inner(b"esds")
    assert esds[4] == 3 and ASC in esds and b"\x40\x15" in esds


def test_opus_is_described_in_the_byte_order_of_mp4():
    track = track_of(audio_track("Opus", OPUS))
    assert track.inner(b"dOps") == bytes.fromhex("00 02 0138 0000bb80 0000 00")
    assert track.timescale == 48_000
    assert track_of(audio_track("Opus", b"")).inner(b"dOps")[1] == 2


def test_opus_with_a_channel_table_that_is_cut_is_refused():
    whole = OPUS[:18] + b"\1" + b"\1\1\0\1"
    assert track_of(audio_track("Opus", whole)).inner(b"dOps")[-4:] == b"\1\1\0\1"
    with pytest.raises(CodecConfigError):
        audio_track("Opus", whole[:-1])


@pytest.mark.parametrize("record", [FLAC, FLAC[4:], FLAC[8:]], ids=["fLaC", "block", "bare"])
def test_flac_is_described_by_its_stream_info(record):
    made = audio_track("FLAC", record)
    track = track_of(made)
    assert track.inner(b"dfLa") == b"\0\0\0\0\x80\0\0\x22" + FLAC[8:]
    assert (track.entry.name, track.timescale, made.samples) == (b"fLaC", 44_100, 4608)


def test_codecs_without_a_record_are_described_by_a_frame():
    mp3 = audio_track("MP3", b"", bytes.fromhex("fffb9064") + bytes(413))
    track = track_of(mp3)
    assert (track.entry.name, track.timescale) == (b"mp4a", 44_100)
    assert b"\x6b\x15" in track.inner(b"esds")
    ac3 = track_of(audio_track("AC3", b"", AC3))
    assert (ac3.entry.name, ac3.timescale) == (b"ac-3", 48_000)
    assert ac3.inner(b"dac3") == bytes.fromhex("101140")
    assert audio_track("MP3", b"") is None


@pytest.mark.parametrize(
    ("kind", "codec", "record"),
    [
        (VIDEO, "H264", b"\1\2"),
        (VIDEO, "HEVC", bytes(5)),
        (VIDEO, "H263", b""),
        (VIDEO, "", b""),
        (AUDIO, "AAC", b""),
        (AUDIO, "Speex", b""),
        (AUDIO, "FLAC", b"fLaC"),
    ],
    ids=str,
)
def test_what_cannot_be_described_is_an_error(kind, codec, record):
    with pytest.raises(CodecConfigError):
        (video_track if kind == VIDEO else audio_track)(codec, record)


# --- NAL units ------------------------------------------------------------------------------------

UNITS = st.lists(
    st.binary(min_size=1, max_size=30).filter(lambda u: b"\0\0\1" not in u and u[-1] != 0 and u[0] != 0),
    min_size=1,
    max_size=5,
)


@given(UNITS, st.sampled_from([b"\0\0\1", b"\0\0\0\1"]))
def test_start_codes_become_lengths(units, code):
    annexb = b"".join(code + unit for unit in units)
    lengths = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    if has_lengths(annexb, 4):
        return
    assert to_lengths(annexb, 4) == lengths


@given(UNITS, st.sampled_from([1, 2, 4]))
def test_lengths_stay_lengths(units, size):
    data = b"".join(len(unit).to_bytes(size, "big") + unit for unit in units)
    assert has_lengths(data, size)
    assert to_lengths(data, size) == data


@given(st.binary(max_size=60), st.sampled_from([1, 2, 4]))
def test_any_frame_comes_out_as_it_is_or_with_lengths(data, size):
    out = to_lengths(data, size)
    assert out == data or has_lengths(out, size)


# --- packing --------------------------------------------------------------------------------------

AVC_HEADER = b"\x17\0\0\0\0" + AVC
AAC_HEADER = b"\xaf\0" + ASC


def feed(packer: Mp4Packer, kind: int, dts_ms: int, body: bytes, flags: int = 0) -> bool:
    """Give a tag to a packer; return whether it held media."""
    frame = packer.read(kind, flags, dts_ms, make_tag(kind, dts_ms, body))
    if frame is not None:
        packer.add(kind, flags, dts_ms, frame)
    return frame is not None


def picture(data: bytes, cts: int = 0, key: bool = False) -> bytes:
    return (b"\x17" if key else b"\x27") + b"\1" + cts.to_bytes(3, "big", signed=True) + data


def started() -> Mp4Packer:
    packer = Mp4Packer()
    assert not feed(packer, VIDEO, 0, AVC_HEADER)
    assert not feed(packer, AUDIO, 0, AAC_HEADER)
    return packer


def test_frames_become_samples_with_their_times():
    packer = started()
    for number, cts in enumerate([80, 200, 80, 0, 40]):
        feed(
            packer, VIDEO, 1000 + 40 * number, picture(b"\0\0\0\1%d" % number, cts, number == 0), number == 0
        )
    for number in range(4):
        feed(packer, AUDIO, 1000 + 23 * number, b"\xaf\1a%d" % number)
    body, init = packer.finish(1200)
    assert list(mp4.read_init(init)) == [1, 2]
    number, tracks = mp4.read_fragment(body)
    assert number == 1
    assert [(s.dts, s.duration, s.composition) for s in tracks[1]] == [
        (90_000 + 3600 * n, 3600, 90 * cts) for n, cts in enumerate([80, 200, 80, 0, 40])
    ]
    assert [s.flags for s in tracks[1]] == [SYNC] + [INTER] * 4
    assert [s.data for s in tracks[2]] == [b"a0", b"a1", b"a2", b"a3"]
    assert [(s.dts, s.duration) for s in tracks[2]] == [(44_100 + 1024 * n, 1024) for n in range(4)]


def test_audio_runs_on_by_samples_over_segments_while_the_tags_agree():
    packer = started()
    expected = 0
    for segment in range(5):
        for number in range(43):
            count = 43 * segment + number
            feed(packer, AUDIO, round(count * 1024 / 44.1), b"\xaf\1x")
        _, tracks = mp4.read_fragment(packer.finish(0)[0])
        assert tracks[2][0].dts == expected
        assert {s.duration for s in tracks[2]} == {1024}
        expected += 43 * 1024


@pytest.mark.parametrize("jump", [limits.MP4_DRIFT_MS + 30, 500, -(limits.MP4_DRIFT_MS + 30)], ids=str)
def test_audio_follows_the_tags_when_they_go_elsewhere(jump):
    packer = started()
    for number in range(10):
        time = round(number * 1024 / 44.1) + 1000 + (jump if number >= 5 else 0)
        feed(packer, AUDIO, time, b"\xaf\1x")
    _, tracks = mp4.read_fragment(packer.finish(0)[0])
    times = [s.dts for s in tracks[2]]
    assert times == sorted(set(times))
    assert abs(times[-1] / 44.1 - (1000 + 9 * 1024 / 44.1 + jump)) <= limits.MP4_DRIFT_MS


def test_pictures_never_share_a_time():
    packer = started()
    for data in (b"1", b"2", b"3"):
        feed(packer, VIDEO, 40, picture(b"\0\0\0\1" + data), 1)
    _, tracks = mp4.read_fragment(packer.finish(80)[0])
    assert [s.dts for s in tracks[1]] == [3600, 3601, 3602]
    assert [s.dts + s.composition for s in tracks[1]] == [3600] * 3


def test_a_track_is_described_when_it_shows_a_frame():
    packer = started()
    feed(packer, AUDIO, 0, b"\xaf\1x")
    _, first = packer.finish(23)
    assert list(mp4.read_init(first)) == [2]
    feed(packer, VIDEO, 40, picture(b"\0\0\0\1k", key=True), 1)
    _, second = packer.finish(80)
    assert list(mp4.read_init(second)) == [1, 2]


def test_another_header_waits_for_the_end_of_the_segment():
    packer = started()
    feed(packer, AUDIO, 0, b"\xaf\1x")
    feed(packer, AUDIO, 0, AAC_HEADER)
    assert not packer.changed
    feed(packer, AUDIO, 23, b"\xaf\0\x11\x88")
    assert packer.changed == {AUDIO}
    _, first = packer.finish(23)
    assert mp4.read_init(first)[2].timescale == 44_100
    assert not packer.changed
    feed(packer, AUDIO, 46, b"\xaf\1x")
    _, second = packer.finish(70)
    assert mp4.read_init(second)[2].timescale == 48_000


def test_a_header_before_any_frame_just_counts():
    packer = started()
    feed(packer, AUDIO, 0, b"\xaf\0\x11\x88")
    assert not packer.changed
    feed(packer, AUDIO, 0, b"\xaf\1x")
    assert mp4.read_init(packer.finish(20)[1])[2].timescale == 48_000


def test_enhanced_tags_and_codecs_without_headers_are_taken():
    packer = Mp4Packer()
    assert feed(packer, AUDIO, 0, b"\x91Opus\xfcx")
    assert feed(packer, AUDIO, 20, b"\x91Opus\xfcy")
    body, init = packer.finish(40)
    assert mp4.read_init(init)[2].entry.name == b"Opus"
    _, tracks = mp4.read_fragment(body)
    assert [(s.dts, s.duration, s.data) for s in tracks[2]] == [(0, 960, b"\xfcx"), (960, 960, b"\xfcy")]
    packer = Mp4Packer()
    frame = bytes.fromhex("fffb9064") + bytes(413)
    assert feed(packer, AUDIO, 0, b"\x2f" + frame)
    body, init = packer.finish(26)
    assert mp4.read_fragment(body)[1][2][0].duration == 1152


def test_what_cannot_be_carried_is_left_out_and_counted():
    packer = started()
    assert not feed(packer, VIDEO, 0, b"\x12h263")
    assert not feed(packer, AUDIO, 0, b"\xb2speex")
    assert not feed(packer, 18, 0, b"\2\0\nonMetaData")
    assert packer.skipped == 2
    feed(packer, VIDEO, 0, b"\x17\0\0\0\0\1\2")
    feed(packer, VIDEO, 0, picture(b"\0\0\0\1k", key=True), 1)
    assert packer.skipped == 3
    assert packer.finish(40) == (b"", b"")


@given(st.lists(st.tuples(st.sampled_from([8, 9, 18]), st.binary(max_size=40), st.booleans()), max_size=20))
def test_any_tags_give_a_readable_segment_or_none(rows):
    packer = started()
    for number, (kind, body, key) in enumerate(rows):
        feed(packer, kind, 40 * number, body, key)
    body, init = packer.finish(40 * len(rows))
    if body:
        _, tracks = mp4.read_fragment(body)
        assert set(tracks) <= set(mp4.read_init(init))
