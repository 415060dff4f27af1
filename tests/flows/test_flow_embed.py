"""The examples of docs/embed.md as they stand, with ffmpeg as publisher and player."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import re
import sqlite3
import subprocess
from pathlib import Path
from types import ModuleType

import imageio_ffmpeg
import pytest
import uvicorn
from embedded import Film, conf, is_picture, looped, number_of
from model.flv import VIDEO, read_file
from model.loop import until

import fastflv

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"


def example(name: str) -> ModuleType:
    """Return an example, imported."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def film(seconds: int) -> list[str]:
    """Return the words of ffmpeg that make a film of 25 pictures a second and a tone."""
    source = f"testsrc2=s=320x240:r=25:d={seconds}"
    codecs = [
        "-g",
        "25",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-f",
        "flv",
    ]
    return ["-f", "lavfi", "-i", source, "-f", "lavfi", "-i", f"sine=d={seconds}", *codecs]


async def cast(server: fastflv.Server, name: str, seconds: int) -> asyncio.subprocess.Process:
    url = f"rtmp://127.0.0.1:{server.ports('RTMP')[0]}/live/{name}"
    return await asyncio.create_subprocess_exec(FFMPEG, "-v", "error", "-re", *film(seconds), url)


@looped
async def test_pictures_are_decoded_to_arrays():
    async with fastflv.Server(conf()) as server:
        caster = await cast(server, "x", 3)
        shapes = [picture.shape async for picture in example("decode").pictures(server, "live/x")]
        await caster.wait()
    assert len(shapes) > 20
    assert set(shapes) == {(240, 320, 3)}


@looped
async def test_a_stream_is_recorded_into_a_file_like_object():
    out = io.BytesIO()
    async with fastflv.Server(conf()) as server:
        caster = await cast(server, "x", 3)
        assert await example("record").record(server, "live/x", out) == len(out.getvalue())
        await caster.wait()
    audio, video, tags = read_file(out.getvalue())
    assert (audio, video) == (True, True)
    assert sum(tag.kind == VIDEO and not tag.is_header for tag in tags) > 60


@looped
async def test_a_recording_of_a_stream_that_runs_begins_at_zero():
    out = io.BytesIO()
    async with fastflv.Server(conf()) as server:
        async with server.publish("live/x") as publisher:
            film = await Film(publisher).begin()
            await film.frames(60)
            recording = asyncio.create_task(example("record").record(server, "live/x", out))
            await asyncio.sleep(0)
            await film.frames(40)
        await recording
    times = [tag.dts_ms for tag in read_file(out.getvalue())[2] if tag.kind == VIDEO and not tag.is_header]
    assert times == [40 * number for number in range(50)]


@looped
async def test_a_file_is_published_and_ffmpeg_plays_it(tmp_path):
    file = tmp_path / "film.flv"
    subprocess.run([FFMPEG, "-v", "error", *film(6), str(file)], check=True)
    async with fastflv.Server(conf()) as server:
        publishing = asyncio.create_task(example("publish").publish(server, "live/x", file.read_bytes()))
        await until(lambda: any(stream.video == "H264" for stream in server.streams))
        url = f"http://127.0.0.1:{server.ports('HTTP')[0]}/live/x.flv"
        player = await asyncio.create_subprocess_exec(
            FFMPEG, "-v", "error", "-i", url, "-t", "1", "-f", "null", "-"
        )
        assert await player.wait() == 0
        publishing.cancel()


@looped
async def test_keys_decide_who_publishes():
    auth = example("auth")
    async with fastflv.Server(conf(), on_publish=auth.on_publish, on_play=auth.on_play) as server:
        for param, why in (("", "publish with"), ("?key=no", "is wrong")):
            with pytest.raises(fastflv.PublishError, match=why):
                await server.publish("live/x", param=param).__aenter__()
        async with server.publish("live/x", param="?key=secret"):
            assert len(server.streams) == 1


@looped
async def test_thumbnails_are_served_beside_the_streams():
    app = example("thumbnails").application(conf())
    web = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    web.install_signal_handlers = lambda: None
    serving = asyncio.create_task(web.serve())
    await until(lambda: web.started)
    server: fastflv.Server = app.state.server
    caster = await cast(server, "x", 6)
    port = web.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /thumbnails/live/x.jpg HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b" 200 " in head
    assert (body[:2], body[-2:]) == (b"\xff\xd8", b"\xff\xd9")
    writer.close()
    caster.kill()
    await caster.wait()
    web.should_exit = True
    await serving


@looped
async def test_every_stream_is_relayed_under_another_name():
    async with fastflv.Server(conf()) as server:
        relaying = asyncio.create_task(example("restream").relay_all(server))
        await asyncio.sleep(0)
        copy = server.stream("relay/x")
        async with server.publish("live/x") as publisher:
            film = await Film(publisher).begin()
            await until(lambda: len(server.streams) == 2)
            for _ in range(30):
                await film.frame()
                # The relay has its turn.
                await asyncio.sleep(0.002)
        numbers = [number_of(tag) async for tag in copy if is_picture(tag)]
        relaying.cancel()
    assert numbers == list(range(30))


@looped
async def test_a_database_decides_who_plays_and_how_often(tmp_path):
    path = str(tmp_path / "users.db")
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE users (name, key)")
        database.execute("INSERT INTO users VALUES ('ann', 'secret')")
    keeper = example("database").Gatekeeper(path)
    async with fastflv.Server(conf(), on_play=keeper.on_play, on_stop=keeper.on_stop) as server:
        async with server.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(30)
            port = server.ports("HTTP")[0]
            players = [
                await play(port, f"/live/{path}") for path in ("x.flv", "x.flv?key=no", "y.flv?key=secret")
            ]
            players += [await play(port, "/live/x.flv?key=secret") for _ in range(3)]
            assert [status for status, _ in players] == [401, 401, 404, 200, 200, 403]
        await until(lambda: not any(keeper.playing.values()))
        for _, writer in players:
            writer.close()


async def play(port: int, path: str) -> tuple[int, asyncio.StreamWriter]:
    """Ask for a stream; return the status, and what keeps the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return int((await reader.readline()).split()[1]), writer


def test_every_example_stands_in_a_document():
    text = "".join(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        found[1] for found in re.finditer(r"\(examples/(\w+\.py)\)", text)
    }
