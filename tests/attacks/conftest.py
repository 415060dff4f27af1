"""Fixtures of the attacks, and the table of their figures behind the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attack import FIGURES, Attack
from bystanders import Bystanders
from server import Server, vhost_text

REMUX = "mount [vhost]/[app]/[stream].ts; on_missing 1;"


@pytest.fixture
def under_attack(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> Iterator[Callable[..., Attack]]:
    """Start a fresh server with its healthy streams; the arguments are those of `Server`."""
    made: list[Attack] = []
    with ExitStack() as stack:

        def start(vhosts: str = "", **more: object) -> Attack:
            folder = tmp_path / str(len(made))
            folder.mkdir()
            server = Server(folder, vhosts or vhost_text(remux=REMUX), **more)  # type: ignore[arg-type]
            stack.enter_context(server)
            made.append(Attack(server, stack.enter_context(Bystanders(server.rtmp, server.http))))
            return made[-1]

        yield start
    for attack in made:
        if hasattr(attack, "memory"):
            record_property(FIGURES, attack.text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = [
        (report.nodeid.rpartition("::")[2], value)
        # A teardown that passed counts under no name.
        for status in ("", "error")
        for report in terminalreporter.getreports(status)
        if isinstance(report, pytest.TestReport)
        for key, value in report.user_properties
        if key == FIGURES
    ]
    if rows:
        terminalreporter.section("attacks")
        for name, value in rows:
            terminalreporter.write_line(f"{name}: {value}")
