"""The form of what one process hands to another: two versions that agree on it hand over whole streams."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Final

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkstate import reader_state
from fastflv.access.request import AccessRequest
from fastflv.containers.variant import Variant
from fastflv.net.peer import Peer
from fastflv.protocols.rtmp.events import PlayWanted, PublishWanted
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions
from fastflv.stream.streamstate import stream_state

FORMAT: Final = 1
"Raised where the meaning of a value changes, or a value whose name `form` does not see."

RECORDS: Final = (AccessRequest, Peer, PlayWanted, PublishWanted, Variant)


@cache
def form() -> str:
    """Return FORMAT with a digest of the names of all values: a field more makes another form."""
    stream = Stream(StreamName("", "", ""), StreamOptions(), id="", now_ms=0)
    stream.open(Variant("ts"))
    states = {"stream": stream_state(stream), "reader": reader_state(ChunkReader())}
    records = {record.__name__: {each.name: 0 for each in fields(record)} for record in RECORDS}
    names = "\n".join((*_names(states), *_names(records)))
    return f"{FORMAT}.{hashlib.sha256(names.encode()).hexdigest()[:12]}"


def _names(values: object, path: str = "") -> Iterator[str]:
    rows = (
        values.items()
        if isinstance(values, Mapping)
        else enumerate(values)
        if isinstance(values, list)
        else ()
    )
    for name, each in rows:
        yield f"{path}/{name}"
        yield from _names(each, f"{path}/{name}")
