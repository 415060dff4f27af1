"""Players over HTTP/2, many a connection: `h2load URL PLAYERS PLAYERS_A_CONNECTION`.

It speaks as the load client does: prints {"event":"ready",...} when all have media; `begin` and `end` on stdin measure.
Each stream is searched for the stamps of its pictures. A delay ends when the picture was read.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes, Settings

STAMP = re.compile(rb"fastflv-bench-01([0-9a-f]{16})([0-9a-f]{8})")
"native/stamp.h: nanoseconds, number of the picture."
STAMP_BYTES = 40
WINDOW, CONNECTION_WINDOW = 1 << 20, 1 << 24
"Bytes; what Chromium offers is some MB a stream and 15 MB a connection."


@dataclass
class Player:
    """What one stream has brought since `begin`."""

    last: int | None = None
    "Number of its last picture."
    tail: bytes = b""
    "The end of the bytes before: a stamp may be cut."
    size: int = 0
    flowing: bool = False
    gone: bool = False
    missing: int = 0
    repeated: int = 0
    delays: list[float] = field(default_factory=list)

    def clear(self) -> None:
        self.size = self.missing = self.repeated = 0
        self.delays.clear()

    def take(self, data: bytes, now: int) -> None:
        self.flowing = True
        self.size += len(data)
        text = self.tail + data
        end = 0
        for stamp in STAMP.finditer(text):
            end = stamp.end()
            number = int(stamp[2], 16)
            self.delays.append((now - int(stamp[1], 16)) / 1e6)
            if self.last is not None and number != self.last + 1:
                self.missing += max(number - self.last - 1, 0)
                self.repeated += number <= self.last
            self.last = number
        self.tail = text[max(end, len(text) - STAMP_BYTES) :]


class Connection(asyncio.Protocol):
    """One connection, and its players."""

    reads = 0

    def __init__(self, address: str, path: str, players: list[Player]) -> None:
        self._address = address
        self._path = path
        self._players = players
        self._streams: dict[int, Player] = {}
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._h2.local_settings = Settings(
            client=True,
            initial_values={SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: WINDOW},
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - 65535)
        for player in self._players:
            stream = self._h2.get_next_available_stream_id()
            self._streams[stream] = player
            head = [
                (":method", "GET"), (":scheme", "https"), (":authority", self._address), (":path", self._path),
            ]  # fmt: skip
            self._h2.send_headers(stream, head, end_stream=True)
        self._say()

    def data_received(self, data: bytes) -> None:
        Connection.reads += 1
        now = time.monotonic_ns()
        for event in self._h2.receive_data(data):
            if isinstance(event, DataReceived):
                self._streams[event.stream_id].take(event.data, now)
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded | StreamReset):
                self._streams[event.stream_id].gone = True
            elif isinstance(event, ResponseReceived):
                status = dict(event.headers)[":status"]
                if status != "200":
                    print(f"answer {status}", file=sys.stderr)
        self._say()

    def connection_lost(self, exc: Exception | None) -> None:
        for player in self._players:
            player.gone = True

    def _say(self) -> None:
        self._transport.write(self._h2.data_to_send())  # type: ignore[attr-defined]


def figures(players: list[Player], seconds: float, cpu: float) -> dict[str, object]:
    """Return what the load client calls `measured`."""
    delays = sorted(delay for player in players for delay in player.delays) or [0.0]
    shown = {
        "n": len(delays),
        "p50": median(delays),
        "p99": delays[int(0.99 * (len(delays) - 1))],
        "max": delays[-1],
    }
    rates = sorted(player.size * 8 / seconds for player in players)
    there = sum(player.flowing and not player.gone for player in players)
    return {
        "event": "measured",
        "seconds": seconds,
        "client_cpu_percent": 100 * cpu / seconds,
        "crowd": {
            "flowing": there,
            "gone": sum(player.gone for player in players),
            "receives": Connection.reads,
            "rate_min": rates[0],
            "rate_median": median(rates),
        },
        "probe": {
            "players": 0,
            "closed": 0,
            "broken": 0,
            "first_error": "",
            "tls": "",
            "missing": sum(player.missing for player in players),
            "repeated": sum(player.repeated for player in players),
            "unstamped": 0,
            "delay_ms": shown,
            "read_delay_ms": shown,
        },
    }


async def play(url: str, count: int, each: int) -> None:
    """Connect, and follow the commands until stdin ends."""
    loop = asyncio.get_running_loop()
    place = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    players = [Player() for _ in range(count)]
    for first in range(0, count, each):
        some = players[first : first + each]

        def made(some: list[Player] = some) -> Connection:
            return Connection(place.netloc, place.path, some)

        await loop.create_connection(made, place.hostname, place.port, ssl=context)
    while not all(player.flowing for player in players):
        await asyncio.sleep(0.02)
    say({"event": "ready", "players": count})
    began, cpu = time.monotonic(), time.process_time()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        if line.startswith(b"begin"):
            for player in players:
                player.clear()
            Connection.reads = 0
            began, cpu = time.monotonic(), time.process_time()
        else:
            say(figures(players, time.monotonic() - began, time.process_time() - cpu))


def say(event: dict[str, object], write: Callable[[str], object] = print) -> None:
    write(json.dumps(event))
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(play(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
