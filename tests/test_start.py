"""Where a player starts: each way in each container, what is shared, and what bounds it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from model import ts
from model.flv import AAC_HEADER, AUDIO, VIDEO, Feed, read_file, read_tags, sound
from model.remuxed import AAC_HEAD, AVC_HEAD, aac, avc

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv.config.model.play import StartMode
from fastflv.containers.variant import Variant
from fastflv.errors import UsageError
from fastflv.stream.name import StreamName
from fastflv.stream.start import StartBurst, start_mode_of
from fastflv.stream.stream import Stream, StreamOptions

NAME = StreamName("v", "live", "a")


class Show:
    """A stream with pictures 40 ms apart, a keyframe every *gop*, sound 20 ms apart."""

    def __init__(self, gop: int = 25, **options) -> None:
        self.stream = Stream(NAME, StreamOptions(**options), id="x", now_ms=0)
        self.stream.begin("p", 0)
        self.feed = Feed(self.stream.writer)
        self.gop = gop
        self.count = 0
        self.feed.video(0, AVC_HEAD.body)
        self.feed.audio(0, AAC_HEAD.body)
        self.shoot(1)
        self.stream.settle(0)

    def shoot(self, pictures: int) -> Show:
        for _ in range(pictures):
            i, self.count = self.count, self.count + 1
            first = i % self.gop == 0
            self.feed.video(40 * i, avc([(b"\x65" if first else b"\x41") + b"%d" % i], key=first))
            self.feed.audio(40 * i, aac(b"one of %d" % i))
            self.feed.audio(40 * i + 20, aac(b"two of %d" % i))
        return self

    def join(self, container: str = "flv", begin: StartMode | None = None, **more):
        """Return the bytes of a start, and a function that gives what the log has behind it."""
        chunks = {"chunk_size": 4096, "stream_id": 1} if container == "rtmp" else {}
        outlet = self.stream.open(Variant(container, **chunks, **more))
        outlet.log.hold()
        start = self.stream.start(outlet, begin=begin)
        position = start.position
        return bytes(start.block), lambda: outlet.log.read(position, outlet.log.head), start


def pictures(tags) -> list[tuple[int, bytes]]:
    return [(tag.dts_ms, tag.body[10:]) for tag in tags if tag.kind == VIDEO and tag.body[1] == 1]


def test_a_compact_start_is_the_gop_at_the_edge_and_the_log_goes_on():
    show = Show().shoot(30 + 9)
    block, rest, _ = show.join(begin=StartMode.COMPACT)
    show.shoot(5)
    _, _, tags = read_file(block + rest())
    seen = pictures(tags)
    assert [mark for _, mark in seen] == [b"%d" % i for i in range(25, 45)]
    times = [time for time, _ in seen]
    assert times[14] - times[0] == limits.START_SPAN_MS
    assert [b - a for a, b in pairwise(times[14:])] == [40] * 5
    order = [tag.dts_ms for tag in tags]
    assert order == sorted(order)


@pytest.mark.parametrize("container", ["ts", "flv"])
@pytest.mark.parametrize("age_ms", [0, (1 << 31) - 2000, 1 << 31, 3 << 30, (1 << 32) + 5000])
def test_a_compact_start_of_an_old_stream_is_where_its_log_is(container, age_ms):
    show = Show()
    # As if another publisher had been there for so long.
    show.stream.writer.begin(age_ms)
    show.count = 25
    show.feed.video(1000, AVC_HEAD.body)
    show.feed.audio(1000, AAC_HEAD.body)
    show.shoot(30)
    assert show.stream.log.head_dts >= age_ms
    show.join(container)
    show.shoot(40)
    block, rest, _ = show.join(container, StartMode.COMPACT)
    show.shoot(10)
    if container == "ts":
        reader = ts.read_ts(block + rest())
        assert reader.restarts == reader.jumps == 0
        times = [pes.dts for pes in reader.pes if pes.pid == 0x100]
        steps = [(b - a) % (1 << 33) for a, b in pairwise(times)]
        assert max(steps) <= 40 * 90 and len(times) > 20
    elif container == "flv":
        # FLV has 31 bits of time.
        times = [time for time, _ in pictures(read_file(block + rest())[2])]
        assert max((b - a) % (1 << 31) for a, b in pairwise(times)) == 40


@pytest.mark.parametrize("more", [{}, {"audio": False}, {"video": False}])
def test_a_compact_start_of_ts_is_a_stream_without_a_seam(more):
    show = Show().shoot(30 + 9)
    show.join("ts", **more)
    show.shoot(50)
    block, rest, _ = show.join("ts", StartMode.COMPACT, **more)
    show.shoot(60)
    reader = ts.read_ts(block + rest())
    assert reader.restarts == reader.jumps == 0
    video = [pes for pes in reader.pes if pes.pid == 0x100]
    assert len(video) == (15 + 60 if more.get("video", True) else 0)
    heard = b"".join(pes.data for pes in reader.pes if pes.pid == 0x101)
    # No sound comes twice, and none is missing.
    for i in range(100, 140):
        assert heard.count(b"one of %d" % i) == heard.count(b"two of %d" % i) == more.get("audio", True)


def test_a_compact_start_of_ts_may_be_larger_than_any_page_of_a_log():
    show = Show(gop=200)
    show.join("ts")
    bodies = [b"\x41" + b"%03d" % i * 10_000 for i in range(60)]
    for i, body in enumerate(bodies):
        show.feed.video(40 * (1 + i), avc([body]))
    block, rest, _ = show.join("ts", StartMode.COMPACT)
    assert len(block) > limits.PAGE_BYTES_MAX
    show.count = 61
    show.shoot(5)
    reader = ts.read_ts(block + rest())
    assert reader.restarts == reader.jumps == 0
    shown = [pes.data for pes in reader.pes if pes.pid == 0x100]
    assert len(shown) == 1 + 60 + 5
    assert [body for body, data in zip(bodies, shown[1:], strict=False) if data.endswith(body)] == bodies


def test_a_compact_start_of_rtmp_has_the_messages_of_the_flv():
    show = Show().shoot(39)
    block, rest, _ = show.join("rtmp", StartMode.COMPACT)
    flv, _, _ = show.join(begin=StartMode.COMPACT)
    for _, mark in pictures(read_file(flv)[2]):
        assert mark in block
    show.shoot(1)
    assert b"40" in rest()


def test_players_that_join_at_the_same_head_share_a_block():
    show = Show().shoot(39)
    first, second = (show.join(begin=StartMode.COMPACT)[2] for _ in range(2))
    assert first.block is second.block
    show.shoot(1)
    assert show.join(begin=StartMode.COMPACT)[2].block is not first.block


@pytest.mark.parametrize("container", ["flv", "ts", "rtmp"])
def test_starts_that_nobody_takes_are_bounded(container, monkeypatch):
    show = Show().shoot(30)
    size = len(show.join(container, StartMode.COMPACT)[2].block)
    monkeypatch.setattr(limits, "START_BYTES_HELD", 5 * size)
    held = []
    for _ in range(15):
        show.shoot(1)
        start = show.join(container, StartMode.COMPACT)[2]
        held.append((start.position, memoryview(start.block)))
    assert sum({position: len(view) for position, view in held}.values()) < 8 * size
    # Those that came later share the last one, and go on behind it.
    assert len({position for position, _ in held}) < 8
    assert held[-1][0] == held[-2][0] > show.stream.log.key_pos * (container == "flv")
    show.shoot(10)
    # Behind the next keyframe the last one is too old: the log has the GOP.
    assert show.join(container, StartMode.COMPACT)[2].position > held[-1][0]
    held.clear()
    assert show.join(container, StartMode.COMPACT)[2].position > show.stream.log.key_pos * (
        container == "flv"
    )


@pytest.mark.parametrize("container", ["flv", "ts", "rtmp"])
def test_starts_of_large_gops_are_made_at_a_bounded_rate_and_the_log_goes_on_behind_each(
    container, monkeypatch
):
    show = Show(gop=100).shoot(20)
    size = len(show.join(container, begin=StartMode.COMPACT)[0])
    # A start is paid for with three pictures' time.
    monkeypatch.setattr(limits, "COMPACT_BYTES_PER_SECOND", size * 1000 // 110)
    show.shoot(1)
    _, _, first = show.join(container, begin=StartMode.COMPACT)
    for _ in range(2):
        show.shoot(1)
        block, rest, again = show.join(container, begin=StartMode.COMPACT)
        assert again is first
    if container == "flv":
        _, _, tags = read_file(block + rest())
        assert [mark for _, mark in pictures(tags)] == [b"%d" % i for i in range(show.count)]
    show.shoot(2)
    assert show.join(container, begin=StartMode.COMPACT)[2] is not first
    show.shoot(100 - show.count + 1)
    assert (
        show.join(container, begin=StartMode.COMPACT)[2].position
        == show.stream.open(first_variant(container)).log.head
    ), "another GOP"


@pytest.mark.parametrize("container", ["flv", "ts", "rtmp"])
def test_a_gop_that_is_too_large_to_be_written_anew_comes_at_its_own_pace(container, monkeypatch):
    for name in ("COMPACT_BYTES_MAX", "COMPACT_TS_BYTES_MAX"):
        monkeypatch.setattr(limits, name, 100)
    show = Show().shoot(10)
    _, _, start = show.join(container, begin=StartMode.COMPACT)
    assert start.position == show.stream.open(first_variant(container)).log.key_pos


def first_variant(container: str) -> Variant:
    """As `Show.join` asks for it."""
    return Variant(container, chunk_size=4096, stream_id=1) if container == "rtmp" else Variant(container)


def test_without_video_there_is_nothing_to_compress():
    stream = Stream(NAME, StreamOptions(begin=StartMode.COMPACT), id="x", now_ms=0)
    stream.begin("p", 0)
    feed = Feed(stream.writer)
    feed.audio(0, AAC_HEADER)
    feed.audio(20, sound(b"a"))
    stream.settle(0)
    stream.settle(limits.SETTLE_MS + 1)
    start = stream.start(stream.open())
    assert start.position == stream.log.head
    assert [tag.kind for tag in read_file(bytes(start.block))[2]] == [AUDIO]


BURSTS = pytest.mark.parametrize("burst", [StartBurst(media_ms=500), StartBurst(size=1000)])


@BURSTS
def test_a_gop_beyond_the_burst_is_not_sent(burst):
    show = Show(burst=burst, begin=StartMode.GOP)
    assert not show.join()[2].until_key
    show.shoot(20)
    start = show.join()[2]
    assert (start.position, start.until_key) == (show.stream.log.head, True)
    show.shoot(5)
    assert not show.join()[2].until_key


@BURSTS
@pytest.mark.parametrize("container", ["flv", "ts"])
def test_of_a_gop_beyond_the_burst_a_compact_start_has_a_still(burst, container):
    show = Show(burst=burst, begin=StartMode.COMPACT).shoot(1)
    assert not show.join(container)[2].until_key
    show.shoot(20)
    block, _, start = show.join(container)
    assert start.until_key and start.position >= 0
    log = show.stream.open(Variant(container)).log
    cursor = Cursor(log, position=start.position, until_key=True)
    show.shoot(10)
    wire = block
    while data := cursor.take():
        wire += data
    if container == "flv":
        _, _, tags = read_file(wire)
        # The keyframe at the newest time, then sound alone, then what follows the next keyframe.
        assert pictures(tags) == [(21 * 40 + 20, b"0"), *((40 * i, b"%d" % i) for i in range(25, 32))]
        sounds = [tag.dts_ms for tag in tags if tag.kind == AUDIO and not tag.is_header]
        assert sounds == list(range(22 * 40, 32 * 40, 20))
        order = [tag.dts_ms for tag in tags if tag.kind in (AUDIO, VIDEO)]
        assert order == sorted(order)
    else:
        reader = ts.read_ts(wire)
        assert len([pes for pes in reader.pes if pes.pid == 0x100]) == 1 + 7


@pytest.mark.parametrize("begin", [StartMode.KEY, StartMode.LIVE])
def test_key_waits_for_a_keyframe_and_live_does_not(begin):
    show = Show().shoot(10)
    block, _, start = show.join(begin=begin)
    assert (start.position, start.until_key) == (show.stream.log.head, begin is StartMode.KEY)
    assert all(tag.is_header for tag in read_tags(block[13:]))
    assert show.join(begin=begin)[2].block is start.block or begin is StartMode.LIVE


def test_several_tracks_in_a_body_are_sent_at_their_own_pace():
    stream = Stream(NAME, StreamOptions(begin=StartMode.COMPACT), id="x", now_ms=0)
    stream.begin("p", 0)
    feed = Feed(stream.writer)
    feed.video(0, b"\x96\x01av01\0key")
    feed.video(4000, b"\xa6\x01av01\0inter")
    stream.settle(0)
    stream.settle(limits.SETTLE_MS + 1)
    assert stream.start(stream.open()).position == stream.log.key_pos


def test_the_query_names_a_start_or_is_refused():
    assert start_mode_of({}) is start_mode_of({"start": ""}) is start_mode_of({"start": "12.5"}) is None
    assert start_mode_of({"start": "key"}) is StartMode.KEY
    with pytest.raises(UsageError, match="start=soon"):
        start_mode_of({"start": "soon"})


def test_a_stream_without_gop_cache_starts_at_the_next_keyframe_whatever_is_asked():
    show = Show(gop_cache=False).shoot(10)
    for begin in (None, StartMode.COMPACT, StartMode.GOP, StartMode.KEY):
        assert show.join(begin=begin)[2].until_key
