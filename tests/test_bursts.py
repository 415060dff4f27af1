"""Readers by a clock of their own lose nothing of what comes faster than time."""

from __future__ import annotations

import pytest
from model.flv import VIDEO, inter, key
from model.publication import Site

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.log.observer import BehindObserver


@pytest.mark.parametrize("seconds", [1, 20])
def test_what_was_not_read_stays_while_one_read_of_the_publisher_brings_much(seconds):
    """A bare read may bring more time than the log keeps for readers that lag."""
    site = Site()
    source = site.publish()
    source.film()
    log = source.stream.log
    reader = Cursor(log, position=log.head)
    frames: list[int] = []

    def take() -> None:
        frames.extend(entry[2] for entry in reader.take_tags() if entry[0] == VIDEO)
        observer.read_ms = log.head_dts

    observer = BehindObserver(log, take, limits.RECORD_BEHIND_MS)
    log.attach(observer)
    sent = 0
    for turn in range(10):
        # The first of two reads brings too little for the reader to be called.
        for share in (0.9 * limits.RECORD_BEHIND_MS / 1000, seconds):
            count = round(share * 25)
            times = [source.time + 40 * n for n in range(count)]
            source.publication.begin_read(site.loop.time())
            wire = b"".join(
                write_message(VIDEO, at, 1, 6, (inter if at % 2000 else key)(bytes(4000)), 128)
                for at in times
            )
            assert source.feed.reader.feed(wire) == len(wire)
            source.publication.end_read()
            source.time += 40 * count
            sent += count
        assert turn == 0 or len(frames) > sent // 2
    take()
    assert reader.jumps == 0 and len(frames) == sent
    reader.close()
    log.detach(observer)
