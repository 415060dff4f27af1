"""A compact start is as large as its GOP, and there is one for each frame in which somebody joins: it goes when all have it."""

from __future__ import annotations

import gc
import weakref

from model.flv import AVC_HEADER, Feed, inter, key
from model.loop import FakeLoop, Unhurried

from fastflv import limits
from fastflv.config.model.play import StartMode
from fastflv.playing.givenstarts import GivenStarts
from fastflv.stream.name import StreamName
from fastflv.stream.start import Start
from fastflv.stream.stream import Stream, StreamOptions


class Scene:
    """A stream of pictures alone, and players that are given its compact start."""

    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.given = GivenStarts(self.loop, Unhurried(self.loop))  # type: ignore[arg-type]
        self.stream = Stream(StreamName("v", "live", "a"), StreamOptions(), id="x", now_ms=0)
        self.stream.begin("p", 0)
        self.feed = Feed(self.stream.writer)
        self.feed.video(0, AVC_HEADER)
        for i in range(10):
            self.feed.video(40 * i, (inter if i else key)(bytes(1000)))
        self.stream.settle(400)

    def join(self) -> Start:
        outlet = self.stream.open()
        outlet.log.hold()
        self.given.add(outlet.starts)
        return self.stream.start(outlet, begin=StartMode.COMPACT)


def test_players_that_join_at_one_picture_share_a_start_until_it_is_forgotten():
    scene = Scene()
    block = scene.join().block
    assert len(block) > 10_000
    assert scene.join().block is block
    scene.loop.advance(limits.START_KEEP_SECONDS)
    assert scene.join().block is not block


def test_one_that_a_player_has_not_taken_is_looked_at_again_and_then_nothing_waits():
    scene = Scene()
    reads = memoryview(scene.join().block)
    scene.loop.advance(3 * limits.START_KEEP_SECONDS)
    assert len(scene.loop.timers) == 1
    reads.release()
    scene.loop.advance(limits.START_KEEP_SECONDS)
    assert scene.loop.timers == []
    scene.join()
    assert len(scene.loop.timers) == 1


def test_no_stream_is_kept_for_its_starts():
    scene = Scene()
    scene.join()
    gone = weakref.ref(scene.stream.open().starts)
    scene.stream.end()
    del scene.stream, scene.feed
    gc.collect()
    assert gone() is None
    scene.loop.advance(limits.START_KEEP_SECONDS)
    assert scene.loop.timers == []
