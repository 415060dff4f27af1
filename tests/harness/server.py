"""The server as a user starts it: a process of its own, a configuration file, a log to read."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model.ports import free_ports
from patience import SANITIZED, SILENCE, patient

import fastflv

HOST = "127.0.0.1"
MIB = (4 if SANITIZED else 1) << 20
"Bytes in a MiB of memory bounds; sanitizers put red zones around every allocation."


class Log:
    """Lines of a process, read by a thread; `wait` sleeps until one matches."""

    def __init__(self, stream: Any) -> None:
        self.lines: list[str] = []
        self.ended = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: Any) -> None:
        for line in stream:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self.ended = True
            self._news.notify_all()

    def find(self, pattern: str, since: int = 0) -> list[str]:
        """Lines that match, from line number *since* on."""
        return [line for line in self.lines[since:] if re.search(pattern, line)]

    def wait(self, pattern: str, since: int = 0, timeout: float = 20) -> str:
        """Return the first line that matches; AssertionError when none comes."""
        with self._news:
            self._news.wait_for(lambda: self.find(pattern, since) or self.ended, patient(timeout))
            found = self.find(pattern, since)
        assert found, f"no line like {pattern!r} in the log:\n{self.text()}"
        return found[0]

    def text(self) -> str:
        return "\n".join(self.lines)

    def close(self) -> None:
        self._thread.join(10)


PREAMBLE = """\
listen {rtmp};
max_connections {connections};
daemon off;
srs_log_tank console;
http_server {{ enabled on; listen {http}; {web} }}
http_api {{ enabled on; listen {api}; }}
{more}
"""
VHOST = """\
vhost __defaultVhost__ {{
    {more}
    play {{ {play} }}
    publish {{ {publish} }}
    http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; {remux} }}
}}
"""


def vhost_text(
    *, play: str = "mw_latency 0;", publish: str = "grace 0;", remux: str = "", more: str = ""
) -> str:
    """A default vhost with what a test cares for. Players start with the GOP as it came, unless *play* says otherwise."""
    if "start " not in play:
        play += " start gop;"
    return VHOST.format(play=play, publish=publish, remux=remux, more=more)


class Server:
    """One running server on free ports. Use as a context manager."""

    def __init__(
        self,
        folder: Path,
        vhosts: str = "",
        *,
        web: str = "",
        more: str = "",
        connections: int = 1000,
        environ: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "fastflv"),
    ) -> None:
        """*program*: what Python runs, with the arguments of `fastflv`. `@RTMP@` in *more* stands for the port of RTMP."""
        self.rtmp, self.http, self.api = free_ports(3)
        self.file = folder / "server.conf"
        more = more.replace("@RTMP@", str(self.rtmp))
        text = PREAMBLE.format(
            rtmp=self.rtmp, http=self.http, api=self.api, connections=connections, web=web, more=more
        )
        self.file.write_text(text + (vhosts or vhost_text()))
        self._environ = environ
        self._program = program
        self.process: subprocess.Popen[str]
        self.log: Log

    def __enter__(self) -> Server:
        self.process = start(["-c", str(self.file)], self._environ, self._program)
        self.log = Log(self.process.stderr)
        self.log.wait(r"API on|ask http", timeout=40)
        return self

    def __exit__(self, *failure: object) -> None:
        status = stop(self.process)
        self.log.close()
        # Captured by pytest, shown when a test of the module fails.
        print(f"--- server log, pid {self.process.pid}\n{self.log.text()}")
        if failure[0] is None:
            assert status == 0, f"exit status {status}\n{self.log.text()}"
            traces = self.log.find(r"Traceback|Error:|never retrieved|ERROR")
            assert not traces, self.log.text()

    @property
    def pid(self) -> int:
        return self.process.pid

    def publish_url(self, stream: str, app: str = "live") -> str:
        return f"rtmp://{HOST}:{self.rtmp}/{app}/{stream}"

    # --- the API ---

    def ask(self, path: str, method: str = "GET") -> dict[str, Any]:
        """Ask the API."""
        request = urllib.request.Request(f"http://{HOST}:{self.api}/api/v1/{path}", method=method)
        with urllib.request.urlopen(request, timeout=patient(10)) as answer:
            said = json.load(answer)
        assert isinstance(said, dict)
        return said

    def streams(self) -> dict[str, dict[str, Any]]:
        """Streams by name."""
        return {row["name"]: row for row in self.ask("streams?count=1000")["streams"]}

    def clients(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = self.ask(f"clients?start={len(rows)}&count=500")
            rows += page["clients"]
            if len(rows) >= page["total"] or not page["clients"]:
                return rows

    def wait_late(self, name: str, by_ms: int, count: int = 1) -> None:
        """Wait until *count* players of the stream *name* lag by more than *by_ms*."""

        def late() -> int:
            players = (
                row for row in self.clients() if not row["publish"] and row["url"].endswith(f"/{name}")
            )
            return sum(row["lag_ms"] > by_ms for row in players)

        until(lambda: late() >= count, f"{count} players of {name} late by {by_ms} ms", 20)

    # --- the process ---

    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def quiet_fds(self) -> int:
        """Descriptors once their number has stood still for a while."""
        # With its first connection, libuv opens /dev/null once, as a reserve for when descriptors run out.
        socket.create_connection(("127.0.0.1", self.rtmp)).close()
        seen: list[int] = []

        def still() -> bool:
            seen.append(self.fds())
            return len(seen) > 10 and len(set(seen[-10:])) == 1

        until(still, "a quiet server", 10)
        return seen[-1]

    def cpu(self) -> float:
        """User and system time of all threads, seconds, to the nanosecond: clock ticks are too coarse to see idleness."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def resident(self) -> int:
        """Resident memory besides that of files, bytes: code is there once it runs, whatever it runs for."""
        _, resident, files, *_ = Path(f"/proc/{self.pid}/statm").read_text().split()
        return (int(resident) - int(files)) * os.sysconf("SC_PAGE_SIZE")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables with which a process finds the same fastflv as this one, installed or a checkout.

    A server reads its file again when it is told to, also where the tests run in a container.
    """
    home = str(Path(fastflv.__file__).resolve().parents[1])
    path = os.pathsep.join(part for part in (home, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path, "SRS_AUTO_RELOAD_FOR_DOCKER": "off", **(more or {})}


def start(
    arguments: Sequence[str],
    environ: Mapping[str, str] | None = None,
    program: Sequence[str] = ("-m", "fastflv"),
) -> subprocess.Popen[str]:
    """Start `python -m fastflv`."""
    return subprocess.Popen(
        [sys.executable, "-P", *program, *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment(environ),
    )


def stop(process: subprocess.Popen[str]) -> int:
    """End a server by SIGTERM; return its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(10 * SILENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError("the server did not stop within 10 s of SIGTERM") from None


def run(*arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "fastflv", *arguments],
        capture_output=True,
        text=True,
        timeout=patient(60),
        env=environment(environ),
    )


def until(condition: Any, what: str, timeout: float = 5) -> None:
    """Wait for something that can only be asked for."""
    timeout = patient(timeout)
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.02)
