"""Joins: allowed at once and later, refused, redirected, missing, unplayable, given up. The clock is the test's."""

from __future__ import annotations

import asyncio
import logging
from itertools import count

import pytest
import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from model.access import Hook, request
from model.flv import AAC_HEADER, AVC_HEADER, Feed, key, sound
from model.loop import FakeLoop, Unhurried

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv.access.gate import Gate
from fastflv.access.verdict import ALLOW, Redirected, Refusal, Refused, forbid
from fastflv.containers.variant import Variant
from fastflv.playing.join import Join, JoinFailure, JoinRefused, Joins
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions

NAME = StreamName("a.example", "live", "x")
OPTIONS = StreamOptions(grace_ms=0)
NO = forbid("'deny play all' matches")


class Site:
    """A hub and a gate, and players that join."""

    def __init__(self, loop=None) -> None:
        ids = map(str, count())
        self.loop = loop or FakeLoop()
        self.hub = Hub(lambda: next(ids))
        self.gate = Gate(lambda vhost: ())
        self.joins = Joins(self.loop, self.hub, self.gate, Unhurried(self.loop), Clients())

    def ask_later(self) -> Hook:
        hook = Hook()
        self.gate.rules.append(hook)
        return hook

    def publish(self, *, tracks: str = "av", name: StreamName = NAME):
        """Publish; the tracks are known once both were there."""
        stream = self.hub.publish(name, OPTIONS, "publisher", self.now_ms)
        feed = Feed(stream.writer)
        for kind, header, body in (("a", AAC_HEADER, sound()), ("v", AVC_HEADER, key())):
            if kind in tracks:
                send = feed.audio if kind == "a" else feed.video
                send(0, header)
                send(0, body)
        self.hub.settle(stream, self.now_ms)
        return stream

    @property
    def now_ms(self) -> int:
        return int(self.loop.time() * 1000)

    @property
    def left_behind(self) -> tuple[int, int]:
        """Requests that wait in the hub, timers."""
        return self.hub.waiting, len(self.loop.timers)


class Player:
    """One that joins, and what it was told."""

    def __init__(self, site: Site, *, on_missing: float = 5.0, ask: bool = True, name=NAME, **more) -> None:
        self.told: list[object] = []
        self.join = Join(
            site.joins,
            request(),
            name,
            on_missing=on_missing,
            ready=self.told.append,
            refused=self.told.append,
            **more,
        )
        self.join.begin(ask=ask)


@pytest.fixture
def site() -> Site:
    return Site()


# --- the gate ---


def test_a_player_that_is_allowed_at_once_has_its_stream_within_the_call(site):
    stream = site.publish()
    assert Player(site).told == [stream]
    assert site.left_behind == (0, 0)


def test_a_player_that_is_allowed_later_has_its_stream_then(site):
    stream, hook = site.publish(), site.ask_later()
    player = Player(site)
    site.loop.advance(2)
    assert player.told == []
    hook.answers[0](ALLOW)
    assert player.told == [stream]
    assert site.left_behind == (0, 0)


@pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("verdict", "refused"),
    [
        (NO, JoinRefused(JoinFailure.FORBIDDEN, NO.reason)),
        (
            Refused(Refusal.UNAUTHORIZED, "no token"),
            JoinRefused(JoinFailure.UNAUTHORIZED, "no token"),
        ),
        (
            Redirected("http://b.example/live/x.flv"),
            JoinRefused(JoinFailure.REDIRECTED, "http://b.example/live/x.flv"),
        ),
    ],
    ids=["forbidden", "unauthorized", "redirected"],
)
def test_a_player_that_the_gate_does_not_allow_is_told_why(site, caplog, verdict, refused, late):
    caplog.set_level(logging.INFO)
    site.publish()
    if late:
        hook = site.ask_later()
        player = Player(site)
        hook.answers[0](verdict)
    else:
        site.gate.rules.append(lambda request: verdict)
        player = Player(site)
    assert player.told == [refused]
    assert site.left_behind == (0, 0)
    line = f"player c1 from 192.0.2.1 of a.example/live/x refused: {refused.failure.value}, {refused.reason}"
    assert caplog.messages == [line]


