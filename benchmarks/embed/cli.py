"""The command line of the benchmark of embedding programs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.embed import held, report
from benchmarks.embed.held import HeldTrial, HeldWay
from benchmarks.embed.trial import ROOT, Trial, Way, measured
from benchmarks.fanout import clip, command, machine, native
from benchmarks.fanout.cli import wait_for_turn
from benchmarks.fanout.progress import Progress
from benchmarks.fanout.session import Bench


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.embed",
        description="Measure a program that reads the streams of its own server with `async for`, or one that holds its event loop; it and the clients have a core each.",
    )
    p.add_argument(
        "--streams", type=int, default=report.STREAMS, metavar="N", help="streams of 500 kbit/s (100)"
    )
    p.add_argument("--seconds", type=float, default=20.0, help="steady window (20)")
    p.add_argument("--settle", type=float, default=3.0, help="wait before it (3)")
    p.add_argument("--repeat", type=int, default=1, metavar="N", help="rounds; medians are judged (1)")
    p.add_argument(
        "--loop", choices=("uvloop", "asyncio"), default="uvloop", help="event loop of the program (uvloop)"
    )
    p.add_argument(
        "--held",
        choices=("sleep", "compute"),
        action="append",
        help="measure the delay of players instead, while callbacks hold the loop for 200 ms each; may be given twice",
    )
    p.add_argument("--alone", action="store_true", help="also measure the server with nobody who reads")
    p.add_argument(
        "--before", type=Path, metavar="DIR", help="another checkout, built in place, to compare with"
    )
    p.add_argument("--profile", type=Path, metavar="DIR", help="write a perf profile of each program there")
    p.add_argument("--json", action="store_true", help="print JSON instead of text")
    p.add_argument("--quiet", action="store_true", help="no progress lines")
    return p


def ways(options: argparse.Namespace) -> list[Way]:
    """Return what is measured in one round."""
    streams, loop = options.streams, options.loop
    checkouts = {"fastflv": ROOT} | ({"before": options.before.resolve()} if options.before else {})
    if options.held:
        return [
            HeldWay(f"{label} {hold}", streams, 0, loop, checkout, hold)
            for hold in options.held
            for label, checkout in checkouts.items()
        ]
    found = [Way(label, streams, streams, loop, checkout) for label, checkout in checkouts.items()]
    if options.alone:
        found.insert(1, Way("fastflv unread", streams, 0, loop))
    return [*found]


def run(options: argparse.Namespace) -> list[Trial | HeldTrial]:
    """Measure all rounds."""
    progress = Progress(options.quiet)
    cache = native.cache_dir()
    machine.raise_file_limit(options.streams)
    names = ("publisher", "load") if options.held else ("publisher",)
    programs = {name: native.build(name, cache) for name in names}
    bench = Bench(
        clip.cached(cache), programs, progress, *machine.split_cores(), options.seconds, options.settle
    )
    if options.profile:
        options.profile.mkdir(parents=True, exist_ok=True)
        bench.profiles = options.profile
    trials: list[Trial | HeldTrial] = []
    with wait_for_turn(cache, progress):
        for number in range(options.repeat):
            for way in ways(options):
                progress.subject = f"{way.label} {number + 1}/{options.repeat}: "
                trials.append(held.measured(bench, way) if isinstance(way, HeldWay) else measured(bench, way))
    progress.subject = ""
    return trials


def main(argv: list[str] | None = None) -> int:
    """Run; returns 0, 1 when a goal was missed, 2 when nothing could be measured."""
    options = parser().parse_args(sys.argv[1:] if argv is None else argv)

    return command.run("embed", lambda: command.judged(run(options), report, as_json=options.json))
