"""Searches of a pull that bring nothing: whose parameters count next, and what it costs where many watch other streams."""

from __future__ import annotations

from dataclasses import replace

import pytest
from model.access import request
from model.loop import Unhurried
from model.publication import NAME, OPTIONS, Site

from fastflv import limits
from fastflv.access.request import Action
from fastflv.cluster.options import EdgeOptions
from fastflv.cluster.origins import Origins
from fastflv.cluster.pulls import Pulls
from fastflv.cluster.upstream import Dialer
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.lag import NO_STEPS
from fastflv.stream.stream import Stream


class Link:
    """Of a viewer who is sent nothing."""

    sent = received = 0
    steps = NO_STEPS


class Bystander(Client):
    """A viewer of another stream, who notes each look at what he watches."""

    looks = 0

    @property
    def stream(self) -> Stream:
        Bystander.looks += 1
        return self.watched

    @stream.setter
    def stream(self, stream: Stream) -> None:
        self.watched = stream


class Edge(Pulls):
    """Pulls without an origin: each search fails at once, and is noted by the scheme that it is made for."""

    def __init__(self, site: Site) -> None:
        self.asked: list[str] = []
        dialer = Dialer(site.loop, Unhurried(site.loop), None, {})
        origins = Origins(site.loop, None, lambda address: False)
        super().__init__(dialer, site.publications, origins, lambda name: EdgeOptions(()))

    def origins_of(self, name, options, scheme):
        self.asked.append(scheme)
        return []


def watch(site: Site, stream: Stream, id: str, scheme: str = "http", kind: type[Client] = Client) -> Client:
    asked = replace(request(Action.PLAY), client_id=id, scheme=scheme)
    client = kind(asked, stream, Link(), 0.0)
    site.clients.add(client)
    return client


@pytest.fixture
def edge():
    """An edge, the stream that it has lost, and its viewers."""
    site = Site()
    edge = Edge(site)
    source = site.publish(replace(OPTIONS, stream=replace(OPTIONS.stream, grace_ms=1_000_000)))
    source.film()
    viewers = [watch(site, source.stream, scheme, scheme) for scheme in ("http", "rtmp", "https")]
    # One more who asks as another one does.
    watch(site, source.stream, "again", "rtmp")
    source.publication.end(EndReason.PEER_CLOSED)
    edge.resume(source.stream, viewers[0].request)
    return site, edge, viewers


def searches(site: Site, count: int) -> None:
    site.loop.advance(count * limits.PULL_RETRY_SECONDS)


def test_each_search_is_made_for_the_next_viewer_who_asks_in_another_way(edge):
    site, edge, viewers = edge
    searches(site, 4)
    assert edge.asked == ["http", "rtmp", "https", "http", "rtmp"]
    # Those who have left, or went to another process, count no more; the next search was theirs already.
    site.clients.remove(viewers[2], EndReason.PEER_CLOSED, 0.0)
    site.clients.part(viewers[0])
    edge.asked.clear()
    searches(site, 4)
    assert edge.asked == ["https", "rtmp", "rtmp", "rtmp"]


def test_a_search_that_fails_looks_at_no_viewer_of_another_stream(edge):
    site, edge, _ = edge
    other = site.publish(name=NAME._replace(stream="other"), id="q").stream
    for number in range(10_000):
        watch(site, other, str(number), kind=Bystander)
    Bystander.looks = 0
    edge.asked.clear()
    searches(site, 5)
    assert len(edge.asked) == 5
    assert Bystander.looks == 0
