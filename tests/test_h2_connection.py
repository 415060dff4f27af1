"""An HTTP/2 connection: streams in turn, each within its windows, ends, silence, and clients that take nothing."""

from __future__ import annotations

import gc
import weakref

import pytest
from h2.errors import ErrorCodes
from model.h2site import H2Site

from fastflv import limits
from fastflv.protocols.http.message import Response

BIG = bytes(range(256)) * 1200
SLOW = 20_000
"Window of a client that is slow, bytes."


class Sink:
    def __init__(self) -> None:
        self.taken = b""
        self.ends: list[bool] = []

    def data(self, chunk: bytes) -> None:
        self.taken += chunk

    def ended(self, whole: bool) -> None:
        self.ends.append(whole)


# --- players side by side ---


def test_a_player_whose_window_is_closed_waits_and_the_others_play_on():
    site = H2Site(window=SLOW)
    slow, slow_answer = site.play("/slow")
    quick, quick_answer = site.play("/quick")
    site.client.held.add(1)
    for _ in range(40):
        for player in (slow, quick):
            if not player.waits:
                player.writer.write(BIG[:1000])
        site.go()
    assert slow.waits and not quick.waits
    assert len(slow_answer.body) == SLOW and len(quick_answer.body) == 40_000
    # No more than the write that did not fit waits for it.
    assert 0 < slow.writer.buffered <= 1000
    site.client.release(1)
    site.go()
    assert not slow.waits and slow.writer.buffered == 0
    assert slow_answer.body == (BIG[:1000] * 21)


def test_what_one_player_hands_over_in_one_turn_is_bounded():
    site = H2Site(window=SLOW)
    player, _ = site.play("/a")
    while not player.waits:
        player.writer.write(BIG[:16_000])
    assert player.writer.buffered <= limits.HTTP2_STREAM_BYTES + 16_000


def test_large_answers_share_the_connection_frame_by_frame():
    site = H2Site()
    first, one = site.ask("/one")
    second, two = site.ask("/two")
    site.client.order.clear()
    first.respond(Response(body=BIG))
    second.respond(Response(body=BIG))
    site.go()
    assert one.body == two.body == BIG and one.ended and two.ended
    assert site.client.order[:10] == [1, 3] * 5


def test_live_media_goes_before_a_file_that_was_there_first():
    site = H2Site()
    answer, _ = site.ask("/large")
    player, _ = site.play("/live")
    site.hold()
    answer.respond(Response(body=BIG))
    site.go()
    player.writer.write(b"picture")
    site.read()
    # What was handed to the socket before goes first.
    assert site.client.order.index(3) == limits.HTTP_TLS_WRITE_BYTES // limits.HTTP2_FRAME_BYTES
    assert site.client.order.count(1) == 19


def test_a_window_of_the_connection_that_is_closed_holds_all_and_loses_nothing():
    site = H2Site(window=1 << 20, connection_window=65_535)
    exchanges = [site.ask(f"/{number}") for number in range(4)]
    site.client.held.update(range(1, 9, 2))
    for exchange, _ in exchanges:
        exchange.respond(Response(body=BIG))
    site.go()
    assert sum(len(answer.body) for _, answer in exchanges) == 65_535
    assert min(len(answer.body) for _, answer in exchanges) >= 15_000
    for stream in range(1, 9, 2):
        site.client.release(stream)
    site.go()
    assert all(answer.body == BIG and answer.ended for _, answer in exchanges)


def test_a_socket_that_takes_nothing_leaves_media_with_its_streams():
    site = H2Site()
    player, answer = site.play("/live")
    site.hold()
    before = len(site.line.wire)
    for _ in range(50):
        if not player.waits:
            player.writer.write(BIG[:10_000])
        site.go()
    assert player.waits
    assert len(site.line.wire) - before < limits.HTTP_TLS_WRITE_BYTES + 1000
    site.read()
    assert not player.waits and len(answer.body) == 20_000


def test_a_client_that_asks_and_reads_nothing_is_read_no_further():
    site = H2Site()
    site.hold()
    for _ in range(200):
        site.client.conn.ping(b"12345678")
        site.go()
    held = len(site.line.wire)
    assert held < 20_000
    site.read()
    assert site.client.pongs == 200


def test_what_a_client_sends_besides_media_waits_for_the_time_of_the_turn():
    site = H2Site()
    exchange, _ = site.ask("/", "POST", end=False, body=b"")
    sink = Sink()
    exchange.read(sink)
    site.go()
    site.turns.busy = True
    for _ in range(3 * limits.HTTP2_FRAMES_FREE):
        site.client.conn.send_data(1, b"a")
    site.client.ask("/asked")
    site.connection.data_received(site.client.take())
    assert len(sink.taken) == limits.HTTP2_FRAMES_FREE
    site.turns.busy = False
    site.loop.turn()
    assert len(sink.taken) == 3 * limits.HTTP2_FRAMES_FREE and "/asked" in site.exchanges


