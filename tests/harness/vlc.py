"""A real VLC without a screen, led by its command line interface."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading
import time

import pytest


def find_vlc() -> str:
    """Path of `cvlc`; skips the test where there is none."""
    found = shutil.which("cvlc")
    if found is None:
        pytest.skip("no VLC here (Debian packages vlc-bin and vlc-plugin-base)")
    return found


class Vlc:
    """Plays one URL. Use as a context manager."""

    def __init__(self, url: str) -> None:
        self._words = [
            find_vlc(), "-I", "rc", "--rc-fake-tty", "--no-color", "-V", "dummy", "-A", "dummy", "--play-and-stop", url,
        ]  # fmt: skip
        self._folder = tempfile.TemporaryDirectory(prefix="fastflv-vlc-")
        "Its home."
        self._lines: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Vlc:
        # VLC refuses to run as root.
        user = 65534 if os.geteuid() == 0 else None
        if user is not None:
            os.chown(self._folder.name, user, -1)
        self._process = subprocess.Popen(
            self._words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            user=user,
            cwd="/",
            env={**os.environ, "HOME": self._folder.name},
        )
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._folder.cleanup()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # A command without an answer leaves its prompt before the next one.
            self._lines.put(line.lstrip("> ").strip())

    def say(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def ask(self, command: str, pattern: str) -> str:
        """Say *command*; return the first group of the next line that is *pattern*, "" where none comes soon."""
        # Nothing says which command a line answers.
        with contextlib.suppress(queue.Empty):
            while True:
                self._lines.get_nowait()
        self.say(command)
        end = time.monotonic() + 5
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                if found := re.fullmatch(pattern, self._lines.get(timeout=left)):
                    return found[1]
        return ""

    @property
    def time(self) -> int:
        """Where it is, seconds; -1 before it plays."""
        return int(self.ask("get_time", r"(\d*)") or -1)

    def seek(self, seconds: int) -> bool:
        """Send it to a time, unless it is there; return whether it has played on for a second behind it."""
        now = self.time
        if 0 <= now < seconds:
            self.say(f"seek {seconds}")
        return now > seconds

    @property
    def length(self) -> int:
        return int(self.ask("get_length", r"(\d*)") or -1)

    def count(self, name: str) -> int:
        """Return a figure of its statistics, as `frames displayed`; -1 while nothing is open."""
        return int(self.ask("stats", rf"\| {name} +: +(\d+)") or -1)
