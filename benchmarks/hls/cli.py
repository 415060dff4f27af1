"""The command line of the benchmark with HLS."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.fanout import clip, command, machine, native, servers
from benchmarks.fanout.cli import shown_command, wait_for_turn
from benchmarks.fanout.progress import Progress
from benchmarks.fanout.session import Bench, started
from benchmarks.files.servers import Running, start_nginx
from benchmarks.hls.viewers import ask, fetch, media_playlist
from benchmarks.joins.report import Results, head, table

HLS = "hls { enabled on; hls_path {work}/objs/nginx/html; hls_fragment 2; hls_window 60; hls_ctx on; }"
"The same block for fastflv and SRS, whose HTTP server has its files there."

MEMORY = "hls { enabled on; hls_fragment 2; hls_window 60; }"
NEWEST = 4
"Segments that each viewer asks for in turn, the newest ones: none of them leaves the window meanwhile."


@dataclass(frozen=True, slots=True)
class Figure:
    """What one server did in one round."""

    server: str
    playlists: float
    "Playlists a CPU second."

    segments: float
    "Segments a CPU second."

    segment_mb: float
    "MB of segments a CPU second."


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.hls",
        description="Serve HLS of one stream of 500 kbit/s: from memory, from disk, beside other servers, and as static files of nginx.",
    )
    p.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds, in each all servers (3)")
    p.add_argument("--viewers", type=int, default=50, metavar="N", help="viewers, a connection each (50)")
    p.add_argument(
        "--seconds", type=float, default=5.0, metavar="S", help="of playlists, and of segments (5)"
    )
    p.add_argument("--srs", type=Path, metavar="PATH", help="SRS's program")
    p.add_argument("--zlm", type=Path, metavar="PATH", help="ZLMediaKit's program")
    p.add_argument("--out", type=Path, metavar="DIR", help="write hls.md and hls.json there")
    p.add_argument("--json", action="store_true", help="print JSON instead of text")
    p.add_argument("--quiet", action="store_true", help="no progress lines")
    return p


def asked(name: str, server: Running, path: str, options: argparse.Namespace) -> Figure:
    """Measure one server, which has the playlist at *path*."""
    port, cpu = server.port, server.cpu_seconds
    viewers = [media_playlist(port, path) for _ in range(options.viewers)]
    paths = [[playlist] for playlist, _ in viewers]
    ask(port, paths, min(options.seconds, 1.0))
    before = cpu()
    playlists, _ = ask(port, paths, options.seconds)
    spent = cpu() - before
    newest = [segments[-NEWEST:] for _, segments in (media_playlist(port, path) for _ in viewers)]
    before = cpu()
    segments, size = ask(port, newest, options.seconds)
    later = cpu() - before
    return Figure(name, playlists / spent, segments / later, size / 1e6 / later)


def save(port: int, path: str, root: Path) -> None:
    """Write the playlist and its segments as files of the same names."""
    playlist, segments = media_playlist(port, path)
    for name in (playlist, *segments):
        file = root / name.partition("?")[0].lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(fetch(port, name) or b"")


def chosen(options: argparse.Namespace) -> dict[str, tuple[servers.Server, str, str]]:
    """Return what takes part: the server, the lines of its vhost, and the path of the playlist."""
    path = "/live/livestream.m3u8"
    found: dict[str, tuple[servers.Server, str, str]] = {
        "fastflv, memory": (servers.Fastflv("fastflv"), MEMORY, path),
        "fastflv, disk": (servers.Fastflv("fastflv"), HLS, path),
    }
    if options.srs:
        found["srs"] = (servers.Srs("srs", options.srs), HLS, path)
    if options.zlm:
        found["zlm"] = (servers.Zlm("zlm", options.zlm), HLS, "/live/livestream/hls.m3u8")
    return found


def run(options: argparse.Namespace, argv: list[str]) -> tuple[list[Figure], Results]:
    """Measure all servers, round by round."""
    progress = Progress(options.quiet)
    cache = native.cache_dir()
    programs = {"publisher": native.build("publisher", cache)}
    machine.raise_file_limit(options.viewers)
    cores, own = machine.split_cores()
    bench = Bench(clip.cached(cache), programs, progress, cores, own)
    os.sched_setaffinity(0, own)
    takes_part = chosen(options)
    versions = {name: server.version() for name, (server, _, _) in takes_part.items()}
    shown = shown_command(argv).replace("benchmarks.fanout", "benchmarks.hls")
    results = Results(machine.describe(), versions, shown)
    figures = []
    with tempfile.TemporaryDirectory(prefix="hls-") as temporary, wait_for_turn(cache, progress):
        folder, root = Path(temporary), Path(temporary) / "root"
        # nginx drops its rights and has to reach the files.
        folder.chmod(0o755)
        for number in range(options.rounds):
            for name, (server, vhost, path) in takes_part.items():
                progress.subject = f"round {number + 1}, {name}: "
                with started(bench, server, window_ms=350, players=options.viewers, vhost=vhost) as live:
                    port = live.settings.http_port
                    running = Running(live.process, port)
                    figures.append(asked(name, running, path, options))
                    if not root.exists():
                        save(port, path, root)
                progress.say(_line(figures[-1]))
            progress.subject = f"round {number + 1}, nginx: "
            nginx = start_nginx(folder, root, cores)
            try:
                figures.append(asked("nginx, files", nginx, _playlist_of(root), options))
            finally:
                nginx.child.stop()
            progress.say(_line(figures[-1]))
    progress.subject = ""
    return figures, results


def _playlist_of(root: Path) -> str:
    return "/" + str(next(root.rglob("*.m3u8")).relative_to(root))


def _line(figure: Figure) -> str:
    return f"{figure.playlists:.0f} playlists, {figure.segments:.0f} segments ({figure.segment_mb:.0f} MB) a CPU second"


def text_of(figures: list[Figure], results: Results) -> str:
    """Return the report in Markdown: medians of the rounds, and ratios to the first server."""
    names = list(dict.fromkeys(each.server for each in figures))

    def median(name: str, what: str) -> float:
        return statistics.median(getattr(each, what) for each in figures if each.server == name)

    lines = [
        (name, *(f"{median(name, what):.0f}" for what in ("playlists", "segments", "segment_mb")),
         *(f"{median(name, what) / median(names[0], what):.2f}" for what in ("playlists", "segments")))
        for name in names
    ]  # fmt: skip
    headings = (
        "server",
        "playlists a CPU s",
        "segments a CPU s",
        "MB a CPU s",
        "playlists, ratio",
        "segments, ratio",
    )
    return "\n".join([*head(results, "HLS"), *table(headings, lines)])


def main(argv: list[str] | None = None) -> int:
    """Run; returns 0, or 2 when nothing could be measured."""
    arguments = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(arguments)

    def work() -> tuple[str, bool]:
        figures, results = run(options, arguments)
        plain = json.dumps({**results.as_dict(), "figures": [asdict(each) for each in figures]}, indent=1)
        text = text_of(figures, results)
        command.save(options.out, "hls", text, plain)
        return plain if options.json else text, results.fell_short

    return command.run("hls", work)
