"""What a stream's writer counts for monitoring: rate, keyframe interval, GOP, jitter of arrival, skew of the tracks."""

from __future__ import annotations

import pytest
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, Feed, inter, key, sound

from fastflv._ext.ingest.figures import PublisherFigures
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog

NOW = 1_000_000
"Monotonic clock at time 0 of the stream, ms."


class Camera:
    """A publisher whose frames arrive when the test says."""

    def __init__(self) -> None:
        self.writer = StreamWriter(MediaLog())
        self.writer.begin(0)
        self.feed = Feed(self.writer)
        self.feed.send(VIDEO, 0, AVC_HEADER, now_ms=NOW)
        self.feed.send(AUDIO, 0, AAC_HEADER, now_ms=NOW)

    def picture(self, ms: int, *, late: int = 0, keyed: bool = False) -> None:
        self.feed.send(VIDEO, ms, key(bytes(1000)) if keyed else inter(bytes(100)), now_ms=NOW + ms + late)

    def sound(self, ms: int, *, late: int = 0) -> None:
        self.feed.send(AUDIO, ms, sound(b"a"), now_ms=NOW + ms + late)

    def gops(self, count: int, interval: int = 40, size: int = 25) -> int:
        """Send whole GOPs and one keyframe more; return its time, ms."""
        for number in range(count * size):
            self.picture(number * interval, keyed=number % size == 0)
        self.picture(count * size * interval, keyed=True)
        return count * size * interval


def figures(camera: Camera, ms: int = 0) -> PublisherFigures:
    return camera.writer.figures_at(NOW + ms)


def rate(camera: Camera, ms: int) -> float:
    return figures(camera, ms).frame_rate


def test_rate_interval_and_size_are_those_of_the_newest_gop():
    camera = Camera()
    assert (rate(camera, 0), figures(camera).key_interval_ms, figures(camera).gop_bytes) == (0, 0, 0)
    end = camera.gops(3)
    assert rate(camera, end) == pytest.approx(25, abs=1.1)
    assert figures(camera).key_interval_ms == 1000
    log = camera.writer.log
    before = log.head
    camera.sound(end)
    camera.picture(end + 2000, keyed=True)
    assert figures(camera).key_interval_ms == 2000
    assert figures(camera).gop_bytes == log.key_pos - before + 1020


def test_the_rate_falls_when_pictures_stay_away():
    camera = Camera()
    end = camera.gops(2)
    assert rate(camera, end + 1000) == pytest.approx(13, abs=0.5)
    assert rate(camera, end + 99_000) < 0.3


def test_the_rate_of_a_camera_of_one_picture_a_second_is_one_at_any_moment():
    camera = Camera()
    camera.picture(0, keyed=True)
    assert rate(camera, 100) == 0
    for second in range(1, 30):
        camera.picture(1000 * second, keyed=second % 12 == 0)
        for ms in (0, 300, 999):
            assert rate(camera, 1000 * second + ms) == pytest.approx(1)


def test_jitter_is_the_mean_deviation_of_arrival():
    even, uneven = Camera(), Camera()
    even.gops(4)
    assert figures(even).jitter_ms == 0
    for number in range(1000):
        uneven.picture(number * 40, late=30 * (number % 2), keyed=number % 25 == 0)
    assert figures(uneven).jitter_ms == pytest.approx(30, rel=0.1)


def test_jitter_of_a_stream_without_pictures_is_that_of_its_sound():
    camera = Camera()
    for number in range(1000):
        camera.sound(number * 23, late=8 * (number % 2))
    assert figures(camera).jitter_ms == pytest.approx(8, rel=0.15)


def test_skew_is_how_far_sound_arrives_ahead_of_its_pictures():
    camera = Camera()
    assert camera.writer.skew_ms == 0
    for number in range(20):
        camera.picture(number * 40, keyed=number == 0)
        camera.sound(number * 40 + 300, late=-300)
    assert camera.writer.skew_ms == 300


def test_another_publisher_begins_with_nothing():
    camera = Camera()
    camera.gops(2)
    camera.writer.begin(40)
    assert rate(camera, 3000) == 0
    assert (figures(camera).key_interval_ms, figures(camera).gop_bytes) == (0, 0)
    assert figures(camera).jitter_ms == 0


def shown_later(ms: int) -> bytes:
    """The body of a picture that is shown *ms* after its decode time."""
    return b"\x27\x01" + ms.to_bytes(3, "big") + bytes(100)


def test_pictures_that_are_shown_before_earlier_ones_are_counted():
    camera = Camera()
    camera.gops(1)
    assert (figures(camera).pictures, figures(camera).reordered) == (26, 0)
    for number in range(27, 57):
        # P B B: the first of three is shown last.
        later = (120, 0, 0)[number % 3]
        camera.feed.send(VIDEO, number * 40, shown_later(later), now_ms=NOW + number * 40)
    assert figures(camera).reordered == 20


def test_a_constant_composition_time_reorders_nothing():
    camera = Camera()
    camera.picture(0, keyed=True)
    for number in range(1, 30):
        camera.feed.send(VIDEO, number * 40, shown_later(80), now_ms=NOW + number * 40)
    assert figures(camera).reordered == 0


def test_steps_between_pictures_tell_a_constant_rate_from_a_variable_one():
    constant, variable = Camera(), Camera()
    for number in range(200):
        constant.picture(number * 1000 // 30, keyed=number % 60 == 0)
    assert figures(constant).step_ms == pytest.approx(33.3, abs=1)
    assert figures(constant).step_change_ms <= 1.5
    at = 0
    for number in range(200):
        at += (20, 90, 35)[number % 3]
        variable.picture(at, keyed=number % 60 == 0)
    assert figures(variable).step_ms == pytest.approx(48, rel=0.3)
    assert figures(variable).step_change_ms > 30


def test_repaired_times_are_counted_for_the_publisher_that_sent_them():
    camera = Camera()
    end = camera.gops(2)
    assert (figures(camera, end).repaired, figures(camera, end).repair_age_ms) == (0, -1)
    camera.feed.send(VIDEO, 9_000_000, inter(bytes(100)), now_ms=NOW + end + 40)
    assert (figures(camera, end + 140).repaired, figures(camera, end + 140).repair_age_ms) == (1, 100)
    camera.writer.begin(40)
    assert (figures(camera, end + 500).repaired, figures(camera, end + 500).repair_age_ms) == (0, -1)


def test_the_age_of_a_keyframe_counts_from_its_arrival():
    camera = Camera()
    assert figures(camera).key_age_ms == -1
    camera.picture(0, keyed=True, late=50)
    camera.picture(40)
    assert figures(camera, 1050).key_age_ms == 1000
