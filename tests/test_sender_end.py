"""How players of sender threads leave, and how a sender ends."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import struct
import weakref

import pytest
from model.viewer import CHUNKED, FLV, HEAD, RAW, Publisher, Viewer, numbers, stall

from fastflv import limits
from fastflv._ext.fanout.sender import Sender
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog
from fastflv.errors import UsageError

EMPTY = MediaBlock(b"")


def test_a_player_that_is_kicked_leaves(senders, tcp, reaped):
    publisher = Publisher()
    sender = senders(2)
    viewers = [Viewer(sender, tcp, publisher.log) for _ in range(4)]
    sender.kick(viewers[1].player)
    (player,) = reaped(sender)
    assert (player, player.reason) == (viewers[1].player, "kicked")
    viewers[1].read_all()
    assert sorted(sender.loads) == [1, 2]
    sender.kick(player)
    sender.kick(viewers[0].player)
    sender.kick(viewers[0].player)
    assert reaped(sender) == [viewers[0].player]


def test_a_player_that_is_kicked_while_its_socket_is_full_leaves(senders, tcp, reaped):
    publisher = Publisher(frame_bytes=4000)
    publisher.frames(1)
    sender = senders(1)
    viewer = stall(sender, tcp, publisher, RAW, jump_ms=10**9)
    publisher.frames(200)
    sender.kick(viewer.player)
    assert [player.reason for player in reaped(sender)] == ["kicked"]
    assert publisher.log.readers == 0


@pytest.mark.parametrize("how", ["ended", "kicked"])
def test_a_crowd_that_is_to_leave_at_once_leaves_over_several_turns(senders, tcp, reaped, how):
    publisher = Publisher()
    publisher.frames(1)
    sender = senders(1)
    viewers = [Viewer(sender, tcp, publisher.log) for _ in range(4 * limits.LEAVE_COUNT)]
    for viewer in viewers:
        viewer.read(len(HEAD) + len(FLV))
    before = sender.wakeups
    if how == "ended":
        publisher.log.end()
    else:
        for viewer in viewers:
            sender.kick(viewer.player)
    left = reaped(sender, len(viewers))
    assert set(left) == {viewer.player for viewer in viewers}
    assert sender.wakeups - before >= 4


def test_one_that_is_asked_for_again_and_again_leaves_once(senders, tcp, reaped):
    publisher = Publisher()
    publisher.frames(1)
    sender = senders(1)
    viewers = [Viewer(sender, tcp, publisher.log) for _ in range(50)]
    for _ in range(20):
        for viewer in viewers[::2]:
            sender.recall(viewer.player)
    for viewer in viewers:
        sender.kick(viewer.player)
        viewer.socket.close()
    assert set(reaped(sender, 50)) == {viewer.player for viewer in viewers}
    assert sender.count == 0 and publisher.log.readers == 0


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_player_that_goes_away_is_noticed_while_nothing_is_written(senders, tcp, reaped, how):
    publisher = Publisher()
    sender = senders(1)
    viewer = Viewer(sender, tcp, publisher.log)
    viewer.read(len(HEAD) + len(FLV))
    if how == "reset":
        viewer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    viewer.socket.close()
    (player,) = reaped(sender)
    assert player.reason == "peer closed"
    assert publisher.log.readers == 0


def test_a_player_that_goes_away_while_its_socket_is_full_is_noticed(senders, tcp, reaped):
    publisher = Publisher(frame_bytes=4000)
    publisher.frames(1)
    sender = senders(1)
    viewer = stall(sender, tcp, publisher, RAW, jump_ms=10**9)
    publisher.frames(200)
    viewer.socket.close()
    assert [player.reason for player in reaped(sender)] == ["peer closed"]


def test_a_player_that_comes_when_the_stream_has_ended_is_released(senders, tcp, reaped):
    publisher = Publisher()
    publisher.frames(3)
    publisher.log.end()
    sender = senders(1)
    log = publisher.log
    viewer = Viewer(sender, tcp, log, framing=CHUNKED, start=FLV + log.key_headers, position=log.key_pos)
    viewer.socket.settimeout(3)
    viewer.read_all()
    assert numbers(viewer.tags) == [0, 1, 2]
    assert viewer.body[1]
    assert [player.reason for player in reaped(sender)] == ["stream ended"]


def test_a_player_that_waits_for_a_key_is_released_when_the_stream_ends(senders, tcp):
    publisher = Publisher()
    publisher.frames(3)
    viewer = Viewer(senders(1), tcp, publisher.log, framing=CHUNKED)
    publisher.log.end()
    viewer.read_all()
    assert viewer.body == (FLV, True)


def test_stopping_lets_everybody_go(senders, tcp):
    publisher = Publisher(frame_bytes=4000)
    publisher.frames(1)
    sender = senders(2)
    viewers = [stall(sender, tcp, publisher, i % 2, jump_ms=10**9) for i in range(6)]
    publisher.frames(50)
    sender.stop()
    sender.stop()
    left = sender.reap()
    assert {player.reason for player in left} == {"server stops"}
    assert len(left) == 6
    assert (sender.count, publisher.log.readers) == (0, 0)
    for viewer in viewers:
        with contextlib.suppress(ConnectionResetError):
            viewer.read_all()


def test_a_stopped_sender_takes_nobody_and_closes_the_socket(senders, tcp):
    sender = senders(1)
    sender.stop()
    server, client = tcp()
    with pytest.raises(UsageError, match="stopped"):
        sender.add(server.detach(), MediaLog(), framing=RAW, preamble=EMPTY)
    assert client.recv(1) == b""


def test_a_socket_that_somebody_else_holds_too_is_no_danger_after_its_player_left(senders, tcp, reaped):
    """An event loop may hold the descriptor that ours was duplicated from a moment longer than the player lives."""
    publisher = Publisher()
    sender = senders(1)
    for _ in range(20):
        server, client = tcp()
        player = sender.add(os.dup(server.fileno()), publisher.log, framing=RAW, preamble=MediaBlock(HEAD))
        client.recv(len(HEAD))
        sender.kick(player)
        reaped(sender)
        del player
        gc.collect()
        woken = sender.wakeups
        client.close()
        server.close()
        publisher.frames(1)
        assert sender.wakeups == woken, "a socket whose player has left wakes the thread"
    assert sender.loads == [0]


def test_a_sender_that_is_dropped_with_its_players_in_a_circle_takes_nothing_down(tcp, descriptors):
    class Circle:
        pass

    before = descriptors()
    publisher = Publisher()
    circle = Circle()
    circle.sender = Sender(1)
    server, client = tcp()
    circle.player = circle.sender.add(
        server.detach(), publisher.log, framing=RAW, preamble=MediaBlock(HEAD), position=0, owner=circle
    )
    dropped = weakref.ref(circle)
    del circle
    gc.collect()
    publisher.frames(50)
    client.close()
    if (left := dropped()) is not None:
        left.sender.stop()
        left.sender.reap()
        left.player = None
    del left
    gc.collect()
    assert dropped() is None
    assert descriptors() == before
