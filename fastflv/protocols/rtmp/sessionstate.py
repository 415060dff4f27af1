"""A server session as plain values, by which another process goes on with the same peer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from fastflv import limits
from fastflv._ext.ingest.chunkstate import reader_state, restore_reader
from fastflv.errors import HandoverError
from fastflv.net.parcel import MALFORMED
from fastflv.protocols.rtmp.messagestream import MessageStream
from fastflv.protocols.rtmp.server import ServerSession
from fastflv.protocols.rtmp.states import StreamState

KINDS = ("fmle", "haivision", "flash")
STEADY = (StreamState.PUBLISHING, StreamState.PLAYING)


class SessionState(TypedDict):
    """A session, for another process."""

    reader: dict[str, Any]
    chunk_size: int
    acks: list[int]
    created: int
    place: list[str]
    streams: list[list[Any]]
    "Id, state, name and kind of each."


def session_state(session: ServerSession) -> SessionState | None:
    """Return *session* as plain values; None while something of it waits: input, an answer, or output."""
    streams = session.streams
    if not session.only_media or session.deferred or any(each.state not in STEADY for each in streams):
        return None
    return {
        "reader": reader_state(session.reader),
        "chunk_size": session.replies.chunk_size,
        "acks": list(session.acks.state()),
        "created": session.created,
        "place": list(session.place),
        "streams": [[each.id, each.state.value, each.name, each.kind] for each in streams],
    }


def restore_session(session: ServerSession, state: Mapping[str, Any]) -> None:
    """Have a new session go on as *state* says. Raises HandoverError: the session is of no use then."""
    try:
        tc_url, app = map(str, state["place"])
        chunk_size, created = int(state["chunk_size"]), int(state["created"])
        streams = [_read_stream(*row) for row in state["streams"]]
        if not 0 < chunk_size <= limits.CHUNK_BYTES_IN_MAX or len(streams) > limits.PUBLISHES_MAX:
            raise HandoverError("an RTMP session has a wrong chunk size, or too many streams")
        session.take_over((tc_url, app), created, streams)
        session.replies.chunk_size = chunk_size
        session.acks.resume(*state["acks"])
        restore_reader(session.reader, state["reader"])
    except MALFORMED as error:
        raise HandoverError(f"an RTMP session cannot be read: {error!r}") from error


def _read_stream(id: int, state: str, name: str, kind: str) -> MessageStream:
    found = StreamState(state)
    if found not in STEADY or kind not in KINDS or not 0 <= id < 1 << 32:
        raise HandoverError(f"message stream {id} is {state}")
    stream = MessageStream(id)
    stream.state = found
    stream.name = str(name)
    stream.kind = kind  # type: ignore[assignment]
    return stream
