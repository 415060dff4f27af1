"""Sender threads over real TCP connections: what players read in whatever framing; threads, load and leaks."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import select
import socket
import time
from itertools import chain

import pytest
from model.flv import AUDIO, VIDEO, Broken, Tag, dechunk, inter, key, read_file, read_tags, sound
from model.viewer import CHUNKED, FLV, FRAMINGS, HEAD, RAW, Publisher, Viewer, numbers, wait_for

from fastflv import limits
from fastflv._ext.fanout.sender import Sender, SendHandle
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog
from fastflv.errors import ResourceError, UsageError

WINDOWS = pytest.mark.parametrize("window_ms", [0, 40, 350])


def _add(sender: Sender, end: socket.socket, log: MediaLog, **more: object) -> SendHandle:
    fd = os.dup(end.fileno())
    os.set_blocking(fd, False)
    return sender.add(fd, log, framing=RAW, **more)


# --- what a player is sent ---


@FRAMINGS
@WINDOWS
def test_a_player_reads_its_start_then_the_log_to_its_end(senders, tcp, reaped, framing, window_ms):
    sender = senders(1)
    publisher = Publisher()
    publisher.frames(15)
    log = publisher.log
    viewer = Viewer(
        sender,
        tcp,
        log,
        framing=framing,
        start=FLV + log.key_headers,
        position=log.key_pos,
        merge_window_ms=window_ms,
    )
    publisher.frames(20)
    log.end()
    viewer.read_all()
    assert numbers(viewer.tags) == list(range(10, 35))
    assert viewer.body[1] == (framing == CHUNKED)
    (player,) = reaped(sender)
    assert player is viewer.player
    assert (player.closed, player.reason, player.jumps) == (True, "stream ended", 0)
    assert player.sent == len(viewer.data)


@FRAMINGS
def test_a_player_without_a_position_starts_with_the_next_key_and_its_headers(senders, tcp, framing):
    publisher = Publisher()
    publisher.frames(13)
    viewer = Viewer(senders(1), tcp, publisher.log, framing=framing)
    publisher.frames(12)
    publisher.log.end()
    viewer.read_all()
    assert numbers(viewer.tags) == list(range(20, 25))
    assert viewer.player.jumps == 0


def test_a_player_of_sound_alone_starts_where_it_joined(senders, tcp):
    log = MediaLog()
    for i in range(10):
        log.append(AUDIO, i * 23, sound(bytes([i])))
    viewer = Viewer(senders(1), tcp, log, position=log.head)
    for i in range(10, 20):
        log.append(AUDIO, i * 23, sound(bytes([i])))
    log.end()
    viewer.read_all()
    assert [tag.mark[0] for tag in viewer.tags] == list(range(10, 20))


def test_the_start_comes_at_once_though_the_window_is_long(senders, tcp):
    publisher = Publisher()
    publisher.frames(5)
    log = publisher.log
    viewer = Viewer(
        senders(1), tcp, log, start=FLV + log.key_headers, position=log.key_pos, merge_window_ms=30_000
    )
    viewer.read_until(len(FLV) + len(log.key_headers) + log.head - log.key_pos)
    assert numbers(viewer.tags) == [0, 1, 2, 3, 4]


def test_a_start_larger_than_one_send_is_sent_whole(senders, tcp):
    publisher = Publisher(gop=10**6, frame_bytes=50_000)
    publisher.frames(60)
    log = publisher.log
    viewer = Viewer(senders(1), tcp, log, framing=CHUNKED, start=FLV + log.key_headers, position=log.key_pos)
    log.end()
    viewer.read_all()
    assert numbers(viewer.tags) == list(range(60))
    assert log.head > 2 * limits.SEND_BYTES_MAX


def test_a_player_that_comes_while_a_crowd_is_served_has_its_start_before_the_last_of_them(senders):
    sender = senders(1)
    publisher = Publisher(gop=10, frame_bytes=30_000)
    log = publisher.log
    publisher.frames(5)
    # The machine may hold up either thread, so that nobody comes within the pass.
    for _ in range(20):
        with contextlib.ExitStack() as stack:
            ends = [[stack.enter_context(end) for end in socket.socketpair()] for _ in range(400)]
            crowd = [_add(sender, far, log) for _, far in ends[:300]]
            # Starts are in order: who comes last shows that all are there.
            mark = _add(sender, ends[300][1], log, start=MediaBlock(FLV), position=log.head)
            wait_for(lambda: mark.first_at > 0)  # noqa: B023
            publisher.frames(10 - publisher.next % 10 + 1)
            late = [_add(sender, far, log, start=MediaBlock(FLV), position=log.head) for _, far in ends[301:]]
            wait_for(lambda: all(each.first_at for each in chain(crowd, late)))  # noqa: B023
            served = [each.first_at for each in crowd]
            found = [each for each in late if min(served) < each.first_at < max(served)]
        wait_for(lambda: not sender.reap() and sender.count == 0)
        if found:
            return
    pytest.fail("whoever came during a pass was served behind it")


@WINDOWS
def test_players_that_join_while_frames_are_written_all_read_them_in_order(senders, tcp, reaped, window_ms):
    sender = senders(3)
    publisher = Publisher()
    log = publisher.log
    viewers = []
    for i in range(60):
        publisher.frames(1)
        at_key = dict(start=FLV + log.key_headers, position=log.key_pos) if i % 3 else {}
        viewers.append(Viewer(sender, tcp, log, framing=i % 2, merge_window_ms=window_ms, **at_key))
    publisher.frames(10)
    log.end()
    for i, viewer in enumerate(viewers):
        viewer.read_all()
        # Frame i was the newest when player i came; who waits for a key may find newer ones when it is its turn.
        first = i // 10 * 10
        starts = [first] if i % 3 else range(first + 10, 70, 10)
        assert numbers(viewer.tags) in [list(range(start, 70)) for start in starts]
    reaped(sender, 60)
    assert (log.readers, sender.count, sender.loads) == (0, 0, [0, 0, 0])


def test_a_window_merges_the_frames_of_its_span_into_one_send(senders, tcp):
    publisher = Publisher()
    publisher.frames(1)
    log = publisher.log
    start = dict(start=FLV + log.key_headers, position=log.key_pos)
    viewer = Viewer(senders(1), tcp, log, merge_window_ms=200, **start)
    viewer.read_until(len(FLV))
    before = viewer.player.sends
    publisher.frames(50)
    log.end()
    viewer.read_all()
    assert viewer.player.sends - before <= 3


@FRAMINGS
def test_fat_pictures_of_one_window_share_a_send_and_none_is_cut(senders, tcp, framing):
    publisher = Publisher(gop=100, frame_bytes=limits.FRAME_BYTES_MAX)
    publisher.frames(1)
    log = publisher.log
    sizes = {"send_bytes": 1 << 20, "receive_bytes": 1 << 20}
    viewer = Viewer(
        senders(1),
        tcp,
        log,
        framing=framing,
        start=FLV + log.key_headers,
        position=log.key_pos,
        merge_window_ms=200,
        sizes=sizes,
    )
    viewer.read_until(len(FLV + log.key_headers) + log.head - log.key_pos)
    before = viewer.player.sends
    publisher.frames(5)
    viewer.read_until(len(FLV + log.key_headers) + log.head - log.key_pos)
    # One for each picture where a send has one frame.
    assert viewer.player.sends - before < 5
    log.end()
    viewer.read_all()
    assert numbers(viewer.tags) == list(range(6))


@FRAMINGS
def test_fat_pictures_are_whole_where_the_socket_takes_a_part_of_each_send(senders, tcp, framing):
    publisher = Publisher(gop=100, frame_bytes=20_000)
    publisher.frames(1)
    log = publisher.log
    viewer = Viewer(
        senders(1),
        tcp,
        log,
        framing=framing,
        start=FLV + log.key_headers,
        position=log.key_pos,
        sizes={"send_bytes": 9000, "receive_bytes": 9000},
    )
    publisher.frames(60)
    log.end()
    viewer.read_all()
    assert numbers(viewer.tags) == list(range(61))


def test_with_a_window_pictures_wake_no_thread_that_is_awake(senders, tcp):
    publisher = Publisher()
    publisher.frames(1)
    sender = senders(1)
    log = publisher.log
    viewer = Viewer(sender, tcp, log, position=log.key_pos, merge_window_ms=1000)
    viewer.read_until(len(FLV) + log.head - log.key_pos)
    before = sender.wakeups
    began = time.monotonic()
    for _ in range(500):
        publisher.frames(1)
        select.select([], [], [], 0.001)
    windows = time.monotonic() - began
    # One to begin with, then a look for each window; one more where a look falls in.
    assert sender.wakeups - before <= 3 + 2 * windows


def test_with_window_0_a_frame_is_sent_at_once_and_sound_follows_by_itself(senders, tcp):
    log = MediaLog()
    log.append(VIDEO, 0, key())
    viewer = Viewer(senders(1), tcp, log, position=0)
    size = len(FLV) + log.head
    viewer.read_until(size)
    for i in range(5):
        log.append(AUDIO, i, sound())
        viewer.read_until(len(FLV) + log.head)
    log.append(VIDEO, 40, inter())
    viewer.read_until(len(FLV) + log.head)


def test_a_join_does_not_hold_back_what_is_due_to_the_others(senders, tcp):
    """The thread that looks at the log for a new player must still serve the old ones."""
    log = MediaLog()
    log.append(AUDIO, 0, sound())
    sender = senders(1)
    first = Viewer(sender, tcp, log, position=0)
    first.socket.settimeout(2)
    first.read_until(len(FLV) + log.head)
    for i in range(8):
        log.append(AUDIO, i, sound(b"wakes"))
        first.read_until(len(FLV) + log.head)
        # This one does not wake the thread; the player that joins does.
        log.append(AUDIO, i, sound(b"waits"))
        other = Viewer(sender, tcp, log, position=log.head)
        other.read_until(len(FLV))
        first.read_until(len(FLV) + log.head)
        other.socket.close()


# --- threads, load and leaks ---


@pytest.mark.parametrize("threads", [0, limits.THREADS_MAX + 1])
def test_the_number_of_threads_has_bounds(descriptors, threads):
    before = descriptors()
    with pytest.raises(UsageError, match="sender threads"):
        Sender(threads)
    assert descriptors() == before, "standard input is not the sender's to close"


def test_a_sender_that_cannot_have_all_its_threads_has_none(descriptors):
    before = descriptors()
    tasks = len(os.listdir("/proc/self/task"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) + 16, hard))
    try:
        with pytest.raises(ResourceError):
            Sender(limits.THREADS_MAX)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert descriptors() == before
    assert len(os.listdir("/proc/self/task")) == tasks


def test_only_a_sender_makes_players():
    with pytest.raises(UsageError, match=r"Sender\.add"):
        SendHandle()


def test_players_are_spread_evenly_over_the_threads(senders, tcp, reaped):
    sender = senders(3)
    log = MediaLog()
    viewers = [Viewer(sender, tcp, log) for _ in range(12)]
    assert sender.loads == [4, 4, 4]
    for viewer in viewers[:6]:
        sender.kick(viewer.player)
    reaped(sender, 6)
    for _ in range(6):
        Viewer(sender, tcp, log)
    assert sender.loads == [4, 4, 4]
    assert (sender.count, log.readers) == (12, 12)


@FRAMINGS
@WINDOWS
def test_threads_sleep_while_nothing_is_written(senders, tcp, framing, window_ms):
    sender = senders(2)
    publisher = Publisher(frame_bytes=4000)
    publisher.frames(5)
    log = publisher.log
    start = dict(start=FLV + log.key_headers, position=log.key_pos)
    viewers = [
        Viewer(sender, tcp, log, framing=framing, merge_window_ms=window_ms, **start) for _ in range(6)
    ]
    publisher.frames(5)
    for viewer in viewers:
        viewer.read_until(len(FLV) + len(start["start"]) - len(FLV) + log.head - start["position"])
    # A thread looks on for a window and two steps before it sleeps.
    deadline = time.monotonic() + 5
    woken = -1
    while woken != sender.wakeups:
        assert time.monotonic() < deadline
        woken = sender.wakeups
        select.select([], [], [], 0.15 + window_ms / 500)
    publisher.frames(1)
    for viewer in viewers:
        viewer.read_until(len(start["start"]) + log.head - start["position"])


def test_2000_joins_and_leaves_leave_nothing_behind(tcp, descriptors, reaped):
    before = descriptors()
    publisher = Publisher()
    publisher.frames(5)
    log = publisher.log
    sender = Sender(2)
    preamble, start = MediaBlock(HEAD), MediaBlock(FLV)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        here = listener.getsockname()
        for turn in range(20):
            clients, players = [], []
            for i in range(100):
                client = socket.create_connection(here)
                server, _ = listener.accept()
                server.setblocking(False)
                players.append(
                    sender.add(
                        server.detach(),
                        log,
                        framing=i % 2,
                        preamble=preamble,
                        start=start,
                        merge_window_ms=turn % 2 * 40,
                    )
                )
                clients.append(client)
                if i % 25 == 0:
                    publisher.frames(1)
            for i, (client, player) in enumerate(zip(clients, players, strict=True)):
                if i % 2:
                    sender.kick(player)
                client.close()
            assert len(reaped(sender, 100)) == 100
            assert (log.readers, sender.count, sender.loads) == (0, 0, [0, 0])
    sender.stop()
    del sender, players, player, client, clients, server
    assert descriptors() == before


def test_a_log_lives_as_long_as_its_players_and_no_longer(senders, tcp, reaped):
    sender = senders(1)
    viewer = Viewer(sender, tcp, MediaLog(), position=0)
    viewer.player.log.append(VIDEO, 0, key(b"x"))
    gc.collect()
    viewer.read_until(len(FLV) + len(key(b"x")) + 15)
    viewer.player.log.end()
    (player,) = reaped(sender)
    assert read_file(viewer.body[0])[2] == [Tag(VIDEO, 0, key(b"x"))]
    assert player.log.readers == 0


def test_the_model_refuses_what_is_not_whole():
    with pytest.raises(Broken):
        read_tags(b"\x09\x00\x00\x01")
    with pytest.raises(Broken):
        dechunk(b"5\r\nabcdefgh\r\n")
    assert dechunk(b"5\r\nabc") == (b"abc", False)
    assert dechunk(b"3\r\nabc\r\n0\r\n\r\n") == (b"abc", True)
