"""Which family of encoders a publisher belongs to, by the order of its commands.

========== ================================================================
fmle       releaseStream, FCPublish, createStream, publish (OBS, FFmpeg, librtmp, FMLE)
haivision  createStream, FCPublish, publish
flash      createStream, publish
========== ================================================================

An encoder of several streams says these once for each, one stream after the other or step by step. FCPublish and
publish carry the stream's name, createStream does not: so what decides is the count of streams created and not used.
"""

from __future__ import annotations

from fastflv import limits
from fastflv.protocols.rtmp.events import PublisherKind
from fastflv.protocols.rtmp.messagestream import bare


class EncoderKind:
    """Remembers the commands before `publish`: PUBLISHES_MAX names at most."""

    __slots__ = ("_announced", "_unused")

    def __init__(self) -> None:
        self._announced: dict[str, PublisherKind] = {}
        self._unused = 0

    def create(self) -> None:
        """Count a createStream."""
        self._unused = min(self._unused + 1, limits.PUBLISHES_MAX)

    def announce(self, name: str) -> None:
        """Note releaseStream or FCPublish of *name*; the first of the two decides."""
        name = bare(name)
        if name not in self._announced and len(self._announced) < limits.PUBLISHES_MAX:
            created_first = self._unused > len(self._announced)
            self._announced[name] = "haivision" if created_first else "fmle"

    def take(self, name: str) -> PublisherKind:
        """Return the family that publishes *name* now; for a play the result means nothing."""
        self._unused = max(0, self._unused - 1)
        kind = self._announced.pop(bare(name), "flash")
        if not self._announced:
            # A dict that is emptied keeps its room.
            self._announced = {}
        return kind
