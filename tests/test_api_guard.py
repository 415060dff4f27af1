"""What the API answers without a password: to whom, under which name of the server, and to pages of which sites."""

from __future__ import annotations

import base64

import pytest
from model.apisite import looped, running

from fastflv.config.model.webserver import ApiAuth, HttpApi
from fastflv.net.peer import Peer
from fastflv.protocols.http.message import Request
from fastflv.servers.api.guard import ApiGuard
from fastflv.servers.api.recentlog import RecentLog

RAW = "raw_api { enabled on; allow_reload on; }"
AUTH = "auth { enabled on; username ann; password b; }"
KNOWN = f"Authorization: Basic {base64.b64encode(b'ann:b').decode()}"
PROXY = "trusted_proxies 127.0.0.1;"
PRIVATE = [
    "/api/v1/logs", "/api/v1/config", "/api/v1/config/settings", "/api/v1/raw?rpc=reload-plan",
    "/api/v1/raw?rpc=reload-fetch", "/api/v1/raw?rpc=reload", "/api/v1/tokens/revoke",
]  # fmt: skip
OPEN = [
    "/api/v1/versions", "/api/v1/summaries", "/api/v1/vhosts", "/api/v1/streams", "/api/v1/clients", "/metrics",
    "/api/v1/raw?rpc=raw", "/healthz", "/api/v1/openapi.json",
]  # fmt: skip
EVIL = "Origin: http://evil.example:1985"


@pytest.mark.parametrize("path", PRIVATE)
@looped
async def test_what_is_private_is_answered_to_this_machine_alone(path):
    async with running(RAW, top=PROXY, recent=RecentLog()) as caller:
        caller.server.api.raw.reload = caller.server.api.raw.plan = lambda: {"problems": []}
        for fields in (("X-Forwarded-For: 203.0.113.5",), ("X-Forwarded-For: 127.0.0.1, 203.0.113.5",)):
            status, _, body = await caller.raw(path, *fields)
            assert (status, b"http_api { auth" in body) == (403, True)
        assert (await caller.raw(path, "X-Forwarded-For: unknown"))[0] == 403
        assert (await caller.raw(path))[0] == 200


@pytest.mark.parametrize("path", PRIVATE)
@looped
async def test_what_is_private_is_not_answered_behind_a_proxy_of_this_machine_that_is_not_trusted(path):
    async with running(RAW, recent=RecentLog()) as caller:
        for field in (
            "X-Forwarded-For: 203.0.113.5",
            "X-Real-IP: 203.0.113.5",
            "Forwarded: for=x",
            "Via: 1.1 x",
        ):
            assert (await caller.raw(path, field))[0] == 403


@pytest.mark.parametrize("path", PRIVATE)
@looped
async def test_what_is_private_is_answered_under_no_host_name(path):
    async with running(RAW, recent=RecentLog()) as caller:
        caller.server.api.raw.reload = caller.server.api.raw.plan = lambda: {"problems": []}
        for host in ("evil.example", "evil.example:1985", "127.0.0.1.evil.example", "localhost.example"):
            status, _, body = await caller.raw(path, host=host)
            assert (status, b"IP address or localhost" in body) == (403, True)
        for host in ("127.0.0.1", "127.0.0.1:1985", "[::1]:1985", "localhost:1985", "10.0.0.5"):
            assert (await caller.raw(path, host=host))[0] == 200


@looped
async def test_whoever_knows_the_password_reads_what_is_private_from_anywhere():
    async with running(f"{AUTH} {RAW}", top=PROXY, recent=RecentLog()) as caller:
        for path in ("/api/v1/logs", "/api/v1/config", "/api/v1/tokens/revoke"):
            far = "X-Forwarded-For: 203.0.113.5"
            assert (await caller.raw(path, far, KNOWN, host="live.example"))[0] == 200
            assert (await caller.raw(path, far, host="live.example"))[0] == 401


@pytest.mark.parametrize("path", OPEN)
@looped
async def test_what_srs_shows_stays_open(path):
    async with running(RAW, top=PROXY) as caller:
        assert (await caller.raw(path, "X-Forwarded-For: 203.0.113.5", host="srs.example"))[0] == 200


