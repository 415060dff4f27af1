"""The first message of a TLS client, as far as its length: a handshake is begun when all of it is there.

Spec: RFC 8446, 4 (handshake header) and 5.1 (record header); TLS 1.2 has the same.
"""

from __future__ import annotations

from typing import Final

from fastflv import limits
from fastflv.errors import TlsHandshakeError

RECORD_BYTES: Final = 5
"Header of a record: type, version, length."
HANDSHAKE: Final = 22
"Type of its records."
MESSAGE_BYTES: Final = 4
"Header of a message: type, length."
CLIENT_HELLO: Final = 1
BODY_BYTES_MAX: Final = 1 << 14


def wanted(data: bytes) -> int:
    """Return how many bytes from the start must be there to go on; no more than *data* has when nothing is missing.

    That is so when the message is whole, and when the bytes are none: TLS says to their sender what is wrong.
    Raises TlsHandshakeError for a message in pieces that no client makes.
    """
    body = b""
    at = 0
    for _ in range(limits.HELLO_RECORDS_MAX):
        if len(data) < at + RECORD_BYTES:
            return at + RECORD_BYTES
        size = int.from_bytes(data[at + 3 : at + RECORD_BYTES])
        if data[at] != HANDSHAKE or not 0 < size <= BODY_BYTES_MAX:
            return 0
        end = at + RECORD_BYTES + size
        if len(data) < end:
            return end
        body += data[at + RECORD_BYTES : end]
        at = end
        if body[0] != CLIENT_HELLO or len(body) > limits.HELLO_BYTES_MAX:
            return 0
        if len(body) >= MESSAGE_BYTES and len(body) >= MESSAGE_BYTES + int.from_bytes(body[1:MESSAGE_BYTES]):
            return 0
    raise TlsHandshakeError(f"a ClientHello in more than {limits.HELLO_RECORDS_MAX} records", offset=at)
