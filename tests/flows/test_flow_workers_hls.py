"""HLS of a server of two workers: each request may come to another one, and all see one playlist."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator

import pytest
from player import Player
from publisher import Publisher, film, headers
from server import HOST, until, vhost_text
from workers import Workers, holds

from fastflv import limits

BYTES = 16_000
"Of a picture: a segment is larger than what a worker takes whole of another one."
HLS = "hls { enabled on; hls_fragment 1; hls_window 600; } timeshift { window 60; }"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    vhosts = vhost_text(publish="grace 5; normal_timeout 60000;", more=HLS)
    with Workers(tmp_path_factory.mktemp("workers"), vhosts) as server:
        yield server


def get(workers: Workers, target: str) -> Player:
    """Ask over a connection of its own: the kernel chooses the worker."""
    with Player(workers.http, target, flv=False, headers=("Connection: close",)) as player:
        return player.rest()


def uris(text: bytes | bytearray) -> list[str]:
    return [line for line in text.decode().splitlines() if line and not line.startswith("#")]


class Encoder(threading.Thread):
    """Sends a GOP of a second ten times a second, until it leaves."""

    def __init__(self, publisher: Publisher) -> None:
        super().__init__(daemon=True)
        self._publisher = publisher
        self._over = threading.Event()
        publisher.tags(headers())
        self.start()

    def run(self) -> None:
        for number in itertools.count():
            self._publisher.tags(film(25, start=number * 1000, first=number * 25, size=BYTES))
            if self._over.wait(0.1):
                break

    def leave(self) -> None:
        self._over.set()
        self.join()
        self._publisher.finish()


def test_requests_of_one_viewer_at_both_workers_see_one_playlist_and_all_segments(workers: Workers) -> None:
    encoder = Encoder(Publisher(workers.rtmp).publish("one"))
    until(lambda: workers.streams().get("one", {}).get("publish", {}).get("active"), "the stream is live")
    (media,) = uris(get(workers, "/live/one.m3u8").body)
    until(lambda: len(uris(get(workers, media).body)) > 3, "there are segments")
    # That all of them come to one worker is improbable.
    texts = [bytes(get(workers, media).body) for _ in range(16)]
    names = [uris(text) for text in texts]
    assert all(each == names[-1][: len(each)] for each in names)
    assert all(b"DISCONTINUITY" not in text for text in texts)
    found = [[get(workers, f"/live/{uri}") for _ in range(4)] for uri in names[0][:4]]
    for row in found:
        assert {each.status for each in row} == {200} and len({bytes(each.body) for each in row}) == 1
        assert len(row[0].body) > limits.WORKER_RELAY_BYTES
    (word,) = re.findall(r"hls_ctx=(\w+)", media)
    rows = [row for row in workers.clients() if row["type"] == "hls-play"]
    assert [(row["id"], row["ip"]) for row in rows if row["id"] == word] == [(word, HOST)]
    assert get(workers, "/live/one-999999.ts").status == 404
    clips = [get(workers, "/clip/live/one.flv?from=-2") for _ in range(6)]
    assert {each.status for each in clips} == {200} and all(each.body[:3] == b"FLV" for each in clips)
    encoder.leave()


def test_a_viewer_who_waits_at_one_worker_has_the_playlist_of_the_other(workers: Workers) -> None:
    viewers = [Waiting(workers) for _ in range(8)]
    until(lambda: sum(row["state"] == "waiting" for row in workers.clients()) == 8, "they wait")
    encoder = Encoder(Publisher(workers.rtmp).publish("late"))
    until(lambda: all(each.status for each in viewers), "they are answered", 20)
    assert {each.status for each in viewers} == {200}
    names = [uris(get(workers, each.media).body)[0] for each in viewers]
    assert len({name.partition("?")[0] for name in names}) == 1
    encoder.leave()


class Waiting(threading.Thread):
    """A viewer who asks for the stream before it is there."""

    def __init__(self, workers: Workers) -> None:
        super().__init__(daemon=True)
        self._workers = workers
        self.status = 0
        self.media = ""
        self.start()

    def run(self) -> None:
        answer = get(self._workers, "/live/late.m3u8")
        self.media = uris(answer.body)[0] if answer.status == 200 else ""
        self.status = answer.status


def test_viewers_go_on_when_the_publisher_comes_back_to_the_other_worker(workers: Workers) -> None:
    one, two = workers.pids()
    publisher = Publisher(workers.rtmp).publish("back")
    encoder = Encoder(publisher)
    until(lambda: workers.streams().get("back", {}).get("publish", {}).get("active"), "the stream is live")
    (media,) = uris(get(workers, "/live/back.m3u8").body)
    before = sequence(get(workers, media).body)
    first = one if holds(one, publisher) else two
    encoder.leave()
    while holds(first, publisher := Publisher(workers.rtmp)):
        publisher.close()
    encoder = Encoder(publisher.publish("back"))
    answers = [get(workers, media) for _ in range(8)]
    assert {each.status for each in answers} == {200}
    assert len({sequence(each.body) for each in answers}) == 1 and sequence(answers[0].body) > before
    encoder.leave()


def sequence(text: bytes | bytearray) -> int:
    (number,) = re.findall(rb"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)
    return int(number)