def test_a_refused_player_does_not_learn_whether_the_stream_is_there(site):
    site.gate.rules.append(lambda request: NO)
    absent = Player(site)
    site.publish()
    assert absent.told == Player(site).told == [JoinRefused(JoinFailure.FORBIDDEN, NO.reason)]


def test_a_viewer_that_was_admitted_before_is_not_asked_again(site):
    stream, hook = site.publish(), site.ask_later()
    assert Player(site, ask=False).told == [stream]
    assert hook.asked == []


def test_a_request_that_is_answered_once_it_is_admitted_looks_for_no_stream(site):
    hook, admitted = site.ask_later(), []

    def answer() -> bool:
        admitted.append(True)
        return True

    player = Player(site, admitted=answer)
    assert admitted == []
    hook.answers[0](ALLOW)
    assert (admitted, player.told, site.left_behind) == ([True], [], (0, 0))


def test_a_request_that_is_not_answered_once_it_is_admitted_goes_on(site):
    stream = site.publish()
    assert Player(site, admitted=lambda: False).told == [stream]


def test_a_refused_request_is_not_admitted(site):
    site.gate.rules.append(lambda request: NO)
    player = Player(site, admitted=lambda: pytest.fail("it was refused"))
    assert [told.failure for told in player.told] == [JoinFailure.FORBIDDEN]


# --- a stream that is not there ---


def test_a_player_waits_for_an_absent_stream_and_for_its_tracks(site):
    player = Player(site)
    stream = site.publish(tracks="v")
    assert (player.told, site.hub.waiting) == ([], 1)
    site.loop.advance(limits.SETTLE_MS / 1000)
    site.hub.settle(stream, site.now_ms)
    assert player.told == [stream]
    assert site.left_behind == (0, 0)


def test_a_player_whose_stream_does_not_come_is_told_so_after_on_missing(site):
    player = Player(site, on_missing=5)
    site.loop.advance(4.99)
    assert player.told == []
    site.loop.advance(0.02)
    assert player.told == [JoinRefused(JoinFailure.MISSING, "no stream a.example/live/x is live", 5)]
    assert site.left_behind == (0, 0)
    site.publish()
    assert len(player.told) == 1


def test_the_wait_for_a_stream_begins_when_the_gate_has_allowed(site):
    hook = site.ask_later()
    player = Player(site, on_missing=5)
    site.loop.advance(60)
    hook.answers[0](ALLOW)
    site.loop.advance(4.9)
    assert player.told == []
    stream = site.publish()
    assert player.told == [stream]


def test_with_on_missing_0_an_absent_stream_is_missing_at_once(site):
    assert Player(site, on_missing=0).told == [
        JoinRefused(JoinFailure.MISSING, "no stream a.example/live/x is live", 1.0)
    ]
    assert site.left_behind == (0, 0)


def test_with_on_missing_0_a_stream_that_is_there_is_waited_for_until_its_tracks_are_known(site):
    stream = site.publish(tracks="v")
    player = Player(site, on_missing=0)
    site.loop.advance(limits.SETTLE_MS / 1000)
    assert limits.SETTLE_MS / 1000 < limits.MISSING_SECONDS_MIN
    site.hub.settle(stream, site.now_ms)
    assert player.told == [stream]


def test_tracks_that_never_show_up_are_waited_for_no_longer_than_a_missing_stream(site):
    site.publish(tracks="")
    player = Player(site, on_missing=0)
    site.loop.advance(limits.MISSING_SECONDS_MIN + 0.01)
    assert [told.failure for told in player.told] == [JoinFailure.MISSING]
    assert site.left_behind == (0, 0)


@pytest.mark.parametrize("verdict", [NO, Redirected("http://b.example/live/x.flv")])
def test_rules_that_change_while_a_player_waits_for_its_stream_count(site, verdict):
    player = Player(site)
    site.gate.rules.append(lambda request: verdict)
    site.publish()
    failure = JoinFailure.FORBIDDEN if verdict is NO else JoinFailure.REDIRECTED
    assert [told.failure for told in player.told] == [failure]
    assert site.left_behind == (0, 0)


def test_a_late_rule_is_asked_once_though_its_player_waits_for_the_stream_too(site):
    hook = site.ask_later()
    player = Player(site)
    hook.answers[0](ALLOW)
    stream = site.publish()
    assert (player.told, len(hook.asked)) == ([stream], 1)


