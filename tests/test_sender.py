"""Sender threads over real TCP connections: what a player reads, whatever its speed and its framing."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import resource
import select
import socket
import struct
import time
import weakref
from itertools import pairwise

import pytest
from model.flv import (
    AAC_HEADER,
    AUDIO,
    AVC_HEADER,
    VIDEO,
    Broken,
    Tag,
    dechunk,
    inter,
    key,
    read_file,
    read_tags,
    sound,
)
from model.viewer import CHUNKED, FLV, HEAD, RAW, Publisher, Viewer

from fastflv import limits
from fastflv._ext.medialog import MediaLog
from fastflv._ext.segment import MediaBlock
from fastflv._ext.sender import Player, Sender
from fastflv.errors import ResourceError, UsageError

FRAMINGS = pytest.mark.parametrize("framing", [RAW, CHUNKED], ids=["raw", "chunked"])
WINDOWS = pytest.mark.parametrize("window_ms", [0, 40, 350])
EMPTY = MediaBlock(b"")


def numbers(tags: list[Tag]) -> list[int]:
    """Check order and resumption of what a player read; return the numbers of the video frames."""
    seen: list[int] = []
    headers: set[bytes] = set()
    for tag in tags:
        if tag.is_header:
            headers.add(tag.body)
        elif tag.kind in (AUDIO, VIDEO):
            number = struct.unpack(">I", tag.mark[:4])[0]
            if tag.kind == VIDEO:
                if not seen or number != seen[-1] + 1:
                    assert tag.is_key, f"frame {number} follows {seen[-1:]} and is no key"
                    assert headers == {AAC_HEADER, AVC_HEADER}, f"no headers before frame {number}"
                assert tag.mark[4:] == random.Random(number).randbytes(len(tag.mark) - 4)
                seen.append(number)
                headers = set()
            else:
                assert seen
                assert number == seen[-1], f"sound {number} behind frame {seen[-1]}"
    assert seen == sorted(set(seen))
    return seen


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
        window_ms=window_ms,
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
    viewer = Viewer(senders(1), tcp, log, start=FLV + log.key_headers, position=log.key_pos, window_ms=30_000)
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


@WINDOWS
def test_players_that_join_while_frames_are_written_all_read_them_in_order(senders, tcp, reaped, window_ms):
    sender = senders(3)
    publisher = Publisher()
    log = publisher.log
    viewers = []
    for i in range(60):
        publisher.frames(1)
        at_key = dict(start=FLV + log.key_headers, position=log.key_pos) if i % 3 else {}
        viewers.append(Viewer(sender, tcp, log, framing=i % 2, window_ms=window_ms, **at_key))
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
    viewer = Viewer(senders(1), tcp, log, window_ms=200, **start)
    viewer.read_until(len(FLV))
    before = viewer.player.sends
    publisher.frames(50)
    log.end()
    viewer.read_all()
    assert viewer.player.sends - before <= 3


def test_with_a_window_pictures_wake_no_thread_that_is_awake(senders, tcp):
    publisher = Publisher()
    publisher.frames(1)
    sender = senders(1)
    log = publisher.log
    viewer = Viewer(sender, tcp, log, position=log.key_pos, window_ms=1000)
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


# --- slow players ---


SLOW = {"receive_bytes": 4096, "send_bytes": 8192}


def stall(sender: Sender, tcp, publisher: Publisher, framing: int, *, jump_ms: int, **more) -> Viewer:
    """Let a player with small buffers join; what there is at first it reads."""
    log = publisher.log
    start = FLV + log.key_headers
    viewer = Viewer(
        sender,
        tcp,
        log,
        framing=framing,
        start=start,
        position=log.key_pos,
        sizes=SLOW,
        jump_ms=jump_ms,
        # Media is made faster than in life.
        close_ms=1 << 40,
        **more,
    )
    viewer.read_until(len(start) + log.head - log.key_pos)
    return viewer


@FRAMINGS
def test_a_player_that_stalls_goes_on_at_the_newest_key(senders, tcp, framing):
    publisher = Publisher(frame_bytes=4000)
    publisher.frames(1)
    viewer = stall(senders(1), tcp, publisher, framing, jump_ms=2000)
    publisher.frames(499)
    viewer.read_past_a_jump()
    publisher.frames(3)
    publisher.log.end()
    viewer.read_all()
    seen = numbers(viewer.tags)
    gaps = [(a, b) for a, b in pairwise(seen) if b != a + 1]
    # The frames are written faster than in life: it may jump on the way already.
    assert 1 <= len(gaps) <= viewer.player.jumps
    assert gaps[-1][1] in (490, 500)
    assert seen[-1] == 502


@FRAMINGS
def test_a_player_that_lags_less_than_the_bound_misses_nothing(senders, tcp, framing):
    publisher = Publisher(frame_bytes=4000)
    publisher.frames(1)
    viewer = stall(senders(1), tcp, publisher, framing, jump_ms=30_000)
    publisher.frames(499)
    publisher.log.end()
    viewer.read_all()
    assert numbers(viewer.tags) == list(range(500))
    assert viewer.player.jumps == 0


@FRAMINGS
def test_a_player_whose_place_was_trimmed_goes_on_at_the_newest_key(senders, tcp, framing):
    publisher = Publisher(frame_bytes=4000, window_bytes=200_000)
    publisher.frames(1)
    viewer = stall(senders(1), tcp, publisher, framing, jump_ms=10**9)
    publisher.frames(999)
    publisher.log.end()
    assert publisher.log.tail > 3_000_000
    viewer.read_all()
    assert numbers(viewer.tags)[-1] == 999
    assert viewer.player.jumps >= 1


@FRAMINGS
def test_a_late_player_waits_for_a_key_when_there_is_none_to_go_to(senders, tcp, framing):
    publisher = Publisher(frame_bytes=4000, gop=300, key_tags_max=100)
    publisher.frames(1)
    viewer = stall(senders(1), tcp, publisher, framing, jump_ms=1000)
    publisher.frames(250)
    viewer.read_past_a_jump()
    assert publisher.log.key_pos == -1
    publisher.frames(60)
    publisher.log.end()
    viewer.read_all()
    seen = numbers(viewer.tags)
    assert [b for a, b in pairwise(seen) if b != a + 1] == [300]
    assert seen[-1] == 310


@FRAMINGS
def test_a_late_player_of_sound_alone_goes_to_the_head(senders, tcp, framing):
    log = MediaLog()
    log.append(AUDIO, 0, sound(bytes(4)))
    viewer = Viewer(
        senders(1), tcp, log, framing=framing, position=0, sizes=SLOW, jump_ms=1000, close_ms=1 << 40
    )
    viewer.read_until(len(FLV) + log.head)
    for i in range(1, 1000):
        log.append(AUDIO, i * 23, sound(struct.pack(">I", i) + bytes(1000)))
    viewer.read_past_a_jump()
    # It jumps when the tag that is on its way is out: what comes from then on it reads.
    for i in range(5000, 5060):
        log.append(AUDIO, i * 23, sound(struct.pack(">I", i)))
        if select.select([viewer.socket], [], [], 0.01)[0]:
            viewer.data += viewer.socket.recv(65536)
    log.end()
    viewer.read_all()
    seen = [struct.unpack(">I", tag.mark[:4])[0] for tag in viewer.tags]
    assert seen == sorted(set(seen))
    assert seen[-1] == 5059
    assert 1 <= sum(b != a + 1 for a, b in pairwise(seen)) <= viewer.player.jumps


@pytest.mark.parametrize("seed", range(24))
def test_whatever_the_pace_a_player_reads_whole_tags_and_resumes_at_keys(senders, tcp, seed):
    dice = random.Random(seed)
    publisher = Publisher(
        frame_bytes=dice.choice([10, 900, 9000, 60_000]),
        gop=dice.choice([1, 5, 25, 120]),
        window_bytes=dice.choice([100_000, 2_000_000]),
        key_bytes_max=dice.choice([0, 300_000]),
    )
    publisher.frames(1)
    framing = seed % 2
    sender = senders(1)
    options = dict(framing=framing, jump_ms=dice.choice([200, 1500, 10**9]), window_ms=dice.choice([0, 40]))
    viewers = [stall(sender, tcp, publisher, **options) for _ in range(3)]
    for _ in range(40):
        publisher.frames(dice.choice([0, 1, 1, 7, 40]))
        for viewer in viewers:
            ready, _, _ = select.select([viewer.socket], [], [], 0)
            if ready and dice.random() < 0.6:
                viewer.data += viewer.socket.recv(dice.choice([1, 100, 5000, 500_000]))
    publisher.log.end()
    # All at once: one that is read last would stall meanwhile.
    open_sockets = {viewer.socket: viewer for viewer in viewers}
    while open_sockets:
        for ready in select.select(list(open_sockets), [], [], 10)[0]:
            block = ready.recv(1 << 20)
            open_sockets[ready].data += block
            if not block:
                del open_sockets[ready]
    for viewer in viewers:
        body, ended = viewer.body
        seen = numbers(read_file(body)[2])
        gaps = sum(b != a + 1 for a, b in pairwise(seen))
        # A jump to a key that never came leaves no gap behind.
        assert gaps <= viewer.player.jumps
        if not viewer.player.jumps:
            assert seen == list(range(publisher.next))
            # After a jump the chunk that was announced before may be longer than all that followed.
            assert ended == (framing == CHUNKED)


def test_the_end_of_a_chunked_response_is_sent_though_its_content_just_filled_the_socket(senders, reaped):
    def pair(**_):
        # A local socket takes nothing more once it is full, to the byte.
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.settimeout(10)
        return ours, theirs

    sender = senders(1)
    log = MediaLog()
    log.end()
    size = 10**6
    for _ in range(3):
        viewer = Viewer(sender, pair, log, framing=CHUNKED, start=bytes(size))
        # Either all was taken and the player has left, or its socket is full.
        select.select([sender.fd], [], [], 0.05)
        taken = viewer.player.sent
        viewer.read_all()
        assert viewer.body == (bytes(size), True)
        reaped(sender)
        assert viewer.player.sent == len(viewer.data)
        viewer.socket.close()
        size = taken - len(HEAD) - len(f"{taken:x}") - 4


def test_a_slow_player_does_not_delay_the_others(senders, tcp):
    publisher = Publisher(frame_bytes=4000)
    publisher.frames(1)
    sender = senders(1)
    stalled = [stall(sender, tcp, publisher, CHUNKED, jump_ms=10**9) for _ in range(20)]
    log = publisher.log
    quick = Viewer(sender, tcp, log, start=FLV + log.key_headers, position=log.key_pos)
    for _ in range(100):
        publisher.frames(1)
        quick.read_until(len(quick.body[0]) + 4000)
    log.end()
    quick.read_all()
    assert numbers(quick.tags) == list(range(101))
    assert not any(viewer.player.closed for viewer in stalled)


@FRAMINGS
def test_a_player_whose_socket_takes_nothing_is_closed_as_stalled(senders, tcp, reaped, framing):
    publisher = Publisher(frame_bytes=4000)
    publisher.frames(1)
    sender = senders(1, stall_seconds=0.3)
    viewer = stall(sender, tcp, publisher, framing, jump_ms=30_000)
    publisher.frames(499)
    (player,) = reaped(sender)
    assert player is viewer.player
    assert player.reason == "stalled"


@FRAMINGS
def test_a_full_socket_gets_time_to_drain_when_its_stream_ended_and_no_more(senders, tcp, reaped, framing):
    publisher = Publisher(frame_bytes=4000)
    publisher.frames(1)
    sender = senders(1, drain_seconds=0.3)
    viewer = stall(sender, tcp, publisher, framing, jump_ms=30_000)
    publisher.frames(499)
    publisher.log.end()
    (player,) = reaped(sender)
    assert player is viewer.player
    assert player.reason == "stalled"


def test_memory_is_bounded_while_players_stall(senders, tcp):
    publisher = Publisher(frame_bytes=4000, window_bytes=1_000_000)
    publisher.frames(1)
    sender = senders(1)
    viewers = [stall(sender, tcp, publisher, RAW, jump_ms=10**9) for _ in range(10)]
    for _ in range(40):
        publisher.frames(50)
        assert publisher.log.kept_bytes <= 1_000_000 + 2 * limits.SEGMENT_BYTES_MAX
    assert not any(viewer.player.closed for viewer in viewers)


# --- leaving ---


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


def test_a_player_that_comes_when_the_stream_has_ended_is_let_go(senders, tcp, reaped):
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


def test_a_player_that_waits_for_a_key_is_let_go_when_the_stream_ends(senders, tcp):
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
        Player()


# --- load and leaks ---


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
    viewers = [Viewer(sender, tcp, log, framing=framing, window_ms=window_ms, **start) for _ in range(6)]
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
                        window_ms=turn % 2 * 40,
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
