"""When the sockets of publishers are read: each at once, or all together by a timer."""

from __future__ import annotations

import socket

import pytest
from model.chunks import Encoder, Message
from model.fed import Fed
from model.flv import AAC_HEADER, AUDIO, sound
from model.loop import FakeLoop

from fastflv import limits
from fastflv.servers.rtmp.feed import Feeding, PublisherFeed


class Publisher(Fed):
    """A peer that sends sound, its connection, and the session of that."""

    only_media = True
    acknowledge_at = 1 << 60

    def __init__(self, feeding: Feeding) -> None:
        super().__init__()
        self.sink = self.inlet
        self.transport = Transport(self.near)
        self.encoder = Encoder()
        feed = feeding.open(self, self)
        assert isinstance(feed, PublisherFeed)
        self.feed = feed
        feed.begin(self)
        feed.resume()

    def send(self) -> None:
        sent = len(self.encoder.wire)
        if not sent:
            self.encoder.write(Message(AUDIO, 0, 1, 5, AAC_HEADER))
        self.encoder.write(Message(AUDIO, 0, 1, 5, sound(b"tone")))
        self.far.sendall(bytes(self.encoder.wire[sent:]))

    def look(self) -> None:
        """Tracks to tell."""

    def close(self) -> None:
        self.feed.part()
        self.far.close()
        self.near.close()


class Transport:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def get_extra_info(self, name: str) -> socket.socket:
        return self.sock

    def pause_reading(self) -> None:
        """A feed reads instead."""


class Reads:
    """So many publishers, and how often their loop began to watch them."""

    def __init__(self, count: int) -> None:
        self.loop = FakeLoop()
        self.feeding = Feeding(self.loop, memoryview(bytearray(limits.RECEIVE_BYTES)))
        self.publishers = [Publisher(self.feeding) for _ in range(count)]

    def begin_timer(self) -> None:
        """Two reads within FEED_SECONDS: from then on all are read together."""
        for publisher in self.publishers[:2]:
            publisher.send()
            self.loop.read()
        assert not self.loop.watching

    def ticks_until_watched(self) -> int:
        for ticks in range(1, 1000):
            self.loop.advance(limits.FEED_SECONDS)
            if self.loop.watching:
                return ticks
        raise AssertionError("the loop never watches them again")

    def close(self) -> None:
        for publisher in self.publishers:
            publisher.close()
        self.feeding.close()


@pytest.mark.parametrize("count", [2, limits.FEED_IDLE_COUNT - 1, 4 * limits.FEED_IDLE_COUNT])
def test_the_more_feeds_there_are_the_more_reads_find_nothing_before_the_loop_watches_them_again(count):
    reads = Reads(count)
    reads.begin_timer()
    ticks = reads.ticks_until_watched()
    assert ticks == count // limits.FEED_IDLE_COUNT + 1
    # What comes between counts anew.
    reads.loop.advance(1)
    reads.begin_timer()
    if ticks > 1:
        reads.loop.advance(limits.FEED_SECONDS)
        reads.publishers[0].send()
        reads.loop.advance(limits.FEED_SECONDS)
        assert reads.ticks_until_watched() == ticks
    reads.close()


def test_a_feed_is_read_at_once_while_reads_are_few():
    reads = Reads(1)
    for number in range(1, 10):
        reads.loop.advance(2 * limits.FEED_SECONDS)
        reads.publishers[0].send()
        reads.loop.read()
        assert reads.loop.watching
        assert reads.publishers[0].reader.received == len(reads.publishers[0].encoder.wire), number
    reads.close()
