"""Tags through the writer and the muxers of a live stream: all of them come out, whatever their times."""

from __future__ import annotations

from itertools import pairwise

import pytest
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, inter, key, sound

from fastflv.containers.flv.reader import FlvTag
from fastflv.media.amf import amf0
from fastflv.tools.remuxer import Remuxer

SCRIPT, CONFIG, NOTES = 18, 4, 16
HEADS = [
    FlvTag(SCRIPT, 0, amf0.encode("onMetaData", {"width": 320.0})),
    FlvTag(VIDEO, 0, AVC_HEADER),
    FlvTag(AUDIO, 0, AAC_HEADER),
]


def film(seconds, *, start=0, size=100, step=40):
    for time in range(start, start + seconds * 1000, step):
        is_key = not (time - start) % 2000
        unit = size.to_bytes(4, "big") + (b"\x65" if is_key else b"\x41") + bytes(size - 1)
        yield FlvTag(VIDEO, time, (key if is_key else inter)(unit))
        yield FlvTag(AUDIO, time + 5, sound(bytes(size)))


def run(tags, container="flv", batch=1000):
    remuxer = Remuxer(lambda remuxer: container)
    tags = list(tags)
    found = []
    for at in range(0, len(tags), batch):
        found += remuxer.take(tags[at : at + batch])
    return found + remuxer.finish(), remuxer


def frames(entries, kind):
    return [entry for entry in entries if entry[0] == kind and not entry[1] & (CONFIG | NOTES)]


@pytest.mark.parametrize("batch", [1, 17, 100_000])
def test_every_frame_comes_out_once_with_its_distance(batch):
    entries, remuxer = run([*HEADS, *film(60, start=7000)], batch=batch)
    for kind in (VIDEO, AUDIO):
        assert len(frames(entries, kind)) == 60 * 25
    times = [dts for _, _, dts, _ in frames(entries, VIDEO)]
    assert times[0] < 100 and {b - a for a, b in pairwise(times)} == {40}
    assert remuxer.time_ms == times[-1] + 5


def test_a_stream_of_many_megabytes_and_one_of_many_hours_lose_nothing():
    entries, _ = run([*HEADS, *film(20, size=200_000)])
    assert len(frames(entries, VIDEO)) == 500
    entries, _ = run([HEADS[2], *(FlvTag(AUDIO, 100 * i, sound()) for i in range(100_000))], batch=5000)
    assert len(frames(entries, AUDIO)) == 100_000


def test_pictures_without_sound_fill_the_log_before_its_time_is_over():
    big = [tag for tag in film(1, size=4_000_000) if tag.kind == VIDEO]
    entries, _ = run([HEADS[1], *big])
    assert len(frames(entries, VIDEO)) == 25
    entries, _ = run([HEADS[1], *big], "ts")
    assert len(entries) == 25 and sum(len(entry[3]) for entry in entries) > 100_000_000


def test_a_gap_in_a_file_stays_one_and_a_step_back_is_repaired():
    entries, _ = run([*HEADS, *film(2), *film(2, start=3_600_000)])
    times = [dts for _, _, dts, _ in frames(entries, VIDEO)]
    assert max(b - a for a, b in pairwise(times)) == 3_600_000 - 1960
    entries, _ = run([*HEADS, *film(2, start=9_000_000), *film(2)])
    times = [dts for _, _, dts, _ in frames(entries, VIDEO)]
    assert times == sorted(times) and times[-1] < 5000


def test_a_track_that_comes_late_is_in_the_first_tables_when_it_comes_in_time():
    late = [*HEADS[:2], *(tag for tag in film(5) if tag.kind == VIDEO or tag.time_ms > 1000)]
    late.insert(next(i for i, tag in enumerate(late) if tag.kind == AUDIO), HEADS[2])
    entries, remuxer = run(late, "ts")
    assert remuxer.tables is not None
    # The PMT of the first entry is the last one too, but for its counter: nothing was announced anew.
    assert entries[0][3][192:376] == remuxer.tables()[192:376]


def test_only_a_container_that_is_asked_for_is_made_and_only_once():
    asked = []

    def choose(remuxer):
        asked.append([track.name for track in remuxer.tracks])
        return "aac"

    remuxer = Remuxer(choose)
    entries = remuxer.take([*HEADS, *film(3)]) + remuxer.finish()
    assert asked == [["H264", "AAC"]]
    assert all(entry[3][:2] == b"\xff\xf1" for entry in entries)


def test_nothing_is_nothing():
    entries, remuxer = run([])
    assert entries == [] and remuxer.tracks == []
