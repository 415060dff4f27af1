"""The time that players are told: from near 0 where nobody reads, and ended at a keyframe before FLV's 31 bits are used up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from model.chunks import Decoder, Encoder
from model.flv import AAC_HEADER, AVC_HEADER, SCRIPT, VIDEO, Feed, Tag, read_file, read_tags
from model.remuxed import AAC_HEAD, AVC_HEAD, aac, avc
from model.viewer import CHUNKED, FLV, FRAMINGS, Publisher, Viewer, numbers, stall

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.flvmux import FlvMux
from fastflv._ext.mux.rtmpmux import RtmpMux
from fastflv._ext.ts.mux import TsMux
from fastflv.config.model.play import StartMode, TimeJitter
from fastflv.containers.mpegts import describe
from fastflv.containers.variant import PLAIN, Variant
from fastflv.stream.liveclock import LiveClock, read_clock
from fastflv.stream.name import StreamName
from fastflv.stream.outlets import Outlet
from fastflv.stream.stream import Stream, StreamOptions

OLD_MS = 664_000
RTMP = Variant("rtmp", chunk_size=4096, stream_id=1)
TS = Variant("ts")


def old_publisher(**more: int) -> Publisher:
    """A publisher whose players have been told times for 24.8 days: frame 20 is the last keyframe of the epoch."""
    publisher = Publisher(**more)
    publisher.frames(10)
    publisher.writer.begin(limits.TIME_EPOCH_MS - 1000)
    publisher.audio(0, AAC_HEADER)
    publisher.video(0, AVC_HEADER)
    publisher.frames(15)
    return publisher


def times(tags: list[Tag]) -> list[int]:
    return [tag.dts_ms for tag in tags if tag.kind != SCRIPT and not tag.is_header]


# --- the end of an epoch --------------------------------------------------------------------


@FRAMINGS
def test_a_player_ends_cleanly_before_a_keyframe_and_the_next_one_starts_near_0(
    senders, tcp, reaped, framing
):
    publisher = old_publisher()
    log, sender = publisher.log, senders(1)
    viewer = Viewer(sender, tcp, log, framing=framing, start=FLV + log.key_headers, position=log.key_pos)
    publisher.frames(20)
    viewer.read_all()
    assert numbers(viewer.tags) == list(range(20, 30))
    told = times(viewer.tags)
    assert told[0] > limits.TIME_EPOCH_MS - 500 and told == sorted(told)
    assert viewer.body[1] == (framing == CHUNKED), "the last chunk"
    (player,) = reaped(sender)
    assert (player.reason, player.whole) == ("clock restarted", True)
    back = Viewer(sender, tcp, log, framing=framing, start=FLV + log.key_headers, position=log.key_pos)
    publisher.frames(10)
    back.read_until(len(FLV + log.key_headers) + log.head - log.key_pos)
    told = times(back.tags)
    assert 0 <= told[0] < 1000 and told == sorted(told)
    assert back.player.reason == ""


@FRAMINGS
def test_a_player_that_lags_does_not_jump_into_another_epoch(senders, tcp, reaped, framing):
    publisher = old_publisher(frame_bytes=4000)
    sender = senders(1)
    viewer = stall(sender, tcp, publisher, framing, jump_ms=400)
    publisher.frames(300)
    viewer.read_all()
    assert max(numbers(viewer.tags)) < 30
    assert [player.reason for player in reaped(sender)] == ["clock restarted"]


def test_a_reader_of_the_event_loop_ends_there_too():
    publisher = old_publisher()
    log = publisher.log
    cursor, waiting = Cursor(log, position=log.key_pos), Cursor(log)
    assert not cursor.expired
    publisher.frames(20)
    tags = read_tags(cursor.take())
    while data := cursor.take():
        tags += read_tags(data)
    assert [tag.mark[:4] for tag in tags if tag.kind == VIDEO][-1] == (29).to_bytes(4, "big")
    assert cursor.expired and not cursor.done
    # It waited for a keyframe, and that one counts anew.
    assert waiting.take() == b"" and waiting.expired
    assert Cursor(log, position=log.key_pos).take()


def test_flv_and_rtmp_count_anew_and_ts_goes_on():
    publisher = old_publisher()
    source = publisher.log
    sound, chunks, packets = (MediaLog(keep_ms=1 << 40) for _ in range(3))
    muxes = [
        FlvMux(source, sound, video=False),
        RtmpMux(source, chunks, 4096, 1),
        TsMux(source, packets, describe),
    ]
    for mux in muxes:
        mux.begin(source.key_headers, source.key_pos)
    readers = [Cursor(log, position=log.tail) for log in (sound, chunks, packets)]
    heads = [log.head for log in (sound, chunks, packets)]
    publisher.frames(20)
    data = [b"".join(iter(reader.take, b"")) for reader in readers]
    assert [reader.expired for reader in readers] == [True, True, False]
    assert all(
        log.tail + len(one) > head for log, one, head in zip((sound, chunks), data, heads, strict=False)
    )
    after = read_tags(sound.read(sound.tail, sound.head))
    fell = [i for i, (a, b) in enumerate(pairwise(after), 1) if b.dts_ms < a.dts_ms and not b.is_header]
    assert len(fell) == 1 and after[fell[0]].dts_ms < 1000
    assert read_tags(data[0])[-1] == after[fell[0] - 1]
    encoder = Encoder()
    encoder.set_chunk_size(4096)
    decoder = Decoder(max_message=1 << 24)
    messages = decoder.decode(bytes(encoder.wire) + chunks.read(chunks.tail, chunks.head))
    stamps = [m.timestamp for m in messages if m.kind == VIDEO and m.payload[1]]
    assert len([1 for a, b in pairwise(stamps) if b < a]) == 1 and max(stamps) < 1 << 31


def test_timestamps_that_pass_unrepaired_have_no_epoch(senders, tcp):
    publisher = Publisher()
    publisher.writer.jitter = 2
    publisher.next = limits.TIME_EPOCH_MS // 40
    cursor = Cursor(publisher.log, position=0)
    publisher.frames(40)
    assert not cursor.expired and publisher.log.epoch_ms == 0


# --- a beginning ----------------------------------------------------------------------------


class Old:
    """A stream that nobody has read for OLD_MS: pictures 40 ms apart, a keyframe every 25, sound 20 ms apart."""

    def __init__(self, **options) -> None:
        self.stream = Stream(StreamName("v", "live", "old"), StreamOptions(**options), id="x", now_ms=0)
        self.stream.begin("p", 0)
        self.feed = Feed(self.stream.writer)
        self.count = 0
        self.headers()
        self.shoot(1)
        self.stream.settle(0)
        self.stream.writer.begin(OLD_MS)
        self.count = 25
        self.headers()
        self.shoot(40)

    def headers(self) -> None:
        self.feed.video(0, AVC_HEAD.body)
        self.feed.audio(0, AAC_HEAD.body)

    def shoot(self, pictures: int) -> None:
        for i in range(self.count, self.count + pictures):
            first = i % 25 == 0
            self.feed.video(40 * i, avc([(b"\x65" if first else b"\x41") + b"%d" % i], key=first))
            self.feed.audio(40 * i, aac(b"one of %d" % i))
            self.feed.audio(40 * i + 20, aac(b"two of %d" % i))
        self.count += pictures

    def join(self, variant: Variant = PLAIN, how: StartMode | None = None) -> tuple[Outlet, bytes]:
        """Let a player begin; return its outlet, which it holds, and what it has been sent once it is at the head."""
        outlet = self.stream.open(variant)
        outlet.log.hold()
        start = self.stream.start(outlet, begin=how)
        return outlet, bytes(start.block) + outlet.log.read(start.position, outlet.log.head)


@pytest.mark.parametrize("how", [StartMode.GOP, StartMode.COMPACT])
def test_the_first_player_of_an_old_stream_is_told_times_from_near_0(how):
    show = Old()
    assert show.stream.log.head_dts > OLD_MS
    outlet, data = show.join(how=how)
    tags = read_file(data)[2]
    told = times(tags)
    assert told == sorted(told) and told[-1] < 2000
    assert (told[0] == 0) == (how is StartMode.GOP)
    assert {tag.dts_ms for tag in tags if tag.is_header} == {told[0]}
    show.shoot(60)
    # The second shares its clock, and so does what follows.
    _, data = show.join(how=StartMode.GOP)
    assert 1000 <= times(read_file(data)[2])[0] < 4000
    outlet.log.let_go()
    outlet.log.let_go()
    show.shoot(25)
    _, data = show.join(how=StartMode.GOP)
    assert times(read_file(data)[2])[0] == 0, "the last player has left"


def test_a_player_of_rtmp_begins_near_0_and_players_of_flv_share_its_clock():
    show = Old()
    _, data = show.join(RTMP, StartMode.GOP)
    encoder = Encoder()
    encoder.set_chunk_size(4096)
    decoder = Decoder(max_message=1 << 24)
    stamps = [m.timestamp for m in decoder.decode(bytes(encoder.wire) + data) if m.kind != SCRIPT]
    assert stamps[0] == 0 and stamps == sorted(stamps) and stamps[-1] < 2000
    show.shoot(50)
    _, data = show.join()
    assert 1000 <= times(read_file(data)[2])[0] < 4000


@pytest.mark.parametrize(
    "keeps",
    [lambda show: show.join(RTMP), lambda show: show.join(Variant(video=False)), lambda show: show.join()],
)
def test_nobody_who_reads_is_told_another_time(keeps):
    show = Old()
    outlet, _ = keeps(show)
    before = outlet.log.read(outlet.log.tail, outlet.log.head)
    epoch = show.stream.log.epoch_ms
    show.shoot(30)
    for variant in (PLAIN, TS, RTMP):
        show.join(variant)
    assert show.stream.log.epoch_ms == epoch
    assert outlet.log.read(outlet.log.tail, outlet.log.head).startswith(before)


def test_a_player_that_pauses_keeps_its_clock():
    show = Old()
    outlet, _ = show.join()
    epoch = show.stream.log.epoch_ms
    outlet.log.let_go()
    show.stream.outlets.paused += 1
    show.shoot(50)
    show.join()
    assert show.stream.log.epoch_ms == epoch


def test_ts_has_a_clock_of_its_own_and_hinders_nobody():
    show = Old()
    ts, _ = show.join(TS)
    show.shoot(50)
    seen = ts.log.tags()[-1]
    outlet, data = show.join(how=StartMode.GOP)
    assert times(read_file(data)[2])[0] == 0
    show.shoot(1)
    # The index has the stream's time, in every log.
    assert ts.log.tags()[-1][2] > seen[2] > OLD_MS and outlet.log.head_dts > OLD_MS


@pytest.mark.parametrize("jitter", [TimeJitter.OFF, TimeJitter.ZERO])
def test_times_whose_jumps_are_kept_are_not_counted_anew(jitter):
    show = Old(jitter=jitter)
    _, data = show.join(how=StartMode.GOP)
    assert times(read_file(data)[2])[0] == show.stream.log.key_dts > 0


def test_a_reload_to_times_as_sent_reaches_every_log():
    show = Old()
    _, _ = show.join()
    rtmp, _ = show.join(RTMP)
    assert show.stream.log.epoch_ms > OLD_MS
    show.stream.adopt(StreamOptions(jitter=TimeJitter.OFF))
    assert show.stream.log.epoch_ms == rtmp.log.epoch_ms == 0


def test_the_clock_tag_says_the_time_that_its_player_is_told():
    show = Old(live_clock=True)
    assert isinstance(show.stream.clock, LiveClock)
    outlet, _ = show.join()
    at = outlet.log.head
    show.shoot(30)
    tags = read_tags(outlet.log.read(at, outlet.log.head))
    place = next(i for i, tag in enumerate(tags) if tag.kind == SCRIPT)
    clock = read_clock(tags[place].body)
    assert clock is not None
    assert clock.dts_ms == tags[place].dts_ms == tags[place + 1].dts_ms < 4000


@pytest.mark.parametrize("first_ms", [0, 7, limits.TIME_EPOCH_MOVE_MS - 1, limits.TIME_EPOCH_MOVE_MS])
def test_who_comes_with_the_first_pictures_is_told_the_publishers_times(first_ms):
    feed = Feed(StreamWriter(MediaLog()))
    feed.writer.begin(0)
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    feed.audio(0, aac(bytes(20)))
    feed.video(first_ms, avc([bytes(50)], key=True))
    feed.writer.flush()
    feed.writer.rebase()
    log = feed.writer.log
    told = [tag.dts_ms for tag in read_tags(log.read(log.key_pos, log.head)) if tag.kind == VIDEO]
    assert told == [first_ms if first_ms < limits.TIME_EPOCH_MOVE_MS else 0]
