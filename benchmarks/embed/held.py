"""One measurement: the delay of players while a callback of the program holds its event loop, beside that without."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.embed.trial import Way, published
from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.processes import Talker, running
from benchmarks.fanout.session import GOP_SECONDS, STREAM, Bench

CONFIG = (
    "listen 127.0.0.1:0; max_connections {room}; http_api {{ enabled off; }}\n"
    "http_server {{ enabled on; listen 127.0.0.1:0; }}\n"
    "vhost __defaultVhost__ {{ http_remux {{ enabled on; on_missing 0; }} publish {{ grace 0; }} }}"
)
HOLD_MS = 200
PAUSE_SECONDS = 0.05  # between two questions that hold the loop


@dataclass(frozen=True)
class HeldWay(Way):
    """Streams with a player each, and no reader."""

    hold: str = "sleep"
    "`sleep` or `compute`."


@dataclass
class HeldTrial:
    """Delays of all players from the publisher's write to the arrival of a frame, ms."""

    label: str
    streams: int
    hold: str
    calm_p50: float = 0.0
    calm_p99: float = 0.0
    calm_worst: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    holds: int = 0
    "Callbacks that held the loop meanwhile."

    missing: int = 0
    "Frames that players did not get."

    @property
    def moved(self) -> float:
        """By how much the p99 is later with the callbacks, ms."""
        return self.p99 - self.calm_p99

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "moved": self.moved}


def measured(bench: Bench, way: HeldWay) -> HeldTrial:
    """Publish and play; measure a window without questions, then one in which the loop is held for 80 % of the time."""
    trial = HeldTrial(way.label, way.streams, way.hold)
    config = CONFIG.format(room=3 * way.streams + 100)
    with published(bench, way, config, way.hold, str(HOLD_MS)) as site:
        if site.publisher.event("publishing", 30) is None:
            raise BenchError(f"{way.label}: the publishers are not accepted: {site.program.last_words()}")
        bench.progress.sleep(GOP_SECONDS, "first GOP")
        url = f"http://127.0.0.1:{site.http}/live/{STREAM}{{{way.streams}}}.flv"
        load = Talker(
            "load client",
            [str(bench.programs["load"]), url, str(way.streams), str(way.streams), "200"],
            bench.client_cores,
            site.work / "load.log",
        )
        with running(load):
            if load.event("ready", 30) is None:
                raise BenchError(f"{way.label}: not all players have media: {site.program.last_words()}")
            bench.progress.sleep(bench.settle, "settling")
            calm = _window(bench, load)
            with asked(site.http) as count:
                held = _window(bench, load)
                trial.holds = len(count)
        site.program.check()
    trial.calm_p50, trial.calm_p99, trial.calm_worst = (calm["delay_ms"][k] for k in ("p50", "p99", "max"))
    trial.p50, trial.p99, trial.worst = (held["delay_ms"][k] for k in ("p50", "p99", "max"))
    trial.missing = calm["missing"] + held["missing"]
    bench.progress.say(f"p99 {trial.calm_p99:.1f} ms, with {trial.holds} callbacks {trial.p99:.1f} ms")
    return trial


def _window(bench: Bench, load: Talker) -> dict[str, Any]:
    load.send("begin")
    bench.progress.sleep(bench.seconds, "measuring")
    load.send("end")
    report = load.event("measured", 30)
    if report is None:
        raise BenchError(f"the load client does not answer: {load.last_words()}")
    found: dict[str, Any] = report["probe"]
    return found


@contextlib.contextmanager
def asked(port: int) -> Iterator[list[int]]:
    """Have the program decide about one play of `live/held` after the other; yields the statuses of the answers."""
    answers: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(PAUSE_SECONDS):
            with socket.create_connection(("127.0.0.1", port), 30) as sock:
                sock.sendall(b"GET /live/held.flv HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                head = sock.recv(4096)
            answers.append(int(head.split()[1]))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield answers
    finally:
        over.set()
        asking.join()
