"""`fastflv repair FILE...`: makes finished files of recordings that a crash has left."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from fastflv.errors import FlvError
from fastflv.record.repair import repair


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 where a file could not be repaired."""
    parser = argparse.ArgumentParser(
        prog="fastflv repair",
        description="Keep the whole tags of FLV recordings, or the whole fragments of MP4 ones; write duration, size and "
        "index. NAME.tmp becomes NAME. A file is replaced by a finished one alone.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="recordings, finished or not")
    parser.add_argument("--json", action="store_true", help="write a JSON object for each file")
    args = parser.parse_args(argv)
    status = 0
    for path in args.files:
        try:
            done = repair(path)
        except OSError as error:
            status = 1
            print(f"fastflv: {error.filename or path}: {error.strerror}", file=sys.stderr)
        except FlvError as error:
            status = 1
            print(f"fastflv: {path}: {error}", file=sys.stderr)
        else:
            if args.json:
                print(json.dumps(done._asdict()))
            else:
                seconds = done.duration_ms / 1000
                print(
                    f"{done.path}: {seconds:.1f} s, {done.size} bytes; {done.cut} bytes of a torn end cut off"
                )
    return status