@pytest.mark.parametrize(
    ("fields", "host", "status"),
    [
        ((), "localhost", 200),
        ((), "srs.example", 200),
        (("X-Forwarded-For: 203.0.113.5",), "srs.example", 200),
        (("Origin: http://10.0.0.5:1985",), "10.0.0.5:1985", 200),
        ((EVIL,), "10.0.0.5:1985", 403),
        ((EVIL,), "evil.example:1985", 403),
        (("Origin: null",), "10.0.0.5", 403),
        (("Sec-Fetch-Site: cross-site",), "localhost", 403),
        (("Sec-Fetch-Site: same-site",), "localhost", 403),
        (("Sec-Fetch-Site: same-origin",), "localhost", 200),
        (("Sec-Fetch-Site: same-origin",), "evil.example", 403),
        (("Sec-Fetch-Site: same-origin", "Origin: https://live.example"), "127.0.0.1:1985", 200),
        (("Sec-Fetch-Site: cross-site", "Origin: http://10.0.0.5"), "10.0.0.5", 403),
    ],
)
@looped
async def test_clients_disconnect_and_pages_of_other_sites_do_not(fields, host, status):
    async with running(top=PROXY) as caller:
        caller.publish()
        said = await caller.raw("/api/v1/clients/pub00001", *fields, method="DELETE", host=host)
        assert (said[0], len(caller.dropped)) == (status, status == 200)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/flv/record/start/live/a"),
        ("POST", "/flv/record/stop/live/a"),
        ("DELETE", "/api/v1/recordings/a.flv"),
        ("POST", "/api/v1/tokens/revoke?jti=a"),
        ("DELETE", "/api/v1/tokens/revoke?jti=a"),
        ("DELETE", "/api/v1/streams/a/publisher"),
    ],
)
@looped
async def test_no_page_of_another_site_changes_anything_without_a_password(method, path):
    async with running() as caller:
        for host in ("localhost", "evil.example:1985"):
            assert (await caller.raw(path, EVIL, "Content-Length: 0", method=method, host=host))[0] == 403
        assert (await caller.raw(path, "Content-Length: 0", method=method))[0] != 403


@looped
async def test_a_form_of_another_site_changes_nothing_by_the_password_that_a_browser_knows():
    async with running(AUTH) as caller:
        path, more = "/api/v1/tokens/revoke?jti=a", ("Content-Length: 0", KNOWN)
        for kind in ("X: y", "Content-Type: text/plain", "Content-Type: multipart/form-data; boundary=x"):
            assert (await caller.raw(path, EVIL, kind, *more, method="POST"))[0] == 403
        assert (await caller.raw(path, EVIL, "Content-Type: application/json", *more, method="POST"))[
            0
        ] == 200
        assert (await caller.raw(path, *more, method="POST"))[0] == 200
        own = ("Origin: https://live.example", "Sec-Fetch-Site: same-origin")
        assert (await caller.raw(path, *own, *more, method="POST"))[0] == 200


@pytest.mark.parametrize(
    ("ip", "socket_ip", "status"),
    [
        ("192.0.2.7", "192.0.2.7", 403),
        ("127.0.0.1", "192.0.2.7", 403),
        ("192.0.2.7", "127.0.0.1", 403),
        ("::1", "::1", 200),
        ("127.0.0.9", "127.0.0.9", 200),
        ("", "", 200),
    ],
)
@looped
async def test_both_ends_of_a_connection_have_to_be_on_this_machine(ip, socket_ip, status):
    async with running() as caller:
        resource = caller.server.api.table.find("/api/v1/config")
        request = Request(
            "GET", "/api/v1/config", "", "1.1", {"host": "localhost"}, True, Peer(ip, socket_ip)
        )
        said = ApiGuard(HttpApi).refusal(request, resource.operation("GET"))
        assert (said.status if said is not None else 200) == status
        known = ApiGuard(lambda: HttpApi(auth=ApiAuth(True, "ann", "b"))).refusal(
            request, resource.operation("GET")
        )
        assert known.status == 401


@looped
async def test_each_operation_that_changes_something_or_is_private_is_known_here():
    """A new operation is put in a class by whoever adds it."""
    async with running() as caller:
        private = {each.path for each in caller.server.api.table if each.private is not None}
        assert private == {path.partition("?")[0] for path in PRIVATE}
        changing = {
            (each.method, each.path)
            for each in caller.server.api.table
            if each.changes and each.private is None
        }
        assert changing == {
            ("DELETE", "/api/v1/clients"), ("DELETE", "/api/v1/clients/{id}"),
            ("DELETE", "/api/v1/streams/{id}/publisher"), ("DELETE", "/api/v1/recordings/{id*}"),
            ("POST", "/flv/record/start/{stream*}"), ("POST", "/flv/record/stop/{stream*}"),
        }  # fmt: skip
