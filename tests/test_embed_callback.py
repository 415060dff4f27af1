"""Callbacks that decide: verdicts of every kind, failures, time-outs, bounds, order, and the watchdog of the loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from functools import partial

from embedded import GOP, Film, Waiting, conf, looped, number_of, status_of
from model.access import request
from model.loop import until

import fastflv
from fastflv.access.request import Action
from fastflv.access.visits import Visits
from fastflv.embed.call import Caller
from fastflv.embed.callback import CallbackRule
from fastflv.embed.mailbox import Mailbox


async def judge(seen: fastflv.AccessRequest) -> fastflv.Verdict:
    """Verdicts by the name of the stream."""
    if seen.stream == "away":
        return fastflv.Redirected("http://b.example/live/away.flv")
    if seen.stream == "who":
        return fastflv.unauthorized("give a key")
    return fastflv.forbid("not this one") if seen.stream == "no" else fastflv.ALLOW


@looped
async def test_a_player_gets_the_verdict_of_the_callback_in_its_protocol():
    async with fastflv.Server(conf(), on_play=judge) as server:
        assert (await status_of(server, "/live/no.flv"))[0] == 403
        assert (await status_of(server, "/live/who.flv"))[0] == 401
        status, head = await status_of(server, "/live/away.flv")
        assert (status, "http://b.example/live/away.flv" in head) == (302, True)
        # Admitted, and nobody publishes it.
        assert (await status_of(server, "/live/yes.flv"))[0] == 404


@looped
async def test_each_action_has_its_own_callbacks_and_all_of_them_must_allow():
    server = fastflv.Server(conf())
    asked = []

    @server.on_publish
    async def first(seen: fastflv.AccessRequest) -> fastflv.Verdict:
        asked.append(("first", seen.stream))
        return fastflv.ALLOW

    async with server:

        @server.on_publish
        async def second(seen: fastflv.AccessRequest) -> fastflv.Verdict:
            asked.append(("second", seen.stream))
            return await judge(seen)

        assert (await status_of(server, "/live/no.flv", "POST"))[0] == 403
        assert asked == [("first", "no"), ("second", "no")]
        assert (await status_of(server, "/live/no.flv"))[0] == 404


@looped
async def test_the_rules_of_the_configuration_come_first():
    asked = []

    async def on_play(seen: fastflv.AccessRequest) -> fastflv.Verdict:
        asked.append(seen)
        return fastflv.ALLOW

    async with fastflv.Server(conf("security { enabled on; deny play all; }"), on_play=on_play) as server:
        assert (await status_of(server, "/live/x.flv"))[0] == 403
    assert asked == []


@looped
async def test_a_callback_that_raises_refuses_and_the_log_has_its_traceback(caplog):
    async def broken(seen: fastflv.AccessRequest) -> fastflv.Verdict:
        raise KeyError(seen.stream)

    async with fastflv.Server(conf(), on_play=broken) as server:
        assert (await status_of(server, "/live/x.flv"))[0] == 403
    (record,) = [each for each in caplog.records if "broken" in each.message]
    assert record.exc_info[0] is KeyError


@looped
async def test_a_callback_that_returns_no_verdict_refuses(caplog):
    async def forgets(seen: fastflv.AccessRequest) -> fastflv.Verdict:
        pass  # type: ignore[return]

    async with fastflv.Server(conf(), on_play=forgets) as server:
        assert (await status_of(server, "/live/x.flv"))[0] == 403
    assert any("forgets' returned None" in text or "which is no verdict" in text for text in caplog.messages)


@looped
async def test_a_callback_that_takes_too_long_refuses_its_own_client_alone(caplog):
    cancelled = asyncio.Event()

    async def slow(seen: fastflv.AccessRequest) -> fastflv.Verdict:
        if seen.stream == "slow":
            try:
                await asyncio.sleep(3600)
            finally:
                cancelled.set()
        return fastflv.ALLOW

    async with fastflv.Server(conf(), on_play=slow, callback_seconds=0.5) as server:
        waiting = asyncio.create_task(status_of(server, "/live/slow.flv"))
        await asyncio.sleep(0)
        assert (await status_of(server, "/live/x.flv"))[0] == 404
        assert not waiting.done()
        assert (await waiting)[0] == 403
        await cancelled.wait()
    assert any("has not answered within 0.5 s" in text for text in caplog.messages)


@looped
async def test_the_callback_of_a_client_that_leaves_is_cancelled():
    callback = Waiting()
    async with fastflv.Server(conf(), on_play=callback) as server:
        asking = asyncio.create_task(status_of(server, "/live/x.flv"))
        await callback.asked.wait()
        asking.cancel()
        _, writer = await asyncio.open_connection("127.0.0.1", server.ports("HTTP")[0])
        writer.write(b"GET /live/x.flv HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: asking.done())
        writer.close()
        await asyncio.wait_for(callback.cancelled.wait(), 20)


@looped
async def test_callbacks_under_way_are_bounded_those_that_ignore_their_end_too(caplog):
    free = asyncio.Event()

    async def stubborn(seen: fastflv.AccessRequest) -> fastflv.Verdict:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue
        return fastflv.ALLOW

    answers = []
    rule = CallbackRule(Caller(), Visits(), seconds=0.01, most=2)
    here = Mailbox(asyncio.get_running_loop())
    rule.begin(here.post, here.post)
    rule.add("on_play", stubborn)
    waiting = [rule.ask(request(), answers.append) for _ in range(2)]
    assert rule.ask(request(), answers.append) == fastflv.forbid("too many requests wait for an answer")
    assert rule.ask(request(Action.PUBLISH), answers.append) is fastflv.ALLOW
    await until(lambda: len(answers) == 2)
    assert isinstance(rule.ask(request(), answers.append), type(fastflv.forbid("")))
    free.set()
    await asyncio.sleep(0.05)
    assert not isinstance(rule.ask(request(), answers.append), type(fastflv.forbid("")))
    assert len(waiting) == 2
    assert "2 requests wait for it already" in caplog.text


@looped
async def test_what_holds_the_loop_is_named_in_the_log_while_it_does(caplog):
    caplog.set_level(logging.WARNING)

    async def blocking(seen: fastflv.AccessRequest) -> fastflv.Verdict:
        until_told = time.monotonic() + 20
        while time.monotonic() < until_told and "the event loop is held" not in caplog.text:
            time.sleep(0.05)
        return fastflv.ALLOW

    async with fastflv.Server(conf(), on_play=blocking) as server:
        assert (await status_of(server, "/live/x.flv"))[0] == 404
    lines = [text for text in caplog.messages if "the event loop is held" in text]
    assert len(lines) == 1
    assert "blocking" in lines[0]
    assert "test_embed_callback.py" in lines[0]
    assert "on_play test_embed_callback." in lines[0]


@looped
async def test_an_async_callback_that_blocks_is_named_with_how_long_it_held_the_loop(caplog):
    async def blocking(seen: fastflv.AccessRequest) -> fastflv.Verdict:
        await asyncio.sleep(0)
        time.sleep(0.2)
        await asyncio.sleep(0)
        return fastflv.ALLOW

    async with fastflv.Server(conf(), on_play=blocking) as server:
        assert (await status_of(server, "/live/x.flv"))[0] == 404
    [line] = [text for text in caplog.messages if "blocking held the event loop for 0." in text]
    assert line.startswith("on_play test_embed_callback.")


@looped
async def test_a_def_callback_that_blocks_holds_up_its_own_client_alone_and_not_the_media():
    free = threading.Event()
    asked: list[str] = []

    def blocking(seen: fastflv.AccessRequest) -> fastflv.Verdict:
        asked.append(seen.stream)
        assert free.wait(30) if seen.stream == "slow" else True
        return fastflv.ALLOW

    async with (
        fastflv.Server(conf(), on_play=blocking, callback_seconds=30) as server,
        server.publish("live/x") as publisher,
    ):
        film = await Film(publisher).begin()
        waiting = asyncio.create_task(status_of(server, "/live/slow.flv"))
        await until(lambda: asked == ["slow"])
        await film.frames(30)
        assert (await status_of(server, "/live/x.flv"))[0] == 200
        async for tag in server.stream("live/x"):
            if tag.keyframe:
                break
        assert number_of(tag) == GOP
        assert not waiting.done()
        free.set()
        assert (await waiting)[0] == 404


@looped
async def test_def_callbacks_have_the_verdicts_failures_and_time_outs_of_async_ones(caplog):
    free = threading.Event()

    def decide(seen: fastflv.AccessRequest) -> fastflv.Verdict:
        if seen.stream == "raises":
            raise KeyError(seen.stream)
        if seen.stream == "slow":
            free.wait(30)
        return fastflv.unauthorized("give a key") if seen.stream == "who" else fastflv.ALLOW

    async with fastflv.Server(conf(), on_play=decide, callback_seconds=0.5) as server:
        statuses = [
            (await status_of(server, f"/live/{name}.flv"))[0] for name in ("who", "raises", "slow", "x")
        ]
        free.set()
    assert statuses == [401, 403, 403, 404]
    assert "decide failed" in caplog.text
    assert "decide has not answered within 0.5 s" in caplog.text


@looped
async def test_a_callback_is_an_object_a_partial_or_a_function_that_returns_a_coroutine():
    threads = set()

    async def judge_by(table: dict[str, fastflv.Verdict], seen: fastflv.AccessRequest) -> fastflv.Verdict:
        threads.add(threading.current_thread())
        return table.get(seen.stream, fastflv.ALLOW)

    class Judge:
        async def __call__(self, seen: fastflv.AccessRequest) -> fastflv.Verdict:
            return await judge_by({}, seen)

    server = fastflv.Server(conf())
    server.on_play(Judge())
    server.on_play(partial(judge_by, {"no": fastflv.forbid("no")}))
    server.on_play(lambda seen: judge_by({"who": fastflv.unauthorized("who")}, seen))
    async with server:
        statuses = [(await status_of(server, f"/live/{name}.flv"))[0] for name in ("no", "who", "x")]
    assert statuses == [403, 401, 404]
    assert threads == {threading.main_thread()}
