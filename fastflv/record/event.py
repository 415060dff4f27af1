"""What happens to recordings: one event each, for the log, for hooks and for the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from fastflv.access.request import AccessRequest
from fastflv.stream.name import StreamName


class RecordStep(Enum):
    """What happened."""

    BEGAN = "began"
    "A file is being written."
    FINISHED = "finished"
    "A file has its name, duration and index (on_dvr)."
    GAP = "gap"
    "The disk was too slow: what the stream sent meanwhile is not in the file."
    FAILED = "failed"
    "The recording stopped; what was written lies under its temporary name."


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """One event of one recording."""

    step: RecordStep
    name: StreamName
    stream_id: str
    client_id: str
    "Of the publisher when the file began."
    publisher: AccessRequest | None = None
    "Likewise; None where no request made the stream."
    path: str = ""
    "Of the file, as the configuration has it: relative to the directory of the server."
    size: int = 0
    "Bytes."
    duration_ms: int = 0
    codecs: tuple[str, ...] = ()
    reason: str = ""
    "GAP and FAILED: why, in one sentence."


Watcher = Callable[[RecordEvent], None]
