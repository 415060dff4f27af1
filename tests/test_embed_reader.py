"""Readers: every tag once, views that pin their page, jumps of a slow consumer, ends."""

from __future__ import annotations

import asyncio
import gc
import weakref
from itertools import pairwise

import pytest
import uvloop
from embedded import FRAME_MS, GOP, Film, conf, is_picture, looped, number_of
from model.flv import AUDIO, VIDEO, read_tags, sound

import fastflv
from fastflv import limits


async def collect(reader: fastflv.Reader) -> list[fastflv.MediaTag]:
    return [tag async for tag in reader]


async def run_all_tags_once() -> None:
    tags: list[fastflv.MediaTag] = []

    async def read(reader: fastflv.Reader) -> None:
        async for tag in reader:
            tags.append(tag)

    async with fastflv.Server(conf()) as server:
        reading = asyncio.create_task(read(server.stream("live/x", begin=fastflv.Begin.LIVE)))
        async with server.publish("live/x") as publisher:
            film = await Film(publisher).begin()
            while not any(map(is_picture, tags)):
                await film.frame()
                await asyncio.sleep(0.001)
            last = [await film.frame() for _ in range(80)][-1]
        await reading
    pictures = [tag for tag in tags if is_picture(tag)]
    assert [number_of(tag) for tag in pictures] == list(range(number_of(pictures[0]), last + 1))
    assert [tag.keyframe for tag in pictures] == [number_of(tag) % GOP == 0 for tag in pictures]
    assert pictures[0].keyframe
    assert {b.time - a.time for a, b in pairwise(pictures)} == {FRAME_MS}
    assert not any(tag.jumped for tag in tags)
    assert sum(tag.config for tag in tags) == 2
    assert {tag.kind for tag in tags} == {AUDIO, VIDEO}


def test_a_reader_gets_every_tag_once_in_the_loop_of_asyncio_and_in_uvloop():
    asyncio.run(asyncio.wait_for(run_all_tags_once(), 60))
    uvloop.run(asyncio.wait_for(run_all_tags_once(), 60))


@looped
async def test_a_reader_that_comes_later_begins_at_the_newest_keyframe_with_headers():
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        film = await Film(publisher).begin()
        await film.frames(40)
        async with server.stream("live/x") as reader:
            found = [await anext(reader) for _ in range(3)]
            assert [tag.config for tag in found] == [True, True, False]
            assert (found[2].keyframe, number_of(found[2])) == (True, GOP)


@looped
async def test_a_reader_that_waits_for_a_stream_gets_the_sound_before_its_first_picture_too():
    async with fastflv.Server(conf()) as server:
        reading = asyncio.create_task(collect(server.stream("live/x")))
        await asyncio.sleep(0)
        async with server.publish("live/x") as publisher:
            film = await Film(publisher).begin()
            for number in range(3):
                await publisher.send(AUDIO, number, sound(bytes([number])))
            await film.frames(30)
        tags = await reading
    heard = [bytes(tag.data) for tag in tags if tag.kind == AUDIO and not tag.config]
    assert heard[:3] == [b"\0", b"\1", b"\2"]
    assert len(heard) == 33
    assert [number_of(tag) for tag in tags if is_picture(tag)] == list(range(30))
    assert sum(tag.config for tag in tags) == 2


@looped
async def test_a_tag_has_its_body_without_a_copy_and_can_be_written_as_flv():
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        await (await Film(publisher).begin()).frames(2)
        async for tag in server.stream("live/x"):
            if is_picture(tag):
                break
        assert bytes(tag.payload) == bytes(tag) == read_tags(tag.to_bytes())[0].body
        assert read_tags(tag.to_bytes())[0][:2] == (VIDEO, tag.time)
        assert read_tags(tag.to_bytes(time=5_000))[0] == (VIDEO, 5_000, bytes(tag.payload))
        assert tag.payload.readonly
        assert tag.payload.obj is tag
        assert (tag.codec, tag.cts, len(tag)) == (7, 0, len(tag.payload))


@looped
async def test_a_kept_view_has_its_bytes_long_after_the_log_forgot_them():
    async with fastflv.Server(conf("play { lag_jump 2000; lag_drop 500; mw_latency 0; }")) as server:
        async with server.publish("live/x") as publisher:
            film = await Film(publisher, size=20_000).begin()
            await film.frame()
            await film.frame()
            reader = server.stream("live/x")
            kept = [await anext(reader) for _ in range(3)][2].data
            before = bytes(kept)
            await film.frames(1000)
            reader.close()
        del reader
    gc.collect()
    assert bytes(kept) == before


