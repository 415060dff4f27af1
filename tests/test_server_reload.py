"""Reloads of a server in this process: requests that wait for a late rule, and clients that cannot be disconnected."""

from __future__ import annotations

import asyncio
import importlib
import sys
from dataclasses import replace

import pytest
from model.access import request
from model.loop import until

from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Verdict
from fastflv.config.load import load_text
from fastflv.control import ownfiles
from fastflv.control.server import Server
from fastflv.errors import StartupError
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions

TEXT = """
listen 127.0.0.1:0;
http_server { enabled on; listen 127.0.0.1:0; }
http_api { enabled off; }
vhost __defaultVhost__ { http_remux { enabled on; } }
"""
EXTRA = "vhost tv.example.com { enabled on; http_remux { enabled on; on_missing 20; } }"


class Late(LateRule):
    """Keeps each answer for the test."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        self.answers.append(answer)
        return self

    def cancel(self) -> None:
        raise AssertionError("nobody gives up")


@pytest.mark.parametrize(
    "after", ["", EXTRA.replace("enabled on", "enabled off", 1)], ids=["removed", "disabled"]
)
def test_a_late_yes_for_a_vhost_that_is_gone_is_a_no(after: str) -> None:
    asyncio.run(answer_late(after))


async def answer_late(after: str) -> None:
    """Answer a player and a publisher once their vhost has gone."""
    server = Server(load_text(TEXT + EXTRA), asyncio.get_running_loop())
    late = Late()
    server.gate.rules.append(late)
    await server.start()
    try:
        streams = []
        for method in ("GET", "POST"):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.listeners.ports("HTTP")[0])
            head = (
                f"{method} /live/x.flv HTTP/1.1\r\nHost: tv.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            writer.write(
                (head if method == "POST" else head.replace("Transfer-Encoding: chunked\r\n", "")).encode()
            )
            streams.append((reader, writer))
        await until(lambda: len(late.answers) == 2)
        async with asyncio.timeout(20):
            server.reload(load_text(TEXT + after))
            for answer in late.answers:
                answer(ALLOW)
            for reader, writer in streams:
                assert (await reader.readline()).split()[1] == b"403"
                writer.close()
        assert not list(server.hub)
    finally:
        await server.stop()


class Connection:
    """The link of a client, which fails where the test asks for it."""

    sent = received = 0

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.dropped: list[EndReason] = []

    def drop(self, reason: EndReason) -> None:
        if self.fails:
            raise RuntimeError("as asked")
        self.dropped.append(reason)


def test_a_client_that_cannot_be_disconnected_keeps_no_other_one_connected(caplog) -> None:
    async def run() -> None:
        server = Server(load_text(TEXT), asyncio.get_running_loop())
        await server.start()
        stream = server.hub.publish(StreamName("__defaultVhost__", "live", "x"), StreamOptions(), "0", 0)
        links = [Connection(fails=number == 0) for number in range(2)]
        for number, link in enumerate(links):
            asked = request(Action.PUBLISH, vhost="__defaultVhost__")
            server.clients.add(Client(replace(asked, client_id=f"p{number}"), stream, link, 0.0))
        server.reload(
            load_text(TEXT.replace("http_remux", "security { enabled on; deny publish all; } http_remux", 1))
        )
        # Clients are asked about in turns of the loop.
        await until(lambda: links[1].dropped)
        assert [link.dropped for link in links] == [[], [EndReason.FORBIDDEN]]
        await server.stop()
        assert links[1].dropped == [EndReason.FORBIDDEN, EndReason.SERVER_STOPS]
        assert not list(server.hub)

    asyncio.run(run())
    assert caplog.text.count("client p0 of /live/x could not be disconnected") == 2


def test_a_stream_that_fails_to_adopt_leaves_the_others_adopted(caplog, monkeypatch) -> None:
    adopt = Stream.adopt

    def fail(stream: Stream, options: StreamOptions) -> None:
        if stream.name.stream == "b":
            raise RuntimeError("no")
        adopt(stream, options)

    monkeypatch.setattr(Stream, "adopt", fail)

    async def run() -> list[int]:
        server = Server(load_text(TEXT), asyncio.get_running_loop())
        await server.start()
        try:
            options = server.runtime.vhosts["__defaultVhost__"].publish.stream
            streams = [
                server.hub.publish(StreamName("__defaultVhost__", "live", name), options, "p", 0)
                for name in "abc"
            ]
            server.reload(load_text(TEXT.replace("{ http_remux", "{ publish { grace 77; } http_remux")))
            return [stream.options.grace_ms for stream in streams]
        finally:
            await server.stop()

    first, failed, last = asyncio.run(run())
    assert first == last == 77_000 != failed
    assert "stream /live/b keeps some of its former options" in caplog.text


@pytest.mark.parametrize("part", ["hls { enabled on; }", f"auth {{ enabled on; key {'k' * 32}; }}"])
def test_what_is_not_loaded_is_refused_once_another_version_is_installed(part: str, monkeypatch) -> None:
    before, after = (
        load_text(TEXT.replace("vhost __defaultVhost__ {", f"{start} {part}"))
        for start in ("vhost __defaultVhost__ { enabled off;", "vhost __defaultVhost__ {")
    )

    async def reload() -> None:
        server = Server(before, asyncio.get_running_loop())
        await server.start()
        try:
            monkeypatch.delitem(sys.modules, "fastflv.control.authrules", raising=False)
            with monkeypatch.context() as patch:
                patch.setattr(ownfiles, "_STAMP", None)
                with pytest.raises(StartupError, match="upgrade"):
                    server.reload(after)
                assert server.runtime.number == 1
                # What is loaded goes on to be reloaded.
                server.reload(before)
            server.reload(after)
            monkeypatch.setattr(ownfiles, "_STAMP", None)
            server.reload(after)
            assert server.runtime.number == 4
        finally:
            await server.stop()

    asyncio.run(reload())


@pytest.mark.parametrize(
    ("module", "part"),
    [
        ("fastflv.cluster.directorylink", "cluster { directory redis://127.0.0.1:9/0; }"),
        ("fastflv.control.keysets", "auth { enabled on; jwks http://127.0.0.1:9/keys; }"),
    ],
)
def test_what_only_a_check_needs_is_not_loaded_of_another_version(
    module: str, part: str, monkeypatch
) -> None:
    after = load_text(TEXT.replace("vhost __defaultVhost__ {", f"vhost __defaultVhost__ {{ {part}"))

    async def reload() -> None:
        server = Server(load_text(TEXT), asyncio.get_running_loop())
        await server.start()
        try:
            importlib.import_module("fastflv.control.authrules")
            monkeypatch.delitem(sys.modules, module, raising=False)
            monkeypatch.setattr(ownfiles, "_STAMP", None)
            with pytest.raises(StartupError, match="upgrade"):
                server.reload(after)
            assert module not in sys.modules
        finally:
            await server.stop()

    asyncio.run(reload())
