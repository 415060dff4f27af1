"""Hooks after the fact: recordings, segments, and what a reload changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from clip import Clip, end, push
from hookserver import HookServer, Reply
from player import Player
from reloading import Make
from server import Server, until, vhost_text

FILES = ("on_publish", "on_unpublish", "on_dvr", "on_hls")


def test_recordings_and_segments_are_told_with_the_bodies_of_srs(
    serve: Callable[..., Server], h264: Clip, tmp_path: Path
) -> None:
    with HookServer() as hooks:
        notify = hooks.url("notify/[server_id]/[app]/[stream]/[ts_url]", "[param]")
        more = (
            f"dvr {{ enabled on; dvr_path {tmp_path}/[app]/[stream].[timestamp].flv; dvr_plan session; }}"
            f" hls {{ enabled on; hls_path {tmp_path}; hls_fragment 1; hls_window 4; hls_on_error continue; }}"
            + hooks.block(*FILES).replace("}", f" on_hls_notify {notify}; }}")
        )
        server = serve(vhost_text(more=more))
        process = push(h264.path, server.publish_url("one?token=pubtok"), loop=True)
        segments = [each.fields for each in hooks.wait("on_hls", 3)]
        stream = server.streams()["one"]
        publisher = hooks.of("on_publish")[0].fields
        for number, told in enumerate(segments[:3]):
            path = Path(told.pop("file"))
            assert path == tmp_path / told["url"]
            assert 0 < told.pop("duration") < 20
            assert told.pop("cwd")
            assert told == {
                **publisher,
                "action": "on_hls",
                "url": f"live/one-{number}.ts",
                "m3u8": f"{tmp_path}/live/one.m3u8",
                "m3u8_url": "live/one.m3u8",
                "seq_no": number,
            }
        asked = f"notify/{publisher['server_id']}/live/one/one-0.ts"
        (get,) = hooks.wait(asked)
        assert (get.method, get.target) == ("GET", f"/{asked}?token=pubtok")
        end(process)
        recorded = hooks.wait("on_dvr")[0].fields
        file = Path(recorded.pop("cwd"), recorded.pop("file"))
        assert recorded == {**publisher, "action": "on_dvr", "stream_id": stream["id"]}
        assert file.parent == tmp_path / "live" and file.stat().st_size > 10_000
        hooks.wait("on_unpublish")


def test_a_reload_counts_for_the_next_request_and_a_hook_that_is_gone_is_not_asked(
    make: Make, h264: Clip
) -> None:
    with HookServer() as first, HookServer() as second:
        server = make(vhost_text(more=first.block("on_play", "on_stop")))
        process = push(h264.path, server.publish_url("one"), loop=True)
        until(lambda: "one" in server.streams(), "publish", 15)
        with Player(server.http, "/live/one.flv") as stays:
            stays.until(lambda me: len(me.tags) > 5)
            block = first.block("on_play", "on_stop")
            server.change((block, second.block("on_play", "on_stop")))
            with Player(server.http, "/live/one.flv") as player:
                player.until(lambda me: len(me.tags) > 5)
            second.wait("on_stop")
            assert first.actions() == ["on_play"]
            stays.until(lambda me: len(me.tags) > 20)
        second.wait("on_stop", 2)
        line = server.refuse((second.url("on_play"), "rtmp://127.0.0.1/live"))
        assert "server.conf:" in line and "'rtmp://127.0.0.1/live' is no URL of the form http://" in line
        server.change((second.block("on_play", "on_stop"), ""))
        with Player(server.http, "/live/one.flv") as player:
            player.until(lambda me: len(me.tags) > 5)
        assert len(second.told) == 3 and len(first.told) == 1
        end(process)


def test_events_of_a_hook_that_hangs_are_sent_at_the_end_as_far_as_time_allows(
    make: Make, h264: Clip
) -> None:
    with HookServer() as hooks:
        server = make(vhost_text(more=hooks.block("on_stop", "on_unpublish")))
        process = push(h264.path, server.publish_url("one"), loop=True)
        until(lambda: "one" in server.streams(), "publish", 15)
        hooks.replies["/on_stop"] = Reply(seconds=60)
        with Player(server.http, "/live/one.flv") as player:
            player.until(lambda me: len(me.tags) > 5)
        hooks.wait("on_stop")
        began = time.monotonic()
        server.process.terminate()
        hooks.wait("on_unpublish")
        assert server.process.wait(20) == 0
        assert time.monotonic() - began < 15
        server.expect_error("hooks: 1 events were not sent before the end")
        end(process)
