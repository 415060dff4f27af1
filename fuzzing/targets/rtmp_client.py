"""Whatever bytes an RTMP server sends, in whatever pieces, the client session gives the same events or a PeerError.

The first byte of an input gives the size of the pieces, the second how far the server has answered before the rest.
"""

from __future__ import annotations

from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.sink import CollectSink
from fastflv.errors import PeerError
from fastflv.media.amf import amf0
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import ClientEvent
from fastflv.protocols.rtmp.connectarguments import ConnectArguments


def command(stream_id: int, *values: amf0.Value) -> bytes:
    return write_message(20, 0, stream_id, 3, amf0.encode(*values), 128)


GREETING = b"\3" + bytes(3072)
CONNECTED = GREETING + command(0, "_result", 1.0, {}, {})
CREATED = CONNECTED + command(0, "_result", 2.0, None, 1.0)
PLAYING = CREATED + command(1, "onStatus", 0.0, None, {"level": "status", "code": "NetStream.Play.Start"})
COMMANDS = tuple(
    bytes([255, start]) + command(stream_id, *values)
    for start, stream_id, *values in (
        (1, 0, "_result", 1.0, {"fmsVer": "a"}, {"code": "NetConnection.Connect.Success"}),
        (2, 0, "_result", 2.0, None, 1.0),
        (3, 1, "onStatus", 0.0, None, {"level": "status", "code": "NetStream.Play.Start"}),
        (3, 1, "onStatus", 0.0, None, {"level": "error", "ex": {"code": 302.0, "redirect": "rtmp://b/c"}}),
        (0, 0, "_error", 1.0, None, {"code": "NetConnection.Connect.Rejected"}),
    )
)
STARTS = (b"", GREETING, CONNECTED, CREATED, PLAYING)
"Beginnings that a fuzzer would not guess."

SEEDS = tuple(bytes([size, start]) for start in range(len(STARTS)) for size in (0, 99)) + COMMANDS
WORDS = (b"\x14", b"\3\0\0\0\0\0", b"\2\0\0", b"\5", b"\0\0\x09", b"\xff\xff\xff", b"vhost=")


def run(wire: bytes, step: int) -> tuple[list[ClientEvent], list[tuple[int, int, bytes]], bytes, bool]:
    """Feed *wire* in pieces; return events, media, output, and whether the server was refused."""
    session = ClientSession(ConnectArguments(tc_url="rtmp://h/live", app="live"), noise=bytes)
    sink, events = CollectSink(), []
    session.play("a", sink)
    session.publish("b")
    output = session.take_output()
    refused = False
    try:
        for at in range(0, len(wire), step):
            events += session.receive(wire[at : at + step])
            output += session.take_output()
    except PeerError:
        refused = True
    return events, sink.messages, output, refused


def check(data: bytes) -> None:
    if len(data) < 2:
        return
    wire = STARTS[data[1] % len(STARTS)] + data[2:]
    whole, pieces = run(wire, len(wire) or 1), run(wire, data[0] + 1)
    assert whole[3] == pieces[3]
    if not whole[3]:
        # Acknowledgements depend on where a read ends; nothing else does.
        assert whole[:2] == pieces[:2]
