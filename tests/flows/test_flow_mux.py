"""Clips of a real ffmpeg in MPEG-TS, `.aac` and `.mp3`: a strict reader takes them, and ffmpeg decodes the same."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import clip
import pytest
from clip import FORMS, X264, Form, ffmpeg
from flvread import AUDIO, VIDEO, Tag
from model import ts
from model.remuxed import pictures, sounds

from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.rawaudio import AudioMux
from fastflv._ext.syntax.flvtag import payload
from fastflv.containers.mpegts import describe, mux

BY_NAME = {form.name: form for form in FORMS}
CARRIED = [
    *(
        BY_NAME[name]
        for name in ("h264_aac", "h264_mp3", "hevc_aac", "h264_ac3", "h264_eac3", "h264_two_tracks")
    ),
    *(BY_NAME[name] for name in ("audio_only", "mp3_only", "video_only")),
    Form("h264_opus", X264, "libopus -ar 48000 -b:a 64k"),
    Form("opus_only", "", "libopus -ar 48000 -b:a 64k"),
    Form("mp3_22k", X264, "libmp3lame -ar 22050 -b:a 32k"),
    replace(BY_NAME["h264_aac"], name="few_pictures", seconds=4, more="-r 5"),
    replace(BY_NAME["video_only"], name="few_pictures_only", seconds=4, more="-r 5"),
    Form(
        "hevc_bframes",
        "libx265 -preset ultrafast -pix_fmt yuv420p -x265-params keyint=20:bframes=3:log-level=none",
        "aac -ar 48000",
    ),
    Form("open_gop", X264 + " -x264-params open-gop=1", "aac -ar 44100"),
    Form("aud_in_band", X264 + " -x264-params aud=1:repeat-headers=1", "aac -ar 44100"),
    Form("slices", X264 + " -x264-params slices=4", "aac -ar 44100 -ac 6"),
]
OTHERS = {"av1_opus": {0x101}, "vp9_opus": {0x101}, "h264_flac": {0x100}, "h264_alaw": {0x100}}


def made(form: Form, folder: Path) -> clip.Clip:
    found = clip.make(form, folder)
    if found is None:
        pytest.skip(f"this ffmpeg cannot make {form.name} in FLV")
    return found


@pytest.fixture(params=CARRIED, ids=lambda form: form.name)
def source(request: pytest.FixtureRequest, clip_folder: Path) -> clip.Clip:
    return made(request.param, clip_folder)


@pytest.fixture
def muxed(source: clip.Clip, tmp_path: Path) -> Path:
    path = tmp_path / "out.ts"
    path.write_bytes(mux(source.path.read_bytes()))
    return path


def frames_of(tags: list[Tag], kind: int) -> list[tuple[int, int, bytes]]:
    """Time, composition offset and data of every frame of the default track."""
    found = []
    for tag in tags:
        if tag.kind == kind and not tag.is_config:
            read = payload(kind, tag.body)
            if read is not None:
                found.append((tag.time, read[3], read[4]))
    return found


def decoded(path: Path, kind: str) -> list[tuple[float, str]]:
    """Time in ms and hash of every decoded frame of the first stream of a kind; ffmpeg must not complain."""
    words = [ffmpeg(), "-v", "error", "-copyts", "-i", str(path), "-map", f"0:{kind}:0", "-fps_mode"]
    words += ["passthrough", "-enc_time_base", "demux", "-f", "framemd5", "-"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    lines = done.stdout.splitlines()
    base = next((line.split()[2] for line in lines if line.startswith("#tb 0")), "1/1")
    top, bottom = map(int, base.split("/"))
    rows = [line.replace(",", " ").split() for line in lines if not line.startswith("#")]
    return [(1000 * int(row[2]) * top / bottom, row[5]) for row in rows]


def decode_all(path: Path) -> None:
    words = [ffmpeg(), "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_a_strict_reader_finds_every_frame_at_its_time(source: clip.Clip, muxed: Path) -> None:
    reader = ts.read_ts(muxed.read_bytes())
    assert reader.restarts == 0
    assert all(pes.lead is not None and pes.lead >= 0 for pes in reader.pes)
    assert len({str(pmt) for pmt in reader.pmts}) == 1
    assert set(reader.pmts[0].streams) == {
        pid for pid, there in ((0x100, source.form.video), (0x101, source.form.audio)) if there
    }
    wanted = frames_of(source.flv.tags, VIDEO)
    got = pictures(reader)
    assert len(got) == len(wanted)
    for picture, (dts, cts, data) in zip(got, wanted, strict=True):
        assert (picture.dts_ms, picture.pts_ms) == (dts, dts + cts)
        nalus = ts.from_lengths(data, 4)
        assert nalus is not None
        assert picture.units[-len(nalus) :] == nalus or picture.units[0] == nalus[0]
        assert [unit for unit in picture.units if unit in nalus] == nalus
    sound = frames_of(source.flv.tags, AUDIO)
    assert b"".join(data for one in sounds(reader) for data in one.units) == b"".join(
        data for _, _, data in sound
    )
    times = [one.pts_ms for one in sounds(reader)]
    assert set(times) <= {time for time, _, _ in sound}


def test_ffmpeg_decodes_it_without_a_complaint(muxed: Path) -> None:
    decode_all(muxed)


def test_ffmpeg_decodes_the_same_pictures_and_sounds_at_the_same_times(
    source: clip.Clip, muxed: Path
) -> None:
    shifts = []
    for kind, there in (("v", source.form.video), ("a", source.form.audio)):
        if not there:
            continue
        before, after = decoded(source.path, kind), decoded(muxed, kind)
        if there.startswith("libopus"):
            # FLV says how much of the start is to be thrown away; in TS it is heard.
            assert len(after) - len(before) in (0, 1)
            before, after = before[1:], after[len(after) - len(before) + 1 :]
        assert [frame for _, frame in after] == [frame for _, frame in before]
        shifts += [late - soon for (late, _), (soon, _) in zip(after, before, strict=True)]
    assert not shifts or max(shifts) - min(shifts) < 2.5, (min(shifts), max(shifts))


@pytest.mark.parametrize("name", OTHERS)
def test_a_track_that_ts_cannot_carry_is_left_out_and_the_other_plays(
    name: str, clip_folder: Path, tmp_path: Path
) -> None:
    source = made(BY_NAME[name], clip_folder)
    path = tmp_path / "out.ts"
    path.write_bytes(mux(source.path.read_bytes()))
    reader = ts.read_ts(path.read_bytes())
    assert {pid for pmt in reader.pmts for pid in pmt.streams} == OTHERS[name]
    decode_all(path)


@pytest.mark.parametrize(
    ("name", "container"),
    [("h264_aac", "aac"), ("audio_only", "aac"), ("h264_mp3", "mp3"), ("mp3_only", "mp3")],
)
def test_audio_without_a_container_decodes_the_same(
    name: str, container: str, clip_folder: Path, tmp_path: Path
) -> None:
    source = made(BY_NAME[name], clip_folder)
    log, out = MediaLog(keep_ms=10**9), MediaLog(keep_ms=10**9)
    follower = AudioMux(log, out, describe, container)
    follower.begin(b"", 0)
    for tag in source.flv.tags:
        log.append(tag.kind, tag.time, tag.body)
    path = tmp_path / f"out.{container}"
    path.write_bytes(out.read(out.tail, out.head))
    decode_all(path)
    before = [frame for _, frame in decoded(source.path, "a")]
    after = [frame for _, frame in decoded(path, "a")]
    # A reader of bare MP3 may take the first frames for what leads in.
    assert after == before[len(before) - len(after) :]
    assert len(before) - len(after) <= (2 if container == "mp3" else 0)


def test_shared_clips_decode_the_same(tmp_path: Path) -> None:
    folder = Path(__file__).resolve().parents[3] / "shared" / "media"
    files = sorted(folder.glob("*.flv"))
    if not files:
        pytest.skip("no ../shared/media here")
    for path in files:
        out = tmp_path / f"{path.stem}.ts"
        out.write_bytes(mux(path.read_bytes()))
        assert ts.read_ts(out.read_bytes()).restarts == 0
        decode_all(out)
        for kind in "va":
            before, after = decoded(path, kind), decoded(out, kind)
            assert [frame for _, frame in after] == [frame for _, frame in before]
            shifts = [late - soon for (late, _), (soon, _) in zip(after, before, strict=True)]
            assert max(shifts) - min(shifts) < 2.5
