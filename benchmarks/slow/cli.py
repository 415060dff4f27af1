"""The command line of the benchmark with slow players."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.fanout import certificate, clip, command, machine, native
from benchmarks.fanout.cli import shown_command, wait_for_turn
from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.progress import Progress
from benchmarks.fanout.servers import KINDS
from benchmarks.fanout.session import Bench
from benchmarks.fanout.settings import PROTOCOLS
from benchmarks.joins.report import Results
from benchmarks.joins.trial import Way
from benchmarks.slow import report
from benchmarks.slow.run import Outcome, Plan, measure

PROGRAM = "python -m benchmarks.slow"


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    p = argparse.ArgumentParser(
        prog=PROGRAM, description="See what slow players cost the server and the others."
    )
    p.add_argument("--minutes", type=float, default=10.0, metavar="M", help="time with slow players (10)")
    p.add_argument(
        "--baseline", type=float, default=60.0, metavar="S", help="seconds before, without them (60)"
    )
    p.add_argument("--players", type=int, default=1000, metavar="N", help="players that keep up (1000)")
    p.add_argument(
        "--slow", type=int, default=250, metavar="N", help="half read at 30 %% of the rate, half never (250)"
    )
    p.add_argument(
        "--kept", type=int, default=5, metavar="N", help="slow readers whose bytes are decoded (5)"
    )
    p.add_argument("--window", type=int, default=0, metavar="MS", help="fastflv's mw_latency (0)")
    p.add_argument(
        "--extra", default="", metavar="TEXT", help='more of its play block, such as "queue_length 5;"'
    )
    p.add_argument("--output", choices=PROTOCOLS, default="flv", help="what the players speak (flv)")
    p.add_argument("--srs", type=Path, metavar="PATH", help="SRS's program: it takes part too")
    p.add_argument(
        "--srs-window", type=int, default=10, metavar="MS", help="its mw_latency (10: at 0 it polls)"
    )
    p.add_argument("--keep", type=Path, metavar="DIR", help="keep there what fastflv's slow readers got")
    p.add_argument("--out", type=Path, metavar="DIR", help="write slow.md, slow.json and slow.png there")
    p.add_argument("--json", action="store_true", help="print JSON instead of text")
    p.add_argument("--quiet", action="store_true", help="no progress lines")
    return p


def ways(options: argparse.Namespace) -> list[Way]:
    """Return who takes part."""
    found = [Way("fastflv", KINDS["fastflv"]("fastflv"), options.window, options.extra)]
    if options.srs:
        srs = KINDS["srs"]("srs", options.srs)
        srs.required()
        found.append(Way("srs", srs, options.srs_window))
    return found


def run(options: argparse.Namespace, argv: list[str]) -> tuple[list[Outcome], Results]:
    """Measure all servers."""
    progress = Progress(options.quiet)
    cache = native.cache_dir()
    plan = Plan(
        options.players, options.slow, options.kept, options.minutes, options.baseline, options.output
    )
    servers = ways(options)
    machine.raise_file_limit(plan.players + plan.slow)
    tls = plan.protocol == "https"
    names = ("publisher", "load", *(("load-tls",) if tls else ()))
    bench = Bench(
        clip.cached(cache), {n: native.build(n, cache) for n in names}, progress, *machine.split_cores()
    )
    bench.certificate = certificate.cached(cache) if tls else None
    versions = {way.server.name: way.server.version() for way in servers}
    shown = shown_command(argv).replace("benchmarks.fanout", "benchmarks.slow")
    results = Results(machine.describe(), versions, shown)
    outcomes = []
    with wait_for_turn(cache, progress):
        for way in servers:
            progress.subject = f"{way.label}: "
            if plan.protocol not in way.server.protocols:
                continue
            try:
                keep = options.keep if way.label == "fastflv" else None
                outcomes.append(measure(bench, way, plan, keep))
            except BenchError as error:
                results.failures.append(f"{way.label}: {error}")
                progress.say(f"failed: {error}")
    progress.subject = ""
    results.goals = report.judge(outcomes)
    return outcomes, results


def main(argv: list[str] | None = None) -> int:
    """Run; returns 0, 1 when a server failed or a goal was missed, 2 when nothing could be measured."""
    arguments = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(arguments)

    def work() -> tuple[str, bool]:
        outcomes, results = run(options, arguments)
        if options.out and outcomes:
            report.write(outcomes, results, options.out)
        plain = report.as_dict(outcomes, results)
        text = json.dumps(plain, indent=1) if options.json else report.text(outcomes, results)
        return text, results.fell_short

    return command.run("slow", work)
