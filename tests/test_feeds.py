"""Feeds: sockets of publishers that are read without their transports, many in one turn."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.chunks import Encoder, Message
from model.fed import Fed
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, SCRIPT, VIDEO, inter, key, sound
from model.viewer import RAW

from fastflv import limits
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.feeds import Feed, Feeds
from fastflv.errors import ChunkError

NEVER = 1 << 60


def wire_of(*messages: tuple[int, int, bytes]) -> bytes:
    encoder = Encoder()
    for kind, time, body in messages:
        encoder.write(Message(kind, time, 1, 5, body))
    return bytes(encoder.wire)


class Publisher(Fed):
    """A peer, and the owner of the feed that reads it."""

    def __init__(self, feeds: Feeds) -> None:
        super().__init__()
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.told: list[object] = []
        self.on_message = lambda: None
        self.feed = Feed(feeds, self.near.fileno(), self.reader, self)
        # The transport closes its descriptor whenever it likes.
        self.near.close()
        self.feed.begin(self.inlet)
        self.feed.resume()

    def send(self, *messages: tuple[int, int, bytes]) -> None:
        self.far.sendall(wire_of(*messages))

    def film(self) -> None:
        self.send(
            (VIDEO, 0, AVC_HEADER),
            (AUDIO, 0, AAC_HEADER),
            (VIDEO, 0, key(b"first")),
            (AUDIO, 0, sound(b"tone")),
        )

    @property
    def written(self) -> bytes:
        log = self.writer.log
        return log.read(log.tail, log.head)

    def close(self) -> None:
        self.feed.close()
        self.far.close()

    # --- FeedOwner ---

    def feed_message(self, view: memoryview, at: int) -> None:
        while self.reader.message is not None:
            self.told.append(self.reader.message[4])
            at = self.reader.feed(view, at)
        self.writer.flush()
        self.on_message()

    def feed_due(self) -> None:
        self.told.append("due")
        self.writer.settled = True
        self.feed.due = NEVER

    def feed_ended(self) -> None:
        self.told.append("ended")

    def feed_failed(self, error: Exception) -> None:
        self.told.append(type(error))


@pytest.fixture
def feeds():
    made = Feeds(memoryview(bytearray(limits.RECEIVE_BYTES)))
    yield made
    made.close()


@pytest.fixture
def publisher(feeds):
    made = Publisher(feeds)
    yield made
    made.close()


def test_media_goes_from_the_socket_into_the_log_and_the_owner_is_told_until_the_tracks_are_known(
    feeds, publisher
):
    publisher.film()
    assert feeds.turn(5000) == (1, False)
    assert b"first" in publisher.written
    assert publisher.told == ["due"]
    publisher.send((VIDEO, 40, inter(b"second")))
    assert feeds.turn(5040) == (1, False)
    assert b"second" in publisher.written
    assert publisher.told == ["due"], "of media the owner is told nothing"
    assert publisher.writer.now_ms == 5040
    assert feeds.turn(5080) == (0, False)


def test_what_is_no_media_goes_to_the_owner_in_its_place(feeds, publisher):
    publisher.film()
    publisher.send((SCRIPT, 0, b"cue"), (VIDEO, 40, inter(b"behind")))
    feeds.turn(0)
    assert publisher.told == [b"cue"]
    assert b"behind" in publisher.written


def test_the_owner_is_told_of_other_codecs_and_of_bytes_that_are_due(feeds, publisher):
    publisher.film()
    feeds.turn(0)
    publisher.send((AUDIO, 40, b"\x2f\xff\xfb"))
    feeds.turn(0)
    assert publisher.told == ["due", "due"]
    publisher.feed.due = publisher.reader.received + 1
    publisher.send((AUDIO, 80, b"\x2f\xff\xfb"))
    feeds.turn(0)
    assert publisher.told == ["due", "due", "due"]


def test_a_peer_that_leaves_and_one_that_resets_are_told_once(feeds):
    leaver, resetter = Publisher(feeds), Publisher(feeds)
    leaver.far.close()
    resetter.send((VIDEO, 0, key()))
    resetter.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    resetter.far.close()
    for _ in range(3):
        feeds.turn(0)
    assert leaver.told == ["ended"]
    assert resetter.told[-1] == "ended"
    assert not leaver.feed.reading
    assert not resetter.feed.reading
    leaver.feed.close()
    resetter.feed.close()


def test_bytes_that_are_wrong_end_their_own_feed_alone(feeds, publisher):
    bad = Publisher(feeds)
    bad.far.sendall(b"\xc5" + bytes(20))
    publisher.film()
    assert feeds.turn(0)[0] == 2
    assert bad.told == [ChunkError]
    assert not bad.feed.reading
    assert b"first" in publisher.written
    bad.close()


def test_an_owner_that_fails_stops_neither_the_turn_nor_the_feeds_of_others(feeds, publisher, caplog):
    broken = [Publisher(feeds) for _ in range(3)]

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    broken[0].feed_ended = fail
    broken[0].far.close()
    broken[1].on_message = fail
    broken[2].on_message = broken[2].feed_failed = fail
    for each in broken[1:]:
        each.send((SCRIPT, 0, b"cue"))
    publisher.film()
    found, more = feeds.turn(0)
    assert found == 4
    # The lines of the log may take longer than a turn has.
    while more:
        _, more = feeds.turn(0)
    assert b"first" in publisher.written
    assert (broken[0].told, broken[1].told) == ([RuntimeError], [b"cue", RuntimeError])
    assert "failed at its end" in caplog.text
    assert not any(each.feed.reading for each in broken)
    for each in broken:
        each.close()


def test_a_feed_that_is_paused_reads_nothing_until_it_is_resumed(feeds, publisher):
    publisher.feed.pause()
    publisher.film()
    assert feeds.turn(0) == (0, False)
    publisher.feed.resume()
    assert feeds.turn(0) == (1, False)
    assert b"first" in publisher.written


def test_an_owner_may_close_any_feed_in_the_middle_of_a_turn(feeds):
    group = [Publisher(feeds) for _ in range(20)]
    for each in group:
        each.on_message = lambda: [other.feed.close() for other in group]
        each.send((SCRIPT, 0, b"cue"))
    feeds.turn(0)
    assert sum(len(each.told) for each in group) == 1
    assert feeds.turn(0) == (0, False)
    for each in group:
        each.close()


def test_a_turn_within_a_turn_reads_nothing(feeds, publisher):
    other = Publisher(feeds)
    inner = []
    publisher.on_message = lambda: inner.append(feeds.turn(0))
    for each in (publisher, other):
        each.send((SCRIPT, 0, b"cue"))
    feeds.turn(0)
    assert inner == [(0, False)]
    assert publisher.told == other.told == [b"cue"]
    other.close()


def test_a_turn_wakes_the_players_of_all_its_logs(feeds, senders):
    group = [Publisher(feeds) for _ in range(5)]
    for each in group:
        each.film()
    feeds.turn(0)
    sender = senders(1)
    players = []
    for each in group:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.settimeout(30)
        log = each.writer.log
        sender.add(ours.detach(), log, framing=RAW, position=log.head)
        players.append(theirs)
    for number in range(50):
        for each in group:
            each.send((VIDEO, 40 * number, inter(b"picture %d." % number)))
        assert feeds.turn(40 * number)[0] == len(group)
        for player in players:
            assert b"picture %d." % number in player.recv(1000)
    for player in players:
        player.close()
    for each in group:
        each.close()


def test_closing_gives_the_descriptor_back_and_lets_the_peer_see_the_end(feeds):
    publisher = Publisher(feeds)
    publisher.feed.close()
    publisher.feed.close()
    publisher.feed.resume()
    assert publisher.far.recv(1) == b""
    publisher.far.close()


def test_a_socket_that_is_full_is_read_in_turns_with_the_others(feeds, publisher):
    publisher.film()
    feeds.turn(0)
    other = Publisher(feeds)
    publisher.far.setblocking(False)
    wire = wire_of((VIDEO, 40, inter(bytes(3000))))
    with suppress(BlockingIOError):
        while True:
            publisher.far.sendall(wire)
    other.film()
    assert feeds.turn(0)[0] == 2
    assert b"first" in other.written
    while feeds.turn(0)[1]:
        pass
    assert publisher.reader.received > 100_000
    other.close()


def test_feeds_that_are_closed_read_no_more(feeds, publisher):
    feeds.close()
    publisher.film()
    assert feeds.turn(0) == (0, False)
    assert feeds.fd == -1
    publisher.feed.pause()
    publisher.feed.resume()


def test_a_writer_has_to_be_known_before_anything_is_read(feeds):
    near, far = socket.socketpair()
    with near, far:
        feed = Feed(feeds, near.fileno(), ChunkReader(), None)
        feed.resume()
        assert not feed.reading
        far.send(b"x")
        assert feeds.turn(0) == (0, False)
        feed.close()


@given(
    bodies=st.lists(st.binary(max_size=400), min_size=1, max_size=20),
    cuts=st.lists(st.integers(0, 8000), max_size=12),
)
def test_the_log_is_the_same_however_the_bytes_are_cut(bodies, cuts):
    feeds = Feeds(memoryview(bytearray(limits.RECEIVE_BYTES)))
    whole, pieces = Publisher(feeds), Publisher(feeds)
    wire = wire_of(*((VIDEO, 40 * number, key(body)) for number, body in enumerate(bodies)))
    whole.far.sendall(wire)
    feeds.turn(0)
    places = [0, *sorted(min(place, len(wire)) for place in cuts), len(wire)]
    for begin, end in pairwise(places):
        pieces.far.sendall(wire[begin:end])
        feeds.turn(0)
    assert pieces.reader.received == whole.reader.received == len(wire)
    assert pieces.written == whole.written
    assert len(bodies) == whole.writer.video_tags
    for each in (whole, pieces):
        each.close()
    feeds.close()
