"""Players are told the tracks that are really there, whatever the publisher says and whenever they come."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from audience import Audience, Seat, check_times, join
from clip import Clip, decode, end, ffmpeg, push
from flvread import AUDIO, SCRIPT, VIDEO, Tag, media
from player import Player
from publisher import Publisher
from server import HOST, Server, until, vhost_text

from fastflv import limits
from fastflv.media.amf import amf0

MOUNTS = "mount [vhost]/[app]/[stream].ts; on_missing 10;"
LIE = amf0.encode(
    "onMetaData",
    {
        "width": 320.0,
        "height": 180.0,
        "videocodecid": 12.0,
        "audiocodecid": 2.0,
        "hasAudio": True,
        "hasVideo": True,
    },
)
TRUTH = {"video_only": (False, True), "audio_only": (True, False), "h264_aac": (True, True)}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(remux=MOUNTS))


def flags(fields: dict[str, Any]) -> tuple[object, object]:
    return fields["hasAudio"], fields["hasVideo"]


def check_fields(fields: dict[str, Any], audio: bool, video: bool) -> None:
    """Metadata names what is there, and nothing else."""
    assert flags(fields) == (audio, video)
    assert fields.get("audiocodecid") == (10.0 if audio else None)
    assert fields.get("videocodecid") == (7.0 if video else None)
    assert ("width" in fields) == video


def kinds_of(clip: Clip, kind: int, *, start: int = 0, turns: int = 1) -> list[Tag]:
    """Header and frames of one track, several times over."""
    length = max(tag.time for tag in media(clip.flv.tags)) + 50
    head = [tag._replace(time=start) for tag in clip.flv.tags if tag.kind == kind and tag.is_config]
    frames = media(clip.flv.tags, kind)
    return head[:1] + [
        tag._replace(time=tag.time + start + turn * length) for turn in range(turns) for tag in frames
    ]


def by_time(*parts: list[Tag]) -> list[Tag]:
    return sorted((tag for part in parts for tag in part), key=lambda tag: tag.time)


def tables(seat: Seat) -> list[tuple[int, set[int]]]:
    """Version and stream types of each PMT that differs from the one before."""
    rows: list[tuple[int, set[int]]] = []
    for pmt in seat.ts().pmts:
        row = (pmt.version, {stream.type for stream in pmt.streams.values()})
        if not rows or rows[-1] != row:
            rows.append(row)
    return rows


@pytest.mark.parametrize("name", TRUTH)
@pytest.mark.parametrize("protocol", ["flv", "ws", "rtmp"])
def test_the_first_metadata_says_what_ffmpeg_publishes(
    server: Server, clips: dict[str, Clip], name: str, protocol: str
) -> None:
    process = push(clips[name].path, server.publish_url(f"{name}_{protocol}"), loop=True)
    try:
        player = join(server, f"{name}_{protocol}", protocol)
        player.frames(3, AUDIO if name == "audio_only" else VIDEO)
        said = [amf0.decode_all(tag.body)[1] for tag in player.tags if tag.kind == SCRIPT]
        assert player.tags[0].kind == SCRIPT
        for fields in said:
            assert isinstance(fields, dict)
            check_fields(fields, *TRUTH[name])
        if protocol != "rtmp":
            assert player.flv.flags == clips[name].form.flags
    finally:
        end(process)


@pytest.mark.parametrize("name", ["video_only", "audio_only"])
def test_metadata_that_lies_is_put_right(server: Server, clips: dict[str, Clip], name: str) -> None:
    tags = [tag for tag in clips[name].flv.tags if tag.kind != SCRIPT]
    with Publisher(server.rtmp) as publisher:
        publisher.publish(f"lie_{name}")
        publisher.tag(SCRIPT, 0, LIE)
        publisher.tags([tag for tag in tags if tag.is_config])
        publisher.tags(media(tags)[:10])
        for only in ("", "?only=audio", "?only=video"):
            with Player(server.http, f"/live/lie_{name}.flv{only}") as player:
                if player.head().status == 406:
                    assert only == ("?only=audio" if name == "video_only" else "?only=video")
                    continue
                player.until(lambda me: len(me.tags) > 1)
                assert player.flv.flags == clips[name].form.flags
                assert player.tags[0].kind == SCRIPT
                fields = amf0.decode_all(player.tags[0].body)[1]
                assert isinstance(fields, dict)
                check_fields(fields, *TRUTH[name])


def test_a_stream_of_that_name_waits_no_second_time_for_a_track_that_never_came(
    server: Server, clips: dict[str, Clip]
) -> None:
    waited = []
    tags = [tag for tag in clips["video_only"].flv.tags if tag.kind != SCRIPT]
    for _ in range(2):
        with Publisher(server.rtmp) as publisher:
            publisher.publish("again")
            publisher.tag(SCRIPT, 0, LIE)
            began = time.monotonic()
            publisher.tags(tags[:10])
            with Player(server.http, "/live/again.flv") as player:
                player.frames(3)
                waited.append(time.monotonic() - began)
                assert player.flv.flags == 1
            publisher.finish()
        until(lambda: "again" not in server.streams(), "end")
    assert waited[0] >= limits.SETTLE_NAMED_MS / 1000
    assert waited[1] < waited[0] - 1


def late(clip: Clip, first: int, second: int) -> Iterator[Tag]:
    """A publish in which the track *second* joins two seconds after *first*."""
    yield Tag(SCRIPT, 0, amf0.encode("onMetaData", {"encoder": "x"}))
    yield from by_time(kinds_of(clip, first, turns=2), kinds_of(clip, second, start=2050))


@pytest.mark.parametrize(("first", "second"), [(VIDEO, AUDIO), (AUDIO, VIDEO)], ids=["sound", "picture"])
def test_a_track_that_joins_two_seconds_later_is_announced_to_all(
    server: Server, h264: Clip, tmp_path: Path, first: int, second: int
) -> None:
    name = f"late{second}"
    with Publisher(server.rtmp) as publisher:
        publisher.publish(name)
        going = publisher.live(late(h264, first, second))
        for tag in going:
            if tag.kind != SCRIPT and tag.time > 600:
                break
        audience = Audience(server, name).ready()
        for _ in going:
            pass
        with Player(server.http, f"/live/{name}.flv") as joined:
            joined.until(lambda me: len(me.tags) > 3)
            assert joined.flv.flags == 5
            assert joined.tags[0].kind == SCRIPT
            fields = amf0.decode_all(joined.tags[0].body)[1]
            assert isinstance(fields, dict)
            check = {key: fields[key] for key in ("hasAudio", "hasVideo", "audiocodecid", "videocodecid")}
            assert check == {"hasAudio": True, "hasVideo": True, "audiocodecid": 10.0, "videocodecid": 7.0}
        publisher.finish()
    seats = audience.done()
    alone = (first == AUDIO, first == VIDEO)
    for protocol in ("flv", "ws", "rtmp"):
        seat = seats[protocol]
        assert flags(seat.metadata[0]) == alone
        assert flags(seat.metadata[-1]) == (True, True)
        newcomer = next(i for i, tag in enumerate(seat.tags) if tag.kind == second)
        assert seat.tags[newcomer].is_config, "its header comes first"
        told = [tag for tag in seat.tags[:newcomer] if tag.kind == SCRIPT]
        assert flags(amf0.decode_all(told[-1].body)[1]) == (True, True), "and metadata before that"  # type: ignore[arg-type]
        assert len(media(seat.tags, second)) == len(media(h264.flv.tags, second))
        check_times(seat.tags)
    one, both = tables(seats["ts"])
    assert (len(one[1]), len(both[1])) == (1, 2)
    assert both[0] == one[0] + 1
    for seat in seats.values():
        seat.decode(tmp_path)


def test_a_track_that_ends_is_taken_back(server: Server, h264: Clip, tmp_path: Path) -> None:
    turns = (limits.TRACK_LOST_MS // 2000) + 2
    with Publisher(server.rtmp) as publisher:
        publisher.publish("ends")
        publisher.tag(SCRIPT, 0, LIE)
        tags = by_time(kinds_of(h264, VIDEO, turns=turns), kinds_of(h264, AUDIO))
        publisher.tags(tags[:30])
        audience = Audience(server, "ends").ready()
        for _ in publisher.live(tags[30:], speed=4):
            pass
        with Player(server.http, "/live/ends.flv") as joined:
            joined.frames(1)
            assert joined.flv.flags == 1
            assert {tag.kind for tag in joined.tags} == {SCRIPT, VIDEO}
        assert server.streams()["ends"]["audio"] is None
        publisher.finish()
    seats = audience.done()
    for protocol in ("flv", "ws", "rtmp"):
        check_fields(seats[protocol].metadata[0], True, True)
        check_fields(seats[protocol].metadata[-1], False, True)
    both, one = tables(seats["ts"])
    assert (both[1], one[1]) == ({0x1B, 0x0F}, {0x1B})
    assert one[0] == both[0] + 1
    for seat in seats.values():
        seat.decode(tmp_path)


@pytest.mark.parametrize("protocol", ["http", "rtmp"])
def test_ffmpeg_finds_no_track_but_those_that_are_there(
    server: Server, h264: Clip, tmp_path: Path, protocol: str
) -> None:
    """It takes metadata that does not come at time 0 for a track of text, which MP4 cannot hold."""
    process = push(h264.path, server.publish_url(f"map_{protocol}"), loop=True)
    try:
        with Player(server.http, f"/live/map_{protocol}.flv") as player:
            player.until(lambda me: sum(tag.is_key for tag in me.tags) > 3)
        url = server.publish_url(f"map_{protocol}")
        if protocol == "http":
            url = f"http://{HOST}:{server.http}/live/map_{protocol}.flv"
        path = tmp_path / "all.mp4"
        words = [ffmpeg(), "-v", "error", "-i", url, "-t", "2", "-map", "0", "-c", "copy", str(path)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=40)
        assert done.returncode == 0 and not done.stderr, done.stderr
        decode(path)
    finally:
        end(process)
