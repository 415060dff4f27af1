"""Writes of recordings: what one turn of the event loop brings for one vhost is one call of a thread.

A call of a thread costs as much as reading a log, so a hundred recordings that are read one after the other share it.
A disk that hangs holds up the recordings of its vhost, which are taken to be on one disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from fastflv.errors import FilesBusyError
from fastflv.net.filepool import FileShare

Step = Callable[[], None]
"One blocking operation on a file."

Done = Callable[[BaseException | None], None]
"Told what the steps raised, or None."

Job = tuple[Sequence[Step], Done]


class Writes:
    """Has the steps of recordings done by threads, in their order."""

    def __init__(self, files: FileShare) -> None:
        self._files = files
        self._jobs: dict[str, list[Job]] = {}
        "Of this turn of the loop, by vhost."

    def add(self, vhost: str, steps: Sequence[Step], done: Done) -> None:
        """Do *steps* up to the first that raises, then call *done* in the loop."""
        if not self._jobs:
            self._files.loop.call_soon(self._flush)
        self._jobs.setdefault(vhost, []).append((steps, done))

    def _flush(self) -> None:
        waiting, self._jobs = self._jobs, {}
        for jobs in waiting.values():
            self._files.run(_do, [steps for steps, _ in jobs]).add_done_callback(partial(_tell, jobs))


def _do(jobs: list[Sequence[Step]]) -> list[BaseException | None]:
    """Run on a thread; return what each job raised."""
    return [_error_of(steps) for steps in jobs]


def _error_of(steps: Sequence[Step]) -> BaseException | None:
    try:
        for step in steps:
            step()
    except Exception as error:
        return error
    return None


def _tell(jobs: list[Job], call: asyncio.Future[list[BaseException | None]]) -> None:
    errors: Sequence[BaseException | None]
    if call.cancelled():
        errors = [FilesBusyError("no thread is free to write it")] * len(jobs)
    else:
        errors = call.result()
    for (_, done), error in zip(jobs, errors, strict=True):
        done(error)
