"""The steps for a player that lags: what is left out, where it goes on, and when it is let go."""

from __future__ import annotations

import random
import select
import socket
import struct
import time
from collections.abc import Callable

import pytest
from model import ts
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, Tag, read_file, sound
from model.viewer import FLV, FRAMINGS, HEAD, RAW, SLOW, CodedPublisher, Publisher, Viewer

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.fanout.sender import Sender
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.ts.mux import TsMux
from fastflv.containers.mpegts import describe

NEVER = 1 << 40
"Media is made faster than in life: nobody is too slow by it."

Sockets = Callable[..., tuple[socket.socket, socket.socket]]


def film(tags: list[Tag], publisher: Publisher) -> list[int]:
    """Numbers of the pictures. Only spare and leading ones are missing, but behind a jump to a key with headers."""
    seen: list[int] = []
    headers: set[bytes] = set()
    led = False
    for tag in tags:
        if tag.is_header:
            headers.add(tag.body)
        if tag.is_header or tag.kind != VIDEO:
            continue
        number = struct.unpack(">I", tag.mark[:4])[0]
        assert tag.mark[4:] == random.Random(number).randbytes(len(tag.mark) - 4), "a tag that is not whole"
        place = number % publisher.gop
        jumped = not seen or headers == {AAC_HEADER, AVC_HEADER}
        if jumped:
            assert place == 0, f"a start at picture {number}"
        else:
            for missing in range(seen[-1] + 1, number):
                where = missing % publisher.gop
                assert where and (where % 2 or (led and where <= publisher.leading)), f"{missing} is missing"
        assert not (led or jumped) or place == 0 or place > publisher.leading, (
            "it was not there before the key"
        )
        led = jumped or (led and 0 < place <= publisher.leading)
        seen.append(number)
        headers = set()
    assert seen == sorted(set(seen))
    return seen


def watch(sender: Sender, tcp: Sockets, publisher: Publisher, **more: int) -> Viewer:
    """A player with small buffers, who has read what there is so far."""
    log = publisher.log
    start = FLV + log.key_headers
    options = {"jump_ms": NEVER, "close_ms": NEVER} | more
    viewer = Viewer(sender, tcp, log, start=start, position=log.key_pos, sizes=SLOW, **options)
    viewer.read_until(len(start) + log.head - log.key_pos)
    return viewer


def read_newest(viewer: Viewer, publisher: Publisher) -> None:
    """Read until the newest picture has come, or the sound behind it where that one is left out."""
    number = publisher.next - 1
    picture = random.Random(number).randbytes(publisher.frame_bytes)[-16:]
    while not (picture in viewer.data or sound(struct.pack(">I", number)) in viewer.data):
        block = viewer.socket.recv(1 << 16)
        assert block, "the connection ended early"
        viewer.data += block


@FRAMINGS
def test_a_late_player_is_sent_all_but_the_disposable_pictures(senders, tcp, framing):
    publisher = Publisher(frame_bytes=4000, gop=50, spare=True)
    publisher.frames(1)
    viewer = watch(senders(1), tcp, publisher, framing=framing, drop_ms=500)
    publisher.frames(200)
    publisher.log.end()
    viewer.read_all()
    seen = film(viewer.tags, publisher)
    assert seen[-1] >= 199
    assert {number for number in range(201) if number % 50 % 2 == 0} <= set(seen)
    assert viewer.player.dropped == 201 - len(seen) > 80
    assert (viewer.player.drops, viewer.player.jumps) == (1, 0)


@FRAMINGS
def test_who_has_caught_up_is_sent_every_picture_again(senders, tcp, framing):
    publisher = Publisher(frame_bytes=4000, gop=50, spare=True)
    publisher.frames(1)
    viewer = watch(senders(1), tcp, publisher, framing=framing, drop_ms=500)
    publisher.frames(100)
    while not viewer.player.dropped:
        viewer.read(2000)
    read_newest(viewer, publisher)
    for _ in range(100):
        publisher.frames(1)
        read_newest(viewer, publisher)
    publisher.log.end()
    viewer.read_all()
    seen = film(viewer.tags, publisher)
    assert seen[-50:] == list(range(151, 201))
    assert viewer.player.lag_ms == 0


@FRAMINGS
def test_pictures_that_lead_a_keyframe_are_left_out_where_a_player_starts(senders, tcp, framing):
    publisher = Publisher(gop=10, leading=2)
    publisher.frames(31)
    viewer = Viewer(
        senders(1), tcp, publisher.log, framing=framing, start=FLV + publisher.log.key_headers,
        position=publisher.log.key_pos,
    )  # fmt: skip
    publisher.frames(30)
    publisher.log.end()
    viewer.read_all()
    # Those behind the next keyframes it can decode: it was there before.
    assert film(viewer.tags, publisher) == [30, *range(33, 61)]
    assert viewer.player.dropped == 2


