"""`fastflv upgrade`: have the running server start its new version and hand everything to it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from fastflv import limits
from fastflv.errors import ToolError
from fastflv.net.peertext import printable
from fastflv.tools.runningserver import add_server, ask, pid_file_of


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 where the old process goes on, or nobody answers."""
    args = _parser().parse_args(argv)
    # A new process that does not end gets STOP_SECONDS each time that it is told to.
    seconds = limits.UPGRADE_START_SECONDS + limits.UPGRADE_TAKE_SECONDS + 3 * limits.STOP_SECONDS
    try:
        command = "upgrade drain" if args.drain else "upgrade"
        report = ask(pid_file_of(args.file, args.pid, "upgrade"), command, seconds)
    except ToolError as error:
        report = {"good": False, "problems": [str(error)]}
    if args.json:
        print(json.dumps(report, indent=2))
    elif report["good"]:
        print(printable(summary(report)))
    else:
        problems = report["problems"]
        assert isinstance(problems, list)
        for problem in problems:
            print(f"fastflv upgrade: {printable(str(problem))}", file=sys.stderr)
    return 0 if report["good"] else 1


def summary(report: dict[str, object]) -> str:
    """Return in one sentence what was taken over."""
    taken = report["taken"]
    assert isinstance(taken, dict)
    counts = ", ".join(f"{count} {what}" for what, count in taken.items())
    text = f"process {report['process']}, version {report['version']}, has taken over {counts} in {report['paused_ms']} ms"
    if not report["whole"]:
        return f"{text}; it knows another form of streams, so the old process serves its {report['left']} clients to their end"
    return (
        f"{text}; {report['left']} clients over TLS or HTTP/2 have to come back" if report["left"] else text
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastflv upgrade",
        description="Have the running server start anew, by its own command line, and hand listeners, publishers and players "
        "to the new process. Where that cannot take over, the old one goes on.",
    )
    add_server(parser)
    parser.add_argument(
        "--drain",
        action="store_true",
        help="also for a version that knows another form of streams: it gets the listeners alone, and the old process serves "
        "its clients to their end",
    )
    parser.add_argument("--json", action="store_true", help="write the outcome as JSON")
    return parser
