"""Recordings of a running server: the tags of files are those that were published, whatever ends the recording."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import FORMS, Clip
from flvread import AUDIO, SCRIPT, VIDEO, media
from player import Player
from publisher import AVC, film, headers
from recording import check_index, decode, files, publish, recording, same, tags_of
from server import Server, until

OTHER_AVC = AVC.replace(b"\x4d", b"\x42", 1)
assert OTHER_AVC != AVC


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


@pytest.mark.parametrize("name", [form.name for form in FORMS])
def test_what_a_real_encoder_sends_is_recorded_and_decodes(
    serve: Callable[..., Server], tmp_path: Path, clips: dict[str, Clip], name: str
) -> None:
    if name not in clips:
        pytest.skip(f"this ffmpeg cannot make {name}")
    server = serve(recording(tmp_path))
    publish(server, clips[name].flv.tags)
    server.log.wait(r"record of /live/r is finished")
    [path] = files(tmp_path)
    same(media(tags_of(path)), media(clips[name].flv.tags))
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
