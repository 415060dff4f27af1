"""`limits { }`: what is counted, refused and closed, and with what words."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.access import request
from model.apisite import NAME, gop, looped, running
from model.tokens import SECRET, token
from test_metrics import scrape_until

from fastflv import limits
from fastflv.access.request import Action
from fastflv.access.tally import Counted, Tally
from fastflv.access.tokenbucket import Buckets
from fastflv.config.load import load_text
from fastflv.config.model.limits import Kind, Scope
from fastflv.errors import ConfigNameError, ConfigValueError
from fastflv.net.ip import network_of
from fastflv.net.peer import Peer
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.meter import Meter

BASE = "listen 1935; vhost __defaultVhost__ {} "


# --- the configuration ---


def test_lines_are_read():
    lines = load_text(
        BASE
        + "limits { accept ip 200; conn ip 10; conn all 5000; req ip 30r/m burst=7; req stream 5r/s; publish all 3;"
        + " send_rate all 1.5g; ingest_rate 20M; }"
    ).limits.lines
    assert [(line.name, line.most, line.burst) for line in lines] == [
        ("accept ip", 200, 0),
        ("conn ip", 10, 0),
        ("conn all", 5000, 0),
        ("req ip", 0.5, 7),
        ("req stream", 5, 5),
        ("publish all", 3, 0),
        ("send_rate all", 1.5e9, 0),
        ("ingest_rate", 20e6, 0),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "conn 10",
        "conn ip",
        "conn ip 0",
        "conn ip 10 20",
        "conn host 10",
        "req ip 10",
        "req ip 10r/h",
        "req ip 10r/s burst=0",
        "req ip 10r/s nodelay",
        "publish stream 1",
        "send_rate all 0",
        "send_rate all 8gb",
        "ingest_rate all 8m",
        "ingest_rate",
    ],
)
def test_a_line_that_is_no_limit_is_an_error_at_its_place_with_a_hint(line):
    with pytest.raises(ConfigValueError) as caught:
        load_text(f"listen 1935;\nvhost a {{ limits {{\n{line}; }} }}", "live.conf")
    assert (caught.value.file, caught.value.line) == ("live.conf", 3)
    assert "write '" in caught.value.hint


def test_connections_are_bounded_for_the_whole_server_alone():
    with pytest.raises(ConfigNameError, match="accept"):
        load_text("listen 1935; vhost a { limits { accept ip 10; } }")
    with pytest.raises(ConfigValueError, match="accept"):
        load_text(BASE + "limits { accept all 10; }")


# --- counting ---


def test_one_network_is_one_address():
    assert network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("2001:db8::1") == network_of("2001:db8::2:3:4") != network_of("2001:db8:0:1::1")
    assert network_of("") == ""


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.integers(0, 5))))
def test_a_tally_counts_who_is_there(steps):
    """Against a plain set."""
    tally, there = Tally(), {}
    tally.count_by([Counted.of("", Kind.CONN, Scope.IP), Counted.of("", Kind.PUBLISH, Scope.IP)], [])
    for ip, publish, number in steps:
        asked = replace(
            request(Action.PUBLISH if publish else Action.PLAY, ip=ip), client_id=f"{ip}{publish}{number}"
        )
        if asked.client_id in there:
            del there[asked.client_id]
            tally.leave(asked.client_id)
        else:
            there[asked.client_id] = asked
            tally.enter(asked)
            tally.enter(asked)
    for ip in "ab":
        of_ip = [each for each in there.values() if each.peer.ip == ip]
        publishers = [each for each in of_ip if each.action is Action.PUBLISH]
        assert tally.count((Counted.of("", Kind.CONN, Scope.IP), ip), "") == len(of_ip)
        assert tally.count((Counted.of("", Kind.PUBLISH, Scope.IP), ip), "") == len(publishers)
        for each in of_ip[:1]:
            assert tally.count((Counted.of("", Kind.CONN, Scope.IP), ip), each.client_id) == len(of_ip) - 1


def test_a_bucket_fills_by_its_rate_up_to_its_burst():
    now = 0.0
    buckets = Buckets(lambda: now)
    for _ in range(3):
        assert buckets.wait("a", 2, 3) == 0
        buckets.take("a", 2, 3)
    assert buckets.wait("a", 2, 3) == pytest.approx(0.5)
    assert buckets.wait("b", 2, 3) == 0
    now = 0.5
    assert buckets.wait("a", 2, 3) == 0
    now = 1000.0
    for _ in range(3):
        buckets.take("a", 2, 3)
    assert buckets.wait("a", 2, 3) > 0


def test_buckets_are_bounded_and_the_key_asked_for_longest_ago_goes():
    buckets = Buckets(lambda: 0.0)
    for number in range(limits.LIMIT_KEYS_MAX + 10):
        buckets.take("kept", 1, 1e9)
        buckets.take(number, 1, 1)
    assert len(buckets) == limits.LIMIT_KEYS_MAX
    assert buckets.wait("kept", 1, 1e9) == 0
    assert buckets.wait(0, 1, 1) == 0, "it was dropped"
    assert buckets.wait(limits.LIMIT_KEYS_MAX + 9, 1, 1) == 1


# --- rates ---


class Line:
    """A client that is sent, or sends, what the test says."""

    sent = received = 0

    def __init__(self):
        self.dropped = []

    def drop(self, reason):
        self.dropped.append(reason)


class Stage:
    """A meter and clients on it."""

    def __init__(self, stream):
        self.clients, self.closed, self.now, self.stream = Clients(), 0, 0.0, stream
        self.meter = Meter(self.clients, self._close)

    def _close(self):
        self.closed += 1

    def client(self, id, action, ip="192.0.2.1"):
        asked = replace(request(action, ip=ip), client_id=id, peer=Peer(ip, ip))
        found = Client(asked, self.stream, Line(), 0.0)
        self.clients.add(found)
        return found.link

    def second(self):
        self.now += 1.0
        list(self.meter.look(self.now))


@looped
async def test_a_rate_is_what_was_sent_lately():
    async with running() as caller:
        caller.publish()
        stage = Stage(caller.server.hub.find(NAME))
        key = (Counted.of("", Kind.SEND_RATE, Scope.IP), "192.0.2.1")
        stage.meter.measure([Counted.of("", Kind.SEND_RATE, Scope.IP)], lambda vhost: 0.0)
        line, other = stage.client("a", Action.PLAY), stage.client("b", Action.PLAY, "192.0.2.2")
        for _ in range(20):
            line.sent += 125_000
            other.sent += 1
            stage.second()
        assert stage.meter.rate_of(key) == pytest.approx(1e6, rel=0.01)
        for _ in range(30):
            stage.second()
        assert stage.meter.rate_of(key) < 1000


@looped
async def test_a_publisher_above_its_rate_is_closed_after_a_while_and_a_burst_is_none():
    async with running() as caller:
        caller.publish()
        stage = Stage(caller.server.hub.find(NAME))
        stage.meter.measure([], lambda vhost: 1e6)
        even, much = stage.client("a", Action.PUBLISH), stage.client("b", Action.PUBLISH)
        even.received = 4 * 125_000
        for second in range(1, 20):
            even.received += 125_000
            much.received += 250_000
            stage.second()
            assert not even.dropped
            if second <= limits.INGEST_BURST_SECONDS:
                assert not much.dropped
        assert much.dropped[0] is EndReason.OVER_RATE
        assert stage.closed == len(much.dropped)


@looped
async def test_two_looks_at_one_moment_are_one():
    async with running() as caller:
        caller.publish()
        stage = Stage(caller.server.hub.find(NAME))
        stage.meter.measure([Counted.of("", Kind.SEND_RATE, Scope.ALL)], lambda vhost: 0.0)
        line = stage.client("a", Action.PLAY)
        for _ in range(20):
            line.sent += 125_000
            stage.second()
            list(stage.meter.look(stage.now))
        rate = stage.meter.rate_of((Counted.of("", Kind.SEND_RATE, Scope.ALL), ""))
        assert rate == pytest.approx(1e6, rel=0.01)


# --- a server ---


async def ask(caller, path="/live/a.flv", source="127.0.0.1"):
    """Ask to play, and stay; return status, headers and the stream to close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.http, local_addr=(source, 0))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), fields, writer


