"""`fastflv push FILE... URL`: publish FLV files at their own pace."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import chain

from fastflv import limits
from fastflv.config.masking import masked
from fastflv.containers.flv.reader import FlvTag
from fastflv.errors import ToolError
from fastflv.net.peertext import printable
from fastflv.tools.failure import INTERRUPTED, fail
from fastflv.tools.filesource import FileSource, is_file
from fastflv.tools.interrupt import Interrupt
from fastflv.tools.progress import Progress, open_progress
from fastflv.tools.sequence import in_sequence
from fastflv.tools.source import connection_fault, split_url, tls_context
from fastflv.tools.target import Target, open_target


class Push:
    """One run of the command."""

    def __init__(self, paths: Sequence[str], interrupt: Interrupt, *, loop: bool, speed: float) -> None:
        """*speed*: 1 is the pace of the files; 0: as fast as the server takes it."""
        self.paths = paths
        self.interrupt = interrupt
        self.loop = loop
        self.speed = speed
        self.warnings: list[str] = []
        self.time_ms = 0
        "Time of the newest tag, ms."
        self.tags = 0

    def run(self, target: Target, progress: Progress) -> None:
        """Send everything, or as much as there is time for. Raises as a target does."""
        began = time.monotonic()
        for tag in in_sequence(self._clips()):
            if self.interrupt.asked:
                return
            if self.speed:
                due = began + tag.time_ms / 1000 / self.speed
                # At least one look at what the server says.
                target.wait(max(due - time.monotonic(), 0.0001 if not self.tags & 15 else 0.0))
            elif not self.tags & 15:
                target.wait(0.0001)
            target.send(tag)
            self.tags += 1
            self.time_ms = max(self.time_ms, tag.time_ms)
            progress.show(target.sent, 0, self.time_ms)

    def _clips(self) -> Iterator[Iterator[FlvTag]]:
        """The files as often as they are sent."""
        while True:
            for path in self.paths:
                yield self._clip(path)
            if not self.loop:
                return

    def _clip(self, path: str) -> Iterator[FlvTag]:
        source = FileSource(path)
        source.interrupt = self.interrupt
        yield from chain.from_iterable(source.tags())
        if source.fault and source.fault not in self.warnings:
            self.warnings.append(source.fault)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="fastflv push",
        description="Publish FLV files, one behind the other, at their own pace.",
    )
    made.add_argument("files", nargs="+", metavar="file", help="FLV files, - for stdin")
    made.add_argument(
        "url",
        help="where to: rtmp://HOST/APP/STREAM, the URL of an .flv mount by http or ws, or that of a caster",
    )
    made.add_argument("--loop", action="store_true", help="begin again behind the last file, until Ctrl-C")
    made.add_argument(
        "--speed",
        type=float,
        default=1.0,
        help="times the pace of the files; 0: as fast as it goes (default 1)",
    )
    made.add_argument("--insecure", action="store_true", help="take any certificate")
    made.add_argument("--json", action="store_true", help="write a report as JSON")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 when not all was sent, 130 after Ctrl-C, which ends a `--loop` with 0."""
    args = parser().parse_args(argv)
    interrupt = Interrupt()
    interrupt.install()
    push = Push(args.files, interrupt, loop=args.loop, speed=max(args.speed, 0.0))
    began = time.monotonic()
    target: Target | None = None
    try:
        _check(args.files, args.url, loop=args.loop)
        try:
            target = open_target(args.url, tls_context(verify=not args.insecure), interrupt)
            with open_progress(masked(args.url)) as progress:
                push.run(target, progress)
        except KeyboardInterrupt:
            interrupt.asked = True
        if target is not None:
            if not push.tags and not interrupt.asked:
                raise ToolError(push.warnings[0] if push.warnings else "the files have no media")
            interrupt.asked, asked = False, interrupt.asked
            target.finish()
            interrupt.asked = asked
    except ToolError as error:
        return fail("push", error, as_json=args.json)
    except OSError as error:
        authority = split_url(args.url).netloc.rpartition("@")[2]
        fault = connection_fault(error, authority, limits.TOOL_WAIT_SECONDS)
        if push.tags:
            why = str(error.strerror or error).lower()
            fault = ToolError(f"the connection was lost after {push.time_ms / 1000:.1f} s of media: {why}")
        return fail("push", fault, as_json=args.json)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if target is not None:
            target.close()
    report = {
        "url": masked(args.url),
        "files": list(args.files),
        "seconds": round(push.time_ms / 1000, 3),
        "took": round(time.monotonic() - began, 3),
        "bytes": target.sent if target is not None else 0,
        "warnings": push.warnings,
        "interrupted": interrupt.asked,
    }
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        for warning in push.warnings:
            print(f"fastflv push: warning: {printable(warning)}", file=sys.stderr)
    if interrupt.asked and not args.loop:
        return INTERRUPTED
    return 1 if push.warnings else 0


def _check(files: Sequence[str], url: str, *, loop: bool) -> None:
    """Raise ToolError for arguments that cannot be."""
    if is_file(url):
        raise ToolError(
            f"{printable(url)} is no URL; the last argument says where to, as rtmp://HOST/APP/STREAM"
        )
    split_url(url)
    for path in files:
        if not is_file(path):
            raise ToolError(f"{masked(path)} is no file; a push has one URL, behind the files")
        if path == "-" and loop:
            raise ToolError("stdin cannot be read again; leave --loop out, or give a file")
