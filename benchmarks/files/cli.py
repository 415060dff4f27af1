"""The command line of the benchmark with files."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.fanout import command, machine, native
from benchmarks.fanout.cli import shown_command, wait_for_turn
from benchmarks.fanout.goals import Goal
from benchmarks.fanout.progress import Progress
from benchmarks.files.clients import ask_many, download, download_slowly
from benchmarks.files.servers import SERVERS, Running
from benchmarks.joins.report import Results, goal_table, head, table

LARGE_RATIO, SMALL_RATIO = 0.9, 0.4
GROWTH_MIB = 8.0
"Memory that 100 slow downloads may take beyond what they took when all had begun."


@dataclass(frozen=True, slots=True)
class Figure:
    """What one server did in one round."""

    server: str
    large_mb: float
    "MB of a large file a CPU second."

    small: float
    "Small files a CPU second."

    slow_mib: float | None
    "MiB by which memory grew while clients downloaded slowly; None: not measured in this round."


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.files", description="Send files, beside nginx.")
    p.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds, in each both servers (5)")
    p.add_argument("--size", type=int, default=100, metavar="MB", help="the large file (100)")
    p.add_argument("--times", type=int, default=20, metavar="N", help="downloads of it in a round (20)")
    p.add_argument("--files", type=int, default=1000, metavar="N", help="small files (1000)")
    p.add_argument("--bytes", type=int, default=4096, metavar="B", help="bytes of each (4096)")
    p.add_argument("--connections", type=int, default=16, metavar="N", help="that ask for them (16)")
    p.add_argument("--seconds", type=float, default=5.0, metavar="S", help="of small requests (5)")
    p.add_argument("--slow", type=int, default=100, metavar="N", help="slow downloads of 1 GB (100)")
    p.add_argument("--slow-seconds", type=float, default=60.0, metavar="S", help="for so long (60)")
    p.add_argument("--slow-rate", type=float, default=250e3, metavar="B", help="bytes/s of each (250000)")
    p.add_argument("--out", type=Path, metavar="DIR", help="write files.md and files.json there")
    p.add_argument("--json", action="store_true", help="print JSON instead of text")
    p.add_argument("--quiet", action="store_true", help="no progress lines")
    return p


def write_files(root: Path, options: argparse.Namespace) -> list[str]:
    """Write what is asked for; return the paths of the small files."""
    with (root / "large.mp4").open("wb") as file:
        for _ in range(options.size):
            file.write(os.urandom(1_000_000))
    with (root / "sparse.mp4").open("wb") as file:
        file.truncate(1_000_000_000)
    for number in range(options.files):
        (root / f"{number}.html").write_bytes(os.urandom(options.bytes))
    return [f"/{number}.html" for number in range(options.files)]


def per_cpu_second(server: Running, work: Callable[[], float]) -> float:
    """Return what *work* did by the CPU time that the server took for it."""
    before = server.cpu_seconds()
    done = work()
    return done / (server.cpu_seconds() - before)


def measure(name: str, server: Running, paths: list[str], options: argparse.Namespace, slow: bool) -> Figure:
    """Measure one server; caches are warm before the clock runs."""
    port = server.port
    download(port, "/large.mp4", 1)
    large = per_cpu_second(server, lambda: download(port, "/large.mp4", options.times) / 1e6)
    ask_many(port, paths, options.connections, min(options.seconds, 1.0))
    small = per_cpu_second(server, lambda: ask_many(port, paths, options.connections, options.seconds))
    grown = None
    if slow:
        looks: list[tuple[float, int]] = []
        download_slowly(
            port, "/sparse.mp4", options.slow, options.slow_rate, options.slow_seconds,
            lambda now: looks.append((now, server.resident())),
        )  # fmt: skip
        begun = [size for now, size in looks if now < options.slow_seconds / 4]
        grown = (max(size for _, size in looks) - begun[-1]) / 2**20
    return Figure(name, large, small, grown)


def judge(figures: list[Figure]) -> list[Goal]:
    """Compare in pairs of one round. A goal is a bound from above, so ratios are nginx by fastflv."""

    def ratio(figure: str) -> float | None:
        own, other = ([getattr(f, figure) for f in figures if f.server == name] for name in SERVERS)
        pairs = [b / a for a, b in zip(own, other, strict=False)]
        return statistics.median(pairs) if pairs else None

    grown = max(
        (f.slow_mib for f in figures if f.server == "fastflv" and f.slow_mib is not None), default=None
    )
    return [
        Goal("a large file", "MB a CPU second, nginx / fastflv", ratio("large_mb"), 1 / LARGE_RATIO),
        Goal("small files", "requests a CPU second, nginx / fastflv", ratio("small"), 1 / SMALL_RATIO),
        Goal("slow downloads", "memory growth once they run", grown, GROWTH_MIB, " MiB"),
    ]


def run(options: argparse.Namespace, argv: list[str]) -> tuple[list[Figure], Results]:
    """Measure both servers, round by round."""
    progress = Progress(options.quiet)
    machine.raise_file_limit(options.slow)
    cores, own = machine.split_cores()
    os.sched_setaffinity(0, own)
    shown = shown_command(argv).replace("benchmarks.fanout", "benchmarks.files")
    results = Results(machine.describe(), {}, shown)
    figures = []
    cache = native.cache_dir()
    with tempfile.TemporaryDirectory(prefix="files-") as temporary, wait_for_turn(cache, progress):
        folder, root = Path(temporary), Path(temporary) / "root"
        # nginx drops its rights and has to reach the files.
        folder.chmod(0o755)
        root.mkdir()
        paths = write_files(root, options)
        for number in range(options.rounds):
            for name, start in SERVERS.items():
                progress.subject = f"round {number + 1}, {name}: "
                server = start(folder, root, cores)
                try:
                    slow = number == 0 and options.slow > 0
                    figures.append(measure(name, server, paths, options, slow))
                finally:
                    server.child.stop()
                found = figures[-1]
                progress.say(f"{found.large_mb:.0f} MB and {found.small:.0f} small files a CPU second")
    progress.subject = ""
    results.goals = judge(figures)
    return figures, results


def text_of(figures: list[Figure], results: Results) -> str:
    """Return the report in Markdown."""
    lines = [
        (f.server, f"{f.large_mb:.0f}", f"{f.small:.0f}", "-" if f.slow_mib is None else f"{f.slow_mib:.1f}")
        for f in figures
    ]
    headings = ("server", "MB a CPU second", "small files a CPU second", "MiB grown by slow downloads")
    shown = [*head(results, "Files over HTTP"), *table(headings, lines), "", *goal_table(results.goals)]
    return "\n".join(shown)


def main(argv: list[str] | None = None) -> int:
    """Run; returns 0, 1 when a goal was missed, 2 when nothing could be measured."""
    arguments = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(arguments)

    def work() -> tuple[str, bool]:
        figures, results = run(options, arguments)
        plain = json.dumps({**results.as_dict(), "figures": [asdict(f) for f in figures]}, indent=1)
        text = text_of(figures, results)
        command.save(options.out, "files", text, plain)
        return plain if options.json else text, results.fell_short

    return command.run("files", work)
