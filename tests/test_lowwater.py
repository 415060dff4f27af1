"""The receive low-water mark: what publishers gather where nobody watches, and what waits for a picture."""

from __future__ import annotations

import pytest
from model.lowwater import Marked

from fastflv import limits


@pytest.fixture
def sock():
    return Marked()


def test_without_sound_a_watched_publisher_is_never_held_back(sock):
    for received in range(0, 100_000, 10_000):
        sock.look_watched(received, 0, 3000)
    assert sock.marks == [1]


def test_an_unwatched_publisher_gathers_a_share_of_its_bitrate(sock):
    sock.look(0)
    share = limits.LOW_WATER_ALONE_SECONDS / limits.LOW_WATER_SECONDS
    assert sock.look(20_000) == int(20_000 * share)


def test_a_publisher_that_recorders_read_gathers_less(sock):
    sock.look(0, alone=False)
    share = limits.LOW_WATER_GATHER_SECONDS / limits.LOW_WATER_SECONDS
    assert sock.look(20_000, alone=False) == int(20_000 * share) < sock.look(40_000)


def test_a_look_without_new_media_means_silence(sock):
    # Or the mark would be given up, and set again, in turn.
    gathering = max(limits.LOW_WATER_ALONE_SECONDS, limits.LOW_WATER_GATHER_SECONDS)
    assert gathering < limits.LOW_WATER_SECONDS - limits.LOOK_STEP_SECONDS


def test_a_steady_bitrate_asks_for_the_mark_once(sock):
    for received in range(0, 200_000, 20_000):
        sock.look(received)
    assert len(sock.marks) == 2


def test_the_first_player_makes_the_socket_eager_at_once(sock):
    sock.look(0)
    assert sock.look(20_000) > 1
    sock.water.wake()
    assert sock.note() == 1
    assert sock.look_watched(40_000, 0, 0) == 1


def test_what_came_while_the_socket_was_eager_says_nothing_of_the_rate(sock):
    sock.look(0)
    mark = sock.look(20_000)
    # Another publisher stood by for ten minutes.
    sock.water.wake()
    assert sock.look(20_000_000) == 1
    assert sock.look(20_020_000) == mark


def test_silence_makes_the_socket_eager_so_that_a_lone_command_is_read(sock):
    sock.look(0)
    sock.look(20_000)
    assert sock.look(20_000) == 1


def test_the_mark_stays_below_the_receive_buffer_at_any_bitrate(sock):
    sock.look(0)
    assert sock.look(50_000_000) == limits.LOW_WATER_BYTES_MAX


def test_where_somebody_watches_sound_waits_for_a_picture_and_each_picture_wakes(sock):
    sound = int(2000 * limits.LOW_WATER_SOUND_SECONDS / limits.LOW_WATER_SECONDS)
    assert sock.watched().marks == [1, sound]
    assert 2000 * limits.LOW_WATER_SECONDS / 12 < sound < 3000 / 2, (
        "a frame of 23 ms waits, a picture does not"
    )


def test_a_mark_is_half_of_the_smallest_picture_at_most(sock):
    assert sock.watched(picture=300).marks == [1, 150]


def test_a_mark_grows_slowly_behind_a_small_picture(sock):
    sock.watched()
    mark = sock.mark
    assert sock.look_watched(1_000_000, 80_000, 200) == 100
    assert sock.look_watched(1_020_000, 82_000, 3000) == 100
    for number in range(2, 40):
        sock.look_watched(1_000_000 + 20_000 * number, 80_000 + 2000 * number, 3000)
    assert sock.marks[-1] == mark


def test_pictures_as_small_as_a_frame_of_sound_are_never_held_back(sock):
    assert sock.watched(picture=100).marks == [1]


def test_the_rest_of_a_message_is_read_as_it_comes(sock):
    mark = sock.watched().marks[-1]
    assert [sock.end_read(inside=inside) for inside in (True, True, False, False)] == [1, 1, mark, mark]


def test_a_publisher_that_nobody_watches_gathers_within_messages_too(sock):
    sock.look(0)
    mark = sock.look(20_000)
    assert sock.end_read(inside=True) == mark


def test_keyframes_that_come_with_some_looks_do_not_change_the_mark(sock):
    received = 0
    sock.look(received)
    for number in range(200):
        received += 36_000 if number % 8 == 0 else 14_000
        sock.look(received)
    assert len(sock.marks) <= 5


def test_a_mark_that_is_forgotten_leaves_the_socket_eager(sock):
    sock.look(0)
    sock.look(20_000)
    sock.water.forget()
    assert sock.note() == 1
    sock.water.look(90_000, True)
    assert sock.note() == 1
