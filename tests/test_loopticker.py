"""Players that the event loop serves (TLS): when they are sent what, and what a full socket costs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.flv import (
    AAC_HEADER,
    AVC_HEADER,
    VIDEO,
    Feed,
    Tag,
    inter,
    key,
    read_file,
    read_tags,
    sound,
)
from model.loop import FakeLoop, FakeTransport, Unhurried

from fastflv import limits
from fastflv._ext.fanout.framing import frame_ends
from fastflv._ext.fanout.sender import Sender
from fastflv._ext.log.block import MediaBlock
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.containers.variant import Variant
from fastflv.playing.loopplayer import LoopPlayer, TransportWire
from fastflv.playing.player import Framing
from fastflv.playing.players import Players
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.lag import Lag
from fastflv.stream.name import StreamName
from fastflv.stream.start import Start
from fastflv.stream.stream import StreamOptions

NAME = StreamName(DEFAULT_VHOST, "live", "a")
HEAD = MediaBlock(b"HTTP/1.1 200 OK\r\n\r\n")


class Stage:
    """A stream, its publisher, and players, with a clock that stands still."""

    def __init__(self, window_ms: int = 0, **options: object) -> None:
        self.loop = FakeLoop()
        self.hub = Hub(lambda: "vid-1")
        self.players = Players(self.loop, Unhurried(self.loop), Sender(1), self.hub)  # type: ignore[arg-type]
        self.options = StreamOptions(merge_window_ms=window_ms, **options)  # type: ignore[arg-type]
        self.stream = self.hub.publish(NAME, self.options, "publisher", 0)
        self.feed = Feed(self.stream.writer)
        self.feed.audio(0, AAC_HEADER)
        self.feed.video(0, AVC_HEADER)
        self.feed.video(0, key(b"\0" * 4))
        self.time = 0

    def video(self, is_key: bool = False, size: int = 0) -> None:
        self.time += 40
        mark = self.time.to_bytes(4, "big") + bytes(size)
        self.feed.video(self.time, key(mark) if is_key else inter(mark))

    def join(self, framing: Framing = Framing.RAW, *, room: int = 1 << 40, variant: Variant | None = None):
        return Viewer(self, framing, room, variant or Variant())

    @property
    def full_log(self) -> bytes:
        return self.stream.log.read(0, self.stream.log.head)


def framed(framing: Framing, content: bytes) -> bytes:
    head, tail = frame_ends(framing, len(content))
    return head + content + tail


def pictures(tags: list[Tag]) -> list[int]:
    return [int.from_bytes(tag.mark[:4], "big") for tag in tags if tag.kind == VIDEO and not tag.is_header]


class Viewer:
    def __init__(self, stage: Stage, framing: Framing, room: int, variant: Variant) -> None:
        self.stage = stage
        self.transport = FakeTransport(stage.loop, room)
        self.ends: list[tuple[str, bool]] = []
        self.play = LoopPlayer(
            stage.players, stage.options, framing, self.ended, TransportWire(self.transport)
        )  # type: ignore[arg-type]
        self.transport.owner = self.play
        outlet = stage.stream.open(variant)
        self.play.start(outlet, stage.stream.start(outlet), HEAD)

    def ended(self, reason: str, whole: bool) -> None:
        self.ends.append((reason, whole))

    @property
    def body(self) -> bytes:
        return bytes(self.wire).removeprefix(bytes(HEAD))

    @property
    def wire(self) -> bytes:
        """What was written behind the response head."""
        assert self.transport.wire.startswith(bytes(HEAD))
        return bytes(self.transport.wire[len(HEAD) :])

    @property
    def pictures(self) -> list[int]:
        """Times of the pictures that were written to it."""
        return pictures(read_file(self.body)[2])


def test_with_window_0_a_picture_goes_out_in_the_turn_in_which_it_came():
    stage = Stage()
    viewers = [stage.join() for _ in range(3)]
    for _ in range(5):
        stage.video()
        stage.loop.turn()
        assert {viewer.pictures[-1] for viewer in viewers} == {stage.time}
        stage.loop.advance(0.04)
    # One write for each picture, behind the response head, the start, and the GOP so far.
    assert {len(viewer.transport.writes) for viewer in viewers} == {2 + 1 + 5}


def test_with_window_0_sound_rides_with_a_picture_or_goes_by_itself_soon():
    stage = Stage()
    viewer = stage.join()
    stage.feed.audio(10, sound(b"rides"))
    stage.loop.turn()
    before = len(viewer.transport.writes)
    assert b"rides" not in viewer.body
    stage.video()
    stage.loop.turn()
    assert b"rides" in viewer.body
    assert len(viewer.transport.writes) == before + 1
    stage.feed.audio(stage.time + 10, sound(b"alone"))
    stage.loop.advance(limits.FLUSH_MS / 1000)
    assert b"alone" in viewer.body


@pytest.mark.parametrize("window", [40, 100, 350, 1000])
def test_a_window_is_how_long_anything_waits_and_how_often_a_player_is_written_to(window):
    stage = Stage(window)
    viewers = [stage.join() for _ in range(9)]
    published: dict[int, float] = {}
    for _ in range(100):
        stage.video(is_key=stage.time % 1000 == 0)
        published[stage.time] = stage.loop.time()
        stage.loop.advance(0.04)
    stage.loop.advance(window / 1000)
    for viewer in viewers:
        # The response's head, the start, and the GOP so far are not of interest here.
        written = [(at, pictures(read_tags(data))) for at, data in viewer.transport.writes[3:]]
        assert [picture for _, found in written for picture in found] == list(published)
        assert (
            max(at - published[picture] for at, found in written for picture in found) <= window / 1000 + 1e-6
        )
        assert abs(len(written) - 4000 / max(window, 40)) < 6
    # They are spread: not all of them are written to in the same moment.
    moments = {at for viewer in viewers for at, _ in viewer.transport.writes[3:]}
    assert len(moments) >= min(window // 10, 4) * 4000 / max(window, 40) - 12


@pytest.mark.parametrize("window", [0, 350])
def test_a_stream_that_brings_nothing_new_costs_no_timer(window):
    stage = Stage(window)
    viewers = [stage.join() for _ in range(5)]
    stage.loop.advance(2)
    assert stage.loop.timers == []
    stage.video()
    stage.loop.advance(max(window, limits.FLUSH_MS) / 1000 + 0.001)
    assert {viewer.pictures[-1] for viewer in viewers} == {40}
    stage.loop.advance(2)
    assert stage.loop.timers == []


def test_what_comes_after_a_silence_waits_no_longer_than_ever():
    stage = Stage()
    viewer, full = stage.join(), stage.join(room=10)
    stage.loop.advance(5)
    assert full.transport.paused
    # For a full socket there is a look now and then, and it must not hold the others up.
    stage.feed.audio(100, sound(b"after the silence"))
    stage.loop.advance(limits.FLUSH_MS / 1000)
    assert b"after the silence" in viewer.body


@pytest.mark.parametrize("window", [0, 350])
def test_when_the_last_player_leaves_nothing_is_left(window):
    stage = Stage(window)
    viewers = [stage.join() for _ in range(3)]
    assert (stage.stream.log.readers, stage.players.count) == (3, 3)
    for viewer in viewers:
        viewer.play.lost()
        viewer.play.lost()
    assert [viewer.ends for viewer in viewers] == [[(EndReason.PEER_CLOSED, False)]] * 3
    assert (stage.stream.log.readers, stage.stream.log.followed, stage.players.count) == (0, 0, 0)
    for _ in range(20):
        stage.video()
        stage.loop.advance(0.04)
    stage.loop.advance(limits.START_KEEP_SECONDS)
    assert stage.loop.timers == []
    # And who comes later is served as ever.
    late = stage.join()
    stage.video()
    stage.loop.advance(window / 1000 + 0.001)
    assert late.pictures[-1] == stage.time


@pytest.mark.parametrize("window", [0, 350])
def test_a_player_whose_socket_takes_nothing_for_long_is_closed_and_the_stream_goes_on(window):
    stage = Stage(window)
    viewer = stage.join(room=100)
    waited = 0.0
    while not viewer.ends and waited < 60:
        stage.video(is_key=stage.time % 1000 == 0)
        stage.loop.advance(0.04)
        waited += 0.04
    assert viewer.ends == [(EndReason.STALLED, False)]
    assert limits.STALL_SECONDS < waited < limits.STALL_SECONDS + 3
    # It left within a look at the log: that must be the last one.
    for _ in range(20):
        stage.video()
        stage.loop.advance(0.04)
    assert (stage.loop.timers, stage.stream.log.followed) == ([], 0)


def test_a_full_socket_is_written_nothing_more_and_goes_on_at_a_keyframe_when_it_is_late():
    stage = Stage(lag=Lag(jump_ms=1000))
    viewer = stage.join(room=1000)
    for i in range(100):
        stage.video(is_key=i % 25 == 0, size=300)
        stage.loop.advance(0.04)
        assert viewer.transport.get_write_buffer_size() <= limits.LOOP_SEND_BYTES_MAX
    held = len(viewer.transport.wire)
    viewer.transport.peer_reads()
    times = viewer.pictures
    gap = next(i for i in range(1, len(times)) if times[i] - times[i - 1] > 40)
    assert times[gap] % 1000 == 40
    assert times[gap:] == list(range(times[gap], stage.time + 1, 40))
    assert viewer.play.steps.jumps == 1
    headers = read_tags(bytes(viewer.transport.wire[held:]))[:1]
    assert [tag.body for tag in headers] == [AVC_HEADER]


def test_the_end_of_a_stream_is_the_end_of_the_response():
    stage = Stage(350)
    messages, raw = stage.join(Framing.WEBSOCKET), stage.join()
    stage.video()
    stage.hub.end_all()
    stage.loop.turn()
    assert messages.ends == raw.ends == [(EndReason.STREAM_ENDED, True)]
    assert read_file(raw.wire)[2][-1].mark[:4] == (40).to_bytes(4, "big")
    stage.loop.advance(limits.START_KEEP_SECONDS)
    assert (stage.loop.timers, stage.players.count) == ([], 0)


def test_a_full_socket_gets_a_while_to_take_the_rest_of_a_stream_that_has_ended():
    stage = Stage()
    quick, slow = stage.join(room=200), stage.join(room=200)
    for _ in range(20):
        stage.video(size=100)
    stage.hub.end_all()
    stage.loop.advance(1)
    assert (quick.ends, slow.ends) == ([], [])
    quick.transport.peer_reads()
    quick.transport.room = 1 << 40
    quick.transport.peer_reads()
    assert quick.ends == [(EndReason.STREAM_ENDED, True)]
    assert quick.pictures == list(range(0, stage.time + 1, 40))
    stage.loop.advance(limits.DRAIN_SECONDS + 1)
    assert slow.ends == [(EndReason.STALLED, False)]
    assert stage.loop.timers == []


def test_a_server_that_stops_says_so_instead_of_that_the_stream_ended():
    stage = Stage()
    viewer = stage.join()
    stage.players.stopping = True
    stage.hub.end_all()
    stage.loop.turn()
    assert viewer.ends == [(EndReason.SERVER_STOPS, True)]


def test_who_asks_and_does_not_read_the_answers_is_cut_off():
    stage = Stage()
    viewer = stage.join(Framing.RAW, room=0)
    for _ in range(limits.ANSWER_BYTES_MAX // 1000 + 2):
        viewer.play.say(bytes(1000)) if not viewer.ends else None
    assert viewer.ends == [(EndReason.UNREAD_ANSWERS, False)]
    assert len(viewer.transport.wire) < limits.ANSWER_BYTES_MAX + 5000


@pytest.mark.parametrize("framing", [Framing.WEBSOCKET, Framing.RAW])
def test_a_large_start_is_handed_over_as_the_socket_takes_it(framing):
    stage = Stage()
    viewer = stage.join(framing)
    viewer.play.halt(lambda: None)
    before = len(viewer.transport.wire)
    viewer.transport.room = 0
    start = MediaBlock(bytes(range(256)) * 4000)
    viewer.play.start(stage.stream.open(Variant()), Start(start, stage.stream.log.head))
    most = 0
    while start.in_use:
        most = max(most, viewer.transport.get_write_buffer_size())
        stage.video()
        viewer.transport.peer_reads(10_000)
    viewer.transport.peer_reads(100_000)
    # Where a piece ends another begins: the log's first.
    assert most <= limits.LOOP_SEND_BYTES_MAX + 1000
    assert bytes(viewer.transport.wire[before:]).startswith(framed(framing, bytes(start)))
    assert not viewer.ends


def test_what_is_said_during_a_start_comes_behind_it():
    stage = Stage()
    viewer = stage.join(Framing.WEBSOCKET)
    viewer.play.halt(lambda: None)
    viewer.transport.room = 0
    before = len(viewer.transport.wire)
    start = MediaBlock(b"s" * 200_000)
    viewer.play.start(stage.stream.open(Variant()), Start(start, stage.stream.log.head))
    viewer.play.say(b"ping")
    halted = []
    viewer.play.halt(lambda: halted.append(len(viewer.transport.wire)))
    assert not halted
    while not halted:
        viewer.transport.peer_reads(10_000)
    assert bytes(viewer.transport.wire[before:]) == framed(Framing.WEBSOCKET, bytes(start)) + b"ping"
    stage.video()
    stage.loop.advance(1)
    assert halted == [len(viewer.transport.wire)]


def test_what_waits_for_a_start_goes_with_a_player_that_ends():
    stage = Stage()
    viewer = stage.join(Framing.WEBSOCKET)
    viewer.play.halt(lambda: None)
    viewer.transport.room = 0
    viewer.play.start(stage.stream.open(Variant()), Start(MediaBlock(bytes(200_000)), stage.stream.log.head))
    viewer.play.say(b"ping")
    halted = []
    viewer.play.halt(lambda: halted.append(1))
    viewer.play.drop(EndReason.KICKED)
    viewer.transport.peer_reads()
    assert (viewer.ends, halted) == ([(EndReason.KICKED, False)], [])
    assert not viewer.transport.wire.endswith(b"ping")


def test_a_kick_during_a_start_leaves_a_frame_half_sent():
    stage = Stage()
    viewer = stage.join()
    viewer.play.halt(lambda: None)
    viewer.transport.room = 0
    viewer.play.start(stage.stream.open(Variant()), Start(MediaBlock(bytes(200_000)), stage.stream.log.head))
    viewer.play.drop(EndReason.KICKED)
    assert viewer.ends == [(EndReason.KICKED, False)]


def test_a_play_can_be_halted_and_started_again_elsewhere():
    stage = Stage()
    viewer = stage.join(Framing.RAW)
    halted = []
    viewer.play.halt(lambda: halted.append(stage.stream.log.readers))
    assert halted == [0]
    written = len(viewer.transport.wire)
    stage.video()
    stage.loop.advance(1)
    assert len(viewer.transport.wire) == written
    outlet = stage.stream.open(Variant(video=False))
    stage.feed.audio(stage.time, sound(b"before"))
    viewer.play.start(outlet, stage.stream.start(outlet))
    stage.feed.audio(stage.time + 20, sound(b"only me"))
    stage.video()
    stage.loop.advance(1)
    audio, video, tags = read_file(bytes(viewer.transport.wire[written:]))
    assert (audio, video) == (True, False)
    assert [tag.mark for tag in tags if not tag.is_header] == [b"only me"]
    viewer.play.lost()
    stage.loop.turn()
    assert len(stage.stream.outlets) == 2, "the next player finds the log"
    stage.loop.advance(2 * limits.OUTLET_KEEP_SECONDS)
    assert len(stage.stream.outlets) == 1
    assert viewer.ends == [(EndReason.PEER_CLOSED, False)]


@settings(max_examples=60)
@given(
    st.sampled_from([0, 100, 350]),
    st.lists(
        st.tuples(st.sampled_from(["video", "key", "sound", "wait", "read", "join"]), st.integers(0, 400)),
        max_size=60,
    ),
    st.sampled_from([0, 500, 1 << 40]),
)
def test_whatever_the_order_of_things_players_get_the_log_without_a_hole(window, steps, room):
    stage = Stage(window, lag=Lag(10**6, 10**6, 10**6))
    viewers = [stage.join(room=room)]
    for what, size in steps:
        if what in ("video", "key"):
            stage.video(what == "key", size)
        elif what == "sound":
            stage.feed.audio(stage.time + 1, sound(bytes(size)))
        elif what == "wait":
            stage.loop.advance(size / 1000)
        elif what == "read":
            for viewer in viewers:
                viewer.transport.peer_reads(size * 10)
        else:
            viewers.append(stage.join(room=room))
    for viewer in viewers:
        viewer.transport.room = 1 << 40
        viewer.transport.peer_reads()
    stage.hub.end_all()
    stage.loop.advance(1)
    for viewer in viewers:
        assert viewer.ends == [(EndReason.STREAM_ENDED, True)]
        media = [tag for tag in read_file(viewer.body)[2] if not tag.is_header]
        log = [
            tag for tag in read_file(b"FLV\1\0\0\0\0\x09\0\0\0\0" + stage.full_log)[2] if not tag.is_header
        ]
        assert media == log[len(log) - len(media) :]
        assert media[0].is_key
