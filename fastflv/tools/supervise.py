"""`fastflv --workers N`: the parent process of the workers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

from fastflv.config.model.server import LogTank, Settings
from fastflv.control.background import go_to_background
from fastflv.control.identity import server_id
from fastflv.control.log import end_log, place_of, start_log
from fastflv.control.notify import READY, notify
from fastflv.control.presence import Presence
from fastflv.control.process import ignore_early_signals, watch_parent
from fastflv.control.supervisor import Supervisor
from fastflv.control.takeover import Takeover
from fastflv.control.upgrade import CommandLine
from fastflv.errors import StartupError
from fastflv.net.activation import inherited_sockets
from fastflv.net.clientid import new_id
from fastflv.servers.api.identity import Identity
from fastflv.tools.serve import enter_folder

log = logging.getLogger("fastflv")


def supervise(settings: Settings, count: int, command: CommandLine, takeover: Takeover | None = None) -> int:
    """Run *count* workers until a signal ends them; each is started by *command*, as this process was.

    *takeover*: of the process that this one is to replace, which goes on. Raises StartupError.
    """
    if takeover is not None:
        why = "workers take no running server over: stop it, then start with --workers"
        takeover.refuse(why)
        raise StartupError(f"upgrade: {why}")
    ignore_early_signals()
    if inherited_sockets(os.environ):
        raise StartupError("workers open their ports themselves: remove the ListenStream= of the supervisor")
    enter_folder(settings)
    start_log(settings.log, utc=settings.utc_time)
    ready = go_to_background() if settings.daemon else None
    known = settings.daemon or settings.directive.first("pid")
    presence = Presence(settings.pid if known else None)

    def started() -> None:
        log.info("%d workers run", count)
        notify(READY)
        if ready is not None:
            ready(f"fastflv runs in the background: process {os.getpid()}, {place_of(settings.log)}")

    async def run() -> None:
        if settings.asprocess:
            watch_parent(asyncio.get_running_loop().add_reader, lambda: signal.raise_signal(signal.SIGTERM))
        supervisor = Supervisor(command, count, identity)
        await presence.listen(supervisor.commands)
        await supervisor.run(started)
        await presence.stop()

    try:
        presence.take()
        identity = Identity(server_id(settings.server_id, settings.pid if known else ""), new_id())
        asyncio.run(run())
    except StartupError as error:
        if settings.log.tank is LogTank.FILE:
            log.error("%s", error)
        raise
    finally:
        end_log()
        presence.release()
    return 0
