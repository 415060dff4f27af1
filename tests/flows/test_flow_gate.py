"""The gate before every output and input: the matrix of answers, and what a late answer costs others."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest
from flvread import AUDIO, VIDEO, Tag, flv_file
from gateclients import (
    Client,
    HlsPlayer,
    HttpPlayer,
    HttpPublisher,
    RtmpPublisher,
    RtmpViewer,
    Viewing,
    WebSocketPlayer,
    ask_publish,
    ask_push,
    chunk,
)
from gatesite import CASES, LATE, NOW, Asked, GateSite, gate_site
from player import Player, Recorder, numbers
from publisher import Publisher, picture, silent_headers
from server import MIB, until
from tlsfiles import trusting

from fastflv._ext.ingest.chunkwrite import write_message

Seen = dict[str, str]
"What a client sees by case, as the table shows it."


def seen(media: str, refused: str, unauthorized: str, redirect: str) -> Seen:
    return {
        "allowed": media,
        "refused": refused,
        "unauthorized": unauthorized,
        "late": media,
        "gone": "cancelled",
        "redirect": redirect,
    }


HTTP = seen("200 media", "403 body", "401 body", "302 Location")
WS = seen("101 media", "101 close 3003", "101 close 3000", "302 Location")
PLAY = seen(
    "onStatus media", "onStatus error Play.Failed", "onStatus error Play.Failed", "onStatus error 302"
)
PUBLISH = seen(
    "onStatus media", "onStatus error Publish.Denied", "onStatus error Publish.Denied", "onStatus error 302"
)
PUSH = seen("media", "403 body", "401 body", "302 Location")


class Row(NamedTuple):
    """One output or input."""

    open: Callable[[GateSite, str], Client]
    output: str
    "Kind of client and scheme, as rules see them."

    scheme: str
    expected: Seen


ROWS = {
    "HTTP-FLV": Row(lambda site, case: HttpPlayer(site, case, "http", "flv"), "flv-play", "http", HTTP),
    "HTTPS-FLV": Row(lambda site, case: HttpPlayer(site, case, "https", "flv"), "flv-play", "https", HTTP),
    "WS-FLV": Row(lambda site, case: WebSocketPlayer(site, case, "ws"), "flv-play", "ws", WS),
    "WSS-FLV": Row(lambda site, case: WebSocketPlayer(site, case, "wss"), "flv-play", "wss", WS),
    "HTTP-TS": Row(lambda site, case: HttpPlayer(site, case, "http", "ts"), "ts-play", "http", HTTP),
    "HTTPS-TS": Row(lambda site, case: HttpPlayer(site, case, "https", "ts"), "ts-play", "https", HTTP),
    "HTTP-AAC": Row(lambda site, case: HttpPlayer(site, case, "http", "aac"), "aac-play", "http", HTTP),
    "HTTP-MP3": Row(lambda site, case: HttpPlayer(site, case, "http", "mp3"), "mp3-play", "http", HTTP),
    "HLS over HTTP": Row(lambda site, case: HlsPlayer(site, case, "http"), "hls-play", "http", HTTP),
    "HLS over HTTPS": Row(lambda site, case: HlsPlayer(site, case, "https"), "hls-play", "https", HTTP),
    "RTMP play": Row(lambda site, case: RtmpViewer(site, case, "rtmp"), "rtmp-play", "rtmp", PLAY),
    "RTMPS play": Row(lambda site, case: RtmpViewer(site, case, "rtmps"), "rtmp-play", "rtmps", PLAY),
    "RTMP publish": Row(
        lambda site, case: RtmpPublisher(site, case, "rtmp"), "fmle-publish", "rtmp", PUBLISH
    ),
    "RTMPS publish": Row(
        lambda site, case: RtmpPublisher(site, case, "rtmps"), "fmle-publish", "rtmps", PUBLISH
    ),
    "HTTP push": Row(lambda site, case: HttpPublisher(site, case, "http"), "flv-publish", "http", PUSH),
    "HTTPS push": Row(lambda site, case: HttpPublisher(site, case, "https"), "flv-publish", "https", PUSH),
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[GateSite]:
    with gate_site(tmp_path) as running:
        yield running


# --- the matrix ------------------------------------------------------------------------------


class Matrix:
    """What each row saw in each case."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], str] = {}
        self.wrong: list[str] = []

    def fill(self, label: str, case: str, look: Callable[[], str]) -> None:
        """Run one cell; what fails is shown in its place, and all others go on."""
        try:
            self.cells[label, case] = look()
        except (AssertionError, OSError, LookupError, ValueError):
            self.cells[label, case] = "FAILED"
            self.wrong.append(f"--- {label}, {case}\n{traceback.format_exc()}")

    def text(self) -> str:
        lines = [["", *CASES]]
        lines += [[label, *(self.cells.get((label, case), "MISSING") for case in CASES)] for label in ROWS]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        return "\n".join(
            [padded[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *padded[1:]]
        )

    def check(self) -> None:
        """Every cell is there, and as the row says."""
        assert not self.wrong, "\n".join(self.wrong)
        for label, row in ROWS.items():
            for case in CASES:
                assert (label, case) in self.cells, f"no cell for {label}, {case}"
                cell = self.cells[label, case]
                found, _, after = cell.partition(" after ")
                assert found == row.expected[case], f"{label}, {case}: {cell}"
                assert bool(after) == (case == "late"), f"{label}, {case}: {cell}"


def the_question(site: GateSite, row: Row, client: Client) -> Asked:
    """The only question that the rule was asked about a client."""
    (asked,) = site.rule.of(client.name, row.output, row.scheme)
    assert (asked.request.action.value == "publish") == client.publish
    assert asked.request.peer.ip == "127.0.0.1"
    assert asked.request.peer.secure == (client.tls is not None)
    return asked


def is_listed(site: GateSite, asked: Asked) -> bool:
    """Whether the server lists the client among its clients."""
    return site.ask(lambda: site.server.clients.find(asked.request.client_id) is not None)


def answered_cell(site: GateSite, row: Row, case: str) -> str:
    """One client from its request to its end."""
    began = monotonic()
    client = row.open(site, case)
    try:
        said = client.see()
        taken = monotonic() - began
        asked = the_question(site, row, client)
        assert asked.state == "answered"
        assert is_listed(site, asked) == said.endswith("media"), said
        if case == "late":
            waited = client.heard - began
            assert LATE <= waited <= taken
            said += f" after {waited:.1f} s"
        if said.find("media") >= 0:
            client.end()
        return said
    finally:
        client.close()


def gone_cell(site: GateSite, row: Row, client: Client) -> str:
    """One client that leaves before the answer."""
    until(lambda: site.rule.of(client.name, row.output, row.scheme), "the rule is asked", 10)
    asked = the_question(site, row, client)
    assert asked.state == "waiting" and not is_listed(site, asked)
    taken = site.taken
    client.close()
    until(lambda: asked.state != "waiting", "the rule is told", 10)
    site.wait_taken(taken - 1, "the place is given back")
    assert not is_listed(site, asked)
    return asked.state


def walk_gone(site: GateSite, matrix: Matrix, pool: ThreadPoolExecutor) -> None:
    """All wait together, then one after the other leaves."""
    taken = site.taken
    clients = dict(zip(ROWS, pool.map(lambda row: row.open(site, "gone"), ROWS.values()), strict=True))
    site.wait_taken(taken + len(ROWS), "all wait")
    for label, client in clients.items():
        matrix.fill(label, "gone", lambda: gone_cell(site, ROWS[label], client))  # noqa: B023
        client.close()


def walk(site: GateSite, matrix: Matrix, case: str, pool: ThreadPoolExecutor) -> None:
    """All clients of one case; afterwards nothing of them is left."""
    taken = site.taken
    if case == "gone":
        walk_gone(site, matrix, pool)
    else:

        def look(label: str) -> None:
            matrix.fill(label, case, lambda: answered_cell(site, ROWS[label], case))

        for _ in pool.map(look, ROWS):
            pass
    site.wait_taken(taken, f"{case}: places are given back")
    left = site.ask(lambda: [client.request for client in site.server.clients])
    # A viewer of HLS counts until it has not asked for a while.
    streams = [each.stream for each in left if each.stream.startswith(case) and each.output != "hls-play"]
    assert sorted(streams) == [f"{case}-play-aac", f"{case}-play-mp3"], left


def test_every_output_and_input_gives_the_answer_of_the_gate(site: GateSite) -> None:
    matrix = Matrix()
    try:
        with ThreadPoolExecutor(len(ROWS)) as pool:
            for case in CASES:
                walk(site, matrix, case, pool)
    finally:
        print(f"\n{matrix.text()}", *matrix.wrong, sep="\n")
    matrix.check()


# --- others are not delayed ------------------------------------------------------------------

PLAYERS: dict[str, Callable[[GateSite, str, str], Viewing]] = {
    "HTTP-FLV": lambda site, case, query: HttpPlayer(site, case, "http", "flv", query),
    "HTTPS-FLV": lambda site, case, query: HttpPlayer(site, case, "https", "flv", query),
    "WS-FLV": lambda site, case, query: WebSocketPlayer(site, case, "ws", query),
    "HTTP-TS": lambda site, case, query: HttpPlayer(site, case, "http", "ts", query),
    "HTTP-AAC": lambda site, case, query: HttpPlayer(site, case, "http", "aac", query),
    "HLS": lambda site, case, query: HlsPlayer(site, case, "http", query),
    "RTMP": lambda site, case, query: RtmpViewer(site, case, "rtmp", query),
    "RTMPS": lambda site, case, query: RtmpViewer(site, case, "rtmps", query),
}
EACH = 6
"Requests of each kind that wait."

FIRST_BYTE = 0.5
"Seconds from a request to the first byte."


def first_byte(site: GateSite, open_one: Callable[[GateSite, str, str], Viewing]) -> float:
    """Seconds that a player waits whom the rule allows at once; the best of three, as others use the machine too."""
    best = float("inf")
    for _ in range(3):
        client = open_one(site, "gone", NOW)
        try:
            began = monotonic()
            client.first()
            best = min(best, monotonic() - began)
        finally:
            client.close()
        if best < FIRST_BYTE:
            break
    return best


def test_requests_that_wait_delay_nobody_else(site: GateSite) -> None:
    # The first viewer of HLS waits for the first segment.
    warm = HlsPlayer(site, "gone", "http", NOW)
    assert warm.see() == "200 media"
    warm.close()
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(each, site, "gone", "") for each in PLAYERS.values() for _ in range(EACH)]
        waiting = [future.result(20) for future in made]
    until(lambda: len(site.rule.asked) == len(waiting), "all requests wait", 10)
    try:
        seconds = {label: first_byte(site, each) for label, each in PLAYERS.items()}
        began = monotonic()
        publisher = RtmpPublisher(site, "allowed", "rtmp")
        assert publisher.see() == "onStatus media"
        seconds["RTMP publish to play"] = monotonic() - began
        publisher.end()
        assert {asked.state for asked in site.rule.asked[: len(waiting)]} == {"waiting"}
    finally:
        for client in waiting:
            client.close()
    print({label: f"{value * 1000:.0f} ms" for label, value in seconds.items()})
    assert all(value < FIRST_BYTE for value in seconds.values()), seconds


