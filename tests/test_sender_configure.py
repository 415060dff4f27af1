"""Settings of players that change while sender threads serve them: no connection closes, no byte is lost or repeated."""

from __future__ import annotations

import random
import socket
import time

import pytest
from model.viewer import CHUNKED, FLV, FRAMINGS, RAW, SLOW, Publisher, Viewer, numbers, stall, wait_for

from fastflv import limits

SO_MAX_PACING_RATE = 47
UNBOUND = 0xFFFFFFFF
AUTO = -1
CALM = {"drop_ms": 1 << 40, "jump_ms": 1 << 40, "close_ms": 1 << 40, "pace_percent": 0}
"No player is late."


def watch(sender, tcp, publisher: Publisher, **more) -> Viewer:
    log = publisher.log
    return Viewer(sender, tcp, log, start=FLV + log.key_headers, position=log.key_pos, **{**CALM, **more})


def whole(publisher: Publisher) -> bytes:
    log = publisher.log
    return FLV + log.key_headers + log.read(log.key_pos, log.head)


@FRAMINGS
def test_50_players_follow_each_change_of_the_merge_window(senders, tcp, reaped, framing):
    sender = senders(2)
    publisher = Publisher(gop=10**6)
    publisher.frames(1)
    viewers = [watch(sender, tcp, publisher, framing=framing) for _ in range(50)]

    def frames_one_by_one(count: int) -> float:
        """Publish frames, each once all players have the one before; return the sends of each player per frame."""
        before = [viewer.player.sends for viewer in viewers]
        for _ in range(count):
            marks = [viewer.player.sent for viewer in viewers]
            publisher.frames(1)
            for viewer, mark in zip(viewers, marks, strict=True):
                wait_for(lambda viewer=viewer, mark=mark: viewer.player.sent > mark)
        return min(v.player.sends - b for v, b in zip(viewers, before, strict=True)) / count

    def frames_in_time(seconds: float) -> tuple[float, float]:
        """Publish 25 frames a second; return the seconds it took, and the most sends of a player."""
        before = [viewer.player.sends for viewer in viewers]
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            publisher.frames(1)
            time.sleep(0.04)
        return time.monotonic() - began, max(v.player.sends - b for v, b in zip(viewers, before, strict=True))

    assert frames_one_by_one(10) >= 1
    sender.configure(publisher.log, merge_window_ms=350, **CALM)
    took, sends = frames_in_time(1.5)
    assert sends <= took / 0.35 + 3
    sender.configure(publisher.log, merge_window_ms=AUTO, **CALM)
    assert frames_one_by_one(5) >= 1
    sender.configure(publisher.log, merge_window_ms=1000, **CALM)
    took, sends = frames_in_time(1.2)
    assert sends <= took / 1.0 + 3
    sender.configure(publisher.log, merge_window_ms=0, **CALM)
    assert frames_one_by_one(10) >= 1
    wanted = whole(publisher)
    publisher.log.end()
    for viewer in viewers:
        viewer.read_all()
        assert viewer.body == (wanted, framing == CHUNKED)
    assert {player.reason for player in reaped(sender, 50)} == {"stream ended"}


