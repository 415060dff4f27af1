"""WebSockets: any handshake is taken or refused, and any frames of a player end in a close frame at most.

The first byte of an input gives the size of the pieces, the second says what it is: fields of a handshake, the frames
of a player, or frames built of the rest.
"""

from __future__ import annotations

from fastflv import limits
from fastflv.errors import WebSocketHandshakeError
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.protocols.http.h1 import H1
from fastflv.protocols.http.heads import upgrade_head
from fastflv.protocols.http.message import Request
from fastflv.servers.http.websocket import Handshake, RefusedWebSocket, WebSocketConnection, refuse_handshake
from fuzzing.choices import Choices
from fuzzing.standins import Clock, Play, Wire

LINES = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
MASK = b"\1\2\3\4"
SEEDS = (
    b"\0\0" + b"\r\n".join(LINES),
    b"\0\0"
    + b"\r\n".join(
        (*LINES, b"Sec-WebSocket-Protocol: flv, b", b"Sec-WebSocket-Extensions: permessage-deflate")
    ),
    b"\0\1\x89\x80" + MASK + b"\x8a\x82" + MASK + b"ab",
    b"\5\1\x88\x82" + MASK + bytes([3 ^ 1, 0xE8 ^ 2]),
    b"\xff\1\x82\xfe\1\0" + MASK + bytes(256),
    b"\xff\2\x09\x7d" + bytes(125) + b"\x08\2\3\xe8\x01\5hello",
    b"\1\1\1\x88\3\4\2\2\1\3\4\x45\x80",
    b"\7\2\2\3abc\x40\1x\xc0\1y",
)
WORDS = (
    *LINES, b"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Protocol: ", b"\r\n", b"\x89\x80", b"\x88\x80", b"\x82\xff", b"\x7f\xff",
    b"\x81\xfe\xff\xff", b"\xc2\x80", b"\3\xe8", b"\3\xed", b"\xff\xfe", b"\x08\x02",
)  # fmt: skip


def frames(choices: Choices) -> bytes:
    """Masked frames of all kinds; the first byte of each gives the flags and the opcode."""
    wire = bytearray()
    while choices.left:
        head, size = choices.number(), choices.number()
        body = choices.take(size)
        head |= 0x80 if choices.number() & 1 else 0
        length = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2, "big")
        wire += bytes([head & 0xCF]) + length + MASK
        wire += bytes(byte ^ MASK[at % 4] for at, byte in enumerate(body))
    return bytes(wire)


def greeted(fields: bytes = b"\r\n".join(LINES)) -> Handshake | None:
    """The handshake of a request with these fields; None where HTTP or WebSocket refuses it."""
    h1 = H1(Peer("192.0.2.1", "192.0.2.1"))
    h1.feed(b"GET /a.flv HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n")
    request = next(iter(h1.events), None)
    if not isinstance(request, Request):
        return None
    try:
        handshake = Handshake(request)
    except WebSocketHandshakeError as error:
        assert refuse_handshake(error).status in (400, 426)
        return None
    head = upgrade_head("websocket", handshake.fields)
    assert head.startswith(b"HTTP/1.1 101 ") and head.endswith(b"\r\n\r\n")
    assert all(b": " in line for line in head.split(b"\r\n")[1:-2])
    return handshake


def talk(wire: bytes, step: int, *, refused: bool) -> bytes:
    """Return what a connection answers to *wire*."""
    handshake = greeted()
    assert handshake is not None
    clock = Clock()
    transport = Wire()
    connection: RefusedWebSocket | WebSocketConnection
    if refused:
        connection = RefusedWebSocket(clock, handshake.ws, 4404, "no such stream", lambda: None)
        connection.connection_made(transport)
    else:
        connection = WebSocketConnection(
            clock,
            clock,
            QuietSockets(clock),
            handshake.ws,
            Peer("192.0.2.1", "192.0.2.1"),
            lambda reason: None,
            lambda: None,
        )
        connection.connection_made(transport)
        connection.serve(Play(transport))
    for at in range(0, len(wire), step):
        if transport.is_closing():
            break
        connection.data_received(wire[at : at + step])
    connection.connection_lost(None)
    return bytes(transport.written)


def check(data: bytes) -> None:
    if len(data) < 2:
        return
    if data[1] % 3 == 0:
        greeted(data[2:])
        return
    wire = data[2:] if data[1] % 3 == 1 else frames(Choices(data[2:]))
    if len(wire) > limits.WEBSOCKET_SAID_BYTES_MAX:
        return
    talk(wire, data[0] + 1, refused=True)
    answer = talk(wire, len(wire) or 1, refused=False)
    assert answer == talk(wire, data[0] + 1, refused=False)
    closed = False
    while answer:
        # Control frames alone, whole and not masked; none behind a close (RFC 6455, 5.5).
        assert answer[0] in (0x88, 0x89, 0x8A) and answer[1] <= 125 and not closed
        closed = answer[0] == 0x88
        answer = answer[2 + answer[1] :]
