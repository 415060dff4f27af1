"""The receive low-water mark of publishers that nobody watches."""

from __future__ import annotations

import socket

from fastflv import limits
from fastflv.net.lowwater import LowWater


class Recorder:
    """A socket that remembers the marks it was given."""

    def __init__(self) -> None:
        self.marks: list[int] = []

    def setsockopt(self, level: int, name: int, value: int) -> None:
        assert (level, name) == (socket.SOL_SOCKET, socket.SO_RCVLOWAT)
        self.marks.append(value)


def test_a_watched_publisher_is_never_held_back():
    sock = Recorder()
    water = LowWater(sock)
    for received in range(0, 100_000, 10_000):
        water.look(received, True)
    assert sock.marks == []


def test_an_unwatched_publisher_gathers_a_share_of_its_bitrate():
    sock = Recorder()
    water = LowWater(sock)
    water.look(0, False)
    water.look(20_000, False)
    share = limits.LOW_WATER_GATHER_SECONDS / limits.LOW_WATER_SECONDS
    assert sock.marks == [int(20_000 * share)]


def test_a_steady_bitrate_asks_for_the_mark_once():
    sock = Recorder()
    water = LowWater(sock)
    for received in range(0, 200_000, 20_000):
        water.look(received, False)
    assert len(sock.marks) == 1


def test_the_first_player_makes_the_socket_eager_at_once():
    sock = Recorder()
    water = LowWater(sock)
    water.look(0, False)
    water.look(20_000, False)
    water.wake()
    assert sock.marks[-1] == 1
    water.look(40_000, True)
    assert sock.marks[-1] == 1


def test_silence_makes_the_socket_eager_so_that_a_lone_command_is_read():
    sock = Recorder()
    water = LowWater(sock)
    water.look(0, False)
    water.look(20_000, False)
    water.look(20_000, False)
    assert sock.marks[-1] == 1


def test_the_mark_stays_below_the_receive_buffer_at_any_bitrate():
    sock = Recorder()
    water = LowWater(sock)
    water.look(0, False)
    water.look(50_000_000, False)
    assert sock.marks == [limits.LOW_WATER_BYTES_MAX]
