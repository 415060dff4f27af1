"""The recording API of a server in this process: what a refusal says, and questions of the gate that are answered late."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from model.access import Hook
from model.flv import AAC_HEADER, AVC_HEADER, Feed, key, sound
from model.loop import until

from fastflv import limits
from fastflv.access.request import Action
from fastflv.access.verdict import ALLOW, Refusal, Refused
from fastflv.config.load import load_text
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.control.server import Server
from fastflv.record.event import RecordEvent, RecordStep
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions

TEXT = """
listen 127.0.0.1:0;
http_api {{ enabled on; listen 127.0.0.1:0; }}
vhost __defaultVhost__ {{ record_path {folder}; }}
"""


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Server, Hook]]:
    """Run a server whose gate asks a hook."""
    server = Server(load_text(TEXT.format(folder=folder)), asyncio.get_running_loop())
    hook = Hook()
    server.gate.rules.append(hook)
    await server.start()
    try:
        async with asyncio.timeout(30):
            yield server, hook
    finally:
        await server.stop()


def publish(server: Server) -> None:
    """Publish `/live/x`, and a picture with sound."""
    stream = server.hub.publish(StreamName(DEFAULT_VHOST, "live", "x"), StreamOptions(), "c1", 0)
    feed = Feed(stream.writer)
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    feed.video(0, key())
    feed.audio(0, sound())
    server.hub.settle(stream, 0)


async def begin(server: Server, method: str, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    [port] = server.listeners.ports("API")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return reader, writer


async def finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, str, bytes]:
    """Read the answer: status, head and body."""
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), head.decode(), body


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/flv/record/start/live/x", "POST, OPTIONS"),
        ("POST", "/flv/record/status/live/x", "GET, HEAD, OPTIONS"),
        ("PUT", "/api/v1/recordings", "GET, HEAD, OPTIONS"),
        ("POST", "/api/v1/recordings/live/x.flv", "GET, DELETE, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(
    tmp_path: Path, method: str, path: str, allow: str
) -> None:
    async def ask() -> None:
        async with running(tmp_path) as (server, hook):
            status, head, _ = await finish(*await begin(server, method, path))
            assert (status, hook.asked) == (405, [])
            assert f"Allow: {allow}\r\n" in head + "\r\n"

    asyncio.run(ask())


def test_a_request_waits_for_the_gate_and_an_unauthorised_one_is_told_how(tmp_path: Path) -> None:
    async def ask() -> None:
        async with running(tmp_path) as (server, hook):
            asked = [await begin(server, "GET", "/api/v1/recordings") for _ in range(2)]
            await until(lambda: len(hook.answers) == 2)
            assert {(each.action, each.output) for each in hook.asked} == {(Action.RECORD, "record")}
            hook.answers[0](ALLOW)
            hook.answers[1](Refused(Refusal.UNAUTHORIZED, "no token"))
            answers = [await finish(*each) for each in asked]
            answers.sort()
            assert [status for status, _, _ in answers] == [200, 401]
            assert json.loads(answers[0][2])["total"] == 0
            assert "WWW-Authenticate: Bearer" in answers[1][1]

    asyncio.run(ask())


def test_a_client_that_leaves_takes_its_question_back(tmp_path: Path) -> None:
    async def ask() -> None:
        async with running(tmp_path) as (server, hook):
            _, writer = await begin(server, "DELETE", "/api/v1/recordings/live/x.flv")
            await until(lambda: len(hook.answers) == 1)
            assert (hook.asked[0].app, hook.asked[0].stream) == ("live", "x")
            writer.close()
            await until(lambda: hook.cancelled == 1)

    asyncio.run(ask())


def test_without_a_thread_a_recording_stops_and_a_list_is_refused(tmp_path: Path) -> None:
    async def ask() -> None:
        async with running(tmp_path) as (server, _):
            server.gate.rules.clear()
            events: list[RecordEvent] = []
            server.recorders.watchers.append(events.append)
            publish(server)
            server.recorders.load()
            server.file_pool.close()
            await finish(*await begin(server, "POST", "/flv/record/start/live/x"))
            await until(lambda: events)
            assert [(each.step, each.reason) for each in events] == [
                (RecordStep.FAILED, "no thread is free to write it")
            ]
            assert not list(server.recorders)
            assert (await finish(*await begin(server, "GET", "/api/v1/recordings")))[0] == 503

    asyncio.run(ask())


def test_the_first_recording_loads_what_records_on_a_thread(tmp_path: Path) -> None:
    async def ask() -> None:
        async with running(tmp_path) as (server, _):
            server.gate.rules.clear()
            threads: list[int] = []
            load = server.recorders.load

            def load_here() -> None:
                threads.append(threading.get_ident())
                load()

            server.recorders.load = load_here
            assert (await finish(*await begin(server, "POST", "/flv/record/start/live/x")))[0] == 404
            assert not threads
            publish(server)
            for _ in range(2):
                status, _, body = await finish(*await begin(server, "POST", "/flv/record/start/live/x"))
                assert (status, json.loads(body)["recording"]) == (200, True)
            assert len(threads) == 1 and threads[0] != threading.get_ident()

    asyncio.run(ask())


def test_without_a_thread_the_first_recording_is_refused(tmp_path: Path) -> None:
    async def ask() -> None:
        async with running(tmp_path) as (server, _):
            server.gate.rules.clear()
            publish(server)
            server.file_pool.close()
            assert (await finish(*await begin(server, "POST", "/flv/record/start/live/x")))[0] == 503
            assert not list(server.recorders)

    asyncio.run(ask())


def test_a_recording_that_cannot_be_loaded_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ImportError("no module named x")

    async def ask() -> None:
        async with running(tmp_path) as (server, _):
            server.gate.rules.clear()
            server.recorders.load = fail
            publish(server)
            assert (await finish(*await begin(server, "POST", "/flv/record/start/live/x")))[0] == 503
            assert not list(server.recorders)

    asyncio.run(ask())
    assert "no module named x" in caplog.text


def test_a_file_that_waits_for_its_end_is_still_being_recorded(tmp_path: Path) -> None:
    async def ask() -> None:
        async with running(tmp_path) as (server, _):
            server.gate.rules.clear()
            publish(server)
            await finish(*await begin(server, "POST", "/flv/record/start/live/x"))
            await until(lambda: list(tmp_path.rglob("*.flv.tmp")))
            [path] = tmp_path.rglob("*.flv.tmp")
            goes_on = threading.Event()
            disks = [server.file_pool.recording.run(goes_on.wait) for _ in range(limits.FILE_RECORD_THREADS)]
            try:
                await finish(*await begin(server, "POST", "/flv/record/stop/live/x"))
                _, _, body = await finish(*await begin(server, "GET", "/api/v1/recordings"))
                [row] = json.loads(body)["recordings"]
                assert row["state"] == "recording"
                assert (await finish(*await begin(server, "DELETE", row["url"])))[0] == 409
            finally:
                goes_on.set()
            await asyncio.gather(*disks)
            await until(path.with_suffix("").exists)
            # The thread renames the file before the loop is told.
            await until(lambda: not list(server.recorders))

    asyncio.run(ask())
