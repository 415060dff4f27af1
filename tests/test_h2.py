"""HTTP/2 without a socket: requests and bodies that are read, rules, and bounds on what costs a client nothing."""

from __future__ import annotations

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from model.h2peer import H2Peer

from fastflv import limits
from fastflv.net.peer import Peer
from fastflv.protocols.http.h2 import H2, PREFACE, Asked, Cancelled, Ended, Opened, Piece

PEER = Peer("192.0.2.1", "192.0.2.1")


class Talk:
    """A server's side and a client that talk to each other; time stands still unless it is told."""

    def __init__(self, **more: int) -> None:
        self.server = H2(PEER)
        self.client = H2Peer(host="a.example.com:8443", **more)
        self.now = 100.0
        self.goaway: GoAwayFrame | None = None
        self.go()
        self.server.events.clear()

    def go(self) -> list[object]:
        """Pass on what both have to say; return what the server read."""
        self.server.feed(self.client.take())
        events = self.read()
        self.client.feed(self.server.take())
        return events

    def send(self, *frames: Frame) -> list[object]:
        """Have the server read *frames* of the test's own, of which the client does not know."""
        self.server.feed(b"".join(frame.serialize() for frame in frames))
        events = self.read()
        for frame in frames_of(self.server.take()):
            if isinstance(frame, GoAwayFrame):
                self.goaway = frame
        return events

    def read(self) -> list[object]:
        while self.server.read(self.now):
            pass
        events = list(self.server.events)
        self.server.events.clear()
        return events

    @property
    def why(self) -> str:
        assert self.server.fault is not None, "nothing is wrong"
        return self.server.fault.why

    def broken(self, why: str, code: ErrorCodes = ErrorCodes.ENHANCE_YOUR_CALM) -> None:
        """The server closes for *why*, and says so."""
        assert why in self.why
        assert self.goaway is not None and self.goaway.error_code == code


def frames_of(data: bytes) -> list[Frame]:
    found = []
    while data:
        frame, size = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + size]))
        found.append(frame)
        data = data[9 + size :]
    return found


def asked(events: list[object]) -> Asked:
    (found,) = [event for event in events if isinstance(event, Asked)]
    return found


def test_a_request_is_read_as_one_of_http1_is():
    talk = Talk()
    stream = talk.client.ask(
        "/live/a%20b.flv?x=1&y=2", "GET", ("User-Agent", "test"), ("cookie", "a=1"), ("cookie", "b=2")
    )
    first, end = talk.go()
    request = asked([first]).request
    assert (request.method, request.path, request.query, request.version) == (
        "GET",
        "/live/a b.flv",
        "x=1&y=2",
        "2",
    )
    assert (request.host, request.length, request.keep_alive, request.upgrade) == (
        "a.example.com",
        0,
        True,
        "",
    )
    assert (request.headers["user-agent"], request.headers["cookie"]) == ("test", "a=1; b=2")
    assert request.peer is PEER and asked([first]).refusal is None
    assert end == Ended(stream)


def test_a_body_comes_in_pieces_and_its_window_opens_when_it_is_taken():
    talk = Talk()
    stream = talk.client.ask("/", "POST", ("content-length", "30000"), body=b"a" * 16384, end=False)
    assert asked(talk.go()).request.length == 30000
    talk.client.conn.send_data(stream, b"b" * 13616, end_stream=True)
    piece, end = talk.go()
    assert piece == Piece(stream, b"b" * 13616, 13616) and end == Ended(stream)
    room = talk.client.conn.local_flow_control_window
    other = talk.client.ask("/", "POST", body=b"", end=False)
    talk.go()
    sent = 0
    while room(other) and sent < limits.HTTP2_STREAM_WINDOW:
        talk.client.conn.send_data(other, bytes(min(16384, room(other))))
        sent += 16384
        talk.go()
    assert room(other) == 0
    talk.server.taken(other, limits.HTTP2_STREAM_WINDOW)
    talk.go()
    assert room(other) == limits.HTTP2_STREAM_WINDOW


def test_an_answer_is_sent_within_the_windows_and_ends():
    talk = Talk(window=20000)
    stream = talk.client.ask()
    talk.go()
    talk.client.held.add(stream)
    talk.server.send_head(stream, [(":status", "200"), ("content-type", "video/x-flv")])
    assert talk.server.window(stream) == 20000
    talk.server.send_data(stream, bytes(16384))
    talk.server.send_data(stream, memoryview(bytes(3616)))
    talk.go()
    assert talk.server.window(stream) == 0
    talk.client.release(stream)
    assert Opened(stream) in talk.go()
    talk.server.send_data(stream, b"end", end=True)
    talk.go()
    answer = talk.client.answers[stream]
    assert (answer.status, len(answer.body), answer.ended) == (200, 20003, True)


