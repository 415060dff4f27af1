"""What the commands of all benchmarks have in common: how they report and end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchmarks.fanout import machine
from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.goals import Goal

Trials = TypeVar("Trials", contravariant=True)


class Report(Protocol[Trials]):
    """A module that judges the trials of a benchmark and shows them."""

    def judge(self, trials: Trials, /) -> list[Goal]: ...

    def as_dict(self, trials: Trials, goals: list[Goal], machine: dict[str, str], /) -> dict[str, Any]: ...

    def text(self, trials: Trials, goals: list[Goal], /) -> str: ...


def judged(trials: Trials, report: Report[Trials], *, as_json: bool) -> tuple[str, bool]:
    """Return the report of *trials*, and whether a goal was missed."""
    goals = report.judge(trials)
    plain = report.as_dict(trials, goals, machine.describe())
    shown = json.dumps(plain, indent=1) if as_json else report.text(trials, goals)
    return shown, any(goal.met is False for goal in goals)


def save(folder: Path | None, name: str, text: str, plain: str) -> None:
    """Write a report as Markdown and JSON into *folder*; None: it is printed alone."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(text + "\n")
        (folder / f"{name}.json").write_text(plain + "\n")


def run(name: str, work: Callable[[], tuple[str, bool]]) -> int:
    """Print what *work* returns, the report; return the exit code: 1 when it says that something failed, 2 when nothing
    could be measured, 130 when it was interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that children are ended too
    try:
        text, failed = work()
    except BenchError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(text)
    return int(failed)
