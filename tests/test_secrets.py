"""Secrets of a configuration are shown nowhere: each of them is marked, and all that a server says is looked through."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from dataclasses import is_dataclass

import pytest
from model.apisite import CONF, looped, running
from model.fields import every_setting
from model.loop import until
from model.ports import free_ports

from fastflv.config.diff import DIRECTIVES, differences
from fastflv.config.effective import effective
from fastflv.config.load import load_text
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.control.outcome import Outcome, lines
from fastflv.control.runtime import compile_runtime
from fastflv.errors import ConfigError
from fastflv.servers.api.recentlog import RecentLog
from fastflv.tools import explain
from fastflv.tools.config import print_settings

MARK = "cafe5eC4e7"
NEVER = "127.0.0.1:1"
"Nobody listens there."
URL = f"http://ann:{MARK}@{NEVER}/hook?token={MARK}"
EVENTS = ["connect", "close", "publish", "unpublish", "play", "stop", "dvr", "hls", "hls_notify"]
HOOKS = " ".join(f"on_{name} {URL};" for name in EVENTS)
KEYS = {
    "http_api.auth.password": MARK,
    "vhost.auth.key": MARK * 4,
    "vhost.auth.tencent": f"play {MARK * 2}",
    "vhost.auth.aliyun": f"a play {MARK * 2}",
    "vhost.forward.destination": f"rtmp://{NEVER}/app/{MARK}?key={MARK}",
    "vhost.cluster.directory": f"redis://:{MARK}@{NEVER}/0",
}
"Settings that are secrets as a whole, with the words of a file."
URLS = {
    "heartbeat.url": "heartbeat", "vhost.forward.backend": "forward", "vhost.auth.jwks": "auth",
    **{f"vhost.http_hooks.on_{name}": "http_hooks" for name in EVENTS},
    "vhost.hls.hls_key_url": "hls",
}  # fmt: skip
"Settings that are URLs, whose users and parameters are secrets, by block."
TOP = f'heartbeat {{ enabled on; interval 1; url "{URL}"; }}'
DEFAULT = f"""
    forward {{ enabled on; destination {KEYS["vhost.forward.destination"]}; }}
    http_hooks {{ enabled on; {HOOKS} }}
    cluster {{ directory {KEYS["vhost.cluster.directory"]}; advertise 127.0.0.1; }}
    hls {{ enabled on; hls_keys on; hls_key_url {URL}; }}
