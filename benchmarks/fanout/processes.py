"""Start the programs of a run, talk to them, and end exactly those."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.fanout.errors import BenchError

START_SECONDS = 20.0  # a server that does not listen by then has failed
STOP_SECONDS = 5.0  # between SIGTERM and SIGKILL


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nothing listens on; all are held while they are chosen."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            s = stack.enter_context(socket.socket())
            s.bind(("127.0.0.1", 0))
            ports.append(s.getsockname()[1])
        return ports


class Child:
    """One process, pinned to cores, ended by its own pid."""

    def __init__(self, name: str, argv: list[str], cores: set[int] | None, log: Path, **options: Any) -> None:
        self.name = name
        self.log = log
        pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
        with log.open("ab") as out:
            try:
                self.process = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=options.pop("stdout", out),
                    stderr=out,
                    preexec_fn=pin,
                    **options,
                )
            except OSError as error:
                raise BenchError(f"cannot start {name}: {error.strerror}: {argv[0]}") from None

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "no output"

    def check(self) -> None:
        """Raise when it has ended."""
        if self.process.poll() is not None:
            raise BenchError(f"{self.name} ended with code {self.process.returncode}: {self.last_words()}")

    def await_port(self, port: int) -> None:
        """Wait until it accepts connections."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            self.check()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.05)
        raise BenchError(f"{self.name} does not listen on port {port}: {self.last_words()}")

    def stop(self) -> None:
        """End it: close stdin, SIGTERM, then SIGKILL."""
        with contextlib.suppress(OSError):
            if self.process.stdin:
                self.process.stdin.close()
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(sign)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(STOP_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()


class Talker(Child):
    """A child that takes commands on stdin and prints events, one JSON object a line."""

    def __init__(self, name: str, argv: list[str], cores: set[int] | None, log: Path, **options: Any) -> None:
        super().__init__(name, argv, cores, log, stdout=subprocess.PIPE, **options)
        self._partial = b""

    def send(self, line: str) -> None:
        """Send one command."""
        assert self.process.stdin
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            self.process.wait(STOP_SECONDS)
            self.check()

    def finish(self) -> None:
        """Send the end of its commands."""
        assert self.process.stdin
        self.process.stdin.close()

    def event(self, name: str, timeout: float) -> dict[str, Any] | None:
        """Return the next event of that name; None when it does not come in time."""
        assert self.process.stdout
        end = time.monotonic() + timeout
        while True:
            while b"\n" in self._partial:
                line, self._partial = self._partial.split(b"\n", 1)
                found: dict[str, Any] = json.loads(line)
                if found.get("event") == name:
                    return found
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return None
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                self.process.wait(STOP_SECONDS)
                raise BenchError(f"{self.name} ended: {self.last_words()}")
            self._partial += data


@contextlib.contextmanager
def running(child: Child) -> Iterator[Child]:
    """Stop the child at the end, whatever happens."""
    try:
        yield child
    finally:
        child.stop()
