"""One worker with the parent played by the test: whose the files of a stream are, and who answers on its private port."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from model import m3u8
from model.exchange import Site as Answering
from model.hls import NAME, Camera, Site, get, looped, running
from model.http import serving
from model.loop import until
from model.ports import free_ports

from fastflv.cluster.address import WORKER
from fastflv.control.siblings import ASKED, PrivatePort
from fastflv.control.workerchannel import WorkerChannel
from fastflv.control.workerplace import WorkerPlace
from fastflv.control.workerrelay import VIEWER
from fastflv.net.peer import Peer
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.hls.files import FileMark, write_file
from fastflv.stream.name import StreamName
from fuzzing.standins import Answers

pytestmark = pytest.mark.usefixtures("quick")


@asynccontextmanager
async def worker(
    hls: str = "", vhost: str = "", other: socket.socket | None = None
) -> AsyncIterator[tuple[Site, WorkerChannel]]:
    """The first of two workers, and the channel of its parent. *other*: where the second one listens; None: it does not."""
    near, far = socket.socketpair()
    near.setblocking(False)
    listener = socket.create_server(("127.0.0.1", 0))
    ports = [listener.getsockname()[1], other.getsockname()[1] if other is not None else free_ports(1)[0]]
    place = WorkerPlace(1, ports, far.detach(), listener.detach(), "5ec4e7", "vid-1", "s")
    parent = WorkerChannel({}, lambda: None)
    async with running(hls, vhost=vhost, worker=place) as site:
        assert site.server.siblings is not None
        await site.server.siblings.start({"heard": lambda: True}, lambda: None)
        await parent.open(near)
        yield site, parent
    parent.close()


async def tell_owner(parent: WorkerChannel, number: int) -> None:
    parent.tell("published", name=NAME, worker=number)
    await parent.ask("heard")


async def publish(site: Site, folder: Path) -> Camera:
    """Publish until there are files."""
    camera = Camera(site)
    async with camera.rolling():
        await until(lambda: (folder / "live/cam.m3u8").exists())
    return camera


@looped
async def test_files_of_a_stream_that_ended_here_and_goes_on_at_another_worker_are_left_to_that_one(tmp_path):
    async with worker(f"hls_path {tmp_path}; hls_dispose 1; hls_ctx off;") as (site, parent):
        await tell_owner(parent, 1)
        camera = await publish(site, tmp_path)
        camera.end()
        await until(lambda: "ENDLIST" in (tmp_path / "live/cam.m3u8").read_text())
        await tell_owner(parent, 0)
        await tell_owner(parent, 2)
        await until(lambda: not site.server.parts.hls.muxers)
        await asyncio.sleep(1.3)
        assert (tmp_path / "live/cam.m3u8").exists() and (tmp_path / "live/cam-0.ts").exists()


@looped
async def test_files_of_a_muxer_that_a_reload_has_replaced_are_left_to_another_worker_too(tmp_path):
    hls = f"hls_path {tmp_path}; hls_dispose 1; hls_ctx off;"
    async with worker(hls) as (site, parent):
        await tell_owner(parent, 1)
        camera = await publish(site, tmp_path)
        muxer = site.muxer
        site.reload(hls, enabled=False)
        await until(lambda: "ENDLIST" in (tmp_path / "live/cam.m3u8").read_text())
        camera.end()
        await tell_owner(parent, 0)
        await tell_owner(parent, 2)
        await until(lambda: muxer.closed)
        await site.server.parts.hls.muxers.written(camera.name)
        assert (tmp_path / "live/cam.m3u8").exists() and (tmp_path / "live/cam-0.ts").exists()


@looped
async def test_a_stream_that_is_fetched_from_its_new_worker_writes_no_playlist_here(tmp_path):
    async with worker(f"hls_path {tmp_path}; hls_ctx off;") as (site, parent):
        await tell_owner(parent, 1)
        camera = await publish(site, tmp_path)
        camera.end()
        await until(lambda: "ENDLIST" in (tmp_path / "live/cam.m3u8").read_text())
        await tell_owner(parent, 2)
        text = (tmp_path / "live/cam.m3u8").read_text()
        async with Camera(site).rolling():
            await asyncio.sleep(0.3)
            assert not site.server.parts.hls.muxers
        assert (tmp_path / "live/cam.m3u8").read_text() == text


@looped
async def test_a_stream_that_is_taken_over_is_on_disk_to_its_last_frame_before_the_next_worker_goes_on(
    tmp_path, monkeypatch
):
    def slow(path: str, body: bytes) -> FileMark:
        time.sleep(0.1)
        return write_file(path, body)

    monkeypatch.setattr("fastflv.servers.hls.diskstore.write_file", slow)
    async with worker(f"hls_path {tmp_path}; hls_ctx off; hls_window 60;") as (site, parent):
        await tell_owner(parent, 1)
        camera = await publish(site, tmp_path)
        camera.run(0.6)
        parent.tell("published", name=NAME, worker=2)
        await parent.ask("left", name=NAME)
        media = m3u8.read_media((tmp_path / "live/cam.m3u8").read_text())
        assert not media.ended and media.length == pytest.approx(camera.time / 1000, abs=0.05)


@looped
async def test_files_of_a_stream_at_another_worker_are_found_by_their_former_paths_after_a_reload():
    # Whatever is passed on is a 503: the other worker does not answer.
    old = ("/live/cam.m3u8", "/live/cam-0.ts")
    async with worker() as (site, parent):
        await tell_owner(parent, 2)
        assert [(await site.get(path)).status for path in old] == [503, 503]
        site.reload("hls_m3u8_file hls/[app]/[stream].m3u8; hls_ts_file hls/[app]/[stream]/[seq].ts;")
        new = ("/hls/live/cam.m3u8", "/hls/live/cam/0.ts")
        assert [(await site.get(path)).status for path in (*old, *new)] == [503] * 4
        assert [(await site.get(path.replace("cam", "x"))).status for path in old] == [404, 404]
        await tell_owner(parent, 1)
        assert [(await site.get(path)).status for path in old] == [404, 404]


@looped
async def test_who_has_published_a_stream_to_an_edge_answers_for_it_and_its_name_chooses_otherwise():
    async with worker(vhost="cluster { mode remote; origin 127.0.0.1:1; }") as (site, parent):
        siblings = site.server.siblings
        assert siblings is not None

        def passes(name: StreamName) -> bool:
            request = Request("GET", "/clip/live/x.flv", "", "1.1", {}, True, Peer("192.0.2.7", "192.0.2.7"))
            return siblings.pass_on(Answers(request), name)

        names = [NAME._replace(stream=str(number)) for number in range(16)]
        chosen = {name: passes(name) for name in names}
        assert set(chosen.values()) == {False, True}
        for owner in (1, 2):
            for name in names:
                parent.tell("published", name=name, worker=owner)
            await parent.ask("heard")
            assert {passes(name) for name in names} == {owner == 2}


@looped
async def test_a_request_for_a_stream_of_a_worker_that_has_died_waits_for_nothing():
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        async with worker(other=other) as (site, parent):
            await tell_owner(parent, 2)
            for _ in range(2):
                parent.tell("absent", worker=2)
                await parent.ask("heard")
                answer = await site.get("/live/cam.m3u8")
                assert (answer.status, answer.fields["retry-after"]) == (503, "1")
                parent.tell("present", worker=2)
                await parent.ask("heard")
                asking = asyncio.ensure_future(site.get("/live/cam.m3u8"))
                connection, _ = await asyncio.get_running_loop().sock_accept(other)
                connection.close()
                assert (await asking).status == 503


def named(name: str) -> Answering:
    """A handler that answers with its name."""
    return Answering(lambda exchange: exchange.respond(Response.of_text(200, name)))


@looped
async def test_only_a_worker_that_asks_the_api_is_answered_by_it_whatever_the_path():
    secret, asked = f"{WORKER}: 5ec4e7", f"{ASKED}: api"
    viewer = f'{VIEWER}: {{"ip": "192.0.2.7", "socket_ip": "192.0.2.7"}}'
    async with serving(PrivatePort("5ec4e7", named("streams"), named("api"))) as (port, _):
        for fields, answer in (
            ((secret, asked), "api"),
            ((secret,), "streams"),
            ((secret, viewer), "streams"),
            ((secret, viewer, asked), "streams"),
            ((asked,), "this port is for the workers of the server"),
        ):
            assert (await get(port, "/api/x.flv", *fields)).text == answer