# --- variants ---


@pytest.mark.parametrize("late", [False, True], ids=["stream first", "player first"])
def test_a_stream_that_cannot_be_what_is_asked_for_is_refused_with_the_reason(site, late):
    name = NAME
    if late:
        player = Player(site, variant=Variant("flv", video=False))
    stream = site.publish(tracks="v")
    site.loop.advance(limits.SETTLE_MS / 1000)
    site.hub.settle(stream, site.now_ms)
    if not late:
        player = Player(site, variant=Variant("flv", video=False))
    (refused,) = player.told
    assert refused.failure is JoinFailure.UNPLAYABLE
    assert refused.reason == f"`{name.url}` has no audio, and nothing else was asked for"
    assert site.left_behind == (0, 0)


def test_a_stream_that_can_be_what_is_asked_for_is_given(site):
    stream = site.publish()
    assert Player(site, variant=Variant("flv", video=False)).told == [stream]


def test_a_choice_without_room_is_refused_until_one_that_nobody_plays_makes_room(site, monkeypatch):
    monkeypatch.setattr(limits, "CHOICES_MAX", 2)
    stream = site.publish()
    # RTMP of a choice is made of its FLV: two logs.
    read = Cursor(stream.open(Variant("rtmp", video=False, chunk_size=4096)).log)
    (refused,) = Player(site, variant=Variant(audio=False)).told
    assert (refused.failure, refused.retry_after) == (JoinFailure.NO_ROOM, limits.NO_ROOM_SECONDS)
    assert refused.reason == "2 choices of the stream are being played, as many as there may be at once"
    for same in (
        Variant(),
        Variant(video=False),
        Variant("ts"),
        Variant("rtmp", chunk_size=60_000, stream_id=1),
    ):
        assert Player(site, variant=same).told == [stream]
    read.close()
    assert Player(site, variant=Variant(audio=False)).told == [stream]


def test_choices_are_bounded_in_bytes_too(site, monkeypatch):
    monkeypatch.setattr(limits, "CHOICE_BYTES_MAX", 100)
    stream = site.publish()
    read = Cursor(stream.open(Variant(audio=False)).log)
    (refused,) = Player(site, variant=Variant(video=False)).told
    assert refused.failure is JoinFailure.NO_ROOM
    assert "1 choices of the stream take 0 MiB" in refused.reason
    read.close()


# --- peers that are lost ---


def test_a_peer_that_is_lost_while_the_gate_waits_is_told_nothing(site):
    site.publish()
    hook = site.ask_later()
    player = Player(site)
    player.join.cancel()
    assert hook.cancelled == 1
    hook.answers[0](ALLOW)
    player.join.cancel()
    assert (player.told, hook.cancelled, site.left_behind) == ([], 1, (0, 0))


def test_a_peer_that_is_lost_while_it_waits_for_a_stream_is_told_nothing(site):
    player = Player(site)
    assert site.left_behind == (1, 1)
    player.join.cancel()
    assert site.left_behind == (0, 0)
    site.publish()
    site.loop.advance(60)
    assert player.told == []


def test_a_peer_that_is_lost_as_its_stream_appears_is_told_nothing(site):
    players: list[Player] = []
    site.hub.wait(NAME, lambda stream: players[0].join.cancel())
    players.append(Player(site))
    site.publish()
    assert players[0].told == []
    assert site.left_behind == (0, 0)


def test_a_join_that_was_answered_may_be_cancelled(site):
    stream = site.publish()
    player = Player(site)
    player.join.cancel()
    assert player.told == [stream]


# --- one does not delay another ---


def test_an_answer_that_is_late_delays_nobody_else(site):
    stream, hook = site.publish(), Hook()
    site.gate.rules.append(hook)
    slow = Player(site)
    site.gate.rules.remove(hook)
    others = [Player(site) for _ in range(10)]
    assert [other.told for other in others] == [[stream]] * 10
    assert slow.told == []
    hook.answers[0](ALLOW)
    assert slow.told == [stream]


