"""Whatever bytes an RTMP peer sends, in whatever pieces, the server session gives the same events or a PeerError.

The first byte of an input gives the size of the pieces, the second how far the peer has come before the rest.
"""

from __future__ import annotations

from fastflv import limits
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.sink import CollectSink
from fastflv.errors import PeerError
from fastflv.media.amf import amf0
from fastflv.protocols.rtmp.events import ConnectWanted, Event, PublishWanted
from fastflv.protocols.rtmp.server import ServerSession


def command(stream_id: int, *values: amf0.Value) -> bytes:
    return write_message(20, 0, stream_id, 3, amf0.encode(*values), 128)


GREETING = b"\3" + bytes(3072)
CONNECT = GREETING + command(0, "connect", 1.0, {"tcUrl": "rtmp://h/live"})
PUBLISH = CONNECT + command(1, "publish", 2.0, None, "a", "live")
TWO = PUBLISH + command(2, "publish", 3.0, None, "b", "live")
PLAY = CONNECT + command(1, "play", 2.0, None, "a")
COMMANDS = tuple(
    bytes([255, 2]) + command(stream_id, *values)
    for stream_id, *values in (
        (0, "createStream", 2.0, None),
        (0, "releaseStream", 2.0, None, "a"),
        (1, "publish", 3.0, None, "a?vhost=b", "live"),
        (1, "play", 3.0, None, "a", -2000.0, -1.0, True),
        (1, "pause", 4.0, None, True, 1000.0),
        (1, "closeStream", 0.0, None),
        (0, "deleteStream", 5.0, None, 1.0),
    )
)
STARTS = (b"", GREETING, CONNECT, PUBLISH, TWO, PLAY)
"Beginnings that a fuzzer would not guess."

SEEDS = tuple(bytes([size, start]) for start in range(len(STARTS)) for size in (0, 99)) + COMMANDS
WORDS = (b"\x14", b"\3\0\0\0\0\0", b"\2\0\0", b"\5", b"\0\0\x09", b"\xff\xff\xff", b"vhost=")


def answer(session: ServerSession, event: Event, sinks: dict[int, CollectSink]) -> None:
    if isinstance(event, ConnectWanted):
        session.accept_connect()
    elif not isinstance(event, PublishWanted):
        session.accept_play(event.stream_id)
    elif event.stream == "no":
        session.reject_publish(event.stream_id, "NetStream.Publish.BadName", "no")
    else:
        session.accept_publish(event.stream_id, sinks.setdefault(event.stream_id, CollectSink()))


def run(wire: bytes, step: int) -> tuple[list[Event], dict[int, list[tuple[int, int, bytes]]], bool]:
    """Feed *wire* in pieces; return events, media by message stream, and whether the peer was refused."""
    session, events = ServerSession(noise=bytes), []
    sinks: dict[int, CollectSink] = {}
    refused = False
    try:
        for at in range(0, len(wire), step):
            assert session.room >= min(step, limits.RECEIVE_BYTES)
            found = session.receive(wire[at : at + step])
            while found:
                events += found
                for event in found:
                    if event.needs_answer:
                        answer(session, event, sinks)
                found = session.resume()
    except PeerError:
        refused = True
    session.take_output()
    session.close()
    return events, {stream_id: sink.messages for stream_id, sink in sinks.items()}, refused


def check(data: bytes) -> None:
    if len(data) < 2:
        return
    wire = STARTS[data[1] % len(STARTS)] + data[2:]
    whole, pieces = run(wire, len(wire) or 1), run(wire, data[0] + 1)
    if whole[2]:
        # Events of the piece in which the error lies are lost: the owner closes.
        assert pieces[2]
        assert whole[0] == pieces[0][: len(whole[0])]
    else:
        assert whole == pieces
