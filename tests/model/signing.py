"""The digests of the RTMP handshake, written out: HMAC from its definition, offsets by counting."""

from __future__ import annotations

import hashlib

TAIL = bytes.fromhex("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae")
PLAYER = b"Genuine Adobe Flash Player 001" + TAIL
SERVER = b"Genuine Adobe Flash Media Server 001" + TAIL


def hmac_sha256(key: bytes, text: bytes) -> bytes:
    """RFC 2104."""
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    key = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + text).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).digest()


def place(packet: bytes, schema: int) -> int:
    """Offset of the digest: schema 0 has 764 bytes of key in front of the digest block, schema 1 behind it."""
    block = 8 if schema == 1 else 772
    shift = packet[block] + packet[block + 1] + packet[block + 2] + packet[block + 3]
    while shift >= 728:
        shift -= 728
    return block + 4 + shift


def digest(packet: bytes, schema: int, key: bytes) -> bytes:
    at = place(packet, schema)
    return hmac_sha256(key, packet[:at] + packet[at + 32 :])


def holds(packet: bytes, schema: int, key: bytes) -> bool:
    at = place(packet, schema)
    return packet[at : at + 32] == digest(packet, schema, key)


def signed_c1(packet: bytes, schema: int) -> bytes:
    at = place(packet, schema)
    return packet[:at] + digest(packet, schema, PLAYER[:30]) + packet[at + 32 :]


def s2_holds(s2: bytes, c1: bytes, schema: int) -> bool:
    at = place(c1, schema)
    key = hmac_sha256(SERVER, c1[at : at + 32])
    return s2[1504:] == hmac_sha256(key, s2[:1504])