# --- the input of a publisher that waits -----------------------------------------------------

PICTURES = 400
SENT = [
    *silent_headers(),
    *(Tag(VIDEO, number, picture(number, key=number == 0, size=10_000)) for number in range(PICTURES)),
]
"4 MB of media that spans 0.4 s."

WAITING = 8
"Publishers that send all of it at once."

HELD = 3 * MIB // 2
"Bytes of memory that one of them may cost: input that is held, and buffers of TLS."

SOCKET_BYTES = 65_536
"Asked of the socket buffers at both ends; Linux takes it twice."

PIECE = 16_384
"Bytes that a publisher sends at a time."


def rtmp_bytes(chunk_size: int) -> bytes:
    """The media as chunks of message stream 1."""
    channels = {AUDIO: 4, VIDEO: 6}
    return b"".join(
        write_message(tag.kind, tag.time, 1, channels.get(tag.kind, 5), tag.body, chunk_size) for tag in SENT
    )


def http_bytes() -> bytes:
    """The media as a chunked body with its end."""
    data = flv_file(SENT)
    pieces = [data[at : at + 50_000] for at in range(0, len(data), 50_000)]
    return b"".join(map(chunk, pieces)) + chunk(b"")


def fill(sock: socket.socket, data: memoryview) -> int:
    """Send until the server takes no more for a while; return how many bytes it took."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
    sock.settimeout(0.5)
    at = 0
    try:
        while at < len(data):
            at += sock.send(data[at : at + PIECE])
    except TimeoutError:
        pass
    return at


def resident() -> int:
    """Resident memory of this process, bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def narrow_site(tmp_path: Path) -> Iterator[GateSite]:
    """A server whose sockets buffer little: Linux may take 32 MiB for one."""
    with gate_site(tmp_path, SOCKET_BYTES) as running:
        yield running