def test_a_large_window_of_the_client_is_used_from_the_first_request_on():
    talk = Talk(window=6 << 20, connection_window=15 << 20)
    stream = talk.client.ask()
    talk.go()
    assert talk.server.window(stream) == 6 << 20


def test_a_request_that_is_cancelled_is_told_once():
    talk = Talk()
    stream = talk.client.ask()
    talk.go()
    talk.client.conn.reset_stream(stream, ErrorCodes.CANCEL)
    assert talk.go() == [Cancelled(stream)]
    talk.server.reset(stream, ErrorCodes.CANCEL)


@pytest.mark.parametrize(
    ("path", "method", "host", "status"),
    [
        ("/", "GET", "a b", 400),
        ("/", "GET", "user@host", 400),
        ("nothing", "GET", "a", 400),
        ("*", "OPTIONS", "a", 0),
    ],
)
def test_rules_of_requests_are_refused_on_their_stream(path, method, host, status):
    talk = Talk()
    talk.client.ask(path, method, host=host)
    refusal = asked(talk.go()).refusal
    assert (refusal.status if refusal else 0) == status


def test_a_head_with_too_many_fields_or_bytes_is_431_and_the_connection_goes_on():
    talk = Talk()
    talk.client.ask("/", "GET", *[(f"x-{number}", "") for number in range(limits.HTTP_FIELDS_MAX)])
    assert asked(talk.go()).refusal.status == 431
    talk.client.ask("/", "GET", ("x-long", "a" * limits.HTTP_HEAD_BYTES_MAX))
    assert asked(talk.go()).refusal.status == 431
    talk.client.ask()
    assert asked(talk.go()).refusal is None


def test_input_without_the_preface_is_no_http2():
    for text in (b"GET / HTTP/1.1\r\n", PREFACE[:10] + b"x"):
        server = H2(PEER)
        server.feed(text)
        assert not server.read(0.0)
        assert server.fault.why == "no HTTP/2 preface"


def test_input_may_come_byte_by_byte():
    client, server = H2Peer(), H2(PEER)
    client.ask("/a")
    for at in client.take():
        server.feed(bytes([at]))
        while server.read(0.0):
            pass
    assert asked(list(server.events)).request.path == "/a"


# --- what costs a client nothing ---


def head_of(
    talk: Talk, stream: int, *, flags: tuple[str, ...] = ("END_STREAM", "END_HEADERS")
) -> HeadersFrame:
    fields = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")]
    return HeadersFrame(stream, talk.client.conn.encoder.encode(fields), flags=flags)


def test_requests_that_are_cancelled_again_and_again_close_the_connection():
    # CVE-2023-44487.
    talk = Talk()
    for number in range(limits.HTTP2_RESETS_BURST + 1):
        assert talk.server.fault is None, f"after {number}"
        stream = 2 * number + 1
        talk.send(head_of(talk, stream), RstStreamFrame(stream, error_code=8))
    talk.broken("requests a second are cancelled")


def test_a_client_that_cancels_slowly_may_go_on():
    talk = Talk()
    for number in range(2 * limits.HTTP2_RESETS_BURST):
        stream = 2 * number + 1
        talk.send(head_of(talk, stream), RstStreamFrame(stream, error_code=8))
        talk.now += 1 / limits.HTTP2_RESETS_PER_SECOND
    assert talk.server.fault is None


def ping() -> Frame:
    return PingFrame(0, b"12345678")


def empty(stream: int = 1) -> Frame:
    return DataFrame(stream, b"")


@pytest.mark.parametrize(
    "frame",
    [
        ping,
        empty,
        lambda: SettingsFrame(0, {3: 100}),
        lambda: PriorityFrame(1, depends_on=3, stream_weight=1),
        lambda: WindowUpdateFrame(0, 1),
        lambda: WindowUpdateFrame(1, 1),
        lambda: ExtensionFrame(0x42, 0),
    ],
    ids=[
        "PING",
        "empty DATA",
        "SETTINGS",
        "PRIORITY",
        "WINDOW_UPDATE",
        "WINDOW_UPDATE of a stream",
        "unknown",
    ],
)
def test_frames_without_request_or_body_are_bounded(frame):
    talk = Talk()
    talk.send(head_of(talk, 1, flags=("END_HEADERS",)))
    sent = 0
    while talk.server.fault is None:
        talk.send(frame())
        sent += 1
    assert limits.HTTP2_CONTROL_BURST * 0.9 < sent <= limits.HTTP2_CONTROL_BURST + 1
    talk.broken("frames a second without request or body")


