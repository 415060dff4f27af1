"""`fastflv record URL FILE`: a live stream into a file, as a player gets it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from fastflv import limits
from fastflv.config.masking import masked
from fastflv.containers.flv.reader import FlvTag
from fastflv.errors import ToolError
from fastflv.media.codecs import SCRIPT
from fastflv.net.peertext import printable
from fastflv.tools.failure import fail
from fastflv.tools.interrupt import Interrupt
from fastflv.tools.output import Output
from fastflv.tools.outputs import OUTPUTS, open_output
from fastflv.tools.progress import Progress, open_progress
from fastflv.tools.source import Source, connection_fault, open_source, split_url


class Record:
    """One recording, until the stream ends, it has its length, or the command is interrupted."""

    def __init__(self, source: Source, output: Output, interrupt: Interrupt, duration: float) -> None:
        """*duration*: media to record, seconds; 0: no bound."""
        self.source = source
        self.output = output
        self.interrupt = interrupt
        self.ended = "stream ended"
        "Why it ended."
        self.warnings: list[str] = []
        self.media = False
        "Some media came."
        self._most_ms = round(duration * 1000)
        self._first: int | None = None
        "Time of the first frame, ms."

    def run(self, progress: Progress) -> None:
        """Read the stream into the output, which is whole then. Raises ToolError, OSError where there is no media."""
        source, remuxer = self.source, self.output.remuxer
        source.interrupt = self.interrupt
        try:
            for tags in source.tags():
                source.deadline = time.monotonic() + limits.TOOL_STALL_SECONDS
                within = self._within(tags)
                self.output.write(remuxer.take(within))
                progress.show(source.received, 0, remuxer.time_ms)
                if len(within) < len(tags):
                    self.ended = "duration"
                    break
                if self.interrupt.asked:
                    raise KeyboardInterrupt
            else:
                if source.cut:
                    self._break_off("the connection was lost")
                elif time.monotonic() >= source.deadline:
                    self.ended = "silent"
        except KeyboardInterrupt:
            self.ended = "interrupted"
        except (ToolError, OSError) as error:
            if not self.media or getattr(error, "filename", None):
                raise
            self._break_off(str(error))
        if not self.media:
            raise ToolError("no media came; does anybody publish the stream?")
        self.output.finish()

    def _break_off(self, why: str) -> None:
        self.ended = "broken off"
        self.warnings.append(f"the stream is broken off: {why}")

    def _within(self, tags: list[FlvTag]) -> list[FlvTag]:
        """The tags before the end of the recording."""
        for at, tag in enumerate(tags):
            if tag.kind == SCRIPT or not tag.body:
                continue
            if self._first is None:
                self._first = tag.time_ms
            self.media = True
            if self._most_ms and tag.time_ms - self._first >= self._most_ms:
                return tags[:at]
        return tags


def with_gop(url: str) -> str:
    """Return *url* with a start that keeps the distances of frames: a server may press the past of a stream together for players."""
    parts = urlsplit(url)
    if "start" in parse_qs(parts.query, keep_blank_values=True):
        return url
    return parts._replace(query=f"{parts.query}&start=gop" if parts.query else "start=gop").geturl()


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="fastflv record",
        description=f"Write a live stream into a file: {', '.join(OUTPUTS)}. Ctrl-C ends it, and the file is whole.",
    )
    made.add_argument(
        "url", help="the URL that a player would use: http, https, ws, wss (FLV), rtmp or rtmps"
    )
    made.add_argument("output", help="the file to write; its ending chooses the container")
    made.add_argument(
        "--duration", type=float, default=0.0, help="how much to record, seconds (default: to the end)"
    )
    made.add_argument(
        "--wait",
        type=float,
        default=limits.TOOL_WAIT_SECONDS,
        help="how long to wait for the first media, seconds (default %(default)g)",
    )
    made.add_argument("--insecure", action="store_true", help="take any certificate")
    made.add_argument("-f", "--force", action="store_true", help="replace a file that is there")
    made.add_argument("--json", action="store_true", help="write a report as JSON")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 when the stream could not be read, or was broken off."""
    args = parser().parse_args(argv)
    interrupt = Interrupt()
    interrupt.install()
    output: Output | None = None
    try:
        split_url(args.url)
        source = open_source(with_gop(args.url), timeout=args.wait, verify=not args.insecure)
        output = open_output(args.output, replace=args.force)
        recording = Record(source, output, interrupt, max(args.duration, 0.0))
        with open_progress(masked(args.url)) as progress:
            recording.run(progress)
    except (ToolError, OSError) as error:
        if output is not None:
            output.discard()
        if isinstance(error, OSError) and not error.filename:
            error = connection_fault(error, source.authority, args.wait)
        return fail("record", error, as_json=args.json)
    report = {
        "url": masked(args.url),
        "output": output.path,
        "seconds": round(output.remuxer.time_ms / 1000, 3),
        "bytes": output.size,
        "ended": recording.ended,
        "warnings": recording.warnings,
    }
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        for warning in recording.warnings:
            print(f"fastflv record: warning: {printable(warning)}", file=sys.stderr)
    return 1 if recording.warnings else 0
