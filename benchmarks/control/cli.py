"""The command line of the benchmark of API and metrics."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.control import report
from benchmarks.control.trial import Trial, measured
from benchmarks.fanout import clip, command, machine, native
from benchmarks.fanout.cli import wait_for_turn
from benchmarks.fanout.progress import Progress
from benchmarks.fanout.session import Bench

ROOT = Path(__file__).parents[2]


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.control",
        description="Measure how long API and metrics hold up the event loop of a server with many streams and players.",
    )
    p.add_argument("--streams", type=int, default=300, metavar="N", help="streams of 90 kbit/s (300)")
    p.add_argument("--players", type=int, default=5000, metavar="N", help="players of all of them (5000)")
    p.add_argument("--seconds", type=float, default=5.0, help="how long each path is asked for (5)")
    p.add_argument("--settle", type=float, default=3.0, help="wait before it (3)")
    p.add_argument("--repeat", type=int, default=1, metavar="N", help="rounds; medians are judged (1)")
    p.add_argument(
        "--before", type=Path, metavar="DIR", help="another checkout, built in place, to compare with"
    )
    p.add_argument("--json", action="store_true", help="print JSON instead of text")
    p.add_argument("--quiet", action="store_true", help="no progress lines")
    return p


def run(options: argparse.Namespace) -> list[Trial]:
    """Measure all rounds."""
    progress = Progress(options.quiet)
    cache = native.cache_dir()
    machine.raise_file_limit(options.streams + options.players)
    programs = {name: native.build(name, cache) for name in ("publisher", "load")}
    bench = Bench(
        clip.thin(cache), programs, progress, *machine.split_cores(), options.seconds, options.settle
    )
    ways = [("fastflv", ROOT), *([("before", options.before.resolve())] if options.before else [])]
    trials = []
    with wait_for_turn(cache, progress):
        for number in range(options.repeat):
            for label, checkout in ways:
                progress.subject = f"{label} {number + 1}/{options.repeat}: "
                trials.append(measured(bench, label, checkout, options.streams, options.players))
    progress.subject = ""
    return trials


def main(argv: list[str] | None = None) -> int:
    """Run; returns 0, 1 when a goal was missed, 2 when nothing could be measured."""
    options = parser().parse_args(sys.argv[1:] if argv is None else argv)

    return command.run("control", lambda: command.judged(run(options), report, as_json=options.json))
