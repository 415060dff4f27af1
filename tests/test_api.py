"""The HTTP API of a whole server in this process."""

from __future__ import annotations

import asyncio
import base64
import json
import os

import pytest
from model.apisite import NAME, Source, gop, looped, running
from model.loop import until

from fastflv import __version__, limits
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.servers.api.operation import Listing, Operation
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName


@pytest.mark.parametrize("port", ["api", "http"])
@looped
async def test_the_version_is_told_on_both_ports(port):
    async with running() as caller:
        answer = await caller.get("versions", port=getattr(caller, port))
        assert (answer["code"], answer["data"]["version"]) == (0, __version__)
        assert answer["pid"] == str(os.getpid())
        assert answer["server"]
        assert answer["service"]


@looped
async def test_the_rest_of_the_api_is_not_on_the_stream_port():
    async with running() as caller:
        assert (await caller.raw("/api/v1/streams", port=caller.http))[0] == 404


@looped
async def test_the_roots_name_what_is_below():
    async with running() as caller:
        for path in ("/", "/api", "/api/", "/api/v1"):
            assert json.loads((await caller.raw(path))[2])["urls"]


@looped
async def test_a_stream_is_shown_with_its_tracks_and_counts():
    async with running() as caller:
        gop(caller, caller.publish())
        _, writer = await caller.play()
        answer = await caller.get("streams")
        (shown,) = answer["streams"]
        assert answer["total"] == 1
        stream = caller.server.hub.find(NAME)
        expected = {
            "id": stream.id, "name": "a", "app": "live", "url": "/live/a", "tcUrl": "rtmp://a/live", "clients": 2,
            "frames": 2, "video_frames": 2, "audio_frames": 1, "recv_bytes": stream.writer.bytes,
            "publish": {"active": True, "cid": "pub00001", "role": "primary", "standby": "", "pulled": False, "state": "live"},
        }  # fmt: skip
        assert {name: shown[name] for name in expected} == expected
        assert (shown["video"]["codec"], shown["audio"]["codec"]) == ("H264", "AAC")
        assert (await caller.get(f"streams/{stream.id}"))["stream"]["id"] == shown["id"]
        assert shown["vhost"] in {row["id"] for row in (await caller.get("vhosts"))["vhosts"]}
        writer.close()


@looped
async def test_a_player_is_shown_and_counted():
    async with running() as caller:
        gop(caller, caller.publish())
        reader, writer = await caller.play()
        answer = await caller.get("clients")
        publisher, player = answer["clients"]
        assert answer["total"] == 2
        assert (publisher["publish"], publisher["type"]) == (True, "fmle-publish")
        assert (player["publish"], player["type"], player["pageUrl"]) == (False, "flv-play", "http://page")
        assert (player["url"], player["name"], player["ip"]) == ("/live/a", "a.flv", "127.0.0.1")
        await reader.read(1)
        # The thread that sent it counts it a moment later.
        async with asyncio.timeout(5):
            while (await caller.get(f"clients/{player['id']}"))["client"]["send_bytes"] <= 100:
                await asyncio.sleep(0.005)
        writer.close()


@looped
async def test_publishers_and_all_others_are_listed_apart():
    async with running() as caller:
        gop(caller, caller.publish())
        _, writer = await caller.play()
        both = (await caller.get("clients"))["clients"]
        for asked, row in (("1", both[0]), ("0", both[1])):
            answer = await caller.get(f"clients?publish={asked}")
            assert (answer["total"], [each["id"] for each in answer["clients"]]) == (1, [row["id"]])
        writer.close()


@looped
async def test_deleting_a_player_ends_its_response():
    async with running() as caller:
        gop(caller, caller.publish())
        reader, writer = await caller.play()
        player = (await caller.get("clients"))["clients"][1]
        assert (await caller.get(f"clients/{player['id']}", method="DELETE"))["code"] == 0
        async with asyncio.timeout(5):
            await reader.read()
        await until(lambda: len(caller.server.clients) == 1)
        assert (await caller.get(f"clients/{player['id']}", method="DELETE"))["code"] == 2049
        writer.close()


