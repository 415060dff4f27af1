"""Calls of a program's callbacks: `async def` in the event loop of the program, `def` on a thread."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from time import perf_counter
from typing import Any

from fastflv import limits

log = logging.getLogger(__name__)


def name_of(callback: object) -> str:
    """Return what a callback is called in log lines."""
    module, name = getattr(callback, "__module__", ""), getattr(callback, "__qualname__", "")
    return f"{module}.{name}" if name else repr(callback)


def is_async(callback: Callable[..., object]) -> bool:
    """Whether a call returns at once with a coroutine: `async def`, also of a method, a partial or an object's `__call__`."""
    if inspect.iscoroutinefunction(callback):
        return True
    return inspect.iscoroutinefunction(getattr(callback, "__call__", None))  # noqa: B004


class Caller:
    """Calls the callbacks of one server. CALLBACK_THREADS of those that are `def` run at once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(limits.CALLBACK_THREADS, "fastflv-callback")

    async def call(self, name: str, callback: Callable[[Any], object], argument: object) -> object:
        """Return what *callback* returns; *name* stands in log lines.

        A call that is cancelled ends as soon as its coroutine does. A thread cannot be ended: the call ends with it, or when
        it is cancelled once more.
        """
        if is_async(callback):
            return await _Steps(name, callback(argument))  # type: ignore[arg-type]
        work = self._pool.submit(copy_context().run, callback, argument)
        running = asyncio.wrap_future(work)
        try:
            result = await asyncio.shield(running)
        except asyncio.CancelledError:
            if not work.cancel():
                await asyncio.wait([running])
                # It is asked for, so that nobody misses it in the log.
                running.exception()
            raise
        return await _Steps(name, result) if inspect.isawaitable(result) else result

    def close(self) -> None:
        """Call nothing any more; threads end with the callbacks that they are in."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Steps:
    """Awaits what a callback returned, and logs each step that has held the event loop for HELD_CALLBACK_SECONDS."""

    __slots__ = ("_awaited", "_name")

    def __init__(self, name: str, awaited: Awaitable[object]) -> None:
        self._name = name
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, object]:
        steps: Any = self._awaited.__await__()
        step, value = steps.send, None
        while True:
            began = perf_counter()
            try:
                wanted = step(value)
            except StopIteration as end:
                return end.value
            finally:
                held = perf_counter() - began
                if held > limits.HELD_CALLBACK_SECONDS:
                    log.warning(
                        "%s held the event loop for %.2f s; readers and other callbacks waited. Make it `def`, and it runs on a thread",
                        self._name, held,
                    )  # fmt: skip
            try:
                step, value = steps.send, (yield wanted)
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:
                step, value = steps.throw, error
