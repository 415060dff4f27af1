"""Reloads of a server in this process, while requests wait for a rule that answers late."""

from __future__ import annotations

import asyncio

import pytest
from model.loop import until

from fastflv.access.request import AccessRequest
from fastflv.access.rules import Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Verdict
from fastflv.config.load import load_text
from fastflv.control.server import Server

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
