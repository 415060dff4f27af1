"""Pages of the past in files: the same bytes, no names, and memory where the disk fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from model.flv import VIDEO, log_tags
from model.viewer import Publisher

from fastflv import limits
from fastflv._ext.log.excerpt import Excerpt
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.log.past import Past
from fastflv._ext.log.spool import pages_in_memory
from fastflv._ext.mux.replay import Replay
from fastflv.stream import spool as spool_module
from fastflv.stream.spool import Spool, open_nameless


def publish(frames: int = 200) -> tuple[Publisher, Past]:
    publisher = Publisher(gop=5, frame_bytes=20_000, history_ms=0)
    past = Past(publisher.log, window_ms=1 << 40, bytes_max=1 << 40)
    publisher.frames(frames)
    return publisher, past


def frames_of(log: MediaLog) -> list[int]:
    return [
        int.from_bytes(tag.mark[:4], "big")
        for tag in log_tags(log)
        if tag.kind == VIDEO and not tag.is_header
    ]


def replayed(publisher: Publisher, past: Past) -> list[int]:
    copy = MediaLog(keep_ms=1 << 40, history_bytes=1 << 40)
    oldest = past.oldest
    assert oldest is not None
    replay = Replay(publisher.log, copy, oldest.position, 1)
    for _ in range(1000):
        replay.advance(1 << 40)
    replay.stop()
    return frames_of(copy)


def mapped(folder: Path) -> int:
    """Mappings of files of *folder* in this process."""
    return sum(str(folder) in line for line in Path("/proc/self/maps").read_text().splitlines())


def test_pages_are_read_from_a_file_without_a_name_and_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "TIMESHIFT_FILE_BYTES", 300_000)
    publisher, past = publish()
    spool = Spool(str(tmp_path / "deep" / "er"))
    total = 0
    while pages := pages_in_memory(past, 500_000):
        spool.write(pages)
        for page in pages:
            page.swap()
        total += len(pages)
    spool.close()
    assert total > 3 and mapped(tmp_path) >= total - 3
    assert list((tmp_path / "deep" / "er").iterdir()) == []
    assert replayed(publisher, past) == list(range(200))
    kept = past.kept_bytes
    excerpt = Excerpt(publisher.log, past.oldest.position, 1 << 40)
    past.adopt(window_ms=1000, bytes_max=1 << 40)
    assert past.kept_bytes < kept
    tags = []
    while found := excerpt.take(50_000):
        tags += found
    assert sum(kind == VIDEO and not flags & 4 for kind, flags, _, _ in tags) == 200
    past.close()
    del excerpt
    assert mapped(tmp_path) == 0


def test_a_page_that_is_dropped_while_it_is_written_stays_dropped(tmp_path):
    _, past = publish(50)
    pages = pages_in_memory(past, 1 << 40)
    spool = Spool(str(tmp_path))
    spool.write(pages)
    past.adopt(window_ms=1, bytes_max=1)
    for page in pages:
        page.swap()
    assert past.kept_bytes == 0
    past.close()
    for page in pages:
        page.swap()
    del pages, page
    assert mapped(tmp_path) == 0


def test_what_a_full_disk_did_not_take_is_still_in_memory(tmp_path):
    publisher, past = publish()
    pages = pages_in_memory(past, 1 << 40)
    full = os.open("/dev/full", os.O_RDWR)
    try:
        with pytest.raises(OSError) as raised:
            pages[0].write(full, 0)
    finally:
        os.close(full)
    assert raised.value.errno == errno.ENOSPC
    for page in pages:
        page.swap()
    assert replayed(publisher, past) == list(range(200))


def test_a_file_system_without_nameless_files_has_one_that_is_unlinked(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module.os, "O_TMPFILE", os.O_DIRECTORY)
    fd = open_nameless(str(tmp_path))
    try:
        assert os.pwrite(fd, b"x", 0) == 1 and list(tmp_path.iterdir()) == []
    finally:
        os.close(fd)
