"""Publications: client entry, timers of silence and grace, tracks, low water, ends. The clock is the test's."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, inter, key, sound
from model.lowwater import Marked
from model.publication import NAME, OPTIONS, Site, Source

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv.errors import StreamBusyError
from fastflv.media.amf import amf0
from fastflv.stream.endreason import EndReason
from fastflv.stream.stream import Phase, StreamOptions

BRIEF = 0.01
"A look may be this much late, seconds."


@pytest.fixture
def site() -> Site:
    return Site()


# --- the client entry ---


def test_a_publisher_is_a_client_from_its_begin_to_its_end(site, caplog):
    caplog.set_level(logging.INFO)
    site.loop.advance(7)
    source = site.publish()
    (client,) = site.clients
    assert (client.id, client.publish, client.joined) == ("p", True, 1007.0)
    assert client.stream is source.stream is site.hub.find(NAME)
    assert (source.stream.publisher_id, source.publication.ended) == ("p", False)
    source.film()
    site.loop.advance(2.5)
    source.publication.end(EndReason.STOPPED)
    assert (len(site.clients), source.publication.ended) == (0, True)
    size = len(AAC_HEADER + AVC_HEADER + key() + sound())
    assert caplog.messages == [
        "publisher p from 192.0.2.1 publishes a.example/live/x",
        f"publisher p of a.example/live/x left: stopped; {size} bytes in 2.5 s, 0 clock repairs",
    ]


def test_a_publish_counts_its_own_bytes_alone(site):
    first = site.publish()
    first.film()
    first.publication.end(EndReason.STOPPED)
    second = site.publish()
    assert (second.stream, second.publication.received, second.publication.sent) == (first.stream, 0, 0)
    second.film()
    second.sent += 50
    assert second.publication.received == len(AAC_HEADER + AVC_HEADER + key() + sound())
    assert second.publication.sent == 50
    second.publication.end(EndReason.STOPPED)
    assert site.clients.received_before == 2 * second.publication.received


def test_a_second_publisher_is_refused_and_the_first_goes_on(site):
    first = site.publish()
    first.film()
    timers = len(site.loop.timers)
    with pytest.raises(StreamBusyError, match=r"a.example/live/x has a publisher already, client p"):
        site.publish(id="q")
    assert [client.id for client in site.clients] == ["p"]
    assert len(site.loop.timers) == timers
    first.go_on(30)
    assert (first.dropped, first.stream.phase) == ([], Phase.LIVE)


def test_publishers_of_other_names_and_vhosts_are_not_busy(site):
    others = (NAME._replace(stream="y"), NAME._replace(app="b"), NAME._replace(vhost="b.example"))
    for name in (NAME, *others):
        site.publish(name=name, id=name.url)
    assert len(site.clients) == len(site.hub) == 4


# --- ends ---


@pytest.mark.parametrize("reason", EndReason)
def test_a_publish_ends_once_with_its_reason_and_leaves_no_timer(site, caplog, reason):
    caplog.set_level(logging.INFO)
    source = site.publish(replace(OPTIONS, stream=StreamOptions(grace_ms=0)), low_water=Marked().water)
    source.film()
    source.publication.end(reason)
    source.publication.end(EndReason.KICKED)
    assert [f"left: {reason};" in message for message in caplog.messages] == [False, True]
    assert (len(site.hub), len(site.clients), site.loop.timers) == (0, 0, [])
    assert (source.stream.phase, source.dropped) == (Phase.ENDED, [])


def test_a_dropped_publisher_is_told_once(site):
    source = site.publish()
    (client,) = site.clients
    client.link.drop(EndReason.KICKED)
    client.link.drop(EndReason.FORBIDDEN)
    assert source.dropped == [EndReason.KICKED]
    source.publication.end(EndReason.PEER_CLOSED)
    assert len(site.clients) == 0


def test_what_was_read_last_is_published_before_the_end(site):
    source = site.publish()
    source.film()
    log = source.stream.log
    player = Cursor(log)
    source.publication.begin_read(site.loop.time())
    source.feed.reader.deliver(VIDEO, 40, 1, inter(b"last"))
    assert b"last" not in log.read(log.tail, log.head)
    source.publication.end(EndReason.PEER_CLOSED)
    assert b"last" in log.read(log.tail, log.head)
    player.close()


def test_a_publish_whose_stream_the_server_has_ended_ends_in_peace(site):
    source = site.publish()
    source.film()
    site.hub.end_all()
    source.publication.end(EndReason.SERVER_STOPS)
    assert (len(site.clients), site.loop.timers) == (0, [])


# --- silence ---


def test_a_publisher_without_any_media_is_disconnected_after_the_time_for_the_first(site, caplog):
    caplog.set_level(logging.INFO)
    source = site.publish()
    site.loop.advance(OPTIONS.first_media - BRIEF)
    assert source.dropped == []
    site.loop.advance(2 * BRIEF)
    assert source.dropped == [EndReason.SILENT]
    assert "publisher of a.example/live/x is disconnected: no media for 20 s" in caplog.messages


def test_a_publisher_that_falls_silent_is_disconnected_after_the_time_for_silence(site, caplog):
    caplog.set_level(logging.INFO)
    source = site.publish()
    source.film()
    source.go_on(60)
    assert source.dropped == []
    site.loop.advance(OPTIONS.silence - 0.04 - BRIEF)
    assert source.dropped == []
    site.loop.advance(2 * BRIEF)
    assert source.dropped == [EndReason.SILENT]
    assert "publisher of a.example/live/x is disconnected: no media for 5 s" in caplog.messages


def test_a_publisher_whose_media_lies_behind_that_of_many_others_is_not_silent(site):
    source = site.publish(low_water=Marked().water)
    source.film()
    site.loop.advance(OPTIONS.silence + BRIEF)
    assert source.dropped == []
    source.go_on(0.04)
    site.loop.advance(OPTIONS.silence - BRIEF)
    assert source.dropped == []
    site.loop.advance(2 * BRIEF + limits.WATCH_SECONDS_MIN + limits.LATE_SECONDS)
    assert source.dropped == [EndReason.SILENT]


@pytest.mark.parametrize("late", [0.0, 1.0, 4.9, 5.1, 12.3, 19.9])
def test_the_first_media_begins_the_time_for_silence_whenever_it_comes(site, late):
    source = site.publish()
    site.loop.advance(late)
    source.film()
    site.loop.advance(OPTIONS.silence - BRIEF)
    assert source.dropped == []
    site.loop.advance(2 * BRIEF + limits.WATCH_SECONDS_MIN)
    assert source.dropped == [EndReason.SILENT]


def test_reads_that_bring_no_media_do_not_count(site):
    source = site.publish()
    source.film()
    for _ in range(10):
        site.loop.advance(0.5)
        source.read()
    site.loop.advance(BRIEF)
    assert source.dropped == [EndReason.SILENT]


def test_script_data_alone_is_not_media(site):
    source = site.publish()
    for _ in range(5):
        source.publication.take_script("onMetaData", amf0.encode("onMetaData", {"width": 640.0}), 0)
        source.read()
        site.loop.advance(4.0)
    site.loop.advance(BRIEF)
    assert source.dropped == [EndReason.SILENT]


def test_a_shorter_time_for_the_first_media_than_for_silence_counts_as_it_says(site):
    source = site.publish(replace(OPTIONS, first_media=2.0, silence=10.0))
    site.loop.advance(2.0 + BRIEF)
    assert source.dropped == [EndReason.SILENT]


def test_no_setting_makes_the_watch_look_without_a_pause(site):
    source = site.publish(replace(OPTIONS, first_media=3.0, silence=0.0))
    looks = 0
    while not source.dropped:
        (timer,) = site.loop.timers
        site.loop.advance(timer.when() - site.loop.now)
        looks += 1
    assert looks <= 3.0 / limits.WATCH_SECONDS_MIN + 1


def test_a_new_time_for_silence_counts_for_a_running_publish(site):
    source = site.publish()
    source.film()
    site.loop.advance(3)
    source.publication.adopt(replace(OPTIONS, silence=30.0))
    assert len(site.loop.timers) == 1
    site.loop.advance(26.9)
    assert source.dropped == []
    site.loop.advance(0.1 + BRIEF)
    assert source.dropped == [EndReason.SILENT]


def test_a_new_time_that_is_over_already_ends_a_silent_publish_at_once(site):
    source = site.publish()
    source.film()
    site.loop.advance(3)
    source.publication.adopt(replace(OPTIONS, silence=2.0))
    site.loop.advance(0)
    assert source.dropped == [EndReason.SILENT]


def test_a_publish_that_ended_adopts_nothing(site):
    source = site.publish(replace(OPTIONS, stream=StreamOptions(grace_ms=0)))
    source.publication.end(EndReason.STOPPED)
    source.publication.adopt(replace(OPTIONS, silence=0.0))
    assert (source.dropped, site.loop.timers) == ([], [])


# --- grace ---


def test_a_stream_ends_when_no_publisher_returns_within_the_grace_period(site, caplog):
    caplog.set_level(logging.INFO)
    source = site.publish()
    source.film()
    source.publication.end(EndReason.PEER_CLOSED)
    assert (source.stream.phase, len(site.clients)) == (Phase.GRACE, 0)
    site.loop.advance(7.99)
    assert source.stream.phase is Phase.GRACE
    site.loop.advance(0.02)
    assert (source.stream.phase, len(site.hub), site.loop.timers) == (Phase.ENDED, 0, [])
    assert "stream a.example/live/x ended: no publisher returned within the grace period" in caplog.messages


def test_a_publisher_that_returns_within_the_grace_period_goes_on_with_the_stream(site):
    first = site.publish()
    first.film()
    first.publication.end(EndReason.PEER_CLOSED)
    site.loop.advance(7.9)
    second = site.publish(id="q")
    assert (second.stream, second.stream.publisher_id) == (first.stream, "q")
    site.loop.advance(4.9)
    second.film()
    assert (second.stream.phase, second.stream.settled) == (Phase.LIVE, True)
    second.publication.end(EndReason.PEER_CLOSED)
    site.loop.advance(7.9)
    assert second.stream.phase is Phase.GRACE, "the grace of the first is of no concern any more"
    site.loop.advance(0.2)
    assert second.stream.phase is Phase.ENDED


def test_without_grace_a_stream_ends_with_its_publisher(site):
    source = site.publish(replace(OPTIONS, stream=StreamOptions(grace_ms=0)))
    source.publication.end(EndReason.STOPPED)
    assert (source.stream.phase, len(site.hub), site.loop.timers) == (Phase.ENDED, 0, [])


def test_a_name_that_is_published_again_and_again_has_one_timer_of_grace(site):
    for _ in range(20):
        source = site.publish()
        source.film()
        source.publication.end(EndReason.STOPPED)
        assert len(site.loop.timers) == 1
        site.loop.advance(1)


@pytest.mark.parametrize(("grace_ms", "rest"), [(20_000, 17.0), (4000, 1.0), (1000, 0.0), (0, 0.0)])
def test_a_new_grace_counts_from_when_the_publisher_left(site, grace_ms, rest):
    source = site.publish()
    source.film()
    source.publication.end(EndReason.PEER_CLOSED)
    site.loop.advance(3)
    source.stream.adopt(StreamOptions(grace_ms=grace_ms))
    site.publications.graces.adopt(source.stream)
    if rest:
        site.loop.advance(rest - BRIEF)
        assert source.stream.phase is Phase.GRACE
    site.loop.advance(2 * BRIEF)
    assert (source.stream.phase, site.loop.timers) == (Phase.ENDED, [])


def test_a_new_grace_of_a_stream_with_a_publisher_sets_no_timer(site):
    source = site.publish()
    timers = len(site.loop.timers)
    site.publications.graces.adopt(source.stream)
    assert len(site.loop.timers) == timers


def test_a_grace_timer_of_a_stream_that_the_server_ended_does_nothing(site):
    source = site.publish()
    source.publication.end(EndReason.PEER_CLOSED)
    site.hub.end_all()
    other = site.publish(replace(OPTIONS, first_media=100.0))
    site.loop.advance(60)
    assert other.stream is not source.stream
    assert (other.stream.phase, len(site.hub)) == (Phase.LIVE, 1)


# --- tracks ---


def test_who_waits_is_called_in_the_read_that_shows_both_tracks(site):
    told: list[object] = []
    site.hub.wait(NAME, told.append)
    source = site.publish()
    source.read((AUDIO, AAC_HEADER), (AUDIO, sound()))
    assert told == []
    source.read((VIDEO, AVC_HEADER), (VIDEO, key()))
    assert (told, source.stream.settled) == ([source.stream], True)


def test_a_stream_of_one_track_is_known_after_a_while_though_nothing_more_is_read(site):
    told: list[object] = []
    site.hub.wait(NAME, told.append)
    source = site.publish()
    source.read((AUDIO, AAC_HEADER), (AUDIO, sound()))
    site.loop.advance(limits.SETTLE_MS / 1000 - BRIEF)
    assert told == []
    site.loop.advance(2 * BRIEF)
    assert (told, source.stream.settled) == ([source.stream], True)


def test_a_publisher_that_leaves_before_its_tracks_are_known_lets_nobody_start(site):
    told: list[object] = []
    site.hub.wait(NAME, told.append)
    source = site.publish()
    source.read((AUDIO, AAC_HEADER), (AUDIO, sound()))
    source.publication.end(EndReason.PEER_CLOSED)
    assert len(site.loop.timers) == 1, "that of the grace period alone"
    site.loop.advance(limits.SETTLE_MS / 1000 + 1)
    assert (told, source.stream.settled) == ([], False)


class AnyOrder(RuleBasedStateMachine):
    """Any order of publish, media, ends and time, against a slow model of one name."""

    def __init__(self) -> None:
        super().__init__()
        self.site = Site()
        self.source: Source | None = None
        self.patience = 0.0
        self.heard = 0.0
        self.left: float | None = None
        self.played = False
        "The stream has had media."

    @rule()
    def publish(self):
        if self.source is not None:
            with pytest.raises(StreamBusyError):
                self.site.publish()
            return
        stream = self.site.hub.find(NAME)
        self.source = self.site.publish()
        assert stream is None or self.source.stream is stream
        self.patience, self.heard, self.left = OPTIONS.first_media, self.site.loop.now, None

    @rule()
    def media(self):
        if self.source is not None:
            self.source.film()
            self.source.read((VIDEO, inter(bytes(300))))
            self.played = True
            self.patience, self.heard = OPTIONS.silence, self.site.loop.now

    @rule(drop=st.booleans())
    def end(self, drop):
        if self.source is not None:
            publication = self.source.publication
            publication.drop(EndReason.KICKED) if drop else publication.end(EndReason.STOPPED)
            self.source, self.left = None, self.site.loop.now if self.played else None

    @rule(seconds=st.sampled_from([0.3, 1.0, 4.0, 7.0]))
    def wait(self, seconds):
        end = self.site.loop.now + seconds
        # Step by step, so that the model sees each end when it is due.
        while self.site.loop.now < end - 1e-9:
            self.site.loop.advance(min(0.1, end - self.site.loop.now))
            self.check_timers()

    def check_timers(self) -> None:
        now = self.site.loop.now
        if self.source is not None:
            silent = now - self.heard
            if self.source.dropped:
                assert self.source.dropped == [EndReason.SILENT]
                # The clock of the writer has whole milliseconds.
                assert silent >= self.patience - 0.001
                self.source, self.left = None, now if self.played else None
            else:
                assert silent < self.patience + limits.WATCH_SECONDS_MIN + 0.2
        elif self.left is not None and self.site.hub.find(NAME) is None:
            assert now - self.left >= OPTIONS.stream.grace_ms / 1000 - 0.1
            self.left, self.played = None, False

    @invariant()
    def clients_and_streams_are_those_expected(self):
        if self.source is not None:
            assert [client.link for client in self.site.clients] == [self.source.publication]
            assert self.source.stream.phase is Phase.LIVE
        else:
            assert len(self.site.clients) == 0
        if self.source is None and self.left is None:
            assert self.site.loop.timers == []
        elif self.left is not None:
            grace = OPTIONS.stream.grace_ms / 1000
            assert self.site.loop.now - self.left < grace + 0.2
            assert (len(self.site.loop.timers), len(self.site.hub)) == (1, 1)


AnyOrder.TestCase.settings = settings(max_examples=60, deadline=None)
TestAnyOrder = AnyOrder.TestCase
