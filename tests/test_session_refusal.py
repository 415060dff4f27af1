"""What the peers of a session may not say: commands out of order, too much of anything, and hostile bytes."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.client import FLOWS, Client, heard
from model.owner import NOISE, Owner

from fastflv import limits
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.errors import (
    AmfError,
    ChunkError,
    CommandError,
    CommandOrderError,
    HandshakeError,
    MessageBudgetError,
    PeerError,
)
from fastflv.media.amf import amf0
from fastflv.media.amf.values import UNDEFINED
from fastflv.protocols.rtmp.events import PlayWanted
from fastflv.protocols.rtmp.server import ServerSession


def test_held_input_is_bounded():
    session = ServerSession(noise=NOISE)
    session.receive(Client().connect().wire())
    assert session.room == limits.HELD_BYTES_MAX
    session.receive(bytes(limits.HELD_BYTES_MAX))
    assert session.room == 0
    with pytest.raises(CommandOrderError, match="before the answer"):
        session.receive(b"x")


@pytest.mark.parametrize(
    ("stream_id", "taken"), [(limits.MESSAGE_STREAM_MAX, True), (limits.MESSAGE_STREAM_MAX + 1, False)]
)
def test_a_play_on_a_message_stream_that_nobody_gave_out_is_refused(stream_id, taken):
    client = Client().connect().call("play", 0, None, "room", stream_id=stream_id)
    owner = Owner()
    with nullcontext() if taken else pytest.raises(CommandError, match="message stream"):
        owner.feed(client.wire())
    assert (PlayWanted in owner.kinds()) == taken


REFUSED = {
    "publish before connect": (lambda: Client().flash_publish(), CommandOrderError),
    "unknown call before connect": (lambda: Client().call("hello", 1), CommandOrderError),
    "connect twice": (lambda: Client().connect().connect(), CommandOrderError),
    "play while publishing": (lambda: Client().connect().flash_publish().play(), CommandOrderError),
    "publish while playing": (lambda: Client().connect().play().flash_publish(), CommandOrderError),
    "publish without a name": (
        lambda: Client().connect().call("publish", 1, None, stream_id=1),
        CommandError,
    ),
    "publish false at once": (lambda: Client().connect().call("publish", 1, None, False), CommandError),
    "play of a number": (lambda: Client().connect().call("play", 1, None, 5.0, stream_id=1), CommandError),
    "a name with dots": (lambda: Client().connect().flash_publish("../x"), CommandError),
    "a long name": (lambda: Client().connect().flash_publish("x" * 2000), CommandError),
    "connect without an object": (lambda: Client().call("connect", 1), CommandError),
    "a command without a name": (lambda: Client().send(20, b"\5"), CommandError),
    "a command cut short": (lambda: Client().send(20, b"\2\0\7conn"), AmfError),
    "a command too long": (lambda: Client().send(20, bytes(limits.COMMAND_BYTES_MAX + 1)), CommandError),
    "a short user control message": (lambda: Client().send(4, b"\0\6\0", 2), CommandError),
    "a short window": (lambda: Client().send(5, b"\0", 2), CommandError),
    "chunk size 0": (lambda: Client().send(1, bytes(4), 2), ChunkError),
}


@pytest.mark.parametrize(("client", "error"), REFUSED.values(), ids=REFUSED)
def test_what_a_peer_may_not_say_is_refused(client, error):
    wire = client().wire()
    with pytest.raises(error):
        Owner().feed(wire)
    with pytest.raises(error):
        Owner().feed(*(wire[n : n + 1] for n in range(len(wire))))


def told(client: Client) -> list[tuple]:
    """What the session says before it raises: commands alone."""
    owner = Owner()
    with pytest.raises(PeerError) as raised:
        owner.feed(client.wire())
    said = heard(owner.output + owner.session.take_output())
    return [
        (*each[:-1], each[-1] | {"why": each[-1]["description"] == raised.value.detail}) for each in said[-1:]
    ]


CONNECT_FAILED = "NetConnection.Connect.Rejected"
CALL_FAILED = "NetConnection.Call.Failed"
TOLD = {
    "connect without an object": (lambda: Client().call("connect", 1), ("_error", 1.0, CONNECT_FAILED)),
    "connect with a bad app": (lambda: Client().connect(app="a/../b"), ("_error", 1.0, CONNECT_FAILED)),
    "connect with a long tcUrl": (
        lambda: Client().connect("rtmp://h/" + "x" * limits.TC_URL_CHARS_MAX),
        ("_error", 1.0, CONNECT_FAILED),
    ),
    "connect twice": (lambda: Client().connect().connect(), ("_error", 1.0, CONNECT_FAILED)),
    "connect cut short": (
        lambda: Client().send(20, amf0.encode("connect", 1.0, {"app": "live"})[:-5]),
        ("_error", 1.0, CONNECT_FAILED),
    ),
    "publish before connect": (
        lambda: Client().call("publish", 5, None, "room", stream_id=1),
        ("onStatus", 1, "NetStream.Publish.BadName"),
    ),
    "publish without a name": (
        lambda: Client().connect().call("publish", 0, None, stream_id=1),
        ("onStatus", 1, "NetStream.Publish.BadName"),
    ),
    "publish of a bad name": (
        lambda: Client().connect().flash_publish("../x", 2),
        ("onStatus", 2, "NetStream.Publish.BadName"),
    ),
    "publish while playing": (
        lambda: Client().connect().play().flash_publish(),
        ("onStatus", 1, "NetStream.Publish.BadName"),
    ),
    "publish over AMF 3": (
        lambda: Client().connect().call("publish", 0, None, "../x", stream_id=1, kind=17),
        ("onStatus", 1, "NetStream.Publish.BadName"),
    ),
    "play of a long name": (
        lambda: Client().connect().play("x" * 2000),
        ("onStatus", 1, "NetStream.Play.Failed"),
    ),
    "play of a number": (
        lambda: Client().connect().call("play", 4, None, 5.0, stream_id=1),
        ("onStatus", 1, "NetStream.Play.Failed"),
    ),
    "play while publishing": (
        lambda: Client().connect().flash_publish().play(),
        ("onStatus", 1, "NetStream.Play.Failed"),
    ),
    "a call before connect": (lambda: Client().call("createStream", 7), ("_error", 7.0, CALL_FAILED)),
    "a call that nobody waits for": (lambda: Client().call("hello", 0), ("onStatus", 0, CALL_FAILED)),
    "a call cut short": (
        lambda: Client().connect().send(20, amf0.encode("createStream", 3.0, "x" * 20)[:-1]),
        ("_error", 3.0, CALL_FAILED),
    ),
    "a call too long": (
        lambda: Client(0xFFFFFF).connect().call("hello", 9, "x" * limits.COMMAND_BYTES_MAX),
        ("_error", 9.0, CALL_FAILED),
    ),
    "a command without a name": (
        lambda: Client().connect().send(20, b"\5", stream_id=3),
        ("onStatus", 3, CALL_FAILED),
    ),
    "a short user control message": (
        lambda: Client().connect().send(4, b"\0\6\0", 2),
        ("onStatus", 0, "NetConnection.Connect.Closed"),
    ),
}


@pytest.mark.parametrize(("client", "answer"), TOLD.values(), ids=TOLD)
def test_a_peer_is_told_why_its_command_ends_the_connection(client, answer):
    ((name, stream_id, transaction, nothing, info),) = told(client())
    assert nothing is None and info["level"] == "error" and info["why"]
    assert (name, transaction if name == "_error" else stream_id, info["code"]) == answer


def test_a_peer_that_talks_too_much_is_told_so():
    client = Client(0xFFFFFF).connect()
    for number in range(limits.NONMEDIA_MESSAGES_MAX):
        client.call("hello", number + 2)
    ((name, _, transaction, _, info),) = told(client)
    assert (name, transaction, info["code"]) == ("_error", limits.NONMEDIA_MESSAGES_MAX + 1, CALL_FAILED)
    assert "messages besides media" in info["description"]


def test_a_connection_that_is_not_rtmp_is_refused_at_its_first_byte():
    with pytest.raises(HandshakeError):
        Owner().feed(b"G")


PONG = b"\0\7\0\0\0\0"


def repeated(kind: int, payload: bytes, times: int) -> bytes:
    """A message, again and again, in whole chunks."""
    return write_message(kind, 0, 1, 4, payload, 0xFFFFFF) * times


def talking() -> Owner:
    """A publisher that has said nothing within the present span."""
    owner = Owner().feed(Client(0xFFFFFF).connect().flash_publish().wire())
    owner.session.now = 100.0
    return owner


def test_messages_besides_media_are_bounded():
    owner = talking()
    for _ in range(2):
        owner.session.now += limits.NONMEDIA_SECONDS
        owner.feed(repeated(4, PONG, limits.NONMEDIA_MESSAGES_MAX))
        owner.feed(repeated(9, b"\x27\1\0\0\0x", limits.NONMEDIA_MESSAGES_MAX))
    with pytest.raises(MessageBudgetError, match="messages besides media"):
        owner.feed(repeated(4, PONG, 1))


def test_bytes_besides_media_are_bounded():
    owner, body = talking(), amf0.encode("onCaption", "x" * 60_000)
    fits = limits.NONMEDIA_BYTES_MAX // len(body)
    for _ in range(2):
        owner.session.now += limits.NONMEDIA_SECONDS
        owner.feed(repeated(18, body, fits))
    with pytest.raises(MessageBudgetError, match="bytes besides media"):
        owner.feed(repeated(18, body, 1))


# --- hostile peers --------------------------------------------------------------------------------


def survives(wire: bytes, places=()) -> None:
    """Whatever bytes arrive, the session answers with events or a PeerError."""
    owner = Owner()
    try:
        for a, b in pairwise([0, *sorted(min(p, len(wire)) for p in places), len(wire)]):
            owner.feed(wire[a:b])
    except PeerError:
        return
    heard(owner.output) if len(owner.output) >= 3073 else None


STARTS = {
    "nothing": lambda: Client().encoder.wire[:0],
    "a handshake": lambda: Client().wire(),
    "a connect": lambda: Client().connect().wire(),
    "a publish": lambda: Client().connect().fmle_publish().wire(),
    "a play": lambda: Client().connect().play().wire(),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@settings(deadline=None)
@given(tail=st.binary(max_size=300), places=st.lists(st.integers(0, 5000), max_size=3))
def test_any_bytes_behind_a_start_give_events_or_a_peer_error(start, tail, places):
    survives(bytes(start()) + tail, places)


VALUES = st.recursive(
    st.floats() | st.booleans() | st.text(max_size=9) | st.none() | st.just(UNDEFINED),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *("connect", "createStream", "releaseStream", "FCPublish", "publish", "FCUnpublish", "deleteStream"),
        *("closeStream", "play", "pause", "pauseRaw", "receiveAudio", "receiveVideo", "seek", "_result", "x"),
        *("getStreamLength", "_checkbw", "@setDataFrame", "onMetaData"),
    ]
)
CALLS = st.tuples(
    st.sampled_from([20, 20, 20, 17, 18, 15, 4, 5]),
    NAMES | st.text(max_size=5),
    st.lists(st.sampled_from([0.0, 1.0, 2.0, None, "room", True, False]) | VALUES, max_size=5),
    st.integers(0, 2),
)


@settings(deadline=None, max_examples=300)
@given(st.booleans(), st.lists(CALLS, max_size=8), st.lists(st.integers(0, 5000), max_size=3))
def test_any_commands_give_events_or_a_peer_error(connected, calls, places):
    client = Client()
    if connected:
        client.connect()
    for kind, name, arguments, stream_id in calls:
        client.send(kind, amf0.encode(name, *arguments), 3, stream_id)
    survives(client.wire(), places)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(list(FLOWS)), st.data())
def test_a_flow_with_changed_bytes_gives_events_or_a_peer_error(name, data):
    wire = bytearray(FLOWS[name]().wire())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(3073, len(wire)))
        wire[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    survives(bytes(wire))
