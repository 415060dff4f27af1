"""Every answer of the API is as its document says; SRS's fields, raw, JSONP."""

from __future__ import annotations

import asyncio
import base64
import json
import threading

import pytest
from jsonschema import Draft202012Validator
from model.apisite import NAME, gop, looped, running
from model.loop import until
from openapi_spec_validator import validate

from fastflv.servers.api.recentlog import RecentLog
from fastflv.stream.endreason import EndReason

AUTH = "auth { enabled on; username ann; password b; }"
RAW = "raw_api { enabled on; allow_reload on; }"
REPORT = {"good": True, "configuration": 2, "changes": [], "next_publish": [], "problems": []}
"Of a reload."
CROSS = "Sec-Fetch-Site: cross-site"
OWN = "Referer: http://localhost/console/"


def check(document: dict, path: str, method: str, answer: object) -> None:
    operation = document["paths"][path][method]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator(schema).validate(answer)


@looped
async def test_the_document_is_valid_openapi_and_has_every_row():
    async with running() as caller:
        status, _, body = await caller.raw("/api/v1/openapi.json")
        assert status == 200
        validate(json.loads(body))
        paths = json.loads(body)["paths"]
        rows = {(row.path.replace("*}", "}"), row.method.lower()) for row in caller.server.api.table}
        assert rows == {(path, method) for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize("busy", [False, True])
@looped
async def test_every_answer_is_as_the_document_says(busy):
    async with running(recent=RecentLog()) as caller:
        writers = []
        if busy:
            gop(caller, caller.publish())
            writers = [(await caller.play())[1] for _ in range(2)]
            writers[1].close()
            await until(lambda: len(caller.server.clients.history) == 1)
        document = json.loads((await caller.raw("/api/v1/openapi.json"))[2])
        ids = {
            "streams": [stream.id for stream in caller.server.hub],
            "clients": [client.id for client in caller.server.clients],
            "vhosts": [row["id"] for row in (await caller.get("vhosts"))["vhosts"]],
        }
        asked = 0
        for path, methods in document["paths"].items():
            good = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
            if "application/json" not in good or path.startswith(("/flv/", "/api/v1/recordings")):
                continue
            kind = path.split("/")[3] if "{" in path else ""
            for id in (*ids.get(kind, ()), "none") if kind else ("",):
                status, _, body = await caller.raw(path.replace("{id}", id))
                if path == "/api/v1/tests/redirects":
                    assert status == 301
                    continue
                assert status == 200
                check(document, path, "get", json.loads(body))
                asked += 1
        assert asked >= 20
        check(document, "/api/v1/clients", "get", await caller.get("clients?ended=1&count=500"))
        for writer in writers:
            writer.close()


@looped
async def test_figures_of_process_and_machine_have_the_fields_of_srs():
    async with running() as caller:
        usage = (await caller.get("rusages"))["data"]
        assert usage["ok"] and usage["ru_maxrss"] > 1000
        process = (await caller.get("self_proc_stats"))["data"]
        assert process["comm"].startswith("(") and process["num_threads"] >= 1 and process["rss"] > 0
        assert (await caller.get("system_proc_stats"))["data"]["idle"] > 0
        memory = (await caller.get("meminfos"))["data"]
        assert memory["RealInUse"] + memory["NotInUse"] == memory["MemTotal"] > 0
        assert (await caller.get("features"))["data"]["features"]["hls"] is True
        assert (await caller.get("authors"))["data"]["license"] == "MIT"


@looped
async def test_the_index_names_the_rows_and_the_tests():
    async with running() as caller:
        said = json.loads((await caller.raw("/api/v1"))[2])
        assert {"versions", "summaries", "rusages", "vhosts", "streams", "clients", "raw"} <= set(
            said["urls"]
        )
        assert set(said["tests"]) == {"requests", "errors", "redirects"}
        assert (await caller.get("tests/errors"))["code"] == 100
        status, fields, _ = await caller.raw("/api/v1/tests/redirects")
        assert (status, fields["location"]) == (301, "/api/v1/tests/errors")
        echo = (await caller.get("requests?a=b"))["data"]
        assert (echo["uri"], echo["path"], echo["METHOD"]) == (
            "http://localhost/api/v1/requests?a=b", "/api/v1/requests", "GET",
        )  # fmt: skip


@looped
async def test_a_publisher_is_disconnected_by_the_id_of_its_stream():
    async with running() as caller:
        gop(caller, caller.publish())
        stream = caller.server.hub.find(NAME)
        assert (await caller.get("streams/none/publisher", method="DELETE"))["code"] == 2048
        assert (await caller.get(f"streams/{stream.id}/publisher", method="DELETE"))["code"] == 0
        assert caller.dropped == [("pub00001", EndReason.KICKED)]
        caller.server.hub.unpublish(stream, 0)
        if caller.server.hub.find(NAME) is not None:
            assert (await caller.get(f"streams/{stream.id}/publisher", method="DELETE"))["code"] == 2049


@looped
async def test_a_player_shows_its_lag_its_steps_and_how_long_its_join_took():
    async with running() as caller:
        gop(caller, caller.publish())
        reader, writer = await caller.play()
        await reader.read(1)

        async def player() -> dict:
            return (await caller.get("clients"))["clients"][1]

        async with asyncio.timeout(5):
            while (row := await player())["first_byte_ms"] is None:
                await asyncio.sleep(0.005)
        assert {"lag_ms", "drops", "dropped", "jumps"} <= set(row)
        assert 0 <= row["waited_ms"] < 5000 and row["first_byte_ms"] < 5000
        writer.close()


@looped
async def test_raw_shows_settings_and_refuses_the_rest_while_it_is_off():
    async with running() as caller:
        said = (await caller.get("raw?rpc=raw"))["http_api"]
        assert (said["enabled"], said["raw_api"]["enabled"]) == (True, False)
        for rpc in ("reload", "reload-fetch", "query", ""):
            assert (await caller.get(f"raw?rpc={rpc}"))["code"] == 1061


@looped
async def test_raw_reloads_where_it_may_and_says_how_it_went():
    async with running(RAW) as caller:
        assert (await caller.get("raw?rpc=reload"))["code"] == 1061, "there is no file to read"
        reports = [{**REPORT, "problems": []}, {**REPORT, "good": False, "problems": ["listen: wrong"]}]
        caller.server.api.raw.reload = lambda: reports.pop(0)
        assert (await caller.get("raw?rpc=reload-fetch"))["data"]["state"] == 0
        for rid, (err, msg) in enumerate([(0, "ok"), (1060, "listen: wrong")], 1):
            assert (await caller.get("raw?rpc=reload"))["code"] == 0
            said = (await caller.get("raw?rpc=reload-fetch"))["data"]
            report = said.pop("report")
            assert said == {"err": err, "msg": msg, "state": 90, "rid": str(rid)}
            assert report["problems"] == ([msg] if err else [])
        assert (await caller.get("raw?rpc=update"))["code"] == 1060
        assert (await caller.raw("/api/v1/raw?rpc=reload", CROSS))[0] == 403


@looped
async def test_raw_plans_a_reload_once_for_all_who_ask_meanwhile():
    made = []
    entered, go = threading.Event(), threading.Event()

    def plan():
        made.append(threading.current_thread())
        entered.set()
        go.wait(10)
        return REPORT

    async with running(RAW) as caller:
        assert (await caller.get("raw?rpc=reload-plan"))["code"] == 1061, "there is no file to read"
        caller.server.api.raw.plan = plan
        asking = [asyncio.create_task(caller.get("raw?rpc=reload-plan")) for _ in range(3)]
        await asyncio.to_thread(entered.wait, 10)
        # The event loop serves others meanwhile.
        assert (await caller.get("versions"))["code"] == 0
        go.set()
        assert [(await each)["plan"] for each in asking] == [REPORT] * 3
        assert made[0] is not threading.main_thread()
        assert (await caller.raw("/api/v1/raw?rpc=reload-plan", CROSS))[0] == 403


@looped
async def test_a_plan_that_fails_is_500():
    async with running(RAW) as caller:
        caller.server.api.raw.plan = lambda: {}["missing"]
        assert (await caller.raw("/api/v1/raw?rpc=reload-plan"))[0] == 500


@looped
async def test_an_api_that_is_read_only_refuses_whatever_changes_something():
    async with running(f"read_only on; {RAW}") as caller:
        caller.server.api.raw.reload = caller.server.api.raw.plan = lambda: REPORT
        caller.publish()
        assert (await caller.get("raw?rpc=raw"))["http_api"]["read_only"] is True
        assert (await caller.get("raw?rpc=reload"))["code"] == 1061
        assert (await caller.get("raw?rpc=reload-plan"))["plan"] == REPORT
        assert (await caller.get("clients"))["total"] == 1
        assert (await caller.get("clusters?app=live&stream=a", method="POST"))["code"] == 0
        for path in (
            "/api/v1/clients/pub00001", "/api/v1/recordings/a.flv", "/api/v1/tokens/revoke?jti=a",
            "/flv/record/start/live/a",
        ):  # fmt: skip
            method = "POST" if "start" in path else "DELETE"
            status, _, body = await caller.raw(path, method=method)
            assert (status, b"read_only" in body) == (403, True), path
        assert (await caller.raw("/api/v1/clients/pub00001?callback=f&method=DELETE"))[0] == 403
        assert caller.dropped == []


@looped
async def test_a_callback_makes_a_script_and_may_name_the_method():
    async with running() as caller:
        caller.publish()
        status, fields, body = await caller.raw("/api/v1/versions?callback=page.show-1")
        assert (status, fields["content-type"]) == (200, "text/javascript")
        assert body.startswith(b"page.show-1({") and body.endswith(b"})")
        await caller.raw("/api/v1/clients/pub00001?callback=f&method=DELETE", OWN)
        assert caller.dropped == [("pub00001", EndReason.KICKED)]
        await caller.raw("/api/v1/clients/pub00001?method=DELETE")
        assert len(caller.dropped) == 1


@pytest.mark.parametrize("name", ["alert(1)//", "%3Cb%3E", "", "a" * 200])
@looped
async def test_a_callback_that_is_no_name_is_refused(name):
    async with running() as caller:
        status, fields, body = await caller.raw(f"/api/v1/versions?callback={name}")
        assert (status, fields["content-type"], json.loads(body)) == (200, "application/json", {"code": 4058})


@looped
async def test_a_page_of_another_site_changes_nothing_by_a_script_and_reads_nothing_behind_a_password():
    async with running() as caller:
        caller.publish()
        path = "/api/v1/clients/pub00001?callback=f"
        for fields in (
            (CROSS,),
            (),
            ("Referer: http://evil.example/",),
            ("Referer: http://localhost.evil.example/",),
        ):
            assert (await caller.raw(f"{path}&method=DELETE", *fields))[0] == 403
        assert (await caller.raw(path, CROSS))[0] == 200
        assert caller.dropped == []
    async with running(AUTH) as caller:
        token = f"Authorization: Basic {base64.b64encode(b'ann:b').decode()}"
        assert (await caller.raw("/api/v1/versions?callback=f", token, OWN))[0] == 200
        assert (await caller.raw("/api/v1/versions?callback=f", token))[0] == 403
        assert (await caller.raw("/api/v1/versions?callback=f", token, CROSS))[0] == 403
