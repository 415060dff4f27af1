"""Who has come and is no player or publisher yet, and who is gone."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from model.access import Hook, request
from model.flv import AAC_HEADER, AVC_HEADER, Feed, key, sound
from model.loop import FakeLoop, Unhurried

from fastflv import limits
from fastflv.access.gate import Gate
from fastflv.access.request import Action
from fastflv.access.verdict import ALLOW, forbid
from fastflv.playing.join import Join, Joins
from fastflv.stream.arrival import ClientState
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions

NAME = StreamName("a.example", "live", "x")


class Link:
    sent, received = 5, 7

    def drop(self, reason: EndReason) -> None:
        """Nobody is disconnected here."""


class Site:
    def __init__(self) -> None:
        ids = map(str, count())
        self.loop = FakeLoop()
        self.hub = Hub(lambda: next(ids))
        self.clients = Clients()
        self.gate = Gate(lambda vhost: ())
        self.joins = Joins(self.loop, self.hub, self.gate, Unhurried(self.loop), self.clients)
        self.answers: list[object] = []

    def join(self, id: str = "c1", ip: str = "192.0.2.1", on_missing: float = 5.0) -> Join:
        asked = replace(request(ip=ip), client_id=id)
        tell = self.answers.append
        join = Join(self.joins, asked, NAME, on_missing=on_missing, ready=tell, refused=tell)
        join.begin()
        return join

    def publish(self):
        stream = self.hub.publish(NAME, StreamOptions(), "publisher", 0)
        feed = Feed(stream.writer)
        for send, header, body in ((feed.audio, AAC_HEADER, sound()), (feed.video, AVC_HEADER, key())):
            send(0, header)
            send(0, body)
        self.hub.settle(stream, 0)
        return stream

    @property
    def states(self) -> dict[str, ClientState]:
        return {arrival.id: arrival.state for arrival, _ in self.clients.arrivals}

    @property
    def reasons(self) -> list[str]:
        return [ended.reason for ended in self.clients.history]


def test_a_player_is_listed_while_a_rule_is_asked_and_while_it_waits_for_its_stream():
    site, hook = Site(), Hook()
    site.gate.rules.append(hook)
    site.join()
    assert site.states == {"c1": ClientState.ASKING}
    hook.answers[0](ALLOW)
    assert site.states == {"c1": ClientState.WAITING}
    site.publish()
    assert (site.states, site.reasons, len(site.answers)) == ({}, [], 1)


def test_a_player_whose_stream_is_there_is_never_listed():
    site = Site()
    stream = site.publish()
    site.join()
    assert (site.answers, site.states, site.reasons) == ([stream], {}, [])


def test_a_refusal_is_remembered_with_its_reason_however_early_it_came():
    site = Site()
    site.gate.rules.append(lambda request: forbid("'deny play all' matches"))
    site.join()
    assert (site.states, site.reasons) == ({}, ["forbidden: 'deny play all' matches"])


def test_a_wait_that_was_in_vain_is_remembered_with_its_time():
    site = Site()
    site.join()
    site.loop.advance(5.0)
    [ended] = site.clients.history
    assert site.states == {}
    assert (ended.reason, ended.seconds) == ("missing: no stream a.example/live/x is live", 5.0)
    assert (ended.admitted, ended.publish, ended.url) == (False, False, "a.example/live/x")


def test_a_player_that_leaves_while_it_waits_is_remembered_once():
    site = Site()
    join = site.join()
    join.cancel()
    join.cancel()
    assert (site.states, site.reasons) == ({}, ["peer closed"])


@pytest.mark.parametrize("asking", [True, False])
def test_a_player_that_waits_can_be_disconnected(asking):
    site, hook = Site(), Hook()
    if asking:
        site.gate.rules.append(hook)
    site.join().drop(EndReason.KICKED)
    assert (site.states, site.reasons) == ({}, ["forbidden: disconnected by the API"])
    assert len(site.answers) == 1
    assert hook.cancelled == asking
    site.publish()
    assert len(site.answers) == 1


def test_nobody_takes_the_place_of_another_by_its_id():
    site = Site()
    site.join()
    other = site.join(ip="192.0.2.2")
    [(listed, _)] = site.clients.arrivals
    assert listed.peer.ip == "192.0.2.1"
    other.cancel()
    assert site.states == {"c1": ClientState.WAITING}


def test_who_becomes_a_player_is_listed_once():
    site = Site()
    site.join()
    [(join, _)] = site.clients.arrivals
    stream = site.hub.publish(NAME, StreamOptions(), "publisher", 0)
    site.clients.add(Client(join.request, stream, Link(), 0.0))
    assert (len(site.clients), site.states) == (1, {})
    site.clients.arrivals.add(join, 1.0)
    assert site.states == {}


def test_watchers_are_told_of_those_who_joined_and_of_nobody_else():
    site = Site()
    told: list[tuple[object, ...]] = []

    class Watcher:
        def client_joined(self, client):
            told.append(("joined", client.id))
            raise RuntimeError("a watcher that fails")

        def client_left(self, client, reason):
            told.append(("left", client.id, reason))

    watcher = Watcher()
    site.clients.joined.append(watcher.client_joined)
    site.clients.left.append(watcher.client_left)
    site.join("c0", on_missing=0.0).cancel()
    stream = site.publish()
    client = Client(request(Action.PUBLISH), stream, Link(), 0.0)
    site.clients.add(client)
    for _ in range(2):
        site.clients.remove(client, EndReason.STOPPED, 2.0)
    assert told == [("joined", "c1"), ("left", "c1", EndReason.STOPPED)]


def test_a_client_that_is_gone_is_remembered_with_what_it_moved():
    site = Site()
    client = Client(request(Action.PUBLISH), site.publish(), Link(), 0.0)
    site.clients.add(client)
    site.clients.remove(client, EndReason.SILENT, 2.0)
    [ended] = site.clients.history
    assert (ended.id, ended.admitted, ended.publish, ended.reason) == ("c1", True, True, "silent")
    assert (ended.sent, ended.received, ended.seconds) == (5, 7, 2.0)


def test_the_history_is_bounded_in_number_and_in_bytes(monkeypatch):
    monkeypatch.setattr(limits, "ENDED_CLIENTS_MAX", 3)
    site = Site()
    for number in range(5):
        site.join(str(number), on_missing=0.0).cancel()
        site.loop.advance(2.0)
    for number in range(5):
        site.join(str(number)).cancel()
    assert [ended.id for ended in site.clients.history] == ["4", "3", "2"]
    monkeypatch.setattr(limits, "ENDED_CLIENTS_BYTES_MAX", 1000)
    site.join("5").cancel()
    assert [ended.id for ended in site.clients.history] == ["5", "4"]
