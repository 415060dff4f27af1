"""Streams that an attack must not touch: their players measure the delay of each picture, in a process of their own.

Run as a script it is that process. It reads a word a line and answers each with a line of JSON.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from flvread import AUDIO, VIDEO
from publisher import Publisher, headers, picture, sound
from server import HOST

PLAYERS = 20
NAMES = ("healthy", "quiet", "calm")
"The first one has the players."
STEP_SECONDS = 0.04
MARK = b"\xf0pic\xf1ture\xf2"
"Stands before the number of a picture."
PATIENCE_SECONDS = 30.0


class Figures(NamedTuple):
    """What the players saw since the last mark."""

    p50_ms: float
    p99_ms: float
    "Delay of a picture from the publisher's send to the player's read."
    worst_ms: float
    machine_ms: float
    "How late the process itself was woken, p99: the noise of the machine."
    pictures: int
    lost: list[str]
    "Publishers and players that the server closed."


class Bystanders:
    """The process, as the test sees it. Use as a context manager."""

    def __init__(self, rtmp: int, http: int) -> None:
        self._ports = (str(rtmp), str(http))

    def __enter__(self) -> Bystanders:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), *self._ports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
        )
        assert self._answer() == "ready"
        return self

    def __exit__(self, *failure: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def mark(self) -> None:
        """Forget what was measured so far."""
        self._ask("mark")

    def figures(self) -> Figures:
        """What was measured since the mark, once each picture sent before has come."""
        return Figures(**self._ask("figures"))

    def _ask(self, word: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process of the bystanders died"
        return json.loads(line)


class Viewer:
    """One HTTP-FLV player that looks for the marks in what comes."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection((HOST, port), 20)
        self.sock.sendall(f"GET /live/{NAMES[0]}.flv?start=live HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        self.sock.setblocking(False)
        self.seen = -1
        "Number of the newest picture that came."
        self.over = False
        self._rest = b""

    def read(self) -> int:
        """Read what is there; return the number of the newest picture."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return self.seen
        except OSError:
            data = b""
        self.over = not data
        data = self._rest + data
        at = data.rfind(MARK, 0, len(data) - 8)
        if at >= 0:
            start = at + len(MARK)
            self.seen = int.from_bytes(data[start : start + 8], "big")
        self._rest = data[-(len(MARK) + 8) :]
        return self.seen


class Watch:
    """Publishes to all names at the usual pace and reads all players, in one thread."""

    def __init__(self, rtmp: int, http: int) -> None:
        self.publishers = {name: Publisher(rtmp, timeout=PATIENCE_SECONDS).publish(name) for name in NAMES}
        self.sent: list[float] = []
        "Clock of each picture by its number, seconds."
        self.lost: list[str] = []
        self.delays: list[float] = []
        self.lateness: list[float] = []
        self.selector = selectors.DefaultSelector()
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        for name, each in self.publishers.items():
            each.tags(headers())
            self.selector.register(each.sock, selectors.EVENT_READ, name)
        self.due = time.monotonic()
        self.send()
        self.viewers = [Viewer(http) for _ in range(PLAYERS)]
        for viewer in self.viewers:
            self.selector.register(viewer.sock, selectors.EVENT_READ, viewer)
        while any(viewer.seen < 0 for viewer in self.viewers):
            self.step()
        self.mark()

    def mark(self) -> None:
        self.delays.clear()
        self.lateness.clear()

    def send(self) -> None:
        number = len(self.sent)
        body = picture(number, key=number % 25 == 0, size=1000)
        body = body[:100] + MARK + number.to_bytes(8, "big") + body[108 + len(MARK) :]
        self.sent.append(time.monotonic())
        for name, each in list(self.publishers.items()):
            try:
                each.tag(VIDEO, 40 * number, body)
                each.tag(AUDIO, 40 * number + 10, sound(number))
            except OSError as error:
                self.lose(name, str(error))

    def lose(self, name: str, why: str) -> None:
        self.lost.append(f"publisher of {name}: {why}")
        self.selector.unregister(self.publishers.pop(name).sock)

    def step(self) -> bool:
        """Do what is due within one picture; whether a word waits to be read."""
        asked = False
        for key, _ in self.selector.select(max(self.due - time.monotonic(), 0)):
            if isinstance(key.data, Viewer):
                self.take(key.data)
            elif key.data is None:
                asked = True
            elif not self.publishers[key.data].sock.recv(65536):
                self.lose(key.data, "closed")
        now = time.monotonic()
        if now >= self.due:
            self.lateness.append(now - self.due)
            self.send()
            self.due = max(self.due + STEP_SECONDS, now - STEP_SECONDS)
        return asked

    def take(self, viewer: Viewer) -> None:
        before = viewer.seen
        viewer.read()
        now = time.monotonic()
        # Pictures that the server left out for a late player count as late as the one that came.
        if before >= 0:
            self.delays += [now - self.sent[number] for number in range(before + 1, viewer.seen + 1)]
        if viewer.over:
            self.lost.append(f"player behind picture {viewer.seen}")
            self.selector.unregister(viewer.sock)

    def figures(self) -> Figures:
        last, deadline = len(self.sent) - 1, time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and any(
            not each.over and each.seen < last for each in self.viewers
        ):
            self.step()
        now = time.monotonic()
        for viewer in self.viewers:
            self.delays += [now - self.sent[number] for number in range(viewer.seen + 1, last + 1)]
        delays, late = sorted(self.delays), sorted(self.lateness)
        return Figures(
            p50_ms=round(1000 * delays[len(delays) // 2], 1),
            p99_ms=round(1000 * delays[len(delays) * 99 // 100], 1),
            worst_ms=round(1000 * delays[-1], 1),
            machine_ms=round(1000 * late[len(late) * 99 // 100], 1),
            pictures=len(delays),
            lost=self.lost,
        )


def main(rtmp: int, http: int) -> None:
    watch = Watch(rtmp, http)
    print('"ready"', flush=True)
    while True:
        if watch.step():
            word = sys.stdin.readline().strip()
            if not word:
                return
            answer: object = None
            if word == "mark":
                watch.mark()
            else:
                answer = watch.figures()._asdict()
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
