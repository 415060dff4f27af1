"""Stores of segments: in memory and on disk, by the same rules."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import closing

import pytest
from model.loop import until

from fastflv import limits
from fastflv.net.filepool import FilePool
from fastflv.servers.hls.diskstore import Disk, DiskStore
from fastflv.servers.hls.files import remove_files
from fastflv.servers.hls.memorystore import MemoryStore, SharedMemory
from fastflv.servers.hls.store import SegmentStore, Stored, StoredBytes


def body_of(stored: Stored | None) -> bytes:
    assert stored is not None
    if isinstance(stored, StoredBytes):
        return stored.body
    with open(stored.path, "rb") as file:
        body = file.read()
    assert len(body) == stored.size
    return body


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_a_store_serves_what_was_written_until_it_is_dropped(place, tmp_path):
    async def run() -> None:
        with closing(FilePool(asyncio.get_running_loop())) as pool:
            store: SegmentStore = MemoryStore(SharedMemory())
            if place == "disk":
                store = DiskStore(Disk(pool.hls), str(tmp_path), "live/cam.m3u8")
            assert store.fetch("live/a.ts") is None
            await store.write([("live/i.mp4", b"init"), ("live/a.ts", b"one")])
            first = store.fetch("live/a.ts")
            assert body_of(first) == b"one" and body_of(store.fetch("live/i.mp4")) == b"init"
            assert store.fetch("live/a.ts") is first
            await store.write([("live/a.ts", b"another")])
            assert body_of(store.fetch("live/a.ts")) == b"another"
            assert store.fetch("live/a.ts") is not first
            store.drop(["live/a.ts", "live/unknown"], delete=True)
            assert store.fetch("live/a.ts") is None
            store.close()
            assert store.fetch("live/i.mp4") is None

    asyncio.run(run())


def test_a_memory_store_is_full_beyond_its_limit(monkeypatch):
    monkeypatch.setattr(limits, "HLS_MEMORY_BYTES", 10)

    async def run() -> None:
        store = MemoryStore(SharedMemory())
        await store.write([("a", bytes(6)), ("b", bytes(4))])
        assert not store.is_full
        await store.write([("a", bytes(7))])
        assert store.is_full
        store.drop(["b"])
        assert not store.is_full and len(store) == 1
        await store.write([("c", bytes(4))])
        store.remove_all()
        assert not store.is_full and len(store) == 0

    asyncio.run(run())


def test_a_store_leaves_alone_what_a_newer_store_wrote(tmp_path):
    async def run() -> None:
        with closing(FilePool(asyncio.get_running_loop())) as pool:
            disk = Disk(pool.hls)
            old = DiskStore(disk, str(tmp_path), "cam.m3u8")
            await old.write([("a.ts", b"old"), ("b.ts", b"old")])
            await old.write_playlist("old")
            new = DiskStore(disk, str(tmp_path), "cam.m3u8")
            assert await new.read_playlist() == "old"
            assert await new.restore(["a.ts", "missing.ts"]) == {"a.ts": 3}
            await old.write_playlist("old again")
            assert await new.read_playlist() == "old"
            await new.write_playlist("new\0")
            old.remove_all()
            old.close()
            await until(lambda: not (tmp_path / "b.ts").exists())
            await asyncio.gather(*(pool.hls.run(os.getpid) for _ in range(20)))
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
            "a.ts": "old",
            "cam.m3u8": "new",
        }
        assert len(new) == 1 and len(disk.owners) == 2
        new.close()
        assert not disk.owners

    asyncio.run(run())


@pytest.fixture
def held_removals(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Have each deletion wait on its thread; return what tells that one has begun, and what lets them go."""
    begun, go = threading.Event(), threading.Event()

    def remove_late(*args: object) -> None:
        begun.set()
        assert go.wait(10)
        remove_files(*args)

    monkeypatch.setattr("fastflv.servers.hls.diskstore.remove_files", remove_late)
    return begun, go


@pytest.mark.parametrize("whose", ["of another store", "of the same store"])
def test_a_file_that_is_written_while_an_old_one_of_its_name_is_being_deleted_stays(
    whose, tmp_path, held_removals
):
    begun, go = held_removals

    async def run() -> None:
        with closing(FilePool(asyncio.get_running_loop())) as pool:
            disk = Disk(pool.hls)
            old = DiskStore(disk, str(tmp_path), "live/cam.m3u8")
            await old.write([("live/a.ts", b"old")])
            await old.write_playlist("old")
            old.remove_all()
            await until(begun.is_set)
            new = old if whose == "of the same store" else DiskStore(disk, str(tmp_path), "live/cam.m3u8")
            writing = asyncio.ensure_future(new.write([("live/a.ts", b"new")]))
            listing = asyncio.ensure_future(new.write_playlist("new"))
            # Other files wait for nobody.
            await new.write([("live/b.ts", b"new")])
            go.set()
            await asyncio.gather(writing, listing)
            await disk.removed()
        found = {path.name: path.read_text() for path in (tmp_path / "live").iterdir()}
        assert found == {"a.ts": "new", "b.ts": "new"} | ({"cam.m3u8": "new"} if new is not old else {})

    asyncio.run(run())


def test_files_of_an_earlier_process_are_resumed_only_if_nobody_is_deleting_them(tmp_path, held_removals):
    begun, go = held_removals

    async def run() -> None:
        with closing(FilePool(asyncio.get_running_loop())) as pool:
            disk = Disk(pool.hls)
            old = DiskStore(disk, str(tmp_path), "cam.m3u8")
            await old.write([("a.ts", b"old"), ("b.ts", b"old")])
            await old.write_playlist("old")
            old.drop(["a.ts"], delete=True)
            await until(begun.is_set)
            new = DiskStore(disk, str(tmp_path), "cam.m3u8")
            found = asyncio.ensure_future(new.restore(["a.ts", "b.ts"]))
            await asyncio.sleep(0)
            go.set()
            assert await found == {"b.ts": 3}

    asyncio.run(run())


def test_a_store_deletes_only_the_files_that_it_knows_though_another_process_uses_their_names(tmp_path):
    """Each process has a `Disk` of its own: none knows what the other has written."""

    async def run() -> None:
        with closing(FilePool(asyncio.get_running_loop())) as pool:
            disks = Disk(pool.hls), Disk(pool.hls)
            old, new = (DiskStore(disk, str(tmp_path), "live/cam.m3u8") for disk in disks)
            await old.write([("live/a.ts", b"old"), ("live/b.ts", b"old")])
            await old.write_playlist("old")
            await new.write([("live/a.ts", b"new")])
            await new.write_playlist("new")
            old.remove_all()
            await disks[0].removed()
            found = {path.name: path.read_text() for path in (tmp_path / "live").iterdir()}
            assert found == {"a.ts": "new", "cam.m3u8": "new"}
            # A process that comes later has them for its own.
            disk = Disk(pool.hls)
            later = DiskStore(disk, str(tmp_path), "live/cam.m3u8")
            assert await later.read_playlist() == "new"
            await later.restore(["live/a.ts"])
            later.remove_all()
            await disk.removed()
            assert not (tmp_path / "live").exists()

    asyncio.run(run())
