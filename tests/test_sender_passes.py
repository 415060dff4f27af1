"""Players of one log are served in passes, SERVE_COUNT of them in one turn of the thread."""

from __future__ import annotations

import random
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from model.viewer import CHUNKED, FLV, RAW, Publisher, wait_for

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


class Audience:
    """Players of one sender thread, for whom one settles within half a second; and what they have read."""

    def __init__(self, sender: Sender, publisher: Publisher, join: Join, window_ms: int) -> None:
        self.sender, self.publisher, self.log = sender, publisher, publisher.log
        self.join, self.window_ms = join, window_ms
        self.ends: dict[SendHandle, socket.socket] = {}
        self.came: dict[SendHandle, int] = {}
        self.read_bytes: dict[SendHandle, int] = {}

    def come(self, count: int) -> list[SendHandle]:
        """Have so many join, and wait until each has its start, which is the head of a file alone."""
        more = []
        for _ in range(count):
            theirs, player = self.join(
                self.sender, self.log, start=MediaBlock(FLV), merge_window_ms=self.window_ms
            )
            self.ends[player], self.came[player], self.read_bytes[player] = theirs, self.log.head, 0
            more.append(player)
        wait_for(lambda: more[-1].first_at > 0)
        return more

    def settle(self, players: list[SendHandle]) -> None:
        """Show pictures until all these have settled, which they do with one that comes late enough."""
        settled = False
        while not settled:
            settled = time.monotonic() > players[-1].first_at + 0.5
            show(self.publisher)
            wait_for(lambda: self.has_all(players[-1]))
            self.read()
        wait_for(lambda: all(map(self.has_all, players)))
        self.read()

    def has_all(self, player: SendHandle) -> bool:
        return self.came[player] + player.sent == self.log.head + len(FLV)

    def read(self) -> None:
        for player, theirs in self.ends.items():
            while self.read_bytes[player] < player.sent:
                self.read_bytes[player] += len(theirs.recv(1 << 16))


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("window_ms", [0, -1])
def test_who_has_just_come_is_served_behind_those_who_play(senders, join, window_ms, pictures):
    """Also where the last picture comes while those before it are still sent."""
    publisher = Publisher()
    audience = Audience(senders(1, settle_ms=500), publisher, join, window_ms)
    first = audience.come(CROWD)
    audience.settle(first)
    for _ in range(2):
        new = audience.come(CROWD // 4)
        show(publisher)
        if pictures > 1:
            wait_for(lambda: any(map(audience.has_all, first)))  # noqa: B023
            show(publisher)
        wait_for(lambda: any(map(audience.has_all, new)))  # noqa: B023
        late = [player for player in first if not audience.has_all(player)]
        assert not late, f"{len(late)} of {len(first)} were served behind one of {len(new)} who had just come"
        # Those who were new settle, and are served before the next ones.
        audience.settle(new)
        first += new


def test_who_has_just_come_is_served_though_pictures_come_without_a_pause(senders, join):
    publisher = Publisher()
    audience = Audience(senders(1, settle_ms=500), publisher, join, 0)
    first = audience.come(CROWD)
    audience.settle(first)
    new = audience.come(CROWD // 4)
    for _ in range(50):
        show(publisher)
        # The next one comes while this one is still sent to those who play.
        wait_for(lambda: any(map(audience.has_all, first)))
    hungry = [player for player in new if player.sent <= len(FLV)]
    assert not hungry, f"{len(hungry)} of {len(new)} were sent nothing of 50 pictures"


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

    def left_out() -> int:
        return sum(player.sent < log.head - position for player, (_, position) in there.items())

    come(2 * CROWD)
    gone = 0
    for step in range(24):
        show(publisher)
        # So many at once are closed within a pass, few behind it.
        for player in rng.sample(list(there), limits.LEAVE_ROOM + 20 if step % 4 == 0 else 5):
            theirs, _ = there.pop(player)
            gone += 1
            if rng.random() < 0.5:
                sender.kick(player)
            else:
                theirs.close()
        come(3)
        if step % 3 == 0:
            # Nothing follows, so nobody has it later who was left out.
            wait_for(lambda: not left_out())
        come(limits.LEAVE_ROOM if step % 4 == 0 else 0)
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


def test_who_is_recalled_within_a_pass_can_go_on_where_it_was(senders, join, reaped):
    """It leaves behind the pass, while the GOP that it is to read next is long over."""
    sender = senders(1)
    few, many = Publisher(gop=1), Publisher()
    for _ in range(CROWD):
        join(sender, many.log)
    time_ms = 0
    for _ in range(20):
        _, player = join(sender, few.log)
        wait_for(lambda: few.log.moving == 0)
        sender.recall(player)
        while not player.closed:
            show(many)
            # Faster than they play: what the log keeps is bounded by their time.
            time_ms += 1
            few.video(time_ms, few.picture(0, bytes(9000)))
        (left,) = reaped(sender)
        assert (left.reason, left.whole) == ("recalled", True)
        assert few.log.tail <= left.position, "what it was to read is gone"
