"""The registry of streams: who may publish, who waits, what is left when all have gone."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from model.flv import AVC_HEADER, Feed, key, sound

from fastflv._ext.fanout.cursor import Cursor
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.errors import StreamBusyError
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, StreamOptions

A = StreamName(DEFAULT_VHOST, "live", "a")
GRACE = StreamOptions(grace_ms=5000)
NONE = StreamOptions(grace_ms=0)


@pytest.fixture
def hub() -> Hub:
    ids = count()
    return Hub(lambda: f"vid-{next(ids)}")


def play(stream) -> None:
    feed = Feed(stream.writer)
    feed.video(0, key())
    feed.audio(0, sound())


def test_a_second_publisher_is_refused_by_name(hub):
    stream = hub.publish(A, GRACE, "first", 0)
    with pytest.raises(StreamBusyError, match=r"/live/a has a publisher already, client first"):
        hub.publish(A, GRACE, "second", 0)
    assert stream.publisher_id == "first"


def test_a_publisher_that_returns_in_time_finds_the_same_stream(hub):
    stream = hub.publish(A, GRACE, "p", 0)
    play(stream)
    hub.unpublish(stream, 100)
    assert not hub.expire(stream, 5099)
    assert hub.publish(A, GRACE, "q", 5099) is stream
    assert not hub.expire(stream, 9999), "the timer of the first absence is of no concern any more"


def test_a_stream_ends_when_its_grace_is_over(hub):
    stream = hub.publish(A, GRACE, "p", 0)
    play(stream)
    hub.unpublish(stream, 100)
    assert hub.expire(stream, 5100)
    assert not hub.expire(stream, 5101)
    assert (hub.find(A), len(hub), stream.phase, stream.log.ended) == (None, 0, Phase.ENDED, True)
    assert hub.publish(A, GRACE, "q", 6000) is not stream


def test_a_stream_that_never_had_media_needs_no_grace(hub):
    stream = hub.publish(A, GRACE, "p", 0)
    hub.unpublish(stream, 100)
    assert (stream.phase, len(hub)) == (Phase.ENDED, 0)
    stream = hub.publish(A, GRACE, "q", 200)
    Feed(stream.writer).video(0, AVC_HEADER)
    player = Cursor(stream.log)
    hub.unpublish(stream, 300)
    assert stream.phase is Phase.GRACE, "somebody plays it"
    player.close()


def test_without_grace_a_stream_ends_with_its_publisher(hub):
    stream = hub.publish(A, NONE, "p", 0)
    hub.unpublish(stream, 0)
    hub.unpublish(stream, 0)
    assert len(hub) == 0
    assert stream.log.ended


def test_who_waits_is_told_once_when_the_tracks_are_known(hub):
    first, second = [], []
    for waiter in (first.append, second.append, second.append):
        hub.wait(A, waiter)
    stream = hub.publish(A, GRACE, "p", 0)
    hub.settle(stream, 0)
    assert (first, second, hub.waiting) == ([], [], 2)
    play(stream)
    hub.settle(stream, 0)
    hub.settle(stream, 0)
    assert (first, second, hub.waiting) == ([stream], [stream], 0)


def test_who_stops_waiting_is_not_told_and_costs_nothing(hub):
    told = []
    hub.wait(A, told.append)
    hub.forget(A, told.append)
    hub.forget(A, told.append)
    hub.forget(A._replace(stream="b"), told.append)
    stream = hub.publish(A, GRACE, "p", 0)
    play(stream)
    hub.settle(stream, 0)
    assert (told, hub.waiting) == ([], 0)


def test_a_waiter_that_waits_again_is_kept_for_the_next_time(hub):
    hub.wait(A, lambda stream: hub.wait(A, told.append))
    told = []
    stream = hub.publish(A, GRACE, "p", 0)
    play(stream)
    hub.settle(stream, 0)
    assert (told, hub.waiting) == ([], 1)


def test_a_waiter_that_fails_keeps_neither_the_others_nor_the_publisher_up(hub, caplog):
    told = []
    hub.wait(A, lambda stream: 1 / 0)
    hub.wait(A, told.append)
    stream = hub.publish(A, GRACE, "p", 0)
    play(stream)
    hub.settle(stream, 0)
    assert (told, hub.waiting) == ([stream], 0)
    assert "ZeroDivisionError" in caplog.text


def test_ending_all_ends_every_stream(hub):
    streams = [hub.publish(A._replace(stream=name), GRACE, "p", 0) for name in "abc"]
    hub.unpublish(streams[1], 0)
    hub.end_all()
    assert len(hub) == 0
    assert all(stream.log.ended for stream in streams)


class Life(RuleBasedStateMachine):
    """Any order of publish, leave and time: a name has one stream at most, and the dead are gone."""

    names = st.sampled_from("ab")

    def __init__(self) -> None:
        super().__init__()
        ids = count()
        self.hub = Hub(lambda: f"vid-{next(ids)}")
        self.now = 0
        self.live: dict[str, bool] = {}
        self.left: dict[str, int] = {}
        self.played: set[str] = set()

    @rule(name=names)
    def play(self, name):
        stream = self.hub.find(A._replace(stream=name))
        if stream is not None and self.live[name]:
            play(stream)
            self.played.add(name)

    @rule(name=names)
    def publish(self, name):
        if self.live.get(name):
            with pytest.raises(StreamBusyError):
                self.hub.publish(A._replace(stream=name), GRACE, "p", self.now)
            return
        self.hub.publish(A._replace(stream=name), GRACE, "p", self.now)
        self.live[name] = True
        self.left.pop(name, None)

    @rule(name=names)
    def leave(self, name):
        stream = self.hub.find(A._replace(stream=name))
        if stream is None:
            return
        if self.live[name]:
            self.left[name] = self.now
        self.hub.unpublish(stream, self.now)
        self.live[name] = False
        if name not in self.played:
            del self.live[name], self.left[name]

    @rule(step=st.sampled_from([1, 2500, 5000]))
    def wait(self, step):
        self.now += step
        for stream in list(self.hub):
            self.hub.expire(stream, self.now)
        for name in [name for name, left in self.left.items() if self.now - left >= 5000]:
            del self.left[name]
            del self.live[name]
            self.played.discard(name)

    @invariant()
    def streams_are_those_expected(self):
        assert {stream.name.stream: stream.phase is Phase.LIVE for stream in self.hub} == self.live


Life.TestCase.settings = settings(max_examples=40, deadline=None)
TestLife = Life.TestCase


# --- names and watchers ---


def test_a_name_prints_without_the_default_vhost():
    assert A.url == "/live/a"
    assert A._replace(vhost="b.com").url == "b.com/live/a"


class Diary:
    """A watcher that writes down what it is told."""

    def __init__(self, hub: Hub) -> None:
        self.lines: list[str] = []
        self._hub = hub

    def stream_began(self, stream) -> None:
        self.lines.append(f"began {stream.phase.value} by {stream.publisher_id}")

    def stream_left(self, stream) -> None:
        self.lines.append(f"left {stream.phase.value}")

    def stream_ended(self, stream) -> None:
        self.lines.append(f"ended {stream.phase.value}, found {self._hub.find(stream.name) is stream}")


class Failing:
    """A watcher that fails at everything."""

    def stream_began(self, stream) -> None:
        raise RuntimeError("began")

    def stream_left(self, stream) -> None:
        raise RuntimeError("left")

    def stream_ended(self, stream) -> None:
        raise RuntimeError("ended")


def test_a_watcher_that_fails_keeps_neither_the_others_nor_the_stream_up(hub, caplog):
    diary = Diary(hub)
    hub.watchers += [Failing(), diary]
    stream = hub.publish(A, GRACE, "p", 0)
    play(stream)
    hub.unpublish(stream, 100)
    assert hub.expire(stream, 5100)
    hub.unpublish(hub.publish(A, NONE, "q", 6000), 6100)
    hub.publish(A, GRACE, "r", 7000)
    hub.end_all()
    ended = "ended ended, found False"
    assert diary.lines == [
        "began live by p", "left in grace", ended, "began live by q", "left in grace", ended, "began live by r", ended,
    ]  # fmt: skip
    assert (len(hub), caplog.text.count("RuntimeError: left")) == (0, 2)


def test_a_watcher_is_told_of_every_turn_of_a_stream(hub):
    diary = Diary(hub)
    hub.watchers.append(diary)
    stream = hub.publish(A, GRACE, "p", 0)
    play(stream)
    hub.unpublish(stream, 100)
    hub.unpublish(stream, 100)
    hub.publish(A, GRACE, "q", 200)
    hub.unpublish(stream, 300)
    hub.expire(stream, 5300)
    hub.publish(A, NONE, "r", 6000)
    hub.unpublish(hub.find(A), 6100)
    hub.publish(A, GRACE, "s", 7000)
    hub.end_all()
    ended = "ended ended, found False"
    assert diary.lines == [
        "began live by p", "left in grace", "began live by q", "left in grace", ended,
        "began live by r", "left in grace", ended, "began live by s", ended,
    ]  # fmt: skip


class Counting:
    """A waiter that counts how often waiters are compared."""

    compared = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        Counting.compared += 1
        return self is other

    def __hash__(self) -> int:
        return hash(self.number)

    def __call__(self, stream) -> None:
        raise AssertionError("nothing is published")


def leave(hub, waiters: list[Counting]) -> int:
    """Have *waiters* wait for a name and leave, the last one first; return the comparisons that took."""
    Counting.compared = 0
    for waiter in waiters:
        hub.wait(A, waiter)
    for waiter in reversed(waiters):
        hub.forget(A, waiter)
    assert not hub.waiting
    return Counting.compared


def test_each_of_thousands_of_waiters_leaves_at_the_same_price(hub):
    few, many = ([Counting(number) for number in range(count)] for count in (1000, 8000))
    assert leave(hub, many) <= 8 * max(leave(hub, few), 1000)