def test_a_client_may_answer_each_frame_that_it_is_sent():
    talk = Talk()
    talk.send(head_of(talk, 1, flags=("END_HEADERS",)))
    talk.server.send_head(1, [(":status", "200")])
    for _ in range(2 * limits.HTTP2_CONTROL_BURST):
        talk.server.send_data(1, b"media")
        talk.server.take()
        talk.server.feed(WindowUpdateFrame(0, 5).serialize() + WindowUpdateFrame(1, 5).serialize())
        while talk.server.read(talk.now):
            pass
    assert talk.server.fault is None


def test_a_head_in_endless_continuations_closes_the_connection():
    talk = Talk()
    talk.send(head_of(talk, 1, flags=()))
    for _ in range(limits.HTTP2_CONTINUATIONS_MAX):
        talk.send(ContinuationFrame(1, b""))
    assert talk.server.fault is None
    talk.send(ContinuationFrame(1, b""))
    talk.broken("request head too large")


def test_a_head_that_unpacks_to_more_than_its_bound_closes_the_connection():
    talk = Talk()
    fields = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")]
    encoder = talk.client.conn.encoder
    # The long field is sent once, and named by its index from then on.
    bomb = encoder.encode([*fields, *[("x", "a" * 3000)] * 30])
    assert len(bomb) < 4000
    talk.send(HeadersFrame(1, bomb, flags=("END_STREAM", "END_HEADERS")))
    assert talk.server.fault is not None


def test_long_frames_are_refused_by_their_header_alone():
    for kind, length in ((0, limits.HTTP2_FRAME_BYTES + 1), (4, limits.HTTP2_SETTINGS_BYTES_MAX + 1)):
        talk = Talk()
        talk.server.feed(length.to_bytes(3, "big") + bytes([kind, 0, 0, 0, 0, 1]))
        talk.send()
        talk.broken(f"a frame of {length} bytes", ErrorCodes.FRAME_SIZE_ERROR)


def test_more_streams_than_offered_close_the_connection():
    talk = Talk()
    for number in range(limits.HTTP2_STREAMS_MAX):
        talk.send(head_of(talk, 2 * number + 1))
    assert talk.server.fault is None
    talk.send(head_of(talk, 2 * limits.HTTP2_STREAMS_MAX + 1))
    assert "Max inbound streams" in talk.why


def test_frames_for_streams_that_ended_long_ago_are_no_fault():
    talk = Talk()
    for number in range(limits.HTTP2_CLOSED_STREAMS + 10):
        stream = 2 * number + 1
        talk.send(head_of(talk, stream))
        talk.server.send_head(stream, [(":status", "204")], end=True)
    talk.send(RstStreamFrame(1, error_code=8), WindowUpdateFrame(1, 5), DataFrame(1, b"late"))
    assert talk.server.fault is None


def test_a_table_that_the_client_offers_is_taken_up_to_a_bound():
    talk = Talk()
    talk.client.conn.update_settings({SettingCodes.HEADER_TABLE_SIZE: 1 << 20})
    stream = talk.client.ask()
    talk.go()
    talk.server.send_head(stream, [(":status", "200"), ("x-own", "a")])
    talk.go()
    assert talk.client.answers[stream].fields["x-own"] == "a"
    assert talk.client.conn.decoder.header_table_size == limits.HTTP2_TABLE_BYTES


def test_a_closed_window_that_is_opened_too_far_closes_the_connection():
    talk = Talk()
    talk.send(WindowUpdateFrame(0, 2**31 - 1), WindowUpdateFrame(0, 2**31 - 1))
    assert talk.server.fault is not None


def test_a_server_that_leaves_answers_what_was_asked_and_refuses_what_comes():
    talk = Talk()
    first = talk.client.ask("/first")
    talk.go()
    talk.server.leave()
    # The client has not heard of it.
    late = talk.client.ask("/late")
    assert talk.go() == [Ended(late)]
    assert talk.client.answers[late].reset == ErrorCodes.REFUSED_STREAM
    assert talk.client.goaway.last_stream_id == first
    talk.server.send_head(first, [(":status", "200")])
    talk.server.send_data(first, b"done", end=True)
    assert b"done" in talk.server.take()


def test_a_client_that_leaves_is_sent_what_it_asked_for():
    talk = Talk()
    stream = talk.client.ask()
    talk.go()
    talk.client.conn.close_connection()
    talk.go()
    assert talk.server.leaving and talk.server.fault is None
    talk.server.send_head(stream, [(":status", "200")])
    talk.server.send_data(stream, b"rest", end=True)
    assert b"rest" in talk.server.take()
