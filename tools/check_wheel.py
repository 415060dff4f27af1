"""Check that a wheel holds what it must and nothing else: `python tools/check_wheel.py WHEEL ...`."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path, PurePosixPath

EXTENSIONS = [
    "core/memory",
    "fanout/change",
    "fanout/cursor",
    "fanout/framing",
    "fanout/group",
    "fanout/handover",
    "fanout/ladder",
    "fanout/loadwindow",
    "fanout/pace",
    "fanout/player",
    "fanout/round",
    "fanout/sender",
    "fanout/serve",
    "fanout/thread",
    "ingest/accessunits",
    "ingest/adtsframes",
    "ingest/chunkread",
    "ingest/chunkstate",
    "ingest/chunkwrite",
    "ingest/dependency",
    "ingest/feeds",
    "ingest/figures",
    "ingest/headers",
    "ingest/inlet",
    "ingest/interleaver",
    "ingest/keptgop",
    "ingest/lowwater",
    "ingest/pictures",
    "ingest/readpace",
    "ingest/sink",
    "ingest/streamwriter",
    "ingest/tagread",
    "ingest/tagstate",
    "ingest/tagwriter",
    "ingest/timeline",
    "ingest/writerstate",
    "log/arena",
    "log/block",
    "log/epoch",
    "log/excerpt",
    "log/floor",
    "log/follower",
    "log/keyheaders",
    "log/log",
    "log/logstate",
    "log/medialog",
    "log/mediatag",
    "log/observer",
    "log/page",
    "log/past",
    "log/paststate",
    "log/rate",
    "log/spool",
    "log/timeshift",
    "log/view",
    "log/waker",
    "mux/compactstart",
    "mux/flvmux",
    "mux/rawaudio",
    "mux/remux",
    "mux/replay",
    "mux/rtmpmux",
    "syntax/adts",
    "syntax/flvtag",
    "syntax/nalu",
    "syntax/retime",
    "syntax/tagwalk",
    "ts/clock",
    "ts/crc32",
    "ts/file",
    "ts/mux",
    "ts/packet",
    "ts/program",
    "ts/programstate",
    "ts/start",
    "ts/tables",
]
DATA = (
    "fastflv/py.typed",
    "fastflv/config/default.conf",
    "fastflv/config/samples/http.flv.live.conf",
    "fastflv/tools/demo.flv",
    "fastflv/console/index.html",
    "fastflv/console/index.html.br",
    "fastflv/console/players/index.html",
    "fastflv/console/console/index.html",
    "fastflv/console/THIRD-PARTY.txt",
)
PAGES = "fastflv/console/"
"What npm has built."

PAGE_KINDS = {".html", ".js", ".css", ".svg", ".txt", ".gz", ".br"}
KINDS = {".py", ".so", ".pxd", ".pyi", ".typed", ".conf", ".flv"}


def problems(names: list[str]) -> list[str]:
    """Return one sentence for each thing that is wrong with a wheel of these file names."""
    found = []
    code = [name for name in names if ".dist-info/" not in name]
    compiled = [name for name in code if name.endswith(".so")]
    if len(compiled) != 1 or not compiled[0].startswith("fastflv/_ext/compiled."):
        found.append(f"not one shared object fastflv/_ext/compiled: {' '.join(compiled) or 'none'}")
    headers = {
        name.removeprefix("fastflv/_ext/").partition(".")[0]
        for name in code
        if name.endswith((".pxd", ".pyi"))
    }
    found += [f"neither .pxd nor .pyi for {module}" for module in EXTENSIONS if module not in headers]
    found += [f"missing {name}" for name in DATA if name not in code]
    found += [f"stray file {name}" for name in code if not name.startswith("fastflv/")]
    found += [
        f"stray kind of file {name}"
        for name in code
        if PurePosixPath(name).suffix not in (PAGE_KINDS if name.startswith(PAGES) else KINDS)
    ]
    if not any(name.endswith("entry_points.txt") for name in names):
        found.append("no entry point")
    return found


def main(paths: list[str]) -> int:
    status = 0
    for path in paths:
        with zipfile.ZipFile(path) as wheel:
            found = problems(wheel.namelist())
        for problem in found:
            print(f"{Path(path).name}: {problem}", file=sys.stderr)
            status = 1
        if not found:
            print(f"{Path(path).name}: good")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