@looped
async def test_a_player_of_an_absent_stream_is_shown_disconnected_and_remembered():
    async with running() as caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", caller.http)
        writer.write(b"GET /live/none.flv HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: len(caller.server.clients.arrivals) == 1)
        answer = await caller.get("clients")
        [row] = answer["clients"]
        assert (answer["total"], row["state"], row["stream"], row["name"]) == (1, "waiting", "", "none.flv")
        assert (await caller.get(f"clients/{row['id']}"))["client"]["state"] == "waiting"
        assert (await caller.get(f"clients/{row['id']}", method="DELETE"))["code"] == 0
        assert b" 403 " in await reader.readline()
        writer.close()
        assert (await caller.get("clients"))["total"] == 0
        gone = await caller.get("clients?ended=1")
        assert gone["total"] == 1
        [row] = gone["clients"]
        assert (row["url"], row["admitted"], row["reason"]) == (
            "/live/none", False, "forbidden: disconnected by the API",
        )  # fmt: skip


@looped
async def test_an_rtmp_peer_that_only_connected_is_shown_and_can_be_disconnected():
    async with running() as caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", caller.rtmp)
        await until(lambda: len(caller.server.clients.arrivals) == 1)
        [row] = (await caller.get("clients"))["clients"]
        assert (row["state"], row["type"], row["publish"]) == ("connected", "Unknown", False)
        assert (await caller.get(f"clients/{row['id']}", method="DELETE"))["code"] == 0
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
        await until(lambda: len(caller.server.clients.history) == 1)
        [gone] = (await caller.get("clients?ended=1"))["clients"]
        assert (gone["id"], gone["reason"]) == (row["id"], "disconnected by the API")


@looped
async def test_deleting_a_publisher_drops_it():
    async with running() as caller:
        caller.publish()
        await caller.get("clients/pub00001", method="DELETE")
        assert caller.dropped == [("pub00001", EndReason.KICKED)]


@pytest.mark.parametrize(("path", "code"), [("streams/x", 2048), ("clients/x", 2049), ("vhosts/x", 2014)])
@looped
async def test_what_is_not_there_has_the_code_of_srs(path, code):
    async with running() as caller:
        assert (await caller.get(path))["code"] == code


@looped
async def test_deleting_no_client_in_particular_deletes_none():
    async with running() as caller:
        caller.publish()
        assert (await caller.get("clients", method="DELETE"))["code"] == 2049
        assert caller.dropped == []


@pytest.mark.parametrize("path", ["/api/v2", "/api/v1/nothing", "/api/v1/streams/a/b", "/x"])
@looped
async def test_other_paths_are_404(path):
    async with running() as caller:
        assert (await caller.raw(path))[0] == 404


@pytest.mark.parametrize("path", ["versions", "summaries", "streams", "clients", "vhosts"])
@looped
async def test_other_methods_are_405(path):
    async with running() as caller:
        status, fields, _ = await caller.raw(f"/api/v1/{path}", method="PUT")
        allow = "GET, DELETE, HEAD, OPTIONS" if path == "clients" else "GET, HEAD, OPTIONS"
        assert (status, fields["allow"]) == (405, allow)


@looped
async def test_summaries_and_vhosts_are_shown():
    async with running() as caller:
        gop(caller, caller.publish())
        assert (await caller.get("summaries"))["data"]["ok"] is True
        rows = (await caller.get("vhosts"))["vhosts"]
        assert {row["name"]: (row["streams"], row["clients"]) for row in rows} == {
            DEFAULT_VHOST: (1, 1),
            "b.example": (0, 0),
        }
        assert (await caller.get(f"vhosts/{rows[0]['id']}"))["vhost"]["name"] == rows[0]["name"]


@looped
async def test_summaries_report_the_interface_and_the_disks_of_stats_and_name_absent_ones_once(caplog):
    async with running(top="stats { network 99; disk no-such-disk; }") as caller:
        for _ in range(2):
            system = (await caller.get("summaries"))["data"]["system"]
            assert (system["net_recv_bytes"], system["disk_read_KBps"]) == (0, 0)
        warned = [record.getMessage() for record in caplog.records if "stats." in record.getMessage()]
        assert len(warned) == 2
        assert all(text.endswith("; its counters stay 0") for text in warned)


@pytest.mark.parametrize("parsed", ["on", "off"])
@looped
async def test_a_picture_is_described_by_its_sequence_header_where_parse_sps_is_on(parsed):
    async with running(default=f"publish {{ parse_sps {parsed}; }}") as caller:
        gop(caller, caller.publish())
        [row] = (await caller.get("streams"))["streams"]
        assert row["video"]["codec"] == "H264"
        assert bool(row["video"]["profile"]) == bool(row["video"]["level"]) == (parsed == "on")


@looped
async def test_the_sums_of_a_vhost_do_not_fall_when_streams_end_and_clients_leave():
    async with running() as caller:

        async def shown() -> dict:
            rows = (await caller.get("vhosts"))["vhosts"]
            return {row["name"]: row for row in rows}

        gop(caller, caller.publish())
        reader, writer = await caller.play()
        await reader.read(1)
        async with asyncio.timeout(5):
            while (before := (await shown())[DEFAULT_VHOST])["send_bytes"] <= 100:
                await asyncio.sleep(0.005)
        assert before["recv_bytes"] == caller.server.hub.find(NAME).writer.bytes
        caller.server.hub.unpublish(caller.server.hub.find(NAME), 0)
        caller.server.hub.end_all()
        await reader.read()
        await until(lambda: len(caller.server.clients) == 1)
        rows = await shown()
        after, other = rows[DEFAULT_VHOST], rows["b.example"]
        assert (after["streams"], after["recv_bytes"]) == (0, before["recv_bytes"])
        assert after["send_bytes"] >= before["send_bytes"]
        assert min(after["kbps"].values()) >= 0
        assert (other["recv_bytes"], other["send_bytes"]) == (0, 0)
        writer.close()


PAGES = {
    "": (0, limits.PAGE_COUNT_DEFAULT),
    "?count=3": (0, 3),
    "?start=10&count=100": (10, 15),
    "?start=14": (14, 15),
    "?start=99": (15, 15),
    "?count=0": (0, 1),
    "?start=-1&count=x": (0, limits.PAGE_COUNT_DEFAULT),
}


@looped
async def test_answers_come_in_pages():
    async with running() as caller:
        for i in range(15):
            caller.publish(NAME._replace(stream=f"{i:02}"), f"pub{i:05}")
        for query, (start, stop) in PAGES.items():
            answer = await caller.get(f"streams{query}")
            assert answer["total"] == 15
            assert [row["name"] for row in answer["streams"]] == [f"{i:02}" for i in range(start, stop)]
            answer = await caller.get(f"clients{query}")
            assert [row["name"] for row in answer["clients"]] == [f"{i:02}" for i in range(start, stop)]


@looped
async def test_a_page_is_bounded_and_looks_at_each_client_a_few_times(monkeypatch):
    monkeypatch.setattr(limits, "PAGE_COUNT_MAX", 40)
    asked = 0

    def sent(link) -> int:
        nonlocal asked
        asked += 1
        return 7

    monkeypatch.setattr(Source, "sent", property(sent))
    async with running() as caller:
        for i in range(60):
            caller.publish(NAME._replace(stream=f"{i:02}"), f"pub{i:05}")
        for kind in ("streams", "clients"):
            asked = 0
            answer = await caller.get(f"{kind}?start=10&count=100000")
            assert (len(answer[kind]), answer["total"]) == (40, 60)
            assert {row["send_bytes"] for row in answer[kind]} == {7}
            assert asked <= 2 * 60
        asked = 0
        await caller.get("vhosts")
        assert asked <= 60
        monkeypatch.undo()


@pytest.mark.parametrize(
    "query", ["start=99999999999999999999", "count=99999999999999999999", "count=" + "9" * 5000]
)
@looped
async def test_a_page_number_beyond_all_bounds_is_no_error(query):
    async with running() as caller:
        caller.publish()
        assert (await caller.raw(f"/api/v1/streams?{query}"))[0] == 200


@looped
async def test_with_auth_only_who_knows_the_password_is_answered():
    async with running("auth { enabled on; username ann; password s3:cret; }") as caller:
        token = base64.b64encode(b"ann:s3:cret").decode()
        wrong = base64.b64encode(b"ann:wrong").decode()
        assert (await caller.raw("/api/v1/versions", f"Authorization: Basic {token}"))[0] == 200
        assert (await caller.raw("/api/v1/versions", f"authorization: basic {token}"))[0] == 200
        for field in (
            f"Authorization: Basic {wrong}",
            "Authorization: Basic ???",
            f"Authorization: Bearer {token}",
            "X: y",
        ):
            status, fields, _ = await caller.raw("/api/v1/clients", field)
            assert (status, fields["www-authenticate"]) == (401, 'Basic realm="fastflv"')


@pytest.mark.parametrize("port", ["http", "api"])
@looped
async def test_probes_are_answered_on_both_ports_without_the_password(port):
    async with running("auth { enabled on; username ann; password b; }") as caller:
        at = getattr(caller, port)
        status, fields, body = await caller.raw("/healthz", port=at)
        assert (status, fields["cache-control"], body) == (200, "no-store", b"ok")
        assert (await caller.raw("/readyz", port=at))[0] == 200
        caller.server.unready = "the server is quitting"
        status, _, body = await caller.raw("/readyz", port=at)
        assert (status, body) == (503, b"the server is quitting")
        assert (await caller.raw("/healthz", port=at))[0] == 200
        assert (await caller.raw("/healthz/more", port=caller.api))[0] == 401


@looped
async def test_a_preflight_needs_no_password():
    async with running("auth { enabled on; username ann; password b; }") as caller:
        status, fields, _ = await caller.raw("/api/v1/clients/x", "Origin: http://b", method="OPTIONS")
        assert (status, fields["access-control-allow-origin"]) == (200, "*")


@looped
async def test_a_long_list_is_made_in_portions_between_turns_of_the_event_loop(monkeypatch):
    monkeypatch.setattr(limits, "TURN_SECONDS", 0.0)
    async with running() as caller:
        count = 5 * limits.LISTING_STEP
        for number in range(count):
            caller.publish(StreamName(DEFAULT_VHOST, "live", f"s{number}"), f"pub{number:05}")
        for path in ("streams", "clients"):
            rows = (await caller.get(f"{path}?count=500"))[path]
            assert len({row["id"] for row in rows}) == count
        # Between two portions others have their turn.
        loop, seen = asyncio.get_running_loop(), []

        def tick():
            seen.append(None)
            ticking[0] = loop.call_soon(tick)

        def rows():
            for number in range(count):
                yield {"turn": len(seen), "number": number}

        caller.server.api.table.add(
            Operation("GET", "/api/v1/numbers", "numbers", lambda call: Listing("numbers", rows(), count))
        )
        ticking = [loop.call_soon(tick)]
        found = (await caller.get("numbers"))["numbers"]
        ticking[0].cancel()
        assert [row["number"] for row in found] == list(range(count))
        assert len({row["turn"] for row in found}) > 1


@looped
async def test_a_list_that_fails_between_two_turns_is_answered_with_500(monkeypatch, caplog):
    monkeypatch.setattr(limits, "TURN_SECONDS", 0.0)

    def rows():
        yield from ({} for _ in range(2 * limits.LISTING_STEP))
        raise LookupError("no such row")

    async with running() as caller:
        caller.server.api.table.add(
            Operation("GET", "/api/v1/broken", "broken", lambda call: Listing("rows", rows(), 100))
        )
        assert (await caller.raw("/api/v1/broken"))[0] == 500
        assert (await caller.raw("/api/v1/versions"))[0] == 200
    assert "request GET /api/v1/broken failed" in caplog.text
