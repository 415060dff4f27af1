"""A crowd that waited for one stream: it enters in turns, and what happens meanwhile counts."""

from __future__ import annotations

from collections import deque
from itertools import count

from model.access import request
from model.flv import AAC_HEADER, AVC_HEADER, Feed, key, sound
from model.loop import FakeLoop

from fastflv.access.gate import Gate
from fastflv.net.turns import Turns
from fastflv.playing.join import Join, JoinRefused, Joins
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions

NAME = StreamName("a.example", "live", "x")


class TurnsOfTwo(Turns):
    """Turns that the test begins, of two joins each."""

    def __init__(self, loop: FakeLoop) -> None:
        super().__init__(loop)  # type: ignore[arg-type]
        self.left = 2
        self.waiting: deque = deque()

    def open(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def queue(self, go_on) -> None:
        self.waiting.append(go_on)

    def begin(self) -> None:
        self.left = 2
        for _ in range(min(2, len(self.waiting))):
            self.waiting.popleft()()


class Site:
    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.turns = TurnsOfTwo(self.loop)
        ids = map(str, count())
        self.hub = Hub(lambda: next(ids))
        self.joins = Joins(self.loop, self.hub, Gate(lambda vhost: ()), self.turns, Clients())
        self.told: list[tuple[int, object]] = []
        self.crowd = [self.join(number) for number in range(5)]

    def join(self, number: int) -> Join:
        def tell(what: object) -> None:
            self.told.append((number, what))

        join = Join(self.joins, request(), NAME, on_missing=5.0, ready=tell, refused=tell)
        join.begin()
        return join

    def publish(self):
        stream = self.hub.publish(NAME, StreamOptions(grace_ms=0), "publisher", 0)
        feed = Feed(stream.writer)
        for send, header, body in ((feed.audio, AAC_HEADER, sound()), (feed.video, AVC_HEADER, key())):
            send(0, header)
            send(0, body)
        self.hub.settle(stream, 0)
        return stream

    @property
    def entered(self) -> list[int]:
        return [number for number, _ in self.told]


def test_a_crowd_enters_in_turns_in_its_order():
    site = Site()
    site.publish()
    assert site.entered == [0, 1]
    site.turns.begin()
    assert site.entered == [0, 1, 2, 3]
    site.turns.begin()
    assert site.entered == [0, 1, 2, 3, 4]
    assert not site.hub.waiting and not site.loop.timers


def test_one_that_leaves_before_its_turn_enters_nothing():
    site = Site()
    site.publish()
    site.crowd[2].cancel()
    site.turns.begin()
    assert site.entered == [0, 1, 3]


def test_one_whose_time_is_up_before_its_turn_enters_all_the_same():
    site = Site()
    site.publish()
    site.loop.advance(6)
    while site.turns.waiting:
        site.turns.begin()
    assert site.entered == [0, 1, 2, 3, 4]
    assert not [what for _, what in site.told if isinstance(what, JoinRefused)]


def test_those_whose_stream_is_gone_before_their_turn_wait_again():
    site = Site()
    site.hub.unpublish(site.publish(), 0)
    site.turns.begin()
    assert site.entered == [0, 1]
    assert site.hub.waiting == 2
    again = site.publish()
    for _ in range(3):
        site.turns.begin()
    assert sorted(site.told[2:], key=lambda each: each[0]) == [(2, again), (3, again), (4, again)]
