"""Recordings of a running server: the tags of files are those that were published, whatever ends the recording."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip, ffmpeg
from flvread import AUDIO, SCRIPT, VIDEO, Tag, media, read_flv
from player import Player
from publisher import AVC, Publisher, film, headers
from server import Server, until, vhost_text

from fastflv.media.amf import amf0

OTHER_AVC = AVC.replace(b"\x4d", b"\x42", 1)
assert OTHER_AVC != AVC


def recording(folder: Path, more: str = "", *, publish: str = "grace 0;", path: str = "") -> str:
    """A vhost that records below *folder*."""
    path = path or f"{folder}/[app]/[stream]-[timestamp].flv"
    return vhost_text(publish=publish, more=f"dvr {{ enabled on; dvr_path {path}; {more} }}")


def files(folder: Path, ending: str = ".flv") -> list[Path]:
    """Finished recordings in the order of their names, which have the time."""
    return sorted(folder.rglob(f"*{ending}"))


def tags_of(path: Path) -> list[Tag]:
    return read_flv(path.read_bytes()).tags


def same(found: Iterable[Tag], sent: Iterable[Tag]) -> None:
    """Assert that frames are those that were sent, in order, all shifted by one time."""
    found, sent = list(found), list(sent)
    assert [(tag.kind, tag.body) for tag in found] == [(tag.kind, tag.body) for tag in sent]
    assert len({mine.time - its.time for mine, its in zip(found, sent, strict=True)}) <= 1


def fields_of(path: Path) -> dict[str, object]:
    first = tags_of(path)[0]
    assert first.kind == SCRIPT
    fields = amf0.decode_all(first.body)[1]
    assert isinstance(fields, dict)
    return fields


def check_index(path: Path) -> None:
    """Assert that duration, size and index in the metadata are true."""
    data, fields = path.read_bytes(), fields_of(path)
    assert fields["filesize"] == len(data)
    last = max(tag.time for tag in media(tags_of(path)))
    assert last < float(fields["duration"]) * 1000 <= last + 100  # type: ignore[arg-type]
    keys = fields["keyframes"]
    assert isinstance(keys, dict)
    true = [tag.time / 1000 for tag in tags_of(path) if tag.is_key]
    assert keys["times"] == true
    for time, position in zip(keys["times"], keys["filepositions"], strict=True):
        at = int(position)
        assert data[at] == VIDEO and data[at + 11] == 0x17
        assert int.from_bytes(data[at + 4 : at + 7], "big") == round(time * 1000)


def decode(path: Path) -> None:
    """The first complaint of ffmpeg fails the test."""
    done = subprocess.run(
        [ffmpeg(), "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), path


def publish(server: Server, tags: list[Tag], name: str = "r") -> None:
    publisher = Publisher(server.rtmp).publish(name)
    publisher.tags(tags)
    publisher.finish()


def test_a_session_is_recorded_as_it_was_published(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(recording(tmp_path))
    sent = list(film(100))
    publish(server, [*headers(), *sent])
    server.log.wait(r"record of /live/r is finished: .*/live/r-\d+\.flv, 4\.0 s, \d+ bytes")
    [path] = files(tmp_path)
    found = tags_of(path)
    same(media(found), sent)
    assert found[0].kind == SCRIPT and [tag.is_config for tag in found[1:4]] == [True, True, False]
    check_index(path)
    assert not files(tmp_path, ".tmp")


def test_what_a_real_encoder_sends_is_recorded_and_decodes(
    serve: Callable[..., Server], tmp_path: Path, h264: Clip
) -> None:
    server = serve(recording(tmp_path))
    publish(server, h264.flv.tags)
    server.log.wait(r"record of /live/r is finished")
    [path] = files(tmp_path)
    same(media(tags_of(path)), media(h264.flv.tags))
    check_index(path)
    decode(path)


def test_segments_have_all_frames_once(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(recording(tmp_path, "dvr_plan segment; dvr_duration 2;"))
    sent = list(film(250))
    publish(server, [*headers(), *sent])
    until(lambda: len(files(tmp_path)) == 5, "five segments", 20)
    parts = [tags_of(path) for path in files(tmp_path)]
    for path, part in zip(files(tmp_path), parts, strict=True):
        check_index(path)
        assert media(part)[0].is_key and media(part)[0].time == 0
    assert [(tag.kind, tag.body) for part in parts for tag in media(part)] == [
        (tag.kind, tag.body) for tag in sent
    ]
    for i, part in enumerate(parts):
        same(media(part), sent[100 * i : 100 * i + 100])


def test_a_publisher_that_returns_goes_on_in_the_same_file(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(recording(tmp_path, publish="grace 3;"))
    first, second = list(film(50)), list(film(50, first=50))
    publish(server, [*headers(), *first])
    publish(server, [*headers(), *second])
    server.log.wait(r"record of /live/r is finished")
    [path] = files(tmp_path)
    found = media(tags_of(path))
    same(found[:100], first)
    same(found[100:], second)
    assert found[100].time > found[99].time
    check_index(path)


def test_a_publisher_that_returns_with_another_codec_begins_another_file(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(recording(tmp_path, publish="grace 3;"))
    first, second = list(film(50)), list(film(50, first=50))
    publish(server, [*headers(), *first])
    publish(server, [*headers(OTHER_AVC), *second])
    until(lambda: len(files(tmp_path)) == 2, "two files", 20)
    one, two = files(tmp_path)
    same(media(tags_of(one)), first)
    same(media(tags_of(two)), second)
    assert [tag.body[5:] for tag in tags_of(two) if tag.kind == VIDEO and tag.is_config] == [OTHER_AVC[5:]]


def test_sigterm_finishes_files(tmp_path: Path) -> None:
    with Server(tmp_path, recording(tmp_path / "files")) as server, Broadcast(server.rtmp, "r"):
        server.log.wait("record of /live/r begins")
        os.kill(server.pid, signal.SIGTERM)
        server.log.wait("record of /live/r is finished")
    [path] = files(tmp_path / "files")
    check_index(path)


def test_only_the_streams_that_dvr_apply_names_are_recorded(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(recording(tmp_path, "dvr_apply live/a live/b;"))
    for name in ("c", "a"):
        publish(server, [*headers(), *film(25)], name)
    server.log.wait("record of /live/a is finished")
    assert [path.name[0] for path in files(tmp_path)] == ["a"]


def test_a_disk_that_refuses_ends_the_recording_and_not_the_stream(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    (tmp_path / "live").write_text("no directory")
    server = serve(recording(tmp_path))
    with Broadcast(server.rtmp, "r"):
        line = server.log.wait("record of /live/r stops")
        assert "live: " in line
        until(lambda: server.streams()["r"]["frames"] > 60, "frames", 20)
    server.log.wait("publisher .* left")
    assert len(server.log.find("record of")) == 1
    # The log of an error is what this test is about.
    server.log.lines[:] = [each for each in server.log.lines if "record of" not in each]


def test_a_file_that_is_there_is_not_overwritten(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(recording(tmp_path, path=f"{tmp_path}/[stream].flv"))
    (tmp_path / "r.flv").write_text("mine")
    (tmp_path / "r-1.flv.tmp").write_text("of a crash")
    publish(server, [*headers(), *film(25)])
    server.log.wait("record of /live/r is finished: .*/r-2.flv")
    assert (tmp_path / "r.flv").read_text() == "mine"


def test_times_go_on_over_segments_with_jitter_off(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(recording(tmp_path, "dvr_plan segment; dvr_duration 1; time_jitter off;"))
    publish(server, [*headers(), *film(75)])
    until(lambda: len(files(tmp_path)) == 3, "three segments", 20)
    times = [media(tags_of(path))[0].time for path in files(tmp_path)]
    assert [b - a for a, b in pairwise(times)] == [1000, 1000]


def test_a_player_is_told_times_from_zero_beside_a_recording(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(recording(tmp_path))
    with Broadcast(server.rtmp, "r", speed=4):
        server.log.wait("record of /live/r begins")
        until(lambda: server.streams()["r"]["frames"] > 100, "frames", 20)
        with Player(server.http, "/live/r.flv") as player:
            assert media(player.frames(1).tags)[0].time < 500


@pytest.mark.parametrize("kind", [AUDIO, VIDEO])
def test_streams_of_one_track_are_recorded(serve: Callable[..., Server], tmp_path: Path, kind: int) -> None:
    server = serve(recording(tmp_path))
    sent = [tag for tag in film(100) if tag.kind == kind]
    publish(server, [*(tag for tag in headers() if tag.kind in (SCRIPT, kind)), *sent])
    server.log.wait("record of /live/r is finished")
    [path] = files(tmp_path)
    same(media(tags_of(path)), sent)
    assert path.read_bytes()[4] == (4 if kind == AUDIO else 1)
