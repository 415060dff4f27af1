"""`/api/v1/trends`: samples of what the server did, taken from time to time. `/api/v1/streams/{id}/play`: where a stream plays."""

from __future__ import annotations

from model.apisite import NAME, gop, looped, running
from model.loop import until

from fastflv import limits
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.stream.name import StreamName


async def trends(caller, query: str = "") -> dict:
    return (await caller.get(f"trends{query}"))["trends"]


@looped
async def test_samples_tell_clients_memory_and_what_was_moved_since_the_one_before(monkeypatch):
    monkeypatch.setattr(limits, "TREND_SECONDS", 0.02)
    async with running() as caller:
        feed = caller.publish()
        gop(caller, feed)
        reader, writer = await caller.play()
        await reader.read(100)
        shown = {}

        async def seen() -> bool:
            shown.update(await trends(caller))
            return any(shown["players"]) and any(shown["send_kbps"])

        while not await seen():
            pass
        lengths = {len(column) for name, column in shown.items() if name != "step_seconds"}
        assert lengths == {len(shown["time_ms"])}
        assert shown["time_ms"] == sorted(shown["time_ms"])
        assert shown["memory_bytes"][-1] > 10 << 20
        assert (shown["streams"][-1], shown["publishers"][-1], shown["players"][-1]) == (1, 1, 1)
        assert shown["connections"][-1] >= 1
        after = await trends(caller, f"?after={shown['time_ms'][-1]}")
        assert all(moment > shown["time_ms"][-1] for moment in after["time_ms"])
        writer.close()
        await until(lambda: len(caller.server.clients) == 1)
        # The bytes of a player that has left are not moved back.
        later = await trends(caller)
        assert min(later["send_kbps"]) >= 0


@looped
async def test_before_the_first_sample_the_columns_are_empty():
    async with running() as caller:
        shown = await trends(caller)
        assert shown.pop("step_seconds") == limits.TREND_SECONDS
        assert set(map(len, shown.values())) == {0}


@looped
async def test_samples_have_a_bound(monkeypatch):
    monkeypatch.setattr(limits, "TREND_SECONDS", 0.001)
    monkeypatch.setattr(limits, "TREND_SAMPLES", 5)
    async with running() as caller:
        shown = await trends(caller)
        while len(shown["time_ms"]) < 5:
            shown = await trends(caller)
        newest = shown["time_ms"][-1]
        while (shown := await trends(caller))["time_ms"][0] <= newest:
            assert len(shown["time_ms"]) == 5


@looped
async def test_a_stream_says_where_it_plays_and_why_not():
    async with running() as caller:
        gop(caller, caller.publish())
        stream = caller.server.hub.find(NAME)
        said = await caller.get(f"streams/{stream.id}/play")
        assert said["vhost"] == DEFAULT_VHOST
        assert said["paths"] == [{"container": "flv", "path": "/live/a.flv", "refusal": ""}]
        assert (await caller.get("streams/none/play"))["code"] == 2048


@looped
async def test_a_container_that_cannot_carry_the_tracks_says_why():
    vhost = (
        "vhost c.example { http_remux { enabled on; mount [vhost]/[app]/[stream].mp3; } hls { enabled on; } }"
    )
    name = StreamName("c.example", "live", "a")
    async with running(top=vhost) as caller:
        gop(caller, caller.publish(name), name)
        said = await caller.get(f"streams/{caller.server.hub.find(name).id}/play")
        by_container = {each["container"]: each for each in said["paths"]}
        assert "AAC" in by_container["mp3"]["refusal"]
        assert by_container["hls"] == {"container": "hls", "path": "/live/a.m3u8", "refusal": ""}
