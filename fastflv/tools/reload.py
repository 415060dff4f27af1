"""`fastflv reload`: have the running server read its configuration again, and tell what came of it."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Sequence

from fastflv import limits
from fastflv.config.grammar.problems import Problems, TooManyProblems
from fastflv.config.load import load
from fastflv.control.commandsocket import socket_path
from fastflv.control.outcome import lines
from fastflv.errors import ConfigFileError, ToolError
from fastflv.net.peertext import printable


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 where the reload is refused, or nobody answers."""
    args = _parser().parse_args(argv)
    try:
        report = _ask(_pid_file(args), "plan" if args.plan else "reload")
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
    parser.add_argument(
        "-c", metavar="FILE", dest="file", help="the server's configuration file; it names the pid file"
    )
    parser.add_argument(
        "--pid", metavar="FILE", help="the server's pid file, instead of the one that -c names"
    )
    parser.add_argument("--plan", action="store_true", help="show the differences, and apply nothing")
    parser.add_argument("--json", action="store_true", help="write the outcome as JSON")
    return parser


def _pid_file(args: argparse.Namespace) -> str:
    """The path of the pid file. A file with problems names one too: the server says what is wrong with it."""
    if args.pid:
        return str(args.pid)
    if args.file is None and not os.environ.get("SRS_CONFIG_FILE"):
        raise ToolError(
            "write the server's configuration file, `fastflv reload -c FILE`, or its pid file, `--pid FILE`"
        )
    problems = Problems()
    try:
        settings = load(args.file, environ=os.environ, problems=problems)
    except TooManyProblems:
        raise ToolError(f"{args.file} cannot be read; name the pid file, `--pid FILE`") from None
    found = problems.error()
    for each in found.problems if found is not None else ():
        if isinstance(each, ConfigFileError) and not each.line:
            raise ToolError(str(each))
    return os.path.normpath(os.path.join(settings.work_dir, settings.pid))


def _ask(pid_file: str, command: str) -> dict[str, object]:
    """Ask the server with that pid file. Raises ToolError where it does not answer."""
    path = socket_path(pid_file)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(limits.COMMAND_ANSWER_SECONDS)
            peer.connect(path)
            peer.sendall(f"{command}\n".encode())
            with peer.makefile("rb") as answer:
                report = json.loads(answer.readline())
    except (FileNotFoundError, ConnectionRefusedError):
        here = "" if os.path.isabs(path) else f" in {os.getcwd()}, and the path is relative"
        raise ToolError(
            f"no server answers at {path}{here}; is it running, and does its configuration say `pid`?"
        ) from None
    except PermissionError:
        raise ToolError(f"{path} is of another user; run this as the server's user, or as root") from None
    except (OSError, ValueError) as error:
        raise ToolError(f"the server at {path} did not answer: {error}") from error
    assert isinstance(report, dict)
    return report
