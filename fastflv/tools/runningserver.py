"""The server that runs on this machine with a pid file, and what commands ask it."""

from __future__ import annotations

import argparse
import json
import os
import socket

from fastflv.config.grammar.problems import Problems, TooManyProblems
from fastflv.config.load import load
from fastflv.control.commandsocket import socket_path
from fastflv.errors import ConfigFileError, ToolError


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name the server."""
    parser.add_argument(
        "-c", metavar="FILE", dest="file", help="the server's configuration file; it names the pid file"
    )
    parser.add_argument(
        "--pid", metavar="FILE", help="the server's pid file, instead of the one that -c names"
    )


def pid_file_of(file: str | None, pid: str | None, command: str) -> str:
    """Return the path of the pid file: *pid*, or what the configuration *file* names. Raises ToolError.

    A file with problems names one too: the server says what is wrong with it.
    """
    if pid:
        return pid
    if file is None and not os.environ.get("SRS_CONFIG_FILE"):
        raise ToolError(
            f"write the server's configuration file, `fastflv {command} -c FILE`, or its pid file, `--pid FILE`"
        )
    problems = Problems()
    try:
        settings = load(file, environ=os.environ, problems=problems)
    except TooManyProblems:
        raise ToolError(f"{file} cannot be read; name the pid file, `--pid FILE`") from None
    found = problems.error()
    for each in found.problems if found is not None else ():
        if isinstance(each, ConfigFileError) and not each.line:
            raise ToolError(str(each))
    return os.path.normpath(os.path.join(settings.work_dir, settings.pid))


def ask(pid_file: str, command: str, seconds: float) -> dict[str, object]:
    """Ask the server with that pid file; it has *seconds* to answer. Raises ToolError where it does not."""
    path = socket_path(pid_file)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(seconds)
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
