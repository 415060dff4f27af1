"""Commands beside the server, as a user types them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

from clip import ffmpeg
from patience import patient
from server import environment


def command(*words: str | Path, into: Any = subprocess.PIPE, **more: Any) -> subprocess.Popen[str]:
    """Start `fastflv WORDS`; its stdout goes *into*."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "fastflv", *map(str, words)],
        stdin=more.pop("stdin", subprocess.DEVNULL),
        stdout=into,
        stderr=more.pop("stderr", subprocess.PIPE),
        text=True,
        env=environment(),
        **more,
    )


def ask(*words: str | Path, status: int = 0, timeout: float = 60) -> dict[str, Any]:
    """Run a command with `--json` to its end; return its report, that of a failure too."""
    process = command(*words, "--json")
    said, complaint = process.communicate(timeout=patient(timeout))
    assert process.returncode == status, (process.returncode, said, complaint)
    assert "Traceback" not in complaint
    found = json.loads(said or complaint)
    assert isinstance(found, dict)
    return found


def on_terminal(*words: str | Path, timeout: float = 60) -> tuple[int, str]:
    """Run a command whose stderr is a terminal; return its status and what stands there."""
    ours, theirs = pty.openpty()
    try:
        process = command(*words, stderr=theirs)
    finally:
        os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:
        # The end of a pseudo terminal (EIO).
        pass
    finally:
        os.close(ours)
    return process.wait(patient(timeout)), shown.decode("utf-8", "replace")


def decoded(path: Path, kind: str) -> list[str]:
    """The digest of each decoded frame of the first track of a *kind*, `v` or `a`; ffmpeg must not complain."""
    words = [
        ffmpeg(), "-v", "error", "-xerror", "-i", str(path), "-map", f"0:{kind}:0", "-fps_mode", "passthrough", "-f", "framemd5", "-",
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=patient(60))
    assert done.returncode == 0 and not done.stderr, done.stderr
    return [line.rpartition(",")[2].strip() for line in done.stdout.splitlines() if not line.startswith("#")]
