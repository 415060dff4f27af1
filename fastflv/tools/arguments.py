"""The arguments of `fastflv`: as SRS's where it has them, with an answer to those of other programs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from fastflv import __version__, limits
from fastflv.config.place import OPTIONS

FILE_OPTIONS = ("--config", "--conf", "--config-file", "--file", "-f")
PORT_OPTIONS = ("--port", "--http-port", "--rtmp-port", "--rtmp", "--bind", "--host", "-p", "-l")

WHAT = {
    "--listen": "where to take RTMP",
    "--http": "where to serve HTTP",
    "--api": "where to answer the API",
}


def _workers(text: str) -> int:
    """Read the number of workers; argparse shows the message of the error."""
    if not text.isdecimal() or not 1 <= int(text) <= limits.WORKERS_MAX:
        raise argparse.ArgumentTypeError(f"cannot be '{text}'; write a number from 1 to {limits.WORKERS_MAX}")
    return int(text)


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Format help as wide as `COLUMNS` or the terminal says; argparse would load shutil for it at each start, 0.4 MB."""
    try:
        columns = max(int(os.environ.get("COLUMNS", "")), 0)
    except ValueError:
        columns = 0
    if not columns:
        with suppress(OSError):
            columns = os.get_terminal_size().columns
    return argparse.HelpFormatter(prog, width=(columns or 80) - 2)


class Arguments(argparse.ArgumentParser):
    """The parser; `parse` returns the arguments, or ends the process with a sentence on stderr and status 2."""

    def __init__(self) -> None:
        super().__init__(
            prog="fastflv",
            description="Live server: RTMP in, HTTP-FLV out. Without -c it runs with a built-in configuration: "
            "RTMP on 1935, HTTP-FLV on 8080, API on 127.0.0.1:1985.",
            epilog="Commands: `fastflv probe` tells tracks, rates and delay of a stream or file, `fastflv remux` writes an FLV "
            "file in another container, `fastflv record` writes a stream into a file, `fastflv push` publishes files, `fastflv top` watches a server, `fastflv token` makes and reads tokens, `fastflv reload` and `fastflv upgrade` ask the running server; see `fastflv probe -h` and the like. "
            "`fastflv config sample` has configurations to start from.",
            add_help=False,
            allow_abbrev=False,
            formatter_class=_formatter,
        )
        self.add_argument("-h", "-?", "--help", action="help", help="show this help and exit")
        self.add_argument("-c", metavar="FILE", dest="file", help="configuration file (SRS style)")
        self.add_argument("-t", action="store_true", dest="test", help="test the configuration and exit")
        self.add_argument(
            "--explain", metavar="URL", help="with -t: show what a play or publish of URL would meet"
        )
        self.add_argument(
            "--json", action="store_true", help="with -t: write what is found as JSON to stdout"
        )
        self.add_argument(
            "-e", action="store_true", dest="env_only", help="configuration from SRS_* variables only"
        )
        for path, name in OPTIONS.items():
            self.add_argument(
                name,
                metavar="[IP:]PORT",
                dest=path,
                help=f"{WHAT[name]}, with the built-in configuration",
            )
        self.add_argument(
            "--workers",
            metavar="N",
            type=_workers,
            default=1,
            help="run N processes on the same ports; any of them serves any stream",
        )
        self.add_argument("--demo", action="store_true", help="also publish a small built-in clip in a loop")
        self.add_argument(
            "-v",
            "-V",
            "--version",
            action="version",
            version=__version__,
            help="show the version and exit",
        )
        self.add_argument(
            "-g",
            "-G",
            action="version",
            version=f"fastflv/{__version__}",
            help="show the server's name and exit",
        )

    def parse(self, argv: Sequence[str], environ: Mapping[str, str]) -> argparse.Namespace:
        """Return `file`, `test`, `env_only`, `demo` and `options`, those of the listeners by directive path."""
        args, rest = self.parse_known_args(argv)
        if rest:
            self._refuse(rest)
        if (args.json or args.explain) and not args.test:
            self.error(f"{'--json' if args.json else '--explain'} goes with -t")
        args.options = {
            path: (name, value)
            for path, name in OPTIONS.items()
            if (value := getattr(args, path)) is not None
        }
        elsewhere = args.file or environ.get("SRS_CONFIG_FILE")
        if args.env_only or environ.get("SRS_ENV_ONLY"):
            elsewhere = "the environment"
        if args.options and elsewhere:
            names = ", ".join(name for name, _ in args.options.values())
            self.error(f"{names} changes the built-in configuration; write the listeners into {elsewhere}")
        return args

    def _refuse(self, rest: Sequence[str]) -> NoReturn:
        """Say what to write instead of the first argument that there is not."""
        word, _, value = rest[0].partition("=")
        value = value or next(iter(rest[1:]), "FILE")
        if word in FILE_OPTIONS:
            self.error(f"there is no {word}; write `fastflv -c {value}`")
        if word in PORT_OPTIONS:
            self.error(
                f"there is no {word}; write `--listen PORT` for RTMP, `--http PORT` for HTTP, `--api PORT` for the API"
            )
        if word.startswith("-"):
            self.error(f"there is no option {word}; see `fastflv -h`")
        is_file = os.path.exists(word)
        self.error(
            f"{word} is {'a file' if is_file else 'no command'}; write `fastflv -c {word}` to run with "
            f"{'it' if is_file else 'that configuration file'}"
        )

    def error(self, message: str) -> NoReturn:
        """Write one line; the usage would hide it."""
        self.exit(2, f"fastflv: {message}\n")
