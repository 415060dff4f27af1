"""The thread of an embedded server: its core has an event loop of its own, which no code of the program can hold."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

import uvloop

from fastflv import limits
from fastflv.embed.mailbox import Mailbox
from fastflv.errors import ServerFailedError, StartupError

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class CoreThread:
    """Runs the core of one server in a thread, from `start` to `stop`, both called in the loop of the program.

    What belongs to the core is touched in this thread alone: `post` and `call` go there. Once the thread has ended, they call at
    once, in the thread of the caller. Where it has failed, `call` and all that rests in the mailbox of the program raise
    ServerFailedError, and what is posted is dropped.
    """

    def __init__(
        self,
        start: Callable[[], Coroutine[Any, Any, None]],
        stop: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """*start*, *stop*: of the core, awaited in its loop; *stop* only where *start* has not raised."""
        self._program_loop = asyncio.get_running_loop()
        self.loop = uvloop.new_event_loop()
        self.program = Mailbox(self._program_loop, behind=self.loop)
        "Calls of the core in the loop of the program."
        self._core = Mailbox(self.loop, tended=True)
        self._start = start
        self._stop = stop
        self._leaving = asyncio.Event()
        "The core is to stop."
        self._live_now = False
        "The core was started, and its stop has not begun."
        self._answers: set[Future[Any]] = set()
        "Those that `call` waits for."
        self._started: asyncio.Future[None] = self._program_loop.create_future()
        # A program that was cancelled meanwhile does not look at it.
        self._started.add_done_callback(lambda started: started.cancelled() or started.exception())
        self._ended: asyncio.Future[None] = self._program_loop.create_future()
        self._thread = threading.Thread(target=self._run, name="fastflv-core", daemon=True)

    async def start(self) -> None:
        """Start thread and core. Raises what the start of the core does, and StartupError where there is no thread."""
        try:
            self._thread.start()
        except RuntimeError as error:
            self.loop.close()
            raise StartupError(f"the server needs a thread: {error}") from error
        # A thread that computes must let the core go on within milliseconds.
        sys.setswitchinterval(min(sys.getswitchinterval(), limits.SWITCH_SECONDS))
        atexit.register(self._exit)
        try:
            await asyncio.shield(self._started)
        except BaseException:
            await self.stop()
            raise

    @property
    def running(self) -> bool:
        """The core was started."""
        return self._started.done() and not self._started.cancelled() and self._started.exception() is None

    async def stop(self) -> None:
        """Stop the core, and wait until its thread has ended. A wait that is cancelled stops it all the same."""
        self.leave()
        await asyncio.shield(self._ended)
        self._thread.join()
        atexit.unregister(self._exit)

    def check(self) -> None:
        """Raise ServerFailedError where the core has failed."""
        if self.program.error is not None:
            raise self.program.error

    def leave(self) -> None:
        """Stop the core, from any thread."""
        self._core.post(self._leaving.set)

    def abandon(self) -> None:
        """Stop the core: the program has closed its loop, and nobody else will. From any thread."""
        log.error("the event loop of the program was closed while its server ran; the server stops")
        self.leave()

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Call *call* in the thread of the core, behind what was posted before. From any thread."""
        if not self._core.post(call, *args) and self.program.error is None:
            call(*args)

    def call(self, call: Callable[..., Result], *args: object) -> Result:
        """Return what *call* returns there. From any thread, which waits for a turn of the core: some milliseconds at most.

        Raises ServerFailedError where the core has failed.
        """
        if threading.current_thread() is self._thread:
            # The garbage collector runs finalizers of the program in any thread.
            return call(*args)
        answer: Future[Result] = Future()

        def make() -> None:
            try:
                answer.set_result(call(*args))
            except BaseException as error:
                answer.set_exception(error)

        self._answers.add(answer)
        try:
            self.post(make)
            # A finalizer may run within a post of this thread, which has not yet woken the loop.
            self._core.wake()
            # Behind the post: one that is dropped is seen here, and one that was taken before has its answer failed.
            self.check()
            return answer.result()
        finally:
            self._answers.discard(answer)

    def collect(self, values: Iterator[Result]) -> tuple[Result, ...]:
        """Return what a generator yields there, VIEWS_A_TURN in each turn. Waits for them as `call` does."""
        found: list[Result] = []
        while True:
            part = self.call(lambda: list(islice(values, limits.VIEWS_A_TURN)))
            found += part
            if len(part) < limits.VIEWS_A_TURN:
                return tuple(found)

    # --- the thread ---

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
                try:
                    runner.run(self._live())
                except BaseException:
                    self._fail()
                    if self._live_now:
                        self._live_now = False
                        # Clients are disconnected all the same, if that is still possible.
                        most = limits.RECORD_STOP_SECONDS + limits.STOP_SECONDS
                        runner.run(asyncio.wait_for(self._stop(), most))
        except BaseException:
            # Its stop has failed, whatever was before it.
            self._fail()
        finally:
            error = self.program.error
            self._core.close(make=error is None)
            if error is not None:
                for answer in list(self._answers):
                    # Its thread may not have taken the answer that it has.
                    with suppress(InvalidStateError):
                        answer.set_exception(error)
            self.program.post(_settle, self._started, StartupError("the server has failed, see the log"))
            self.program.post(_settle, self._ended)
            self.program.wake()

    def _fail(self) -> None:
        """Tell the program of the exception that is being handled."""
        log.exception("the server has failed")
        self.program.fail(ServerFailedError("the server has failed, see the log"))

    async def _live(self) -> None:
        try:
            await self._start()
        except BaseException as error:
            self.program.post(_settle, self._started, error)
            return
        self.program.post(_settle, self._started)
        self._live_now = True
        await self._leaving.wait()
        if self._live_now:
            self._live_now = False
            await self._stop()

    def _exit(self) -> None:
        """The process ends, and the program has not left the block of its server."""
        self.leave()
        self._thread.join(2 * limits.STOP_SECONDS)


def _settle(future: asyncio.Future[None], error: BaseException | None = None) -> None:
    """Give a future of the program its result, unless nobody waits for it any more."""
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