class Crowd:
    """Publishers whose requests wait, and the media that each sends."""

    def __init__(self, site: GateSite, scheme: str) -> None:
        self.site = site
        self.names = [f"gone-publish-{number}" for number in range(WAITING)]
        tls = trusting() if scheme in ("rtmps", "https") else None
        port = {"rtmp": site.rtmp, "rtmps": site.rtmps, "http": site.http, "https": site.https}[scheme]
        self.peers: list[Player | Publisher] = []
        if scheme in ("http", "https"):
            self.peers += [ask_push(port, name, tls) for name in self.names]
            self.data = memoryview(http_bytes())
        else:
            publishers = [ask_publish(port, name, tls) for name in self.names]
            self.peers += publishers
            self.data = memoryview(rtmp_bytes(publishers[0].chunk_size))
        until(lambda: len(site.rule.asked) == WAITING, "the rule is asked about all", 10)

    def fill(self) -> list[int]:
        """Send as much as the server takes; return how many bytes that is for each."""
        return [fill(peer.sock, self.data) for peer in self.peers]

    def go_on(self, taken: int) -> None:
        """Allow the first, which sends the rest."""
        self.site.ask(self.site.rule.of(self.names[0])[0].allow)
        first = self.peers[0]
        first.sock.settimeout(20)
        for at in range(taken, len(self.data), PIECE):
            first.sock.sendall(self.data[at : at + PIECE])
        if isinstance(first, Player):
            assert first.text().strip() == "published"

    def leave(self) -> None:
        for peer in self.peers:
            peer.close()
        # A full socket hides its end: the server sees it once it reads on.
        for asked in self.site.rule.asked:
            self.site.ask(lambda: asked.allow() if asked.state == "waiting" else None)  # noqa: B023


@pytest.mark.parametrize("scheme", ["rtmp", "rtmps", "http", "https"])
def test_a_publisher_that_waits_is_not_read_and_loses_nothing(narrow_site: GateSite, scheme: str) -> None:
    site = narrow_site
    crowd = Crowd(site, scheme)
    try:
        before = resident()
        taken = crowd.fill()
        grown = resident() - before
        print(f"{scheme}: {max(taken)} of {len(crowd.data)} bytes taken from each, memory grew by {grown}")
        # Most of what was taken lies in the sockets of both ends.
        assert max(taken) < 2 * MIB, taken
        assert grown < WAITING * HELD
        assert not any(site.entries(name, publish=True) for name in crowd.names)
        viewer = Recorder(Player(site.http, f"/live/{crowd.names[0]}.flv"))
        # Else all may be published and over before its request is read.
        until(lambda: site.ask(lambda: site.server.hub.waiting), "the viewer waits for the stream", 10)
        crowd.go_on(taken[0])
        until(lambda: len(numbers(viewer.player)) == PICTURES, "all pictures", 20)
        assert numbers(viewer.player) == list(range(PICTURES))
    finally:
        crowd.leave()
    viewer.done()
