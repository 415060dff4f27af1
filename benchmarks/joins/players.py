"""`python -m benchmarks.joins.players`: the real players, joining at random moments: mpegts.js in Chromium, ffplay, VLC."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fanout import command, machine, native
from benchmarks.fanout.cli import shown_command, wait_for_turn
from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.goals import Goal
from benchmarks.fanout.progress import Progress
from benchmarks.fanout.session import Bench, Live, started
from benchmarks.joins import cli, report, trial
from benchmarks.joins.desktop import Shown, ffplay, vlc
from benchmarks.joins.figures import percentile
from benchmarks.joins.inbrowser import middle, watch
from benchmarks.joins.trial import SEED, Way

PROGRAM = "python -m benchmarks.joins.players"
GOPS = (4, 10)
PLAYERS = ("mpegts.js", "ffplay", "vlc")
SAME_TIME = "time_jitter off;"
BUFFER_S = 0.9  # of mpegts.js, 3 s after play began
BEHIND_AT = 5.0  # seconds after the first picture of ffplay
TAIL = 25  # frames, all of them sent when they were published and not at the start
HEADINGS = (
    "GOP s",
    "server",
    "player",
    "joins",
    "errors",
    "first picture ms p50",
    "behind s p50",
    "max",
    "stalls",
    "dropped",
    "more",
)
ABOUT = (
    "Each player joins at a random moment of the GOP, alone. *Behind*: of mpegts.js at its default live settings "
    "`buffered.end - currentTime` 3 s after play began; of ffplay the newest time that the publisher had sent minus ffplay's clock, 5 s "
    "after its first picture. *Stalls*: of mpegts.js `waiting` events within 8 s after play began, of ffplay times when its clock stood still for "
    "longer than 0.3 s, of VLC times when it buffered again within 20 s. *Dropped*: pictures not shown; of VLC those that it called late. *First "
    "picture* of VLC is when its buffer was full."
)


@dataclass
class Seen:
    """The figures of one player with one way of starting; seconds."""

    gop: int
    way: str
    player: str
    joins: int
    errors: list[str] = field(default_factory=list)
    shown_p50: float | None = None
    "From the request to the first picture, ms."

    behind: list[float] = field(default_factory=list)
    stalls: int = 0
    stalled: int = 0
    "Players that stalled."

    dropped: int = 0
    notes: list[str] = field(default_factory=list)

    def row(self) -> tuple[str, ...]:
        """Return its line of the table."""
        known = bool(self.behind)
        return (
            str(self.gop),
            self.way,
            self.player,
            str(self.joins),
            str(len(self.errors)),
            "-" if self.shown_p50 is None else f"{self.shown_p50:.0f}",
            f"{percentile(self.behind, 0.5):.2f}" if known else "-",
            f"{max(self.behind):.2f}" if known else "-",
            f"{self.stalls} ({self.stalled} players)",
            str(self.dropped),
            "; ".join([*dict.fromkeys(self.errors), *dict.fromkeys(self.notes)]),
        )


def in_browser(bench: Bench, live: Live, seen: Seen) -> None:
    """mpegts.js in Chromium."""
    found = watch(bench, live, seen.joins, seen.gop)
    seen.errors = [w.error for w in found if w.error]
    seen.shown_p50 = middle([w.shown_ms for w in found])
    seen.behind = [w.buffer_s for w in found if w.buffer_s is not None]
    seen.stalls = sum(len(w.waits) for w in found)
    seen.stalled = sum(bool(w.waits) for w in found)
    seen.dropped = sum(w.dropped for w in found)
    if (late := middle([w.last_s for w in found])) is not None:
        seen.notes.append(f"8 s after play began behind p50 {late:.2f} s")
    if seen.stalls:
        seen.notes.append(f"waiting at {sorted(t for w in found for t in w.waits)} ms")


def clock_zero(bench: Bench, live: Live) -> float:
    """Return when the stream's time was 0, CLOCK_MONOTONIC in seconds: decode times run with the clock on the wall."""
    trial.join_all(bench, live, 1, 0.1, live.work)
    sent = [f for f in trial.read(live.work / "joins.jsonl")[0].frames if f.stamp_ns][-TAIL:]
    return percentile([f.stamp_ns / 1e9 - f.dts_ms / 1e3 for f in sent], 0.5)


def on_desktop(play: Callable[[str, Path], Shown]) -> Callable[[Bench, Live, Seen], None]:
    """ffplay or VLC, one after the other."""

    def run(bench: Bench, live: Live, seen: Seen) -> None:
        chance = random.Random(SEED)
        zero = clock_zero(bench, live)
        found: list[Shown] = []
        for number in range(seen.joins):
            bench.progress.sleep(chance.random() * seen.gop, "waiting for a moment of the GOP")
            bench.progress.say(f"join {number + 1} of {seen.joins}")
            found.append(play(live.url, live.work / f"{seen.player}-{number}.log"))
        seen.shown_p50 = middle([None if s.first_s is None else 1000 * s.first_s for s in found])
        for shown in found:
            seen.notes += dict.fromkeys(shown.complaints)
            seen.stalls += shown.stalls
            seen.stalled += shown.stalls > 0
            seen.dropped += shown.dropped
            if shown.clock:
                start = shown.clock[0][0]
                at = [(now, position) for now, position in shown.clock if now >= start + BEHIND_AT * 1e9]
                if at:
                    seen.behind.append(at[0][0] / 1e9 - zero - at[0][1])
                else:
                    seen.errors.append("it did not play on")

    return run


