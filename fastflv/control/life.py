"""The life of a server process: signals, reloads, a quick end and a graceful one."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fastflv import limits
from fastflv.config.grammar.filestamp import FileStamps
from fastflv.config.model.server import Settings
from fastflv.control.log import reopen_log, set_level, set_utc
from fastflv.control.notify import STOPPING, notify
from fastflv.control.outcome import Outcome
from fastflv.control.presence import Presence
from fastflv.control.process import CALM, watch_parent
from fastflv.control.reload import Reloader
from fastflv.control.server import Server
from fastflv.control.supervision import Supervision
from fastflv.control.upgrade import CommandLine, Upgrade, let_go
from fastflv.control.workerplace import NO_UPGRADE
from fastflv.errors import HandoverError, StartupError

if TYPE_CHECKING:
    from fastflv.control.siblings import Siblings

log = logging.getLogger(__name__)

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
"Signals that end the server."


class Life:
    """Runs a started server until a signal ends it.

    SIGINT and SIGTERM end it quickly, SIGQUIT gracefully, and SIGTERM too with `force_grace_quit`; any of them
    ends a graceful quit quickly. SIGHUP reloads the configuration, SIGUSR1 opens the log file anew, SIGUSR2 hands
    the server over to a new process. docs/operate.md has a line for each.
    """

    def __init__(
        self,
        server: Server,
        loop: asyncio.AbstractEventLoop,
        load: Callable[[FileStamps], Settings],
        stamps: FileStamps,
        presence: Presence,
        command: CommandLine,
        supervision: Supervision,
    ) -> None:
        """*load* reads the configuration again, and gives its argument how the files look; *stamps*: how they did at first.

        *presence*, *command*: what an upgrade hands over, and how it starts the new process. *supervision*: who is told.
        """
        self._server = server
        self._loop = loop
        self._leaving = loop.create_future()
        self._ended = loop.create_future()
        self._over = loop.create_future()
        "Another process serves."
        self._presence = presence
        self._command_line = command
        self._supervision = supervision
        self._upgrading: Upgrade | None = None
        self._handed: Upgrade | None = None
        self._whole = False
        "It has taken over more than listeners."
        self._tasks: set[asyncio.Task[dict[str, Any]]] = set()
        self._reloader = Reloader(loop, load, self._apply, server.runtime.settings, stamps)
        server.api.raw.reload = self._reload_by_api
        server.api.raw.plan = lambda: self._reloader.plan().as_json()
        for number in ENDS:
            loop.add_signal_handler(number, self._stop, number)
        for calm, act in (
            (signal.SIGHUP, self._reload),
            (signal.SIGUSR1, lambda: reopen_log("SIGUSR1")),
            (signal.SIGUSR2, self._upgrade_by_signal),
        ):
            loop.add_signal_handler(calm, self._unless_forwarded, calm, act)
        supervision.watch(loop.add_reader, lambda: self._end("the process that the supervisor knows ended"))
        if server.runtime.settings.asprocess:
            watch_parent(loop.add_reader, lambda: self._end("the parent process ended"))

    def orphaned(self) -> None:
        """The parent of this worker is gone."""
        self._end("the parent process ended")

    async def run(self) -> None:
        """Wait for the end, and end the server. Signals are ignored from then on: the process is to exit."""
        await asyncio.wait([self._leaving, self._ended, self._over], return_when=asyncio.FIRST_COMPLETED)
        if self._over.done():
            await self._let_go()
        elif self._leaving.done():
            await self._leave()
        await self._server.stop()
        if self._leaving.done() and not self._ended.done():
            seconds = self._server.runtime.settings.grace_final_wait / 1000
            log.info("quitting gracefully: no client is left; the process ends in %g s", seconds)
            await self._pause(seconds)
        self._ignore_signals()

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What `fastflv reload` and `fastflv upgrade` ask by the socket of the server."""
        return {
            "reload": lambda: self._command(lambda: self._reloader.reload("fastflv reload")),
            "plan": lambda: self._command(self._reloader.plan),
            "upgrade": lambda: self._upgrade("fastflv upgrade"),
            "upgrade drain": lambda: self._upgrade("fastflv upgrade --drain", drain=True),
        }

    def _command(self, ask: Callable[[], Outcome]) -> dict[str, object]:
        if self._leaving.done() or self._ended.done() or self._over.done():
            error = StartupError("no reload, the server is quitting")
            return Outcome.refused(self._server.runtime.number, error).as_json()
        return ask().as_json()

    def _apply(self, settings: Settings) -> Outcome:
        outcome = self._server.reload(settings)
        set_level(settings.log.level)
        set_utc(settings.utc_time)
        return outcome

    def _reload(self) -> None:
        if self._leaving.done() or self._ended.done() or self._over.done():
            # It would open the listeners again.
            log.info("SIGHUP: no reload, the server is quitting")
        else:
            self._reloader.reload("SIGHUP")

    def _reload_by_api(self) -> dict[str, object] | Awaitable[dict[str, object]]:
        if self._server.siblings is not None:
            return self._reload_all(self._server.siblings)
        return self._command(lambda: self._reloader.reload("rpc=reload"))

    async def _reload_all(self, siblings: Siblings) -> dict[str, object]:
        """Have all workers reload, this one too; return the report of the first that refuses, else of the first."""
        try:
            return await siblings.reload_all()
        except (ConnectionError, TimeoutError) as error:
            refused = StartupError(f"the workers did not answer: {error or type(error).__name__}")
            return Outcome.refused(self._server.runtime.number, refused).as_json()

    def _upgrade_by_signal(self) -> None:
        self._tasks.add(task := self._loop.create_task(self._upgrade("SIGUSR2")))
        task.add_done_callback(self._tasks.discard)

    async def _upgrade(self, cause: str, *, drain: bool = False) -> dict[str, Any]:
        """Hand the server over to a new process of the same command line; return the report of it. *drain*: as `Upgrade` has it."""
        why = self._upgrade_refusal()
        if why:
            log.warning("%s: no upgrade, %s", cause, why)
            return {"good": False, "problems": [why]}
        log.info("%s: upgrade", cause)
        upgrade = self._upgrading = Upgrade(
            self._server, self._command_line, self._presence.hand_over, self._supervision, drain=drain
        )
        try:
            report = await upgrade.run()
        except HandoverError as error:
            log.error("upgrade: %s; this process goes on", error)
            return {"good": False, "problems": [str(error)]}
        finally:
            self._upgrading = None
        # The end of who serves is that of the service, which the supervisor is to see at once.
        self._supervision.watch_followers(self._loop, lambda process: self._end(f"process {process} ended"))
        self._handed = upgrade
        self._whole = bool(report["whole"])
        taken = ", ".join(f"{count} {what}" for what, count in report["taken"].items())
        log.info("upgrade: process %s serves; it has taken over %s", report["process"], taken)
        self._over.set_result(None)
        self._reloader.close()
        return report

    def _upgrade_refusal(self) -> str:
        """Why there can be no upgrade, in one sentence; empty where there can."""
        if self._over.done() or self._leaving.done() or self._ended.done():
            return "the server is quitting"
        if self._upgrading is not None:
            return "an upgrade is in progress"
        if self._server.runtime.settings.asprocess:
            return "a server with `asprocess on` ends with its parent, so none can take over"
        if self._server.siblings is not None:
            return NO_UPGRADE
        return ""

    async def _let_go(self) -> None:
        """Another process serves: end what it has not taken over."""
        assert self._handed is not None
        if self._whole:
            await let_go(self._server, self._handed, self._ended)
        else:
            await self._handed.finish()
            self._server.unready = "another process serves"
            await self._leave()

    def _unless_forwarded(self, number: signal.Signals, act: Callable[[], object]) -> None:
        """Act on a signal, unless another process serves that gets it."""
        if not self._supervision.forward(number):
            act()

    def _stop(self, number: signal.Signals) -> None:
        if self._supervision.forward(number):
            self._end(f"{number.name}, which the process that serves has too")
            return
        graceful = number is signal.SIGQUIT or (
            number is signal.SIGTERM and self._server.runtime.settings.force_grace_quit
        )
        if graceful and not self._leaving.done():
            log.info("%s: quitting gracefully; a second signal ends it at once", number.name)
            self._leaving.set_result(None)
            self._server.unready = "the server is quitting"
            self._stop_changes()
        else:
            self._end(number.name)
        if not self._over.done():
            notify(STOPPING)

    def _end(self, why: str) -> None:
        if not self._ended.done():
            log.info("%s: stopping", why)
            self._ended.set_result(None)
            self._stop_changes()

    def _stop_changes(self) -> None:
        """Neither reload nor upgrade any more."""
        self._reloader.close()
        if self._upgrading is not None:
            self._upgrading.cancel()

    def _ignore_signals(self) -> None:
        """The loop gives each signal its default action back when it closes: the process would die before its pid file is removed."""
        numbers = (*ENDS, *CALM)
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for number in numbers:
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    async def _leave(self) -> None:
        """Accept no more after a while, and wait until the last client has left."""
        server = self._server
        await self._pause(server.runtime.settings.grace_start_wait / 1000)
        server.close_listeners()
        looks = 0
        while len(server.clients) and not self._ended.done():
            # At 1, 2, 4, ... looks: a long quit writes few lines.
            if looks & (looks - 1) == 0:
                log.info("quitting gracefully: %d clients are still there", len(server.clients))
            looks += 1
            await self._pause(limits.GRACE_LOOK_SECONDS)

    async def _pause(self, seconds: float) -> None:
        """Wait, or until the end is ordered."""
        await asyncio.wait([self._ended], timeout=seconds)