@pytest.mark.parametrize("seed", range(8))
def test_whatever_changes_in_whatever_state_of_a_player_its_bytes_are_those_of_the_log(
    senders, tcp, reaped, seed
):
    """Players join, read, stop reading and are recalled between two changes."""
    dice = random.Random(seed)
    # Players are read one after the other.
    sender = senders(2, drain_seconds=60)
    publisher = Publisher(gop=10**6, frame_bytes=3000)
    publisher.frames(1)
    viewers: list[Viewer] = []
    for _ in range(60):
        act = dice.random()
        if act < 0.25:
            viewers.append(watch(sender, tcp, publisher, framing=dice.choice([RAW, CHUNKED]), sizes=SLOW))
        elif act < 0.5 and viewers:
            viewer = dice.choice(viewers)
            if len(viewer.body[0]) < len(whole(publisher)):
                viewer.data += viewer.socket.recv(dice.choice([1, 5000, 20_000]))
        elif act < 0.75:
            window = dice.choice([0, 10, 40, 350, 1000, AUTO])
            pace = dice.choice([0, 0, 100_000])
            sender.configure(publisher.log, merge_window_ms=window, **{**CALM, "pace_percent": pace})
        publisher.frames(dice.randrange(4))
        time.sleep(dice.choice([0, 0.001, 0.02]))
    sender.configure(publisher.log, merge_window_ms=0, **CALM)
    wanted = whole(publisher)
    publisher.log.end()
    for viewer in viewers:
        viewer.read_all()
        assert viewer.body == (wanted, viewer.framing == CHUNKED)
    reaped(sender, len(viewers))
    assert (publisher.log.readers, sender.count) == (0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_a_recalled_player_leaves_between_two_tags_whatever_changes_meanwhile(senders, tcp, reaped, seed):
    dice = random.Random(seed)
    sender = senders(1)
    publisher = Publisher(gop=10**6, frame_bytes=3000)
    publisher.frames(1)
    twins: list[socket.socket] = []

    def pair(**sizes: int) -> tuple[socket.socket, socket.socket]:
        server, client = tcp(**sizes)
        twins.append(server.dup())
        return server, client

    viewer = watch(sender, pair, publisher, sizes=SLOW)
    for _ in range(5):
        publisher.frames(dice.randrange(1, 30))
        sender.configure(publisher.log, merge_window_ms=dice.choice([0, 350]), **CALM)
        sender.recall(viewer.player)
        sender.configure(publisher.log, merge_window_ms=dice.choice([0, 40]), **CALM)
        while not viewer.player.closed:
            viewer.socket.settimeout(0.01)
            try:
                viewer.data += viewer.socket.recv(65536)
            except TimeoutError:
                continue
        (left,) = reaped(sender)
        assert (left.reason, left.whole) == ("recalled", True)
        viewer.player = sender.add(
            twins[0].dup().detach(), publisher.log, framing=RAW, position=left.position, before=left, **CALM
        )
    twins[0].close()
    viewer.socket.settimeout(10)
    publisher.log.end()
    viewer.read_all()
    assert viewer.body[0] == whole(publisher)


def test_a_player_that_is_joining_has_the_settings_of_the_last_call(senders, tcp):
    sender = senders(1)
    publisher = Publisher()
    publisher.frames(1)
    for _ in range(30):
        viewer = watch(sender, tcp, publisher, merge_window_ms=30_000)
        sender.configure(publisher.log, merge_window_ms=0, **CALM)
        size = len(FLV + publisher.log.key_headers) + publisher.log.head - publisher.log.key_pos
        viewer.read_until(size)
        publisher.frames(1)
        viewer.read(1)
        sender.kick(viewer.player)


def test_a_full_socket_is_closed_once_the_bound_of_its_lag_falls_below_it(senders, tcp, reaped):
    sender = senders(1)
    publisher = Publisher(frame_bytes=20_000)
    publisher.frames(1)
    viewer = stall(sender, tcp, publisher, RAW, jump_ms=1 << 40)
    publisher.frames(200)
    time.sleep(2 * limits.BLOCKED_CHECK_MS / 1000)
    assert not viewer.player.closed
    sender.configure(publisher.log, merge_window_ms=0, **{**CALM, "close_ms": 2000})
    (left,) = reaped(sender)
    assert (left.reason, left is viewer.player) == ("too slow", True)


def test_a_late_player_jumps_once_the_bound_of_its_lag_falls_below_it(senders, tcp, reaped):
    sender = senders(1)
    publisher = Publisher(frame_bytes=20_000, history_bytes=1 << 40, history_ms=1 << 40)
    publisher.frames(1)
    viewer = stall(sender, tcp, publisher, CHUNKED, jump_ms=1 << 40)
    publisher.frames(200)
    sender.configure(publisher.log, merge_window_ms=0, **{**CALM, "jump_ms": 500})
    publisher.log.end()
    viewer.read_all()
    seen = numbers(viewer.tags)
    assert viewer.player.jumps == 1
    assert seen[-1] == 200
    assert len(seen) < 201


def test_disposable_pictures_are_left_out_once_the_bound_of_the_lag_falls_below_it(senders, tcp):
    sender = senders(1)
    publisher = Publisher(frame_bytes=20_000, gop=500, spare=True, history_bytes=1 << 40, history_ms=1 << 40)
    publisher.frames(1)
    viewer = stall(sender, tcp, publisher, RAW, jump_ms=1 << 40, drop_ms=1 << 40)
    publisher.frames(200)
    sender.configure(publisher.log, merge_window_ms=0, **{**CALM, "drop_ms": 500})
    publisher.log.end()
    viewer.read_all()
    assert (viewer.player.drops, viewer.player.jumps) == (1, 0)
    assert viewer.player.dropped > 50


def test_the_kernel_paces_a_player_and_stops_to_pace_it(senders, tcp):
    sender = senders(1)
    publisher = Publisher(frame_bytes=1000, gop=25)
    publisher.frames(60)
    twins: list[socket.socket] = []

    def pair(**sizes: int) -> tuple[socket.socket, socket.socket]:
        server, client = tcp(**sizes)
        twins.append(server.dup())
        return server, client

    def pacing() -> int:
        return twins[0].getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE) & 0xFFFFFFFF

    viewer = watch(sender, pair, publisher)
    viewer.read_until(len(whole(publisher)))
    assert pacing() == UNBOUND

    def paced(rate: float) -> bool:
        # A thread that is awake may send a frame before it looks at its orders; the kernel is told with the next.
        publisher.frames(1)
        return pacing() == pytest.approx(rate, rel=0.04)

    for percent in 200, 210:
        sender.configure(publisher.log, merge_window_ms=0, **{**CALM, "pace_percent": percent})
        wait_for(lambda rate=percent / 100 * 25 * 1045: paced(rate))
    sender.configure(publisher.log, merge_window_ms=0, **CALM)
    wait_for(lambda: pacing() == UNBOUND)
    twins[0].close()


