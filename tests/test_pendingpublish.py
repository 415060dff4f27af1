"""Pending publishes: admitted at once and later, refused, redirected, busy, given up. The clock is the test's."""

from __future__ import annotations

import gc
import logging
import weakref
from dataclasses import replace

import pytest
from model.access import Hook, request
from model.lowwater import Marked
from model.publication import NAME, OPTIONS, Site

from fastflv._ext.ingest.lowwater import LowWater
from fastflv.access.request import Action
from fastflv.access.verdict import ALLOW, Redirected, Refusal, Refused, forbid
from fastflv.stream.endreason import EndReason
from fastflv.stream.pendingpublish import PendingPublish, PublishFailure, PublishRefused
from fastflv.stream.publication import Publication

NO = forbid("'deny publish all' matches")


class Publisher:
    """One that asks to publish, and what it was told."""

    sent = 0

    def __init__(self, site: Site, id: str = "p", *, low_water: LowWater | None = None) -> None:
        self.told: list[object] = []
        self.options = OPTIONS
        self.pending = PendingPublish(
            site.publications,
            replace(request(Action.PUBLISH), client_id=id),
            NAME,
            self,
            options=lambda: self.options,
            admitted=self.told.append,
            refused=self.told.append,
            low_water=low_water,
        )
        self.pending.begin()

    @property
    def publication(self) -> Publication:
        (publication,) = self.told
        assert isinstance(publication, Publication)
        return publication

    def publication_dropped(self, publication: Publication, reason: EndReason) -> None:
        publication.end(reason)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def hook(site) -> Hook:
    """A rule that answers when the test says so."""
    hook = Hook()
    site.gate.rules.append(hook)
    return hook


def left_behind(site: Site) -> tuple[int, int, list]:
    return len(site.hub), len(site.clients), site.loop.timers


def test_a_publisher_that_is_allowed_at_once_publishes_within_the_call(site):
    publisher = Publisher(site)
    assert publisher.publication.stream is site.hub.find(NAME)
    (client,) = site.clients
    assert client.request is publisher.pending.request


def test_a_publisher_that_is_allowed_later_takes_the_name_then(site, hook):
    publisher = Publisher(site)
    assert (publisher.told, left_behind(site)) == ([], (0, 0, []))
    site.loop.advance(2)
    hook.answers[0](ALLOW)
    assert publisher.publication.stream is site.hub.find(NAME)
    assert [client.joined for client in site.clients] == [site.loop.time()]


@pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("verdict", "refused"),
    [
        (NO, PublishRefused(PublishFailure.FORBIDDEN, NO.reason)),
        (Refused(Refusal.UNAUTHORIZED, "no token"), PublishRefused(PublishFailure.UNAUTHORIZED, "no token")),
        (
            Redirected("rtmp://b.example/live/x"),
            PublishRefused(PublishFailure.REDIRECTED, "rtmp://b.example/live/x"),
        ),
    ],
    ids=["forbidden", "unauthorized", "redirected"],
)
def test_a_publisher_that_is_refused_is_told_why_and_so_is_the_log(site, caplog, late, verdict, refused):
    caplog.set_level(logging.INFO)
    hook = Hook()
    site.gate.rules.append(hook if late else lambda asked: verdict)
    publisher = Publisher(site)
    for answer in hook.answers:
        answer(verdict)
    assert (publisher.told, left_behind(site)) == ([refused], (0, 0, []))
    line = f"publisher p from 192.0.2.1 of {NAME.url} refused: {refused.failure.value}, {refused.reason}"
    assert caplog.messages == [line]


def test_of_two_that_wait_for_one_name_the_first_to_be_admitted_has_it(site, hook, caplog):
    caplog.set_level(logging.INFO)
    first, second = Publisher(site, "p"), Publisher(site, "q")
    hook.answers[1](ALLOW)
    assert not second.publication.ended
    hook.answers[0](ALLOW)
    why = f"stream {NAME.url} has a publisher already, client q"
    assert first.told == [PublishRefused(PublishFailure.BUSY, why)]
    assert caplog.messages[-1] == f"publisher p from 192.0.2.1 of {NAME.url} refused: busy, {why}"
    assert [client.id for client in site.clients] == ["q"]
    assert not second.publication.ended


def test_a_publish_begins_with_the_options_that_are_in_force_when_it_is_admitted(site, hook):
    publisher = Publisher(site)
    publisher.options = replace(OPTIONS, first_media=1.0, stream=replace(OPTIONS.stream, grace_ms=0))
    hook.answers[0](ALLOW)
    assert publisher.publication.stream.options == publisher.options.stream
    site.loop.advance(1.1)
    assert left_behind(site) == (0, 0, [])


def test_a_plain_socket_that_carries_nothing_else_is_woken_less_often(site):
    publisher = Publisher(site, low_water=Marked().water)
    assert publisher.publication.stream.wake is not None


def test_a_publisher_that_is_gone_before_the_answer_is_told_nothing(site, hook):
    publisher = Publisher(site)
    publisher.pending.cancel()
    publisher.pending.cancel()
    assert hook.cancelled == 1
    hook.answers[0](ALLOW)
    assert (publisher.told, left_behind(site)) == ([], (0, 0, []))


def test_a_publish_that_has_begun_does_not_end_with_its_request(site, hook):
    publisher = Publisher(site)
    hook.answers[0](ALLOW)
    publisher.pending.cancel()
    assert (hook.cancelled, publisher.publication.ended) == (0, False)


def test_the_gate_keeps_nothing_of_a_request_that_has_its_answer(site, hook):
    publisher = Publisher(site)
    hook.answers.pop()(NO)
    kept = weakref.ref(publisher)
    gc.disable()
    try:
        hook.asked.clear()
        # The test's own bound methods and lambda are the only other references.
        publisher.pending = None
        del publisher
        assert kept() is None
    finally:
        gc.enable()
