"""What a forward says to its destination, and what it makes of slow ones, of redirects, of TLS and of backends."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import pytest
from chain import forward, forwards, node, port, state, until
from destination import Destination, sent_to
from embedded import FRAME_MS, Film, looped
from hookserver import HookServer, Reply
from model.flv import VIDEO
from tlsfiles import make_pair

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv.media.amf import amf0


@looped
async def test_a_destination_is_told_place_parameters_and_the_servers_that_had_the_stream():
    async with (
        Destination() as place,
        node(0, forward(f"rtmp://{place.name}/tv/[app]/[vhost]-[stream]?key=[stream]")) as origin,
        origin.publish("live/x") as publisher,
    ):
        await (await Film(publisher).begin()).frames(3)
        await state(origin, "forwarding")
        (taken,) = place.taken
        assert taken.connect is not None and taken.publish is not None
        assert (taken.connect.app, taken.connect.tc_url) == ("tv/live", f"rtmp://{place.name}/tv/live")
        assert (taken.publish.stream, taken.publish.param) == ("__defaultVhost__-x", "?key=x")
        assert len(taken.connect.via) == 1
        (row,) = await forwards(origin)
        assert row["destination"] == f"rtmp://{place.name}/tv/live/__defaultVhost__-x"


@looped
async def test_a_stream_name_that_only_the_file_has_is_shown_nowhere(caplog):
    async with (
        Destination() as place,
        node(0, forward(f"rtmp://{place.name}/app/SECRET?more=SECRET")) as origin,
        origin.publish("live/x") as publisher,
    ):
        await (await Film(publisher).begin()).frames(3)
        (row,) = await state(origin, "forwarding")
        assert place.taken[0].publish is not None and place.taken[0].publish.stream == "SECRET"
        assert row["destination"] == f"rtmp://{place.name}/app/***"
    assert "SECRET" not in caplog.text


@looped
async def test_metadata_is_an_order_to_keep_it_and_media_has_its_times():
    async with (
        Destination() as place,
        node(0, forward(place.name)) as origin,
        origin.publish("live/x") as publisher,
    ):
        film = await Film(publisher).begin()
        await publisher.send(18, 0, amf0.encode("onMetaData", {"width": 320.0}))
        await until(lambda: published(place))
        await film.frames(30)
        (taken,) = place.taken
        await until(lambda: there(taken.media, 62))
        reader, at, orders = ChunkReader(), 0, []
        wire = b"\2\0\0\0\0\0\4\1\0\0\0\0" + (60_000).to_bytes(4, "big") + taken.wire
        while at < len(wire):
            at = reader.feed(wire, at)
            if reader.message is not None and reader.message[0] == 18:
                orders.append(amf0.decode_all(reader.message[4])[:2])
        assert ["@setDataFrame", "onMetaData"] in orders
        times = [time for kind, time, body in taken.media if kind == VIDEO and body[1] == 1]
        assert {b - a for a, b in pairwise(times)} == {FRAME_MS}


async def published(place: Destination) -> bool:
    return any(taken.publish is not None for taken in place.taken)


async def there(rows: list[object], count: int) -> bool:
    return len(rows) >= count


@looped
async def test_a_destination_that_does_not_read_costs_no_memory_and_goes_on_at_a_keyframe():
    async with (
        Destination() as place,
        node(0, forward(place.name) + "play { mw_latency 0; lag_jump 2000; lag_close 600000; }") as origin,
        origin.publish("live/x") as publisher,
    ):
        film = await Film(publisher, size=20_000).begin()
        await film.frames(25)
        await state(origin, "forwarding")
        (taken,) = place.taken
        await until(lambda: there(taken.media, 30))
        taken.transport.pause_reading()
        # More than the sockets of both ends take.
        await film.frames(1000)
        taken.transport.resume_reading()

        async def jumped() -> list[int]:
            await film.frames(5)
            numbers = [
                int.from_bytes(body[5:9], "big")
                for kind, _, body in taken.media
                if kind == VIDEO and body[1] == 1
            ]
            return [after for before, after in pairwise(numbers) if after != before + 1]

        gaps = await until(jumped)
        assert all(number % 25 == 0 for number in gaps)
        assert (await forwards(origin))[0]["jumps"] >= 1
        assert len(place.taken) == 1


@looped
async def test_a_redirect_is_followed_and_a_circle_of_them_is_not():
    async with Destination() as last:
        other = Destination(sent_to(f"rtmp://{last.name}/there/y"))
        async with other, node(0, forward(other.name)) as origin, origin.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(3)
            await state(origin, "forwarding")
            wanted = last.taken[0].publish
            assert wanted is not None and (wanted.app, wanted.stream) == ("there", "y")
            other.answer = sent_to(f"rtmp://{other.name}/live/x")
            last.taken[0].transport.abort()

            async def gave_up() -> bool:
                return "redirects more than" in (await forwards(origin))[0]["fault"]

            await until(gave_up)


@looped
async def test_rtmps_takes_the_certificates_that_are_trusted_or_any(tmp_path: Path):
    pair, place = make_pair(tmp_path), port()
    tls = f"rtmps {{ enabled on; listen 127.0.0.1:{place}; cert {pair.cert}; key {pair.key}; }}"
    words = (f"127.0.0.1:{place}",)
    async with node(0, more=tls) as edge:
        for verify in ("on", "off"):
            async with (
                node(0, forward(*words, more=f"rtmps on; tls_verify {verify};")) as origin,
                origin.publish("live/x") as publisher,
            ):
                film = await Film(publisher).begin()
                await film.frames(30)
                if verify == "on":
                    (row,) = await state(origin, "waiting")
                    assert "its certificate is not trusted" in row["fault"]
                else:
                    (row,) = await state(origin, "forwarding")
                    assert row["destination"] == f"rtmps://127.0.0.1:{place}/live/x"
                    async with edge.stream("live/x") as reader:
                        assert (await anext(reader)).config


def urls(*found: str) -> Reply:
    return Reply(json.dumps({"code": 0, "data": {"urls": found}}).encode())


@looped
async def test_a_backend_is_asked_as_srs_asks_it_and_its_urls_are_used():
    with HookServer() as backend:
        async with Destination() as one, Destination() as two:
            backend.replies["/on_forward"] = urls(f"rtmp://{one.name}/a/b?c=d", f"rtmp://{two.name}/live/x")
            block = f"forward {{ enabled on; destination 127.0.0.1:1; backend {backend.url('on_forward')}; }}"
            async with node(0, block) as origin, origin.publish("live/x") as publisher:
                await (await Film(publisher).begin()).frames(3)
                await state(origin, "forwarding", 2)
                wanted = one.taken[0].publish
                assert wanted is not None
                assert (wanted.app, wanted.stream, wanted.param) == ("a", "b", "?c=d")
            (told,) = backend.of("on_forward")
            fields = told.fields
            assert (fields["action"], fields["vhost"], fields["app"], fields["stream"]) == (
                "on_forward", "__defaultVhost__", "live", "x",
            )  # fmt: skip
            assert {"server_id", "service_id", "client_id", "ip", "tcUrl", "param", "stream_id"} <= set(
                fields
            )


@pytest.mark.parametrize(
    "reply",
    [Reply(b"0"), Reply(b"{}"), Reply(b"", 500), Reply(b'{"code":0,"data":{"urls":["http://a/b"]}}'), Reply(b'{"code":1}')],
)  # fmt: skip
def test_a_backend_that_fails_is_asked_again_and_the_publish_goes_on(reply: Reply):
    asyncio.run(asyncio.wait_for(ask_again(reply), 60))


async def ask_again(reply: Reply) -> None:
    with HookServer() as backend:
        async with Destination() as place:
            backend.replies["/on_forward"] = reply
            block = f"forward {{ enabled on; backend {backend.url('on_forward')}; }}"
            async with node(0, block) as origin, origin.publish("live/x") as publisher:
                await (await Film(publisher).begin()).frames(3)
                await until(lambda: there(backend.of("on_forward"), 2))
                assert len(origin.streams) == 1 and await forwards(origin) == []
                backend.replies["/on_forward"] = urls(f"rtmp://{place.name}/live/x")
                await state(origin, "forwarding")
