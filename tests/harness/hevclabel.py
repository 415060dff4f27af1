"""HEVC tags under their two labels. Written for tests, apart from the server's own code."""

from __future__ import annotations

from flvread import VIDEO, Tag


def legacy_hevc(tag: Tag) -> Tag | None:
    """Enhanced HEVC as codec id 12, the form of many encoders before Enhanced RTMP."""
    if tag.kind != VIDEO:
        return tag
    packet, frame = tag.body[0] & 15, (tag.body[0] >> 4) & 7
    if packet == 4:  # colour information: there is no legacy form of it
        return None
    cts = tag.body[5:8] if packet == 1 else bytes(3)
    rest = tag.body[8:] if packet == 1 else tag.body[5:]
    return tag._replace(body=bytes([frame << 4 | 12, {0: 0, 1: 1, 2: 2, 3: 1}[packet]]) + cts + rest)


def enhanced_hevc(tag: Tag) -> Tag:
    """HEVC with codec id 12 as FourCC `hvc1`."""
    if tag.kind != VIDEO:
        return tag
    frame, packet = tag.body[0] >> 4, tag.body[1]
    return tag._replace(
        body=bytes([0x80 | frame << 4 | packet]) + b"hvc1" + (tag.body[2:] if packet == 1 else tag.body[5:])
    )