@FRAMINGS
def test_they_are_left_out_behind_a_jump_too(senders, tcp, framing):
    publisher = Publisher(frame_bytes=4000, gop=10, leading=2)
    publisher.frames(1)
    viewer = watch(senders(1), tcp, publisher, framing=framing, jump_ms=1000)
    publisher.frames(300)
    publisher.log.end()
    viewer.read_all()
    seen = film(viewer.tags, publisher)
    assert viewer.player.jumps >= 1
    assert seen[-1] == 300


def test_a_player_whose_peer_lacks_what_is_too_old_is_disconnected(senders, tcp, reaped):
    publisher = Publisher(frame_bytes=4000, gop=10)
    publisher.frames(1)
    sender = senders(1)
    viewer = watch(sender, tcp, publisher, framing=RAW, jump_ms=1000, close_ms=3000)
    publisher.frames(500)
    (left,) = reaped(sender)
    assert (left, left.reason) == (viewer.player, "too slow")


def test_what_the_kernel_holds_counts_as_lag(senders, tcp, reaped):
    """The whole film fits into the socket's buffers, and the peer reads none of it."""
    publisher = Publisher(frame_bytes=100, gop=10)
    publisher.frames(1)
    server, _ = tcp(receive_bytes=4096, send_bytes=1 << 20)
    player = senders(1).add(
        server.detach(), publisher.log, framing=RAW, position=publisher.log.key_pos, close_ms=NEVER, jump_ms=NEVER
    )  # fmt: skip
    until = time.monotonic() + 10
    while player.lag_ms < 10_000 and time.monotonic() < until:
        publisher.frames(25)
        select.select([], [], [], 0.01)
    assert player.lag_ms >= 10_000


@pytest.mark.parametrize("seed", range(24))
def test_whatever_the_pace_only_disposable_pictures_and_whole_spans_are_missing(senders, tcp, seed):
    dice = random.Random(seed)
    publisher = Publisher(
        frame_bytes=dice.choice([1, 900, 9000, 60_000]),
        gop=dice.choice([5, 25, 120]),
        history_bytes=dice.choice([100_000, 2_000_000]),
        spare=True,
        leading=dice.choice([0, 3]),
    )
    publisher.frames(1)
    sender = senders(1)
    viewers = [
        watch(
            sender,
            tcp,
            publisher,
            framing=seed % 2,
            merge_window_ms=dice.choice([0, 40]),
            drop_ms=dice.choice([100, 1000]),
            jump_ms=dice.choice([1500, NEVER]),
        )
        for _ in range(3)
    ]
    for _ in range(40):
        publisher.frames(dice.choice([0, 1, 1, 7, 40]))
        for viewer in viewers:
            if select.select([viewer.socket], [], [], 0)[0] and dice.random() < 0.6:
                viewer.data += viewer.socket.recv(dice.choice([1, 100, 5000, 500_000]))
    publisher.log.end()
    open_sockets = {viewer.socket: viewer for viewer in viewers}
    while open_sockets:
        for ready in select.select(list(open_sockets), [], [], 10)[0]:
            block = ready.recv(1 << 20)
            open_sockets[ready].data += block
            if not block:
                del open_sockets[ready]
    for viewer in viewers:
        seen = film(viewer.tags, publisher)
        if not viewer.player.jumps:
            assert publisher.next - len(seen) == viewer.player.dropped


def as_ts(publisher: Publisher) -> MediaLog:
    """The publisher's stream as MPEG-TS, from its newest keyframe on."""
    log = MediaLog()
    mux = TsMux(publisher.log, log, describe)
    mux.begin(publisher.log.key_headers, publisher.log.key_pos)
    return log


@FRAMINGS
def test_in_ts_what_follows_left_out_pictures_is_told_not_to_go_on(senders, tcp, framing):
    publisher = CodedPublisher(frame_bytes=4000, gop=50, spare=True)
    publisher.frames(1)
    log = as_ts(publisher)
    viewer = Viewer(
        senders(1), tcp, log, framing=framing, start=b"", position=0, sizes=SLOW, drop_ms=500, jump_ms=NEVER,
        close_ms=NEVER,
    )  # fmt: skip
    # What a thread finds when it takes a player over is no lag: the rest is published behind that.
    viewer.read_until(log.head)
    publisher.frames(400)
    publisher.log.end()
    viewer.read_all()
    reader = ts.read_ts(viewer.body[0])
    assert viewer.player.dropped > 100
    assert reader.bridges > 100
    pictures = [one for one in reader.pes if one.pid == 0x100]
    assert len(pictures) == 401 - viewer.player.dropped


