"""Everything that players of sender threads do, at once and by chance. `make tsan` runs it under ThreadSanitizer."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time

import pytest
from model.flv import VIDEO, dechunk, read_tags
from model.ts import Reader
from model.viewer import CHUNKED, RAW, SLOW, CodedPublisher

from fastflv._ext.fanout.handover import (
    part_player,
    pause_threads,
    player_state,
    restore_player,
    resume_threads,
)
from fastflv._ext.fanout.sender import Sender, SendHandle
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.sink import CollectSink
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.log.past import Past
from fastflv._ext.mux.replay import Replay
from fastflv._ext.mux.rtmpmux import RtmpMux
from fastflv._ext.ts.mux import TsMux
from fastflv.containers.mpegts import describe

THREADS = 3
SIZE = 1500
NEVER = 1 << 40
AUTO = -1
BOUNDS = {"history_ms": 4000, "history_bytes": 1 << 20}
"Short, so that late players lose what they were to be sent."


class Peer:
    """The far end of one player: reads at its own pace, on the thread of all peers."""

    def __init__(self, client: socket.socket, log: MediaLog, framing: int, dice: random.Random) -> None:
        client.setblocking(False)
        self.socket = client
        self.log = log
        self.framing = framing
        self.data = bytearray()
        # Bytes of a read, and how often there is one.
        self.size, self.often = dice.choice([(1 << 18, 1.0), (1 << 16, 0.5), (3000, 0.2), (500, 0.05)])
        self.ended = False

    def read(self) -> None:
        try:
            block = self.socket.recv(self.size)
        except BlockingIOError:
            return
        except OSError:
            block = b""
        self.data += block
        self.ended = not block


class Crowd:
    """Peers that join, leave and read on a thread of their own, while another one publishes."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.peers: list[Peer] = []
        self.over = threading.Event()
        self.hurry = threading.Event()
        self.thread = threading.Thread(target=self.read)

    def read(self) -> None:
        # Its own dice: threads share none.
        dice = random.Random(0)
        while not self.over.is_set():
            reading = [peer for peer in tuple(self.peers) if not peer.ended]
            for peer in reading:
                if self.hurry.is_set() or dice.random() < peer.often:
                    peer.read()
            if self.hurry.is_set() and not reading:
                return
            time.sleep(0.0005)

    def __enter__(self) -> Crowd:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join(30)