def test_answers_come_in_any_order(site):
    stream, hook = site.publish(), site.ask_later()
    players = [Player(site) for _ in range(4)]
    for number in (2, 0, 3, 1):
        hook.answers[number](ALLOW if number % 2 else NO)
        assert len(players[number].told) == 1
    refused = JoinRefused(JoinFailure.FORBIDDEN, NO.reason)
    assert [player.told[0] for player in players] == [refused, stream, refused, stream]


def test_a_player_that_fails_at_its_start_takes_nothing_from_those_that_wait_with_it(site, caplog):
    def broken(stream) -> None:
        raise RuntimeError("broken")

    join = Join(site.joins, request(), NAME, on_missing=5, ready=broken, refused=broken)
    join.begin()
    other = Player(site)
    stream = site.publish()
    assert other.told == [stream]
    assert "RuntimeError: broken" in caplog.text
    assert site.left_behind == (0, 0)


def test_in_a_real_loop_a_gate_that_takes_its_time_holds_up_no_other_player():
    async def run() -> None:
        site = Site(asyncio.get_running_loop())
        stream, hook = site.publish(), Hook()
        site.gate.rules.append(lambda asked: ALLOW)
        site.gate.rules.append(hook)
        order: list[str] = []
        both = asyncio.Event()

        def answered(who: str) -> None:
            order.append(who)
            if len(order) == 2:
                both.set()

        def join(who: str, name: StreamName, ask: bool) -> None:
            Join(
                site.joins, request(), name, on_missing=30, refused=order.append, ready=lambda _: answered(who)
            ).begin(ask=ask)  # fmt: skip

        join("late", NAME, True)
        waits = NAME._replace(stream="y")
        join("other", waits, False)
        site.loop.call_soon(lambda: site.publish(name=waits))
        site.loop.call_later(0.2, lambda: hook.answers[0](ALLOW))
        await asyncio.wait_for(both.wait(), 20)
        assert order == ["other", "late"]
        assert stream.settled

    uvloop.run(run())


class AnyOrder(RuleBasedStateMachine):
    """Any order of joins, answers, publishes, ends and time: each player is told once at most, as a slow model says."""

    players = Bundle("players")

    def __init__(self) -> None:
        super().__init__()
        self.site = Site()
        self.hook = self.site.ask_later()
        self.state: dict[Player, tuple[str, float]] = {}
        "Of each player: asked, waiting (and until when), or its end."

    @rule(target=players)
    def join(self):
        player = Player(self.site, on_missing=5)
        self.state[player] = ("asked", float(len(self.hook.answers) - 1))
        return player

    @rule(player=players, allow=st.booleans())
    def answer(self, player, allow):
        state, number = self.state[player]
        if state != "asked":
            return
        self.hook.answers[int(number)](ALLOW if allow else NO)
        if not allow:
            self.state[player] = ("forbidden", 0)
        elif self.site.hub.find(NAME) is not None:
            self.state[player] = ("ready", 0)
        else:
            self.state[player] = ("waiting", self.site.loop.now + 5)

    @rule(player=players)
    def cancel(self, player):
        player.join.cancel()
        if self.state[player][0] in ("asked", "waiting"):
            self.state[player] = ("lost", 0)

    @rule()
    def publish(self):
        if self.site.hub.find(NAME) is None:
            self.site.publish()
            for player, (state, _) in self.state.items():
                if state == "waiting":
                    self.state[player] = ("ready", 0)

    @rule()
    def end(self):
        stream = self.site.hub.find(NAME)
        if stream is not None:
            self.site.hub.unpublish(stream, self.site.now_ms)

    @rule(seconds=st.sampled_from([0.5, 3.0]))
    def wait(self, seconds):
        self.site.loop.advance(seconds)
        for player, (state, until) in self.state.items():
            if state == "waiting" and until <= self.site.loop.now:
                self.state[player] = ("missing", 0)

    @invariant()
    def players_were_told_what_the_model_says(self):
        for player, (state, _) in self.state.items():
            told = [each.failure.value if isinstance(each, JoinRefused) else "ready" for each in player.told]
            assert told == ([] if state in ("asked", "waiting", "lost") else [state])
        waiting = sum(state == "waiting" for state, _ in self.state.values())
        assert self.site.left_behind == (waiting, waiting)


AnyOrder.TestCase.settings = settings(max_examples=60, deadline=None)
TestAnyOrder = AnyOrder.TestCase
