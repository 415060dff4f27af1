"""Workers without processes: the directory of names, the channel, and answers put together."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import asynccontextmanager

import jwt
import pytest
from model.apisite import NAME, Caller, Source, gop, looped, running
from model.tokens import SECRET

from fastflv import limits
from fastflv.access.request import AccessRequest, Action
from fastflv.config.load import load_text
from fastflv.control.siblings import Siblings
from fastflv.control.workerchannel import WorkerChannel
from fastflv.control.workernames import Name, WorkerNames
from fastflv.control.workerplace import WorkerPlace
from fastflv.net.peer import Peer
from fastflv.protocols.http.message import Request
from fastflv.servers.api import merging
from fastflv.servers.metrics.merging import merge_texts
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.stream import StreamOptions
from fastflv.tools.serve import worker_settings

ONE, TWO = Name("v", "live", "one"), Name("v", "live", "two")


def asked(query: str = "") -> Request:
    return Request("GET", "/api/v1/streams", query, "1.1", {}, True, Peer("", ""))


# --- names ---


def test_a_name_belongs_to_the_worker_that_claims_it_first_until_its_clients_are_gone():
    names = WorkerNames()
    assert names.claim(ONE, 1, "a") == 1
    assert names.claim(ONE, 1, "b") == 1
    assert names.claim(ONE, 2, "c") == 1
    assert names.claim(TWO, 2, "d") == 2
    assert not names.release(ONE, 2, "c") and not names.release(ONE, 1, "a")
    assert names.owner(ONE) == 1
    assert names.release(ONE, 1, "b")
    assert (names.owner(ONE), names.claim(ONE, 2, "c")) == (0, 2)
    assert names.drop(2) == [TWO, ONE] and not list(names)


def test_a_takeover_moves_a_name_and_what_the_former_worker_releases_later_is_not_its_own():
    names = WorkerNames()
    names.claim(ONE, 1, "a")
    assert names.claim(ONE, 2, "b", takeover=True) == 2
    assert not names.release(ONE, 1, "a")
    assert names.owner(ONE) == 2


def test_a_place_comes_through_the_environment_and_is_taken_once():
    place = WorkerPlace(2, [4001, 4002], 5, 6, "abc", "vid-1", "s")
    environ = dict(place.environ)
    found = WorkerPlace.take(environ)
    assert found == place and WorkerPlace.take(environ) is None
    assert place.others == {1: 4001}
    assert (
        place.id_of("v", "live", "one") == found.id_of("v", "live", "one") != place.id_of("v", "live", "two")
    )


# --- the channel ---


async def ends(near_handlers, far_handlers) -> tuple[WorkerChannel, WorkerChannel, asyncio.Event]:
    lost = asyncio.Event()
    near, far = socket.socketpair()
    one, other = WorkerChannel(near_handlers, lost.set), WorkerChannel(far_handlers, lambda: None)
    for channel, sock in ((one, near), (other, far)):
        sock.setblocking(False)
        await channel.open(sock)
    return one, other, lost


def test_questions_are_answered_at_once_and_later_and_told_things_arrive():
    told: list[object] = []

    async def slow(fields):
        await asyncio.sleep(0)
        return fields["x"] * 2

    async def check() -> None:
        one, other, lost = await ends({"note": told.append}, {"now": lambda fields: 1, "slow": slow})
        assert await asyncio.gather(one.ask("slow", x=4), one.ask("now")) == [8, 1]
        other.tell("note", word="\N{GREEK SMALL LETTER ALPHA}\n")
        assert await one.ask("now") == 1
        assert told == [{"word": "\N{GREEK SMALL LETTER ALPHA}\n"}]
        other.close()
        await lost.wait()
        with pytest.raises(ConnectionError):
            await one.ask("now")

    asyncio.run(check())


def test_a_question_that_waits_fails_when_the_other_end_is_gone():
    async def check() -> None:
        never: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        one, other, _ = await ends({}, {"never": lambda fields: never})
        asking = asyncio.ensure_future(one.ask("never"))
        await asyncio.sleep(0)
        other.close()
        with pytest.raises(ConnectionError):
            await asking
        never.cancel()

    asyncio.run(check())


# --- answers put together ---


def row(id: str, clients: int, *, pulled: bool, active: bool = True, sent: int = 0) -> dict[str, object]:
    return {
        "id": id,
        "clients": clients,
        "send_bytes": sent,
        "kbps": {"recv_30s": 5, "send_30s": sent},
        "publish": {"active": active, "cid": f"of {id}{'-pull' * pulled}", "pulled": pulled},
    }


def test_streams_are_one_row_each_with_the_publisher_and_the_players_of_all():
    answers = [
        {"code": 0, "streams": [row("a", 3, pulled=True, sent=10), row("b", 1, pulled=False)], "total": 2},
        {"code": 0, "streams": [row("a", 6, pulled=False, sent=20)], "total": 1},
    ]
    merged = merging.streams(answers, asked())
    a, b = merged["streams"]
    assert merged["total"] == 2
    # Two players, and a pull at its origin; four players, the pull, and the publisher.
    assert (a["clients"], a["send_bytes"], a["publish"]["cid"]) == (7, 30, "of a")
    assert a["kbps"] == {"recv_30s": 5, "send_30s": 30}
    assert b["clients"] == 1
    assert merging.streams(answers, asked("start=1&count=1"))["streams"] == [b]
    assert (
        merging.stream([{"code": 2048}, {"stream": row("b", 1, pulled=False)}], asked())["stream"]["id"]
        == "b"
    )
    assert merging.stream([{"code": 2048}, {"code": 2048}], asked()) == {"code": 2048}


def test_clients_of_all_workers_are_one_list_with_the_totals_of_all():
    answers = [{"clients": [{"id": each} for each in part], "total": 9} for part in ("ab", "cd")]
    assert merging.clients(answers, asked("start=1&count=2")) == {
        "clients": [{"id": "b"}, {"id": "c"}],
        "total": 18,
    }


def test_clients_that_are_gone_are_put_together_with_the_newest_first():
    times = ((9, 4), (7, 5))
    answers = [{"clients": [{"ended_ms": each} for each in part], "total": 2} for part in times]
    merged = merging.clients(answers, asked("ended=1"))
    assert [row["ended_ms"] for row in merged["clients"]] == [9, 7, 5, 4]


def test_streams_that_no_answer_has_room_for_are_counted_and_those_of_two_workers_once():
    answers = [
        {"streams": [row("a", 1, pulled=False), row("b", 1, pulled=False)], "total": 40},
        {"streams": [row("a", 2, pulled=True)], "total": 30},
    ]
    assert merging.streams(answers, asked("count=2"))["total"] == 69


def test_the_worker_that_knows_answers_for_all():
    assert merging.first_good([{"code": 2049}, {"code": 0, "client": 1}], asked()) == {"code": 0, "client": 1}
    assert merging.first_good([{"code": 2049}, {"code": 2049}], asked()) == {"code": 2049}


def test_the_worker_that_publishes_a_stream_tells_coworkers_where_it_is():
    here, elsewhere = {"data": {"origin": {"port": 1935}}}, {"data": {"origin": None}}
    assert merging.located([elsewhere, here], asked()) == here
    assert merging.located([elsewhere, elsewhere], asked()) == elsewhere


def test_samples_of_equal_labels_are_added_and_figures_of_one_stream_are_not():
    texts = [
        "# HELP fastflv_players P\n# TYPE fastflv_players gauge\n"
        f'fastflv_players{{output="flv"}} {count}\n'
        "# HELP srs_clients_total C\n# TYPE srs_clients_total counter\n"
        f"srs_clients_total {count}\n"
        "# HELP fastflv_stream_frame_rate R\n# TYPE fastflv_stream_frame_rate gauge\n"
        'fastflv_stream_frame_rate{vhost="v",stream="live/x"} 25\n'
        for count in (3, 4)
    ]
    text = merge_texts(texts).decode()
    assert 'fastflv_players{output="flv"} 7.0' in text
    assert "srs_clients_total 7.0" in text
    assert 'fastflv_stream_frame_rate{stream="live/x",vhost="v"} 25.0' in text


# --- lists of two workers ---


@asynccontextmanager
async def two_workers(default: str = ""):
    """Two servers that answer for each other, as two processes do."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [each.getsockname()[1] for each in listeners]
    async with running(default=default) as one, running(default=default) as other:
        parents, joined = [], []
        for number, caller in enumerate((one, other), 1):
            near, far = socket.socketpair()
            parents.append(near)
            place = WorkerPlace(
                number, ports, far.detach(), listeners[number - 1].detach(), "5ec4e7", "vid-1", "s"
            )
            joined.append(Siblings(place, caller.server, asyncio.get_running_loop()))
            await joined[-1].start({}, lambda: None)
        try:
            yield one, other
        finally:
            for each in (*joined, *parents):
                each.close()


