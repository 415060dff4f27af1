"""The pages over HTTP: encodings, caching, policy, what gives way to what, and a server without built pages."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from model.http import ask, looped, request, serving, split
from model.settings import BASE

from fastflv.config.load import load_text
from fastflv.config.routes import RouteKind
from fastflv.control.runtime import compile_runtime
from fastflv.net.filepool import FilePool
from fastflv.net.networkset import NetworkSet
from fastflv.protocols.http.crossdomain import NONE
from fastflv.protocols.http.encoding import choose_encoding
from fastflv.protocols.http.message import Response
from fastflv.servers.api.ports import OpenPort
from fastflv.servers.files.server import FileServer
from fastflv.servers.http.router import Router, refuse_path
from fastflv.servers.pages.built import find_built
from fastflv.servers.pages.livestreams import LiveStream
from fastflv.servers.pages.plain import plain_page
from fastflv.servers.pages.policy import policy
from fastflv.servers.pages.server import PageServer

ROOT = Path(__file__).resolve().parent.parent
VHOST = "vhost __defaultVhost__ {{ http_remux {{ enabled on; }} }} "
SEPARATE = (
    VHOST + "http_server {{ enabled on; listen 8080; dir {dir}; {server} }} http_api {{ enabled on; {api} }}"
)
SHARED = (
    VHOST
    + "http_server {{ enabled on; listen 8080; dir {dir}; {server} }} http_api {{ enabled on; listen 8080; {api} }}"
)
SCRIPT = "pages/player-a1b2c3.js"


class Streams:
    """The streams of a server that has one."""

    listed = True

    def find(self, exchange, vhost, found):
        outputs = [{"container": "flv", "path": "/live/one.flv"}]
        found([LiveStream("live", "one", "/live/one", outputs, "", None, None)])

    def answer(self, exchange, vhost):
        def respond(rows):
            exchange.respond(Response.of_json({"streams": [each.url for each in rows]}))

        self.find(exchange, vhost, respond)


@pytest.fixture
def built(tmp_path):
    """A folder as the build writes it."""
    folder = tmp_path / "built"
    files = {
        "index.html": b"root",
        "players/index.html": b"player",
        "console/index.html": b"console",
        SCRIPT: b"script",
    }
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(body))
        path.with_name(f"{path.name}.br").write_bytes(b"br of " + body)
    return folder


@asynccontextmanager
async def site(built, dir, text=SEPARATE, *, server="", api="", on_api=False, ports=()):
    """Serve the pages as a server of *text* does; give what asks for a path. *on_api*: on the port of the API."""
    runtime = compile_runtime(load_text(BASE + text.format(dir=dir, server=server, api=api)), 1)
    files = FileServer(FilePool(asyncio.get_running_loop()))
    pages = PageServer(find_built(built), files, Streams(), lambda: ports)
    handlers = {
        **{
            kind: lambda exchange, match: exchange.respond(Response.of_text(200, match.route.what))
            for kind in RouteKind
        },
        RouteKind.PAGE: pages.handle,
        RouteKind.CONSOLE: pages.console,
        RouteKind.FILES: lambda exchange, match: files.answer(
            exchange, match.folders, lambda: refuse_path(exchange)
        ),
    }
    found = runtime.api_site if on_api else runtime.vhosts["__defaultVhost__"].site
    router = Router(
        lambda host: found,
        handlers,
        cross_domain=lambda kind: NONE,
        trusted=lambda: NetworkSet(("127.0.0.1",)),
    )
    async with serving(router) as (port, _):

        async def get(path, *fields, method="GET"):
            data = await ask(port, request(path, method, *fields, "Connection: close"))
            (answer,) = split(data, method == "HEAD" or data.startswith(b"HTTP/1.1 304"))
            return answer

        yield get


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", ""),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZip;q=0.5, br;q=0", "gzip"),
        ("*", "br"),
        ("br;q=0, *;q=0.1", "gzip"),
        ("*;q=0", ""),
        ("br;q=nonsense", ""),
        ("identity", ""),
    ],
)
def test_the_best_encoding_that_a_client_takes_is_chosen(accepted, chosen):
    assert choose_encoding(accepted, ("br", "gzip")) == chosen


@looped
async def test_a_hashed_file_is_sent_in_each_encoding_and_kept_for_ever(built, tmp_path):
    async with site(built, tmp_path) as get:
        for field, encoding, body in (
            ("X: y", None, b"script"),
            ("Accept-Encoding: gzip", "gzip", gzip.compress(b"script")),
            ("Accept-Encoding: gzip, br", "br", b"br of script"),
        ):
            status, fields, found = await get(f"/{SCRIPT}", field)
            assert (status, fields.get("content-encoding"), found[-4:]) == (200, encoding, body[-4:])
            assert fields["content-type"].startswith("text/javascript")
            assert "immutable" in fields["cache-control"] and "max-age=31536000" in fields["cache-control"]
            assert "Accept-Encoding" in fields["vary"] and "Origin" in fields["vary"]
            assert (await get(f"/{SCRIPT}", field, f"If-None-Match: {fields['etag']}"))[0] == 304
        assert (await get(f"/{SCRIPT}", method="HEAD"))[1]["content-length"] == "6"


@looped
async def test_pages_that_are_replaced_under_a_running_server_stay_what_they_were(built, tmp_path):
    async with site(built, tmp_path) as get:
        before = await get("/players/")
        shutil.rmtree(built)
        (built / "pages").mkdir(parents=True)
        (built / "pages/player-d4e5f6.js").write_bytes(b"newer")
        assert (await get("/players/"))[2] == before[2] == b"player"
        assert (await get("/players/", f"If-None-Match: {before[1]['etag']}"))[0] == 304
        for field, body in (("X: y", b"script"), ("Accept-Encoding: br", b"br of script")):
            assert (await get(f"/{SCRIPT}", field))[2] == body
        assert (await get("/pages/player-d4e5f6.js"))[0] == 404


@looped
async def test_a_page_is_asked_for_again_and_runs_nothing_but_files(built, tmp_path):
    async with site(built, tmp_path) as get:
        for path, body in (
            ("/", b"root"),
            ("/players/", b"player"),
            ("/players/?stream=live/one", b"player"),
        ):
            status, fields, found = await get(path)
            assert (status, found, fields["cache-control"]) == (200, body, "no-cache")
            rules = dict(rule.strip().split(" ", 1) for rule in fields["content-security-policy"].split(";"))
            assert rules["default-src"] == "'none'" and rules["script-src"] == rules["style-src"] == "'self'"
            assert "access-control-allow-origin" not in fields
        assert (await get("/players"))[1]["location"] == "players/"
        assert json.loads((await get("/players/streams.json"))[2]) == {"streams": ["/live/one"]}
        assert (await get("/pages/none.js"))[0] == 404


@looped
async def test_a_file_of_the_operator_goes_before_a_page_and_a_publish_before_what_pages_load(
    built, tmp_path
):
    (tmp_path / "players").mkdir()
    (tmp_path / "players/index.html").write_text("mine")
    async with site(built, tmp_path) as get:
        assert (await get("/players/"))[2] == b"mine"
        assert (await get("/"))[2] == b"root"
        assert (await get("/pages/x.flv"))[2].startswith(b"mount")


@looped
async def test_the_console_is_where_the_api_is_and_other_ports_lead_there(built, tmp_path):
    api = (OpenPort("API", "", 1985, "http", False, True),)
    local = (OpenPort("API", "127.0.0.1", 1985, "http", False, True),)
    for ports, status, location in ((api, 302, "http://a:1985/console/"), (local, 404, None)):
        async with site(built, tmp_path, ports=ports) as get:
            found, fields, body = await get("/console/", "X-Forwarded-For: 203.0.113.5")
            assert (found, fields.get("location")) == (status, location)
            assert location or b"127.0.0.1:1985" in body
    async with site(built, tmp_path, ports=local) as get:
        assert (await get("/console"))[1]["location"] == "http://a:1985/console/"
    async with site(built, tmp_path, on_api=True) as get:
        assert (await get("/console/"))[2] == b"console"
        assert (await get(f"/{SCRIPT}"))[2] == b"script"
        assert (await get("/"))[2] == b"the API"
    async with site(built, tmp_path, SHARED) as get:
        assert (await get("/console/"))[2] == b"console"
        assert (await get("/players/"))[2] == b"player"


@looped
async def test_pages_and_console_can_be_switched_off(built, tmp_path):
    async with site(built, tmp_path, server="pages off;") as get:
        for path in ("/", "/players/", "/players/streams.json", "/console/", f"/{SCRIPT}"):
            assert (await get(path))[0] == 404, path
    async with site(built, tmp_path, SHARED, server="pages off;") as get:
        assert (await get("/console/"))[2] == b"console"
    async with site(built, tmp_path, SHARED, api="console off;") as get:
        assert (await get("/console/"))[0] == 404
        assert (await get("/players/"))[2] == b"player"
    async with site(built, tmp_path, api="console off;", on_api=True) as get:
        assert (await get("/console/"))[2] == b"the API"


@looped
async def test_without_built_pages_the_root_page_lists_streams_and_says_what_is_missing(tmp_path):
    async with site(tmp_path / "nothing", tmp_path) as get:
        status, fields, body = await get("/")
        assert status == 200 and b'href="/live/one.flv"' in body and b"npm" in body
        assert fields["content-security-policy"] == "default-src 'none'"
        status, _, body = await get("/players/")
        assert status == 404 and b"make pages" in body


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'a"b&c', "ünï"])
def test_names_of_streams_are_escaped_on_the_plain_page(name):
    stream = LiveStream(
        "live", name, f"/live/{name}", [{"container": "flv", "path": f"/live/{name}.flv"}], "", None, None
    )
    text = plain_page([stream], listed=True).body.decode()
    assert set(re.findall(r"<(\w+)", text)) == {"meta", "title", "h1", "h2", "ul", "li", "a", "p"}
    assert "script>alert" not in text.replace("&lt;script&gt;", "")
    assert name not in plain_page([stream], listed=False).body.decode()


def test_a_host_that_is_none_stays_out_of_the_policy():
    assert "evil" not in policy("/", "evil; script-src *")
    assert "http://cam.example:*" in policy("/", "cam.example")
    assert "http://[::1]:*" in policy("/", "::1")
    assert "frame-ancestors *" in policy("/players/", "cam.example")
    assert "frame-ancestors 'self'" in policy("/console/", "cam.example")


def test_the_lock_file_names_no_registry():
    lock = json.loads((ROOT / "console/package-lock.json").read_text())
    assert len(lock["packages"]) > 10
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


@pytest.mark.parametrize("page", ["/players/", "/console/"])
def test_what_a_page_loads_stays_small(page):
    built = find_built()
    if page not in built:
        pytest.skip("the pages are not built: make pages")
    seen, waiting = set(), [page]
    while waiting:
        path = waiting.pop()
        seen.add(path)
        text = built[path].body("").decode(errors="replace")
        # Scripts that are loaded only when they are needed count too.
        named = (other for other in built if other.endswith((".js", ".css")) and Path(other).name in text)
        waiting += [other for other in named if other not in seen and other not in waiting]
    assert len(seen) > 4
    assert sum(len(built[path].body("gzip")) for path in seen) < 350 * 1024
