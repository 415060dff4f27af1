"""One measurement: streams and players, then each path of the API and of the metrics asked for some times."""

from __future__ import annotations

import http.client
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.processes import Talker, running
from benchmarks.fanout.session import GOP_SECONDS, STREAM, Bench

PROGRAM = Path(__file__).with_name("program.py")
CONFIG: Final = """
listen 127.0.0.1:0; max_connections {room};
http_server {{ enabled on; listen 127.0.0.1:0; }} http_api {{ enabled on; listen 127.0.0.1:0; }}
vhost __defaultVhost__ {{
    play {{ mw_latency 1000; }} publish {{ grace 0; normal_timeout 60000; }}
    http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; }}
}}
"""
QUIET: Final = "nothing"
"Name of the row in which nobody asks."
PATHS: Final = (
    "/metrics",
    "/api/v1/summaries",
    "/api/v1/vhosts",
    "/api/v1/streams?count=500",
    "/api/v1/clients?count=500",
    "/api/v1/clients?start=4500&count=500",
)
JOINS: Final = 500
"A second."
JOIN_SECONDS: Final = 120.0


@dataclass
class Answer:
    """What one path costs. Milliseconds of the processor, of the thread of the event loop."""

    path: str
    first_ms: float = 0.0
    "The longest turn while it was asked for the first time."

    longest_ms: float = 0.0
    "While it was asked again and again."

    each_ms: float = 0.0
    "Median time of the turns for one answer, beyond what the server needs meanwhile."

    took_ms: float = 0.0
    "Median time to the whole answer, by the wall clock."

    size: int = 0
    "Bytes of the answer."


@dataclass
class Trial:
    """The figures of one server."""

    label: str
    streams: int
    players: int
    answers: list[Answer] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


class Asker:
    """Asks the server, and how long its turns were meanwhile."""

    def __init__(self, program: Talker, port: int) -> None:
        self._program = program
        self._port = port

    def get(self, path: str) -> tuple[float, int]:
        """Ask once; return the time that it took in milliseconds, and the bytes of the answer."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        size = len(answer.read())
        connection.close()
        if answer.status != 200:
            raise BenchError(f"{path}: {answer.status}")
        return 1000 * (time.monotonic() - began), size

    def turns(self) -> dict[str, Any]:
        """Return what the turns since the last call were."""
        self._program.send("turns")
        found = self._program.event("turns", 60)
        if found is None:
            raise BenchError(f"the program does not answer: {self._program.last_words()}")
        return found


def measured(bench: Bench, label: str, checkout: Path, streams: int, players: int) -> Trial:
    """Start the server, publish, let players join, and ask."""
    trial = Trial(label, streams, players)
    with crowd(bench, checkout, streams, players) as (program, api):
        asker = Asker(program, api)
        asker.turns()
        began = time.monotonic()
        bench.progress.sleep(bench.seconds, "nobody asks")
        quiet = asker.turns()
        share = quiet["sum_ms"] / (time.monotonic() - began)
        trial.answers.append(Answer(QUIET, longest_ms=quiet["longest_ms"][0], each_ms=share))
        for path in PATHS:
            bench.progress.say(f"asking for {path}")
            trial.answers.append(ask(asker, path, bench.seconds, share))
    return trial


def ask(asker: Asker, path: str, seconds: float, share: float) -> Answer:
    """Ask for *path* for *seconds*. *share*: time of the turns in a second without it, ms."""
    answer = Answer(path)
    took, cost, longest = [], [], []
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        asker.turns()
        milliseconds, answer.size = asker.get(path)
        turns = asker.turns()
        took.append(milliseconds)
        cost.append(turns["sum_ms"] - share * milliseconds / 1000)
        longest.append(turns["longest_ms"][0])
        # What is shown again for a while is to be made anew.
        time.sleep(0.3)
    answer.first_ms, answer.longest_ms = longest[0], max(longest[1:], default=0.0)
    answer.each_ms, answer.took_ms = median(cost), median(took)
    return answer


@contextmanager
def crowd(bench: Bench, checkout: Path, streams: int, players: int) -> Iterator[tuple[Talker, int]]:
    """Run a server with *streams* and *players*; yields the program and the port of its API."""
    with ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix="control-"))

        def run(name: str, argv: list[str], cores: set[int], **options: Any) -> Talker:
            child = Talker(name, argv, cores, Path(work, f"{name}.log"), **options)
            stack.enter_context(running(child))
            return child

        config = CONFIG.format(room=streams + players + 100)
        environ = {**os.environ, "PYTHONPATH": str(checkout)}
        program = run("program", [sys.executable, str(PROGRAM), config], bench.server_cores, env=environ)
        said = program.event("listening", 30)
        if said is None:
            raise BenchError(f"the program does not start: {program.last_words()}")
        where = ["127.0.0.1", str(said["rtmp"]), "live", STREAM, str(streams)]
        publish = [str(bench.programs["publisher"]), str(bench.clip.path), *where]
        if run("publisher", publish, bench.client_cores).event("publishing", 60) is None:
            raise BenchError(f"the publishers are not accepted: {program.last_words()}")
        bench.progress.sleep(GOP_SECONDS, "publishing")
        url = f"http://127.0.0.1:{said['http']}/live/{STREAM}{{{streams}}}.flv"
        load = [str(bench.programs["load"]), url, str(players), "1", str(JOINS)]
        if run("load", load, bench.client_cores).event("ready", JOIN_SECONDS) is None:
            raise BenchError(f"not all players have media: {program.last_words()}")
        bench.progress.sleep(bench.settle, f"{players} players")
        yield program, said["api"]
