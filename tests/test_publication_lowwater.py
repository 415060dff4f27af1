"""How often the socket of a publisher is read: with and without players, recorders, tracks and silence."""

from __future__ import annotations

import pytest
from model.flv import AUDIO, VIDEO, inter, sound
from model.lowwater import Marked
from model.publication import Site, Source

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.log.observer import BehindObserver
from fastflv.media.amf import amf0
from fastflv.stream.endreason import EndReason


@pytest.fixture
def site():
    return Site()


def gathering(site: Site) -> tuple[Source, Marked]:
    """A publisher without players, and its socket, which gathers."""
    sock = Marked()
    source = site.publish(low_water=sock.water)
    source.film()
    source.go_on(2, size=3000)
    assert sock.mark > 1
    return source, sock


def test_a_stream_without_players_wakes_its_publisher_less_often(site):
    source, sock = gathering(site)
    source.stream.open()
    assert sock.mark == 1, "the first player has it read at once"


def test_a_stream_that_is_only_recorded_wakes_its_publisher_sooner_than_one_without_players(site):
    source, sock = gathering(site)
    alone = sock.mark
    log = source.stream.log
    reader, follower = Cursor(log, position=log.head), BehindObserver(log, lambda: None, 2000)
    log.attach(follower)
    source.stream.outlets.unhurried += 1
    source.go_on(2, size=3000)
    assert 1 < sock.mark < alone
    source.stream.open()
    assert sock.mark == 1, "a player has it read at once, beside a recorder too"
    reader.close()


def test_a_stream_with_a_publisher_on_standby_has_the_one_on_air_read_at_once(site):
    source, sock = gathering(site)
    standby = site.publish(id="q", param="role=backup")
    assert sock.mark == 1, "silence is noticed from now on"
    source.go_on(2, size=3000)
    assert sock.mark == 1
    standby.publication.end(EndReason.STOPPED)
    source.go_on(2, size=3000)
    assert sock.mark > 1


def test_a_publish_of_a_taken_name_has_the_one_before_read_first_which_may_have_just_ended(site):
    source, sock = gathering(site)

    def read() -> None:
        assert sock.mark == 1, "a lone command lies below the mark"
        source.publication.end(EndReason.STOPPED)

    site.publications.catch_up = read
    after = site.publish(id="q")
    assert source.publication.ended
    assert after.stream is source.stream
    assert after.stream.publisher_id == "q"


def test_a_stream_with_players_wakes_its_publisher_with_pictures_and_not_with_sound(site):
    source, sock = gathering(site)
    source.stream.open()
    player = Cursor(source.stream.log)
    for _ in range(500):
        source.read((AUDIO, sound(bytes(200))), (VIDEO, inter(bytes(2000))))
        source.site.loop.advance(0.04)
    assert 200 < sock.mark < 2000
    mark = sock.mark
    source.publication.end_read(inside=True)
    assert sock.mark == 1, "the rest of a picture does not wait"
    source.publication.end_read()
    assert sock.mark == mark
    player.close()


def test_a_stream_whose_tracks_are_not_known_is_read_at_once(site):
    sock = Marked()
    source = site.publish(low_water=sock.water)
    for _ in range(5):
        source.publication.begin_read(site.loop.time())
        source.publication.take_script("onMetaData", amf0.encode("onMetaData", {"audiocodecid": 10.0}), 0)
        source.feed.send(VIDEO, source.time, inter(bytes(3000)), source.publication.sink.now_ms)
        source.publication.end_read()
        site.loop.advance(limits.LOW_WATER_SECONDS)
    assert sock.mark == 1


def test_a_silent_publisher_is_read_at_once_again(site):
    _, sock = gathering(site)
    site.loop.advance(2 * limits.LOW_WATER_SECONDS)
    assert sock.mark == 1


def test_a_socket_that_carries_another_publish_gathers_no_more(site):
    source, sock = gathering(site)
    source.publication.gather_no_more()
    assert sock.mark == 1
    mark = sock.mark
    source.go_on(3, size=3000)
    assert sock.mark == mark
    source.publication.gather_no_more()


def test_a_publish_that_ended_leaves_its_socket_alone(site):
    source, sock = gathering(site)
    source.publication.end(EndReason.STOPPED)
    mark = sock.mark
    source.stream.open()
    site.loop.advance(5)
    assert sock.mark == mark