@looped
async def test_a_slow_consumer_jumps_to_the_newest_keyframe_and_sees_it():
    text = conf("play { lag_jump 2000; lag_drop 500; mw_latency 0; }")
    async with fastflv.Server(text) as server, server.publish("live/x") as publisher:
        film = await Film(publisher, size=2000).begin()
        await film.frames(2)
        reader = server.stream("live/x")
        first = [await anext(reader) for _ in range(3)][-1]
        await film.frames(20 * GOP)
        rest = []
        while not rest or number_of(rest[-1]) < 20 * GOP:
            tag = await anext(reader)
            if tag.jumped:
                jump = [tag, *[await anext(reader) for _ in range(2)]]
                assert [each.config for each in jump] == [True, True, False]
                tag = jump[-1]
                assert tag.keyframe
                rest.clear()
            if is_picture(tag):
                rest.append(tag)
        assert reader.jumps == 1
        assert number_of(first) < 2
        assert number_of(rest[0]) == 20 * GOP
        reader.close()


@looped
async def test_tags_that_are_all_kept_end_the_reader_before_memory_ends(monkeypatch):
    monkeypatch.setattr(limits, "READER_PINNED_BYTES", 1 << 20)
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        film = await Film(publisher, size=20_000).begin()
        await film.frame()
        kept = []
        with pytest.raises(fastflv.ResourceError, match=r"keep bytes\(tag.payload\)"):
            async for tag in server.stream("live/x"):
                kept.append(tag)
                await film.frame()
        assert len(kept) * 10_000 < 8 << 20


@looped
async def test_a_consumer_that_never_waits_leaves_the_loop_its_turns():
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        film = await Film(publisher).begin()
        await film.frames(2000)
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        reader = server.stream("live/x")
        while not is_picture(tag := await anext(reader)) or number_of(tag) < 1999:
            sum(range(20_000))
        turning.cancel()
        assert turns > 1


@looped
async def test_a_reader_that_is_dropped_is_freed_and_the_log_has_no_reader_left():
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        film = await Film(publisher).begin()
        await film.frames(3)
        async for tag in server.stream("live/x"):
            if is_picture(tag):
                break
        reader = server.stream("live/x")
        await anext(reader)
        gone = weakref.ref(reader)
        gc.disable()
        try:
            del reader
            assert gone() is None
        finally:
            gc.enable()


@looped
async def test_readers_end_with_their_stream_and_with_the_server():
    async with fastflv.Server(conf()) as server:
        readings = [asyncio.create_task(collect(server.stream(name))) for name in ("live/x", "live/never")]
        await asyncio.sleep(0)
        async with server.publish("live/x") as publisher:
            film = await Film(publisher).begin()
            for _ in range(30):
                await film.frame()
                await asyncio.sleep(0)
        assert len(await readings[0]) > 0
        assert not readings[1].done()
    assert await readings[1] == []


@looped
async def test_a_reader_goes_on_with_a_publisher_that_returns():
    async with fastflv.Server(conf().replace("grace 0", "grace 20")) as server:
        async with server.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(30)
            reader = server.stream("live/x")
            times = [(await anext(reader)).time for _ in range(10)]
        async with server.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(30)
            times += [(await anext(reader)).time for _ in range(50)]
        assert times == sorted(times)
        assert times[-1] < 2 * 30 * FRAME_MS
        reader.close()
        assert [tag async for tag in reader] == []


@looped
async def test_one_reader_belongs_to_one_task():
    async with fastflv.Server(conf()) as server:
        reader = server.stream("live/x")
        waiting = asyncio.create_task(anext(reader))
        await asyncio.sleep(0)
        with pytest.raises(fastflv.UsageError, match="open another"):
            await anext(reader)
        waiting.cancel()


@pytest.mark.parametrize("path", ["", "x", "/live/", "live/..", "live/a\nb"])
@looped
async def test_a_path_that_names_no_stream_is_refused(path):
    async with fastflv.Server(conf()) as server:
        for open_it in (server.stream, server.publish):
            with pytest.raises(fastflv.UsageError):
                open_it(path)
