"""Publishing from Python: the gate, the name, tags of every form, ends from both sides."""

from __future__ import annotations

import asyncio

import pytest
from embedded import Film, conf, is_picture, looped, number_of
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, SCRIPT, VIDEO, Tag, inter, key, sound, write_tag

import fastflv
from fastflv.media.amf import amf0
from fastflv.stream.stream import Phase

FILE = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"
TAGS = (
    Tag(AUDIO, 0, AAC_HEADER),
    Tag(VIDEO, 0, AVC_HEADER),
    Tag(VIDEO, 0, key(b"0000")),
    Tag(AUDIO, 10, sound(b"0000")),
    Tag(VIDEO, 40, inter(b"0001")),
)


async def first(server: fastflv.Server, name: str, count: int) -> list[tuple[int, bytes]]:
    async with server.stream(name) as reader:
        return [(tag.kind, bytes(tag)) for tag in [await anext(reader) for _ in range(count)]]


async def write_bare(publisher: fastflv.Publisher) -> None:
    for tag in TAGS:
        await publisher.write(write_tag(tag)[:-4])


async def write_whole(publisher: fastflv.Publisher) -> None:
    for tag in TAGS:
        await publisher.write(bytearray(write_tag(tag)))


async def send(publisher: fastflv.Publisher) -> None:
    for kind, time, body in TAGS:
        await publisher.send(kind, time, memoryview(body))


async def feed(publisher: fastflv.Publisher) -> None:
    data = FILE + b"".join(map(write_tag, TAGS))
    for at in range(0, len(data), 7):
        await publisher.feed(data[at : at + 7])


@pytest.mark.parametrize("way", [write_bare, write_whole, send, feed], ids=lambda way: way.__name__)
@looped
async def test_tags_of_every_form_reach_players_as_they_are(way):
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        await way(publisher)
        assert await first(server, "live/x", 5) == [(kind, body) for kind, _, body in TAGS]


@looped
async def test_a_tag_of_a_reader_can_be_published_again_with_its_time():
    async with (
        fastflv.Server(conf()) as server,
        server.publish("live/x") as publisher,
        server.publish("live/copy") as copy,
    ):
        await (await Film(publisher).begin()).frames(26)
        async for tag in server.stream("live/x"):
            await copy.write(tag)
            if is_picture(tag) and number_of(tag) == 25:
                break
        await copy.send(AUDIO, tag.time, sound(b"last"))
        async for again in server.stream("live/copy"):
            if is_picture(again):
                break
        assert bytes(again) == bytes(tag)


@looped
async def test_metadata_is_edited_for_a_live_stream_as_that_of_an_encoder():
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        await publisher.send(SCRIPT, 0, amf0.encode("onMetaData", {"duration": 12.0, "title": "a"}))
        await send(publisher)
        (kind, body), *_ = await first(server, "live/x", 1)
        fields = amf0.decode_all(body)[1]
        assert (kind, fields["title"], fields["videocodecid"]) == (SCRIPT, "a", 7.0)
        assert fields.get("duration", 0) == 0


@looped
async def test_a_name_that_is_taken_is_refused_with_the_reason():
    async with fastflv.Server(conf()) as server, server.publish("live/x"):
        with pytest.raises(fastflv.PublishError, match="has a publisher already"):
            async with server.publish("live/x"):
                raise AssertionError("two publishers of one name")


@looped
async def test_the_rules_of_the_configuration_hold_for_the_program_too():
    async with fastflv.Server(conf("security { enabled on; deny publish all; allow play all; }")) as server:
        with pytest.raises(fastflv.PublishError, match="deny publish all"):
            async with server.publish("live/x"):
                raise AssertionError("admitted")


@looped
async def test_bytes_that_are_no_tag_end_the_publish_with_a_sentence():
    async with fastflv.Server(conf()) as server:
        async with server.publish("live/x") as publisher:
            with pytest.raises(fastflv.PublishError, match="12 bytes are no FLV tag"):
                await publisher.write(b"\x09\x00\x00\x05" + bytes(8))
            await send(publisher)
            with pytest.raises(fastflv.PublishError, match="tag of type 7"):
                await publisher.send(7, 0, b"x")
            with pytest.raises(fastflv.PublishError, match="is over"):
                await publisher.send(AUDIO, 0, sound())
        assert server.streams == ()


@looped
async def test_a_publisher_that_the_server_disconnects_is_told_why():
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        await send(publisher)
        assert server.disconnect(server.clients[0].id)
        with pytest.raises(fastflv.PublishError, match="disconnected by the API"):
            await publisher.send(AUDIO, 0, sound())
        assert not server.disconnect("nobody")


@looped
async def test_a_silent_publisher_loses_its_name():
    text = conf().replace("grace 0", "grace 0; normal_timeout 200")
    async with fastflv.Server(text) as server, server.publish("live/x") as publisher:
        events = server.events()
        await send(publisher)
        told = await anext(events)
        while not isinstance(told, fastflv.StreamEvent):
            told = await anext(events)
        assert told.step is fastflv.StreamStep.LEFT
        with pytest.raises(fastflv.PublishError, match="silent"):
            await publisher.send(AUDIO, 0, sound())


@looped
async def test_the_end_of_the_block_ends_the_publish():
    async with fastflv.Server(conf()) as server:
        async with server.publish("live/x", param="?key=1") as publisher:
            await send(publisher)
            (stream,) = server.streams
            (client,) = server.clients
            assert (stream.phase, stream.audio, stream.video, stream.clients) == (
                Phase.LIVE,
                "AAC",
                "H264",
                1,
            )
            assert (client.publish, client.request.scheme, client.request.param) == (True, "python", "?key=1")
        assert (server.streams, server.clients) == ((), ())
        with pytest.raises(fastflv.PublishError, match="its block has ended"):
            await send(publisher)
        with pytest.raises(fastflv.UsageError, match="entered once"):
            await publisher.__aenter__()
        with pytest.raises(fastflv.UsageError, match="send within"):
            await send(server.publish("live/y"))
        with pytest.raises(fastflv.UsageError, match="no vhost"):
            server.publish("live/x", vhost="nowhere.example")


@looped
async def test_a_program_that_reads_a_file_at_full_speed_leaves_the_loop_its_turns():
    async with fastflv.Server(conf()) as server, server.publish("live/x") as publisher:
        film = await Film(publisher, size=1000).begin()
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        for _ in range(100):
            await film.frames(1000)
            if turns > 3:
                break
        turning.cancel()
        assert turns > 3