RUN: dict[str, Callable[[Bench, Live, Seen], None]] = {
    "mpegts.js": in_browser,
    "ffplay": on_desktop(ffplay),
    "vlc": on_desktop(vlc),
}


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    p = argparse.ArgumentParser(prog=PROGRAM, description="See how real players take each way of starting.")
    p.add_argument("--joins", type=int, default=10, metavar="N", help="joins of each player (10)")
    p.add_argument("--gop", type=int, action="append", metavar="S", help="seconds, repeatable (4 and 10)")
    p.add_argument("--output", choices=("flv", "ts"), default="flv", help="what they play (flv)")
    p.add_argument("--player", action="append", choices=PLAYERS, help="repeatable (all)")
    p.add_argument(
        "--start", action="append", choices=cli.STARTS, help="of fastflv, repeatable (compact and gop)"
    )
    p.add_argument("--window", type=int, default=0, metavar="MS", help="fastflv's mw_latency (0)")
    p.add_argument("--srs", type=Path, metavar="PATH", help="SRS's program: it takes part too")
    p.add_argument(
        "--srs-window", type=int, default=10, metavar="MS", help="its mw_latency (10: at 0 it polls)"
    )
    p.add_argument("--out", type=Path, metavar="DIR", help="write players.md and players.json there")
    p.add_argument("--json", action="store_true", help="print JSON instead of a table")
    p.add_argument("--quiet", action="store_true", help="no progress lines")
    return p


def judge(found: list[Seen]) -> list[Goal]:
    """mpegts.js is close to live with compact starts."""
    return [
        Goal(
            f"GOP {s.gop} s {s.way} {s.player}",
            "buffered.end - currentTime, worst",
            max(s.behind, default=None),
            BUFFER_S,
            " s",
        )
        for s in found
        if s.way == "fastflv compact" and s.player == "mpegts.js"
    ]


def each(options: argparse.Namespace, progress: Progress, cache: Path, failures: list[str]) -> Iterator[Seen]:
    """Measure all players with all ways of starting."""
    for gop in options.gop or GOPS:
        bench = cli.prepared(progress, cache, gop, [options.output])
        for way in cli.ways(options):
            for player in options.player or PLAYERS:
                seen = Seen(gop, way.label, player, options.joins)
                progress.subject = f"GOP {gop} s {way.label} {player}: "
                try:
                    with server(bench, way, options, gop, player) as live:
                        RUN[player](bench, live, seen)
                except BenchError as error:
                    failures.append(f"{progress.subject}{error}")
                    progress.say(f"failed: {error}")
                    continue
                progress.say(" ".join(seen.row()[3:]))
                yield seen
    progress.subject = ""


def server(bench: Bench, way: Way, options: argparse.Namespace, gop: int, player: str) -> Any:
    """Start a server and its publisher."""
    # SRS counts each player's time from 0, which would hide what ffplay's clock says.
    extra = SAME_TIME if way.server.name == "srs" and player == "ffplay" else way.extra
    return started(
        bench,
        way.server,
        window_ms=way.window_ms,
        players=10,
        protocol=options.output,
        extra=extra,
        warm=gop + 1.0,
    )


def main(argv: list[str] | None = None) -> int:
    """Run; returns 0, 1 when a run failed or a goal was missed, 2 when nothing could be measured."""
    arguments = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(arguments)

    def work() -> tuple[str, bool]:
        progress = Progress(options.quiet)
        failures: list[str] = []
        versions = {way.server.name: way.server.version() for way in cli.ways(options)}
        cache = native.cache_dir()
        with wait_for_turn(cache, progress):
            found = list(each(options, progress, cache, failures))
        shown = shown_command(arguments).replace("benchmarks.fanout", "benchmarks.joins.players")
        results = report.Results(machine.describe(), versions, shown, [], judge(found), failures)
        plain = json.dumps({**results.as_dict(), "players": [asdict(s) for s in found]}, indent=1)
        lines = report.table(HEADINGS, [s.row() for s in found])
        if options.out:
            write(results, lines, plain, options.out)
        text = "\n".join([*lines, "", *(g.line() for g in results.goals)])
        return plain if options.json else text, results.fell_short

    return command.run("players", work)


def write(results: report.Results, lines: list[str], plain: str, out: Path) -> None:
    """Write players.md and players.json."""
    out.mkdir(parents=True, exist_ok=True)
    body = [*report.head(results, "Players"), ABOUT, "", *lines, "", *report.goal_table(results.goals)]
    body += ["", *(f"- failed: {f}" for f in results.failures)] if results.failures else []
    (out / "players.md").write_text("\n".join(body) + "\n")
    (out / "players.json").write_text(plain + "\n")


if __name__ == "__main__":
    sys.exit(main())
