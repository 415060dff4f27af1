"""RTMP connections at their ends: what closes them, what they count, what stays behind. The clock is the test's."""

from __future__ import annotations

import logging
import socket

import pytest
from model.client import heard
from model.flv import AAC_HEADER, AVC_HEADER, inter, key, sound
from model.loop import Unhurried
from model.rtmp import FILM_BYTES, NEVER, Peer, Site

from fastflv import limits
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.media.amf import amf0
from fastflv.stream.endreason import EndReason

MEDIA = [AAC_HEADER, AVC_HEADER, key(), sound()]
"What a player of one `Peer.film` is sent."

# --- closing ---


def cut_off(site: Site, peer: Peer) -> bool:
    """Whether a closed connection waits for its peer, but not for ever, and leaves nothing behind."""
    assert peer.transport.gone == "closed"
    assert peer.transport.get_write_buffer_size()
    site.loop.advance(limits.CLOSE_SECONDS - 0.1)
    assert peer.transport.gone == "closed"
    site.loop.advance(0.2)
    done = peer.transport.gone == "aborted"
    peer.lost()
    return done and not site.loop.timers and site.limit.taken == 0


def test_a_player_that_does_not_read_its_refusal_is_cut_off():
    site = Site()
    peer = Peer(site, NEVER).play()
    site.loop.turn()
    assert cut_off(site, peer)


def test_a_player_that_breaks_the_protocol_and_reads_nothing_is_cut_off():
    site = Site(on_missing=30)
    peer = Peer(site, NEVER)
    peer.client.connect().send(5, b"\0", 2)
    peer.say()
    assert cut_off(site, peer)


def test_a_player_that_says_its_end_and_reads_nothing_is_cut_off():
    site = Site(on_missing=30)
    peer = Peer(site, NEVER).play()
    assert peer.connection.eof_received() is False
    assert cut_off(site, peer)


def test_a_peer_that_reads_its_refusal_is_closed_in_peace():
    site = Site()
    peer = Peer(site, NEVER).play()
    site.loop.turn()
    peer.transport.peer_reads()
    peer.lost()
    assert peer.transport.gone == "closed"
    assert site.loop.timers == []


def test_the_kernel_looks_after_players_and_only_those():
    site = Site(on_missing=30)
    wanted = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    player = Peer(site).play()
    assert wanted in player.transport.options
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, limits.KEEPALIVE_PROBES) in player.transport.options
    assert wanted not in Peer(site).publish().transport.options


