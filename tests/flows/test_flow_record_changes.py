"""Recordings while their surroundings change: a disk that is full, `dvr` off and on again."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip
from flvread import media
from publisher import Publisher, film, headers
from recording import check_index, decode, files, recording, tags_of
from reloading import Make
from server import Server, run, until

FULL = r"record of /live/r stops: .*: File too large"


def bound(server: Server, size: int) -> None:
    """No file of the server gets longer than *size* bytes; -1: as long as it likes."""
    _, most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, most))


@pytest.mark.parametrize("ending", [".flv", ".mp4"])
def test_a_full_disk_ends_a_recording_that_repairs_and_a_reload_begins_another(
    make: Make, tmp_path: Path, h264: Clip, ending: str
) -> None:
    server = make(recording(tmp_path, path=f"{tmp_path}/[stream]-[timestamp]{ending}"))
    with Broadcast(server.rtmp, "r", clip=h264):
        server.log.wait("record of /live/r begins")
        bound(server, 200_000)
        line = server.expect_error(FULL)
        [broken] = files(tmp_path, ".tmp")
        assert line.endswith(f"the rest of {broken.with_suffix('')} needs fastflv repair")
        done = run("repair", str(broken))
        assert done.returncode == 0, done.stderr
        decode(broken.with_suffix(""))
        bound(server, -1)
        mark = len(server.log.lines)
        server.reload()
        server.log.wait("record of /live/r begins", mark)
        until(lambda: files(tmp_path, ".tmp")[0].stat().st_size > 200_000, "a second file", 30)
    server.log.wait("record of /live/r is finished")
    decode(files(tmp_path, ending)[1])


def test_a_disk_that_is_full_at_the_end_leaves_a_file_that_repairs(make: Make, tmp_path: Path) -> None:
    server = make(recording(tmp_path, path=f"{tmp_path}/[stream].mp4"))
    before = server.quiet_fds()
    publisher = Publisher(server.rtmp).publish("r")
    publisher.tags([*headers(), *film(250)])
    server.log.wait("record of /live/r begins")
    [broken] = files(tmp_path, ".tmp")
    bound(server, broken.stat().st_size)
    publisher.finish()
    line = server.expect_error(FULL)
    assert line.endswith(f"the rest of {broken.with_suffix('')} needs fastflv repair")
    done = run("repair", str(broken))
    assert done.returncode == 0, done.stderr
    until(lambda: server.fds() <= before, "all files closed", 20)


def test_a_reload_ends_a_recording_and_begins_one_at_a_keyframe(make: Make, tmp_path: Path) -> None:
    server = make(recording(tmp_path))
    mark = 0
    with Broadcast(server.rtmp, "r"):
        for word, other in (("on", "off"), ("off", "on"), ("on", "off")):
            if word == "on":
                server.log.wait("record of /live/r begins", mark)
                until(lambda: files(tmp_path, ".tmp")[0].stat().st_size > 20_000, "a second of it", 20)
            mark = len(server.log.lines)
            server.change((f"dvr {{ enabled {word};", f"dvr {{ enabled {other};"))
            if word == "on":
                server.log.wait("record of /live/r is finished", mark)
        assert "r" in server.streams()
    for path in files(tmp_path):
        check_index(path)
        assert media(tags_of(path))[0].is_key
    assert len(files(tmp_path)) == 2 and not files(tmp_path, ".tmp")
