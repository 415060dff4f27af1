"""Players that one set of sender threads hands to another, as one process does to the next: at the exact byte."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from model.flv import AVC_HEADER, Feed, inter, key
from model.viewer import FLV, SLOW, Publisher, Viewer, numbers

from fastflv._ext.fanout.handover import (
    part_player,
    pause_threads,
    player_state,
    restore_player,
    resume_threads,
    socket_of,
)
from fastflv._ext.fanout.sender import Sender, SendHandle
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.logstate import log_state, restore_log
from fastflv._ext.log.medialog import MediaLog

RAW, CHUNKED, WEBSOCKET = 0, 1, 2
PREAMBLE, START = b"HTTP/1.1 200 OK\r\n\r\n", b"FLV-start" * 700
Connect = Callable[..., tuple[socket.socket, socket.socket]]


def shoot(feed: Feed, first: int, count: int, size: int = 3000) -> None:
    for number in range(first, first + count):
        mark = number.to_bytes(4, "big") * (size // 4)
        feed.video(40 * number, key(mark) if number % 50 == 0 else inter(mark))


def begin() -> tuple[MediaLog, Feed]:
    log = MediaLog()
    feed = Feed(StreamWriter(log))
    feed.writer.begin(0)
    feed.video(0, AVC_HEADER)
    return log, feed


def content(wire: bytes, framing: int) -> bytes:
    """What stands in the frames of *wire*, whose last one may be cut."""
    if framing == RAW:
        return wire
    found = b""
    while wire:
        if framing == CHUNKED:
            size, at = int(wire[: wire.index(b"\r\n")], 16), wire.index(b"\r\n") + 2
            end = at + size + 2
            assert wire[end - 2 : end] in (b"\r\n", b""), wire[end - 2 : end]
        else:
            assert wire[0] == 0x82, wire[:10]
            size, at = wire[1], 2
            if size >= 126:
                at = 4 if size == 126 else 10
                size = int.from_bytes(wire[2:at], "big")
            end = at + size
        found += wire[at : at + size]
        wire = wire[end:]
    return found


def move(old: Sender, new: Sender, player: SendHandle, log: MediaLog) -> SendHandle:
    """Hand a player over, through a duplicate of its descriptor; both sets of threads are paused."""
    state = player_state(old, player)
    assert state is not None
    fd = os.dup(socket_of(player))
    moved = new.add(
        fd,
        log,
        framing=state["framing"],
        preamble=MediaBlock(state["rest"]) if state["rest"] else None,
        start=MediaBlock(state["block"]) if state["block"] else None,
        position=state["position"],
    )
    restore_player(new, moved, state)
    nothing = os.open(os.devnull, os.O_RDWR)
    part_player(old, player, nothing)
    os.close(nothing)
    return moved


@pytest.mark.parametrize("framing", [RAW, CHUNKED, WEBSOCKET])
@pytest.mark.parametrize("taken", [0, 1, 17, 20, 4000, 6318, 6319, 9000, 30_000, 61_234])
def test_a_player_goes_on_behind_the_last_byte_that_its_socket_took(
    framing: int, taken: int, senders: Callable[..., Sender], tcp: Connect, reaped: Callable[..., Any]
) -> None:
    log, feed = begin()
    shoot(feed, 0, 30)
    old, new = senders(), senders()
    server, client = tcp(receive_bytes=4096, send_bytes=4096)
    client.settimeout(10)
    player = old.add(
        server.detach(),
        log,
        framing=framing,
        preamble=MediaBlock(PREAMBLE),
        start=MediaBlock(START),
        position=0,
    )
    wire = b""
    while len(wire) < taken:
        wire += client.recv(taken - len(wire))
    pause_threads(old)
    pause_threads(new)
    other = MediaLog()
    restore_log(other, log_state(log), 15)
    moved = move(old, new, player, other)
    resume_threads(old)
    resume_threads(new)
    (left,) = reaped(old)
    assert left is player and left.owner is None
    # What the old process writes from here on, nobody is sent.
    shoot(feed, 30, 3)
    want = START + other.read(0, other.head)
    other.end()
    while data := client.recv(1 << 16):
        wire += data
    assert wire[: len(PREAMBLE)] == PREAMBLE
    assert content(wire[len(PREAMBLE) :].removesuffix(b"0\r\n\r\n"), framing) == want
    assert moved.sent == len(wire), "bytes of both processes are counted"


def test_a_player_whose_frame_ends_within_a_tag_goes_on_with_whole_tags_however_late(
    senders: Callable[..., Sender], tcp: Connect
) -> None:
    publisher = Publisher(gop=50, frame_bytes=3000, history_bytes=200_000)
    log = publisher.log
    publisher.frames(1)
    old, new = senders(), senders()
    start = FLV + log.key_headers
    viewer = Viewer(
        old, tcp, log, framing=CHUNKED, start=start, position=log.key_pos, sizes=SLOW, close_ms=1 << 40
    )
    viewer.read_until(len(start) + log.head - log.key_pos)
    pause_threads(old)
    # One send, in one frame, which is filled behind a jump: its rest is trimmed.
    publisher.frames(19)
    resume_threads(old)
    viewer.read(5000)
    publisher.frames(210)
    viewer.read_past_a_jump()
    pause_threads(new)
    pause_threads(old)
    # It still has to leave the tag that is half sent. The open frame is `rest` then, the rest of a tag behind it `block`.
    while not (state := player_state(old, viewer.player)) or not state["block"]:
        resume_threads(old)
        viewer.read(500)
        pause_threads(old)
    moved = move(old, new, viewer.player, log)
    for threads in (old, new):
        resume_threads(threads)
    publisher.frames(200)
    log.end()
    viewer.read_all()
    assert moved.jumps > 1
    assert numbers(viewer.tags)[-1] == publisher.next - 1


def test_threads_that_go_on_after_a_pause_have_lost_nothing(
    senders: Callable[..., Sender], tcp: Connect
) -> None:
    log, feed = begin()
    sender = senders(2)
    ends = [tcp() for _ in range(6)]
    for server, _ in ends:
        sender.add(server.detach(), log, framing=RAW, position=0)
    for turn in range(4):
        shoot(feed, turn * 10, 5)
        pause_threads(sender)
        shoot(feed, turn * 10 + 5, 5)
        resume_threads(sender)
    log.end()
    want = log.read(0, log.head)
    for _, client in ends:
        got = b""
        while data := client.recv(1 << 16):
            got += data
        assert got == want


def test_a_sender_that_is_paused_can_be_stopped(senders: Callable[..., Sender], tcp: Connect) -> None:
    log, feed = begin()
    sender = senders()
    server, client = tcp()
    sender.add(server.detach(), log, framing=RAW, position=0)
    shoot(feed, 0, 5)
    assert client.recv(1)
    pause_threads(sender)
    resume_threads(sender)
    pause_threads(sender)
    resume_threads(sender)
    sender.stop()
    assert [player.reason for player in sender.reap()] == ["server stops"]


def test_who_has_left_or_waits_for_a_keyframe_is_told_apart(
    senders: Callable[..., Sender], tcp: Connect, reaped: Callable[..., Any]
) -> None:
    log, feed = begin()
    shoot(feed, 0, 1)
    sender, other = senders(), senders()
    waiting, client = tcp()
    gone, _ = tcp()
    first = sender.add(waiting.detach(), log, framing=CHUNKED, preamble=MediaBlock(PREAMBLE))
    second = sender.add(gone.detach(), log, framing=RAW, position=0)
    shoot(feed, 1, 3)
    assert client.recv(100) == PREAMBLE
    sender.kick(second)
    reaped(sender)
    pause_threads(sender)
    pause_threads(other)
    assert player_state(sender, second) is None
    copy = MediaLog()
    restore_log(copy, log_state(log), 15)
    assert player_state(sender, first)["position"] == -1
    move(sender, other, first, copy)
    resume_threads(sender)
    resume_threads(other)
    copy.append(9, 2000, inter(b"lost"))
    copy.append(9, 2040, key(b"found"))
    wire = b""
    while b"found" not in wire:
        wire += client.recv(4096)
    assert b"lost" not in wire
    reaped(sender)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("thin", None),
        ("thin", {"skip": 300}),
        ("mark", {}),
        ("sent", "much"),
        ("epoch_pos", 1 << 70),
        ("jumps", None),
    ],
)
def test_a_wrong_value_leaves_a_player_as_it_was_added(
    field: str, value: object, senders: Callable[..., Sender], tcp: Connect
) -> None:
    log, feed = begin()
    sender = senders()
    server, client = tcp()
    shoot(feed, 0, 2)
    pause_threads(sender)
    player = sender.add(server.detach(), log, framing=RAW, position=0)
    state = {
        "thin": {
            name: 0
            for name in ("skip", "wait_ms", "until_ms", "key_pos", "bridge", "drop_ms", "drops", "dropped")
        },
        "mark": {"sent": 0, "dts_ms": 0},
        **dict.fromkeys(("credit_ms", "first_us", "key_us", "sent", "sends", "jumps"), 0),
        "epoch_pos": -1,
    }
    restore_player(sender, player, state)
    with pytest.raises((KeyError, TypeError, ValueError, OverflowError)):
        restore_player(sender, player, state | {field: value})
    resume_threads(sender)
    assert client.recv(1)
