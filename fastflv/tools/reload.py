"""`fastflv reload`: have the running server read its configuration again, and tell what came of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from fastflv import limits
from fastflv.control.outcome import lines
from fastflv.errors import ToolError
from fastflv.net.peertext import printable
from fastflv.tools.runningserver import add_server, ask, pid_file_of


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 where the reload is refused, or nobody answers."""
    args = _parser().parse_args(argv)
    try:
        report = ask(
            pid_file_of(args.file, args.pid, "reload"),
            "plan" if args.plan else "reload",
            limits.COMMAND_ANSWER_SECONDS,
        )
    except ToolError as error:
        report = {"good": False, "problems": [str(error)]}
    if args.json:
        print(json.dumps(report, indent=2))
    elif report["good"]:
        for line in lines(report):
            print(printable(line))
        if not args.plan:
            print(f"configuration {report['configuration']} is in force")
    else:
        problems = report["problems"]
        assert isinstance(problems, list)
        for problem in problems:
            print(f"fastflv reload: {printable(str(problem))}", file=sys.stderr)
    return 0 if report["good"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastflv reload",
        description="Have the running server read its configuration again, and show which differences count, and when.",
    )
    add_server(parser)
    parser.add_argument("--plan", action="store_true", help="show the differences, and apply nothing")
    parser.add_argument("--json", action="store_true", help="write the outcome as JSON")
    return parser
