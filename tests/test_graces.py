"""Streams in grace: which of them end before their time, and which never do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from model.access import request
from model.flv import Feed, key
from model.loop import FakeLoop

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv.access.request import Action
from fastflv.stream.graces import Graces
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, StreamOptions


class Site:
    """Streams that publishers have left, each of a connection that its port names."""

    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.hub = Hub(lambda: "vid")
        self.graces = Graces(self.loop, self.hub)
        self.players: list[Cursor] = []

    def leave(self, name: str, port: int, *, played: bool = False):
        stream = self.hub.publish(StreamName("a.example", "live", name), StreamOptions(grace_ms=8000), "p", 0)
        Feed(stream.writer).video(0, key())
        if played:
            self.players.append(Cursor(stream.log))
        self.hub.unpublish(stream, int(self.loop.time() * 1000))
        self.graces.begin(stream, replace(request(Action.PUBLISH).peer, port=port))
        return stream

    def names(self) -> list[str]:
        return [stream.name.stream for stream in self.hub]


@pytest.fixture
def site():
    made = Site()
    yield made
    for player in made.players:
        player.close()


def test_a_connection_keeps_its_newest_streams(site, monkeypatch):
    monkeypatch.setattr(limits, "GRACES_PER_CONNECTION", 2)
    site.leave("other", 2)
    streams = [site.leave(name, 1) for name in "abcd"]
    assert site.names() == ["other", "c", "d"]
    assert [stream.phase for stream in streams] == [Phase.ENDED, Phase.ENDED, Phase.GRACE, Phase.GRACE]
    assert len(site.graces) == len(site.loop.timers) == 3


def test_all_connections_together_keep_the_newest_streams(site, monkeypatch):
    monkeypatch.setattr(limits, "GRACES_MAX", 3)
    for port in range(10):
        site.leave(str(port), port)
    assert site.names() == ["7", "8", "9"]


def test_a_stream_that_somebody_plays_is_not_ended_for_others(site, monkeypatch):
    monkeypatch.setattr(limits, "GRACES_PER_CONNECTION", 1)
    monkeypatch.setattr(limits, "GRACES_MAX", 2)
    site.leave("played", 1, played=True)
    for number in range(4):
        site.leave(str(number), 1)
    for number in range(4, 8):
        site.leave(str(number), number)
    assert site.names() == ["played", "6", "7"]


def test_a_stream_in_grace_frees_its_pictures_unless_a_player_lags(site):
    assert site.leave("unread", 1).log.kept_bytes == 0
    assert site.leave("played", 1, played=True).log.kept_bytes > 0


def test_graces_end_in_their_time_and_leave_no_timer(site):
    stream = site.leave("a", 1)
    site.loop.advance(7.9)
    assert stream.phase is Phase.GRACE
    site.loop.advance(0.2)
    assert (stream.phase, site.loop.timers, len(site.graces)) == (Phase.ENDED, [], 0)
    site.leave("b", 1)
    site.graces.cancel(StreamName("a.example", "live", "b"))
    assert (site.loop.timers, len(site.graces)) == ([], 0)
