"""`fastflv top`: streams, players and lag of a running server, from its public API."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Final

from fastflv import limits
from fastflv.errors import ToolError
from fastflv.net.peertext import printable
from fastflv.tools.failure import INTERRUPTED, fail
from fastflv.tools.interrupt import Interrupt
from fastflv.tools.overview import Api, Look, take_look

Column = tuple[str, str, str]

STREAM_COLUMNS: Final[tuple[Column, ...]] = (
    ("url", "STREAM", "<"),
    ("state", "STATE", "<"),
    ("players", "PLAYERS", ">"),
    ("in_kbps", "IN kbit/s", ">"),
    ("out_kbps", "OUT kbit/s", ">"),
    ("frame_rate", "FRAMES/s", ">"),
    ("lagging", "LAGGING", ">"),
    ("lag_ms", "LAG ms", ">"),
)
"Name in the row, title, and side on which it stands."

PLAYER_COLUMNS: Final[tuple[Column, ...]] = (
    ("id", "PLAYER", "<"),
    ("ip", "ADDRESS", "<"),
    ("url", "STREAM", "<"),
    ("type", "TYPE", "<"),
    ("lag_ms", "LAG ms", ">"),
    ("drops", "THINNED", ">"),
    ("jumps", "JUMPS", ">"),
)


def heading(look: Look) -> str:
    """The line about the server."""
    own = look.summary
    hours, rest = divmod(int(own["uptime_seconds"]), 3600)
    return (
        f"fastflv {own['version']} at {look.url}, up {hours}:{rest // 60:02}:{rest % 60:02}; "
        f"{look.streams_total} streams, {look.clients_total} clients, {look.lagging} lag, "
        f"{own['connections']} connections; cpu {own['cpu_percent']:g} %, {own['memory_bytes'] >> 20} MiB"
    )


def cells(rows: Sequence[dict[str, object]], columns: Sequence[Column]) -> list[list[str]]:
    """The rows as printable text; what is not known is `-`."""
    return [
        [printable("-" if row[name] is None else str(row[name])) for name, _, _ in columns] for row in rows
    ]


def text_of(look: Look) -> str:
    """The look as plain text, all streams of it."""
    parts = [heading(look), "", *_lines(look.streams, STREAM_COLUMNS)]
    if look.players:
        parts += ["", *_lines(look.players, PLAYER_COLUMNS)]
    return "\n".join(parts)


def _lines(rows: Sequence[dict[str, object]], columns: Sequence[Column]) -> list[str]:
    table = [[title for _, title, _ in columns], *cells(rows, columns)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            f"{cell:{side}{width}}" for cell, width, (_, _, side) in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in table
    ]


def watch(api: Api, seconds: float, show: Callable[[Look], None], *, once: bool) -> None:
    """Show a look each *seconds*. Raises ToolError when the server does not answer."""
    # Frame rates need two looks.
    before = take_look(api)
    if once:
        time.sleep(limits.TOP_FIRST_SECONDS)
    while True:
        look = take_look(api, before)
        show(look)
        if once:
            return
        before = look
        time.sleep(seconds)


def live_view(api: Api, seconds: float) -> None:
    """Show the server on the terminal until Ctrl-C, as many streams as fit."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    console = Console()

    def table(rows: Sequence[dict[str, object]], columns: Sequence[Column]) -> Table:
        made = Table(box=None, expand=True, header_style="reverse", pad_edge=False)
        for _, title, side in columns:
            made.add_column(title, justify="left" if side == "<" else "right", no_wrap=True)
        for row in cells(rows, columns):
            made.add_row(*map(Text, row))
        return made

    with Live(console=console, screen=True, auto_refresh=False) as live:

        def show(look: Look) -> None:
            room = max(1, console.height - 5 - (len(look.players) + 2 if look.players else 0))
            parts: list[Text | Table] = [
                Text(heading(look)),
                Text(),
                table(look.streams[:room], STREAM_COLUMNS),
            ]
            if len(look.streams) > room:
                parts.append(Text(f"and {look.streams_total - room} more streams"))
            if look.players:
                parts += [Text(), table(look.players, PLAYER_COLUMNS)]
            live.update(Group(*parts), refresh=True)

        watch(api, seconds, show, once=False)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="fastflv top",
        description="Show streams, players and lag of a running server, from its HTTP API. On a terminal the view is "
        "live; into a pipe each look is a block of text.",
    )
    made.add_argument(
        "url",
        nargs="?",
        default="http://127.0.0.1:1985",
        help="the port of http_api, or its URL (default %(default)s)",
    )
    made.add_argument(
        "--interval",
        type=float,
        default=limits.TOP_SECONDS,
        help="seconds between looks (default %(default)g)",
    )
    made.add_argument("--once", action="store_true", help="one look, as text")
    made.add_argument("--json", action="store_true", help="each look is one line of JSON")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 when the server does not answer."""
    args = parser().parse_args(argv)
    seconds = max(args.interval, limits.TOP_SECONDS_MIN)

    def show(look: Look) -> None:
        print(json.dumps(look.as_json()) if args.json else f"{text_of(look)}\n", flush=True)

    interrupt = Interrupt()
    interrupt.install()
    try:
        with interrupt.waiting():
            api = Api(args.url)
            if args.once or args.json or not sys.stdout.isatty():
                watch(api, seconds, show, once=args.once)
            elif find_spec("rich") is None:
                raise ToolError(
                    "the live view needs the package rich: pip install 'fastflv[progress]', or ask with --once"
                )
            else:
                live_view(api, seconds)
    except KeyboardInterrupt:
        # A view without an end is done when nobody looks any more.
        return INTERRUPTED if args.once else 0
    except ToolError as error:
        return fail("top", error, as_json=args.json)
    return 0
