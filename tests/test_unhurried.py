"""Readers by a clock of their own: they lose nothing of what comes faster than time."""

from __future__ import annotations

import pytest
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, inter, key, read_tags, sound
from model.publication import Site
from model.streamwriter import MONO

from fastflv import limits
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.stream.unhurried import Unhurried


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.mark.parametrize("seconds", [1, 20])
def test_what_was_not_read_stays_while_one_read_of_the_publisher_brings_much(site, seconds):
    """A bare read may bring more time than the log keeps for readers that lag."""
    source = site.publish()
    source.film()
    frames: list[int] = []

    def take() -> None:
        frames.extend(entry[2] for entry in reader.take() if entry[0] == VIDEO)

    reader = Unhurried(source.stream, source.stream.log.head, take)
    sent = 0
    for turn in range(10):
        # The first of two reads brings too little for the reader to be called.
        for share in (0.9 * limits.READ_BEHIND_MS / 1000, seconds):
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
    assert not source.stream.log.readers and not source.stream.outlets.unhurried


def test_the_oldest_keyframe_that_is_held_knows_the_tracks_that_came_since(site):
    source = site.publish()
    log = source.stream.log
    reader = Unhurried(source.stream, log.head, lambda: None)
    assert reader.place(video=True) is None
    source.read((VIDEO, AVC_HEADER), (VIDEO, inter()))
    # Pictures before a keyframe are no start.
    assert reader.place(video=True) is None
    source.read((VIDEO, key(b"first")))
    source.read((AUDIO, AAC_HEADER), (AUDIO, sound()))
    source.read((VIDEO, key(b"second")))
    place = reader.place(video=True)
    assert place is not None and key(b"first") in log.read(place.position, log.head)
    assert [tag.body for tag in read_tags(place.headers)] == [AAC_HEADER, AVC_HEADER]
    place = reader.place(video=False)
    assert place is not None and (place.kind, place.dts_ms) == (AUDIO, log.head_dts - 40)
    reader.close()


@pytest.mark.parametrize("begun", [False, True])
def test_a_place_has_the_headers_that_counted_there(site, begun):
    source = site.publish()
    log = source.stream.log
    if begun:
        source.film()
    reader = Unhurried(source.stream, log.head, lambda: None)
    if not begun:
        source.film()
    source.read((VIDEO, key(b"first")))
    source.read((AUDIO, MONO), (AUDIO, sound()))
    source.read((VIDEO, key(b"second")))
    place = reader.place(video=True)
    assert place is not None
    assert [tag.body for tag in read_tags(place.headers)] == [AAC_HEADER, AVC_HEADER]
    reader.close()