def fill(caller: Caller, numbers: range) -> None:
    for number in numbers:
        caller.publish(NAME._replace(stream=f"{number:02}"), f"pub{number:05}")


async def names_of(caller: Caller, kind: str, query: str = "") -> tuple[list[str], int]:
    """The rows of the whole list, page by page, and its total."""
    names: list[str] = []
    while True:
        answer = await caller.get(f"{kind}?start={len(names)}&count=10{query}")
        names += (row["name"] for row in answer[kind])
        if not answer[kind]:
            return names, answer["total"]


@looped
async def test_lists_longer_than_a_page_are_whole_at_each_worker(monkeypatch):
    monkeypatch.setattr(limits, "PAGE_COUNT_MAX", 10)
    async with two_workers() as (one, other):
        fill(one, range(30))
        fill(other, range(30, 55))
        every = [f"{number:02}" for number in range(55)]
        for caller in (one, other):
            for kind in ("streams", "clients"):
                names, total = await names_of(caller, kind)
                assert (sorted(names), total) == (every, 55)


@looped
async def test_filters_of_a_list_reach_all_workers_and_a_callback_none():
    async with two_workers() as (one, other):
        fill(one, range(2))
        fill(other, range(2, 4))
        assert (await names_of(one, "clients", "&publish=1"))[1] == 4
        assert await names_of(one, "clients", "&publish=0") == ([], 0)
        assert await names_of(one, "clients", "&ended=1") == ([], 0)
        _, _, body = await one.raw("/api/v1/clients?callback=shown&publish=1")
        assert body.startswith(b"shown({") and body.count(b'"fmle-publish"') == 4


