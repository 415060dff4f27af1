"""Players called back from their sender thread to be told something, and handed over again: nothing is cut or lost."""

from __future__ import annotations

import random
import socket
import threading
import time

import pytest
from model.flv import AVC_HEADER, Feed, inter, key, read_tags

from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog

RAW, WEBSOCKET = 0, 2
WORD = b"\x8a\x02hi"
"A pong."


class Film:
    """A publisher whose pictures are marked with their number; a keyframe every ten, 100 ms apart."""

    def __init__(self) -> None:
        self.log = MediaLog()
        self.feed = Feed(StreamWriter(self.log))
        self.feed.writer.begin(0)
        self.feed.video(0, AVC_HEADER)
        self.count = 0

    def shoot(self, pictures: int, size: int = 1000) -> None:
        for _ in range(pictures):
            mark = self.count.to_bytes(4, "big") + bytes(size)
            self.feed.video(100 * self.count, key(mark) if self.count % 10 == 0 else inter(mark))
            self.count += 1


def frames(wire: bytes) -> list[tuple[int, bytes]]:
    found = []
    while wire:
        size, at = wire[1], 2
        if size >= 126:
            at = 4 if size == 126 else 10
            size = int.from_bytes(wire[2:at], "big")
        assert wire[0] in (0x82, 0x8A), wire[:20]
        assert len(wire) >= at + size, "cut within a frame"
        found.append((wire[0] & 15, wire[at : at + size]))
        wire = wire[at + size :]
    return found


def check_film(wire: bytes) -> tuple[list[int], int]:
    """The numbers of the pictures, which are in a row but for jumps to a keyframe behind its headers; and how many."""
    tags = read_tags(wire)
    numbers, jumps = [], 0
    for i, tag in enumerate(tags):
        if tag.is_header:
            continue
        number = int.from_bytes(tag.mark[:4], "big")
        if numbers and number != numbers[-1] + 1:
            jumps += 1
            assert tag.is_key and number > numbers[-1], f"from {numbers[-1]} to {number}"
            assert tags[i - 1].body == AVC_HEADER
        numbers.append(number)
    return numbers, jumps


def read_all(sock: socket.socket, into: bytearray) -> None:
    while data := sock.recv(1 << 16):
        into += data


@pytest.mark.parametrize("framing", [RAW, WEBSOCKET])
def test_a_late_player_that_is_called_back_within_a_frame_still_leaves(senders, tcp, reaped, framing):
    """What was announced has to be filled, and what it was to be filled with is skipped."""
    film, sender = Film(), senders(1)
    film.shoot(100, 5000)
    server, client = tcp(receive_bytes=4096, send_bytes=8192)
    player = sender.add(server.detach(), film.log, framing=framing, position=0, jump_ms=500, close_ms=1 << 40)
    first = client.recv(1)
    film.shoot(35)
    sender.recall(player)
    wire = bytearray(first)
    reader = threading.Thread(target=read_all, args=(client, wire))
    reader.start()
    (left,) = reaped(sender)
    assert left is player
    assert (player.reason, player.whole) == ("recalled", True)
    reader.join(10)
    content = bytes(wire)
    if framing == WEBSOCKET:
        content = b"".join(payload for _, payload in frames(content))
    check_film(content)


def test_a_player_that_waits_for_a_keyframe_can_be_called_back(senders, tcp, reaped):
    film, sender = Film(), senders(1)
    film.shoot(5)
    server, client = tcp()
    player = sender.add(server.detach(), film.log, framing=WEBSOCKET, preamble=MediaBlock(b"hello"))
    assert client.recv(10) == b"hello"
    sender.recall(player)
    assert reaped(sender) == [player]
    assert (player.reason, player.whole, player.position) == ("recalled", True, -1)


@pytest.mark.parametrize("seed", range(6))
def test_words_between_the_messages_of_a_slow_player_cut_nothing(senders, tcp, reaped, seed):
    chance = random.Random(seed)
    film, sender = Film(), senders(1)
    film.shoot(12, 3000)
    server, client = tcp(receive_bytes=4096, send_bytes=8192)
    wire, over = bytearray(), threading.Event()

    def read_now_and_then() -> None:
        # Its own dice: threads share none.
        mine = random.Random(seed + 100)
        while data := client.recv(mine.choice([100, 5000, 1 << 16])):
            wire.extend(data)
            if not over.is_set():
                time.sleep(mine.random() / 300)

    reader = threading.Thread(target=read_now_and_then)
    reader.start()

    def add(position: int):
        return sender.add(
            server.dup().detach(), film.log, framing=WEBSOCKET, position=position, jump_ms=chance.choice([300, 3000]),
            close_ms=1 << 40, merge_window_ms=0,
        )  # fmt: skip

    player, said, jumps = add(0), 0, 0
    for _ in range(40):
        film.shoot(chance.randrange(1, 30), chance.choice([100, 3000, 20_000]))
        if chance.random() < 0.5:
            sender.recall(player)
            assert reaped(sender) == [player]
            assert (player.reason, player.whole) == ("recalled", True)
            server.setblocking(True)
            server.sendall(WORD)
            server.setblocking(False)
            said += 1
            jumps += player.jumps
            player = add(player.position)
    over.set()
    film.log.end()
    assert reaped(sender) == [player]
    assert player.reason == "stream ended"
    server.close()
    reader.join(10)
    found = frames(bytes(wire))
    assert sum(opcode == 10 for opcode, _ in found) == said
    numbers, seen = check_film(b"".join(payload for opcode, payload in found if opcode == 2))
    assert numbers[0] == 0
    assert numbers[-1] == film.count - 1 or player.position == -1 or seen
