"""Parts of files over a real loopback server: one reading for many who ask, bounds, and what clients do not take."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest
from model.exchange import answers, serving
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, Tag, inter, key, sound, write_tag
from model.http import looped, request
from model.loop import until

from fastflv import limits
from fastflv.containers.cut import Place
from fastflv.containers.flv.header import flv_header
from fastflv.net.filepool import FilePool
from fastflv.servers.files import parts
from fastflv.servers.files.opening import OpenFile, open_below
from fastflv.servers.files.parts import Container, MediaParts
from fastflv.servers.files.seek import Part, part_of


@pytest.fixture
def film(tmp_path):
    """An FLV file of some seconds, large enough to stay on the disk."""
    tags = [Tag(VIDEO, 0, AVC_HEADER), Tag(AUDIO, 0, AAC_HEADER)]
    for time in range(0, 60_000, 40):
        tags.append(Tag(VIDEO, time, key(bytes(900)) if time % 1000 == 0 else inter(bytes(300))))
        tags.append(Tag(AUDIO, time, sound(bytes(90))))
    path = tmp_path / "film.flv"
    path.write_bytes(flv_header(audio=True, video=True) + b"".join(map(write_tag, tags)))
    assert path.stat().st_size > 4 * limits.HTTP_SMALL_FILE_BYTES_MAX
    return path


@pytest.fixture
def readings(monkeypatch):
    """What indexes were read, by the size of the file."""
    known = parts.CONTAINERS["flv"]()
    sizes = []

    def read_index(size, *, claims):
        sizes.append(size)
        return known.read_index(size, claims=claims)

    monkeypatch.setitem(parts.CONTAINERS, "flv", lambda: Container(read_index, known.read_cut))
    return sizes


def opened(path) -> OpenFile:
    found = open_below(str(path.parent), path.name)
    assert isinstance(found, OpenFile)
    return found


def site(media: MediaParts, path):
    """Answers with parts of the file at *path*, as the query asks."""

    def answer(exchange):
        part = part_of(path.name, exchange.request.args)
        assert part is not None
        media.answer(exchange, opened(path), part)

    return answer


@looped
async def test_many_who_ask_at_once_make_one_reading_and_those_after_them_none(film, readings, monkeypatch):
    monkeypatch.setattr(limits, "VOD_STEP_BYTES", 10_000)
    with closing(FilePool(asyncio.get_running_loop())) as pool:
        async with serving(site(MediaParts(pool.indexing), film)) as (_site, connect):
            asked = [
                request(f"/film.flv?start={second}.0", "GET", "Connection: close") for second in range(1, 21)
            ]
            found = await asyncio.gather(*(answers(connect, each) for each in asked))
            bodies = [body for ((status, _, body),) in found if status == 200]
            assert len(bodies) == 20 and len(set(map(len, bodies))) == 20
            await answers(connect, request("/film.flv?start=30.0", "GET", "Connection: close"))
            assert readings == [film.stat().st_size]
            film.write_bytes(film.read_bytes()[:400_000])
            await answers(connect, request("/film.flv?start=30.0", "GET", "Connection: close"))
            assert len(readings) == 2


@looped
async def test_what_cannot_be_read_is_not_read_again(tmp_path, readings):
    path = tmp_path / "bad.flv"
    path.write_bytes(b"FLV\1\5\0\0\0\x09" + bytes(100_000))
    with closing(FilePool(asyncio.get_running_loop())) as pool:
        async with serving(site(MediaParts(pool.indexing), path)) as (_site, connect):
            for _ in range(3):
                ((status, _, body),) = await answers(
                    connect, request("/bad.flv?start=5", "GET", "Connection: close")
                )
                assert status == 422 and b"no frame" in body
    assert len(readings) == 1


@looped
async def test_the_memory_of_indexes_is_bounded(film, readings, monkeypatch):
    monkeypatch.setattr(limits, "VOD_CACHE_BYTES", 3 * limits.VOD_INDEX_EXTRA_BYTES)
    with closing(FilePool(asyncio.get_running_loop())) as pool:
        media = MediaParts(pool.indexing)
        names = [film.with_name(f"{number}.flv") for number in range(4)]
        for path in names:
            path.write_bytes(film.read_bytes())
        turn = iter([*names, names[3], names[0]])

        def answer(exchange):
            media.answer(exchange, opened(next(turn)), Part("flv", Place(5, True), None))

        async with serving(answer) as (_site, connect):
            for count in (1, 2, 3, 4, 4, 5):
                await answers(connect, request("/", "GET", "Connection: close"))
                assert len(readings) == count


@looped
async def test_headers_that_clients_do_not_take_are_bounded_and_free_when_they_leave(film, monkeypatch):
    monkeypatch.setattr(limits, "VOD_HELD_BYTES", 10)
    with open(film, "ab") as file:
        # More than sockets hold.
        file.write(write_tag(Tag(VIDEO, 60_000, inter(bytes(16_000_000)))) * 3)
    ask = request("/film.flv?start=1.0", "GET", "Connection: close")
    with closing(FilePool(asyncio.get_running_loop())) as pool:
        async with serving(site(MediaParts(pool.indexing), film)) as (held, connect):
            reader, writer = await connect(small=True)
            writer.write(ask)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            ((status, fields, _),) = await answers(connect, ask)
            assert (status, fields["retry-after"]) == (503, "1")
            writer.transport.abort()
            await until(lambda: held.limit.taken == 0)
            # The thread that made it ends behind the connection.
            async with asyncio.timeout(30):
                while (await answers(connect, ask))[0][0] == 503:
                    await asyncio.sleep(0.01)
            for _ in range(2):
                # What was taken whole, or not asked for, counts no more.
                ((status, _, body),) = await answers(connect, ask)
                assert status == 200 and len(body) > 48_000_000
                whole = request("/film.flv?start=1.0", "HEAD", "Connection: close")
                ((status, _, _),) = await answers(connect, whole, heads=1)
                assert status == 200


@looped
async def test_bytes_as_they_stand_need_no_index(film, readings):
    with closing(FilePool(asyncio.get_running_loop())) as pool:
        async with serving(site(MediaParts(pool.indexing), film)) as (_site, connect):
            ((status, _, body),) = await answers(
                connect, request("/film.flv?bstart=1000&bend=70000", "GET", "Connection: close")
            )
    assert (status, body) == (200, film.read_bytes()[1000:70001])
    assert not readings


@pytest.mark.parametrize(
    ("path", "query", "part"),
    [
        ("a.flv", {"start": "100"}, Part("flv", Place(100, False), None)),
        ("a.FLV", {"start": "100s", "end": "2.5"}, Part("flv", Place(100, True), Place(2.5, True))),
        ("a.flv", {"end": "100"}, Part("flv", None, Place(100, False))),
        ("a.flv", {"bstart": "0", "bend": "9"}, Part("", Place(0, False), Place(10, False))),
        ("a.mp4", {"start": "100"}, Part("mp4", Place(100, True), None)),
        ("a.mp4", {"start": ".5", "end": "7s"}, Part("mp4", Place(0.5, True), Place(7, True))),
        ("a.mp4", {"bstart": "5"}, None),
        ("a.html", {"start": "100"}, None),
        ("a.flv", {"start": "gop"}, None),
        ("a.flv", {"start": "-1", "end": "1e9"}, None),
        ("a.flv", {"start": "0", "end": "0.0"}, None),
        ("a.flv", {"start": "\u0663"}, None),
        ("a.flv", {"bstart": "9", "bend": "3"}, None),
        ("a.flv", {"start": "9" * 30}, None),
    ],
)
def test_a_query_asks_for_a_part_or_for_nothing(path, query, part):
    assert part_of(path, query) == part
