"""`fastflv`: run the server until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace

from fastflv import limits
from fastflv._ext.core.memory import forget_code, trim_heap
from fastflv.config.endpoint import Endpoint
from fastflv.config.grammar.filestamp import FileStamps
from fastflv.config.model.server import LogTank, Settings
from fastflv.config.notice import NoticeKind
from fastflv.control.background import go_to_background
from fastflv.control.collector import keep_looks_short
from fastflv.control.identity import server_id
from fastflv.control.life import Life
from fastflv.control.log import end_log, place_of, start_log
from fastflv.control.notify import READY, notify
from fastflv.control.presence import Presence
from fastflv.control.process import ignore_early_signals
from fastflv.control.server import Server
from fastflv.control.starturls import start_urls
from fastflv.control.supervision import Supervision
from fastflv.control.takeover import Takeover
from fastflv.control.upgrade import CommandLine
from fastflv.control.workerplace import WorkerPlace
from fastflv.errors import StartupError
from fastflv.net.activation import inherited_sockets
from fastflv.net.clientid import new_id
from fastflv.servers.api.identity import Identity

log = logging.getLogger("fastflv")


def serve(
    settings: Settings,
    load_again: Callable[[FileStamps], Settings],
    stamps: FileStamps,
    *,
    command: CommandLine,
    takeover: Takeover | None = None,
    demo: bool = False,
    worker: WorkerPlace | None = None,
) -> int:
    """Run the server until a signal ends it. *load_again*, *stamps*: for reloads, as `Life` has them.

    *command*: for upgrades. *takeover*: of the process that has started this one for an upgrade.
    *worker*: its place among the workers of a parent, which holds the pid file.
    """
    import uvloop

    ignore_early_signals()
    # Taken here: the descriptors are for this process, and the background is another.
    sockets = inherited_sockets(os.environ)
    enter_folder(settings)
    if worker is not None:
        settings = worker_settings(settings, worker)
    recent = start_log(settings.log, utc=settings.utc_time)
    # One that takes over is where the other one was.
    ready = go_to_background() if settings.daemon and takeover is None else None
    if not settings.daemon and settings.source and settings.source.flag("daemon", True):
        log.info("the server stays in the foreground: it runs in a container (disable_daemon_for_docker)")
    for notice in settings.notices:
        log.log(logging.INFO if notice.kind is NoticeKind.LEGACY else logging.WARNING, "%s", notice)
    # SRS writes its pid file always; here a file that says nothing of it leaves nothing behind.
    known = settings.daemon or settings.directive.first("pid")
    presence = Presence(settings.pid if known and worker is None else None)
    supervision = Supervision.found(os.environ, background=settings.daemon)
    try:
        if takeover is None:
            presence.take()
        identity = (
            Identity(worker.server, worker.service)
            if worker is not None
            else Identity(server_id(settings.server_id, settings.pid if known else ""), new_id())
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            loop = runner.get_loop()
            server = Server(settings, loop, identity=identity, recent=recent, worker=worker)
            life = Life(server, loop, _loading(load_again, worker), stamps, presence, command, supervision)
            start = server.start(sockets) if takeover is None else _take_over(server, takeover, presence)
            status = runner.run(_serve(server, life, start, presence, demo=demo, ready=ready))
    except StartupError as error:
        if takeover is not None:
            takeover.refuse(str(error))
        if settings.log.tank is LogTank.FILE:
            log.error("%s", error)
        raise
    finally:
        end_log()
        presence.release()
    return supervision.keep(status)


async def _take_over(server: Server, takeover: Takeover, presence: Presence) -> None:
    """Go on with what another process serves. Raises StartupError; then that process goes on itself."""
    await takeover.begin(server)
    try:
        presence.take()
    except (StartupError, OSError) as error:
        # The streams are here by now.
        log.error("upgrade: %s", error)
    await takeover.commit(server)


def _loading(
    load: Callable[[FileStamps], Settings], worker: WorkerPlace | None
) -> Callable[[FileStamps], Settings]:
    """Return what loads the settings of this process again."""
    return load if worker is None else lambda stamps: worker_settings(load(stamps), worker)


def enter_folder(settings: Settings) -> None:
    """Change to `work_dir`. Raises StartupError."""
    if settings.work_dir not in ("", "./"):
        try:
            os.chdir(settings.work_dir)
        except OSError as error:
            raise StartupError(f"cannot change to work_dir {settings.work_dir}: {error.strerror}") from error


def worker_settings(settings: Settings, place: WorkerPlace) -> Settings:
    """Return the settings of one worker: all share ports and cores, are in the foreground, and the first sends heartbeats."""
    count, beats = len(place.ports), settings.heartbeat.enabled and place.number == 1
    cores = len(os.sched_getaffinity(0))
    return replace(
        settings,
        reuse_port=True,
        daemon=False,
        heartbeat=replace(settings.heartbeat, enabled=beats),
        fanout_threads=settings.fanout_threads or min(max(cores // count, 1), limits.THREADS_MAX),
    )


async def _serve(
    server: Server,
    life: Life,
    start: Awaitable[None],
    presence: Presence,
    *,
    demo: bool,
    ready: Callable[[str], None] | None,
) -> int:
    if server.siblings is not None:
        await server.siblings.start(life.commands, life.orphaned)
    await start
    if server.siblings is not None:
        server.siblings.ready()
    await presence.listen(life.commands)
    if ready is not None:
        ready(
            f"fastflv runs in the background: process {os.getpid()}, {place_of(server.runtime.settings.log)}"
        )
    keep_looks_short(server.turns)
    # A start runs and frees what a server never needs again.
    forget_code()
    trim_heap()
    sys.setswitchinterval(limits.SWITCH_SECONDS)
    for line in start_urls(server):
        log.info("%s", line)
    notify(READY)
    player = None
    rtmp = server.listeners.ports("RTMP")
    if demo and rtmp and (server.siblings is None or server.siblings.place.number == 1):
        from fastflv.tools.demo import publish_demo

        host = server.runtime.settings.listen[0].host
        player = asyncio.get_running_loop().create_task(publish_demo(Endpoint(host, rtmp[0])))
    await life.run()
    await presence.stop()
    if player is not None:
        player.cancel()
    return 0
