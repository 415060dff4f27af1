"""What a stream's writer counts for monitoring: rate, keyframe interval, GOP, jitter of arrival, skew of the tracks."""

from __future__ import annotations

import pytest
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, Feed, inter, key, sound

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


def rate(camera: Camera, ms: int) -> float:
    return camera.writer.frame_rate(NOW + ms)


def test_rate_interval_and_size_are_those_of_the_newest_gop():
    camera = Camera()
    assert (rate(camera, 0), camera.writer.key_interval_ms, camera.writer.gop_bytes) == (0, 0, 0)
    end = camera.gops(3)
    assert rate(camera, end) == pytest.approx(25, abs=1.1)
    assert camera.writer.key_interval_ms == 1000
    log = camera.writer.log
    before = log.head
    camera.sound(end)
    camera.picture(end + 2000, keyed=True)
    assert camera.writer.key_interval_ms == 2000
    assert camera.writer.gop_bytes == log.key_pos - before + 1020


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
    assert even.writer.arrival_jitter_ms == 0
    for number in range(1000):
        uneven.picture(number * 40, late=30 * (number % 2), keyed=number % 25 == 0)
    assert uneven.writer.arrival_jitter_ms == pytest.approx(30, rel=0.1)


def test_jitter_of_a_stream_without_pictures_is_that_of_its_sound():
    camera = Camera()
    for number in range(1000):
        camera.sound(number * 23, late=8 * (number % 2))
    assert camera.writer.arrival_jitter_ms == pytest.approx(8, rel=0.15)


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
    assert (camera.writer.key_interval_ms, camera.writer.gop_bytes) == (0, 0)
    assert camera.writer.arrival_jitter_ms == 0
