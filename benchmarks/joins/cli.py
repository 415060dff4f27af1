"""The command line of the join benchmark."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.fanout import certificate, command, machine, native
from benchmarks.fanout.cli import shown_command, wait_for_turn
from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.progress import Progress
from benchmarks.fanout.servers import KINDS
from benchmarks.fanout.session import Bench
from benchmarks.fanout.settings import PROTOCOLS
from benchmarks.joins import clip, goals, report, trial
from benchmarks.joins.report import Results
from benchmarks.joins.trial import Way

GOPS = (2, 4, 10)
STARTS = ("compact", "gop", "key", "live")
PROGRAM = "python -m benchmarks.joins"


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    p = argparse.ArgumentParser(
        prog=PROGRAM, description="Measure how soon a viewer is live, in every output."
    )
    p.add_argument("--joins", type=int, default=100, metavar="N", help="joins of each run (100)")
    p.add_argument("--seconds", type=float, default=40.0, help="time within which they come (40)")
    p.add_argument("--gop", type=int, action="append", metavar="S", help="seconds, repeatable (2, 4 and 10)")
    p.add_argument("--output", action="append", choices=PROTOCOLS, help="repeatable (all)")
    p.add_argument(
        "--start", action="append", choices=STARTS, help="of fastflv, repeatable (compact and gop)"
    )
    p.add_argument("--window", type=int, default=0, metavar="MS", help="fastflv's mw_latency (0)")
    p.add_argument("--srs", type=Path, metavar="PATH", help="SRS's program: it takes part too")
    p.add_argument(
        "--srs-window", type=int, default=10, metavar="MS", help="its mw_latency (10: at 0 it polls)"
    )
    p.add_argument("--no-decode", action="store_true", help="do not decode what was received")
    p.add_argument("--keep", type=Path, metavar="DIR", help="keep what was received there")
    p.add_argument("--out", type=Path, metavar="DIR", help="write joins.md and joins.json there")
    p.add_argument("--json", action="store_true", help="print JSON instead of a table")
    p.add_argument("--quiet", action="store_true", help="no progress lines")
    return p


def ways(options: argparse.Namespace) -> list[Way]:
    """Return who takes part, and how their players start."""
    fastflv = KINDS["fastflv"]("fastflv")
    found = [
        Way(f"fastflv {start}", fastflv, options.window, f"start {start};")
        for start in options.start or ("compact", "gop")
    ]
    if options.srs:
        srs = KINDS["srs"]("srs", options.srs)
        srs.required()
        found.append(Way("srs", srs, options.srs_window))
    return found


def prepared(progress: Progress, cache: Path, gop: int, outputs: list[str]) -> Bench:
    """Return what all runs of one GOP length share: clip, programs, cores, certificate."""
    tls = "https" in outputs
    wanted = ("publisher", "load", *(("load-tls",) if tls else ()))
    programs = {name: native.build(name, cache) for name in wanted}
    server_cores, client_cores = machine.split_cores()
    bench = Bench(clip.cached(cache, gop), programs, progress, server_cores, client_cores)
    bench.certificate = certificate.cached(cache) if tls else None
    return bench


def run(options: argparse.Namespace, argv: list[str]) -> Results:
    """Do all trials."""
    progress = Progress(options.quiet)
    cache = native.cache_dir()
    outputs = options.output or list(PROTOCOLS)
    plan = ways(options)
    machine.raise_file_limit(options.joins)
    turn = wait_for_turn(cache, progress)
    versions = {way.server.name: way.server.version() for way in plan}
    results = Results(
        machine.describe(), versions, shown_command(argv).replace("benchmarks.fanout", "benchmarks.joins")
    )
    for gop in options.gop or GOPS:
        bench = prepared(progress, cache, gop, outputs)
        for protocol in outputs:
            for way in plan:
                progress.subject = f"GOP {gop} s {way.label} {protocol}: "
                if protocol not in way.server.protocols:
                    continue
                try:
                    made = trial.run(
                        bench,
                        way,
                        protocol,
                        gop,
                        options.joins,
                        options.seconds,
                        options.keep,
                        not options.no_decode,
                    )
                    results.trials.append(made)
                except BenchError as error:
                    results.failures.append(f"{progress.subject}{error}")
                    progress.say(f"failed: {error}")
    progress.subject = ""
    results.goals = goals.judge(results.trials, "fastflv compact")
    turn.close()
    return results


def main(argv: list[str] | None = None) -> int:
    """Run; returns 0, 1 when a run failed or a goal was missed, 2 when nothing could be measured."""
    arguments = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(arguments)

    def work() -> tuple[str, bool]:
        results = run(options, arguments)
        if options.out and results.trials:
            report.write(results, options.out)
        text = json.dumps(results.as_dict(), indent=1) if options.json else report.text(results)
        return text, results.fell_short

    return command.run("joins", work)
