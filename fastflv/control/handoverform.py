"""The form of what one process hands to another: two versions that agree on it hand over whole streams."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Final

from fastflv._ext.fanout.handover import player_form
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkstate import reader_state
from fastflv._ext.ingest.tagread import TagReader
from fastflv._ext.ingest.tagstate import tags_state
from fastflv.access.request import AccessRequest
from fastflv.containers.variant import Variant
from fastflv.control.handover import ServerState
from fastflv.net.peer import Peer
from fastflv.playing.threadplayer import PlayerAt
from fastflv.protocols.rtmp.events import PlayWanted, PublishWanted
from fastflv.protocols.rtmp.sessionstate import SessionState
from fastflv.servers.http import handover as http
from fastflv.servers.http import publishhandover as push
from fastflv.servers.push.intake import IntakeState
from fastflv.servers.rtmp import handover as rtmp
from fastflv.servers.rtmp.play import PlayState
from fastflv.stream.lag import Steps
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions
from fastflv.stream.streamstate import stream_state

FORMAT: Final = 3
"Raised where the meaning of a value changes, or a value whose name `form` does not see."

RECORDS: Final = (AccessRequest, Peer, PlayWanted, PublishWanted, Variant)
"Dataclasses whose fields are handed over."

STATES: Final = (
    ServerState,
    http.PlayState,
    http.IdleState,
    push.PushState,
    push.HeadState,
    IntakeState,
    PlayerAt,
    Steps,
    PlayState,
    SessionState,
    rtmp.ConnectionState,
    rtmp.PublishState,
)
"What Python code gives by name: each value has a type, which belongs to the form."


@cache
def form() -> str:
    """Return FORMAT with a digest of the names of all values: a field more makes another form."""
    names = "\n".join(shape())
    return f"{FORMAT}.{hashlib.sha256(names.encode()).hexdigest()[:12]}"


def shape() -> list[str]:
    """Return a line for each value that is handed over."""
    stream = Stream(StreamName("", "", ""), StreamOptions(), id="", now_ms=0)
    stream.open(Variant("ts"))
    # Of what compiled code gives, one that was made.
    made = {"stream": stream_state(stream), "reader": reader_state(ChunkReader()), "player": player_form()}
    made["tags"] = tags_state(TagReader())
    records = {record.__name__: {each.name: each.type for each in fields(record)} for record in RECORDS}
    states = {
        f"{state.__module__}.{state.__name__}": {
            name: _type(hint) for name, hint in state.__annotations__.items()
        }
        for state in STATES
    }
    return [*_names(made), *_names(records), *_names(states)]


def _type(hint: Any) -> str:
    """Return an annotation as it is written: the same under each version of Python."""
    return str(getattr(hint, "__forward_arg__", hint))


def _names(values: object, path: str = "") -> Iterator[str]:
    rows = (
        values.items()
        if isinstance(values, Mapping)
        else enumerate(values)
        if isinstance(values, list)
        else ()
    )
    for name, each in rows:
        yield f"{path}/{name}: {each}" if isinstance(each, str) and each else f"{path}/{name}"
        yield from _names(each, f"{path}/{name}")
