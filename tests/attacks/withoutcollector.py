"""Runs fastflv without Python's collector of cycles, and tells what only the collector would free.

`python withoutcollector.py FOLDER [arguments of fastflv]`: once something opens the pipe `ask` in FOLDER, the pipe `garbage`
there says how many objects of each type are in cycles that nothing refers to any more, as JSON.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
from collections import Counter
from pathlib import Path

from fastflv.tools.cli import main


def answer(folder: Path) -> None:
    (folder / "ask").read_bytes()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    found = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage)
    (folder / "garbage").write_text(json.dumps(found))


if __name__ == "__main__":
    gc.disable()
    threading.Thread(target=answer, args=(Path(sys.argv[1]),), daemon=True).start()
    sys.exit(main(sys.argv[2:]))
