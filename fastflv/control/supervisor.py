"""The parent of several workers on one machine: starts them, restarts one that dies, and hands signals and commands on.

Each worker is a whole server with listeners of its own on the same ports (SO_REUSEPORT). The parent has no client; it knows
which worker publishes which stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from fastflv import limits
from fastflv.control.upgrade import CommandLine
from fastflv.control.workerchannel import Fields, WorkerChannel
from fastflv.control.workernames import Name, WorkerNames
from fastflv.control.workerplace import NO_UPGRADE, WorkerPlace
from fastflv.errors import StartupError
from fastflv.servers.api.identity import Identity

log = logging.getLogger(__name__)

PASSED_ON: Final = (signal.SIGHUP, signal.SIGUSR1)
ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


class Worker:
    """One place among the workers, and the process that has it."""

    def __init__(self, number: int, listener: socket.socket) -> None:
        """*listener*: where it answers the other workers; one that is restarted finds the same."""
        self.number = number
        self.listener = listener
        self.process: asyncio.subprocess.Process | None = None
        self.channel: WorkerChannel | None = None
        self.ready = False
        self.reload_due = False
        "A reload came while the process was starting, which may have read the file before."
        self.deaths = 0
        "In a row, each soon after its start."

    @property
    def port(self) -> int:
        """Of the listener."""
        return int(self.listener.getsockname()[1])

    @property
    def pause(self) -> float:
        """Time before the next start, seconds."""
        pause: float = limits.WORKER_PAUSE_SECONDS * 2 ** max(self.deaths - 1, 0)
        return min(pause, limits.WORKER_PAUSE_SECONDS_MAX)

    def send(self, number: int) -> None:
        """Send a signal to the process, if there is one."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    def tell(self, what: str, **fields: object) -> None:
        """Tell the process, if it listens."""
        if self.channel is not None:
            with contextlib.suppress(ConnectionError):
                self.channel.tell(what, **fields)


