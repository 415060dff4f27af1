"""The command line: the server, and the commands beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

from fastflv import limits
from fastflv.config.grammar.filestamp import FileStamps
from fastflv.config.model.server import LogTank, Settings
from fastflv.control.takeover import Takeover
from fastflv.control.upgrade import CommandLine
from fastflv.control.workerplace import WorkerPlace
from fastflv.errors import ConfigError, StartupError
from fastflv.tools.arguments import Arguments
from fastflv.tools.configtest import load_checked, print_findings, work_folder
from fastflv.tools.serve import serve

COMMANDS: Final = {
    "config": "fastflv.tools.config",
    "probe": "fastflv.tools.probe",
    "push": "fastflv.tools.push",
    "record": "fastflv.tools.record",
    "repair": "fastflv.tools.repair",
    "reload": "fastflv.tools.reload",
    "remux": "fastflv.tools.remux",
    "top": "fastflv.tools.top",
    "token": "fastflv.tools.token",
    "upgrade": "fastflv.tools.upgrade",
}
"Modules of the commands beside the server."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    try:
        status = run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads the output has closed it, as `head` does. What is buffered would raise again at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return limits.CLOSED_PIPE_STATUS
    return status


def run(argv: Sequence[str] | None) -> int:
    """Run the command; return the exit status. Raises BrokenPipeError when stdout is closed."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in COMMANDS:
        # Each command loads what it needs, and the server none of it.
        main: Callable[[Sequence[str]], int] = import_module(COMMANDS[argv[0]]).main
        return main(argv[1:])
    args = Arguments().parse(argv, os.environ)
    # A reload reads the same files, whatever work_dir says.
    folder = os.getcwd()
    takeover = Takeover.inherited(os.environ)

    def load_now(stamps: FileStamps) -> Settings:
        return load_checked(args, folder=folder, stamps=stamps, uses_in=lambda settings: "")

    stamps: FileStamps = {}
    try:
        settings = load_checked(args, folder=folder, stamps=stamps, uses_in=work_folder)
    except (ConfigError, StartupError) as error:
        print_findings(error, (), as_json=args.json)
        if takeover is not None:
            takeover.refuse(str(error))
        return 1
    if args.test and args.explain:
        # Loaded for it alone: neither the server nor a plain test pays for it.
        from fastflv.tools.explain import answer

        return answer(settings, args.explain, as_json=args.json)
    if args.test:
        print_findings(None, settings.notices, as_json=args.json)
        if not args.json:
            print("the configuration is good", file=sys.stderr)
        return 0
    if settings.log.tank is LogTank.FILE:
        print_findings(None, settings.notices, as_json=False)
    try:
        command = CommandLine((sys.executable, *sys.orig_argv[1:]), folder)
        place = WorkerPlace.take(os.environ)
        if args.workers > 1 and place is None:
            from fastflv.tools.supervise import supervise

            return supervise(settings, args.workers, command, takeover)
        return serve(
            settings, load_now, stamps, command=command, takeover=takeover, demo=args.demo, worker=place
        )
    except StartupError as error:
        print(f"fastflv: {error}", file=sys.stderr)
        return 1
