"""`fastflv --demo`: publish a small built-in clip over RTMP, in a loop, so that there is something to see."""

from __future__ import annotations

import asyncio
import logging
import os
from importlib import resources
from itertools import repeat

from fastflv import limits
from fastflv.config.endpoint import Endpoint
from fastflv.containers.flv.reader import FlvReader, FlvTag
from fastflv.errors import PeerError
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import Failed, Redirected, Started
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.tools.sequence import in_sequence

log = logging.getLogger(__name__)

APP, STREAM = "live", "livestream"


async def publish_demo(endpoint: Endpoint) -> None:
    """Publish the clip to the server's own RTMP listener until cancelled; connect again after each end."""
    fault: Exception | None = None
    while True:
        if fault is not None:
            # After the pause, in which a server that stops ends this: its own end is no fault.
            log.info("the demo publisher was disconnected (%s) and begins again", fault)
            fault = None
        try:
            await _publish(endpoint)
        except (OSError, PeerError) as error:
            fault = error
        await asyncio.sleep(3)


async def _publish(endpoint: Endpoint) -> None:
    host = endpoint.host or "127.0.0.1"
    tags = FlvReader().feed(resources.files("fastflv.tools").joinpath("demo.flv").read_bytes())
    arguments = ConnectArguments(tc_url=f"rtmp://{host}:{endpoint.port}/{APP}", app=APP)
    session = ClientSession(arguments, noise=os.urandom)
    session.publish(STREAM)
    reader, writer = await asyncio.open_connection(host, endpoint.port)
    answers = None
    try:
        stream_id = 0
        while not stream_id:
            stream_id = await _exchange(session, reader, writer)
        answers = asyncio.get_running_loop().create_task(_answer(session, reader, writer))
        await _loop_clip(session, stream_id, writer, tags, answers)
    finally:
        if answers is not None:
            answers.cancel()
        writer.close()


async def _exchange(
    session: ClientSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> int:
    """Write what is due, read once; return the message stream when the publish has started, else 0.

    Raises ConnectionResetError when the server closes or refuses, PeerError when it breaks the protocol.
    """
    writer.write(session.take_output())
    data = await reader.read(limits.RECEIVE_BYTES)
    if not data:
        raise ConnectionResetError("closed by the server")
    session.now = asyncio.get_running_loop().time()
    stream_id = 0
    for event in session.receive(data):
        if isinstance(event, Started):
            stream_id = event.stream_id
        elif isinstance(event, Failed):
            raise ConnectionResetError(f"{event.code}: {event.description}")
        elif isinstance(event, Redirected):
            raise ConnectionResetError(f"sent on to {event.url}")
    writer.write(session.take_output())
    return stream_id


async def _answer(session: ClientSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer pings and the like until the connection ends, which raises."""
    while True:
        await _exchange(session, reader, writer)


async def _loop_clip(
    session: ClientSession,
    stream_id: int,
    writer: asyncio.StreamWriter,
    tags: list[FlvTag],
    answers: asyncio.Task[None],
) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for tag in in_sequence(repeat(tags)):
        wait = began + tag.time_ms / 1000 - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        if answers.done():
            # Raises why the connection ended.
            answers.result()
        writer.write(session.write_media(stream_id, tag.kind, tag.time_ms, tag.body))
