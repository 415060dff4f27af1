"""Small files in memory: looked at again in time, forgotten when they change, bounded."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing

from model.http import looped
from model.loop import until

from fastflv import limits
from fastflv.net.filepool import FilePool
from fastflv.servers.files.opening import OpenFile, open_first
from fastflv.servers.files.smallfiles import SmallFiles


@looped
async def test_a_file_that_is_asked_for_again_and_again_stays_known_until_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "HTTP_SMALL_FILE_AGED_SECONDS", 0.0)
    monkeypatch.setattr(limits, "HTTP_SMALL_FILE_GATHER_SECONDS", 0.01)
    path = tmp_path / "page.html"
    path.write_text("one")
    folders = ((str(tmp_path), "page.html"),)
    with closing(FilePool(asyncio.get_running_loop())) as pool:
        small = SmallFiles(pool.opening)
        file = open_first(folders)
        assert isinstance(file, OpenFile)
        now = pool.opening.loop.time()
        small.keep(folders, file)
        # Far longer than a look at the disk counts, and none was made by the one who asks.
        while pool.opening.loop.time() < now + 2.5 * limits.HTTP_SMALL_FILE_SECONDS:
            assert small.find(folders) is file
            await asyncio.sleep(0.05)
        path.write_text("another")
        await until(lambda: small.find(folders) is None)


@looped
async def test_a_file_that_nobody_asks_for_is_looked_at_when_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "HTTP_SMALL_FILE_SECONDS", 0.05)
    (tmp_path / "a").write_text("one")
    folders = ((str(tmp_path), "a"),)
    with closing(FilePool(asyncio.get_running_loop())) as pool:
        small = SmallFiles(pool.opening)
        small.keep(folders, open_first(folders))
        await asyncio.sleep(0.2)
        assert small.find(folders) is None


@looped
async def test_their_memory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "HTTP_SMALL_FILES_BYTES", 50_000)
    with closing(FilePool(asyncio.get_running_loop())) as pool:
        small = SmallFiles(pool.opening)
        known = []
        for number in range(20):
            (tmp_path / str(number)).write_bytes(os.urandom(9000))
            folders = ((str(tmp_path), str(number)),)
            small.keep(folders, open_first(folders))
            known.append(folders)
        assert [small.find(each) is not None for each in known] == [False] * 16 + [True] * 4
