"""Progress bars: on a terminal where the package rich is installed, silence anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


class Progress:
    """How far a command is. Without a bar it shows nothing."""

    def __init__(self, bar: Bar | None = None, task: TaskID | None = None) -> None:
        self._bar = bar
        self._task = task

    def show(self, done: int, total: int, time_ms: int) -> None:
        """*done* of *total* bytes, 0: nobody knows how many there are; *time_ms* of media, ms."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None, media=f"{time_ms / 1000:.1f} s")


@contextmanager
def open_progress(what: str) -> Iterator[Progress]:
    """Show a bar on stderr while the context lasts."""
    if not sys.stderr.isatty() or find_spec("rich") is None:
        yield Progress()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TextColumn("{task.fields[media]}"), TimeElapsedColumn(),
    )  # fmt: skip
    with Bar(*columns, console=Console(stderr=True)) as bar:
        yield Progress(bar, bar.add_task(escape(what), total=None, media="0.0 s"))
