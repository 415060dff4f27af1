"""`fastflv --demo`: publish a small built-in clip over RTMP, in a loop, so that there is something to see."""

from __future__ import annotations

import asyncio
import logging
import os
from importlib import resources

from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.config.endpoint import Endpoint
from fastflv.containers.flv.reader import FlvReader, FlvTag
from fastflv.media.amf import amf0
from fastflv.media.amf.values import Value
from fastflv.protocols.rtmp.handshake import PACKET, ClientHandshake

log = logging.getLogger(__name__)

AUDIO, VIDEO, SCRIPT, COMMAND = 8, 9, 18, 20
CHUNK_BYTES = 60_000
FRAME_MS = 40
STREAM = "livestream"


def is_config(tag: FlvTag) -> bool:
    """Whether the tag is a sequence header or metadata: sent once, not in every round."""
    return tag.kind == SCRIPT or tag.body[1] == 0


def hello(app: str, address: str) -> bytes:
    """The commands of a publisher, all at once: the server answers them in order."""
    commands: tuple[tuple[int, tuple[Value, ...]], ...] = (
        (0, ("connect", 1.0, {"app": app, "type": "nonprivate", "tcUrl": f"rtmp://{address}/{app}"})),
        (0, ("releaseStream", 2.0, None, STREAM)),
        (0, ("FCPublish", 3.0, None, STREAM)),
        (0, ("createStream", 4.0, None)),
        (1, ("publish", 5.0, None, STREAM, "live")),
    )
    size = write_message(1, 0, 0, 2, CHUNK_BYTES.to_bytes(4, "big"), 128)
    return size + b"".join(
        write_message(COMMAND, 0, stream, 3, amf0.encode(*values), CHUNK_BYTES) for stream, values in commands
    )


async def publish_demo(endpoint: Endpoint) -> None:
    """Publish the clip to the server's own RTMP listener until cancelled; come back when thrown out."""
    while True:
        try:
            await _publish(endpoint)
        except (OSError, asyncio.IncompleteReadError) as error:
            log.info("the demo publisher was disconnected (%s); it tries again in 3 s", error)
        await asyncio.sleep(3)


async def _publish(endpoint: Endpoint) -> None:
    host = endpoint.host or "127.0.0.1"
    tags = FlvReader().feed(resources.files("fastflv.tools").joinpath("demo.flv").read_bytes())
    reader, writer = await asyncio.open_connection(host, endpoint.port)
    drain = None
    try:
        handshake = ClientHandshake(os.urandom(32))
        writer.write(handshake.take_output())
        # S0, S1 and S2: fastflv sends them together.
        handshake.receive(await reader.readexactly(1 + 2 * PACKET))
        writer.write(handshake.take_output())
        writer.write(hello("live", f"{host}:{endpoint.port}"))
        drain = asyncio.get_running_loop().create_task(_drain(reader))
        await _play_round_and_round(writer, tags, drain)
    finally:
        if drain is not None:
            drain.cancel()
        writer.close()


async def _play_round_and_round(
    writer: asyncio.StreamWriter, tags: list[FlvTag], drain: asyncio.Task[None]
) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    length = max(tag.time_ms for tag in tags) + FRAME_MS
    start = 0
    for tag in tags:
        if is_config(tag):
            _write(writer, tag, 0)
    while True:
        for tag in tags:
            if is_config(tag):
                continue
            wait = began + (start + tag.time_ms) / 1000 - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if drain.done():
                raise ConnectionResetError("closed by the server")
            _write(writer, tag, start + tag.time_ms)
        start += length


def _write(writer: asyncio.StreamWriter, tag: FlvTag, time_ms: int) -> None:
    channel = {AUDIO: 4, VIDEO: 6}.get(tag.kind, 5)
    writer.write(write_message(tag.kind, time_ms & 0xFFFFFFFF, 1, channel, tag.body, CHUNK_BYTES))


async def _drain(reader: asyncio.StreamReader) -> None:
    """Read away what the server says; end with the connection."""
    while await reader.read(65536):
        pass
