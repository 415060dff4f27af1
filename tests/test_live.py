"""Live responses of a whole server in this process, its streams fed straight into the stream_writer."""

from __future__ import annotations

import asyncio
import functools
from contextlib import asynccontextmanager

import pytest
import uvloop
from model.flv import AAC_HEADER, AVC_HEADER, Feed, dechunk, inter, key, read_file, sound
from model.loop import until
from model.ports import free_ports

from fastflv import limits
from fastflv.config.load import load_text
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.control.server import Server
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions

NAME = StreamName(DEFAULT_VHOST, "live", "a")
OPTIONS = StreamOptions(merge_window_ms=0, grace_ms=5000)
CONF = """
listen 127.0.0.1:{rtmp};
daemon off;
srs_log_tank console;
http_server {{ enabled on; listen 127.0.0.1:{http}; }}
vhost __defaultVhost__ {{ http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; on_missing {on_missing}; }} }}
vhost off.example {{ }}
"""


def looped(test):
    @functools.wraps(test)
    def run(*args, **more):
        return uvloop.run(asyncio.wait_for(test(*args, **more), 30))

    return run


@asynccontextmanager
async def running(on_missing: float = 5):
    """Run a server; give it and its HTTP port."""
    rtmp, http = free_ports(2)
    server = Server(
        load_text(CONF.format(rtmp=rtmp, http=http, on_missing=on_missing)), asyncio.get_running_loop()
    )
    await server.start()
    try:
        yield server, http
    finally:
        await server.stop()


def publish(server: Server, name: StreamName = NAME) -> Feed:
    feed = Feed(server.hub.publish(name, OPTIONS, "publisher", 0).writer)
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    return feed


def gop(server: Server, feed: Feed, time: int = 0) -> None:
    feed.video(time, key())
    feed.audio(time, sound())
    feed.video(time + 40, inter())
    server.hub.settle(server.hub.find(NAME), time)


async def open_get(
    port: int, path: str = "/live/a.flv", *fields: str, method: str = "GET", version: str = "1.1"
):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{method} {path} HTTP/{version}", "Host: 127.0.0.1", *fields]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    return reader, writer


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode().split("\r\n")
    return int(first.split()[1]), {
        name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
    }


@looped
async def test_a_player_reads_head_start_and_stream_to_a_clean_end():
    async with running() as (server, port):
        feed = publish(server)
        gop(server, feed)
        reader, writer = await open_get(port)
        status, fields = await read_head(reader)
        assert (status, fields["content-type"], fields["transfer-encoding"]) == (
            200,
            "video/x-flv",
            "chunked",
        )
        await until(lambda: server.players.count)
        gop(server, feed, 80)
        (client,) = server.clients
        assert (client.request.output, client.request.scheme, client.request.peer.ip) == (
            "flv-play",
            "http",
            "127.0.0.1",
        )
        assert client.stream.name == NAME
        server.hub.end_all()
        body, ended = dechunk(await reader.read())
        audio, video, tags = read_file(body)
        assert (audio, video, ended) == (True, True, True)
        assert [tag.body for tag in tags] == [AAC_HEADER, AVC_HEADER] + [key(), sound(), inter()] * 2
        await until(lambda: not server.clients)
        assert (server.connection_limit.taken, server.players.count) == (0, 0)
        writer.close()


@pytest.mark.parametrize(("version", "fields"), [("1.0", ()), ("1.1", ("Connection: close",))])
@looped
async def test_a_client_that_cannot_take_chunks_or_wants_none_gets_plain_bytes(version, fields):
    async with running() as (server, port):
        gop(server, publish(server))
        reader, writer = await open_get(port, "/live/a.flv", *fields, version=version)
        assert "transfer-encoding" not in (await read_head(reader))[1]
        server.hub.end_all()
        assert len(read_file(await reader.read())[2]) == 5
        writer.close()


@looped
async def test_a_player_that_comes_early_waits_for_the_stream_and_its_tracks():
    async with running() as (server, port):
        reader, writer = await open_get(port)
        await until(lambda: server.hub.waiting)
        feed = publish(server)
        server.hub.settle(server.hub.find(NAME), 0)
        gop(server, feed)
        assert (await read_head(reader))[0] == 200
        assert server.hub.waiting == 0
        writer.close()


@looped
async def test_a_player_that_tires_of_waiting_leaves_nothing_behind():
    async with running() as (server, port):
        _, writer = await open_get(port)
        await until(lambda: server.hub.waiting)
        writer.close()
        await until(lambda: server.connection_limit.taken == 0)
        assert server.hub.waiting == 0


@looped
async def test_an_absent_stream_is_a_404_after_the_wait(monkeypatch):
    monkeypatch.setattr(limits, "MISSING_SECONDS_MIN", 0.0)
    async with running(on_missing=0.1) as (server, port):
        reader, writer = await open_get(port)
        status, fields = await read_head(reader)
        assert (status, fields["retry-after"], server.hub.waiting, len(server.hub)) == (404, "1", 0, 0)
        writer.close()


