"""A stream as plain values, by which another process goes on with it: logs, writer, and what its players were told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from fastflv import limits
from fastflv._ext.ingest.writerstate import restore_writer, writer_state
from fastflv._ext.log.logstate import log_state, restore_log
from fastflv._ext.log.paststate import give_page, pages_before, places_state, restore_places
from fastflv.access.request import AccessRequest, Action, Role
from fastflv.containers.variant import PLAIN, HevcLabel, Variant
from fastflv.errors import AmfError, HandoverError
from fastflv.net.parcel import MALFORMED, read_record
from fastflv.net.peer import Peer
from fastflv.stream.name import StreamName
from fastflv.stream.outlets import CONTAINERS, Outlet
from fastflv.stream.stream import Stream

TAG_BYTES_MIN = {"flv": 15, "ts": 188}
"Shortest entry of a log, by its container; 1 for others."

State = dict[str, Any]


def stream_state(stream: Stream) -> State:
    """Return *stream* as plain values. All that its publisher sent is written and published by then."""
    writer = writer_state(stream.writer)
    # A remux that holds something back publishes it with its state.
    outlets = [_outlet_state(outlet) for outlet in stream.outlets]
    return {
        "name": list(stream.name),
        "id": stream.id,
        "told": stream.state(),
        "publisher": request_state(stream.publisher) if stream.publisher is not None else None,
        "writer": writer,
        "past": places_state(stream.log),
        "outlets": outlets,
    }


def past_pages(stream: Stream, stop: int, most: int) -> list[State]:
    """Return pages of the past before the log position *stop*, newest first, some *most* bytes: for who has its state."""
    return pages_before(stream.log, stop, most)


def take_past(stream: Stream, pages: Iterable[State]) -> bool:
    """Take pages of the past of a stream that was restored; return whether older ones are wanted. Raises HandoverError."""
    try:
        return all([give_page(stream.log, page, TAG_BYTES_MIN["flv"]) for page in pages])
    except MALFORMED as error:
        raise HandoverError(f"the past of {stream.url} cannot be read: {error!r}") from error


def name_of(state: State) -> StreamName:
    """Return the name in the state of a stream. Raises HandoverError."""
    words = state["name"]
    if len(words) != len(StreamName._fields) or not all(isinstance(word, str) for word in words):
        raise HandoverError("the name of a stream is wrong")
    return StreamName(*words)


def restore_stream(stream: Stream, state: State) -> None:
    """Have a new stream go on as *state* says. Raises HandoverError: the stream is of no use then."""
    try:
        if read_variant(state["outlets"][0]["variant"]) != PLAIN:
            raise HandoverError(f"{stream.url} has no log")
        restore_log(stream.log, state["outlets"][0]["log"], TAG_BYTES_MIN["flv"])
        restore_places(stream.log, state["past"])
        restore_writer(stream.writer, state["writer"])
        stream.publisher = read_request(state["publisher"]) if state["publisher"] is not None else None
        for each in state["outlets"][1:]:
            _restore_outlet(stream, each)
        stream.resume(state["told"])
    except (AmfError, *MALFORMED) as error:
        raise HandoverError(f"{stream.url} cannot be read: {error!r}") from error


def _outlet_state(outlet: Outlet) -> State:
    remux = outlet.remux.state() if outlet.remux is not None else {}
    return {"variant": asdict(outlet.variant), "log": log_state(outlet.log), "remux": remux}


def _restore_outlet(stream: Stream, state: State) -> None:
    variant = read_variant(state["variant"])
    log = stream.new_log(variant)
    restore_log(log, state["log"], TAG_BYTES_MIN.get(variant.container, 1))
    stream.outlets.resume(variant, log, state["remux"])


def read_variant(values: object) -> Variant:
    """Raises HandoverError."""
    label = values.get("hevc") if isinstance(values, dict) else None
    try:
        variant = read_record(Variant, values, hevc=HevcLabel(int(label or 0)))
    except ValueError as error:
        raise HandoverError(f"a label of HEVC is {label!r}") from error
    if variant.container not in CONTAINERS or not 0 <= variant.stream_id <= limits.MESSAGE_STREAM_MAX:
        raise HandoverError(f"a player reads {variant}")
    if variant.container == "rtmp" and not 0 < variant.chunk_size <= limits.CHUNK_BYTES_IN_MAX:
        raise HandoverError(f"a player reads {variant}")
    return variant


def request_state(request: AccessRequest) -> State:
    return {**asdict(request), "action": request.action.value, "role": request.role.value}


def read_request(values: object) -> AccessRequest:
    """Raises HandoverError."""
    if not isinstance(values, dict):
        raise HandoverError("a request is no object")
    peer = read_record(Peer, values.get("peer"))
    try:
        action, role = Action(values.get("action")), Role(values.get("role"))
    except ValueError as error:
        raise HandoverError(f"a request is to {values.get('action')!r} as {values.get('role')!r}") from error
    return read_record(AccessRequest, values, action=action, peer=peer, role=role)
