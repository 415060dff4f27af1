"""A server whose configuration file a test changes while it runs."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable

from player import Player
from server import HOST, Server, until

DEFAULT = "vhost __defaultVhost__"
OTHER = "127.0.0.9"
LEAN = "grace 0;"
FLV = "[vhost]/[app]/[stream].flv"
MOUNTS = f"mount {FLV};"


class ChangingServer(Server):
    """A server of its own for a test. Lines of level ERROR that a test expects are taken out of its log."""

    def __enter__(self) -> ChangingServer:
        super().__enter__()
        self.log.wait("ask http")
        return self

    def rewrite(self, text: str) -> None:
        """Put *text* in the place of the configuration file, whole."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.file)

    def edit(self, *swaps: tuple[str, str]) -> None:
        """Replace text in the configuration file; each old text stands there once."""
        text = self.file.read_text()
        for old, new in swaps:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in\n{text}"
            text = text.replace(old, new)
        self.rewrite(text)

    def change(self, *swaps: tuple[str, str]) -> list[str]:
        """Edit the file and reload; return what the log says of that."""
        self.edit(*swaps)
        return self.reload()

    def reload(self) -> list[str]:
        """Reload as the file is now; return what the log says of that."""
        mark = len(self.log.lines)
        os.kill(self.pid, signal.SIGHUP)
        return self.reloaded(mark)

    def reloaded(self, mark: int, timeout: float = 20) -> list[str]:
        """Wait for the end of a reload behind line *mark* of the log; return its lines."""
        last = self.log.wait(r"reload: configuration \d+ is in force", mark, timeout)
        lines = self.log.lines[mark:]
        return lines[: lines.index(last) + 1]

    def refuse(self, *swaps: tuple[str, str]) -> str:
        """Edit the file and reload in vain; return the line that says why. The file is as before then."""
        before = self.file.read_text()
        self.edit(*swaps)
        mark = len(self.log.lines)
        os.kill(self.pid, signal.SIGHUP)
        line = self.expect_error("the configuration stays as it is", mark)
        self.rewrite(before)
        return line

    def expect_error(self, pattern: str, mark: int = 0) -> str:
        """Wait for a line of level ERROR, and take it out of the log."""
        line = self.log.wait(f"ERROR.*{pattern}", mark)
        self.log.lines.remove(line)
        return line

    def gone(self, client: str = "player") -> list[str]:
        """The lines of clients that left."""
        return self.log.find(rf" {client} \w+ of \S+ left")

    def watches(self, count: int) -> None:
        """Wait until there are so many clients."""
        until(lambda: len(self.clients()) == count, f"{count} clients", 10)


def change_of(lines: list[str], path: str) -> tuple[str, str]:
    """Return the change of the directive *path* in the log of a reload, and when it counts."""
    found = [
        match
        for line in lines
        if (match := re.search(rf"reload: \S*server\.conf:\d+: {re.escape(path)}: (.*), ([^,]*)$", line))
    ]
    assert len(found) == 1, f"{len(found)} lines of {path} with file and line in\n" + "\n".join(lines)
    return found[0][1], found[0][2]


Make = Callable[..., ChangingServer]
"Starts a server; the arguments are those of `Server`."


def status(port: int, target: str, *headers: str, method: str = "HEAD") -> int:
    """Ask for *target*; return the status of the answer."""
    with Player(port, target, method=method, headers=headers, flv=False) as player:
        return player.head().status


def refused(port: int) -> bool:
    """Whether nobody listens on *port*."""
    try:
        socket.create_connection((HOST, port), 10).close()
    except ConnectionRefusedError:
        return True
    return False
