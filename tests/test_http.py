"""HTTP connections over a real loopback server: requests as they are read, and every answer in order."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.http import LAST, Echo, ask, looped, request, serving, split
from model.loop import until

from fastflv.net.peer import Peer
from fastflv.protocols.http.crossdomain import NONE
from fastflv.protocols.http.heads import encode_head
from fastflv.protocols.http.message import Request, Response


@looped
async def test_one_connection_serves_one_request_after_the_other():
    async with serving(Echo()) as (port, connection_limit):
        found = split(await ask(port, request("/1"), request("/2?a=b&c"), LAST))
        assert [json.loads(body) for _, _, body in found] == [
            ["GET", "/1", "", ""],
            ["GET", "/2", "a=b&c", ""],
            ["GET", "/last", "", ""],
        ]
        assert [fields["connection"] for _, fields, _ in found] == ["keep-alive", "keep-alive", "close"]
        await until(lambda: not connection_limit.taken)
        assert connection_limit.total == 1


@looped
async def test_pipelined_requests_are_answered_in_order_though_the_first_takes_its_time():
    echo = Echo()
    async with serving(echo) as (port, _):
        asking = asyncio.create_task(ask(port, request("/later") + request("/2") + request("/later") + LAST))
        await echo.asked.wait()
        assert len(echo.seen) == 1
        echo.held[0].respond(Response(body=b"first"))
        await until(lambda: len(echo.held) == 2)
        echo.held[1].respond(Response(body=b"third"))
        bodies = [body for _, _, body in split(await asking)]
        assert bodies[0] == b"first"
        assert bodies[2] == b"third"
        assert json.loads(bodies[3])[1] == "/last"


@looped
async def test_http_1_0_closes_unless_asked_to_keep():
    async with serving(Echo()) as (port, _):
        (found,) = split(await ask(port, request("/1", version="1.0")))
        assert found[1]["connection"] == "close"
        found = split(await ask(port, request("/1", "GET", "Connection: keep-alive", version="1.0"), LAST))
        assert len(found) == 2


@looped
async def test_head_has_the_head_of_get_and_no_body():
    async with serving(Echo()) as (port, _):
        head, got = split(await ask(port, request("/x", "HEAD"), LAST), heads=1)
        assert (head[0], head[2], got[0]) == (200, b"", 200)
        assert int(head[1]["content-length"]) == len('["HEAD","/x","",""]')


@looped
async def test_a_preflight_is_answered_without_the_handler():
    echo = Echo()
    async with serving(echo) as (port, _):
        fields = ("Origin: http://b", "Access-Control-Request-Headers: x-y", "Connection: close")
        ((status, answer, _),) = split(await ask(port, request("/x", "OPTIONS", *fields)))
        assert (status, answer["access-control-allow-origin"], answer["access-control-allow-headers"]) == (
            200,
            "*",
            "x-y",
        )
        assert echo.seen == []


@looped
async def test_caches_are_told_that_answers_depend_on_the_origin():
    async with serving(Echo()) as (port, _):
        for fields in ((), ("Origin: http://b",)):
            ((_, answer, _),) = split(await ask(port, request("/x", "GET", *fields, "Connection: close")))
            assert answer["vary"] == "Origin"
            assert ("access-control-allow-origin" in answer) == bool(fields)


@looped
async def test_without_crossdomain_nothing_is_said_of_origins():
    async with serving(Echo(cross_domain=NONE)) as (port, _):
        found = split(await ask(port, request("/x", "GET", "Origin: http://b"), LAST))
        assert not any(name.startswith("access-control") for name in found[0][1])


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a%20b", "/a b", ""),
        ("/%C3%A9.flv", "/é.flv", ""),
        ("http://host/a?b=c", "/a", "b=c"),
        ("/a?b=c?d", "/a", "b=c?d"),
        ("/a..b", "/a..b", ""),
    ],
)
@looped
async def test_a_target_is_read_as_path_and_query(target, path, query):
    echo = Echo()
    async with serving(echo) as (port, _):
        await ask(port, request(target, "GET", "Connection: close"))
        assert (echo.seen[0].path, echo.seen[0].query) == (path, query)


@looped
async def test_a_body_is_handed_on():
    async with serving(Echo()) as (port, _):
        data = await ask(port, request("/p", "POST", "Content-Length: 3", body=b"abc"), LAST)
        assert json.loads(split(data)[0][2])[3] == "abc"


@looped
async def test_a_head_that_comes_a_byte_at_a_time_is_whole_at_its_end():
    async with serving(Echo()) as (port, _):
        assert len(split(await ask(port, *(bytes([byte]) for byte in LAST)))) == 1


@looped
async def test_a_handler_that_fails_is_a_500_and_the_connection_goes_on():
    async with serving(Echo()) as (port, _):
        assert [found[0] for found in split(await ask(port, request("/fail"), LAST))] == [500, 200]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_arguments_are_those_of_the_query_the_first_of_a_name(value):
    made = Request("GET", "/", f"a=1&a=2&b=&{value}", "1.1", {}, True, Peer("", ""))
    assert made.args["a"] == "1"
    assert made.args["b"] == ""


@pytest.mark.parametrize(
    ("host", "name"),
    [("A.com:80", "a.com"), ("a.com", "a.com"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("", "")],
)
def test_the_host_is_without_port_in_lower_case(host, name):
    assert Request("GET", "/", "", "1.1", {"host": host}, True, Peer("", "")).host == name


def test_a_head_is_lines():
    assert encode_head(404, {"A": "b"}) == b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n"
