"""`fastflv -t`: what is wrong with a configuration and what is odd, as lines or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace

from fastflv import limits
from fastflv.config.advice import advice, open_files_advice
from fastflv.config.check import check_listeners, check_open_files
from fastflv.config.grammar.filestamp import FileStamps
from fastflv.config.grammar.problems import Problems, TooManyProblems, value_error
from fastflv.config.load import load
from fastflv.config.model.server import Settings
from fastflv.config.notice import Notice, NoticeKind
from fastflv.config.workers import check_workers
from fastflv.control.background import in_container
from fastflv.control.process import raise_file_limit
from fastflv.control.runtime import compile_runtime
from fastflv.errors import ConfigError, FlvError, StartupError
from fastflv.net.certificates import Certificates
from fastflv.net.peertext import printable


def load_checked(
    args: argparse.Namespace,
    *,
    folder: str,
    stamps: FileStamps,
    uses_in: Callable[[Settings], str] | None = None,
) -> Settings:
    """Load the configuration and compare it with what this process may have.

    Without a file and a variable that says it, `max_connections` is as many as the open files allow. *uses_in*: where
    the relative paths of certificates and keys start, which are then read too; None: they are not.
    Raises ConfigError, which carries all problems, and StartupError.
    """
    problems = Problems()
    try:
        settings = load(
            args.file,
            environ=os.environ,
            env_only=args.env_only,
            folder=folder,
            stamps=stamps,
            contained=in_container(os.environ),
            options=args.options,
            problems=problems,
        )
        if not problems:
            with problems.collected():
                check_listeners(settings)
            if args.workers > 1:
                check_workers(settings, problems)
        if uses_in is not None and settings.source is not None:
            check_certificates(settings, problems, uses_in(settings))
            with problems.collected():
                # Keys, hooks and lists of rules are refused here, before anything starts and by -t too.
                compile_runtime(settings, 1, folder=uses_in(settings))
    except TooManyProblems:
        pass
    problems.raise_found()
    settings = replace(settings, notices=(*settings.notices, *advice(settings)))
    open_files = raise_file_limit()
    if args.file is None and "SRS_MAX_CONNECTIONS" not in os.environ:
        room = (open_files - limits.CONNECTIONS_RESERVED - 1) // limits.CONNECTION_DESCRIPTORS_MAX
        settings = replace(settings, max_connections=min(max(room, 1), limits.CONNECTIONS_DEFAULT_MAX))
    check_open_files(settings, open_files)
    return replace(settings, notices=(*settings.notices, *open_files_advice(settings, open_files)))


def check_certificates(settings: Settings, problems: Problems, folder: str) -> None:
    """Read the certificates of all listeners; add a problem for each pair that cannot be used."""
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
        for index, files in enumerate(pairs):
            cert, key = (os.path.join(folder, file) for file in files)
            try:
                Certificates([(cert, key)])
            except StartupError as error:
                at = section.value("key" if key in str(error) and cert not in str(error) else "cert")
                place = at.only(index) if at is not None and index < len(at.words) else at
                problems.add(value_error(place or section.directive, f"{path}: {error}"))


def work_folder(settings: Settings) -> str:
    """Return where relative paths of files start once the server is in its work_dir."""
    return "" if settings.work_dir == "./" else settings.work_dir


def print_findings(error: FlvError | None, notices: Iterable[Notice], *, as_json: bool) -> None:
    """Write the problems of *error* and *notices*: lines to stderr, JSON to stdout."""
    problems = error.problems if isinstance(error, ConfigError) else (error,) if error is not None else ()
    if as_json:
        found = {
            "good": not problems,
            "problems": [_problem(each) for each in problems],
            "notices": [
                {"severity": _severity(each), **_place(each), "message": each.text} for each in notices
            ],
        }
        print(json.dumps(found, indent=2))
        return
    for each in problems:
        print(f"fastflv: {printable(str(each))}", file=sys.stderr)
    for notice in notices:
        print(f"fastflv: {_severity(notice)}: {printable(str(notice))}", file=sys.stderr)
    if len(problems) >= limits.CONFIG_PROBLEMS_MAX:
        print(f"fastflv: reading ended at {len(problems)} problems", file=sys.stderr)


def _severity(notice: Notice) -> str:
    return "notice" if notice.kind is NoticeKind.LEGACY else "warning"


def _place(at: Notice | ConfigError) -> dict[str, object]:
    return {"file": at.file, "line": at.line, "column": at.column}


def _problem(error: FlvError) -> dict[str, object]:
    if not isinstance(error, ConfigError):
        return {
            "code": int(error.code),
            "file": "",
            "line": 0,
            "column": 0,
            "message": str(error),
            "hint": "",
        }
    return {"code": int(error.code), **_place(error), "message": error.detail, "hint": error.hint}
