"""The receive low-water mark: what publishers gather where nobody watches, and what waits for a picture."""

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


def test_without_sound_a_watched_publisher_is_never_held_back():
    sock = Recorder()
    water = LowWater(sock)
    for received in range(0, 100_000, 10_000):
        water.look_watched(received, 0, 3000)
    assert sock.marks == []


def test_an_unwatched_publisher_gathers_a_share_of_its_bitrate():
    sock = Recorder()
    water = LowWater(sock)
    water.look(0)
    water.look(20_000)
    share = limits.LOW_WATER_GATHER_SECONDS / limits.LOW_WATER_SECONDS
    assert sock.marks == [int(20_000 * share)]


def test_a_steady_bitrate_asks_for_the_mark_once():
    sock = Recorder()
    water = LowWater(sock)
    for received in range(0, 200_000, 20_000):
        water.look(received)
    assert len(sock.marks) == 1


def test_the_first_player_makes_the_socket_eager_at_once():
    sock = Recorder()
    water = LowWater(sock)
    water.look(0)
    water.look(20_000)
    water.wake()
    assert sock.marks[-1] == 1
    water.look_watched(40_000, 0, 0)
    assert sock.marks[-1] == 1


def test_silence_makes_the_socket_eager_so_that_a_lone_command_is_read():
    sock = Recorder()
    water = LowWater(sock)
    water.look(0)
    water.look(20_000)
    water.look(20_000)
    assert sock.marks[-1] == 1


def test_the_mark_stays_below_the_receive_buffer_at_any_bitrate():
    sock = Recorder()
    water = LowWater(sock)
    water.look(0)
    water.look(50_000_000)
    assert sock.marks == [limits.LOW_WATER_BYTES_MAX]


def watched(sock: Recorder, picture: int = 3000, sound: int = 2000) -> LowWater:
    """A publisher with players: in each look 20,000 bytes, *sound* of them sound, and no picture below *picture*."""
    water = LowWater(sock)
    for number in range(1, 40):
        water.look_watched(20_000 * number, sound * number, picture)
    return water


def test_where_somebody_watches_sound_waits_for_a_picture_and_each_picture_wakes():
    sock = Recorder()
    watched(sock)
    sound = int(2000 * limits.LOW_WATER_SOUND_SECONDS / limits.LOW_WATER_SECONDS)
    assert sock.marks == [sound]
    assert 2000 * limits.LOW_WATER_SECONDS / 12 < sound < 3000 / 2, (
        "a frame of 23 ms waits, a picture does not"
    )


def test_a_mark_is_half_of_the_smallest_picture_at_most_and_grows_slowly_behind_a_small_one():
    sock = Recorder()
    watched(sock, picture=300)
    assert sock.marks == [150]
    sock = Recorder()
    water = watched(sock)
    water.look_watched(1_000_000, 80_000, 200)
    assert sock.marks[-1] == 100
    water.look_watched(1_020_000, 82_000, 3000)
    assert sock.marks[-1] == 100
    for number in range(2, 40):
        water.look_watched(1_000_000 + 20_000 * number, 80_000 + 2000 * number, 3000)
    assert sock.marks[-1] > 300


def test_pictures_as_small_as_a_frame_of_sound_are_never_held_back():
    sock = Recorder()
    watched(sock, picture=100)
    assert sock.marks == []


def test_the_rest_of_a_message_is_read_as_it_comes():
    sock = Recorder()
    water = watched(sock)
    [mark] = sock.marks
    water.end_read(True)
    water.end_read(True)
    water.end_read(False)
    water.end_read(False)
    assert sock.marks == [mark, 1, mark]


def test_a_publisher_that_nobody_watches_gathers_within_messages_too():
    sock = Recorder()
    water = LowWater(sock)
    water.look(0)
    water.look(20_000)
    marks = list(sock.marks)
    water.end_read(True)
    assert sock.marks == marks


def test_keyframes_that_come_with_some_looks_do_not_change_the_mark():
    sock = Recorder()
    water = LowWater(sock)
    received = 0
    water.look(received)
    for number in range(200):
        received += 36_000 if number % 8 == 0 else 14_000
        water.look(received)
    assert len(sock.marks) <= 4