# --- requests and answers ---


def test_a_body_is_held_until_it_is_read_and_its_client_waits_for_its_window():
    site = H2Site()
    exchange, answer = site.ask("/", "POST", end=False, body=b"")
    room = site.client.conn.local_flow_control_window
    while room(1) >= 16_384:
        site.client.conn.send_data(1, bytes(16_384))
        site.go()
    sink = Sink()
    exchange.read(sink)
    assert not sink.taken
    site.go()
    assert len(sink.taken) == limits.HTTP2_STREAM_WINDOW and room(1) > 16_384
    exchange.pause()
    site.client.conn.send_data(1, b"more", end_stream=True)
    site.go()
    assert sink.ends == [] and sink.taken[-4:] == bytes(4)
    exchange.resume()
    site.go()
    assert sink.ends == [True] and sink.taken[-4:] == b"more"
    exchange.respond(Response.of_text(200, "done"))
    site.go()
    assert (answer.status, answer.body, answer.ended) == (200, b"done", True)


def test_an_answer_before_the_end_of_its_request_stops_the_request():
    site = H2Site()
    exchange, answer = site.ask("/", "POST", end=False, body=bytes(10_000))
    exchange.respond(Response.of_text(413, "too large"))
    site.go()
    assert (answer.status, answer.body, answer.reset) == (413, b"too large", ErrorCodes.NO_ERROR)
    # What was not read counts against the connection no more.
    assert site.client.conn.outbound_flow_control_window >= limits.HTTP2_CONNECTION_WINDOW - 10_000
    other, answer = site.ask("/other")
    other.respond(Response())
    site.go()
    assert answer.ended


def test_a_client_that_expects_it_is_told_to_go_on():
    site = H2Site()
    exchange, answer = site.ask("/", "PUT", ("expect", "100-continue"), end=False)
    assert answer.interim == []
    exchange.read(Sink())
    site.go()
    assert answer.interim == [100]


def test_a_request_that_is_cancelled_ends_its_exchange_alone():
    site = H2Site()
    player, _ = site.play("/one")
    other, answer = site.play("/two")
    site.client.conn.reset_stream(1, ErrorCodes.CANCEL)
    site.go()
    assert (player.lost, other.lost) == (1, 0)
    player.writer.write(b"late")
    other.writer.write(b"media")
    site.go()
    assert answer.body == b"media"


def test_a_request_whose_body_is_cut_is_not_whole():
    site = H2Site()
    exchange, _ = site.ask("/", "POST", end=False, body=b"begin")
    sink = Sink()
    exchange.read(sink)
    site.go()
    site.client.conn.reset_stream(1, ErrorCodes.CANCEL)
    site.go()
    assert (sink.taken, sink.ends) == (b"begin", [False])


def test_head_is_answered_without_a_body():
    site = H2Site()
    exchange, answer = site.ask("/", "HEAD")
    exchange.respond(Response.of_text(200, "abc"))
    site.go()
    assert (answer.fields["content-length"], answer.body, answer.ended) == ("3", b"", True)


def test_fields_of_one_connection_are_not_sent():
    site = H2Site()
    exchange, answer = site.ask("/")
    exchange.respond(Response(headers={"Connection": "close", "X-Own": "a"}))
    site.go()
    assert "connection" not in answer.fields and answer.fields["x-own"] == "a"


def test_an_answer_that_is_broken_off_is_not_taken_for_whole():
    site = H2Site()
    player, answer = site.play("/")
    player.writer.write(b"begin")
    site.go()
    player.writer.abort()
    site.go()
    assert (answer.body, answer.ended, answer.reset) == (b"begin", False, ErrorCodes.INTERNAL_ERROR)


def test_a_handler_that_fails_answers_500_on_its_stream():
    site = H2Site()
    stream = site.client.ask("/fail")
    site.go()
    assert site.client.answers[stream].status == 500
    other, answer = site.ask("/other")
    other.respond(Response())
    site.go()
    assert answer.status == 200


def test_each_stream_is_a_client_of_its_own():
    site = H2Site()
    ids = {site.ask(f"/{number}")[0].request.peer.id for number in range(3)}
    assert len(ids) == 3


# --- time ---


def test_an_answer_that_takes_nothing_is_given_up_and_the_others_go_on():
    site = H2Site(window=SLOW)
    stuck, answer = site.ask("/stuck")
    site.client.held.add(1)
    lost = []
    stuck.on_lost = lambda: lost.append(1)
    writer = stuck.respond_stream(Response())
    writer.write(BIG)
    player, media = site.play("/live")
    site.pass_time(limits.HTTP_IDLE_SECONDS - 1)
    assert answer.reset is None
    site.pass_time(2)
    assert answer.reset == ErrorCodes.CANCEL and lost == [1]
    player.writer.write(b"media")
    site.go()
    assert media.body == b"media"


