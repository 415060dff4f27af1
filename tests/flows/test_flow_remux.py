"""`fastflv remux` and `fastflv probe FILE`: what ffmpeg decodes of the result is what it decodes of the file."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from clip import Clip
from command import ask, command, decoded, on_terminal
from flvread import AUDIO, VIDEO, flv_file, media, read_flv


@pytest.mark.parametrize(
    ("name", "ending", "kinds"),
    [
        ("h264_aac", "flv", "va"),
        ("av1_opus", "flv", "va"),
        ("audio_only", "flv", "a"),
        ("h264_aac", "mp4", "va"),
        ("hevc_aac", "mp4", "va"),
        ("av1_opus", "mp4", "va"),
        ("h264_flac", "mp4", "va"),
        ("audio_only", "mp4", "a"),
        ("h264_aac", "ts", "va"),
        ("hevc_aac", "ts", "va"),
        ("h264_ac3", "ts", "va"),
        ("h264_two_tracks", "ts", "va"),
        ("audio_only", "ts", "a"),
        ("video_only", "ts", "v"),
        ("h264_aac", "aac", "a"),
        ("mp3_only", "mp3", "a"),
        ("h264_aac", "m3u8", "va"),
        ("hevc_aac", "m3u8", "va"),
        ("av1_opus", "m3u8", "va"),
        ("h264_flac", "m3u8", "va"),
    ],
)
def test_every_frame_is_in_the_other_container(
    clips: dict[str, Clip], tmp_path: Path, name: str, ending: str, kinds: str
) -> None:
    if name not in clips:
        pytest.skip(f"this ffmpeg cannot make {name}")
    clip = clips[name]
    out = tmp_path / f"out.{ending}"
    report = ask("remux", clip.path, out)
    assert report["output"] == str(out) and report["warnings"] == [] and report["seconds"] > 1
    for kind in kinds:
        found, wanted = decoded(out, kind), decoded(clip.path, kind)
        # A decoder gives a frame more or less for the delay that only some containers announce.
        assert len(found) > 10 and abs(len(found) - len(wanted)) <= (kind == "a")
        assert found == wanted or kind == "a"
    assert not list(tmp_path.glob("*.part")), "something unfinished stays"


def test_a_container_that_cannot_carry_the_codecs_is_refused(clips: dict[str, Clip], tmp_path: Path) -> None:
    if "av1_opus" not in clips:
        pytest.skip("this ffmpeg cannot make AV1")
    for ending, words in (("ts", "AV1 video"), ("mp3", "Opus audio")):
        said = ask("remux", clips["av1_opus"].path, tmp_path / f"a.{ending}", status=1)["error"]
        assert words in said and "write .flv" in said
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_answered_with_what_to_do(h264: Clip, tmp_path: Path) -> None:
    def said(*words: str | Path) -> str:
        return str(ask("remux", *words, status=1)["error"])

    out = tmp_path / "there.ts"
    out.write_text("mine")
    assert "--force replaces it" in said(h264.path, out)
    assert out.read_text() == "mine"
    ask("remux", h264.path, out, "--force")
    assert len(decoded(out, "v")) > 10
    assert "write one of .flv" in said(h264.path, tmp_path / "a.mkv")
    assert "there is no directory" in said(h264.path, tmp_path / "none" / "a.ts")
    assert "there is no file" in said(tmp_path / "none.flv", tmp_path / "a.ts")
    text = tmp_path / "text.flv"
    text.write_text("no film")
    assert "is no FLV file" in said(text, tmp_path / "a.ts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.flv", "there.ts"]


def test_a_damaged_file_gives_what_is_whole_and_status_1(h264: Clip, tmp_path: Path) -> None:
    data = h264.path.read_bytes()
    half = len(flv_file(h264.flv.tags[: len(h264.flv.tags) // 2]))
    for name, part in (("cut", data[: half + 9]), ("torn", data[:half] + b"\x55" * 99 + data[half:])):
        broken, out = tmp_path / f"{name}.flv", tmp_path / f"{name}.ts"
        broken.write_bytes(part)
        report = ask("remux", broken, out, status=1)
        assert str(broken) in report["warnings"][0]
        assert 0 < len(decoded(out, "v")) < len(decoded(h264.path, "v"))
        assert ask("probe", broken)["warnings"]


def test_flv_and_mp4_have_an_index(h264: Clip, tmp_path: Path) -> None:
    flv, mp4 = tmp_path / "a.flv", tmp_path / "a.mp4"
    ask("remux", h264.path, flv)
    ask("remux", h264.path, mp4)
    keys = sum(tag.is_key for tag in h264.flv.tags)
    report = ask("probe", flv)
    assert report["index"] == keys and abs(float(report["metadata"]["duration"]) - report["seconds"]) < 0.2
    tags = read_flv(flv.read_bytes()).tags
    assert media(tags, VIDEO) == media(h264.flv.tags, VIDEO) and media(tags, AUDIO) == media(
        h264.flv.tags, AUDIO
    )
    # A plain movie over one run of samples, not fragments alone.
    data = mp4.read_bytes()
    assert data[4:8] == b"ftyp" and data.count(b"stco") + data.count(b"co64") >= 2
    # A second time it is the same file.
    again = tmp_path / "b.flv"
    ask("remux", flv, again)
    assert media(read_flv(again.read_bytes()).tags, VIDEO) == media(tags, VIDEO)


def test_a_change_of_codecs_begins_another_mp4(clips: dict[str, Clip], tmp_path: Path) -> None:
    if "hevc_aac" not in clips:
        pytest.skip("this ffmpeg cannot make HEVC")
    both = [clips["h264_aac"], clips["hevc_aac"]]
    joined, start = [], 0
    for clip in both:
        joined += [tag._replace(time=tag.time + start) for tag in clip.flv.tags]
        start = round(1000 * clip.form.seconds) + 1000
    changing = tmp_path / "changing.flv"
    changing.write_bytes(flv_file(joined))
    mine = tmp_path / "out-1.mp4"
    mine.write_text("mine")
    ask("remux", changing, tmp_path / "out.mp4")
    assert mine.read_text() == "mine"
    for clip, name in zip(both, ("out.mp4", "out-2.mp4"), strict=True):
        assert decoded(tmp_path / name, "v") == decoded(clip.path, "v")


def test_stdin_is_remuxed_and_ctrl_c_leaves_a_whole_file(h264: Clip, tmp_path: Path) -> None:
    data = h264.path.read_bytes()
    out = tmp_path / "piped.ts"
    with h264.path.open("rb") as file:
        process = command("remux", "-", out, stdin=file)
        assert process.wait(30) == 0
    assert decoded(out, "v") == decoded(h264.path, "v")
    part = tmp_path / "part.ts"
    process = command("remux", "-", part, "--json", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.buffer.write(data[: len(data) * 2 // 3])
    process.stdin.flush()
    while not part.with_name("part.ts.part").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.stdin.buffer.write(data[len(data) * 2 // 3 : -1000])
    process.stdin.close()
    assert process.wait(30) == 130
    assert len(decoded(part, "v")) > 5


def test_a_terminal_shows_progress_and_a_pipe_nothing(h264: Clip, tmp_path: Path) -> None:
    status, shown = on_terminal("remux", h264.path, tmp_path / "a.ts")
    assert status == 0 and h264.path.name in shown.replace("\r\n", "")
    process = command("remux", h264.path, tmp_path / "b.ts")
    assert process.communicate(timeout=30) == ("", "")


def test_a_file_is_probed(h264: Clip, tmp_path: Path) -> None:
    report = ask("probe", h264.path)
    video, audio = report["tracks"]
    assert (video["codec"], audio["codec"]) == ("H264", "AAC")
    assert video["frames"] == sum(not tag.is_config for tag in h264.flv.tags if tag.kind == 9)
    assert abs(report["seconds"] - h264.form.seconds) < 0.3 and report["bytes"] == h264.path.stat().st_size
    assert report["warnings"] == [] and report["gop_ms"]["most"] <= 2000
    process = command("probe", h264.path)
    text, _ = process.communicate(timeout=30)
    assert "video: H264" in text and "no index of keyframes" in text and "delay" not in text