"""
VHOSTS = f"""
vhost asked.example {{
    forward {{ enabled on; backend {URL}; }}
    http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; }}
}}
vhost keys.example {{
    auth {{ enabled on; key {KEYS["vhost.auth.key"]}; jwks {URL}; tencent {KEYS["vhost.auth.tencent"]};
        aliyun {KEYS["vhost.auth.aliyun"]}; }}
}}
"""
API = f"auth {{ enabled on; username ann; password {MARK}; }}"
TEXT = CONF.format(*free_ports(3), more=API, top=TOP, default=DEFAULT) + VHOSTS
PLAIN = (
    CONF.format(*free_ports(3), more="", top="", default="")
    + "vhost asked.example { } vhost keys.example { }"
)
WORDS = re.compile(r"password|secret|token|passphrase|^key$|keys$|url|hook|destination|backend|directory")
"Names of settings that may carry a secret."
HARMLESS = {
    "http_server.https.key", "http_api.https.key", "rtmps.key",
    "vhost.cluster.token_traverse", "vhost.hls.hls_keys", "vhost.http_hooks", "vhost.hls.hls_fragments_per_key",
    "vhost.http_hooks.enabled",
}  # fmt: skip
"Paths of files, and flags."


def clean(text: str) -> None:
    at = text.find(MARK)
    assert at < 0, text[max(at - 200, 0) : at + 100]


def test_each_setting_that_may_carry_a_secret_is_known_here():
    found = {path for path, block in every_setting() if WORDS.search(path.rpartition(".")[2]) and not block}
    assert found - HARMLESS <= {*KEYS, *URLS}


def test_settings_and_reload_plans_hide_secrets(capsys):
    marked, plain = load_text(TEXT), load_text(PLAIN)
    rows = {each.path: each.value for each in effective(marked)}
    for path in (*KEYS, *URLS):
        name = DIRECTIVES.get(path, path).removeprefix("vhost.")
        shown = [value for row, value in rows.items() if row.endswith(name)]
        assert any(value not in ("none", "") for value in shown), path
    for as_json in (False, True):
        print_settings(marked, written=False, as_json=as_json)
    for old, new in ((marked, plain), (plain, marked)):
        outcome = Outcome(1, tuple(differences(old, new)))
        assert {f"vhost {DEFAULT_VHOST}.forward.destination", "http_api.auth.password"} <= {
            change.path for change in outcome.changes
        }
        print("\n".join(lines(outcome.as_json())), "\n".join(map(str, outcome.changes)))
    said = capsys.readouterr().out
    assert "token=***" in said and "(hidden)" in said
    clean(said)


@pytest.mark.parametrize("path", [*KEYS, *URLS])
def test_the_representation_of_settings_has_no_secret_as_a_whole(path):
    """Tracebacks and debuggers show it."""

    def field_of(kind: object, names: list[str]) -> object:
        for name in names[:-1]:
            kind = getattr(kind, name)
        return kind.__dataclass_fields__[names[-1]]

    settings = load_text(TEXT)
    block = settings.vhosts[DEFAULT_VHOST] if path.startswith("vhost.") else settings
    assert is_dataclass(block)
    assert field_of(block, path.removeprefix("vhost.").split(".")).repr is (path in URLS)


@pytest.mark.parametrize(
    "url", ["rtmp://127.0.0.1/live/x", "http://asked.example/live/x.flv", "rtmp://keys.example/live/x"]
)
def test_an_explanation_shows_no_secret(url, capsys):
    for as_json in (False, True):
        explain.answer(load_text(TEXT), url, as_json=as_json)
    said = capsys.readouterr().out
    assert "live/x" in said
    clean(said)


@pytest.mark.parametrize(
    "block",
    [
        f"forward {{ enabled on; destination http://{NEVER}/app/{MARK}; }}",
        f"forward {{ enabled on; destination {NEVER}/{MARK}; }}",
        f"forward {{ enabled on; backend ftp://ann:{MARK}@x/?token={MARK}; }}",
        f"http_hooks {{ enabled on; on_play ftp://ann:{MARK}@x/?token={MARK}; }}",
        *(f"http_hooks {{ enabled on; on_play http://ann:{MARK}{sign}{MARK}@x/; }}" for sign in "/#?"),
        *(f"forward {{ enabled on; destination rtmp://ann:{MARK}{sign}{MARK}@x/a; }}" for sign in "/#?"),
        *(f"cluster {{ mode remote; origin rtmp://ann:{MARK}{sign}{MARK}@x/a; }}" for sign in "/#?"),
        *(f"cluster {{ directory redis://ann:{MARK}{sign}{MARK}@x/0; }}" for sign in "/#?"),
        f"cluster {{ directory memcached://:{MARK}@{NEVER}/0; }}",
        f"cluster {{ mode remote; origin rtmp://ann:{MARK}@x/live?token={MARK}; }}",
        f"auth {{ enabled on; key {MARK}; }}",
        f"auth {{ enabled on; key {MARK * 4} {MARK}; }}",
        f"auth {{ enabled on; tencent {MARK}; }}",
        f"auth {{ enabled on; tencent play {MARK} {MARK} {MARK}; }}",
        f"auth {{ enabled on; aliyun a {MARK}; }}",
        f"auth {{ enabled on; jwks ftp://ann:{MARK}@x/?token={MARK}; }}",
        f"auth {{ enabled on; jwks http://ann:{MARK}@x:99999999/?token={MARK}; }}",
    ],
)
def test_a_refused_configuration_is_told_without_its_secrets(block):
    with pytest.raises(ConfigError) as refused:
        compile_runtime(load_text(f"listen 1935; vhost __defaultVhost__ {{ {block} }}"), 1)
    clean(str(refused.value) + "".join(map(str, refused.value.problems)))
    clean(str(Outcome.refused(1, refused.value).as_json()))


@looped
async def test_a_running_server_shows_no_secret(caplog):
    """Nothing that the configuration names can be reached, so that all faults are logged."""
    caplog.set_level(logging.DEBUG, "fastflv")
    recent = RecentLog()
    async with running(API, top=f"{TOP} {VHOSTS}", default=DEFAULT, recent=recent) as caller:
        known = f"Authorization: Basic {basic()}"
        caller.publish()
        pushing = await push(caller.http, "asked.example")
        assert b" 200 " not in await play(caller.http, "localhost")
        assert b" 200 " not in await play(caller.http, "keys.example")
        for name in ("on_play", "on_forward", "forward of", "heartbeat", "directory", "jwks|keys"):
            await until(lambda name=name: re.search(name, caplog.text), 20)
        rows = json.loads((await caller.raw("/api/v1/forwards", known))[2])["forwards"]
        assert rows and rows[0]["destination"].endswith("/app/***")
        asked = 0
        for operation in caller.server.api.table:
            if operation.method == "GET" and "{" not in operation.path:
                for query in (
                    "",
                    "?count=500",
                    f"?vhost={DEFAULT_VHOST}&count=500",
                    "?ended=1",
                    "?vhost=keys.example&count=500",
                ):
                    status, _, body = await caller.raw(operation.path + query, known)
                    assert status in (200, 301, 401, 503), operation.path
                    clean(body.decode())
                asked += 1
        assert asked > 25
        pushing.close()
        ports = (caller.rtmp, caller.http, caller.api)
        text = CONF.format(*ports, more=API, top=f"{TOP} {VHOSTS}", default=DEFAULT)
        caller.server.reload(load_text(text.replace(MARK, f"{MARK}9")))
    assert "reload: <text>:7: heartbeat.url: http://***@" in caplog.text
    clean(caplog.text)


def basic() -> str:
    return base64.b64encode(f"ann:{MARK}".encode()).decode()


async def play(port: int, host: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /live/a.flv HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return head


async def push(port: int, host: str) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /live/b.flv HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode() + b"FLV\x01\x05\0\0\0\x09\0\0\0\0")
    return writer
