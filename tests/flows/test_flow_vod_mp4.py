"""Parts of MP4 files from a running server: what ffmpeg reads of them is what it reads of the whole file from there on."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import clip
import pytest
from server import Server, vhost_text
from vodsite import ask, complaint

FORMS = {
    "long": ("long_h264_aac.flv", "-movflags +faststart"),
    "behind": ("long_h264_aac.flv", ""),
    "hevc": ("hevc_aac.flv", "-tag:v hvc1"),
    "av1": ("av1_opus.flv", ""),
    "sound": ("audio_only.flv", ""),
    "silent": ("video_only.flv", "-movflags +faststart"),
    "late": ("long_h264_aac.flv", "-map 0:v -itsoffset 1.5 -i {folder}/long_h264_aac.flv -map 1:a"),
}
"Files that ffmpeg makes of clips: the clip, and words."
LONG = clip.Form("long_h264_aac", clip.X264, "aac -ar 44100 -ac 2 -b:a 64k", seconds=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clips: dict[str, clip.Clip], clip_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("mp4")
    assert clip.make(LONG, clip_folder) is not None
    for name, (source, words) in FORMS.items():
        if not (clip_folder / source).exists():
            continue
        more = words.format(folder=clip_folder).split()
        inputs = ["-i", str(clip_folder / source)]
        if "-i" in more:
            at = more.index("-itsoffset")
            inputs += more[at : at + 4]
            del more[at : at + 4]
        command = [clip.ffmpeg(), "-v", "error", *inputs, "-c", "copy", *more, str(folder / f"{name}.mp4")]
        subprocess.run(command, check=True, timeout=60)
    whole = (folder / "long.mp4").read_bytes()
    (folder / "torn.mp4").write_bytes(whole[: len(whole) // 2])
    whole = (folder / "behind.mp4").read_bytes()
    (folder / "broken.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "text.mp4").write_text("this is no MP4 file at all")
    words = ["-c", "copy", "-movflags", "frag_keyframe+empty_moov", str(folder / "pieces.mp4")]
    subprocess.run(
        [clip.ffmpeg(), "-v", "error", "-i", str(folder / "long.mp4"), *words], check=True, timeout=60
    )
    return folder


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], folder: Path) -> Server:
    return serve(vhost_text(), web=f"dir {folder};")


def packets(data: bytes) -> dict[str, list[tuple[float, float, bool, bytes]]]:
    """Presentation and decode time in seconds, key or not, and bytes, by the kind of track."""
    found: dict[str, list[tuple[float, float, bool, bytes]]] = {}
    with av.open(BytesIO(data), format="mp4") as container:
        for packet in container.demux():
            if packet.dts is not None and packet.pts is not None:
                base: Any = packet.time_base
                row = (float(packet.pts * base), float(packet.dts * base), packet.is_keyframe, bytes(packet))
                found.setdefault(packet.stream.type, []).append(row)
    return found


@pytest.mark.parametrize("name", FORMS)
def test_a_part_has_the_packets_of_the_file_from_a_keyframe_on_with_their_times(
    server: Server, folder: Path, name: str
) -> None:
    path = folder / f"{name}.mp4"
    if not path.exists():
        pytest.skip("this ffmpeg has no encoder for it")
    whole = packets(path.read_bytes())
    for start in (0.001, 0.5, 1.0, 1.03, 1.5, 7.77, 12.0, 19.2):
        answer = ask(server.http, f"/{name}.mp4?start={start}")
        if start > max(rows[-1][0] for rows in whole.values()):
            assert answer.status == 416
            continue
        assert (answer.status, answer.fields["content-type"]) == (200, "video/mp4")
        assert not complaint(answer.body, "mp4"), start
        part = packets(answer.body)
        moved = None
        for kind in sorted(whole, reverse=True):
            if kind not in part:
                assert whole[kind][-1][0] <= start + 0.1
                continue
            rows, old = part[kind], whole[kind]
            rest = old[len(old) - len(rows) :]
            assert [row[3] for row in rows] == [row[3] for row in rest], (kind, start)
            if kind == "video":
                assert rows[0][2] and (rest[0][0] <= start or len(rest) == len(old))
                later = [row for row in old if row[2] and rest[0][0] < row[0]]
                assert not later or later[0][0] > start, "a later keyframe would do"
            steps = {round(old_row[0] - row[0], 2) for row, old_row in zip(rows, rest, strict=True)}
            assert len(steps) == 1, (kind, start, steps)
            moved = steps.copy() if moved is None else moved
            assert abs(min(steps) - min(moved)) < 0.012, "sound and pictures move alike"


def test_an_end_leaves_what_is_behind_it(server: Server, folder: Path) -> None:
    part = packets(ask(server.http, "/long.mp4?start=5.03&end=8.03").body)
    assert 60 <= len(part["video"]) <= 63 and part["video"][0][2]
    assert 2.9 < part["audio"][-1][0] < 3.1
    begin = packets(ask(server.http, "/long.mp4?end=2.0s").body)
    assert 40 <= len(begin["video"]) <= 43
    assert ask(server.http, "/long.mp4?start=8&end=5").status == 416


def test_random_places_decode_from_their_first_frame(server: Server) -> None:
    chance = random.Random(4)
    for name in ("long", "behind"):
        for _ in range(10):
            answer = ask(server.http, f"/{name}.mp4?start={chance.uniform(0, 19.9):.3f}")
            assert answer.status == 200 and not complaint(answer.body, "mp4")


def test_a_part_of_an_mp4_file_has_ranges_and_a_head(server: Server) -> None:
    whole = ask(server.http, "/long.mp4?start=7")
    size = len(whole.body)
    head = ask(server.http, "/long.mp4?start=7", "HEAD")
    assert head.fields["content-length"] == str(size)
    assert head.fields["etag"] == whole.fields["etag"]
    part = ask(server.http, "/long.mp4?start=7", Range=f"bytes=100-{size - 100}")
    assert part.status == 206 and part.body == whole.body[100 : size - 99]


def test_what_cannot_be_cut_says_why(server: Server) -> None:
    for name, reason in (
        ("torn", b"its samples lie up to"),
        ("broken", b"ends within a box"),
        ("text", b"no MP4"),
        ("pieces", b"in fragments"),
    ):
        answer = ask(server.http, f"/{name}.mp4?start=3")
        assert answer.status == 422 and reason in answer.body, (name, answer.body)
        assert ask(server.http, f"/{name}.mp4").status == 200