class Scene:
    """A stream of three containers, its players, and what may happen to them."""

    def __init__(self, sender: Sender, tcp, crowd: Crowd, seed: int) -> None:
        self.dice = random.Random(seed)
        self.sender, self.tcp, self.crowd = sender, tcp, crowd
        self.publisher = CodedPublisher(gop=12, frame_bytes=SIZE, spare=True, leading=2, **BOUNDS)
        self.flv = self.publisher.log
        self.publisher.frames(1)
        self.logs = [self.flv, MediaLog(**BOUNDS), MediaLog(**BOUNDS)]
        for mux in (TsMux(self.flv, self.logs[1], describe), RtmpMux(self.flv, self.logs[2], 128, 1)):
            mux.begin(self.publisher.writer.header_tags(0), self.flv.key_pos)
        self.past = Past(self.flv, window_ms=60_000, bytes_max=2 << 20)
        self.ends: dict[SendHandle, tuple[socket.socket, Peer]] = {}
        self.replays: list[Replay] = []
        self.reasons: set[str] = set()
        self.jumps = self.dropped = self.handed = 0
        self.nothing = os.open(os.devnull, os.O_RDWR)

    def join(self) -> None:
        log = self.dice.choice(self.logs)
        framing = self.dice.choice([RAW, CHUNKED])
        server, client = self.tcp(**(SLOW if self.dice.random() < 0.5 else {}))
        peer = Peer(client, log, framing, self.dice)
        at_key = log.key_pos >= 0 and self.dice.random() < 0.7
        start = MediaBlock(log.key_headers) if at_key and log.key_headers else None
        self.add(server, peer, start=start, position=log.key_pos if at_key else -1)
        self.crowd.peers.append(peer)

    def add(self, server: socket.socket, peer: Peer, **more) -> None:
        player = self.sender.add(
            server.dup().detach(), peer.log, framing=peer.framing, drop_ms=self.dice.choice([200, NEVER]),
            jump_ms=self.dice.choice([500, 3000]), close_ms=self.dice.choice([5000, NEVER, NEVER]),
            pace_percent=self.dice.choice([0, 100_000]), merge_window_ms=self.dice.choice([0, 20, 350, AUTO]),
            **more,
        )  # fmt: skip
        self.ends[player] = (server, peer)

    def leave(self) -> None:
        if self.ends:
            # One that was reset is gone already.
            with contextlib.suppress(OSError):
                self.dice.choice(list(self.ends.values()))[1].socket.shutdown(socket.SHUT_RDWR)

    def kick(self) -> None:
        if self.ends:
            self.sender.kick(self.dice.choice(list(self.ends)))

    def recall(self) -> None:
        for player in self.dice.sample(list(self.ends), len(self.ends) // 4):
            self.sender.recall(player)

    def hand_over(self) -> None:
        """Pause the threads, and have some players go on as others, as another process would."""
        pause_threads(self.sender)
        for player in self.dice.sample(list(self.ends), len(self.ends) // 3):
            state = player_state(self.sender, player)
            if state is None:
                continue
            server, peer = self.ends.pop(player)
            self.add(
                server, peer, position=state["position"],
                preamble=MediaBlock(state["rest"]) if state["rest"] else None,
                start=MediaBlock(state["block"]) if state["block"] else None,
            )  # fmt: skip
            restore_player(self.sender, list(self.ends)[-1], state)
            part_player(self.sender, player, self.nothing)
            self.handed += 1
        resume_threads(self.sender)

    def configure(self) -> None:
        self.sender.configure(
            self.dice.choice(self.logs), merge_window_ms=self.dice.choice([0, 20, 350, AUTO]),
            drop_ms=self.dice.choice([200, NEVER]), jump_ms=1000, close_ms=NEVER,
            pace_percent=self.dice.choice([0, 100_000]),
        )  # fmt: skip

    def withdraw(self) -> None:
        self.flv.forget_key()

    def announce(self) -> None:
        self.publisher.writer.replace_metadata(b"\x02\x00\x0aonMetaData\x05", shown=True)

    def trim(self) -> None:
        self.dice.choice(self.logs).trim()

    def rewind(self) -> None:
        """Have one player more, of a log that is written from pages which threads may still send."""
        spots = self.past.spots
        if spots:
            log = MediaLog(**BOUNDS)
            replay = Replay(self.flv, log, self.dice.choice(spots).position, 1)
            replay.advance(self.flv.head_dts)
            self.replays.append(replay)
            self.logs.append(log)

    def rest(self) -> None:
        time.sleep(self.dice.choice([0, 0.001, 0.01]))

    def reap(self) -> None:
        for player in self.sender.reap():
            if player not in self.ends:
                assert player.owner is None, "it was handed over"
                continue
            server, peer = self.ends.pop(player)
            self.reasons.add(player.reason)
            self.jumps += player.jumps
            self.dropped += player.dropped
            if player.recalled and player.whole and self.sender.count < 60:
                self.add(server, peer, position=player.position, before=player)
            else:
                server.close()

    def look(self) -> None:
        """Read all that the event loop may read while threads write it."""
        for player in self.ends:
            assert player.sent >= 0 and player.sends >= 0 and player.lag_ms >= 0 and player.drops >= 0
            # One that has left is not reaped yet.
            assert not (player.reason or player.recalled or player.whole) or player.closed
            assert player.position >= -1
        assert sum(self.sender.loads) >= len(self.ends)
        assert len(self.sender.windows_ms) == THREADS and self.sender.wakeups >= 0

    def end(self) -> None:
        self.crowd.hurry.set()
        self.flv.end()
        deadline = time.monotonic() + 60
        while self.ends:
            assert time.monotonic() < deadline, f"{len(self.ends)} players have not left"
            self.reap()
            self.rest()
        self.crowd.thread.join(60)
        os.close(self.nothing)


def whole_tags(data: bytes) -> bytes:
    """Leave out the tag in whose middle the player left."""
    at = 0
    while at + 15 <= len(data) and (end := at + 15 + int.from_bytes(data[at + 1 : at + 4], "big")) <= len(
        data
    ):
        at = end
    return data[:at]


def is_whole(data: bytes) -> bool:
    return data[-SIZE:] == random.Random(int.from_bytes(data[-SIZE - 4 : -SIZE], "big")).randbytes(SIZE)


def pictures(peer: Peer, logs: list[MediaLog]) -> list[bytes]:
    """What the peer was sent, in order: the coded data of the pictures. Broken bytes raise an error."""
    data = bytes(peer.data) if peer.framing == RAW else dechunk(bytes(peer.data))[0]
    kind = logs.index(peer.log)
    if kind == 1:
        return [pes.data for pes in Reader().read(data[: len(data) // 188 * 188]).pes if pes.pid == 0x100]
    if kind != 2:
        rows = [(tag.kind, tag.body) for tag in read_tags(whole_tags(data))]
    else:
        sink, reader = CollectSink(), ChunkReader()
        reader.set_sink(1, sink)
        at = 0
        while at < len(data):
            at = reader.feed(data, at)
        rows = [(kind, body) for kind, _, body in sink.messages]
    return [body[5:] for kind, body in rows if kind == VIDEO and body[1] == 1]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_players_do_beside_a_publisher_they_read_the_stream_in_order(senders, tcp, seed):
    sender = senders(THREADS)
    with Crowd(seed) as crowd:
        scene = Scene(sender, tcp, crowd, seed)
        acts = (
            [scene.join] * 6 + [scene.rest] * 6 + [scene.recall, scene.configure, scene.leave, scene.kick] * 2
        )
        acts += [scene.withdraw, scene.announce, scene.rewind] + [scene.trim, scene.hand_over] * 3
        for _ in range(600):
            scene.publisher.frames(scene.dice.choice([0, 1, 1, 3]))
            scene.dice.choice(acts)()
            scene.reap()
            scene.look()
        scene.end()
    assert {"recalled", "kicked", "peer closed", "stream ended"} <= scene.reasons
    assert scene.jumps and scene.dropped and scene.handed
    assert not any(log.readers for log in scene.logs)
    assert scene.replays
    for peer in crowd.peers:
        read = pictures(peer, scene.logs)
        seen = [int.from_bytes(data[-SIZE - 4 : -SIZE], "big") for data in read if is_whole(data)]
        # Only the last may be cut.
        assert len(seen) >= len(read) - 1
        assert seen == sorted(set(seen))
