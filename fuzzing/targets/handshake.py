"""The RTMP handshake of both sides: in whatever pieces, the same answers and the same end.

The first byte of an input gives the size of the pieces; the second may sign what follows as a client does.
"""

from __future__ import annotations

from fastflv.errors import HandshakeError
from fastflv.protocols.rtmp.handshake import (
    CLIENT_TEXT,
    DIGEST,
    PACKET,
    ClientHandshake,
    Form,
    ServerHandshake,
    digest_at,
    sign,
)

SEEDS = tuple(
    bytes([size, form]) + start + bytes([0, 0, 0, 0, 9, 0, 0x7C, 2]) + bytes(2 * PACKET)
    for form in range(3)
    for size, start in ((0, b"\3"), (255, b"\3"), (200, b"\xf3\0\4\x7f\0\0\1\3"))
)
WORDS = (b"\3", b"\xf3\0\4\1\2\3\4", b"\xf3\xff\xff", b"\x09\0\x7c\2", b"\xff\xff\xff\xff", bytes(1536))
FORMS = (Form.SIMPLE, Form.SCHEMA0, Form.SCHEMA1)


def signed(wire: bytes, form: Form) -> bytes:
    """*wire* with the digest of *form* in its C1, where it has a whole one."""
    c1 = bytearray(wire[1 : 1 + PACKET])
    if form is Form.SIMPLE or len(c1) < PACKET:
        return wire
    at = digest_at(c1, form)
    c1[at : at + DIGEST] = sign(CLIENT_TEXT, c1, at)
    return wire[:1] + bytes(c1) + wire[1 + PACKET :]


def run(side: ServerHandshake | ClientHandshake, wire: bytes, step: int) -> tuple[int, bytes, bool, bool]:
    """Return bytes used, the output, whether it is done, and whether the peer was refused."""
    used, output = 0, b""
    try:
        for at in range(0, len(wire), step):
            used += side.receive(wire[at : at + step])
            output += side.take_output()
    except HandshakeError:
        return 0, b"", side.done, True
    return used, output, side.done, False


def check(data: bytes) -> None:
    if len(data) < 2:
        return
    form = FORMS[data[1] % 3]
    wire = signed(data[2:], form)
    for side in (ServerHandshake, ClientHandshake):
        whole = side(bytes)
        found = run(whole, wire, len(wire) or 1)
        assert found == run(side(bytes), wire, data[0] + 1)
        assert 0 <= found[0] <= len(wire)
        assert len(found[1]) <= 1 + 2 * PACKET
        if side is ServerHandshake and form is not Form.SIMPLE and wire[:1] == b"\3" and len(wire) > PACKET:
            assert whole.form is not None
