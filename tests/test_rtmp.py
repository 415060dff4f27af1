"""RTMP connections at their ends: what closes them, what they count, what stays behind. The clock is the test's."""

from __future__ import annotations

import logging
import socket
from itertools import count

import pytest
from model.client import Client
from model.flv import AAC_HEADER, AVC_HEADER, key, sound
from model.loop import FakeLoop, FakeTransport

from fastflv import limits
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.media.amf import amf0
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.servers.rtmp.connection import Ingest
from fastflv.servers.rtmp.options import IngestOptions
from fastflv.servers.rtmp.play import RtmpPlays
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.stream import StreamOptions

NEVER = 0
"Room of a peer that reads nothing."


class Wire(FakeTransport):
    """A transport that remembers what its socket was told."""

    def __init__(self, loop: FakeLoop, room: int) -> None:
        super().__init__(loop, room)
        self.options: list[tuple[int, ...]] = []
        self.reading = True

    def setsockopt(self, *words: int) -> None:
        self.options.append(words)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Peer:
    """One connection, from its peer's side."""

    def __init__(self, site: Site, room: int = 1 << 40) -> None:
        self.connection = site.ingest.connection()
        self.transport = Wire(site.loop, room)
        self.transport.owner = self.connection
        self.client = Client(0xFFFFFF)
        self.unread = b""
        "What the connection did not read: it had paused."
        self.connection.connection_made(self.transport)

    def say(self, data: bytes = b"") -> int:
        """Send *data*, or all that the client wrote; return how much that was."""
        data = data or self.client.wire()
        rest = memoryview(data)
        while rest and self.transport.reading:
            buffer = self.connection.get_buffer(-1)
            size = min(len(buffer), len(rest))
            buffer[:size] = rest[:size]
            self.connection.buffer_updated(size)
            rest = rest[size:]
        self.unread = bytes(rest)
        return len(data) - len(rest)

    def publish(self, name: str = "room") -> Peer:
        self.client.connect().fmle_publish(name)
        self.say()
        return self

    def play(self, name: str = "room") -> Peer:
        self.client.connect().play(name)
        self.say()
        return self

    def film(self) -> int:
        """Both tracks, so that players may start."""
        self.client.media(9, 0, AVC_HEADER).media(8, 0, AAC_HEADER).media(9, 0, key()).media(8, 0, sound())
        return self.say()

    def leave(self) -> None:
        """End the publish; the connection stays."""
        self.client.call("deleteStream", 7, None, 1.0)
        self.say()

    def lost(self) -> None:
        self.connection.connection_lost(None)


class Site:
    """All that connections need of a server, but sender threads."""

    def __init__(self, *, grace_ms: int = 0, on_missing: float = 0.0) -> None:
        ids = map(str, count())
        self.loop = FakeLoop()
        self.hub = Hub(lambda: next(ids))
        self.clients = Clients()
        self.connection_limit = ConnectionLimit(10)
        options = IngestOptions("v", StreamOptions(grace_ms=grace_ms))
        plays = RtmpPlays(
            self.loop,
            self.hub,
            self.clients,
            None,
            on_missing=lambda vhost: on_missing,
            new_id=lambda: next(ids),
        )
        self.ingest = Ingest(
            self.loop,
            self.hub,
            self.clients,
            self.connection_limit,
            vhost_of=lambda name: options,
            new_id=lambda: next(ids),
            start_play=plays.start,
        )


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
    return done and not site.loop.timers and site.connection_limit.taken == 0


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


def test_a_peer_that_talks_too_much_is_closed_and_the_log_says_why(caplog):
    caplog.set_level(logging.INFO)
    peer = Peer(Site()).publish()
    pong = write_message(4, 0, 0, 2, b"\0\7\0\0\0\0", 128)
    peer.say(pong * (limits.NONMEDIA_MESSAGES_MAX // 2))
    assert not peer.transport.gone
    peer.say(pong * limits.NONMEDIA_MESSAGES_MAX)
    assert peer.transport.gone
    assert "2008 RTMP_MESSAGE_BUDGET: over 2000 messages besides media within 5 s" in caplog.text


def test_a_peer_may_talk_again_after_a_while():
    site = Site()
    peer = Peer(site).publish()
    pong = write_message(4, 0, 0, 2, b"\0\7\0\0\0\0", 128)
    for _ in range(4):
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
    assert "left: the connection ended" in caplog.text


def test_a_connection_gives_its_seat_back_whatever_fails(monkeypatch):
    def broken(stream, now_ms):
        raise RuntimeError("broken")

    site = Site()
    peer = Peer(site).publish()
    monkeypatch.setattr(site.hub, "unpublish", broken)
    with pytest.raises(RuntimeError, match="broken"):
        peer.lost()
    assert site.connection_limit.taken == 0
    assert site.loop.timers == []


def test_a_name_that_is_published_again_and_again_has_one_low_water_timer():
    site = Site(grace_ms=60_000)
    peer = Peer(site).publish()
    for _ in range(5):
        peer.film()
        peer.leave()
        peer.client.fmle_publish()
        peer.say()
    soon = site.loop.now + limits.LOW_WATER_SECONDS
    assert len([timer for timer in site.loop.timers if timer.when() <= soon]) == 1


def test_each_publish_of_a_connection_counts_its_own_bytes():
    site = Site()
    peer = Peer(site).publish()
    for _ in range(3):
        (client,) = site.clients
        assert client.received == 0
        size = peer.film()
        assert client.received == size
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
    assert [client.kind for client in site.clients] == ["fmle-publish"]
    assert not publisher.transport.gone


def test_a_player_that_waits_is_read_up_to_one_buffer_and_no_further():
    site = Site(on_missing=60)
    player = Peer(site).play()
    assert player.transport.reading, "a lost connection is noticed"
    calls = write_message(20, 0, 0, 3, amf0.encode("getStats", 0.0, None), 0xFFFFFF)
    player.say(calls * (limits.RECEIVE_BYTES // len(calls) + 10))
    assert not player.transport.reading and not player.transport.gone
    assert 0 < len(player.unread) < 20 * len(calls) + limits.RECEIVE_BYTES // 100
    player.connection.resume_writing()
    assert not player.transport.reading


def test_a_second_publish_of_a_connection_leaves_the_first_alone():
    site = Site()
    peer = Peer(site).publish()
    peer.film()
    before = peer.connection.received
    peer.client.fmle_publish("second", 2)
    peer.say()
    size = peer.film()
    assert peer.connection.received >= before + size
    assert not peer.transport.gone and [client.name for client in site.clients] == ["room"]


def test_an_answer_to_a_play_that_comes_too_late_is_no_harm():
    site = Site(on_missing=60)
    player = Peer(site).play()
    player.connection.eof_received()
    heard = bytes(player.transport.wire)
    player.connection.accept_play()
    player.connection.refuse_play("NetStream.Play.StreamNotFound", "too late")
    player.lost()
    player.connection.accept_play()
    assert player.transport.wire == heard
