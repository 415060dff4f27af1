"""The command line: as SRS's where it has one."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import logging.handlers
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fastflv import __version__, limits
from fastflv.config.check import check_open_files
from fastflv.config.load import load
from fastflv.config.model.server import LogLevel, LogTank, Settings
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.config.mount import Mount
from fastflv.config.notice import NoticeKind
from fastflv.control.process import PidFile, daemonize, watch_parent
from fastflv.control.server import Server, raise_file_limit
from fastflv.errors import ConfigError, StartupError

log = logging.getLogger("fastflv")

LEVELS = {
    LogLevel.TRACE: logging.DEBUG,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
FORMAT = "%(asctime)s.%(msecs)03d %(levelname)s %(message)s"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="fastflv",
        description="Live server: RTMP in, HTTP-FLV out. Without -c it runs with a built-in configuration: "
        "RTMP on 1935, HTTP-FLV on 8080, API on 1985.",
        epilog="`fastflv probe URL` joins a stream and tells its tracks, rates and delay; see `fastflv probe -h`.",
        add_help=False,
    )
    made.add_argument("-h", "-?", "--help", action="help", help="show this help and exit")
    made.add_argument("-c", metavar="FILE", dest="file", help="configuration file (SRS style)")
    made.add_argument("-t", action="store_true", dest="test", help="test the configuration and exit")
    made.add_argument(
        "-e", action="store_true", dest="env_only", help="configuration from SRS_* variables only"
    )
    made.add_argument(
        "-v", "-V", "--version", action="version", version=__version__, help="show the version and exit"
    )
    made.add_argument(
        "-g", "-G", action="version", version=f"fastflv/{__version__}", help="show the server's name and exit"
    )
    made.add_argument("--demo", action="store_true", help="also publish a small built-in clip in a loop")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["probe"]:
        from fastflv.tools import probe

        return probe.main(argv[1:])
    args = parser().parse_args(argv)
    try:
        settings = load(args.file, environ=os.environ, env_only=args.env_only)
        open_files = raise_file_limit()
        if args.file is None and "SRS_MAX_CONNECTIONS" not in os.environ:
            room = open_files - limits.CONNECTIONS_RESERVED - 1
            settings = replace(settings, max_connections=min(max(room, 1), limits.CONNECTIONS_DEFAULT_MAX))
        check_open_files(settings, open_files)
    except (ConfigError, StartupError) as error:
        print(f"fastflv: {error}", file=sys.stderr)
        return 1
    for notice in settings.notices:
        print(
            f"fastflv: {'notice' if notice.kind is NoticeKind.LEGACY else 'warning'}: {notice}",
            file=sys.stderr,
        )
    if args.test:
        print("the configuration is good", file=sys.stderr)
        return 0
    try:
        return serve(settings, demo=args.demo)
    except StartupError as error:
        print(f"fastflv: {error}", file=sys.stderr)
        return 1


def serve(settings: Settings, *, demo: bool = False) -> int:
    """Run the server until a signal ends it."""
    import uvloop

    if settings.work_dir not in ("", "./"):
        try:
            os.chdir(settings.work_dir)
        except OSError as error:
            raise StartupError(f"cannot change to work_dir {settings.work_dir}: {error.strerror}") from error
    start_log(settings)
    if settings.daemon:
        # Said while there is a terminal to say it to; the lock itself does not survive the fork.
        PidFile(settings.pid).release()
        daemonize()
    # SRS writes its pid file always; here a file that says nothing of it leaves nothing behind.
    pid = PidFile(settings.pid) if settings.daemon or settings.directive.first("pid") else None
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, demo=demo))
    except StartupError as error:
        log.error("%s", error)
        raise
    finally:
        if pid is not None:
            pid.release()


async def _serve(settings: Settings, *, demo: bool) -> int:
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def end(name: str) -> None:
        if not ended.done():
            log.info("%s: stopping", name)
            ended.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        loop.add_signal_handler(number, end, number.name)
    loop.add_signal_handler(
        signal.SIGHUP,
        lambda: log.warning("SIGHUP: reload is not supported yet; restart to read the configuration"),
    )
    if settings.asprocess:
        watch_parent(loop.add_reader, lambda: end("the parent process ended"))
    server = Server(settings, loop)
    await server.start()
    # What is there now stays; each TLS player adds some 50 objects, and looking at all of them again and again was
    # a quarter of the time of 200 such players.
    gc.freeze()
    gc.set_threshold(limits.GC_OBJECTS, *gc.get_threshold()[1:])
    for line in urls(settings):
        log.info("%s", line)
    player = None
    if demo:
        from fastflv.tools.demo import publish_demo

        player = loop.create_task(publish_demo(settings.listen[0]))
    await ended
    if player is not None:
        player.cancel()
    await server.stop()
    return 0


def urls(settings: Settings) -> list[str]:
    """The lines to copy: where to publish, where to play."""
    if not settings.listen:
        return []
    port = settings.listen[0].port
    lines = [f"publish to rtmp://127.0.0.1{'' if port == 1935 else f':{port}'}/live/livestream"]
    vhost = settings.vhost(DEFAULT_VHOST)
    if settings.http_server.enabled and vhost is not None and vhost.http_remux.enabled:
        server = settings.http_server
        roots = [f"http://127.0.0.1:{server.listen[0].port}"]
        if server.https.enabled:
            roots.append(f"https://127.0.0.1:{server.https.listen[0].port}")
        for root in roots:
            for mount in vhost.http_remux.mounts:
                path = Mount.parse(mount, vhost.name).example("live", "livestream")
                lines.append(f"play {root}{path}")
    if settings.http_api.enabled:
        lines.append(f"ask http://127.0.0.1:{settings.http_api.listen[0].port}/api/v1/streams")
    return lines


def start_log(settings: Settings) -> None:
    """Send the log where the configuration says."""
    handler: logging.Handler
    if settings.log.tank is LogTank.CONSOLE:
        handler = logging.StreamHandler(sys.stderr)
    else:
        path = Path(settings.log.file)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Watched: after logrotate moved the file, the next line opens a new one.
            handler = logging.handlers.WatchedFileHandler(path)
        except OSError as error:
            raise StartupError(
                f"cannot write the log {path}: {error.strerror}; set srs_log_file, or srs_log_tank console"
            ) from error
    handler.setFormatter(logging.Formatter(FORMAT, "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger("fastflv")
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[settings.log.level])
    root.propagate = False
