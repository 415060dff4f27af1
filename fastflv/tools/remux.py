"""`fastflv remux IN.flv OUT`: an FLV file in another container, by the muxers that play live streams."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from fastflv.errors import ToolError
from fastflv.net.peertext import printable
from fastflv.tools.failure import INTERRUPTED, fail
from fastflv.tools.filesource import FileSource
from fastflv.tools.interrupt import Interrupt
from fastflv.tools.output import Output
from fastflv.tools.outputs import OUTPUTS, open_output
from fastflv.tools.progress import Progress, open_progress


def remux(source: FileSource, output: Output, interrupt: Interrupt, progress: Progress) -> None:
    """Write the whole tags of *source*, as many as there are when *interrupt* is asked. Raises ToolError, OSError."""
    source.interrupt = interrupt
    try:
        for tags in source.tags():
            output.write(output.remuxer.take(tags))
            progress.show(source.received, source.size, output.remuxer.time_ms)
            if interrupt.asked:
                break
    except KeyboardInterrupt:
        # A pipe that is silent; what came of it is kept.
        interrupt.asked = True
    if not (output.remuxer.writer.audio_tags or output.remuxer.writer.video_tags):
        raise ToolError(source.fault or f"{source.name} has no media")
    output.finish()


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="fastflv remux",
        description=f"Write an FLV file in another container: {', '.join(OUTPUTS)}. Nothing is encoded anew.",
    )
    made.add_argument("input", help="an FLV file, - for stdin")
    made.add_argument("output", help="the file to write; its ending chooses the container")
    made.add_argument("-f", "--force", action="store_true", help="replace a file that is there")
    made.add_argument("--json", action="store_true", help="write a report as JSON")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 when not all of the file could be read or written, 130 after Ctrl-C."""
    args = parser().parse_args(argv)
    interrupt = Interrupt()
    interrupt.install()
    source = FileSource(args.input)
    output: Output | None = None
    try:
        output = open_output(args.output, replace=args.force)
        with open_progress(f"{source.name}") as progress:
            remux(source, output, interrupt, progress)
    except (ToolError, OSError) as error:
        if output is not None:
            output.discard()
        return fail("remux", error, as_json=args.json)
    report = {
        "input": source.path,
        "output": output.path,
        "seconds": round(output.remuxer.time_ms / 1000, 3),
        "bytes": output.size,
        "warnings": [source.fault] if source.fault else [],
        "interrupted": interrupt.asked,
    }
    if args.json:
        print(json.dumps(report, indent=2))
    elif source.fault:
        print(f"fastflv remux: warning: {printable(source.fault)}", file=sys.stderr)
    return INTERRUPTED if interrupt.asked else 1 if source.fault else 0
