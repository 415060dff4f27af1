"""The command line of the fan-out benchmark."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from benchmarks.fanout import certificate, clip, command, machine, native, report, scenarios
from benchmarks.fanout.certificate import Certificate
from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.goals import Goal, Runs
from benchmarks.fanout.progress import Progress
from benchmarks.fanout.report import Results
from benchmarks.fanout.scenarios import Scenario
from benchmarks.fanout.servers import KINDS, RIVALS, Server
from benchmarks.fanout.session import Bench
from benchmarks.fanout.settings import PROTOCOLS

QUICK_PLAYERS = 40
QUICK_SECONDS = 2.0


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.fanout",
        description="Measure servers side by side: the same publisher, the same players, one core for the server.",
    )
    names = ", ".join(scenarios.table(0))
    p.add_argument("scenario", nargs="*", help=f"one or more of: {names}; or 'all'; or none with --players")
    p.add_argument(
        "--players", type=int, help="players of a run of your own, or instead of the scenario's number"
    )
    p.add_argument("--window", type=int, help="merge window of it, milliseconds; 0 sends each frame")
    p.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        help="what its players speak, or of scenarios that do not name one (flv)",
    )
    p.add_argument(
        "--server",
        action="append",
        choices=list(KINDS),
        help="take part (repeatable); default: fastflv, floor, and each rival whose program is given",
    )
    for rival in RIVALS:
        what = "its app.js" if rival == "nms" else "its program"
        p.add_argument(f"--{rival}", type=Path, metavar="PATH", help=what)
    p.add_argument(
        "--before", type=Path, metavar="DIR", help="another checkout, built in place, to compare with"
    )
    p.add_argument("--repeat", type=int, default=1, metavar="N", help="rounds; medians are reported")
    p.add_argument("--seconds", type=float, default=10.0, help="steady window (10)")
    p.add_argument("--settle", type=float, default=3.0, help="wait before it (3)")
    p.add_argument("--joins", type=float, default=1000.0, help="joins a second while players connect (1000)")
    p.add_argument(
        "--spread",
        type=int,
        default=40,
        metavar="MS",
        help="the starts of many publishers are spread over it (40)",
    )
    p.add_argument("--sample", type=int, default=20, help="players that are parsed and timed (20)")
    p.add_argument("--close", action="store_true", help="players ask with Connection: close")
    p.add_argument(
        "--nap",
        type=int,
        default=0,
        metavar="MS",
        help="players look for bytes that often, unwoken (0: epoll)",
    )
    p.add_argument("--never-read", type=int, default=0, metavar="N", help="players on top that never read")
    p.add_argument(
        "--slow", type=int, default=0, metavar="N", help="players on top that read at 30 %% of the rate"
    )
    p.add_argument(
        "--profile", action="store_true", help="also write a perf profile of each server into --out"
    )
    p.add_argument("--out", type=Path, help="write results.md, .json and .png there")
    p.add_argument("--json", action="store_true", help="print JSON instead of a table")
    p.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_PLAYERS} players, {QUICK_SECONDS:g} s: does it work at all",
    )
    p.add_argument(
        "--nice", type=int, default=0, metavar="N", help="priority of all that is started, -20 to 19"
    )
    p.add_argument("--quiet", action="store_true", help="no progress lines")
    return p


def chosen_servers(options: argparse.Namespace, floor: Path) -> dict[str, Server]:
    """Return the servers that take part."""
    others = ("before", *RIVALS)
    given = {name: getattr(options, name) for name in others}
    names = options.server or ["fastflv", "floor", *(n for n in others if given[n])]
    found = {n: KINDS[n](n, floor if n == "floor" else given.get(n)) for n in dict.fromkeys(names)}
    for server in found.values():
        if server.name in others:
            server.required()
    return found


def no_goals(scenario: str, runs: Runs) -> list[Goal]:
    """Judge nothing."""
    return []


def chosen_scenarios(options: argparse.Namespace, published: float) -> list[Scenario]:
    """Return the scenarios, with the numbers that the options change."""
    table = scenarios.table(published)
    names = list(table) if options.scenario == ["all"] else options.scenario
    if unknown := [n for n in names if n not in table]:
        raise BenchError(f"no scenario {unknown[0]!r}; there are: {', '.join(table)}")
    found = [table[n] for n in names]
    if not found:
        window = 350 if options.window is None else options.window
        found = [Scenario("custom", 1000, window, no_goals, scenarios.plain)]
    if options.players:
        found = [replace(s, players=options.players) for s in found]
    if options.protocol:
        other = options.protocol  # the goals are those of HTTP-FLV
        found = [s if s.protocol != "flv" else replace(s, protocol=other, judge=no_goals) for s in found]
    if options.window is not None:
        found = [replace(s, window_ms=options.window, windows=()) for s in found]
    if options.quick:
        found = [replace(s, players=min(s.players, QUICK_PLAYERS)) for s in found]
    return found


def with_before(names: Sequence[str]) -> Iterator[str]:
    """Yield the servers of a scenario; the other checkout follows this one."""
    for name in names:
        yield name
        if name == "fastflv":
            yield "before"


def prepare_tls(
    plan: list[Scenario], programs: dict[str, Path], cache: Path, failures: list[str]
) -> tuple[list[Scenario], Certificate | None]:
    """Build what HTTPS needs; where that fails, go on with the scenarios that are not HTTPS."""
    if all(s.protocol != "https" for s in plan):
        return plan, None
    try:
        programs["load-tls"] = native.build("load-tls", cache)
        return plan, certificate.cached(cache)
    except BenchError as error:
        rest = [s for s in plan if s.protocol != "https"]
        if not rest:
            raise
        failures += [f"{s.name}: {error}" for s in plan if s.protocol == "https"]
        return rest, None


def shown_command(argv: list[str]) -> str:
    """Return the command with files by name only: a report should not tell a directory layout."""
    return " ".join(["python -m benchmarks.fanout", *(Path(a).name if "/" in a else a for a in argv)])


def profile_directory(options: argparse.Namespace) -> Path | None:
    """Return where profiles go."""
    if not options.profile:
        return None
    if options.out is None:
        raise BenchError("--profile needs --out DIR")
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    return out


def wait_for_turn(cache: Path, progress: Progress) -> IO[str]:
    """Hold the one lock of this machine's runs: two at once on the same cores would measure each other."""
    lock = (cache / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        progress.say("another run is measuring: waiting for its end")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def run(options: argparse.Namespace, argv: list[str]) -> Results:
    """Do all rounds of all scenarios."""
    if options.nice:
        try:
            os.nice(options.nice)
        except PermissionError:
            raise BenchError("--nice below 0 needs root or CAP_SYS_NICE") from None
    cache = native.cache_dir()
    programs = {name: native.build(name, cache) for name in native.PROGRAMS if name != "load-tls"}
    the_clip = clip.cached(cache)
    progress = Progress(options.quiet)
    turn = wait_for_turn(cache, progress)
    servers = chosen_servers(options, programs["floor"])
    failures: list[str] = []
    wanted = chosen_scenarios(options, the_clip.bits_per_second)
    plan, tls = prepare_tls(wanted, programs, cache, failures)
    for failure in failures:
        progress.say(f"failed: {failure}")
    machine.raise_file_limit(max(s.players for s in plan) + options.never_read + options.slow)
    server_cores, client_cores = machine.split_cores()
    seconds = QUICK_SECONDS if options.quick else options.seconds
    settle = 0.5 if options.quick else options.settle
    bench = Bench(
        the_clip,
        programs,
        progress,
        server_cores,
        client_cores,
        seconds,
        settle,
        options.joins,
        options.sample,
        options.close,
        options.never_read,
        options.slow,
        options.nap,
        profile_directory(options),
        tls,
        options.spread,
    )
    if server_cores == client_cores:
        progress.say("only one core: the client disturbs the server, the figures are not comparable")
    versions = {name: server.version() for name, server in servers.items()}
    results = Results(
        machine.describe(), versions, shown_command(argv), the_clip.bits_per_second, seconds, options.repeat
    )
    results.failures += failures
    for scenario in plan:
        runs = []
        for round_number in range(options.repeat):
            for name in with_before(scenario.servers):
                if name not in servers:
                    continue
                progress.subject = f"{scenario.name} {name} {round_number + 1}/{options.repeat}: "
                if scenario.protocol not in servers[name].protocols:
                    progress.say(f"does not speak {scenario.protocol}: left out")
                    continue
                try:
                    runs += list(scenario.measure(bench, scenario, servers[name]))
                except BenchError as error:
                    results.failures.append(f"{scenario.name}: {name}: {error}")
                    progress.say(f"failed: {error}")
        results.runs += runs
        found = [] if options.quick else scenario.judge(scenario.name, runs)
        results.goals += found
        progress.subject = ""
        for goal in found:
            progress.say(goal.line())
    turn.close()
    return results


def main(argv: list[str] | None = None) -> int:
    """Run; returns 0, 1 when a server failed, 2 when nothing could be measured."""
    arguments = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(arguments)

    def work() -> tuple[str, bool]:
        results = run(options, arguments)
        if options.out and results.runs:
            report.write(results, options.out)
        text = json.dumps(results.as_dict(), indent=1) if options.json else report.text(results)
        return text, bool(results.failures)

    return command.run("fanout", work)
