"""`kickoff_for_idle`: publishers that nobody plays. The clock is the test's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from model.access import request
from model.publication import OPTIONS, Site

from fastflv.access.request import Action
from fastflv.config.load import load_text
from fastflv.control.runtime import compile_runtime
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.lag import NO_STEPS

IDLE = replace(OPTIONS, idle=10.0)


class Link:
    sent = received = 0
    steps = NO_STEPS

    def drop(self, reason: EndReason) -> None:
        raise AssertionError("players stay")


@pytest.fixture
def site() -> Site:
    return Site()


def join(site: Site, source, id: str) -> Client:
    client = Client(replace(request(Action.PLAY), client_id=id), source.stream, Link(), site.loop.time())
    site.clients.add(client)
    return client


def leave(site: Site, client: Client) -> None:
    site.clients.remove(client, EndReason.PEER_CLOSED, site.loop.time())


def test_a_publisher_that_nobody_plays_is_disconnected_in_time(site):
    source = site.publish(IDLE)
    source.film()
    source.go_on(9)
    assert source.dropped == []
    source.go_on(3)
    assert source.dropped == [EndReason.IDLE]


def test_without_the_setting_nobody_is(site):
    source = site.publish(OPTIONS)
    source.film()
    source.go_on(60)
    assert source.dropped == []


def test_a_player_keeps_it_and_the_time_counts_from_the_last_that_leaves(site):
    source = site.publish(IDLE)
    source.film()
    first, second = join(site, source, "a"), join(site, source, "b")
    source.go_on(25)
    leave(site, first)
    source.go_on(5)
    leave(site, second)
    source.go_on(9)
    assert source.dropped == []
    source.go_on(3)
    assert source.dropped == [EndReason.IDLE]


def test_a_publisher_that_comes_back_has_the_whole_time(site):
    source = site.publish(IDLE)
    source.film()
    source.go_on(8)
    source.publication.end(EndReason.PEER_CLOSED)
    again = site.publish(IDLE, id="q")
    again.film()
    again.go_on(8)
    assert again.dropped == []
    again.go_on(4)
    assert again.dropped == [EndReason.IDLE] and source.dropped == []


def test_a_reload_sets_it_for_a_publish_that_runs(site):
    source = site.publish(OPTIONS)
    source.film()
    source.go_on(20)
    source.publication.adopt(IDLE)
    source.go_on(12)
    assert source.dropped == [EndReason.IDLE]
    other = site.publish(IDLE, id="q")
    other.film()
    other.publication.adopt(OPTIONS)
    other.go_on(20)
    assert other.dropped == []


def test_the_directive_is_what_the_publication_is_told():
    text = "listen 1; vhost __defaultVhost__ { publish { kickoff_for_idle 2.5; } }"
    assert compile_runtime(load_text(text), 1).vhosts["__defaultVhost__"].publish.idle == 2.5