@looped
async def test_clients_by_which_workers_fetch_from_each_other_take_no_place_in_a_list():
    async with two_workers() as (one, other):
        own = AccessRequest(
            Action.PUBLISH, Peer("", ""), "pull0001", NAME.vhost, "live", "00", "flv-pull", "http", own=True
        )
        stream = one.server.hub.publish(NAME._replace(stream="00"), StreamOptions(), own.client_id, 0)
        one.server.clients.add(Client(own, stream, Source(own.client_id, []), 0.0))
        fill(one, range(1, 2))
        assert await names_of(other, "clients") == (["01"], 1)
        answer = await other.get("clients?count=1")
        assert [row["name"] for row in answer["clients"]] == ["01"]
        one.server.clients.remove(one.server.clients.find(own.client_id), EndReason.KICKED, 1.0)
        assert await names_of(other, "clients", "&ended=1") == ([], 0)


def show(caller: Caller, numbers: range) -> None:
    """Publish streams that pages list."""
    for number in numbers:
        name = NAME._replace(stream=f"{number:02}")
        gop(caller, caller.publish(name, f"pub{number:05}"), name)


async def listed(caller: Caller, query: str = "") -> list[str]:
    """The streams that a page shows."""
    status, _, body = await caller.raw(f"/players/streams.json{query}", port=caller.http)
    assert status == 200
    return [row["stream"] for row in json.loads(body)["streams"]]


@looped
async def test_viewers_who_ask_for_a_list_at_the_same_time_have_the_workers_asked_once():
    async with two_workers() as (one, other):
        show(one, range(2))
        show(other, range(2, 4))
        others, asked = one.server.live_streams.others, []

        async def counted(target: str) -> list[bytes]:
            asked.append(target)
            return await others(target)

        one.server.live_streams.others = counted
        lists = await asyncio.gather(*(listed(one) for _ in range(8)))
        assert lists == [["00", "01", "02", "03"]] * 8 and len(asked) == 1


@looped
async def test_a_viewer_finds_a_stream_behind_many_that_are_not_for_it(monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "PAGE_STREAMS_MAX", 2)
    (tmp_path / "key").write_text(SECRET)
    async with two_workers(f"auth {{ enabled on; key {tmp_path}/key; apply play; }}") as (one, other):
        show(other, range(6))
        claims = {"exp": time.time() + 60, "path": "live/05", "action": "play"}
        token = jwt.encode(claims, SECRET, algorithm="HS256")
        assert await listed(one, f"?token={token}") == ["05"]


def test_one_of_several_workers_sends_the_heartbeats_of_the_server():
    settings = load_text("listen 1935; heartbeat { enabled on; url http://127.0.0.1:1/; }")
    places = [WorkerPlace(number, [4001, 4002], 5, 6, "abc", "vid-1", "s") for number in (1, 2)]
    found = [worker_settings(settings, place) for place in places]
    assert [each.heartbeat.enabled for each in found] == [True, False]
    assert all(each.reuse_port and not each.daemon for each in found)
