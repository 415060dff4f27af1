"""The command line: the server, and the commands beside it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Final

from fastflv import limits
from fastflv.config.advice import advice, open_files_advice
from fastflv.config.check import check_listeners, check_open_files
from fastflv.config.grammar.filestamp import FileStamps
from fastflv.config.load import load
from fastflv.config.model.server import LogTank, Settings
from fastflv.config.notice import NoticeKind
from fastflv.control.background import in_container
from fastflv.control.process import raise_file_limit
from fastflv.control.runtime import compile_runtime
from fastflv.errors import ConfigError, ConfigValueError, StartupError
from fastflv.net.certificates import Certificates
from fastflv.tools.arguments import Arguments
from fastflv.tools.serve import serve

COMMANDS: Final = {
    "config": "fastflv.tools.sample",
    "probe": "fastflv.tools.probe",
    "push": "fastflv.tools.push",
    "record": "fastflv.tools.record",
    "repair": "fastflv.tools.repair",
    "remux": "fastflv.tools.remux",
    "top": "fastflv.tools.top",
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

    def load_now(stamps: FileStamps) -> Settings:
        return load_checked(args, folder=folder, stamps=stamps)

    stamps: FileStamps = {}
    try:
        settings = load_now(stamps)
        # Lists of rules and routes are refused here, before anything starts and by -t too.
        compile_runtime(settings, 1, folder=_folder(settings))
        check_certificates(settings)
    except (ConfigError, StartupError) as error:
        print(f"fastflv: {error}", file=sys.stderr)
        return 1
    if args.test or settings.log.tank is LogTank.FILE:
        for notice in settings.notices:
            kind = "notice" if notice.kind is NoticeKind.LEGACY else "warning"
            print(f"fastflv: {kind}: {notice}", file=sys.stderr)
    if args.test:
        print("the configuration is good", file=sys.stderr)
        return 0
    try:
        return serve(settings, load_now, stamps, demo=args.demo)
    except StartupError as error:
        print(f"fastflv: {error}", file=sys.stderr)
        return 1


def check_certificates(settings: Settings) -> None:
    """Read the certificates of all listeners. Raises ConfigValueError at the first pair that cannot be used."""
    source = settings.source
    assert source is not None
    rtmps, server, api = settings.rtmps, settings.http_server.https, settings.http_api.https
    blocks = {
        "rtmps": ((rtmps.cert, rtmps.key),) if rtmps is not None else (),
        "http_server.https": server.pairs if settings.http_server.enabled and server.enabled else (),
        "http_api.https": api.pairs
        if settings.http_api.enabled and api.enabled and not settings.api_https_shared
        else (),
    }
    for path, pairs in blocks.items():
        section = source
        for name in path.split("."):
            section = section.sub(name)
        at = section.value("cert") or section.value("key") or section.directive
        folder = _folder(settings)
        for cert, key in pairs:
            try:
                Certificates([(os.path.join(folder, cert), os.path.join(folder, key))])
            except StartupError as error:
                raise ConfigValueError(
                    f"{path}: {error}", file=at.file if at else "", line=at.line if at else 0
                ) from error


def _folder(settings: Settings) -> str:
    """Return where relative paths of files start once the server is in its work_dir."""
    return "" if settings.work_dir == "./" else settings.work_dir


def load_checked(args: argparse.Namespace, *, folder: str, stamps: FileStamps) -> Settings:
    """Load the configuration and compare it with the open files that this process may have.

    Without a file and a variable that says it, `max_connections` is as many as they allow. Raises ConfigError and
    StartupError.
    """
    settings = load(
        args.file,
        environ=os.environ,
        env_only=args.env_only,
        folder=folder,
        stamps=stamps,
        contained=in_container(os.environ),
        options=args.options,
    )
    check_listeners(settings)
    settings = replace(settings, notices=(*settings.notices, *advice(settings)))
    open_files = raise_file_limit()
    if args.file is None and "SRS_MAX_CONNECTIONS" not in os.environ:
        room = (open_files - limits.CONNECTIONS_RESERVED - 1) // limits.CONNECTION_DESCRIPTORS_MAX
        settings = replace(settings, max_connections=min(max(room, 1), limits.CONNECTIONS_DEFAULT_MAX))
    check_open_files(settings, open_files)
    return replace(settings, notices=(*settings.notices, *open_files_advice(settings, open_files)))
