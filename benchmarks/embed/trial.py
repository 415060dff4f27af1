"""One measurement: a program that reads its streams, and publishers in another process."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fanout import measure, profile
from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.processes import Talker, running
from benchmarks.fanout.session import GOP_SECONDS, STREAM, Bench

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("program.py")
CONFIG = (
    "listen 127.0.0.1:0; max_connections {room}; http_server {{ enabled off; }} http_api {{ enabled off; }}\n"
    "vhost __defaultVhost__ {{ publish {{ grace 0; }} }}"
)
END_SECONDS = 20.0  # for the publishers to hand over their last bytes, and for the program to read them


@dataclass(frozen=True)
class Way:
    """What is measured."""

    label: str
    streams: int
    readers: int
    "Streams that are read, from the first on."

    loop: str
    "`uvloop` or `asyncio`."

    checkout: Path = ROOT


@dataclass
class Trial:
    """The figures of one measurement. CPU in percent of one core, memory in KiB."""

    label: str
    streams: int
    readers: int
    cpu: float = 0.0
    rss: int = 0
    seconds: float = 0.0
    published: int = 0
    "Tags of the streams that are read, headers and script data left out."

    read: int = 0
    missing_bytes: int = 0
    "Of tag bodies."

    jumps: int = 0
    publish_late: float = 0.0
    "The latest that the publishers were behind their plan, ms."

    @property
    def lost(self) -> int:
        """Tags that were published and not read."""
        return self.published - self.read

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "lost": self.lost}


class Running(NamedTuple):
    """A program that embeds the server, and the publishers of its streams."""

    program: Talker
    publisher: Talker
    http: int
    "Port of HTTP, where the configuration has one."

    work: Path
    "Directory of the logs."


@contextmanager
def published(bench: Bench, way: Way, config: str, *words: str) -> Iterator[Running]:
    """Run the program with *config* and *words*, and a publisher of each stream; both end with the block."""
    with tempfile.TemporaryDirectory(prefix="embed-") as work:
        program = Talker(
            "program",
            [sys.executable, str(PROGRAM), config, str(way.readers), way.loop, *words],
            bench.server_cores,
            Path(work, "program.log"),
            env={**os.environ, "PYTHONPATH": str(way.checkout)},
        )
        with running(program):
            said = program.event("listening", 30)
            if said is None:
                raise BenchError(f"{way.label}: the program does not start: {program.last_words()}")
            where = ["127.0.0.1", str(said["port"]), "live", STREAM, str(way.streams)]
            publisher = Talker(
                "publisher",
                [str(bench.programs["publisher"]), str(bench.clip.path), *where],
                bench.client_cores,
                Path(work, "publisher.log"),
            )
            with running(publisher):
                yield Running(program, publisher, said.get("http", 0), Path(work))


def measured(bench: Bench, way: Way) -> Trial:
    """Publish, read, and measure one steady window; then count both sides to the end."""
    trial = Trial(way.label, way.streams, way.readers)
    with published(bench, way, CONFIG.format(room=way.streams + 100)) as site:
        _measure(bench, way, trial, site.program, site.publisher)
    bench.progress.say(f"CPU {trial.cpu:.1f} %, {trial.read} of {trial.published} tags read")
    return trial


def _measure(bench: Bench, way: Way, trial: Trial, program: Talker, publisher: Talker) -> None:
    if publisher.event("publishing", 30) is None:
        raise BenchError(f"{way.label}: the publishers are not accepted: {program.last_words()}")
    bench.progress.sleep(GOP_SECONDS + bench.settle, "settling")
    start = measure.cpu_mark(program.pid)
    bench.progress.sleep(bench.seconds, "measuring")
    program.check()
    end = measure.cpu_mark(program.pid)
    trial.cpu = round(measure.cpu_between(start, end).percent, 2)
    trial.seconds = round(end.at - start.at, 2)
    trial.rss = measure.memory(program.pid).rss
    if bench.profiles:
        bench.progress.say("profiling")
        profile.record(program.pid, bench.profiles / f"profile-embed-{way.label.replace(' ', '-')}.txt")
    publisher.finish()
    published = publisher.event("published", END_SECONDS)
    if published is None:
        raise BenchError(f"{way.label}: the publishers do not end: {publisher.last_words()}")
    trial.publish_late = published["late_ms_max"]
    if not way.readers:
        return
    read = program.event("read", END_SECONDS)
    if read is None:
        raise BenchError(f"{way.label}: the readers do not end with their streams: {program.last_words()}")
    trial.published, trial.read = published["tags"], read["tags"]
    trial.missing_bytes, trial.jumps = published["bytes"] - read["bytes"], read["jumps"]