@looped
async def test_one_address_has_so_many_clients_and_a_place_that_is_free_is_given_again():
    async with running(top="limits { conn ip 2; }") as caller:
        feed = caller.publish()
        # The publisher counts.
        gop(caller, feed)
        status, _, first = await ask(caller)
        assert status == 200
        status, fields, _ = await ask(caller)
        assert (status, fields["retry-after"]) == (429, str(int(limits.LIMIT_RETRY_SECONDS)))
        first.close()
        while len(caller.server.clients) > 1:
            gop(caller, feed)
            await asyncio.sleep(0.05)
        assert (await ask(caller))[0] == 200
        await scrape_until(caller, lambda found: found.get('fastflv_limited_total{limit="conn ip"}') == 1)


@looped
async def test_one_address_has_so_many_connections_whatever_they_ask_for():
    top = "limits { accept ip 3; } trusted_proxies 127.0.0.9;"
    async with running(top=top) as caller:
        limit = caller.server.connection_limit

        async def connect(source: str = "127.0.0.1"):
            return await asyncio.open_connection("127.0.0.1", caller.http, local_addr=(source, 0))

        async def refused(source: str = "127.0.0.1") -> bool:
            reader, writer = await connect(source)
            try:
                writer.write(b"GET /crossdomain.xml HTTP/1.1\r\nHost: a\r\n\r\n")
                return not await reader.read(1)
            except ConnectionError:
                return True
            finally:
                writer.close()

        idle = [await connect() for _ in range(3)]
        while limit.taken < 3:
            await asyncio.sleep(0.01)
        assert await refused()
        assert not await refused("127.0.0.2"), "another address"
        for _ in range(5):
            kept = await connect("127.0.0.9")
            idle.append(kept)
        assert not await refused("127.0.0.9"), "a proxy"
        found = await scrape_until(
            caller, lambda found: found.get('fastflv_limited_total{limit="accept ip"}') == 1
        )
        assert found["fastflv_connections_refused_total"] == 0
        for _, writer in idle:
            writer.close()
        while limit.taken:
            await asyncio.sleep(0.01)
        assert not await refused()


