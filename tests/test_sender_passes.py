"""Players of one log are served in passes, SERVE_COUNT of them in one turn of the thread."""

from __future__ import annotations

import random
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from model.viewer import CHUNKED, FLV, RAW, Publisher

from fastflv import limits
from fastflv._ext.fanout.sender import Sender, SendHandle
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog
from fastflv.control.process import raise_file_limit

Join = Callable[..., tuple[socket.socket, SendHandle]]
CROWD = 4 * limits.SERVE_COUNT


@pytest.fixture
def join() -> Iterator[Join]:
    """Have a player join a log at its head; the sockets are local ones, which take much and cost little."""
    raise_file_limit()
    made: list[socket.socket] = []

    def one(sender: Sender, log: MediaLog, **more: int) -> tuple[socket.socket, SendHandle]:
        ours, theirs = socket.socketpair()
        made.append(theirs)
        ours.setblocking(False)
        more = {"framing": RAW, **more}
        return theirs, sender.add(ours.detach(), log, position=log.head, **more)

    yield one
    for each in made:
        each.close()


def show(publisher: Publisher) -> None:
    """Publish one picture, and no sound, which might wait for the next one."""
    publisher.video(publisher.next * 40, publisher.picture(publisher.next % publisher.gop, b""))
    publisher.next += 1


def test_a_crowd_on_one_log_does_not_hold_up_the_players_of_another(senders, join):
    sender = senders(1)
    few, many = Publisher(), Publisher()
    viewer, _ = join(sender, few.log)
    # Behind the first, so that the thread comes to the crowd before it.
    crowd = [join(sender, many.log)[1] for _ in range(CROWD)]
    start = many.log.head
    late = []
    for _ in range(20):
        show(many)
        show(few)
        assert select.select([viewer], [], [], 10)[0]
        late.append(sum(player.sent < many.log.head - start for player in crowd))
        viewer.recv(1 << 16)
    assert max(late) > 0, "each time the whole crowd was served first"


@pytest.mark.parametrize("window_ms", [0, -1])
def test_who_has_just_come_is_served_behind_those_who_play(senders, join, window_ms):
    sender = senders(1, settle_ms=500)
    publisher = Publisher()
    log = publisher.log

    def come(count: int) -> list[tuple[socket.socket, SendHandle]]:
        more = [join(sender, log, start=MediaBlock(FLV), merge_window_ms=window_ms) for _ in range(count)]
        came.update((player, log.head) for _, player in more)
        return more

    def settle(players: list[tuple[socket.socket, SendHandle]]) -> None:
        """Show pictures until all these have settled, which they do with one that comes late enough."""
        last = players[-1][1]
        settled = False
        while not settled:
            settled = bool(last.first_at) and time.monotonic() > last.first_at + 0.5
            show(publisher)
            await_any(players[-1:])
            read(players)

    def read(players: list[tuple[socket.socket, SendHandle]]) -> None:
        for theirs, player in players:
            got[player] = got.get(player, 0)
            while got[player] < player.sent:
                got[player] += len(theirs.recv(1 << 16))

    def await_any(players: list[tuple[socket.socket, SendHandle]]) -> None:
        poll = select.poll()
        for theirs, _ in players:
            poll.register(theirs, select.POLLIN)
        assert poll.poll(10_000), "none of them was sent anything"

    came: dict[SendHandle, int] = {}
    got: dict[SendHandle, int] = {}
    first = come(CROWD)
    settle(first)
    for _ in range(2):
        new = come(CROWD // 4)
        while not new[-1][1].first_at:
            time.sleep(0)
        read(first + new)
        show(publisher)
        await_any(new)
        late = [player for _, player in first if came[player] + player.sent < log.head + len(FLV)]
        assert not late, f"{len(late)} of {len(first)} were served behind one of {len(new)} who had just come"
        # Those who were new have settled, and are served before the next ones.
        settle(first + new)
        first += new


@pytest.mark.parametrize("settle_ms", [0, 20, 60_000])
@pytest.mark.parametrize("window_ms", [0, 40, -1])
@pytest.mark.parametrize("framing", [RAW, CHUNKED])
def test_who_comes_and_leaves_within_a_pass_takes_nothing_from_the_others(
    senders, join, reaped, window_ms, framing, settle_ms
):
    rng = random.Random(window_ms + framing)
    sender = senders(1, settle_ms=settle_ms)
    publisher = Publisher(frame_bytes=40)
    log = publisher.log
    there: dict[SendHandle, tuple[socket.socket, int]] = {}

    def come(count: int) -> None:
        for _ in range(count):
            position = log.head
            theirs, player = join(sender, log, framing=framing, merge_window_ms=window_ms)
            there[player] = (theirs, position)

    come(CROWD)
    gone = 0
    for _ in range(30):
        publisher.frames()
        for player in rng.sample(list(there), 5):
            theirs, _ = there.pop(player)
            gone += 1
            if rng.random() < 0.5:
                sender.kick(player)
            else:
                theirs.close()
        come(3)
    publisher.frames()
    log.end()
    left = reaped(sender, len(there) + gone)
    assert set(there) <= {player for player in left if player.reason == "stream ended"}
    for player, (theirs, position) in there.items():
        data = bytearray()
        while block := theirs.recv(1 << 16):
            data += block
        if framing == RAW:
            assert len(data) == log.head - position
        else:
            assert data.endswith(b"0\r\n\r\n")
        assert player.sent == len(data)
    assert (log.readers, sender.count) == (0, 0)
