"""`fastflv`: run the server until a signal ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from collections.abc import Callable, Sequence

from fastflv import limits
from fastflv.config.endpoint import Endpoint
from fastflv.config.grammar.filestamp import FileStamps
from fastflv.config.model.server import LogTank, Settings
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.config.mount import Mount
from fastflv.config.notice import NoticeKind
from fastflv.control.background import go_to_background
from fastflv.control.identity import new_id, server_id
from fastflv.control.life import Life
from fastflv.control.log import end_log, place_of, start_log
from fastflv.control.process import PidFile, ignore_early_signals
from fastflv.control.server import Server
from fastflv.errors import StartupError
from fastflv.net.activation import inherited_sockets
from fastflv.servers.api.api import Identity

log = logging.getLogger("fastflv")


def serve(
    settings: Settings,
    load_again: Callable[[FileStamps], Settings],
    stamps: FileStamps,
    *,
    demo: bool = False,
) -> int:
    """Run the server until a signal ends it. *load_again*, *stamps*: for reloads, as `Life` has them."""
    import uvloop

    ignore_early_signals()
    # Taken here: the descriptors are for this process, and the background is another.
    sockets = inherited_sockets(os.environ)
    if settings.work_dir not in ("", "./"):
        try:
            os.chdir(settings.work_dir)
        except OSError as error:
            raise StartupError(f"cannot change to work_dir {settings.work_dir}: {error.strerror}") from error
    start_log(settings.log, utc=settings.utc_time)
    ready = go_to_background() if settings.daemon else None
    if not settings.daemon and settings.source and settings.source.flag("daemon", True):
        log.info("the server stays in the foreground: it runs in a container (disable_daemon_for_docker)")
    for notice in settings.notices:
        log.log(logging.INFO if notice.kind is NoticeKind.LEGACY else logging.WARNING, "%s", notice)
    pid: PidFile | None = None
    try:
        # SRS writes its pid file always; here a file that says nothing of it leaves nothing behind.
        if settings.daemon or settings.directive.first("pid"):
            pid = PidFile(settings.pid)
        identity = Identity(server_id(settings.server_id, settings.pid if pid is not None else ""), new_id())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            loop = runner.get_loop()
            server = Server(settings, loop, identity=identity)
            life = Life(server, loop, load_again, stamps)
            return runner.run(_serve(server, life, sockets, demo=demo, ready=ready))
    except StartupError as error:
        if settings.log.tank is LogTank.FILE:
            log.error("%s", error)
        raise
    finally:
        end_log()
        if pid is not None:
            pid.release()


async def _serve(
    server: Server,
    life: Life,
    sockets: Sequence[socket.socket],
    *,
    demo: bool,
    ready: Callable[[str], None] | None,
) -> int:
    await server.start(sockets)
    if ready is not None:
        ready(
            f"fastflv runs in the background: process {os.getpid()}, {place_of(server.runtime.settings.log)}"
        )
    # What is there now stays; each TLS player adds some 50 objects, and looking at all of them again and again was
    # a quarter of the time of 200 such players.
    gc.freeze()
    gc.set_threshold(limits.GC_OBJECTS, *gc.get_threshold()[1:])
    for line in urls(server):
        log.info("%s", line)
    player = None
    rtmp = server.listeners.ports("RTMP")
    if demo and rtmp:
        from fastflv.tools.demo import publish_demo

        host = server.runtime.settings.listen[0].host
        player = asyncio.get_running_loop().create_task(publish_demo(Endpoint(host, rtmp[0])))
    await life.run()
    if player is not None:
        player.cancel()
    return 0


def urls(server: Server) -> list[str]:
    """The lines to copy: where to publish, where to play."""
    settings, ports = server.runtime.settings, server.listeners.ports
    lines = []
    for port in ports("RTMP")[:1]:
        lines.append(f"publish to rtmp://127.0.0.1{'' if port == 1935 else f':{port}'}/live/livestream")
    vhost = settings.vhost(DEFAULT_VHOST)
    if vhost is not None and vhost.http_remux.enabled:
        roots = [f"http://127.0.0.1:{port}" for port in ports("HTTP")[:1]]
        roots += [f"https://127.0.0.1:{port}" for port in ports("HTTPS")[:1]]
        for root in roots:
            for mount in vhost.http_remux.mounts:
                path = Mount.parse(mount, vhost.name).example("live", "livestream")
                lines.append(f"play {root}{path}")
    if settings.http_api.enabled:
        for port in ports("HTTP" if settings.api_shared else "API")[:1]:
            lines.append(f"ask http://127.0.0.1:{port}/api/v1/streams")
    return lines