@looped
async def test_who_waits_for_a_stream_counts():
    async with running(top="limits { conn all 1; }") as caller:
        _, writer = await asyncio.open_connection("127.0.0.1", caller.http)
        writer.write(b"GET /live/absent.flv HTTP/1.1\r\nHost: a\r\n\r\n")
        while not len(caller.server.clients.arrivals):
            await asyncio.sleep(0.01)
        status, fields, _ = await ask(caller, "/live/other.flv")
        assert status == 503 and fields["retry-after"]
        writer.close()
        while len(caller.server.clients.arrivals):
            await asyncio.sleep(0.01)
        gop(caller, caller.publish())


@looped
async def test_requests_a_second_are_bounded_by_address_and_by_stream():
    async with running(default="limits { req ip 1r/m burst=4; req stream 1r/m burst=2; }") as caller:
        gop(caller, caller.publish())
        feed = caller.publish(NAME._replace(stream="b"), "pub2")
        gop(caller, feed)
        caller.server.hub.settle(caller.server.hub.find(NAME._replace(stream="b")), 10_000)
        # What a stream refuses, its address has asked for all the same.
        found = [await ask(caller, path) for path in ("/live/a.flv",) * 3 + ("/live/b.flv",) * 2]
        assert [status for status, _, _ in found] == [200, 200, 503, 200, 429]
        assert 50 < int(found[4][1]["retry-after"]) <= 60


@looped
async def test_an_address_is_bounded_before_its_tokens_are_verified_and_others_are_not_bounded_by_it():
    auth = f"auth {{ enabled on; apply play; key {SECRET}; }}"
    limited = "limits { req ip 1r/m burst=2; req stream 1r/m burst=2; }"
    async with running(default=f"{auth} {limited}") as caller:
        gop(caller, caller.publish())
        answers = [(await ask(caller, "/live/a.flv?token=x.y.z"))[0] for _ in range(4)]
        assert answers == [403, 403, 429, 429]
        # None of them has used up what the stream has for those who may play.
        good = token(path="live/a", exp=int(time.time()) + 60)
        assert (await ask(caller, f"/live/a.flv?token={good}", source="127.0.0.2"))[0] == 200


@looped
async def test_a_reload_counts_those_who_are_there():
    async with running() as caller:
        gop(caller, caller.publish())
        status, _, first = await ask(caller)
        assert status == 200
        before = caller.server.runtime.settings
        server = caller.server
        with_limits = replace(before, limits=load_text(BASE + "limits { conn stream 2; }").limits)
        server.reload(with_limits)
        status, fields, _ = await ask(caller)
        assert (status, "retry-after" in fields) == (503, True)
        assert len(server.clients) == 2, "nobody is disconnected"
        server.reload(before)
        assert (await ask(caller))[0] == 200
        first.close()
