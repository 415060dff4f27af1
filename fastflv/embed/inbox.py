"""Inboxes: where the thread of the server leaves tags for a reader of the program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastflv._ext.log.mediatag import MediaTag
from fastflv.embed.mailbox import Mailbox
from fastflv.errors import UsageError


class Inbox:
    """One batch at most. A tap fills it while it is empty and asked for; `wake` comes behind, in the loop of the program."""

    __slots__ = ("_asked", "_program", "_waiter", "ended", "jumps", "lag_ms", "tags")

    def __init__(self, program: Mailbox) -> None:
        """*program*: of the loop of the reader."""
        self._program = program
        self.tags: list[MediaTag] = []
        "The newest first."
        self.ended = False
        "Nothing comes behind `tags`."
        self.jumps = 0
        self.lag_ms = 0
        self._asked = False
        "The tap was asked, and what it has brought was not taken."
        self._waiter: asyncio.Future[None] | None = None

    async def take(self, ask: Callable[[], None]) -> list[MediaTag]:
        """Return the next tags, the newest first, none at the end. *ask* has the tap bring them.

        Raises ServerFailedError where the server has failed.
        """
        if self._waiter is not None:
            raise UsageError("a reader belongs to one task: open another one with `server.stream`")
        while not self.tags and not self.ended:
            if not self._asked:
                self._asked = True
                ask()
                continue
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._program.rest(self._waiter)
            finally:
                self._waiter = None
        if not self.tags and self._program.error is not None:
            raise self._program.error
        self._asked = False
        tags, self.tags = self.tags, []
        return tags

    def wake(self) -> None:
        """Have the reader look: the tap has brought something, or the reader is closed."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
