"""A stream that an edge fetches and nobody watches: what gathers in its socket is no silence of the origin."""

from __future__ import annotations

import asyncio

from model.apisite import gop, looped, running
from model.loop import until

from fastflv import limits
from fastflv.cluster.states import PullState


@looped
async def test_an_upstream_that_seems_silent_is_read_before_others_are_tried_where_nobody_watches(
    monkeypatch,
):
    # The test looks, at times of its own.
    monkeypatch.setattr(limits, "PULL_LOOK_SECONDS", 1000.0)
    async with running() as origin:
        gop(origin, origin.publish())
        cluster = f"cluster {{ mode remote; origin 127.0.0.1:{origin.rtmp}; linger 60; }}"
        async with running(default=cluster) as edge:
            _, viewer = await edge.play()
            (pull,) = edge.server.parts.cluster.pulls
            await until(lambda: pull.state is PullState.FETCHING)
            (stream,) = edge.server.hub
            viewer.close()
            await until(lambda: pull.state is PullState.LINGERING)
            assert stream.wake is not None
            read = []
            monkeypatch.setattr(stream, "wake", lambda: read.append(pull.state))
            now = asyncio.get_running_loop().time() + limits.STALL_SECONDS_MAX + 1
            pull.look(now)
            assert read == [PullState.LINGERING] == [pull.state]
            pull.look(now + 0.1)
            assert pull.state is PullState.SWITCHING
            pull.look(now + 0.2)
            assert len(read) == 1