def test_a_player_whose_pace_changed_twice_between_two_sends_keeps_no_bound(senders, tcp):
    sender = senders(1)
    publisher = Publisher(frame_bytes=1000, gop=25)
    publisher.frames(60)
    server, client = tcp()
    twin = server.dup()

    def pacing() -> int:
        return twin.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE) & 0xFFFFFFFF

    viewer = watch(sender, lambda: (server, client), publisher, pace_percent=200)
    viewer.read_until(len(whole(publisher)))
    wait_for(lambda: pacing() != UNBOUND)
    for percent in 300, 0:
        woken = sender.wakeups
        sender.configure(publisher.log, merge_window_ms=0, **{**CALM, "pace_percent": percent})
        wait_for(lambda woken=woken: sender.wakeups > woken)
    wait_for(lambda: pacing() == UNBOUND)
    twin.close()


def test_threads_go_to_sleep_again_after_a_change(senders, tcp):
    sender = senders(2)
    publisher = Publisher()
    publisher.frames(1)
    viewers = [watch(sender, tcp, publisher) for _ in range(6)]
    for window in 350, 0, 40, AUTO, 0:
        sender.configure(publisher.log, merge_window_ms=window, **CALM)
        publisher.frames(3)
        for viewer in viewers:
            viewer.read_until(len(whole(publisher)))
        # A thread looks for a whole window before it sleeps.
        until = time.monotonic() + 10
        woken = -1
        while woken != sender.wakeups:
            assert time.monotonic() < until, "a thread does not sleep"
            woken = sender.wakeups
            time.sleep(0.15 + max(window, 0) / 500)


def test_a_change_for_a_log_without_players_does_nothing(senders):
    sender = senders(1)
    publisher = Publisher()
    for _ in range(1000):
        sender.configure(publisher.log, merge_window_ms=0, **CALM)
    sender.stop()
    sender.configure(publisher.log, merge_window_ms=0, **CALM)
