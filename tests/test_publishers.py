"""`/api/v1/publishers`: rates, keyframes and jitter of who publishes, and warnings of what troubles players."""

from __future__ import annotations

import asyncio

import pytest
from model.apisite import NAME, Caller, gop, looped, running
from model.flv import AUDIO, AVC_HEADER, VIDEO, Feed, inter, key, sound

from fastflv.stream.name import StreamName


def later(ms: int) -> bytes:
    """A picture that is shown *ms* after its decode time."""
    return b"\x27\x01" + ms.to_bytes(3, "big") + bytes(100)


class Camera:
    """A publisher whose frames arrived in the seconds before now."""

    def __init__(self, caller: Caller, seconds: float) -> None:
        self.caller = caller
        self.feed: Feed = caller.publish()
        self.begin = int((asyncio.get_running_loop().time() - seconds) * 1000)
        self.send(VIDEO, 0, AVC_HEADER)

    def send(self, kind: int, ms: int, body: bytes, *, late: int = 0) -> None:
        self.feed.send(kind, ms, body, now_ms=self.begin + ms + late)

    async def row(self) -> dict:
        (row,) = (await self.caller.get("publishers"))["publishers"]
        return row

    async def warned(self) -> list[str]:
        return [warning["kind"] for warning in (await self.row())["warnings"]]


@looped
async def test_a_publisher_is_shown_with_its_figures_and_without_a_warning():
    async with running() as caller:
        camera = Camera(caller, 4)
        for number in range(100):
            camera.send(VIDEO, number * 40, key(bytes(500)) if number % 25 == 0 else inter(bytes(100)))
            camera.send(AUDIO, number * 40, sound(b"a"))
        row = await camera.row()
        assert row["role"] == "primary"
        assert (row["id"], row["url"], row["type"], row["active"]) == (
            "pub00001", "/live/a", "fmle-publish", True,
        )  # fmt: skip
        assert row["frame_rate"] == pytest.approx(25, abs=2)
        assert (row["key_interval_ms"], row["jitter_ms"], row["repaired"]) == (1000, 0, 0)
        assert row["key_age_ms"] >= 900
        assert row["video"]["codec"] == "H264"
        assert row["stream"] == caller.server.hub.find(NAME).id
        assert row["warnings"] == []


@looped
async def test_players_are_no_publishers_and_rows_come_in_pages():
    async with running() as caller:
        gop(caller, caller.publish())
        _, writer = await caller.play()
        for number in range(3):
            caller.publish(StreamName(NAME.vhost, "live", f"b{number}"), f"pub0001{number}")
        answer = await caller.get("publishers?start=1&count=2")
        assert answer["total"] == 4
        assert [row["id"] for row in answer["publishers"]] == ["pub00010", "pub00011"]
        id = answer["publishers"][1]["stream"]
        of_one = await caller.get(f"publishers?stream={id}")
        assert (of_one["total"], of_one["publishers"][0]["id"]) == (1, "pub00011")
        writer.close()


@looped
async def test_no_keyframe_for_long_is_warned_about_also_before_the_first_one():
    async with running() as caller:
        camera = Camera(caller, 20)
        camera.send(VIDEO, 0, key(bytes(500)))
        for number in range(1, 500):
            camera.send(VIDEO, number * 40, inter(bytes(100)))
        assert await camera.warned() == ["no keyframe"]
        (warning,) = (await camera.row())["warnings"]
        assert "for 20 s" in warning["message"] and "keyframe interval" in warning["message"]


@looped
async def test_keyframes_that_come_seldom_are_warned_about():
    async with running() as caller:
        camera = Camera(caller, 15)
        for number in range(375):
            camera.send(VIDEO, number * 40, key(bytes(500)) if number % 300 == 0 else inter(bytes(100)))
        (warning,) = (await camera.row())["warnings"]
        assert warning["message"].startswith("keyframes come each 12 s")


@looped
async def test_b_frames_a_variable_rate_and_repaired_times_are_warned_about():
    async with running() as caller:
        camera = Camera(caller, 6)
        at = 0
        for number in range(100):
            at += (20, 90, 35)[number % 3]
            camera.send(VIDEO, at, key(bytes(500)) if number == 0 else later((120, 0, 40)[number % 3]))
        assert await camera.warned() == ["b-frames", "variable frame rate"]
        camera.send(VIDEO, 9_000_000, later(0), late=at - 9_000_000)
        assert await camera.warned() == ["timestamps repaired", "b-frames", "variable frame rate"]


@looped
async def test_frames_that_arrive_unevenly_and_sound_that_is_far_ahead_are_warned_about():
    async with running() as caller:
        camera = Camera(caller, 4)
        for number in range(100):
            late = 500 * (number % 2)
            camera.send(
                VIDEO, number * 40, key(bytes(500)) if number % 25 == 0 else inter(bytes(100)), late=late
            )
            camera.send(AUDIO, number * 40 + 900, sound(b"a"), late=late - 900)
        assert await camera.warned() == ["uneven arrival", "sound and picture apart"]


@looped
async def test_a_publisher_whose_media_is_not_the_streams_has_no_figures():
    async with running() as caller:
        gop(caller, caller.publish())
        caller.server.hub.find(NAME).publisher_id = "another"
        row = (await caller.get("publishers"))["publishers"][0]
        assert (row["active"], row["frame_rate"], row["video"], row["warnings"]) == (False, 0, None, [])