@looped
async def test_with_no_wait_an_absent_stream_is_a_404_at_once():
    async with running(on_missing=0) as (server, port):
        reader, writer = await open_get(port)
        assert (await read_head(reader))[0] == 404
        assert server.hub.waiting == 0
        writer.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/live/a", 404),
        ("GET", "/", 200),
        ("GET", "/nothing", 404),
        ("GET", "/live/a.flv?vhost=off.example", 404),
        ("HEAD", "/live/a.flv", 200),
        ("HEAD", "/live/b.flv", 404),
        ("DELETE", "/live/a.flv", 405),
        ("PUT", "/live/a.flv", 409),
        ("GET", "/live/../a.flv", 400),
    ],
)
@looped
async def test_other_requests_are_answered_at_once(method, path, status):
    async with running() as (server, port):
        gop(server, publish(server))
        reader, writer = await open_get(port, path, method=method)
        assert (await read_head(reader))[0] == status
        assert server.players.count == 0
        writer.close()


@looped
async def test_a_page_of_another_site_may_play():
    async with running() as (server, port):
        gop(server, publish(server))
        reader, writer = await open_get(port, "/live/a.flv", "Origin: http://b")
        assert (await read_head(reader))[1]["access-control-allow-origin"] == "*"
        writer.close()


@looped
async def test_a_player_that_leaves_releases_its_connection():
    async with running() as (server, port):
        gop(server, publish(server))
        for _ in range(3):
            reader, writer = await open_get(port)
            await read_head(reader)
            assert server.connection_limit.taken == 1
            writer.close()
            await until(lambda: server.connection_limit.taken == 0)
        assert (len(server.clients), server.players.count) == (0, 0)
        assert server.hub.find(NAME).sent_before > 0


@looped
async def test_a_player_stays_while_its_publisher_is_away_and_goes_on_with_the_next():
    async with running() as (server, port):
        feed = publish(server)
        gop(server, feed)
        reader, writer = await open_get(port)
        await read_head(reader)
        await until(lambda: server.players.count)
        server.hub.unpublish(server.hub.find(NAME), 100)
        feed = publish(server)
        feed.video(9000, inter())
        gop(server, feed, 9040)
        server.hub.end_all()
        body, ended = dechunk(await reader.read())
        tags = read_file(body)[2]
        assert ended
        assert [tag.body for tag in tags if not tag.is_header] == [key(), sound(), inter()] * 2
        assert [tag.dts_ms for tag in tags] == sorted(tag.dts_ms for tag in tags)
        writer.close()


@looped
async def test_a_late_player_waits_while_the_publisher_is_away():
    async with running() as (server, port):
        feed = publish(server)
        gop(server, feed)
        server.hub.unpublish(server.hub.find(NAME), 100)
        reader, writer = await open_get(port)
        await until(lambda: server.hub.waiting)
        feed = publish(server)
        gop(server, feed, 500)
        assert (await read_head(reader))[0] == 200
        writer.close()


@looped
async def test_what_was_answered_before_on_the_connection_is_not_lost():
    async with running() as (server, port):
        gop(server, publish(server))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /live/a.flv HTTP/1.1\r\nHost: a\r\n\r\n")
        status, fields = await read_head(reader)
        assert status == 404
        await reader.readexactly(int(fields["content-length"]))
        assert (await read_head(reader))[0] == 200
        writer.close()


@looped
async def test_a_machine_out_of_descriptors_does_not_take_the_publisher_down(monkeypatch):
    async with running() as (server, port):
        _, writer = await open_get(port)
        await until(lambda: server.hub.waiting)
        feed = publish(server)

        def refuse(fd: int) -> int:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr("os.dup", refuse)
        gop(server, feed)
        writer.close()


@looped
async def test_a_client_that_is_refused_while_it_waits_costs_neither_publisher_nor_others_anything():
    async with running() as (server, port):
        refused, bad = await open_get(port)
        await until(lambda: server.hub.waiting)
        reader, writer = await open_get(port)
        await until(lambda: server.hub.waiting == 2)
        bad.write(b"garbage\r\n\r\n")
        assert (await read_head(refused))[0] == 400
        gop(server, publish(server))
        assert (await read_head(reader))[0] == 200
        assert server.hub.waiting == 0
        for each in (bad, writer):
            each.close()


@looped
async def test_heads_that_are_shared_are_bounded():
    async with running() as (server, port):
        gop(server, publish(server))
        for i in range(limits.RESPONSE_HEADS_MAX + 10):
            reader, writer = await open_get(
                port, "/live/a.flv", "Origin: a", f"Access-Control-Request-Headers: x{i}"
            )
            assert (await read_head(reader))[1]["access-control-allow-headers"] == f"x{i}"
            writer.close()
        head = server.live.shared(b"a")
        assert server.live.shared(b"a") is head
        for i in range(limits.RESPONSE_HEADS_MAX):
            server.live.shared(b"%d" % i)
        assert server.live.shared(b"a") is not head, "it was let go for others"


@looped
async def test_stopping_ends_every_response_and_leaves_nothing():
    async with running() as (server, port):
        gop(server, publish(server))
        reader, writer = await open_get(port)
        await read_head(reader)
        await until(lambda: server.players.count)
    assert dechunk(await reader.read())[1]
    assert (server.players.count, len(server.clients), len(server.hub), server.connection_limit.taken) == (
        0,
        0,
        0,
        0,
    )
    writer.close()
