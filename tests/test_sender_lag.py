"""Players of sender threads that read too slowly: where they go on, and that nobody else waits for them."""

from __future__ import annotations

import random
import select
import socket
import struct
from itertools import pairwise

import pytest
from model.flv import AUDIO, read_file, sound
from model.viewer import CHUNKED, FLV, FRAMINGS, HEAD, RAW, SLOW, Publisher, Viewer, numbers, stall

from fastflv import limits
from fastflv._ext.log.medialog import MediaLog


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
    publisher = Publisher(frame_bytes=4000, history_bytes=200_000)
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
    publisher = Publisher(frame_bytes=4000, gop=200, key_tags_max=100)
    publisher.frames(1)
    viewer = stall(senders(1), tcp, publisher, framing, jump_ms=1000)
    publisher.frames(190)
    viewer.read_past_a_jump()
    assert publisher.log.key_pos == -1
    publisher.frames(20)
    publisher.log.end()
    viewer.read_all()
    seen = numbers(viewer.tags)
    assert [b for a, b in pairwise(seen) if b != a + 1] == [200]
    assert seen[-1] == 210


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
        frame_bytes=dice.choice([1, 900, 9000, 60_000]),
        gop=dice.choice([1, 5, 25, 120]),
        history_bytes=dice.choice([100_000, 2_000_000]),
        key_bytes_max=dice.choice([0, 300_000]),
    )
    publisher.frames(1)
    framing = seed % 2
    sender = senders(1)
    options = dict(
        framing=framing, jump_ms=dice.choice([200, 1500, 10**9]), merge_window_ms=dice.choice([0, 40])
    )
    viewers = [stall(sender, tcp, publisher, **options) for _ in range(3)]
    for _ in range(40):
        publisher.frames(dice.choice([0, 1, 1, 7, 40]))
        for viewer in viewers:
            ready, _, _ = select.select([viewer.socket], [], [], 0)
            if ready and dice.random() < 0.6:
                viewer.data += viewer.socket.recv(dice.choice([1, 100, 5000, 500_000]))
    publisher.log.end()
    # All at once: one that is read last would stall meanwhile.
    rest = {viewer.socket: bytearray() for viewer in viewers}
    reading = set(rest)
    while reading:
        for ready in select.select(list(reading), [], [], 10)[0]:
            block = ready.recv(1 << 20)
            rest[ready] += block
            if not block:
                reading.remove(ready)
    for viewer in viewers:
        viewer.data += rest[viewer.socket]
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
    publisher = Publisher(frame_bytes=4000, history_bytes=1_000_000)
    publisher.frames(1)
    sender = senders(1)
    viewers = [stall(sender, tcp, publisher, RAW, jump_ms=10**9) for _ in range(10)]
    for _ in range(40):
        publisher.frames(50)
        assert publisher.log.kept_bytes <= 1_000_000 + 2 * limits.PAGE_BYTES_MAX
    assert not any(viewer.player.closed for viewer in viewers)