class Supervisor:
    """Runs the workers until a signal ends them. Belongs to an event loop of its own."""

    def __init__(self, command: CommandLine, count: int, identity: Identity) -> None:
        """*command* starts each worker: the environment tells it that it is one."""
        self._command = command
        self._identity = identity
        self._secret = os.urandom(16).hex()
        self._names = WorkerNames()
        self._workers = [Worker(number, _private_listener()) for number in range(1, count + 1)]
        self._ending = asyncio.Event()
        self._failed = asyncio.Event()
        self._all_ready = asyncio.Event()

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What `fastflv reload` and `fastflv upgrade` ask by the socket of the server."""
        passed_on = {name: partial(self._command_all, name) for name in ("reload", "plan")}
        return {**passed_on, "upgrade": lambda: {"good": False, "problems": [NO_UPGRADE]}}

    async def run(self, ready: Callable[[], object]) -> None:
        """Run to the end; *ready* is called once all workers are. Raises StartupError where one cannot start."""
        loop = asyncio.get_running_loop()
        for number in ENDS:
            loop.add_signal_handler(number, self._end, number)
        for number in PASSED_ON:
            loop.add_signal_handler(number, self._pass_on, number)
        loop.add_signal_handler(signal.SIGUSR2, log.warning, "SIGUSR2: no upgrade, %s", NO_UPGRADE)
        tasks = [asyncio.create_task(self._keep(worker)) for worker in self._workers]
        waits = [asyncio.create_task(each.wait()) for each in (self._all_ready, self._failed)]
        try:
            await asyncio.wait([*waits, *tasks], return_when=asyncio.FIRST_COMPLETED)
            if self._all_ready.is_set():
                ready()
            await asyncio.gather(*tasks)
        finally:
            for wait in waits:
                wait.cancel()
        if self._failed.is_set():
            raise StartupError("a worker could not start; its own line says why")

    # --- one worker ---

    async def _keep(self, worker: Worker) -> None:
        """Run one process after the other in one place."""
        loop = asyncio.get_running_loop()
        while not self._ending.is_set():
            began = loop.time()
            try:
                process = await self._start(worker)
            except (OSError, RuntimeError) as error:
                # Processes, memory, descriptors or threads (RuntimeError) have run out.
                how = f"it could not be started: {error}"
            else:
                how = f"process {process.pid}, ended: {_how(await process.wait())}"
            self._forget(worker)
            if self._ending.is_set():
                break
            if not self._all_ready.is_set():
                # What a configuration or a port lacks, another try lacks too.
                log.error("worker %d: %s", worker.number, how)
                self._failed.set()
                self._end(signal.SIGTERM)
                break
            worker.deaths = worker.deaths + 1 if loop.time() - began < limits.WORKER_STEADY_SECONDS else 1
            log.warning("worker %d, %s; the next one starts in %g s", worker.number, how, worker.pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(worker.pause):
                    await self._ending.wait()

    async def _start(self, worker: Worker) -> asyncio.subprocess.Process:
        """Start a process. Raises OSError or RuntimeError; what has begun meanwhile ends with its channel."""
        near, far = socket.socketpair()
        with contextlib.ExitStack() as undo, far:
            undo.callback(near.close)
            place = WorkerPlace(
                worker.number,
                [each.port for each in self._workers],
                far.fileno(),
                worker.listener.fileno(),
                self._secret,
                self._identity.server,
                self._identity.service,
            )
            worker.reload_due = False
            process = await asyncio.create_subprocess_exec(
                *self._command.words,
                cwd=self._command.folder,
                env={**os.environ, **place.environ},
                pass_fds=(far.fileno(), worker.listener.fileno()),
                # Ctrl-C in a terminal is for the parent, which passes it on.
                process_group=0,
            )
            undo.pop_all()
        near.setblocking(False)
        worker.process = process
        worker.channel = WorkerChannel(
            {
                "ready": lambda fields: self._ready(worker),
                "claim": lambda fields: self._claim(worker, fields),
                "release": lambda fields: self._release(worker, fields),
                "reload": lambda fields: self._command_all("reload"),
            },
            lambda: None,
        )
        await worker.channel.open(near)
        for name, owner in self._names:
            worker.tell("published", name=name, worker=owner)
        for other in self._workers:
            if other.deaths and not other.ready:
                worker.tell("absent", worker=other.number)
        if self._ending.is_set():
            worker.send(signal.SIGTERM)
        return process

    def _ready(self, worker: Worker) -> None:
        worker.ready = True
        assert worker.process is not None
        log.info("worker %d is process %d", worker.number, worker.process.pid)
        self._tell_all("present", worker=worker.number)
        if worker.reload_due:
            worker.reload_due = False
            worker.send(signal.SIGHUP)
        if all(each.ready for each in self._workers):
            self._all_ready.set()

    def _forget(self, worker: Worker) -> None:
        worker.ready = False
        channel, worker.channel = worker.channel, None
        if channel is not None:
            channel.close()
        self._tell_all("absent", worker=worker.number)
        for name in self._names.drop(worker.number):
            self._tell_owner(name, 0)

    # --- names ---

    def _claim(self, worker: Worker, fields: Fields) -> int | Awaitable[int]:
        """A publisher has come to *worker*; return the worker that has its name, now or when it may begin."""
        name = Name(*fields["name"])
        before = self._names.owner(name)
        owner = self._names.claim(name, worker.number, fields["client"], takeover=fields["takeover"])
        if owner == worker.number != before:
            if before:
                self._workers[before - 1].tell("taken", name=name)
            self._tell_owner(name, owner)
            if before:
                return self._leave(self._workers[before - 1], name, owner)
        return owner

    async def _leave(self, former: Worker, name: Name, owner: int) -> int:
        """Have the worker that had a name store what it has of the stream: its playlist goes on behind that."""
        if former.channel is not None:
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(limits.WORKER_LEAVE_SECONDS):
                    await former.channel.ask("left", name=name)
        return owner

    def _release(self, worker: Worker, fields: Fields) -> None:
        name = Name(*fields["name"])
        if self._names.release(name, worker.number, fields["client"]):
            self._tell_owner(name, 0)

    def _tell_owner(self, name: Name, owner: int) -> None:
        self._tell_all("published", name=name, worker=owner)

    def _tell_all(self, what: str, **fields: object) -> None:
        for worker in self._workers:
            worker.tell(what, **fields)

    # --- all workers ---

    def _send(self, number: int) -> None:
        for worker in self._workers:
            worker.send(number)

    def _pass_on(self, number: int) -> None:
        """Pass a signal on to the workers that serve; one that is starting takes no notice of it."""
        for worker in self._workers:
            if worker.ready:
                worker.send(number)
            else:
                worker.reload_due |= number == signal.SIGHUP

    def _end(self, number: signal.Signals) -> None:
        if not self._ending.is_set():
            log.info("%s: the workers end", number.name)
        self._ending.set()
        self._send(number)

    async def _command_all(self, name: str) -> object:
        """Have every worker do what a command says; return the first answer that is not good, else that of the first."""
        for worker in self._workers:
            worker.reload_due |= name == "reload" and not worker.ready
        channels = [worker.channel for worker in self._workers if worker.ready and worker.channel is not None]
        answers = await asyncio.gather(*(each.ask(name) for each in channels), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                return {"good": False, "problems": [f"a worker does not answer: {answer}"]}
        bad = [answer for answer in answers if isinstance(answer, dict) and not answer.get("good")]
        return next(iter(bad or answers), {"good": False, "problems": ["no worker is running"]})


def _private_listener() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    sock.listen(limits.LISTEN_BACKLOG)
    return sock


def _how(status: int) -> str:
    """Describe an exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