@FRAMINGS
def test_in_ts_a_player_that_is_recalled_leaves_though_its_place_was_trimmed_behind_a_hole(
    senders, tcp, reaped, framing
):
    """The bridge over pictures left out needs a next picture; where that was trimmed, a keyframe does without."""
    publisher = CodedPublisher(frame_bytes=4000, gop=10, spare=True)
    publisher.frames(1)
    log = as_ts(publisher)
    sender = senders(1)
    # Disposable pictures are left out at any lag.
    late = {"drop_ms": -1, "jump_ms": NEVER, "close_ms": NEVER}
    viewer = Viewer(sender, tcp, log, framing=framing, start=b"", position=0, **late)
    publisher.frames(3)
    viewer.socket.settimeout(1)
    while viewer.player.dropped < 2:
        try:
            viewer.data += viewer.socket.recv(1 << 16)
        except TimeoutError:
            # One that kept up was sent all: two more pictures, of which the last may be left out.
            publisher.frames(2)
    viewer.socket.settimeout(30)
    # The player is at the head of the log, behind a picture that was left out.
    # A thread looks at the log for players that join, and serves no other one in a window that long.
    sender.configure(log, merge_window_ms=NEVER // 1000, pace_percent=0, **late)
    Viewer(sender, tcp, log, start=b"", position=0).read(len(HEAD))
    publisher.frames(2000)
    Viewer(sender, tcp, log, start=b"", position=log.key_pos).read(len(HEAD))
    sender.recall(viewer.player)
    (left,) = reaped(sender)
    assert left is viewer.player
    assert (left.reason, left.whole, left.position) == ("recalled", True, -1)


def test_a_cursor_of_the_event_loop_takes_the_same_steps():
    publisher = Publisher(gop=50, spare=True)
    publisher.frames(1)
    cursor = Cursor(publisher.log, position=publisher.log.key_pos, drop_ms=500, jump_ms=3000)
    wire = FLV + publisher.log.key_headers + cursor.take()
    publisher.frames(40)
    while data := cursor.take():
        wire += data
    dropped = cursor.dropped
    # Nothing is left out any more of the last quarter of a second.
    assert (cursor.drops, cursor.jumps) == (1, 0)
    assert 15 <= dropped < 20
    for _ in range(30):
        publisher.frames(1)
        wire += cursor.take()
    assert cursor.dropped == dropped
    publisher.frames(140)
    while data := cursor.take():
        wire += data
    assert cursor.jumps == 1
    seen = film(read_file(wire)[2], publisher)
    assert seen[-1] == publisher.next - 1


def test_a_cursor_counts_what_its_peer_has_not_got():
    publisher = Publisher(gop=10)
    publisher.frames(1)
    cursor = Cursor(publisher.log, position=publisher.log.key_pos, jump_ms=NEVER)
    given = len(cursor.take(0))
    for _ in range(100):
        publisher.frames(1)
        given += len(cursor.take(given))
    # All of it lies between the two: its place in the log is the newest, its peer has nothing.
    assert cursor.measure(given) >= 99 * 40
    assert cursor.measure(0) < 100


def test_a_cursor_of_ts_tells_of_what_it_left_out():
    publisher = CodedPublisher(gop=50, spare=True)
    publisher.frames(1)
    log = as_ts(publisher)
    cursor = Cursor(log, position=0, drop_ms=500, jump_ms=NEVER)
    publisher.frames(100)
    wire = b""
    while data := cursor.take():
        wire += data
    reader = ts.read_ts(wire)
    assert cursor.dropped > 20
    assert reader.bridges > 20
    assert sum(one.pid == 0x100 for one in reader.pes) == 101 - cursor.dropped
    assert VIDEO in {kind for _, _, _, kind, _ in log.tags()}


@FRAMINGS
def test_what_a_player_begins_with_is_no_lag(senders, tcp, framing):
    """The newest GOP is seven seconds long, and fills the player's socket on its way."""
    publisher = Publisher(frame_bytes=4000, gop=500, spare=True)
    publisher.frames(180)
    log = publisher.log
    viewer = Viewer(
        senders(1), tcp, log, framing=framing, start=FLV + log.key_headers, position=log.key_pos, sizes=SLOW,
        drop_ms=500, jump_ms=3000, close_ms=5000,
    )  # fmt: skip
    viewer.read_until(len(FLV + log.key_headers) + log.head - log.key_pos)
    publisher.log.end()
    viewer.read_all()
    assert film(viewer.tags, publisher) == list(range(180))
    assert (viewer.player.dropped, viewer.player.jumps) == (0, 0)


def fill(server: socket.socket) -> None:
    """Write until the socket takes nothing more."""
    while True:
        try:
            server.send(bytes(1000))
        except BlockingIOError:
            return


@FRAMINGS
def test_what_the_connection_was_sent_before_is_no_lag(senders, tcp, framing):
    """As behind a ping, or an answer to play: the kernel holds it still, and the stream is a minute old."""
    publisher = Publisher(frame_bytes=4000, gop=50)
    publisher.frames(1500)
    log = publisher.log
    server, client = tcp(**SLOW)
    fill(server)
    player = senders(1).add(
        server.detach(), log, framing=framing, start=MediaBlock(FLV + log.key_headers), position=log.key_pos
    )
    # A thread looks for the late every half second.
    assert not select.select([], [], [], 1.2)[0]
    assert (player.closed, player.lag_ms, player.jumps) == (False, 0, 0)
    client.close()


def test_who_is_called_back_is_as_late_as_it_was(senders, tcp, reaped):
    publisher = Publisher(frame_bytes=4000, gop=500, spare=True)
    publisher.frames(1)
    log = publisher.log
    sender = senders(1)
    viewer = watch(sender, tcp, publisher, framing=RAW, drop_ms=500)
    publisher.frames(200)
    until = time.monotonic() + 10
    while not viewer.player.drops and time.monotonic() < until:
        viewer.read(2000)
    assert viewer.player.drops == 1
    sender.recall(viewer.player)
    while not viewer.player.closed:
        viewer.read(1000)
    reaped(sender)
    assert viewer.player.whole
    viewer.read_all()
    server, viewer.socket = tcp(**SLOW)
    again = sender.add(
        server.detach(), log, framing=RAW, position=viewer.player.position, before=viewer.player, drop_ms=500,
        jump_ms=NEVER, close_ms=NEVER,
    )  # fmt: skip
    publisher.log.end()
    viewer.read_all()
    # Thinned on, and not begun again.
    assert again.drops == 0
    assert again.dropped > 20
    assert film(viewer.tags, publisher)[-1] >= 199


@FRAMINGS
def test_who_begins_with_a_still_is_sent_sound_up_to_the_next_keyframe(senders, tcp, framing):
    publisher = Publisher(gop=10, leading=2)
    publisher.frames(14)
    log = publisher.log
    viewer = Viewer(
        senders(1), tcp, log, framing=framing, start=FLV + log.key_headers, position=log.head, until_key=True
    )
    publisher.frames(16)
    publisher.log.end()
    viewer.read_all()
    assert film(viewer.tags, publisher) == [20, *range(23, 30)]
    assert sum(tag.kind == AUDIO and not tag.is_header for tag in viewer.tags) == 16


@FRAMINGS
def test_the_wait_for_a_keyframe_ends_with_any_picture(senders, tcp, framing):
    publisher = Publisher(gop=10_000, frame_bytes=1000)
    publisher.frames(1)
    log = publisher.log
    viewer = Viewer(
        senders(1), tcp, log, framing=framing, start=FLV + log.key_headers, position=log.head, until_key=True
    )
    late = limits.KEY_WAIT_MS // 40
    publisher.frames(late + 20)
    publisher.log.end()
    viewer.read_all()
    assert [
        struct.unpack(">I", tag.mark[:4])[0] for tag in viewer.tags if tag.kind == VIDEO and not tag.is_header
    ] == (list(range(late + 1, late + 21)))
    assert sum(tag.kind == AUDIO and not tag.is_header for tag in viewer.tags) == late + 20


def test_pictures_that_lead_are_left_out_without_a_start_block_too(senders, tcp):
    publisher = Publisher(gop=10, leading=2)
    publisher.frames(31)
    log = publisher.log
    server, client = tcp()
    senders(1).add(server.detach(), log, framing=RAW, position=log.key_pos)
    publisher.frames(9)
    publisher.log.end()
    wire = FLV + log.key_headers
    while data := client.recv(1 << 16):
        wire += data
    assert film(read_file(wire)[2], publisher) == [30, *range(33, 40)]


def test_where_each_picture_is_a_keyframe_or_leads_one_only_those_of_the_first_are_left_out():
    """An open stream of intra pictures and of B-pictures between them."""
    publisher = Publisher(gop=3, leading=2)
    publisher.frames(10)
    cursor = Cursor(publisher.log, position=publisher.log.key_pos)
    publisher.frames(9)
    wire = FLV + publisher.log.key_headers
    while data := cursor.take():
        wire += data
    assert film(read_file(wire)[2], publisher) == [9, *range(12, 19)]


def test_what_a_cursor_begins_with_is_no_lag():
    publisher = Publisher(gop=500, spare=True, frame_bytes=4000)
    publisher.frames(180)
    cursor = Cursor(publisher.log, position=publisher.log.key_pos, drop_ms=500, jump_ms=3000)
    wire = FLV + publisher.log.key_headers
    while data := cursor.take():
        wire += data
    assert film(read_file(wire)[2], publisher) == list(range(180))
    assert (cursor.drops, cursor.jumps) == (0, 0)
