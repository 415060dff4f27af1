"""Signals: docs/operate.md has a line for each that a server catches or ignores, and what it says holds."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from server import Server

DOCS = (Path(__file__).parents[2] / "docs" / "operate.md").read_text()
TABLE = DOCS.split("\n## Signals\n")[1].split("\n## ")[0]


def documented() -> dict[str, str]:
    """Texts by signal."""
    rows = re.findall(r"^\| (SIG[^|]*?) \| (.*) \|$", TABLE, re.MULTILINE)
    return {name: text for names, text in rows for name in names.split(", ")}


def masks(pid: int) -> dict[str, set[str]]:
    """The signals that a process catches and ignores."""
    status = dict(
        line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )

    def names(mask: str) -> set[str]:
        bits = int(status[mask], 16)
        return {each.name for each in signal.Signals if bits >> (each.value - 1) & 1}

    return {"caught": names("SigCgt"), "ignored": names("SigIgn")}


def test_the_docs_have_a_line_for_each_signal_that_the_server_catches_or_ignores(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        found = masks(server.pid)
        lines = documented()
        ignored = {name for name, text in lines.items() if text.startswith("ignored")}
        assert found["caught"] == set(lines) - ignored
        assert found["ignored"] == ignored


def test_signals_that_the_docs_do_not_call_an_end_leave_a_line_and_the_server_runs_on(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        for name, text in documented().items():
            # An upgrade is an end of this process too.
            if any(word in text for word in ("stop", "quit", "upgrade")):
                continue
            server.process.send_signal(signal.Signals[name])
            if not text.startswith("ignored"):
                server.log.wait(rf"{name}: |reload: configuration")
            assert server.ask("versions")["code"] == 0, name
