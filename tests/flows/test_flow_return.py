"""A publisher leaves and another one comes within the grace: players of every protocol stay and go on.

Publishers are real ffmpegs, whose timestamps begin at zero each time.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from audience import Audience, Seat, check_times
from clip import H264, Clip, Form, end, make, push
from flvread import AUDIO, VIDEO, Tag, media
from server import Server, until, vhost_text

BIG = Form("h264_large", H264.video, H264.audio, seconds=2, size="480x270")
SOUND = Form("audio_long", "", "aac -ar 44100 -ac 1 -b:a 64k", seconds=4)
TYPES = {"h264": 0x1B, "hevc": 0x24, "aac": 0x0F}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(publish="grace 5;", remux="mount [vhost]/[app]/[stream].ts; on_missing 10;"))


@pytest.fixture(scope="module")
def films(clips: dict[str, Clip], clip_folder: Path) -> dict[str, Clip]:
    more = {"big": make(BIG, clip_folder), "sound": make(SOUND, clip_folder)}
    return {**clips, **{name: clip for name, clip in more.items() if clip is not None}}


def tracks_of(clip: Clip) -> set[str]:
    """Names as the API and TYPES have them."""
    video = "hevc" if clip.form.name.startswith("hevc") else "h264"
    return {name for name, there in ((video, clip.form.video), ("aac", clip.form.audio)) if there}


def show(server: Server, name: str, films: Sequence[Clip]) -> tuple[dict[str, Seat], list[dict[str, int]]]:
    """Publish one clip after the other to players that stay; return what they saw, and how much of it by each.

    The API is asked on the way.
    """
    marks: list[dict[str, int]] = []
    publishers: list[str] = []
    audience: Audience | None = None
    process: subprocess.Popen[str] | None = None
    stream = ""
    clients: dict[str, dict[str, Any]] = {}
    try:
        for turn, clip in enumerate(films):
            process = push(clip.path, server.publish_url(name))
            until(lambda: server.streams().get(name, {}).get("publish", {}).get("active"), "publish", 15)
            if audience is None:
                audience = Audience(server, name).ready()
            row = server.streams()[name]
            stream = stream or row["id"]
            assert row["id"] == stream
            assert row["publish"]["state"] == "live"
            publishers.append(row["publish"]["cid"])
            assert any(one["id"] == publishers[-1] and one["publish"] for one in server.clients())
            check_tracks(server, name, clip)
            assert process.wait(20) == 0, process.communicate()
            end(process)
            until(lambda: not server.streams()[name]["publish"]["active"], "unpublish")
            marks.append(audience.quiet())
            row = server.streams()[name]
            assert (row["id"], row["clients"]) == (stream, 4)
            assert (row["publish"]["active"], row["publish"]["state"]) == (False, "in grace")
            now = {one["id"]: one for one in server.clients() if one["stream"] == stream}
            assert {one["type"] for one in now.values()} == {"flv-play", "ts-play", "rtmp-play"}
            if turn:
                assert now.keys() == clients.keys(), "players stayed"
                assert all(now[id]["send_bytes"] > clients[id]["send_bytes"] for id in now)
                assert all(now[id]["alive"] > clients[id]["alive"] for id in now)
            clients = now
        assert audience is not None
        assert len(set(publishers)) == len(films)
        seats = audience.done(20)
    finally:
        if process is not None:
            end(process)
    return seats, marks


def check_tracks(server: Server, name: str, clip: Clip) -> None:
    """The API names the tracks of the present publisher within a moment."""

    def named() -> bool:
        row = server.streams()[name]
        found = {row[kind]["codec"].lower() for kind in ("video", "audio") if row[kind]}
        return found == tracks_of(clip)

    until(named, f"the tracks of {clip.form.name}", 5)


def check_tags(seat: Seat, films: Sequence[Clip], marks: Sequence[int]) -> None:
    """All frames of every clip, headers before them, time going on, metadata that is true."""
    check_times(seat.tags)
    for turn, clip in enumerate(films):
        tags = seat.tags[marks[turn - 1] if turn else 0 : marks[turn]]
        wanted = {kind: media(clip.flv.tags, kind) for kind in (AUDIO, VIDEO)}
        came = {kind: media(tags, kind) for kind in (AUDIO, VIDEO)}
        # Sound alone is believed after half a second, and ffmpeg sends the first half second at once.
        least = {VIDEO: len(wanted[VIDEO]), AUDIO: len(wanted[AUDIO]) // (2 if wanted[VIDEO] else 3)}
        for kind in (AUDIO, VIDEO):
            bodies = [tag.body for tag in came[kind]]
            assert bodies == [tag.body for tag in wanted[kind]][len(wanted[kind]) - len(bodies) :]
            assert len(bodies) >= (least[kind] if turn else min(least[kind], 1))
            if bodies:
                before = tags[: tags.index(came[kind][0])]
                header = [tag.body for tag in before if tag.kind == kind and tag.is_config]
                own = [tag.body for tag in clip.flv.tags if tag.kind == kind and tag.is_config]
                assert own[0] in header, "no header of its own before the first frame"
        if wanted[VIDEO]:
            assert came[VIDEO][0].is_key, "no keyframe after the splice"
    last = seat.metadata[-1]
    assert (last["hasAudio"], last["hasVideo"]) == (bool(films[-1].form.audio), bool(films[-1].form.video))
    assert_gaps(seat.tags)


def assert_gaps(tags: list[Tag]) -> None:
    """No hole that a player would stall at for longer than the publishers were away."""
    times = sorted(tag.time for tag in media(tags))
    assert max(b - a for a, b in itertools.pairwise(times)) < 2500


def check_ts(seat: Seat, films: Sequence[Clip]) -> None:
    """Each change of tracks is a new version of the PMT, and the stream is whole."""
    reader = seat.ts()
    told: list[tuple[int, set[int]]] = []
    for pmt in reader.pmts:
        row = (pmt.version, {stream.type for stream in pmt.streams.values()})
        if not told or told[-1] != row:
            told.append(row)
    wanted = [{TYPES[name] for name in tracks_of(clip)} for clip in films]
    kept = [types for _, types in told if types in wanted]
    changes = [types for i, types in enumerate(wanted) if i == 0 or types != wanted[i - 1]]
    assert [types for i, types in enumerate(kept) if i == 0 or types != kept[i - 1]] == changes
    assert [version for version, _ in told] == [(told[0][0] + i) & 31 for i in range(len(told))]


CHANGES = {
    "same": ("h264_aac", "h264_aac"),
    "resolution": ("h264_aac", "big", "h264_aac"),
    "codec": ("h264_aac", "hevc_aac", "h264_aac"),
    "sound_then_picture": ("audio_only", "h264_aac"),
    "picture_then_sound": ("h264_aac", "sound"),
    "mute_then_sound": ("video_only", "h264_aac"),
    "sound_then_mute": ("h264_aac", "video_only"),
}
UNDECODED = {"codec"}
"ffmpeg takes no second video codec within one stream."


@pytest.mark.parametrize("change", CHANGES)
def test_players_of_all_protocols_go_on_with_what_the_next_publisher_brings(
    server: Server, films: dict[str, Clip], tmp_path: Path, change: str
) -> None:
    if missing := [name for name in CHANGES[change] if name not in films]:
        pytest.skip(f"this ffmpeg cannot make {missing[0]}")
    shown = [films[name] for name in CHANGES[change]]
    seats, marks = show(server, change, shown)
    for protocol in ("flv", "ws", "rtmp"):
        check_tags(seats[protocol], shown, [mark[protocol] for mark in marks])
    check_ts(seats["ts"], shown)
    for seat in seats.values():
        if change not in UNDECODED:
            seat.decode(tmp_path)