def test_the_rest_of_a_live_answer_that_nobody_takes_is_given_up():
    site = H2Site(window=SLOW)
    player, answer = site.play("/live")
    site.client.held.add(1)
    player.writer.write(BIG[: SLOW + 5000])
    site.go()
    assert player.waits
    player.writer.end()
    site.pass_time(limits.HTTP_IDLE_SECONDS + 1)
    assert answer.reset == ErrorCodes.CANCEL and len(answer.body) == SLOW


def test_a_slow_answer_that_takes_something_goes_on():
    site = H2Site(window=SLOW)
    exchange, answer = site.ask("/slow")
    site.client.held.add(1)
    exchange.respond(Response(body=BIG))
    site.go()
    for _ in range(20):
        site.pass_time(limits.HTTP_IDLE_SECONDS - 1)
        site.client.conn.increment_flow_control_window(1000, 1)
        site.go()
    assert answer.reset is None and len(answer.body) == SLOW + 20_000


def test_a_body_that_does_not_come_is_given_up():
    site = H2Site()
    exchange, answer = site.ask("/", "POST", end=False, body=b"")
    sink = Sink()
    exchange.read(sink)
    site.pass_time(limits.HTTP_IDLE_SECONDS + 1)
    assert answer.reset == ErrorCodes.CANCEL and sink.ends == [False]


@pytest.mark.parametrize(
    ("asked", "seconds"), [(False, limits.HTTP_IDLE_SECONDS), (True, limits.HTTP_KEEP_SECONDS)]
)
def test_a_connection_without_requests_is_closed_with_a_goaway(asked, seconds):
    site = H2Site()
    if asked:
        site.ask("/")[0].respond(Response())
        site.go()
    site.pass_time(seconds - 1)
    assert not site.line.gone
    site.pass_time(2)
    assert site.line.gone == "closed"
    assert site.client.goaway.error_code == ErrorCodes.NO_ERROR
    site.lose()
    assert site.limit.taken == 0


def test_a_silent_client_is_asked_and_one_that_answers_stays():
    site = H2Site()
    player, _ = site.play("/live")
    for _ in range(10):
        site.pass_time(limits.HTTP2_PING_SECONDS)
    assert not site.line.gone and player.lost == 0


def test_a_client_that_answers_no_ping_is_gone():
    site = H2Site()
    player, _ = site.play("/live")
    site.loop.advance(limits.HTTP2_SILENCE_SECONDS + 1)
    assert site.line.gone == "aborted"
    site.lose()
    assert player.lost == 1 and site.limit.taken == 0


# --- ends ---


def test_a_server_that_leaves_says_so_and_closes_behind_the_last_answer():
    site = H2Site()
    player, answer = site.play("/live")
    site.connection.leave()
    site.go()
    assert site.client.goaway.error_code == ErrorCodes.NO_ERROR and not site.line.gone
    player.writer.write(b"last")
    player.writer.end()
    site.go()
    assert (answer.body, answer.ended, site.line.gone) == (b"last", True, "closed")


def test_a_lost_connection_ends_each_exchange_once():
    site = H2Site()
    players = [site.play(f"/{number}")[0] for number in range(3)]
    exchange, _ = site.ask("/body", "POST", end=False, body=b"a")
    sink = Sink()
    exchange.read(sink)
    site.go()
    site.lose()
    assert [player.lost for player in players] == [1, 1, 1]
    assert sink.ends == [False] and site.limit.taken == 0
    for player in players:
        player.writer.write(b"late")
        player.writer.end()
    site.loop.turn()


def test_a_client_that_breaks_a_bound_is_closed_with_one_reason(caplog):
    caplog.set_level("INFO")
    site = H2Site()
    player, _ = site.play("/live")
    for _ in range(3 * limits.HTTP2_CONTROL_BURST):
        site.client.conn.ping(b"12345678")
    site.connection.data_received(site.client.take())
    site.loop.turn()
    assert site.line.gone == "closed" and player.lost == 1
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and "frames a second without request or body" in said[0]
    site.connection.data_received(b"more")
    site.lose()
    assert site.limit.taken == 0 and len(caplog.records) == 1


def test_nothing_stays_behind_a_connection():
    site = H2Site(window=SLOW)
    site.play("/live")[0].writer.write(BIG)
    site.ask("/", "POST", end=False, body=b"a")
    site.ask("/file")[0].respond(Response(body=BIG))
    site.go()
    site.lose()
    assert not site.loop.timers


def test_a_connection_that_is_over_is_freed_at_once():
    site = H2Site(window=SLOW)
    player, _ = site.play("/live")
    player.writer.write(BIG)
    site.ask("/", "POST", end=False, body=b"a")[0].read(Sink())
    site.ask("/large")[0].respond(Response(body=BIG))
    site.go()
    freed = weakref.ref(site.connection)
    gc.disable()
    try:
        site.lose()
        site.exchanges.clear()
        del player, site.connection, site.line.owner
        assert freed() is None
    finally:
        gc.enable()
