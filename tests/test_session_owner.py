"""What a session and its owner tell each other: answers, pings, windows, acknowledgements and the end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from model.client import Client, heard, media
from model.owner import NOISE, Owner

from fastflv._ext.ingest.sink import CollectSink
from fastflv.errors import UsageError
from fastflv.protocols.rtmp.events import ConnectWanted, DataArrived, PlayWanted, PublishWanted
from fastflv.protocols.rtmp.server import ServerSession
from fastflv.protocols.rtmp.states import CONNECTION, STREAM, ConnectionState, StreamState


def test_input_is_held_until_the_answer_comes():
    session = ServerSession(noise=NOISE)
    wire = media(Client().connect().flash_publish()).wire()
    [asked] = session.receive(wire[:4000])
    assert isinstance(asked, ConnectWanted)
    assert session.waiting
    assert session.receive(wire[4000:]) == []
    session.accept_connect()
    [wanted] = session.resume()
    assert isinstance(wanted, PublishWanted)
    sink = CollectSink()
    session.accept_publish(1, sink)
    assert sink.messages == []
    assert [type(event) for event in session.resume()] == [DataArrived]
    assert len(sink.messages) == 10
    assert session.resume() == []


def test_receive_goes_on_by_itself_when_nobody_resumed():
    session = ServerSession(noise=NOISE)
    wire = Client().connect().flash_publish().wire()
    session.receive(wire[:-1])
    session.accept_connect()
    assert [type(event) for event in session.receive(wire[-1:])] == [PublishWanted]


@pytest.mark.parametrize("publish", [True, False], ids=["publish", "play"])
def test_a_refused_peer_hears_why_and_may_try_again(publish):
    client = Client().connect()
    client = client.flash_publish() if publish else client.play()
    session = ServerSession(noise=NOISE)
    session.receive(client.wire())
    session.accept_connect()
    session.resume()
    if publish:
        session.reject_publish(1, "NetStream.Publish.BadName", "busy")
    else:
        session.reject_play(1, "NetStream.Play.StreamNotFound", "busy")
    name, stream_id, _, _, info = heard(session.take_output())[-1]
    assert (name, stream_id, info["level"], info["description"]) == ("onStatus", 1, "error", "busy")
    assert session.stream_state(1) is StreamState.IDLE
    session.resume()
    again = client.call("publish" if publish else "play", 9, None, "other", stream_id=1).wire()
    assert [type(event) for event in session.receive(again)] == [PublishWanted if publish else PlayWanted]


def test_a_ping_is_answered_and_the_answer_to_one_is_not():
    client = Client().connect().send(4, b"\0\6\0\0\1\2", 2).send(4, b"\0\7\0\0\3\4", 2)
    owner = Owner().feed(client.wire())
    assert heard(owner.output)[-1] == (4, b"\0\7\0\0\1\2")
    assert [type(event) for event in owner.events] == [ConnectWanted]


def test_half_of_the_announced_window_is_acknowledged():
    client = Client().send(5, (1000).to_bytes(4, "big"), 2).connect().flash_publish()
    owner = Owner().feed(client.wire())
    before = len(owner.output)
    received = owner.session.reader.received
    owner.feed(client.media(9, 0, bytes(300)).wire())
    acks = heard(owner.output)[-1:]
    assert acks == [(3, owner.session.reader.received.to_bytes(4, "big"))] or len(owner.output) == before
    for n in range(20):
        owner.feed(client.media(9, n, bytes(90)).wire())
    found = [int.from_bytes(item[1], "big") for item in heard(owner.output) if item[0] == 3]
    assert found[-1] > received
    assert all(500 <= b - a < 700 for a, b in pairwise(found[1:]))
    assert owner.session.reader.received - found[-1] < 500


def test_a_read_that_ends_with_a_command_is_acknowledged_too():
    client = Client().send(5, (1000).to_bytes(4, "big"), 2).connect().flash_publish()
    owner = Owner().feed(client.wire())
    before = heard(owner.output)
    owner.feed(client.media(9, 0, bytes(900)).call("createStream", 7, None).wire())
    assert [item[0] for item in heard(owner.output)[len(before) :]] == ["_result", 3]


def test_our_own_window_comes_before_that_of_the_peer():
    client = Client().connect().flash_publish()
    owner = Owner(in_ack_size=1000).feed(client.wire())
    client.send(5, (1 << 30).to_bytes(4, "big"), 2)
    for n in range(20):
        owner.feed(client.media(9, n, bytes(90)).wire())
    assert 3 in [item[0] for item in heard(owner.output)]


@pytest.mark.parametrize("window", [None, 0])
def test_without_a_window_nothing_is_acknowledged(window):
    client = Client().connect()
    if window is not None:
        client.send(5, window.to_bytes(4, "big"), 2)
    owner = Owner().feed(client.flash_publish().media(9, 0, bytes(200_000)).wire())
    assert 3 not in [item[0] for item in heard(owner.output)]


def test_connect_settings_of_the_owner_are_announced():
    owner = Owner(window=5000, chunk_size=4096).feed(Client().connect().wire())
    assert heard(owner.output)[:3] == [(5, b"\0\0\x13\x88"), (6, b"\0\0\x13\x88\2"), (1, b"\0\0\x10\0")]
    assert owner.session.replies.chunk_size == 4096


def test_a_closed_session_takes_nothing_and_lets_go_of_the_sink():
    owner = Owner().feed(Client().connect().flash_publish().wire())
    owner.session.notify(1, "NetStream.Publish.Denied", "kicked", "error")
    owner.session.close()
    assert owner.session.stream_state(1) is StreamState.IDLE
    assert owner.session.receive(b"anything") == []
    assert b"kicked" in owner.session.take_output()
    owner.session.close()


ANSWERS = {
    "accept_connect": (),
    "accept_publish": (1, CollectSink()),
    "reject_publish": (1, "code", "why"),
    "accept_play": (1,),
    "reject_play": (1, "code", "why"),
    "redirect": (1, "rtmp://other/live/room"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_nobody_waits_for_is_our_own_mistake(answer):
    with pytest.raises(UsageError):
        getattr(ServerSession(noise=NOISE), answer)(*ANSWERS[answer])


def test_resume_before_the_answer_is_our_own_mistake():
    session = ServerSession(noise=NOISE)
    assert session.resume() == []
    session.receive(Client().connect().wire())
    with pytest.raises(UsageError):
        session.resume()


@pytest.mark.parametrize(
    ("table", "states", "first", "waiting"),
    [
        (CONNECTION, ConnectionState, ConnectionState.GREETING, [ConnectionState.CONNECTING]),
        (
            STREAM,
            StreamState,
            StreamState.IDLE,
            [StreamState.STARTING_PUBLISH, StreamState.STARTING_PLAY],
        ),
    ],
    ids=["connection", "stream"],
)
def test_the_tables_reach_every_state_and_leave_every_waiting_one(table, states, first, waiting):
    reached = {first}
    while True:
        more = {to for (start, _), to in table.items() if start in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(states)
    for state in waiting:
        causes = {cause.partition(" ")[0] for start, cause in table if start is state}
        # Who asks to connect is accepted, and refused with what it asks for next.
        assert causes >= ({"accept"} if table is CONNECTION else {"accept", "reject"})
    assert all((state, "close") in table for state in states)
    assert CONNECTION[ConnectionState.CLOSED, "close"] is ConnectionState.CLOSED


def test_a_read_of_media_alone_makes_no_objects_but_the_list():
    owner = Owner().feed(Client().connect().flash_publish().wire())
    wire = Client().media(9, 40, bytes(1000)).wire()[3073:]
    assert owner.session.receive(wire) == []
    assert owner.session.take_output() == b""
