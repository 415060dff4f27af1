"""Players called back from their sender thread to be told something, and handed over again: nothing is cut or lost."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time

import pytest
from model.flv import AVC_HEADER, VIDEO, Feed, Tag, dechunk, inter, key, read_tags, write_tag

from fastflv._ext.fanout.sender import Sender, SendHandle
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog

RAW, CHUNKED, WEBSOCKET = 0, 1, 2
NEVER = 1 << 40
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


def wait_left(sender: Sender, film: Film) -> list[SendHandle]:
    """Wait until players have left, while the stream goes on: what was announced of what was trimmed since is filled
    with newer pictures, and there may be too few of them yet."""
    until = time.monotonic() + 10
    while not select.select([sender.fd], [], [], 0.05)[0]:
        assert time.monotonic() < until, "nobody left"
        film.shoot(1, 5000)
    return sender.reap()


@pytest.mark.parametrize("framing", [RAW, WEBSOCKET])
def test_a_late_player_that_is_called_back_within_a_frame_still_leaves(senders, tcp, reaped, framing):
    """What was announced has to be filled, and what it was to be filled with is skipped."""
    film, sender = Film(), senders(1)
    film.shoot(100, 5000)
    server, client = tcp(receive_bytes=4096, send_bytes=8192)
    player = sender.add(server.detach(), film.log, framing=framing, position=0, jump_ms=500, close_ms=NEVER)
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


def test_a_frame_whose_rest_was_trimmed_is_filled_with_the_pictures_to_come(senders, tcp, reaped):
    film, sender = Film(), senders(1)
    film.shoot(20, 5000)
    server, client = tcp(receive_bytes=4096, send_bytes=8192)
    player = sender.add(
        server.detach(), film.log, framing=WEBSOCKET, position=film.log.key_pos, jump_ms=NEVER, close_ms=NEVER
    )
    wire = bytearray(client.recv(10, socket.MSG_WAITALL))
    announced = int.from_bytes(wire[2:10] if wire[1] == 127 else wire[2:4], "big")
    # More than the log keeps, up to a keyframe.
    film.shoot(381, 5000)
    assert film.log.tail > announced
    newest = (film.count - 1).to_bytes(4, "big") + bytes(5000)
    sender.recall(player)
    while newest not in wire:
        wire += client.recv(1 << 16)
    assert len(wire) < announced
    # All that there is was sent, and it ends within the frame: nothing else may be said yet.
    assert not player.closed
    film.shoot(30, 5000)
    reader = threading.Thread(target=read_all, args=(client, wire))
    reader.start()
    assert reaped(sender) == [player]
    assert (player.reason, player.whole, player.jumps) == ("recalled", True, 1)
    reader.join(10)
    check_film(b"".join(payload for _, payload in frames(bytes(wire))))


def test_a_player_that_waits_for_a_keyframe_can_be_called_back(senders, tcp, reaped):
    film, sender = Film(), senders(1)
    film.shoot(5)
    server, client = tcp()
    player = sender.add(server.detach(), film.log, framing=WEBSOCKET, preamble=MediaBlock(b"hello"))
    assert client.recv(10) == b"hello"
    sender.recall(player)
    assert reaped(sender) == [player]
    assert (player.reason, player.whole, player.position) == ("recalled", True, -1)


def test_a_player_without_pictures_that_is_called_back_goes_on_waiting_for_its_keyframe(senders, tcp, reaped):
    film, sender = Film(), senders(1)
    film.shoot(5)
    server, client = tcp()
    hello = MediaBlock(b"hello")
    player = sender.add(
        server.dup().detach(), film.log, framing=RAW, preamble=hello, position=film.log.head, until_key=True
    )
    assert client.recv(10) == b"hello"
    sender.recall(player)
    assert reaped(sender) == [player]
    sender.add(server.detach(), film.log, framing=RAW, position=player.position, before=player)
    film.shoot(10)
    film.log.end()
    wire = bytearray()
    while data := client.recv(1 << 16):
        wire += data
    assert [int.from_bytes(tag.mark[:4], "big") for tag in read_tags(bytes(wire))] == list(range(10, 15))


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
            close_ms=NEVER, merge_window_ms=0,
        )  # fmt: skip

    player, said, jumps = add(film.log.key_pos), 0, 0
    for _ in range(40):
        film.shoot(chance.randrange(1, 30), chance.choice([100, 3000, 20_000]))
        if chance.random() < 0.5:
            sender.recall(player)
            assert wait_left(sender, film) == [player]
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
    assert numbers[0] == 10
    assert numbers[-1] == film.count - 1 or player.position == -1 or seen


def test_whoever_is_handed_over_with_a_full_socket_goes_on_when_its_peer_reads(senders, tcp):
    """Descriptors of the same connections come and go, and epoll tells of each change only once."""
    dice, sender = random.Random(1), senders(1)
    log, film = MediaLog(keep_ms=NEVER, history_ms=NEVER), bytearray()
    for number in range(6000):
        tag = Tag(VIDEO, 40 * number, inter(number.to_bytes(4, "big") + bytes(dice.randrange(1000))))
        log.append(*tag)
        film += write_tag(tag)
    ends = [tcp(receive_bytes=4096, send_bytes=8192) for _ in range(6)]
    wires = [bytearray() for _ in ends]

    def add(i: int, position: int) -> SendHandle:
        return sender.add(
            ends[i][0].dup().detach(), log, framing=RAW, position=position, owner=i, drop_ms=NEVER,
            jump_ms=NEVER, close_ms=NEVER,
        )  # fmt: skip

    def read_some(i: int, size: int) -> None:
        wires[i] += ends[i][1].recv(size)

    players = [add(i, 0) for i in range(len(ends))]
    for _ in range(30):
        for player in players:
            # More than the kernel holds: the thread was told that there is room again.
            wanted = len(wires[player.owner]) + 60_000
            while len(wires[player.owner]) < wanted:
                read_some(player.owner, dice.choice([100, 3000, 1 << 16]))
            sender.recall(player)
        left: list[SendHandle] = []
        while len(left) < len(ends):
            waited = {ends[player.owner][1]: player.owner for player in players if player not in left}
            ready = select.select([sender.fd, *waited], [], [], 10)[0]
            assert ready, f"{len(left)} left, the others take nothing"
            for client in ready:
                if client in waited:
                    read_some(waited[client], dice.choice([1, 100, 3000]))
            left += sender.reap()
        assert {(player.reason, player.whole) for player in left} == {("recalled", True)}
        # In another order: one's number of a descriptor was another's.
        dice.shuffle(left)
        for player in left:
            # From nearly nothing to where only what is unsent is bounded.
            size = dice.choice([4096, 1 << 14, 1 << 20])
            ends[player.owner][0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        players = [add(player.owner, player.position) for player in left]
    assert all(film.startswith(wire) for wire in wires)


def test_a_player_whose_last_chunk_is_on_its_way_ends_with_it(senders, tcp, reaped):
    film, sender = Film(), senders()
    film.shoot(3)
    (server, client), (elsewhere, _) = tcp(receive_bytes=4096, send_bytes=8192), tcp()
    slow = sender.add(server.dup().detach(), film.log, framing=CHUNKED, position=0)
    other = sender.add(elsewhere.dup().detach(), film.log, framing=CHUNKED, position=0)
    client.settimeout(5)
    wire = b""
    while len(dechunk(wire)[0]) < film.log.head:
        wire += client.recv(65536)
    # The socket is full when the stream ends, though the player was sent all of it.
    begin, filled = len(wire), 0
    for size in (1000, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += server.send(bytes(size), socket.MSG_DONTWAIT)
    film.log.end()
    # Both are served in one turn.
    assert reaped(sender) == [other]
    sender.recall(slow)
    while len(wire) < begin + filled:
        wire += client.recv(65536)
    assert reaped(sender) == [slow]
    assert slow.reason == "stream ended" and not slow.recalled
    server.close()
    while data := client.recv(65536):
        wire += data
    assert wire[begin:] == bytes(filled) + b"0\r\n\r\n"
