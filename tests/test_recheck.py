"""The recheck after a reload: every client is asked about once, some of them in each turn of the loop."""

from __future__ import annotations

from dataclasses import replace

from model.access import request
from model.loop import FakeLoop

from fastflv.access.gate import Gate
from fastflv.access.request import Action
from fastflv.access.verdict import ALLOW, forbid
from fastflv.control.recheck import Recheck
from fastflv.net.turns import Turns
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.histogram import Delays
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions


class TurnsOfTwo(Turns):
    """Turns with time for two clients each, that the test begins."""

    def __init__(self) -> None:
        super().__init__(FakeLoop())  # type: ignore[arg-type]
        self.left = 2
        self.waiting: list = []

    def open(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def queue(self, go_on) -> None:
        self.waiting.append(go_on)

    def begin(self) -> None:
        self.left = 2
        waiting, self.waiting = self.waiting, []
        for go_on in waiting:
            go_on()


class Link:
    sent = received = 0

    def __init__(self) -> None:
        self.dropped: list[EndReason] = []

    def drop(self, reason: EndReason) -> None:
        self.dropped.append(reason)


class Site:
    """Five publishers, of which the gate refuses those in `refused`."""

    def __init__(self) -> None:
        self.turns, self.clients = TurnsOfTwo(), Clients()
        self.refused: set[str] = set()
        gate = Gate(lambda vhost: (self.judge,))
        self.recheck = Recheck(self.turns, self.clients, gate)
        stream = Stream(StreamName("v", "live", "x"), StreamOptions(), id="1", now_ms=0, delays=Delays())
        self.links = [Link() for _ in range(5)]
        self.all = [
            Client(replace(request(Action.PUBLISH), client_id=str(number)), stream, link, 0.0)
            for number, link in enumerate(self.links)
        ]
        for client in self.all:
            self.clients.add(client)
        self.done: list[int] = []
        self.asked: list[str] = []

    def judge(self, asked):
        self.asked.append(asked.client_id)
        return forbid("no") if asked.client_id in self.refused else ALLOW

    @property
    def dropped(self) -> list[int]:
        return [number for number, link in enumerate(self.links) if link.dropped]


def test_those_that_are_refused_are_disconnected_some_in_each_turn():
    site = Site()
    site.refused = {"0", "2", "4"}
    site.recheck.begin(site.done.append)
    assert site.asked == ["0", "1"] and site.dropped == [0] and not site.done
    site.turns.begin()
    assert site.dropped == [0, 2] and not site.done
    site.turns.begin()
    assert site.dropped == [0, 2, 4] and site.done == [3]
    assert not site.turns.waiting


def test_one_that_left_meanwhile_is_not_asked_about():
    site = Site()
    site.recheck.begin(site.done.append)
    site.clients.remove(site.all[2], EndReason.PEER_CLOSED, 1.0)
    while site.turns.waiting:
        site.turns.begin()
    assert site.asked == ["0", "1", "3", "4"] and site.done == [0]


def test_the_rules_of_a_second_reload_count_for_all():
    site = Site()
    site.refused = {"0", "4"}
    site.recheck.begin(site.done.append)
    site.refused = {"1"}
    again: list[int] = []
    site.recheck.begin(again.append)
    assert site.done == [1]
    while site.turns.waiting:
        site.turns.begin()
    assert site.asked == ["0", "1", *"01234"]
    assert site.dropped == [0, 1] and again == [1]
