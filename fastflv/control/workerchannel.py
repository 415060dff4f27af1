"""The channel between a parent process and one of its workers: lines of JSON over a socket pair, in both directions."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import logging
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, cast

from fastflv import limits

log = logging.getLogger(__name__)

Fields = dict[str, Any]
Handlers = Mapping[str, Callable[[Fields], object]]
"By what is asked; each returns what JSON can hold, now or as an awaitable."

ASK: Final = "ask"
REPLY: Final = "reply"


class WorkerChannel(asyncio.Protocol):
    """One end. A question has an answer, in any order; what is told has none.

    Both ends are the same program, so lines are trusted as far as their form: a line that is none closes the channel.
    """

    def __init__(self, handlers: Handlers, lost: Callable[[], None]) -> None:
        """*lost* is called once when the other end is gone."""
        self._handlers = handlers
        self._lost = lost
        self._transport: asyncio.WriteTransport | None = None
        self._rest = b""
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[object]] = {}
        self._answering: set[asyncio.Future[object]] = set()

    async def open(self, sock: socket.socket) -> None:
        """Speak through *sock*, which is owned from here on."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=sock)

    def close(self) -> None:
        """Speak no more; *lost* is not called."""
        self._lost = _nothing
        if self._transport is not None:
            self._transport.close()

    def tell(self, what: str, **fields: object) -> None:
        """Send what needs no answer."""
        self._write({ASK: what, **fields})

    async def ask(self, what: str, **fields: object) -> object:
        """Return the answer. Raises ConnectionError when the other end is gone, TimeoutError when it does not answer."""
        number = next(self._numbers)
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            self._write({ASK: what, "number": number, **fields})
            async with asyncio.timeout(limits.WORKER_ANSWER_SECONDS):
                return await future
        finally:
            self._asked.pop(number, None)

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are of a class of their own.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                self._take(json.loads(line))
            except Exception:
                log.exception("a line between parent and worker could not be taken")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for future in self._asked.values():
            if not future.done():
                future.set_exception(ConnectionResetError("the other process is gone"))
        lost, self._lost = self._lost, _nothing
        lost()

    def _take(self, said: Fields) -> None:
        if ASK not in said:
            future = self._asked.get(said[REPLY])
            if future is not None and not future.done():
                future.set_result(said["value"])
            return
        number = said.pop("number", 0)
        value = self._handlers[said.pop(ASK)](said)
        if inspect.isawaitable(value):
            task = asyncio.ensure_future(value)
            self._answering.add(task)
            task.add_done_callback(partial(self._answered, number))
        elif number:
            self._reply(number, value)

    def _answered(self, number: int, task: asyncio.Future[object]) -> None:
        self._answering.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("a question between parent and worker could not be answered", exc_info=error)
        elif number:
            self._reply(number, task.result())

    def _reply(self, number: int, value: object) -> None:
        if self._transport is not None:
            self._write({REPLY: number, "value": value})

    def _write(self, said: Fields) -> None:
        if self._transport is None:
            raise ConnectionResetError("the other process is gone")
        self._transport.write(json.dumps(said).encode() + b"\n")


def _nothing() -> None: ...
