"""A stream's life, when its players may start, and the block they start with."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from model.access import request
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, Feed, Tag, inter, key, read_file, sound

from fastflv import limits
from fastflv.access.request import Action
from fastflv.config.model.play import TimeJitter
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.containers.flv.header import flv_header
from fastflv.media.amf import amf0
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.lag import Steps
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, Stream, StreamOptions

NAME = StreamName(DEFAULT_VHOST, "live", "a")


def make(now_ms: int = 0, **options) -> Stream:
    stream = Stream(NAME, StreamOptions(**options), id="vid-1", now_ms=now_ms)
    stream.begin("publisher", now_ms)
    return stream


def feed_gop(stream: Stream, time: int = 0) -> None:
    feed = Feed(stream.writer)
    feed.audio(time, AAC_HEADER)
    feed.video(time, AVC_HEADER)
    feed.video(time, key())
    feed.audio(time, sound())
    feed.video(time + 40, inter())


def played(stream: Stream) -> tuple[bool, bool, list[Tag]]:
    """What a player that joins now has been sent when it is at the head."""
    start = stream.start(stream.open())
    log = stream.log
    return read_file(
        bytes(start.block) + (log.read(start.position, log.head) if start.position >= 0 else b"")
    )


@pytest.mark.parametrize(("audio", "video", "flags"), [(0, 0, 0), (1, 0, 4), (0, 1, 1), (1, 1, 5)])
def test_an_flv_header_says_which_tracks_follow(audio, video, flags):
    header = flv_header(audio=bool(audio), video=bool(video))
    assert header == b"FLV\x01" + bytes([flags]) + b"\x00\x00\x00\x09" + bytes(4)
    assert read_file(header) == (bool(audio), bool(video), [])


def test_a_player_starts_with_headers_and_the_newest_gop():
    stream = make()
    feed_gop(stream)
    feed_gop(stream, 2000)
    audio, video, tags = played(stream)
    assert (audio, video) == (True, True)
    assert [tag.body for tag in tags] == [AAC_HEADER, AVC_HEADER, key(), sound(), inter()]
    # Nobody read the stream before: its time begins with this player.
    assert {tag.dts_ms for tag in tags[:3]} == {0}


def test_players_of_one_gop_share_a_start_block():
    stream = make()
    feed_gop(stream)
    first = stream.start(stream.open())
    assert stream.start(stream.open()).block is first.block
    feed_gop(stream, 2000)
    assert stream.start(stream.open()).block is not first.block


def test_without_gop_cache_a_player_starts_at_the_head_and_sees_from_the_next_key_on():
    stream = make(gop_cache=False)
    feed_gop(stream)
    start = stream.start(stream.open())
    assert (start.position, start.until_key) == (stream.log.head, True)
    headers = flv_header(audio=True, video=True) + stream.writer.header_tags(stream.log.head_dts)
    assert bytes(start.block) == headers


def test_a_gop_that_outgrew_its_bound_is_not_offered():
    stream = make(gop_frames_max=1)
    feed_gop(stream)
    assert not stream.start(stream.open()).until_key
    Feed(stream.writer).video(80, inter())
    assert stream.start(stream.open()).until_key


@pytest.mark.parametrize("gop_cache", [True, False])
def test_a_player_of_sound_alone_starts_at_the_head_with_its_header(gop_cache):
    stream = make(gop_cache=gop_cache)
    feed = Feed(stream.writer)
    feed.audio(0, AAC_HEADER)
    for time in range(0, 230, 23):
        feed.audio(time, sound())
    assert played(stream) == (True, False, [Tag(AUDIO, 207, AAC_HEADER)])
    assert stream.start(stream.open()).position == stream.log.head


def test_a_player_that_joins_before_the_first_key_sees_from_it_on():
    stream = make()
    Feed(stream.writer).video(0, inter())
    assert stream.start(stream.open()).until_key


# --- settled ---


def test_both_tracks_settle_a_stream_at_once():
    stream = make()
    assert not stream.settle(0)
    feed_gop(stream)
    assert stream.settle(0)
    assert stream.settled
    assert not stream.settle(0), "only the call that settles says so"


def test_a_stream_of_one_track_settles_after_a_while():
    stream = make()
    Feed(stream.writer).video(0, key())
    assert not stream.settle(1000)
    assert not stream.settle(1000 + limits.SETTLE_MS - 1)
    assert stream.settle(1000 + limits.SETTLE_MS)


def test_the_track_that_the_metadata_names_settles_a_stream():
    stream = make()
    stream.take_data("onMetaData", amf0.encode("onMetaData", {"audiocodecid": 10.0}), 0)
    assert not stream.settle(0)
    Feed(stream.writer).audio(0, sound())
    assert stream.settle(0)


def test_metadata_that_promises_a_track_that_never_comes_does_not_hold_players_for_ever():
    stream = make()
    stream.take_data("onMetaData", amf0.encode("onMetaData", {"audiocodecid": 10.0, "videocodecid": 7.0}), 0)
    Feed(stream.writer).video(0, key())
    assert not stream.settle(0)
    assert stream.settle(60_000)


# --- grace ---


def test_a_publisher_that_returns_goes_on_by_the_time_it_was_away():
    stream = make()
    feed_gop(stream)
    stream.leave(1000)
    assert (stream.phase, stream.publisher_id, stream.settled) == (Phase.GRACE, "", False)
    assert stream.log.key_pos == -1
    stream.begin("another", 1300)
    assert (stream.phase, stream.publisher_id) == (Phase.LIVE, "another")
    feed_gop(stream, 77_000)
    assert [row[2] for row in stream.log.tags() if row[3] == VIDEO][-2:] == [340, 380]


@pytest.mark.parametrize("away", [0, limits.SPLICE_GAP_MS, 10**6])
def test_the_gap_has_bounds(away):
    stream = make()
    feed_gop(stream)
    stream.leave(1000)
    stream.begin("another", 1000 + away)
    feed_gop(stream, 5)
    gap = min(max(away, limits.TIME_FIRST_STEP_MS), limits.SPLICE_GAP_MS)
    assert stream.log.head_dts == 40 + gap + 40


def test_the_stream_began_when_it_was_published_first():
    stream = make(now_ms=5000)
    stream.leave(9000)
    assert stream.began == 5.0
    stream.begin("another", 9500)
    assert stream.began == 5.0


def test_nothing_settles_while_the_publisher_is_away():
    stream = make()
    feed_gop(stream)
    stream.leave(0)
    assert not stream.settle(10**6)


def test_a_stream_that_ended_has_an_ended_log():
    stream = make()
    stream.end()
    assert stream.phase is Phase.ENDED
    assert stream.log.ended


@pytest.mark.parametrize(
    ("jitter", "times"),
    [(TimeJitter.FULL, [0, 40]), (TimeJitter.ZERO, [0, 40]), (TimeJitter.OFF, [900, 940])],
)
def test_the_jitter_setting_reaches_the_timeline(jitter, times):
    stream = make(jitter=jitter)
    feed = Feed(stream.writer)
    feed.video(900, key())
    feed.video(940, inter())
    assert [row[2] for row in stream.log.tags()] == times


# --- clients ---


class Counted:
    """The connection of a client, as far as bytes are counted."""

    steps = Steps()

    def __init__(self, sent: int, received: int) -> None:
        self.sent, self.received = sent, received

    def drop(self, reason: EndReason) -> None:
        """Nobody is disconnected here."""

    def adopt(self, options: StreamOptions) -> None:
        """Nothing is reloaded here."""


def client(
    stream: Stream, id: str, link: Counted, action: Action = Action.PLAY, joined: float = 0.0
) -> Client:
    return Client(replace(request(action), client_id=id), stream, link, joined)


def test_what_clients_that_left_were_sent_stays_counted_once():
    clients = Clients()
    stream = make()
    first, second = client(stream, "a", Counted(100, 7)), client(stream, "b", Counted(0, 0))
    clients.add(first)
    clients.add(second)
    assert (len(clients), clients.count(stream), clients.total) == (2, 2, 2)
    assert clients.find("a") is first
    clients.remove(first, EndReason.PEER_CLOSED, 1.0)
    clients.remove(first, EndReason.PEER_CLOSED, 1.0)
    assert (stream.sent_before, clients.sent_before.total(), clients.received_before) == (100, 100, 7)
    assert (list(clients), clients.count(stream), clients.find("a")) == ([second], 1, None)
    clients.remove(second, EndReason.PEER_CLOSED, 1.0)
    assert (clients.count(stream), clients.total) == (0, 2)


def test_players_that_did_not_keep_up_are_counted_by_reason_with_their_lag_steps():
    clients = Clients()
    stream = make()
    late = Counted(100, 0)
    late.steps = Steps(lag_ms=9000, drops=2, dropped=30, jumps=1)
    ends = [EndReason.TOO_SLOW, EndReason.STALLED, EndReason.STALLED, EndReason.PEER_CLOSED]
    for number, reason in enumerate(ends):
        each = client(stream, str(number), late)
        clients.add(each)
        assert each.steps.lag_ms == 9000
        clients.remove(each, reason, 1.0)
    assert (clients.ended[EndReason.TOO_SLOW], clients.ended[EndReason.STALLED]) == (1, 2)
    assert clients.steps_before == Steps(lag_ms=0, drops=8, dropped=120, jumps=4)


def test_a_publisher_is_no_player_and_has_no_lag():
    clients = Clients()
    stream = make()
    publisher, player = (
        client(stream, each.value, Counted(5, 9), each) for each in (Action.PUBLISH, Action.PLAY)
    )
    assert (publisher.publish, publisher.player, publisher.steps) == (True, None, Steps())
    assert (player.publish, player.player) == (False, player.link)
    clients.add(publisher)
    clients.remove(publisher, EndReason.TOO_SLOW, 0.0)
    assert clients.received_before == 9


@pytest.mark.parametrize(
    ("action", "lines"),
    [
        (
            Action.PUBLISH,
            ["publisher a from 192.0.2.1 publishes /live/a", "publisher a of /live/a left: disconnected by the API; 7 bytes in 2.5 s"],
        ),
        (
            Action.PLAY,
            ["player a from 192.0.2.1 joins /live/a by http", "player a of /live/a left: disconnected by the API; 100 bytes in 2.5 s"],
        ),
    ],
)  # fmt: skip
def test_a_client_has_one_line_when_it_comes_and_one_with_the_reason_when_it_goes(caplog, action, lines):
    caplog.set_level(logging.INFO)
    clients = Clients()
    only = client(make(), "a", Counted(100, 7), action, joined=10.0)
    clients.add(only)
    clients.remove(only, EndReason.KICKED, 12.5)
    assert len(caplog.messages) == 2
    assert [message[: len(line)] for message, line in zip(caplog.messages, lines, strict=True)] == lines
