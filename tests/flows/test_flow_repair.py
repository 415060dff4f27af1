"""Recordings of servers that are killed: each repairs, and all that was published 2 s before is there."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip
from flvread import Tag, media
from publisher import Publisher, film, headers
from recording import decode, fields_of, files, publish, recording, same, tags_of
from server import Server, run, until

SEED = 7


def killed(tmp_path: Path, after: float) -> tuple[Path, list[tuple[float, Tag]], float]:
    """Record a live film, kill the server *after* some seconds; return the file, what was sent when, and the time."""
    sent: list[tuple[float, Tag]] = []
    with Server(tmp_path, recording(tmp_path / "files")) as server:
        publisher = Publisher(server.rtmp).publish("r")
        publisher.tags(headers())
        began = time.monotonic()
        for tag in publisher.live(film(10_000, size=3000)):
            now = time.monotonic()
            sent.append((now, tag))
            if now - began > after:
                break
        os.kill(server.pid, signal.SIGKILL)
        at = time.monotonic()
        server.process.wait()
        server.process.returncode = 0
        publisher.close()
    [path] = files(tmp_path / "files", ".tmp")
    return path, sent, at


def check(path: Path, sent: list[tuple[float, Tag]], at: float) -> None:
    done = run("repair", "--json", str(path))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert not path.exists()
    path = Path(said["path"])
    found = media(tags_of(path))
    same(found, [tag for _, tag in sent[: len(found)]])
    missing = [when for when, _ in sent[len(found) :]]
    assert not missing or at - missing[0] < 2
    fields = fields_of(path)
    assert fields["filesize"] == path.stat().st_size == said["size"]
    assert fields["duration"] == max(tag.time for tag in found) / 1000
    keys = fields["keyframes"]
    assert isinstance(keys, dict)
    assert keys["times"] == [tag.time / 1000 for tag in found if tag.is_key]
    data = path.read_bytes()
    assert all(data[int(position)] == 9 for position in keys["filepositions"])


@pytest.mark.parametrize("turn", range(2))
def test_a_recording_of_a_killed_server_repairs(tmp_path: Path, turn: int) -> None:
    check(*killed(tmp_path, random.Random(SEED + turn).uniform(2, 5)))


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(50))
def test_fifty_recordings_of_killed_servers_repair(tmp_path: Path, turn: int) -> None:
    check(*killed(tmp_path, random.Random(turn).uniform(1, 6)))


@pytest.mark.parametrize("ending", [".flv", ".mp4"])
def test_a_file_cut_anywhere_repairs_or_is_refused_in_one_line(
    serve: Callable[..., Server], tmp_path: Path, h264: Clip, ending: str
) -> None:
    server = serve(recording(tmp_path, path=f"{tmp_path}/[stream]{ending}"))
    with Broadcast(server.rtmp, "r", clip=h264, speed=4):
        server.log.wait("record of /live/r begins")
        [whole] = files(tmp_path, ".tmp")
        server.log.wait(r"publisher", 0)
        until(lambda: whole.stat().st_size >= 300_000, "300 KB of the file", 60)
        busy = run("repair", str(whole))
        assert busy.returncode == 1 and "the file is being recorded" in busy.stderr
        data = whole.read_bytes()[:300_000]
    repaired = 0
    for size in random.Random(SEED).sample(range(len(data)), 8):
        path = tmp_path / f"cut-{size}{ending}.tmp"
        path.write_bytes(data[:size])
        done = run("repair", str(path))
        if done.returncode:
            assert len(done.stderr.splitlines()) == 1 and path.read_bytes() == data[:size]
            continue
        repaired += 1
        assert not path.exists()
        decode(path.with_suffix(""))
    assert repaired > 3
    assert not list(tmp_path.glob("*.repair"))


def test_what_is_no_recording_is_left_as_it_is(tmp_path: Path) -> None:
    for name, data in (
        ("a.flv", b"text"),
        ("b.flv", b"FLV\1\5\0\0\0\x09\0\0\0\0"),
        ("c.mp4", b"\0\0\0\x10ftypisom\0\0\0\0"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        done = run("repair", str(path))
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
        assert path.read_bytes() == data
    done = run("repair", str(tmp_path / "absent.flv"))
    assert done.returncode == 1 and "No such file" in done.stderr


def test_a_finished_file_repairs_to_the_same_frames(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(recording(tmp_path))
    publish(server, [*headers(), *film(100)])
    server.log.wait("record of /live/r is finished")
    [path] = files(tmp_path)
    before = tags_of(path)
    assert run("repair", str(path)).returncode == 0
    assert tags_of(path)[1:] == before[1:]
