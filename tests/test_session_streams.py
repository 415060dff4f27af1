"""Several message streams of one connection: who publishes, who waits, who ends, against a slow model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.client import Client, heard, media, three
from model.owner import NOISE, Owner

from fastflv import limits
from fastflv._ext.ingest.sink import CollectSink
from fastflv.errors import CommandOrderError
from fastflv.media.amf import amf0
from fastflv.protocols.rtmp.events import (
    ConnectWanted,
    DataArrived,
    Event,
    PlayStopped,
    PlayWanted,
    PublishWanted,
    Unpublished,
)
from fastflv.protocols.rtmp.server import ServerSession
from fastflv.protocols.rtmp.states import StreamState


def test_three_streams_are_published_on_one_connection_and_end_one_by_one():
    owner = Owner().feed(three(Client().connect()).wire())
    wanted = [event for event in owner.events if isinstance(event, PublishWanted)]
    assert [(event.stream, event.stream_id, event.kind) for event in wanted] == [
        ("room1", 1, "fmle"),
        ("room2", 2, "fmle"),
        ("room3", 3, "fmle"),
    ]
    assert [event.stream_id for event in owner.events if isinstance(event, Unpublished)] == [2, 1, 3]
    assert [len(owner.sinks[stream_id].messages) for stream_id in (1, 2, 3)] == [20, 10, 20]
    assert [event.stream_id for event in owner.events if isinstance(event, DataArrived)] == [1, 2, 3, 1, 3]
    assert owner.session.reader.dropped == 10


ORDERS = {
    "one stream after the other": [
        *("release a", "fc a", "create", "publish 1 a", "release b", "fc b", "create", "publish 2 b"),
    ],
    "step by step": [
        *("release a", "release b", "fc a", "fc b", "create", "create", "publish 1 a", "publish 2 b"),
    ],
    "created ahead of publish": [
        *("release a", "fc a", "create", "release b", "fc b", "create", "publish 2 b", "publish 1 a"),
    ],
    "without releaseStream": ["fc a", "create", "publish 1 a", "fc b", "create", "publish 2 b"],
}
CALLS = {"release": "releaseStream", "fc": "FCPublish", "create": "createStream"}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_an_encoder_of_two_streams_is_told_from_flash_in_any_order(order):
    client = Client().connect()
    for number, step in enumerate(order, 2):
        name, *rest = step.split()
        if name == "publish":
            client.call("publish", number, None, rest[1], "live", stream_id=int(rest[0]))
        else:
            client.call(CALLS[name], number, None, *rest)
    owner = Owner().feed(client.wire())
    kinds = {event.stream: event.kind for event in owner.events if isinstance(event, PublishWanted)}
    assert kinds == {"a": "fmle", "b": "fmle"}


def publishing(*names: str) -> tuple[Client, Owner]:
    """Streams from 1 on, each with its name."""
    client = Client().connect()
    for stream_id, name in enumerate(names, 1):
        client.flash_publish(name, stream_id)
    return client, Owner().feed(client.wire())


def states(owner: Owner, count: int) -> list[StreamState]:
    return [owner.session.stream_state(stream_id) for stream_id in range(1, count + 1)]


P, IDLE = StreamState.PUBLISHING, StreamState.IDLE
UNPUBLISHES = {
    "its name": ("a", [IDLE, P, P]),
    "a name with its query": ("b?k=1", [P, IDLE, P]),
    "a name without its query": ("b", [P, IDLE, P]),
    "a name with another query": ("b?k=2", [P, IDLE, P]),
    "another name": ("x", [P, P, P]),
    "no name": (None, [P, P, P]),
}


@pytest.mark.parametrize(("name", "after"), UNPUBLISHES.values(), ids=UNPUBLISHES)
def test_fc_unpublish_ends_the_stream_that_it_names(name, after):
    client, owner = publishing("a", "b?k=1", "c")
    owner.feed(client.call("FCUnpublish", 9, None, name).wire())
    assert states(owner, 3) == after


def test_fc_unpublish_tells_equal_names_apart_by_their_queries():
    client, owner = publishing("a?vhost=x", "a?vhost=y")
    owner.feed(client.call("FCUnpublish", 9, None, "a").wire())
    assert states(owner, 2) == [P, P]
    owner.feed(client.call("FCUnpublish", 9, None, "a?vhost=y").wire())
    assert states(owner, 2) == [P, IDLE]


ENDS = {
    "deleteStream": lambda c: c.call("deleteStream", 0, None, 2.0),
    "deleteStream on its own stream": lambda c: c.call("deleteStream", 0, None, stream_id=2),
    "closeStream": lambda c: c.call("closeStream", 0, None, stream_id=2),
    "publish false": lambda c: c.call("publish", 0, None, False, stream_id=2),
    "FCUnpublish": lambda c: c.call("FCUnpublish", 0, None, "b"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_every_end_of_a_stream_leaves_the_others_alone(end):
    client, owner = publishing("a", "b", "c")
    owner.feed(end(client).wire())
    assert states(owner, 3) == [P, IDLE, P]
    for stream_id in (1, 2, 3):
        owner.feed(client.media(9, 7, b"after", stream_id).wire())
    assert [len(owner.sinks[stream_id].messages) for stream_id in (1, 2, 3)] == [1, 0, 1]


@pytest.mark.parametrize("number", [7.0, -1.0, 1.5, float("inf"), 2.0**40])
def test_deleting_a_stream_that_is_not_there_ends_nothing(number):
    client, owner = publishing("a")
    owner.feed(client.call("deleteStream", 0, None, number).wire())
    assert states(owner, 1) == [P]


def test_a_second_publish_on_a_stream_is_refused_and_the_first_goes_on():
    client, owner = publishing("a")
    before = len(heard(owner.output))
    owner.feed(client.call("publish", 9, None, "b", "live", stream_id=1).media(9, 7, b"more").wire())
    name, stream_id, _, _, info = heard(owner.output)[before]
    assert (name, stream_id, info["level"], info["code"]) == (
        "onStatus",
        1,
        "error",
        "NetStream.Publish.BadName",
    )
    assert states(owner, 1) == [P] and len(owner.sink.messages) == 1


def test_publishes_of_a_connection_are_bounded():
    client, owner = publishing(*map(str, range(limits.PUBLISHES_MAX + 1)))
    assert owner.kinds().count(PublishWanted) == limits.PUBLISHES_MAX
    info = heard(owner.output)[-1][-1]
    assert info["level"] == "error" and "publishes at once" in info["description"]
    owner.feed(client.call("deleteStream", 0, None, 1.0).flash_publish("again", 20).wire())
    assert owner.session.stream_state(20) is P


# --- waiting -----------------------------------------------------------------------------------


def asked(*names: str) -> tuple[Client, ServerSession, CollectSink]:
    """The first stream publishes, the second waits for its answer."""
    session, client, sink = ServerSession(noise=NOISE), Client().connect(), CollectSink()
    session.receive(client.wire())
    session.accept_connect()
    session.resume()
    session.receive(client.flash_publish("a", 1).wire())
    session.accept_publish(1, sink)
    session.resume()
    events = session.receive(client.flash_publish("b", 2).wire())
    assert [type(event) for event in events] == [PublishWanted]
    assert session.resume() == []
    return client, session, sink


def test_a_stream_that_waits_does_not_stop_the_others():
    client, session, sink = asked()
    assert not session.waiting and session.room == limits.RECEIVE_BYTES
    session.receive(media(client, 1).wire())
    assert len(sink.messages) == 10


def test_what_a_stream_sends_before_its_answer_pauses_the_connection_and_is_not_lost():
    client, session, sink = asked()
    other = CollectSink()
    session.receive(media(media(client, 2), 1).wire())
    assert session.waiting and session.room < limits.RECEIVE_BYTES
    assert sink.messages == []
    session.accept_publish(2, other)
    assert [event.stream_id for event in session.resume()] == [2, 1]
    assert len(sink.messages) == len(other.messages) == 10
    assert session.reader.dropped == 0 and session.ignored == 0


def test_what_a_refused_stream_sent_is_dropped_and_counted():
    client, session, sink = asked()
    session.receive(client.media(9, 0, b"v", 2).media(9, 1, b"w", 2).media(9, 2, b"x", 1).wire())
    session.reject_publish(2, "NetStream.Publish.BadName", "no")
    assert session.resume() == []
    assert session.reader.dropped == 2 and len(sink.messages) == 1
    assert session.stream_state(1) is P and session.stream_state(2) is IDLE


def test_a_publish_may_be_taken_back_before_its_answer():
    client, session, _ = asked()
    assert session.receive(client.call("deleteStream", 0, None, 2.0).wire()) == [
        Unpublished(2, "deleteStream")
    ]
    assert session.stream_state(1) is P and not session.waiting


def test_a_stream_that_waits_alone_pauses_the_connection():
    client, session, _ = asked()
    session.receive(client.call("deleteStream", 0, None, 1.0).wire())
    assert session.waiting


# --- the slow model ------------------------------------------------------------------------------


class Broken(Exception):
    """The peer may not do that."""


class Model:
    """Reads one step at a time; while it pauses, steps queue up."""

    def __init__(self) -> None:
        self.states: dict[int, str] = {}
        self.names: dict[int, str] = {}
        self.held: dict[int, tuple] = {}
        self.queue: list[tuple] = []
        self.events: list[tuple] = []
        self.taken: dict[int, list] = {}

    @property
    def paused(self) -> bool:
        found = set(self.states.values())
        return (
            "asks to play" in found
            or ("asks" in found and "publishes" not in found)
            or any(self.states.get(n) == "asks" for n in self.held)
        )

    @property
    def asking(self) -> list[int]:
        return sorted(n for n, state in self.states.items() if state in ("asks", "asks to play"))

    def step(self, *step) -> None:
        self.queue.append(step)
        self.pump()

    def pump(self) -> None:
        while self.queue and not self.paused:
            name, *arguments = self.queue.pop(0)
            getattr(self, name)(*arguments)

    def answer(self, n: int, accepted: bool) -> None:
        state = self.states.pop(n)
        held = self.held.pop(n, None)
        if accepted:
            self.states[n] = "publishes" if state == "asks" else "plays"
            self.taken.setdefault(n, [])
        if not self.paused:
            if held and accepted:
                getattr(self, held[0])(*held[1:])
            self.pump()
        elif held and accepted:
            self.queue.insert(0, held)

    def publish(self, n: int, name: str) -> None:
        if any(state in ("asks to play", "plays") for state in self.states.values()):
            raise Broken
        if n not in self.states and len(self.states) < limits.PUBLISHES_MAX:
            self.states[n], self.names[n] = "asks", name
            self.events.append(("publish", n, name))

    def play(self, n: int, name: str) -> None:
        for m, state in list(self.states.items()):
            if state == "plays":
                self.events.append(("stopped", m))
                del self.states[m]
        if any(state in ("asks", "publishes") for state in self.states.values()):
            raise Broken
        self.states[n] = "asks to play"
        self.events.append(("play", n, name))

    def end(self, n: int) -> None:
        if self.states.get(n) in ("asks", "publishes"):
            self.events.append(("unpublished", n))
        elif self.states.get(n) == "plays":
            self.events.append(("stopped", n))
        self.states.pop(n, None)
        self.held.pop(n, None)

    def end_named(self, name: str) -> None:
        found = [
            n for n, state in self.states.items() if state in ("asks", "publishes") and self.names[n] == name
        ]
        if len(found) == 1:
            self.end(found[0])

    def media(self, n: int, body: bytes) -> None:
        if self.states.get(n) == "asks":
            self.held[n] = ("media", n, body)
        elif self.states.get(n) == "publishes":
            self.taken[n].append(body)

    def data(self, n: int, value: float) -> None:
        if self.states.get(n) == "asks":
            self.held[n] = ("data", n, value)
        elif self.states.get(n) == "publishes":
            self.events.append(("data", n, value))


def as_model(event: Event) -> tuple:
    match event:
        case PublishWanted():
            return "publish", event.stream_id, event.stream
        case PlayWanted():
            return "play", event.stream_id, event.stream
        case Unpublished():
            return "unpublished", event.stream_id
        case PlayStopped():
            return "stopped", event.stream_id
    assert isinstance(event, DataArrived)
    return "data", event.stream_id, amf0.decode_all(event.payload)[1]


NAMES_OF_STATES = {
    StreamState.STARTING_PUBLISH: "asks",
    StreamState.PUBLISHING: "publishes",
    StreamState.STARTING_PLAY: "asks to play",
    StreamState.PLAYING: "plays",
}


class Real:
    """The session, told the same."""

    def __init__(self, cut: int) -> None:
        self.session = ServerSession(noise=NOISE)
        self.client = Client()
        self.cut = cut
        self.events: list[tuple] = []
        self.sinks: dict[int, CollectSink] = {}
        found = self.session.receive(self.client.connect().wire())
        assert [type(event) for event in found] == [ConnectWanted]
        self.session.accept_connect()
        assert self.session.resume() == []

    def take(self, events: list[Event]) -> None:
        while events:
            self.events += map(as_model, events)
            events = [] if self.session.waiting else self.session.resume()

    def step(self, name: str, *arguments) -> None:
        getattr(self, name)(*arguments)
        wire = self.client.wire()
        for at in range(0, len(wire), self.cut):
            self.take(self.session.receive(wire[at : at + self.cut]))

    def answer(self, n: int, accepted: bool) -> None:
        plays = self.session.stream_state(n) is StreamState.STARTING_PLAY
        if accepted and plays:
            self.session.accept_play(n)
        elif accepted:
            self.session.accept_publish(n, self.sinks.setdefault(n, CollectSink()))
        elif plays:
            self.session.reject_play(n, "code", "why")
        else:
            self.session.reject_publish(n, "code", "why")
        if not self.session.waiting:
            self.take(self.session.resume())

    def publish(self, n: int, name: str) -> None:
        self.client.call("publish", 0, None, name, "live", stream_id=n)

    def play(self, n: int, name: str) -> None:
        self.client.call("play", 0, None, name, stream_id=n)

    def end(self, n: int) -> None:
        self.client.call("deleteStream", 0, None, float(n))

    def end_named(self, name: str) -> None:
        self.client.call("FCUnpublish", 0, None, name)

    def media(self, n: int, body: bytes) -> None:
        self.client.media(9, 40, body, n)

    def data(self, n: int, value: float) -> None:
        self.client.send(18, amf0.encode("onCue", value), 4, n)


STREAMS = st.integers(1, 4)
LETTERS = st.sampled_from("abcd")
STEPS = st.one_of(
    st.tuples(st.just("publish"), STREAMS, LETTERS),
    st.tuples(st.just("media"), STREAMS, st.binary(min_size=1, max_size=200)),
    st.tuples(st.just("media"), STREAMS, st.binary(min_size=1, max_size=200)),
    st.tuples(st.just("data"), STREAMS, st.integers(0, 9).map(float)),
    st.tuples(st.just("end"), STREAMS),
    st.tuples(st.just("end_named"), LETTERS),
    st.tuples(st.just("answer"), st.integers(0, 3), st.sampled_from([True, True, True, False])),
    st.tuples(st.just("answer"), st.integers(0, 3), st.just(True)),
)
PLAYS = st.tuples(st.just("play"), STREAMS, LETTERS)


@settings(deadline=None, max_examples=500)
@given(st.lists(STEPS, max_size=40) | st.lists(STEPS | PLAYS, max_size=25), st.sampled_from([1, 9, 1 << 20]))
def test_any_steps_of_several_streams_are_as_in_the_model(steps, cut):
    model, real = Model(), Real(cut)
    for name, *arguments in steps:
        if name == "answer":
            if not model.asking:
                continue
            call = ("answer", model.asking[arguments[0] % len(model.asking)], arguments[1])
        else:
            call = ("step", name, *arguments)
        try:
            getattr(model, call[0])(*call[1:])
        except Broken:
            with pytest.raises(CommandOrderError):
                getattr(real, call[0])(*call[1:])
            return
        getattr(real, call[0])(*call[1:])
        session = real.session
        assert session.waiting == model.paused
        assert real.events == model.events
        assert {
            n: NAMES_OF_STATES[session.stream_state(n)]
            for n in range(1, 5)
            if session.stream_state(n) is not IDLE
        } == model.states
        taken = {n: [body for *_, body in sink.messages] for n, sink in real.sinks.items()}
        assert {n: bodies for n, bodies in taken.items() if bodies} == {
            n: bodies for n, bodies in model.taken.items() if bodies
        }
