"""Recordings as MP4: finished files are plain seekable movies, and those of a crash play up to their last fragment."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import FORMS, Clip, ffmpeg
from flvread import AUDIO, VIDEO, Tag, media
from publisher import AVC, film, headers
from recording import decode, files, publish, recording
from server import Server, until

OTHER_AVC = AVC.replace(b"\x4d", b"\x42", 1)
ABSENT = {"h264_alaw": {AUDIO}, "h264_mulaw": {AUDIO}}
"Kinds that MP4 does not carry here."


def mp4(folder: Path, more: str = "", **words: str) -> str:
    return recording(folder, more, path=f"{folder}/[stream]-[timestamp].mp4", **words)


def packets(path: Path) -> dict[str, list[tuple[float, float, int]]]:
    """Presentation time, decode time and size of each packet, by the number of the stream in ffmpeg."""
    words = [
        ffmpeg(),
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0",
        "-c",
        "copy",
        "-copyts",
        "-f",
        "framecrc",
        "-",
    ]
    text = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
    bases = dict(re.findall(r"#tb (\d+): (\S+)", text))
    found: dict[str, list[tuple[float, float, int]]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        stream, dts, pts, _, size, *_ = (word.strip() for word in line.split(","))
        over, under = map(int, bases[stream].split("/"))
        found.setdefault(stream, []).append((int(pts) * over / under, int(dts) * over / under, int(size)))
    return dict(sorted(found.items()))


def duration(path: Path) -> float:
    text = subprocess.run([ffmpeg(), "-hide_banner", "-i", str(path)], capture_output=True, text=True).stderr
    [(hours, minutes, seconds)] = re.findall(r"Duration: (\d+):(\d+):([\d.]+)", text)
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def shown(tag: Tag) -> int:
    """Presentation time of a picture, ms."""
    at = 2
    if tag.body[0] & 0x80:
        if tag.body[0] & 15 != 1 or tag.body[1:5] not in (b"hvc1", b"avc1"):
            return tag.time
        at = 5
    elif tag.body[0] & 15 not in (7, 12):
        return tag.time
    return tag.time + int.from_bytes(tag.body[at : at + 3], "big", signed=True)


@pytest.mark.parametrize("name", [form.name for form in FORMS])
def test_every_codec_of_mp4_is_recorded_with_its_times(
    serve: Callable[..., Server], tmp_path: Path, clips: dict[str, Clip], name: str
) -> None:
    if name not in clips:
        pytest.skip(f"this ffmpeg cannot make {name}")
    server = serve(mp4(tmp_path))
    tags = media(clips[name].flv.tags)
    publish(server, clips[name].flv.tags)
    server.log.wait(r"record of /live/r is finished")
    [path] = files(tmp_path, ".mp4")
    decode(path)
    kinds = [kind for kind in (VIDEO, AUDIO) if any(tag.kind == kind for tag in tags)]
    kinds = [kind for kind in kinds if kind not in ABSENT.get(name, ())]
    found = packets(path)
    assert len(found) == len(kinds)
    first = min(shown(tag) if tag.kind == VIDEO else tag.time for tag in tags if tag.kind in kinds)
    for kind, rows in zip(kinds, found.values(), strict=True):
        sent = [tag for tag in tags if tag.kind == kind and not _is_further(tag)]
        assert len(rows) == len(sent)
        if kind == VIDEO:
            for (pts, _, _), tag in zip(rows, sent, strict=True):
                assert abs(pts - (shown(tag) - first) / 1000) < 0.002
        else:
            for (pts, _, _), tag in zip(rows, sent, strict=True):
                assert abs(pts - (tag.time - first) / 1000) < 0.035
    ends = max(shown(tag) if tag.kind == VIDEO else tag.time for tag in tags if tag.kind in kinds)
    assert 0 <= duration(path) - (ends - first) / 1000 < 0.12


def _is_further(tag: Tag) -> bool:
    """Of a second track of sound."""
    return tag.kind == AUDIO and tag.body[0] >> 4 == 9 and tag.body[0] & 15 == 5


def test_segments_of_mp4_have_all_frames_once(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(mp4(tmp_path, "dvr_plan segment; dvr_duration 2;"))
    publish(server, [*headers(), *film(250)])
    until(lambda: len(files(tmp_path, ".mp4")) == 5, "five segments", 20)
    for path in files(tmp_path, ".mp4"):
        found = packets(path)
        assert [len(rows) for rows in found.values()] == [50, 50]
        assert abs(duration(path) - 2.0) < 0.1
        assert found["0"][0][0] == 0


def test_another_configuration_begins_another_movie(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(mp4(tmp_path, publish="grace 3;"))
    publish(server, [*headers(), *film(50)])
    publish(server, [*headers(OTHER_AVC), *film(75)])
    until(lambda: len(files(tmp_path, ".mp4")) == 2, "two files", 20)
    assert [len(packets(path)["0"]) for path in files(tmp_path, ".mp4")] == [50, 75]


def test_a_server_that_is_killed_leaves_a_movie_that_plays(tmp_path: Path, h264: Clip) -> None:
    folder = tmp_path / "files"
    server = Server(tmp_path, mp4(folder))
    with server, Broadcast(server.rtmp, "r", clip=h264):
        server.log.wait("record of /live/r begins")
        until(lambda: server.streams()["r"]["frames"] > 100, "frames", 30)
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        # What is wrong with its end is meant.
        server.process.returncode = 0
    [path] = files(folder, ".mp4.tmp")
    decode(path)
    assert len(packets(path)["0"]) > 50


def test_a_stream_that_mp4_cannot_carry_stops_its_recording(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(mp4(tmp_path))
    with Broadcast(
        server.rtmp, "r", head=[], media=[Tag(AUDIO, 20 * i, b"\x72" + bytes(160)) for i in range(500)]
    ):
        server.log.wait("record of /live/r stops: it has no track that MP4 can carry")
    server.log.lines[:] = [each for each in server.log.lines if "record of" not in each]
    assert not files(tmp_path, "")
