"""The server as a part of a program: configurations, errors, life, events, what is exported."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from embedded import Film, conf, looped
from model.loop import until

import fastflv
from fastflv import limits


@looped
async def test_a_configuration_is_text_a_path_or_settings(tmp_path):
    file = tmp_path / "fastflv.conf"
    file.write_text(conf())
    for config in (conf(), file, str(file), fastflv.load_text(conf())):
        async with fastflv.Server(config) as server:
            assert len(server.ports("RTMP")) == 1


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("listen 1935;\nnonsense on;\n", "<text>:2"),
        ("listen nowhere;", "<text>:1"),
        ("/nowhere/fastflv.conf", "/nowhere/fastflv.conf"),
        (Path("/nowhere/fastflv.conf"), "/nowhere/fastflv.conf"),
    ],
)
def test_a_bad_configuration_raises_an_error_that_names_the_place(config, says):
    with pytest.raises(fastflv.ConfigError, match=says):
        fastflv.Server(config)


def test_variables_count_only_where_the_program_hands_them_on(monkeypatch):
    monkeypatch.setenv("SRS_LISTEN", "nowhere")
    fastflv.Server(conf())
    with pytest.raises(fastflv.ConfigError):
        fastflv.Server(conf(), environ={"SRS_LISTEN": "nowhere"})


@looped
async def test_a_port_that_is_taken_raises_an_error_and_leaves_nothing_behind(descriptors):
    async with fastflv.Server(conf()) as server:
        taken = conf().replace("listen 127.0.0.1:0;", f"listen 127.0.0.1:{server.ports('RTMP')[0]};", 1)
        # The loop opens its own descriptors of the listeners within its next turns.
        await asyncio.sleep(0.1)
        before = descriptors()
        with pytest.raises(fastflv.StartupError, match=str(server.ports("RTMP")[0])):
            await fastflv.Server(taken).__aenter__()
        await until(lambda: descriptors() == before)


@looped
async def test_a_server_is_used_while_it_runs_and_started_once():
    server = fastflv.Server(conf())
    for use in (lambda: server.streams, lambda: server.stream("live/x"), server.events):
        with pytest.raises(fastflv.UsageError, match="async with"):
            use()
    async with server:
        assert server.streams == ()
        with pytest.raises(fastflv.UsageError, match="once"):
            await server.__aenter__()


@looped
async def test_two_servers_share_a_process_and_leave_no_thread():
    threads = threading.active_count()
    async with (
        fastflv.Server(conf()) as one,
        fastflv.Server(conf()) as two,
        one.publish("live/x") as publisher,
    ):
        await (await Film(publisher).begin()).frames(3)
        assert (len(one.streams), len(two.streams)) == (1, 0)
    assert threading.active_count() == threads


@looped
async def test_a_reload_acts_and_a_bad_one_changes_nothing():
    async with fastflv.Server(conf()) as server:
        with pytest.raises(fastflv.ConfigError):
            server.reload("listen nowhere;")
        ports = server.ports("RTMP")
        server.reload(conf("security { enabled on; deny publish all; }"))
        assert server.ports("RTMP") == ports
        with pytest.raises(fastflv.PublishError, match="deny publish all"):
            async with server.publish("live/x"):
                raise AssertionError("admitted")


@looped
async def test_events_tell_of_streams_in_order_and_end_with_the_server():
    async with fastflv.Server(conf()) as server:
        events = server.events()
        async with server.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(2)
    found = [event async for event in events]
    assert [event.step for event in found if isinstance(event, fastflv.ClientEvent)] == [*fastflv.ClientStep]
    steps = [(event.name.url, event.step) for event in found if isinstance(event, fastflv.StreamEvent)]
    assert steps == [("/live/x", step) for step in fastflv.StreamStep]
    assert events.lost == 0


@looped
async def test_events_that_nobody_takes_are_bounded_and_the_oldest_are_lost(monkeypatch):
    monkeypatch.setattr(limits, "EVENTS_WAITING", 4)
    async with fastflv.Server(conf()) as server:
        events = server.events()
        for number in range(3):
            async with server.publish(f"live/{number}") as publisher:
                await (await Film(publisher).begin()).frames(1)
    found = [event.name.stream async for event in events]
    # A publish is three events of its stream, and two of its client.
    assert (found, events.lost) == (["2"] * 4, 11)


@looped
async def test_callbacks_are_told_of_publishers_that_left_and_one_that_fails_is_told_of_the_next(caplog):
    told = []

    async def on_unpublish(event: fastflv.ClientEvent) -> None:
        told.append((event.name.stream, event.reason, event.received > 0))
        if event.name.stream == "a":
            raise KeyError("a")
        if event.name.stream == "b":
            await asyncio.sleep(3600)

    async with fastflv.Server(conf(), on_unpublish=on_unpublish, callback_seconds=0.2) as server:
        for name in "abc":
            async with server.publish(f"live/{name}") as publisher:
                await (await Film(publisher).begin()).frames(2)
        await until(lambda: len(told) == 3)
    assert told == [(name, "stopped", True) for name in "abc"]
    assert "on_unpublish failed" in caplog.text
    assert "has not returned within 0.2 s" in caplog.text


def test_every_public_name_is_there_and_importing_fastflv_loads_no_server():
    for name in fastflv.__all__:
        assert getattr(fastflv, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        fastflv.nonsense  # noqa: B018
    code = "import sys, fastflv; print(sorted(name for name in sys.modules if name.startswith('fastflv.')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@looped
async def test_a_callback_is_told_of_each_recorded_file_that_is_finished(tmp_path):
    told = []

    async def on_dvr(event: fastflv.RecordEvent) -> None:
        told.append(event)

    text = conf(f"dvr {{ enabled on; dvr_path {tmp_path}/[stream].[timestamp].flv; }}")
    async with fastflv.Server(text, on_dvr=on_dvr) as server:
        async with server.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(50)
        await until(lambda: told)
    [event] = told
    assert (event.name.url, event.duration_ms > 1000) == ("/live/x", True)
    assert Path(event.path).stat().st_size == event.size
