from typing_extensions import Buffer

def make_tag(kind: int, dts_ms: int, body: Buffer) -> bytes:
    """Return one FLV tag with its back pointer as bytes. *dts_ms* is taken modulo 2**31."""

def traits(kind: int, body: Buffer) -> tuple[int, int, int]:
    """Return `(flags, codec, track)`; flags: 1 key, 2 disposable, 4 configuration, 8 command."""

def payload(kind: int, body: Buffer) -> tuple[int, int, int, int, bytes] | None:
    """Return `(codec, frame, packet, cts_ms, data)` of the default track, None when it has none."""