def test_a_peer_that_sends_too_many_commands_is_closed_and_the_log_says_why(caplog):
    caplog.set_level(logging.INFO)
    peer = Peer(Site()).publish()
    pong = write_message(4, 0, 0, 2, b"\0\7\0\0\0\0", 128)
    peer.say(pong * (limits.NONMEDIA_MESSAGES_MAX // 2))
    assert not peer.transport.gone
    peer.say(pong * limits.NONMEDIA_MESSAGES_MAX)
    assert peer.transport.gone
    assert "2008 RTMP_MESSAGE_BUDGET: over 2000 messages besides media within 5 s" in caplog.text


def test_a_peer_may_send_commands_again_after_a_while():
    site = Site()
    peer = Peer(site).publish()
    pong = write_message(4, 0, 0, 2, b"\0\7\0\0\0\0", 128)
    for _ in range(4):
        for _ in range(2):
            peer.film()
        peer.say(pong * (limits.NONMEDIA_MESSAGES_MAX // 3))
        site.loop.advance(limits.NONMEDIA_SECONDS / 2)
    assert not peer.transport.gone


# --- what stays behind ---


def test_a_publisher_that_ends_leaves_no_timer(caplog):
    caplog.set_level(logging.INFO)
    site = Site()
    peer = Peer(site).publish()
    peer.film()
    peer.lost()
    assert site.loop.timers == []
    assert "left: peer closed" in caplog.text


def test_a_connection_is_counted_no_more_whatever_fails(monkeypatch, caplog):
    def broken(stream, now_ms):
        raise RuntimeError("broken")

    site = Site()
    peer = Peer(site).publish()
    monkeypatch.setattr(site.hub, "unpublish", broken)
    peer.lost()
    assert "RuntimeError: broken" in caplog.text
    assert site.limit.taken == 0
    assert site.loop.timers == []


def test_a_name_that_is_published_again_and_again_has_one_low_water_timer():
    site = Site(grace_ms=60_000)
    peer = Peer(site).publish()
    for _ in range(5):
        peer.film()
        peer.leave()
        peer.client.fmle_publish()
        peer.say()
    site.loop.advance(2 * limits.FEED_SECONDS)
    soon = site.loop.now + limits.LOW_WATER_SECONDS
    assert len([timer for timer in site.loop.timers if timer.when() <= soon]) == 1


def test_each_publish_of_a_connection_counts_its_own_bytes():
    site = Site()
    peer = Peer(site).publish()
    for _ in range(3):
        (client,) = site.clients
        assert client.received == 0
        peer.film()
        assert client.received == FILM_BYTES
        peer.leave()
        peer.client.fmle_publish()
        peer.say()
    assert site.clients.sent_before.total() <= len(peer.transport.wire)


# --- a player that waits ---


def test_a_player_that_was_closed_while_it_waited_is_not_found():
    site = Site(on_missing=60)
    player = Peer(site, NEVER).play()
    player.connection.eof_received()
    assert player.transport.gone == "closed"
    assert site.hub.waiting == 0
    publisher = Peer(site).publish()
    publisher.film()
    assert [client.request.output for client in site.clients] == ["fmle-publish"]
    assert not publisher.transport.gone


def test_a_player_that_waits_is_read_up_to_one_buffer_and_no_further():
    site = Site(on_missing=60)
    player = Peer(site).play()
    site.loop.turn()
    assert player.transport.reading, "a lost connection is noticed"
    calls = write_message(20, 0, 0, 3, amf0.encode("getStats", 0.0, None), 0xFFFFFF)
    player.say(calls * (limits.RECEIVE_BYTES // len(calls) + 10))
    assert not player.transport.reading and not player.transport.gone
    assert 0 < len(player.unread) < 20 * len(calls) + limits.RECEIVE_BYTES // 100
    player.connection.resume_writing()
    assert not player.transport.reading


# --- several publishes of one connection ---


def test_a_second_publish_of_a_connection_leaves_the_first_alone():
    site = Site()
    peer = Peer(site).publish()
    peer.film()
    peer.client.fmle_publish("second", 2)
    peer.say()
    peer.film()
    peer.film(2)
    assert site.publishers == {"room": 2 * FILM_BYTES, "second": FILM_BYTES}
    peer.leave()
    peer.film(2)
    assert site.publishers == {"second": 2 * FILM_BYTES}
    assert not peer.transport.gone


def test_a_second_publish_of_the_same_name_is_refused_and_the_first_goes_on():
    site = Site()
    peer = Peer(site).publish()
    peer.client.fmle_publish("room", 2)
    peer.say()
    peer.film()
    assert (2, "error", "NetStream.Publish.BadName") in peer.status
    assert site.publishers == {"room": FILM_BYTES}
    assert not peer.transport.gone


def test_another_connection_that_publishes_a_busy_name_is_told_and_closed():
    site = Site()
    first, second = Peer(site).publish(), Peer(site).publish()
    assert second.status == [(1, "error", "NetStream.Publish.BadName")]
    assert second.transport.gone == "closed"
    first.film()
    assert site.publishers == {"room": FILM_BYTES}


def test_a_publisher_that_has_just_left_gives_its_name_to_the_one_that_comes():
    site = Site()
    first = Peer(site).publish()
    first.film()
    first.transport.far.close()
    second = Peer(site).publish()
    assert [code for _, _, code in second.status] == ["NetStream.Publish.Start"]
    assert first.transport.gone == "closed"


def test_commands_behind_the_end_of_a_publish_wait_for_their_turn_and_are_not_forgotten(monkeypatch):
    answers: list[bool] = []
    monkeypatch.setattr(Unhurried, "open", lambda turns: answers.pop(0) if answers else True)
    site = Site()
    peer = Peer(site).publish()
    peer.film()
    answers += [True, False, False]
    peer.client.call("FCUnpublish", 6, None, "room")
    peer.client.call("deleteStream", 7, None, 1.0)
    peer.client.call("createStream", 8, None)
    peer.say()
    site.loop.turn()
    assert peer.transport.reading
    assert ("_result", 0, 8.0) in [each[:3] for each in heard(bytes(peer.transport.wire))]


def test_media_of_a_publisher_is_read_without_its_transport():
    site = Site()
    peer = Peer(site).publish()
    peer.film()
    assert not peer.transport.reading
    peer.film()
    assert site.publishers == {"room": 2 * FILM_BYTES}
    peer.leave()
    assert peer.transport.reading
    assert site.publishers == {}


def go_on(site: Site, peer: Peer, *stream_ids: int) -> None:
    """Two seconds of large pictures."""
    for number in range(50):
        for stream_id in stream_ids:
            peer.client.media(9, 40 * number, inter(bytes(3000)), stream_id)
        peer.say()
        site.loop.advance(0.04)


def test_a_socket_with_one_publish_gathers_bytes_and_one_with_two_does_not():
    site = Site()
    peer = Peer(site).publish()
    peer.film()
    go_on(site, peer, 1)
    assert peer.transport.mark > 1
    peer.client.fmle_publish("second", 2)
    peer.say()
    peer.film(2)
    assert peer.transport.mark == 1
    go_on(site, peer, 1, 2)
    assert peer.transport.mark == 1
    peer.leave(1)
    peer.leave(2)
    peer.client.fmle_publish("third", 3)
    peer.say()
    peer.film(3)
    go_on(site, peer, 3)
    assert peer.transport.mark > 1


def test_a_publisher_behind_tls_gathers_no_bytes():
    site = Site()
    peer = Peer(site, tls=True).publish()
    peer.film()
    go_on(site, peer, 1)
    assert peer.transport.mark == 1


def test_all_publishes_end_with_their_connection():
    site = Site()
    peer = Peer(site).publish()
    for stream_id in (2, 3):
        peer.client.fmle_publish(f"room{stream_id}", stream_id)
    peer.say()
    assert len(site.hub) == 3
    peer.lost()
    assert (len(site.hub), site.left_behind) == (0, (0, 0, 0, 0))


@pytest.mark.parametrize("how", ["lost", "garbage"])
def test_a_publish_whose_end_fails_does_not_keep_the_others_of_its_connection(how, monkeypatch, caplog):
    site = Site()
    peer = Peer(site).publish()
    for stream_id in (2, 3):
        peer.client.fmle_publish(f"room{stream_id}", stream_id)
    peer.say()
    unpublish = site.hub.unpublish

    def fail_once(stream, now_ms):
        unpublish(stream, now_ms)
        if stream.name.stream == "room":
            raise RuntimeError("as asked")

    monkeypatch.setattr(site.hub, "unpublish", fail_once)
    if how == "garbage":
        peer.client.send(5, b"\0", 2)
        peer.say()
        assert peer.transport.gone == "closed"
    peer.lost()
    assert (len(site.hub), site.left_behind) == (0, (0, 0, 0, 0))
    assert caplog.text.count("RuntimeError: as asked") == 1


def test_an_operator_ends_one_publish_of_a_connection_and_the_others_go_on():
    site = Site(grace_ms=60_000)
    peer = Peer(site).publish()
    peer.client.fmle_publish("second", 2)
    peer.say()
    first, second = site.clients
    first.link.drop(EndReason.KICKED)
    assert (1, "error", "NetStream.Publish.Denied") in peer.status
    assert not peer.transport.gone
    peer.film(2)
    peer.film(1)
    assert site.publishers == {"second": FILM_BYTES}
    assert first.stream.writer.bytes == 0, "what comes for an ended publish is dropped"
    second.link.drop(EndReason.KICKED)
    assert peer.transport.gone == "closed"


# --- a player that the event loop serves ---


@pytest.fixture
def stage(senders) -> Site:
    """A site with one publisher whose tracks are known."""
    site = Site(sender=senders(), grace_ms=0)
    site.publisher = Peer(site).publish()
    site.publisher.film()
    return site


def test_a_player_is_sent_the_stream_and_told_of_its_end(stage):
    player = Peer(stage, tls=True).play()
    stage.loop.turn()
    assert player.status[0] == (1, "status", "NetStream.Play.Reset")
    assert player.media == MEDIA
    (client,) = [client for client in stage.clients if not client.publish]
    assert client.sent > FILM_BYTES
    stage.publisher.leave()
    stage.loop.turn()
    assert player.status[-1] == (1, "status", "NetStream.Play.UnpublishNotify")
    assert player.transport.gone == "closed"
    player.lost()
    assert len(stage.clients) == 0


def test_a_player_that_stops_keeps_its_connection_and_may_play_again(stage):
    player = Peer(stage, tls=True).play()
    stage.loop.turn()
    player.leave()
    stage.loop.turn()
    assert (player.transport.gone, len(stage.clients)) == ("", 1)
    player.client.call("createStream", 9, None).call("play", 10, None, "room", stream_id=1)
    player.say()
    stage.loop.turn()
    assert player.media == MEDIA * 2
    assert len(stage.clients) == 2


def test_a_connection_that_neither_plays_nor_publishes_for_long_is_closed(stage):
    player = Peer(stage, tls=True).play()
    player.leave()
    stage.loop.advance(limits.COMMAND_SECONDS - 0.1)
    assert not player.transport.gone
    stage.loop.advance(0.2)
    assert player.transport.gone == "closed"


def test_bytes_of_a_half_message_keep_no_connection_open(stage):
    peer = Peer(stage)
    peer.client.connect()
    peer.say()
    # 60,000 bytes are announced, which come one by one.
    peer.say(b"\x04\0\0\0\0\xea\x60\x14\0\0\0\0")
    for _ in range(4):
        stage.loop.advance(limits.COMMAND_SECONDS / 3)
        if not peer.transport.gone:
            peer.say(b"x")
    assert peer.transport.gone


def test_messages_keep_a_connection_open(stage):
    peer = Peer(stage)
    peer.client.connect()
    peer.say()
    for _ in range(9):
        stage.loop.advance(limits.COMMAND_SECONDS / 3)
        peer.client.call("createStream", 4, None)
        peer.say()
    assert not peer.transport.gone
    stage.loop.advance(limits.COMMAND_SECONDS)
    assert peer.transport.gone == "closed"


def test_a_player_that_a_reload_forbids_is_told_and_closed(stage):
    player = Peer(stage, tls=True).play()
    stage.loop.turn()
    client = next(client for client in stage.clients if not client.publish)
    client.link.drop(EndReason.FORBIDDEN)
    assert player.status[-1] == (1, "status", "NetStream.Play.UnpublishNotify")
    assert b"The play is over: forbidden." in player.transport.wire
    assert player.transport.gone == "closed"
    assert [client.publish for client in stage.clients] == [True]


def test_a_player_that_was_sent_part_of_a_gop_goes_on_at_the_next_keyframe(stage):
    player = Peer(stage, tls=True).play()
    stage.loop.turn()
    for paused in (True, False):
        player.client.call("pause", 0, None, paused, 0.0, stream_id=1)
        player.say()
    stage.publisher.client.media(9, 40, inter())
    stage.publisher.say()
    stage.loop.advance(1)
    assert player.media == [*MEDIA, AAC_HEADER, AVC_HEADER]
    stage.publisher.client.media(9, 80, key(b"next"))
    stage.publisher.say()
    stage.loop.advance(1)
    assert player.media == [*MEDIA, AAC_HEADER, AVC_HEADER, key(b"next")]


def test_a_paused_player_is_sent_nothing_goes_on_at_a_keyframe_and_learns_of_the_end(stage):
    player = Peer(stage, tls=True).play()
    stage.loop.turn()
    player.client.call("pause", 0, None, True, 0.0, stream_id=1)
    player.say()
    stage.publisher.film()
    stage.loop.advance(1)
    assert player.media == MEDIA
    player.client.call("pause", 0, None, False, 0.0, stream_id=1)
    player.say()
    stage.loop.advance(1)
    assert player.media == MEDIA * 2
    player.client.call("pause", 0, None, True, 0.0, stream_id=1)
    player.say()
    stage.publisher.leave()
    assert player.status[-1] == (1, "status", "NetStream.Play.UnpublishNotify")
    assert player.transport.gone == "closed"


def test_a_player_that_is_lost_is_no_client_any_more(stage, caplog):
    caplog.set_level(logging.INFO)
    player = Peer(stage, tls=True).play()
    stage.loop.turn()
    player.lost()
    assert [client.publish for client in stage.clients] == [True]
    assert (stage.limit.taken, stage.players.count) == (1, 0)
    assert "of v/live/room left: peer closed" in caplog.text
