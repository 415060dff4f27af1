"""A server that is stopped for longer than any limit, as with its machine: nobody is dropped who would read on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import shortlimits
from flvread import AUDIO, VIDEO
from httppush import HttpPush
from model.ports import free_ports
from player import Player, Recorder, numbers
from publisher import Publisher, film, headers, picture, sound
from rtmpplayer import RtmpPlayer
from server import Server, vhost_text
from tlsfiles import Pair, trusting
from wsclient import WebSocket

LIMITS = (
    "STALL_SECONDS=3",
    "WEBSOCKET_PING_SECONDS=1",
    "WEBSOCKET_SILENCE_SECONDS=2.5",
    "HTTP_IDLE_SECONDS=2",
)
STOP_SECONDS = 8.0
BUFFER = 4096


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """Stop the server's process for STOP_SECONDS."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        until_then = time.monotonic() + STOP_SECONDS
        yield
        time.sleep(max(until_then - time.monotonic(), 0))
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.fixture
def site(tmp_path: Path, pair: Pair) -> Iterator[dict[str, Any]]:
    https, rtmps = free_ports(2)
    cert = f"cert {pair.cert}; key {pair.key};"
    config = vhost_text(
        play="mw_latency 0; on_missing 2; lag_jump 1000; lag_close 3000;",
        publish="normal_timeout 4000; firstpkt_timeout 4000; grace 2;",
        remux="on_missing 2;",
        more="hls { enabled on; hls_fragment 1; }",
    )
    with Server(
        tmp_path,
        config,
        web=f"https {{ enabled on; listen {https}; {cert} }}",
        more=f"rtmps {{ enabled on; listen {rtmps}; {cert} }}",
        program=(shortlimits.__file__, *LIMITS),
    ) as server:
        tls = trusting()
        yield {
            "server": server,
            "HTTP": lambda **more: Player(server.http, "/live/x.flv", **more).head(),
            "HTTPS": lambda **more: Player(https, "/live/x.flv", tls=tls, **more).head(),
            "WS": lambda **more: WebSocket(server.http, "/live/x.flv", **more).frames(1),
            "WSS": lambda **more: WebSocket(https, "/live/x.flv", tls=tls, **more).frames(1),
            "RTMP": lambda **more: RtmpPlayer(server.rtmp, **more).open("x").frames(1),
            "RTMPS": lambda **more: RtmpPlayer(rtmps, tls=tls, **more).open("x").frames(1),
        }


class Film:
    """Pictures of a publisher, 40 ms apart."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.sent = 0
        publisher.tags(headers())
        self.send(1)

    def send(self, count: int, size: int = 500) -> None:
        for _ in range(count):
            body = picture(self.sent, key=self.sent % 10 == 0, size=size)
            self.publisher.tag(VIDEO, 40 * self.sent, body)
            self.publisher.tag(AUDIO, 40 * self.sent + 10, sound(self.sent))
            self.sent += 1

    def go_on(self, seconds: float, enough: Callable[[], bool] = lambda: False, size: int = 500) -> None:
        """At their pace, until that is *enough*."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not enough():
            self.send(1, size)
            time.sleep(0.04)


def test_players_and_publishers_of_a_stopped_server_go_on(site: dict[str, Any]) -> None:
    server: Server = site["server"]
    kinds = [kind for kind in site if kind != "server"]
    with ExitStack() as stack:
        show = Film(stack.enter_context(Publisher(server.rtmp, timeout=60)).publish("x"))
        early = stack.enter_context(Publisher(server.rtmp)).publish("early")
        readers = {kind: Recorder(stack.enter_context(site[kind]())) for kind in kinds}
        full = {kind: stack.enter_context(site[kind](buffer=BUFFER)) for kind in kinds}

        def all_full() -> bool:
            rows = [row for row in server.clients() if not row["publish"]]
            return sum(row["lag_ms"] > 200 for row in rows) >= len(full)

        show.go_on(20, all_full, size=150_000)
        missing = stack.enter_context(Player(server.http, "/live/late.flv"))
        since = len(server.log.lines)
        with stopped(server):
            # The kernel takes what the server cannot read.
            show.go_on(3)
            early.tags([*headers(), *film(5)])
            late = stack.enter_context(HttpPush(server.http, "/live/late.flv")).begin([*headers(), *film(5)])
            readers |= {f"{kind}, full": Recorder(player) for kind, player in full.items()}
        for turn in range(100):
            show.send(1)
            early.tags(film(1, first=5 + turn, start=200 + 40 * turn))
            late.tags(film(1, first=5 + turn, start=200 + 40 * turn))
            time.sleep(0.04)
        assert missing.head().status == 200
        assert {"x", "early", "late"} <= {*server.streams()}
        show.publisher.finish()
        seen = {kind: max(numbers(reader.done(30))) for kind, reader in readers.items()}
    assert seen == dict.fromkeys(seen, show.sent - 1)
    assert not [line for line in server.log.lines[since:] if "stalled" in line or "too slow" in line]
