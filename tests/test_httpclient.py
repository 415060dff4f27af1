"""The HTTP client of hooks: kept connections, a lost one, time-outs, bounds, and certificates."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import time

import pytest
from hookserver import HookServer, Reply
from server import environment
from tlsfiles import make_pair

from fastflv import limits
from fastflv.net.httpclient import HttpClient, url_fault


def run(test):
    async def body():
        client = HttpClient(asyncio.get_running_loop())
        try:
            return await test(client)
        finally:
            await client.close()

    return asyncio.run(body())


@pytest.fixture
def server():
    with HookServer() as made:
        yield made


def test_requests_share_a_connection(server):
    async def test(client):
        for number in range(5):
            assert await client.send("POST", server.url("x"), b"%d" % number) == (200, b"0", "")

    run(test)
    assert [each.body for each in server.told] == [b"0", b"1", b"2", b"3", b"4"]
    assert server.connections == 1


def test_a_kept_connection_that_the_server_closed_is_made_anew(server):
    async def test(client):
        await client.send("POST", server.url("x"), b"1")
        server.drop_idle()
        assert (await client.send("POST", server.url("x"), b"2")).status == 200

    run(test)
    assert server.connections == 2


def test_a_server_that_is_away_or_slow_is_a_fault(server):
    server.replies["/slow"] = Reply(seconds=20)

    async def test(client):
        began = time.monotonic()
        reply = await client.send("POST", server.url("slow"), b"", seconds=0.3)
        assert reply == (0, b"", "no answer within 0.3 s")
        assert time.monotonic() - began < 10
        assert "Cannot connect" in (await client.send("POST", "http://127.0.0.1:1/", b"")).fault

    run(test)


def test_so_much_of_an_answer_is_read(server):
    server.replies["/long"] = Reply(b"x" * 500_000)

    async def test(client):
        reply = await client.send("GET", server.url("long"), most=64)
        assert (reply.status, reply.body) == (200, b"x" * 65)
        assert (await client.send("GET", server.url("x"), most=64)).body == b"0"

    run(test)


def test_redirects_are_an_answer(server):
    server.replies["/moved"] = Reply(b"0", 302)

    async def test(client):
        assert (await client.send("POST", server.url("moved"), b"")).status == 302

    run(test)


def test_more_requests_than_a_server_is_given_are_refused_and_those_of_others_are_not(server, monkeypatch):
    monkeypatch.setattr(limits, "HTTP_CALLS_PER_SERVER", 3)
    server.replies["/slow"] = Reply(seconds=20)

    async def test(client):
        calls = [client.post(server.url("slow"), b"", lambda reply: None) for _ in range(3)]
        assert all(calls)
        assert client.post(server.url("slow"), b"", lambda reply: None) is None
        with HookServer() as other:
            done = asyncio.get_running_loop().create_future()
            assert client.post(other.url("x"), b"", done.set_result) is not None
            assert (await asyncio.wait_for(done, 20)).status == 200
        calls[0].cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        again = asyncio.get_running_loop().create_future()
        assert client.post(server.url("x"), b"", again.set_result) is not None
        assert (await asyncio.wait_for(again, 20)).status == 200

    run(test)


def test_a_certificate_is_verified_by_the_authorities_of_the_environment(tmp_path):
    pair = make_pair(tmp_path, "localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.cert, pair.key)
    with HookServer(tls) as server:

        async def test(client):
            return await client.send("POST", server.url("x"), b"1")

        assert "certificate" in run(test).fault.lower()
        assert server.told == []
        # The environment is read when the library is loaded.
        code = (
            "import asyncio\nfrom fastflv.net.httpclient import HttpClient\n"
            "async def main():\n"
            "    client = HttpClient(asyncio.get_running_loop())\n"
            f"    print((await client.send('POST', '{server.url('x')}', b'1')))\n"
            "    await client.close()\n"
            "asyncio.run(main())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment({"SSL_CERT_FILE": str(pair.cert)}),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "status=200" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8085/x", "ftp://a/x", "http:///x", "http://a:0/x", "http://a:99999/x", "http://[::1/x"],
)
def test_what_is_no_url_of_http_is_said(url):
    assert url_fault(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8085/x", "https://user:word@a.example/[app]/[ts_url][param]"]
)
def test_urls_of_http_are_taken(url):
    assert url_fault(url) == ""
