"""Recordings of a server under test: where they are, what is in them, and whether ffmpeg likes it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from clip import ffmpeg
from flvread import SCRIPT, VIDEO, Tag, media, read_flv
from patience import patient
from publisher import Publisher
from server import Server, vhost_text

from fastflv.media.amf import amf0


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
        assert data[at] == VIDEO and data[at + 11] >> 4 & 7 == 1
        assert int.from_bytes(data[at + 4 : at + 7], "big") == round(time * 1000)


def decode(path: Path) -> None:
    """The first complaint of ffmpeg fails the test."""
    done = subprocess.run(
        [ffmpeg(), "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"],
        capture_output=True, text=True, timeout=patient(60),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), path


def publish(server: Server, tags: list[Tag], name: str = "r") -> None:
    publisher = Publisher(server.rtmp).publish(name)
    publisher.tags(tags)
    publisher.finish()
