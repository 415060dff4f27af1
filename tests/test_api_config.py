"""`/api/v1/config`: the settings in force with their sources. `/api/v1/listeners`: the open ports."""

from __future__ import annotations

import pytest
from model.apisite import looped, running

from fastflv.config.model.vhost import DEFAULT_VHOST

TOP = 'heartbeat { enabled off; url "http://u:hush@registry.example/?token=hush"; }'


async def settings(caller, query: str = "count=500") -> dict[str, dict[str, str]]:
    return {row["setting"]: row for row in (await caller.get(f"config/settings?{query}"))["settings"]}


@looped
async def test_each_setting_is_shown_with_its_value_and_its_source():
    async with running("crossdomain off;", top=TOP) as caller:
        rows = await settings(caller)
        assert rows["http_api.crossdomain"] == {
            "setting": "http_api.crossdomain", "value": "off", "source": "<text>:6"
        }  # fmt: skip
        assert rows["max_connections"]["source"] == "default"
        assert rows["listen"]["value"] == f"127.0.0.1:{caller.rtmp}"
        assert not any(name.startswith("vhost") for name in rows)
        rows = await settings(caller, f"vhost={DEFAULT_VHOST}&count=500")
        assert rows[f"vhost {DEFAULT_VHOST}.http_remux.enabled"]["value"] == "on"
        assert rows[f"vhost {DEFAULT_VHOST}.play.mw_latency"]["source"] == "default"


@looped
async def test_secrets_are_hidden():
    async with running("auth { enabled off; username me; password hush; }", top=TOP) as caller:
        rows = await settings(caller)
        assert rows["http_api.auth.password"]["value"] == "(hidden)"
        assert rows["http_api.auth.username"]["value"] == "me"
        assert "hush" not in rows["heartbeat.url"]["value"]


@looped
async def test_settings_come_in_pages():
    async with running() as caller:
        first = await caller.get("config/settings?count=20")
        second = await caller.get("config/settings?start=20&count=20")
        assert first["total"] == second["total"] > 60
        assert len(first["settings"]) == len(second["settings"]) == 20
        names = [row["setting"] for row in (*first["settings"], *second["settings"])]
        assert len(set(names)) == 40
        assert (await caller.get("config/settings?vhost=nobody"))["code"] == 2014


@looped
async def test_the_configuration_has_a_number_a_file_and_its_notices():
    async with running(top="pithy_print_ms 7;") as caller:
        shown = (await caller.get("config"))["configuration"]
        assert (shown["number"], shown["file"]) == (1, "<text>")
        [notice] = [each for each in shown["notices"] if "pithy_print_ms" in each["message"]]
        assert (notice["kind"], notice["file"], notice["line"]) == ("no effect", "<text>", 7)
        caller.server.reload(caller.server.runtime.settings)
        assert (await caller.get("config"))["configuration"]["number"] == 2


@pytest.mark.parametrize("path", ["config", "config/settings"])
@looped
async def test_pages_of_other_sites_do_not_read_the_configuration_of_an_api_without_a_password(path):
    async with running() as caller:
        assert (await caller.raw(f"/api/v1/{path}", "Origin: http://evil.example"))[0] == 403
        assert (await caller.raw(f"/api/v1/{path}?callback=f"))[0] == 403
        assert (await caller.raw(f"/api/v1/{path}", "Origin: http://localhost"))[0] == 200


@looped
async def test_a_page_of_another_site_that_knows_the_password_reads_the_configuration():
    async with running("auth { enabled on; username me; password hush; }") as caller:
        known = "Authorization: Basic bWU6aHVzaA=="
        assert (await caller.raw("/api/v1/config", "Origin: http://b.example", known))[0] == 200
        assert (await caller.raw("/api/v1/config", "Origin: http://b.example"))[0] == 401


@looped
async def test_the_open_ports_are_shown_with_what_is_spoken_there():
    async with running() as caller:
        rows = (await caller.get("listeners"))["listeners"]
        assert [(row["name"], row["scheme"], row["host"], row["port"]) for row in rows] == [
            ("RTMP", "rtmp", "127.0.0.1", caller.rtmp),
            ("HTTP", "http", "127.0.0.1", caller.http),
            ("API", "http", "127.0.0.1", caller.api),
        ]
        assert [(row["streams"], row["api"]) for row in rows] == [(True, False), (True, False), (False, True)]


@looped
async def test_a_vhost_says_what_needs_a_token_and_how_much_of_the_past_is_kept():
    secret = "key 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff;"
    more = f"timeshift {{ window 60; }} auth {{ enabled on; apply publish; {secret} }}"
    async with running(default=more) as caller:
        rows = {row["name"]: row for row in (await caller.get("vhosts"))["vhosts"]}
        assert (rows[DEFAULT_VHOST]["auth"], rows[DEFAULT_VHOST]["timeshift"]) == (["publish"], 60)
        assert (rows["b.example"]["auth"], rows["b.example"]["timeshift"]) == ([], 0)
