"""How fast a player is sent, and how much the kernel may hold of what it has not sent."""

from __future__ import annotations

import socket
import time

import pytest
from model.viewer import FLV, Publisher, Viewer

from fastflv import limits
from fastflv._ext.fanout.pace import bytes_per_second, pace_socket
from fastflv._ext.log.medialog import MediaLog

UNBOUND = 0xFFFFFFFF
SO_MAX_PACING_RATE = 47  # Linux, asm-generic/socket.h


def pacing(sock: socket.socket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE) & UNBOUND


def low_water(sock: socket.socket) -> int:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)


def test_the_rate_is_that_of_what_is_kept() -> None:
    publisher = Publisher(frame_bytes=1000, gop=100)
    assert bytes_per_second(MediaLog()) == 0
    publisher.frames(20)
    # 0.8 s are too little to tell.
    assert bytes_per_second(publisher.log) == 0
    publisher.frames(31)
    # 25 pictures with their sounds a second.
    assert bytes_per_second(publisher.log) == pytest.approx(25 * (1000 + 4 + 5 + 15 + 6 + 15), rel=0.05)


@pytest.mark.parametrize(
    ("frame_bytes", "most"),
    [(100, limits.NOTSENT_BYTES_MIN), (3000, 0.5 * 25 * 3045), (100_000, limits.NOTSENT_BYTES)],
)
def test_the_kernel_holds_half_a_second_that_it_has_not_sent(senders, tcp, frame_bytes, most) -> None:
    publisher = Publisher(frame_bytes=frame_bytes, gop=50)
    publisher.frames(60)
    server, _ = tcp()
    twin = server.dup()
    senders(1).add(server.detach(), publisher.log, framing=0, position=publisher.log.key_pos)
    assert low_water(twin) == pytest.approx(most, rel=0.05)
    twin.close()


def paced(senders, tcp, publisher: Publisher, percent: int) -> tuple[Viewer, socket.socket]:
    made: list[socket.socket] = []

    def pair(**sizes: int) -> tuple[socket.socket, socket.socket]:
        server, client = tcp(**sizes)
        made.append(server.dup())
        return server, client

    viewer = Viewer(
        senders(1), pair, publisher.log, start=FLV, position=publisher.log.key_pos, pace_percent=percent
    )
    viewer.read_until(len(FLV) + publisher.log.head - publisher.log.key_pos)
    return viewer, made[0]


def test_a_paced_player_is_sent_a_multiple_of_the_rate(senders, tcp) -> None:
    publisher = Publisher(frame_bytes=1000, gop=25, history_ms=1000)
    publisher.frames(60)
    viewer, twin = paced(senders, tcp, publisher, 200)
    publisher.frames(1)
    viewer.read(1)
    # Told behind the send that has just come.
    until = time.monotonic() + 5
    while pacing(twin) == UNBOUND and time.monotonic() < until:
        time.sleep(0.001)
    assert pacing(twin) == pytest.approx(2 * 25 * 1045, rel=0.1)
    twin.close()


def test_the_kernel_is_told_again_only_when_the_rate_has_changed_by_much(tcp) -> None:
    server, _ = tcp()
    assert pace_socket(server.fileno(), 0, 0) == 0
    assert pacing(server) == UNBOUND
    told = pace_socket(server.fileno(), 100_000, 0)
    assert told == pacing(server) == 100_000
    told = pace_socket(server.fileno(), 120_000, told)
    assert told == pacing(server) == 100_000
    told = pace_socket(server.fileno(), 130_000, told)
    assert told == pacing(server) == 130_000
    assert pace_socket(server.fileno(), 1 << 40, told) == 1 << 40
    assert pacing(server) == 0xFFFFFFFE


def test_without_pacing_the_kernel_sends_as_fast_as_it_can(senders, tcp) -> None:
    publisher = Publisher(frame_bytes=1000, gop=25)
    publisher.frames(60)
    viewer, twin = paced(senders, tcp, publisher, 0)
    publisher.frames(1)
    viewer.read(1)
    assert pacing(twin) == UNBOUND
    twin.close()
