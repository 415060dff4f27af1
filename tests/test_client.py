"""The RTMP session of a client: against the server session at any cut, and against servers of other habits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.chunks import Encoder, Message
from model.client import heard
from model.owner import NOISE, Owner

from fastflv import limits
from fastflv._ext.ingest.sink import CollectSink
from fastflv.errors import CommandError, HandshakeError, MessageBudgetError, PeerError, UsageError
from fastflv.media.amf import amf0
from fastflv.protocols.rtmp import commands
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import Connected, Ended, Failed, Redirected, Started, Status
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.protocols.rtmp.events import DataArrived, PlayWanted, PublishWanted, Unpublished
from fastflv.protocols.rtmp.states import CLIENT, CLIENT_STREAM, ClientState, ClientStreamState

ARGUMENTS = ConnectArguments(tc_url="rtmp://192.0.2.7/live", app="live")
AUDIO, VIDEO, SCRIPT = 8, 9, 18


def new(**more) -> ClientSession:
    return ClientSession(ARGUMENTS, noise=NOISE, **more)


class Link:
    """A client and a server session, and the bytes between them in pieces of any size."""

    def __init__(self, client: ClientSession, owner: Owner, step: int = 1 << 20) -> None:
        self.client, self.owner, self.step = client, owner, step
        self.events: list = []
        self.sent = 0
        "Bytes of the owner's output that were handed over."

    def run(self) -> Link:
        """Exchange bytes until both are silent."""
        while True:
            up = self.client.take_output()
            for at in range(0, len(up), self.step):
                self.owner.feed(up[at : at + self.step])
            down = self.owner.output[self.sent :]
            self.sent += len(down)
            for at in range(0, len(down), self.step):
                self.events += self.client.receive(down[at : at + self.step])
            if not up and not down:
                return self


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_a_publish_starts_and_its_media_arrives(step):
    client, owner = new(), Owner()
    client.publish("room?key=k")
    link = Link(client, owner, step).run()
    assert link.events == [Connected((), 0), Started(1, "room?key=k")]
    wanted = owner.events[1]
    assert isinstance(wanted, PublishWanted)
    assert (wanted.stream, wanted.param, wanted.kind) == ("room", "?key=k", "fmle")
    body = amf0.encode("onMetaData", {"width": 1.0})
    owner.feed(
        client.write_media(1, SCRIPT, 0, body),
        client.write_media(1, VIDEO, (1 << 32) + 5, bytes(70_000)),
        client.write_media(1, AUDIO, 6, memoryview(b"a")),
        client.write_media(1, SCRIPT, 7, amf0.encode("onCue", 1.0)),
    )
    assert owner.sink.messages == [(VIDEO, 5, bytes(70_000)), (AUDIO, 6, b"a")]
    assert owner.events[2:] == [
        DataArrived(0, body, "onMetaData", 1),
        DataArrived(7, amf0.encode("onCue", 1.0), "onCue", 1),
    ]
    client.delete(1)
    link.run()
    assert owner.events[-1] == Unpublished(1, "FCUnpublish")
    assert link.events[2:] == [Status(1, "NetStream.Unpublish.Success", "Stop publishing stream.", "status")]
    with pytest.raises(UsageError):
        client.write_media(1, AUDIO, 0, b"")


def test_a_client_announces_its_chunk_size_before_connect():
    client, owner = new(chunk_size=4096), Owner()
    Link(client, owner).run()
    assert (client.chunk_size, owner.session.reader.chunk_size) == (4096, 4096)
    assert client.reader.chunk_size == limits.CHUNK_BYTES_OUT


def test_several_publishes_share_a_connection():
    client, owner = new(), Owner()
    client.publish("a")
    link = Link(client, owner).run()
    client.publish("b")
    client.publish("c")
    link.run()
    assert link.events[1:] == [Started(1, "a"), Started(2, "b"), Started(3, "c")]
    for stream_id in (1, 2, 3):
        owner.feed(client.write_media(stream_id, VIDEO, 0, bytes([stream_id])))
    client.delete(2)
    client.delete(9)
    link.run()
    assert owner.events[-1] == Unpublished(2, "FCUnpublish")
    owner.feed(client.write_media(3, VIDEO, 1, b"more"))
    assert {n: [body for *_, body in sink.messages] for n, sink in owner.sinks.items()} == {
        1: [b"\1"],
        2: [b"\2"],
        3: [b"\3", b"more"],
    }


def test_streams_of_a_connection_are_bounded():
    client = new()
    for n in range(limits.PUBLISHES_MAX):
        client.publish(str(n))
    with pytest.raises(UsageError, match="streams"):
        client.play("more", CollectSink())


# --- a server made by hand ---


class Scripted:
    """A server that answers as the test says; its chunks come from the slow model."""

    def __init__(self, client: ClientSession) -> None:
        self.client = client
        self.encoder = Encoder()
        self.output = client.take_output()
        self.events = client.receive(b"\3" + bytes(3072))
        self.output += client.take_output()

    def send(self, kind: int, payload: bytes, stream_id: int = 0, timestamp: int = 0) -> list:
        self.encoder.write(Message(kind, timestamp, stream_id, 3, payload))
        wire = bytes(self.encoder.wire)
        self.encoder.wire.clear()
        found = self.client.receive(wire)
        self.output += self.client.take_output()
        return found

    def call(self, *values, stream_id: int = 0) -> list:
        return self.send(20, amf0.encode(*values), stream_id)

    def status(self, code: str, level: str = "status", stream_id: int = 1, **more) -> list:
        info = {"level": level, "code": code, "description": "why", **more}
        return self.call("onStatus", 0.0, None, info, stream_id=stream_id)

    def said(self) -> list:
        return heard(self.output)

    def playing(self, stream_id: int = 1) -> Scripted:
        """Up to the answer of createStream."""
        self.call("_result", 1.0, None, {})
        self.call("_result", 2.0, None, float(stream_id))
        return self


def player() -> tuple[Scripted, CollectSink]:
    client, sink = new(), CollectSink()
    client.play("room", sink)
    return Scripted(client), sink


def test_a_play_gets_media_in_the_order_of_the_wire():
    server, sink = player()
    server.playing(5)
    assert [item[:2] for item in server.said()[1:]] == [
        ("connect", 0),
        ("createStream", 0),
        ("play", 5),
        (4, (3).to_bytes(2, "big") + (5).to_bytes(4, "big") + limits.PLAY_BUFFER_MS.to_bytes(4, "big")),
    ]
    assert server.status("NetStream.Play.Reset", stream_id=5)[0].code == "NetStream.Play.Reset"
    assert server.status("NetStream.Play.Start", stream_id=5) == [Started(5, "room")]
    server.client.on_data = lambda data: sink.messages.append((SCRIPT, data.timestamp, data.payload))
    body = amf0.encode("onMetaData", {})
    wire = Encoder()
    for kind, payload in ((SCRIPT, body), (VIDEO, b"v"), (SCRIPT, amf0.encode("|RtmpSampleAccess", True))):
        wire.write(Message(kind, 7, 5, 3, payload))
    wire.write(Message(VIDEO, 8, 6, 3, b"another stream"))
    wire.write(Message(AUDIO, 9, 5, 3, b"a"))
    assert server.client.receive(bytes(wire.wire)) == []
    assert sink.messages == [(SCRIPT, 7, body), (VIDEO, 7, b"v"), (AUDIO, 9, b"a")]


@pytest.mark.parametrize(
    "end",
    [
        lambda server: server.status("NetStream.Play.UnpublishNotify"),
        lambda server: server.status("NetStream.Play.Stop"),
        lambda server: server.send(4, b"\0\1\0\0\0\1"),
        lambda server: server.send(
            18, amf0.encode("onPlayStatus", {"level": "status", "code": "NetStream.Play.Complete"}), 1
        ),
    ],
    ids=["UnpublishNotify", "Stop", "StreamEOF", "onPlayStatus"],
)
def test_the_end_of_a_play_is_reported_once_and_it_may_start_again(end):
    server, sink = player()
    server.playing()
    server.status("NetStream.Play.Start")
    assert end(server) == [Ended(1, "room")]
    assert Ended not in [type(event) for event in end(server)]
    assert server.status("NetStream.Play.PublishNotify") == [Started(1, "room")]
    server.send(VIDEO, b"v", 1)
    assert [body for *_, body in sink.messages] == [b"v"]


def test_a_refused_connect_is_reported():
    server, _ = player()
    info = {"level": "error", "code": "NetConnection.Connect.Rejected", "description": "no\napp"}
    assert server.call("_error", 1.0, None, info) == [
        Failed(0, "", "NetConnection.Connect.Rejected", "noapp")
    ]
    assert server.client.state is ClientState.REFUSED
    assert server.call("_result", 1.0, None, {}) == []


def test_a_refused_stream_is_reported_and_forgotten():
    server, sink = player()
    server.playing()
    assert server.status("NetStream.Play.StreamNotFound", "error") == [
        Failed(1, "room", "NetStream.Play.StreamNotFound", "why")
    ]
    server.send(VIDEO, b"v", 1)
    assert sink.messages == [] and server.client.reader.dropped == 1
    server.client.play("again", sink)
    assert server.client.take_output()


def test_a_status_on_stream_0_belongs_to_the_only_stream():
    server, _ = player()
    server.playing()
    assert server.status("NetStream.Play.Start", stream_id=0) == [Started(1, "room")]


def test_a_stream_that_is_not_created_has_failed():
    server, _ = player()
    server.call("_result", 1.0, None, {})
    assert server.call("_error", 2.0, None, {"code": "x"}) == [Failed(0, "room", "x", "")]


@pytest.mark.parametrize("id", [0.0, -1.0, 1.5, float("inf"), 2.0**32, None, "1"])
def test_a_message_stream_that_cannot_be_is_refused(id):
    server, _ = player()
    server.call("_result", 1.0, None, {})
    with pytest.raises(CommandError, match="message stream"):
        server.call("_result", 2.0, None, id)


REDIRECTS = {
    "both": (
        {"code": 302.0, "redirect": "rtmp://other/app", "redirect2": "rtmp://other/app/x?k=v"},
        "rtmp://other/app/x?k=v",
    ),
    "the tcUrl": ({"code": 302.0, "redirect": "rtmp://other/app"}, "rtmp://other/app/room"),
    "a query": ({"code": 302.0, "redirect": "rtmp://other/app?vhost=v"}, "rtmp://other/app/room?vhost=v"),
    "another code": ({"code": 301.0, "redirect": "rtmp://other/app"}, ""),
    "no address": ({"code": 302.0}, ""),
    "too long": ({"code": 302.0, "redirect2": "rtmp://" + "h" * limits.TC_URL_CHARS_MAX}, ""),
    "a control character": ({"code": 302.0, "redirect2": "rtmp://other/app/\r\nx"}, ""),
    "no object": (5.0, ""),
}


@pytest.mark.parametrize(("ex", "url"), REDIRECTS.values(), ids=REDIRECTS)
def test_a_redirect_names_the_other_server(ex, url):
    server, _ = player()
    server.playing()
    (event,) = server.status("NetConnection.Connect.Rejected", "error", ex=ex)
    failed = Failed(1, "room", "NetConnection.Connect.Rejected", "why")
    assert event == (Redirected(1, "room", url) if url else failed)


@pytest.mark.parametrize("publish", [True, False], ids=["publish", "play"])
def test_a_redirect_of_the_server_session_is_understood(publish):
    client, owner = new(), Owner()
    owner.answer = lambda event: (  # type: ignore[method-assign]
        owner.session.redirect(1, "rtmp://other/app/room?k=v")
        if isinstance(event, PublishWanted | PlayWanted)
        else owner.session.accept_connect()
    )
    client.publish("room") if publish else client.play("room", CollectSink())
    link = Link(client, owner).run()
    assert link.events[1:] == [Redirected(1, "room", "rtmp://other/app/room?k=v")]
    info = heard(owner.output)[-1][-1]
    assert info["ex"] == {
        "code": 302.0,
        "redirect": "rtmp://other/app?k=v",
        "redirect2": "rtmp://other/app/room?k=v",
    }


def test_an_enhanced_client_hears_what_the_server_can():
    arguments = ConnectArguments(tc_url="rtmp://h/live", app="live", four_ccs=("hvc1",), caps_ex=3)
    client, owner = ClientSession(arguments, noise=NOISE), Owner()
    link = Link(client, owner).run()
    assert owner.events[0].four_ccs == ("hvc1",) and owner.events[0].caps_ex == 3
    (connected,) = link.events
    assert {"hvc1", "av01", "Opus"} <= set(connected.four_ccs) and connected.caps_ex == 15


def test_pings_are_answered_and_bytes_acknowledged():
    server, _ = player()
    server.playing()
    server.send(4, b"\0\6\0\0\1\2")
    assert server.said()[-1] == (4, b"\0\7\0\0\1\2")
    server.send(5, (1000).to_bytes(4, "big"))
    for _ in range(20):
        server.send(VIDEO, bytes(100), 1)
    acks = [int.from_bytes(item[1], "big") for item in server.said() if item[0] == commands.ACKNOWLEDGEMENT]
    assert len(acks) >= 3 and server.client.reader.received - acks[-1] < 500


def test_messages_besides_media_are_bounded():
    server, _ = player()
    with pytest.raises(MessageBudgetError):
        for _ in range(limits.NONMEDIA_MESSAGES_MAX + 1):
            server.send(4, b"\0\7\0\0\0\0")


def test_a_server_of_another_version_is_refused():
    with pytest.raises(HandshakeError):
        new().receive(b"\6")


@pytest.mark.parametrize(
    ("table", "states", "first"),
    [
        (CLIENT, ClientState, ClientState.GREETING),
        (CLIENT_STREAM, ClientStreamState, ClientStreamState.WANTED),
    ],
    ids=["connection", "stream"],
)
def test_the_tables_of_a_client_reach_every_state(table, states, first):
    assert {first, *table.values()} == set(states)


# --- hostile servers ---

VALUES = st.recursive(
    st.sampled_from([0.0, 1.0, 2.0, 302.0, None, True, "room", "error"]) | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["level", "code", "ex", "redirect", "redirect2", "description", "fourCcList", "capsEx"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(["_result", "_error", "onStatus", "onPlayStatus", "onMetaData", "onBWDone", "close"])
CALLS = st.tuples(
    st.sampled_from([20, 20, 17, 18, 15]), NAMES, st.lists(VALUES, max_size=5), st.integers(0, 2)
)


@settings(deadline=None, max_examples=300)
@given(st.lists(CALLS, max_size=10), st.binary(max_size=50), st.booleans())
def test_whatever_a_server_says_gives_events_or_a_peer_error(calls, tail, publish):
    client = new()
    client.publish("room") if publish else client.play("room", CollectSink())
    server = Scripted(client)
    try:
        for kind, name, arguments, stream_id in calls:
            server.send(kind, amf0.encode(name, *arguments), stream_id)
        client.receive(tail)
    except PeerError:
        return
    server.said()


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes_behind_the_handshake_give_events_or_a_peer_error(tail):
    client = new()
    client.play("room", CollectSink())
    try:
        client.receive(b"\3" + bytes(3072) + tail)
    except PeerError:
        return
