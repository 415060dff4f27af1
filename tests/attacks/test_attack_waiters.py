"""Thousands who wait for one thing: for one name that nobody publishes, or for nothing. All end, or all begin, at one moment."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from attack import Attack
from publisher import Publisher, film, headers
from server import HOST, MIB, until, vhost_text

from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.control.process import raise_file_limit
from fastflv.media.amf import amf0

WAITERS = 8000
SOURCE = "127.0.0.2"
"Address of those who wait: a reload refuses it, and nobody else."
PATIENT = "on_missing 120;"
COMMAND = 20
IP_BIND_ADDRESS_NO_PORT = 24
"Linux; Python names it from 3.12 on."

Begin = Callable[[Attack, ExitStack], socket.socket]
"Opens one connection that waits."


def connect(port: int, stack: ExitStack, first: bytes = b"") -> socket.socket:
    sock = stack.enter_context(socket.socket())
    sock.settimeout(60)
    # Else each takes a port of its own, though those of connections to another port of the server would do.
    sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind((SOURCE, 0))
    sock.connect((HOST, port))
    if first:
        sock.sendall(first)
    return sock


def by_http(path: str, *fields: str) -> Begin:
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *fields, "", ""]).encode()
    return lambda attack, stack: connect(attack.server.http, stack, head)


def by_rtmp(attack: Attack, stack: ExitStack) -> socket.socket:
    """Say all of a play at once: the server skips what it need not answer first."""

    def command(name: str, *values: object, stream: int = 0) -> bytes:
        return write_message(COMMAND, 0, stream, 3, amf0.encode(name, 1.0, *values), 128)

    said = command("connect", {"app": "live", "tcUrl": f"rtmp://{HOST}/live"})
    said += command("createStream", None) + command("play", None, "absent", stream=1)
    return connect(attack.server.rtmp, stack, b"\x03" + bytes(2 * 1536) + said)


PLAY = by_http("/live/absent.flv")
SOCKET = by_http(
    "/live/absent.flv",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
PLAYERS = {"http": PLAY, "websocket": SOCKET, "rtmp": by_rtmp}
SILENT = {
    "http that asks nothing": lambda attack, stack: connect(attack.server.http, stack),
    "rtmp that says nothing": lambda attack, stack: connect(attack.server.rtmp, stack),
}


def connections(attack: Attack) -> int:
    return int(attack.server.ask("summaries")["data"]["system"]["conn_srs"])


def clients(attack: Attack) -> int:
    """Players of the stream `absent`, and its publisher."""
    row = attack.server.streams().get("absent")
    return int(row["clients"]) if row is not None else 0


def have_left(attack: Attack) -> bool:
    """Whether `absent` has no client: they outlive the row of their stream."""
    listed = attack.server.ask("clients?count=500")["clients"]
    return len(listed) < 500 and all(each["name"] != "absent" for each in listed)


def gather(attack: Attack, stack: ExitStack, begin: Begin, least: int = WAITERS) -> None:
    """Have WAITERS connections wait, *least* of them at one time."""
    raise_file_limit()
    before = connections(attack)
    for _ in range(WAITERS):
        begin(attack, stack)
    until(lambda: connections(attack) >= before + least, "all connected", 60)


def begin_all(attack: Attack, stack: ExitStack) -> Publisher:
    """Publish what all wait for, and wait until all play. Nothing more is published: the stream ends within seconds."""
    publisher = stack.enter_context(Publisher(attack.server.rtmp)).publish("absent")
    publisher.tags(headers())
    publisher.tags(film(5))
    until(lambda: clients(attack) == WAITERS + 1, "all play", 60)
    return publisher


def start(under_attack: Callable[..., Attack]) -> Attack:
    hls = "hls { enabled on; }"
    vhost = vhost_text(remux=PATIENT, play=f"mw_latency 0; {PATIENT}", more=hls)
    return under_attack(vhost, connections=WAITERS + 1000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "begin",
    [*PLAYERS.values(), by_http("/live/absent.m3u8"), *SILENT.values()],
    ids=[*PLAYERS, "hls", *SILENT],
)
def test_waiters_that_leave_at_once_hold_up_nobody(under_attack: Callable[..., Attack], begin: Begin) -> None:
    attack = start(under_attack)
    before = connections(attack)
    with ExitStack() as stack:
        # Who says nothing has ten seconds, which those who came first may have used up.
        gather(attack, stack, begin, WAITERS // 2 if begin in SILENT.values() else WAITERS)
        with attack.measured():
            stack.close()
            until(lambda: connections(attack) <= before, "all left", 60)
    attack.check_delay()
    attack.check_memory(peak=20 * MIB)


@pytest.mark.slow
@pytest.mark.parametrize("begin", PLAYERS.values(), ids=PLAYERS)
def test_waiters_of_one_name_that_begin_at_once_hold_up_nobody(
    under_attack: Callable[..., Attack], begin: Begin
) -> None:
    attack = start(under_attack)
    with ExitStack() as stack:
        gather(attack, stack, begin)
        with attack.measured():
            begin_all(attack, stack)
    attack.check_delay()


@pytest.mark.slow
@pytest.mark.parametrize("begin", PLAYERS.values(), ids=PLAYERS)
def test_players_whose_stream_ends_hold_up_nobody(under_attack: Callable[..., Attack], begin: Begin) -> None:
    attack = start(under_attack)
    with ExitStack() as stack:
        gather(attack, stack, begin)
        publisher = begin_all(attack, stack)
        with attack.measured():
            publisher.close()
            until(lambda: have_left(attack), "all left", 60)
    attack.check_delay()


@pytest.mark.slow
@pytest.mark.parametrize("begin", PLAYERS.values(), ids=PLAYERS)
def test_players_that_a_reload_refuses_hold_up_nobody(
    under_attack: Callable[..., Attack], begin: Begin
) -> None:
    attack = start(under_attack)
    file = attack.server.file
    with ExitStack() as stack:
        gather(attack, stack, begin)
        begin_all(attack, stack)
        rule = f"security {{ enabled on; deny play {SOURCE}; }} hls"
        file.write_text(file.read_text().replace("hls", rule, 1))
        with attack.measured():
            attack.server.process.send_signal(signal.SIGHUP)
            attack.server.log.wait(f"; {WAITERS} clients are disconnected", timeout=60)
            # The publisher may have been found silent meanwhile.
            until(lambda: clients(attack) <= 1, "all left", 60)
    attack.check_delay()
