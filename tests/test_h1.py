"""The reader of HTTP/1.x requests: the same events however the bytes are cut, and a status for any bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fastflv import limits
from fastflv.net.peer import Peer
from fastflv.protocols.http.h1 import END, H1, Refusal
from fastflv.protocols.http.knownheads import KnownHeads
from fastflv.protocols.http.message import Request
from fuzzing.targets.http import STARTS, check, joined, read

PEER = Peer("192.0.2.1", "192.0.2.1", 5)
HOST = "Host: a"


def head(line: str = "GET / HTTP/1.1", *fields: str, host: str | None = HOST) -> bytes:
    lines = [line, *([host] if host is not None else []), *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def one(data: bytes) -> Request | Refusal:
    """Return the only head or refusal in *data*."""
    h1 = H1(PEER)
    h1.feed(data)
    (found,) = [event for event in h1.events if isinstance(event, Request | Refusal)]
    return found


def status(data: bytes) -> int:
    found = one(data)
    assert isinstance(found, Refusal), found
    return found.status


# --- heads ---


def test_a_head_is_method_target_fields_and_peer():
    found = one(head("GET /a%20b?c=d&e HTTP/1.1", "X-A: 1", "x-a: 2"))
    assert (found.method, found.path, found.query, found.version) == ("GET", "/a b", "c=d&e", "1.1")
    assert found.headers == {"host": "a", "x-a": "1"}
    assert (found.peer, found.ip, found.keep_alive, found.length, found.expects) == (
        PEER, "192.0.2.1", True, 0, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "field", "kept"),
    [
        ("GET / HTTP/1.1", "X: y", True),
        ("GET / HTTP/1.1", "Connection: close", False),
        ("GET / HTTP/1.0", "X: y", False),
        ("GET / HTTP/1.0", "Connection: keep-alive", True),
    ],
)
def test_whether_a_connection_may_stay_is_known_at_the_head(line, field, kept):
    assert one(head(line, field)).keep_alive is kept


@pytest.mark.parametrize("value", ["a", "a.example:80", "A_b", "[::1]", "[::1]:8080", "192.0.2.1", " a "])
def test_a_host_is_taken(value):
    assert isinstance(one(head(host=f"Host: {value}")), Request)


@pytest.mark.parametrize(
    "host",
    [None, "Host:", "Host:  ", "Host: a\r\nHost: a", "Host: a\r\nhost: b", "Host: a b", "Host: a/b", "Host: u@a", "Host: [::1",
     "Host: a:b", "Host: :80"],
)  # fmt: skip
def test_a_request_of_http_1_1_without_exactly_one_host_is_400(host):
    assert status(head(host=host)) == 400


def test_http_1_0_needs_no_host_but_has_one_at_most():
    assert isinstance(one(head("GET / HTTP/1.0", host=None)), Request)
    assert status(head("GET / HTTP/1.0", host="Host: a\r\nHost: a")) == 400


def test_the_authority_of_a_target_replaces_the_host():
    assert one(head("GET http://b.example:80/x?y HTTP/1.1")).host == "b.example"


@pytest.mark.parametrize("line", ["GET / HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/1.2", "GET / HTTP/3.7"])
def test_other_versions_are_refused(line):
    assert status(head(line)) in (400, 505)


def test_the_preface_of_http_2_is_505():
    assert status(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505


@pytest.mark.parametrize("method", ["BREW", "get", "DESCRIBE", "PLAY", "X", "GETS", "DELETEX", "!#$"])
def test_an_unknown_method_is_501_with_allow_however_it_is_cut(method):
    data = head(f"{method} /x HTTP/1.1")
    for pieces in ((data,), tuple(bytes([byte]) for byte in data), (data[:3], data[3:]), (b"\r\n", data)):
        h1 = H1(PEER)
        for piece in pieces:
            h1.feed(piece)
        (refusal,) = h1.events
        assert refusal.status == 501
        assert "GET" in refusal.response.headers["Allow"]


def test_an_unknown_method_behind_other_requests_is_501():
    *_, refusal = read(head() * 2 + head("BREW / HTTP/1.1"))
    assert refusal.status == 501


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "PROPFIND"])
def test_a_method_of_http_that_no_resource_takes_is_the_handlers_to_refuse(method):
    assert one(head(f"{method} / HTTP/1.1")).method == method


def test_connect_is_refused():
    assert status(head("CONNECT a:1 HTTP/1.1")) == 501


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01", b"\x03" + bytes(1536), b"hello\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET /\r\n\r\n", b" GET / HTTP/1.1\r\n\r\n", b"BREW\r\n", b"BREW /\r\nHost: a\r\n\r\n",
    ],
)  # fmt: skip
def test_bytes_that_are_no_request_are_refused(data):
    assert status(data) in (400, 505)


# --- framing ---


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("Content-Length: 3", "Transfer-Encoding: chunked"), 400),
        (("Transfer-Encoding: chunked", "Content-Length: 3"), 400),
        (("Content-Length: 3", "Content-Length: 4"), 400),
        (("Content-Length: 3", "Content-Length: 3"), 400),
        (("Content-Length: 3, 3",), 400),
        (("Content-Length: -1",), 400),
        (("Content-Length: +3",), 400),
        (("Content-Length: 0x3",), 400),
        (("Content-Length:",), 400),
        (("Content-Length: 99999999999999999999999",), 400),
        (("Transfer-Encoding: gzip",), 501),
        (("Transfer-Encoding: gzip, chunked",), 501),
        (("Transfer-Encoding: chunked, gzip",), 400),
        (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
        (("Transfer-Encoding: xchunked",), 501),
    ],
)
def test_framing_that_two_readers_could_read_in_two_ways_is_refused(fields, expected):
    assert status(head("POST / HTTP/1.1", *fields) + b"3\r\nabc\r\n0\r\n\r\n") == expected


def test_http_1_0_has_no_chunks():
    assert status(head("POST / HTTP/1.0", "Transfer-Encoding: chunked") + b"0\r\n\r\n") == 400


def test_a_body_of_a_known_length_and_one_of_chunks_end_where_they_say():
    plain = head("POST /1 HTTP/1.1", "Content-Length: 3") + b"abc"
    chunked = (
        head("POST /2 HTTP/1.1", "Transfer-Encoding: Chunked")
        + b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\nHost: b\r\n\r\n"
    )
    first, body, end, second, other, last, third, final = joined(read(plain + chunked + head()))
    assert (first.length, body, end) == (3, b"abc", END)
    # Trailers change nothing of a request that is being answered.
    assert (second.length, other, last, second.headers["host"], "x" in second.headers) == (
        None, b"abc", END, "a", False,
    )  # fmt: skip
    assert (third.length, final) == (0, END)


@pytest.mark.parametrize(
    ("line", "fields", "expects"),
    [
        ("POST / HTTP/1.1", ("Expect: 100-Continue", "Content-Length: 3"), True),
        ("POST / HTTP/1.1", ("Expect: 100-continue", "Transfer-Encoding: chunked"), True),
        ("POST / HTTP/1.1", ("Expect: 100-continue",), False),
        ("POST / HTTP/1.0", ("Expect: 100-continue", "Content-Length: 3"), False),
        ("POST / HTTP/1.1", ("Content-Length: 3",), False),
    ],
)
def test_a_client_expects_100_only_with_a_body_and_http_1_1(line, fields, expects):
    assert one(head(line, *fields)).expects is expects


# --- upgrades ---

UPGRADE = ("Connection: keep-alive, Upgrade", "Upgrade: WebSocket")


def test_input_behind_an_upgrade_waits_for_whoever_takes_it():
    h1 = H1(PEER)
    h1.feed(head("GET / HTTP/1.1", *UPGRADE) + b"\x81")
    h1.feed(b"\x82")
    request, end = h1.events
    assert (request.upgrade, end, h1.upgrading) == ("websocket", END, True)
    assert h1.take_rest() == b"\x81\x82"


def test_an_upgrade_that_is_declined_goes_on_with_http():
    h1 = H1(PEER)
    h1.feed(head("GET /1 HTTP/1.1", *UPGRADE) + head("GET /2 HTTP/1.1"))
    h1.decline_upgrade()
    assert [event.path for event in h1.events if isinstance(event, Request)] == ["/1", "/2"]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("GET / HTTP/1.1", ("Connection: Upgrade", "Upgrade: h2c")),
        ("GET / HTTP/1.0", UPGRADE),
        ("POST / HTTP/1.1", UPGRADE),
        ("GET / HTTP/1.1", ("Upgrade: websocket",)),
    ],
)
def test_other_upgrades_are_ignored(line, fields):
    h1 = H1(PEER)
    h1.feed(head(line, *fields))
    assert (h1.upgrading, h1.events[0].upgrade) == (False, "")


@pytest.mark.parametrize("cut", range(0, 20, 3))
def test_the_body_of_a_request_whose_upgrade_is_ignored_is_no_request(cut):
    smuggled = head("DELETE /secret HTTP/1.1")
    plain = head("POST / HTTP/1.1", *UPGRADE, f"Content-Length: {len(smuggled)}") + smuggled
    chunked = head("POST / HTTP/1.1", *UPGRADE, "Transfer-Encoding: chunked")
    chunked += b"%x\r\n" % len(smuggled) + smuggled + b"\r\n0\r\n\r\n"
    for message in (plain, chunked):
        data = message + head("GET /next HTTP/1.1")
        events = joined(read(data[: len(data) - 60 + cut], data[len(data) - 60 + cut :]))
        assert [event.path for event in events if isinstance(event, Request)] == ["/", "/next"]
        assert smuggled in events


# --- bounds ---


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nX", b"\r\n", b"BREW /",
        head("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"0\r\nX: ",
        head("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\nX: ",
        head("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"3;x=",
    ],
    ids=["target", "value", "name", "empty lines", "unknown method", "trailer", "trailer behind a body", "chunk extension"],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 1000, limits.HTTP_READ_BYTES])
def test_what_has_no_end_is_refused_before_it_takes_memory(begin, step):
    h1 = H1(PEER)
    h1.feed(begin)
    filler = b"\r\n" if begin == b"\r\n" else b"y"
    taken = 0
    while not h1.failed:
        h1.feed((filler * step)[:step])
        taken += step
        assert taken <= limits.HTTP_HEAD_BYTES_MAX + 2 * limits.HTTP_READ_BYTES
    assert h1.events[-1].status == 431


def test_many_trailers_are_refused():
    h1 = H1(PEER)
    h1.feed(head("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"0\r\n")
    for number in range(10_000):
        h1.feed(b"X-%d: y\r\n" % number)
    assert h1.events[-1].status == 431


def test_the_count_of_fields_is_bounded():
    fields = [f"X-{number}: y" for number in range(limits.HTTP_FIELDS_MAX)]
    assert isinstance(one(head("GET / HTTP/1.1", *fields[1:])), Request)
    assert status(head("GET / HTTP/1.1", *fields)) == 431


def test_a_long_body_of_short_chunks_is_no_endless_head():
    h1 = H1(PEER)
    h1.feed(head("POST / HTTP/1.1", "Transfer-Encoding: chunked"))
    for _ in range(1000):
        h1.feed(b"1\r\na\r\n" * 100)
    assert not h1.failed
    assert sum(len(event) for event in h1.events if isinstance(event, bytes)) == 100_000


# --- any bytes ---

FIELD = st.sampled_from(
    [HOST, "Content-Length: 3", "Transfer-Encoding: chunked", "Connection: close", "Expect: 100-continue", "X: y", *UPGRADE]
)  # fmt: skip
LINE = st.sampled_from(
    ["GET / HTTP/1.1", "POST /a HTTP/1.1", "PUT /b HTTP/1.0", "BREW / HTTP/1.1", "PATCH / HTTP/1.1"]
)
PIECE = st.one_of(
    st.builds(lambda line, fields: head(line, *fields), LINE, st.lists(FIELD, max_size=3)),
    st.sampled_from([b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n\r\n", b"\r\n"]),
    st.binary(max_size=8),
)


@settings(max_examples=400)
@given(st.lists(PIECE, max_size=4).map(b"".join), st.lists(st.integers(0, 400), max_size=6))
@example(head("GET / HTTP/1.1", HOST, "Content-Length: 3") + b"abcabc" + head("GET / HTTP/1.1", HOST), [47])
def test_events_do_not_depend_on_how_the_bytes_are_cut(data, cuts):
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    whole, cut = joined(read(data)), joined(read(*pieces))
    statuses = {
        tuple(event.status for event in events if isinstance(event, Refusal)) for events in (whole, cut)
    }
    if len(statuses) == 2 and statuses <= {(400,), (501,), ()}:
        # Behind other messages, a line that looks like a request line may be taken for the one that was refused.
        whole, cut = (
            [event for event in events if not isinstance(event, Refusal)] for events in (whole, cut)
        )
        assert END in whole
    assert whole == cut


@settings(max_examples=400)
@given(st.one_of(st.binary(max_size=200), st.lists(PIECE, max_size=4).map(b"".join)))
def test_any_bytes_are_events_or_a_refusal_with_a_status(data):
    check(data)


def test_starts_of_the_fuzzer_are_read():
    assert all(not any(isinstance(event, Refusal) for event in read(start)) for start in STARTS)


# --- heads that were read before ---


@pytest.fixture
def known(monkeypatch):
    heads = KnownHeads()
    monkeypatch.setattr("fastflv.protocols.http.h1.KNOWN", heads)
    return heads


class Never(KnownHeads):
    """Knows nothing: each input is parsed."""

    def find(self, data):
        return None


def of_connection(pieces: list[bytes]) -> list[object]:
    """Return the events of a connection, each read of which is one of *pieces*."""
    h1 = H1(PEER)
    for piece in pieces:
        h1.feed(piece)
    return list(h1.events)


READ = st.one_of(
    st.builds(lambda line, fields: head(line, *fields), LINE, st.lists(FIELD, max_size=2)),
    st.sampled_from([
        head(), head("HEAD /b HTTP/1.1"), head("GET / HTTP/1.0"), head("GET / HTTP/1.1", "Connection: close"), head() * 2,
        head()[:9], head("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c"),
        head("GET / HTTP/1.0", "Connection: Upgrade", "Upgrade: h2c"), head()[9:], b"\r\n" + head(), head() + b"\r\n", head() + b"G", b"ET / HTTP/1.1\r\nHost: a\r\n\r\n", b"abc",
    ]),
)  # fmt: skip


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(READ, max_size=4), min_size=1, max_size=5))
def test_a_head_that_another_connection_has_sent_changes_no_event(monkeypatch, connections):
    monkeypatch.setattr("fastflv.protocols.http.h1.KNOWN", Never())
    parsed = [of_connection(pieces) for pieces in connections]
    monkeypatch.setattr("fastflv.protocols.http.h1.KNOWN", KnownHeads())
    # Twice: the second time all are known that may be.
    for _ in range(2):
        assert [of_connection(pieces) for pieces in connections] == parsed


def test_a_head_that_was_read_before_needs_no_parser_and_has_its_own_peer_and_fields(known, monkeypatch):
    data = head("GET /live/a.flv?x=1 HTTP/1.1", "X-A: 1")
    first = one(data)
    first.headers["x-a"] = "changed"
    first.move("/elsewhere", "y=2")
    monkeypatch.setattr("httptools.HttpRequestParser", None)
    other = Peer("192.0.2.2", "192.0.2.2", 6)
    h1 = H1(other)
    for _ in range(2):
        h1.feed(data)
    second, end, third, _ = h1.events
    assert end is END and second == third
    assert (second.path, second.query, second.headers["x-a"], second.peer) == (
        "/live/a.flv",
        "x=1",
        "1",
        other,
    )


@pytest.mark.parametrize(
    "data",
    [
        head("POST / HTTP/1.1", "Content-Length: 1"),
        head("POST / HTTP/1.1", "Transfer-Encoding: chunked"),
        head("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"),
        head("GET / HTTP/1.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"),
        head("POST / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"),
        head("GET / HTTP/1.0", "Connection: Upgrade", "Upgrade: h2c"),
        head("BREW / HTTP/1.1"),
        head()[:-1],
        head("GET / HTTP/1.1", "X-A: " + "x" * limits.HTTP_KNOWN_HEAD_BYTES_MAX),
    ],
)
def test_only_short_whole_heads_of_requests_without_a_body_are_remembered(known, data):
    of_connection([data])
    assert known.find(data) is None


def test_heads_that_are_remembered_are_bounded(known):
    for number in range(5 * limits.HTTP_KNOWN_HEADS_MAX):
        of_connection([head(f"GET /{number} HTTP/1.1")])
        assert len(known) <= limits.HTTP_KNOWN_HEADS_MAX
