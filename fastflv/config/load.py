"""The whole configuration as typed values, and `load`, the one way to get it.

Loading goes: parse, rewrite legacy spellings, check names, read values (environment first), check
what values mean together, `is_full` last. Nothing is opened but the files themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib import resources
from typing import Final

from fastflv import limits
from fastflv.config import check
from fastflv.config.endpoint import Endpoint
from fastflv.config.feature import survey
from fastflv.config.grammar import legacy, schema
from fastflv.config.grammar.directive import Directive, parse, parse_file
from fastflv.config.grammar.environ import Environment
from fastflv.config.grammar.section import Section, bounded
from fastflv.config.model.vhost import DEFAULT_VHOST, Vhost, read_chunk_size, read_vhost
from fastflv.config.model.webserver import HttpApi, HttpServer, read_http_api, read_http_server
from fastflv.config.notice import Notice, NoticeKind

__all__ = [
    "Endpoint",
    "LogLevel",
    "LogSettings",
    "LogTank",
    "Notice",
    "NoticeKind",
    "Rtmps",
    "Settings",
    "Vhost",
    "load",
    "load_text",
]


class LogTank(Enum):
    """Where the log goes."""

    FILE = "file"
    CONSOLE = "console"


class LogLevel(Enum):
    """How much is logged, by today's names; `srs_log_level` has older ones for the same steps."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class OldLogLevel(Enum):
    """The names of `srs_log_level`, most talkative first."""

    VERBOSE = "verbose"
    INFO = "info"
    TRACE = "trace"
    WARN = "warn"
    ERROR = "error"


LEVELS: Final = dict(zip(OldLogLevel, LogLevel, strict=True))
"SRS's `trace` is the normal level, which today's names call `info`; its `info` is our `debug`."


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`srs_log_*`."""

    tank: LogTank = LogTank.FILE
    "file or console. Default file; console with `in_docker on`."

    level: LogLevel = LogLevel.INFO
    "`srs_log_level_v2` where given, else `srs_log_level` in today's names. Default info."

    file: str = "./objs/srs.log"
    "Path, for tank file. Default ./objs/srs.log."


@dataclass(frozen=True, slots=True)
class Rtmps:
    """`rtmps { }`, when enabled: RTMP over TLS."""

    listen: tuple[Endpoint, ...] = (Endpoint("", 1443),)
    "Default 1443."

    key: str = "./conf/server.key"
    "PEM file of the private key. Default ./conf/server.key."

    cert: str = "./conf/server.crt"
    "PEM file of the certificate chain. Default ./conf/server.crt."


@dataclass(frozen=True, slots=True)
class Stats:
    """`stats { }`: what the API tells about the machine."""

    enabled: bool = True
    "Default on."

    network: int = bounded(0, 0)
    "Index of the network interface that is reported. Default 0."

    disk: tuple[str, ...] = ()
    "Block devices whose counters are reported. Default none."


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """`heartbeat { }`: a POST from time to time."""

    enabled: bool = False
    "Default off."

    interval: int = bounded(10, 1, truncate=True)
    "Seconds; 9.3 is read as 9, as SRS does. Default 10."

    url: str = "http://127.0.0.1:8085/api/v1/servers"
    "Where to."

    device_id: str = ""
    "Sent along. Default empty."

    summaries: bool = False
    "Send the machine's summary too. Default off."

    ports: bool = False
    "Send the listeners too. Default off."


@dataclass(frozen=True, slots=True)
class Exporter:
    """`exporter { }`: Prometheus metrics."""

    enabled: bool = False
    "Default off."

    listen: tuple[Endpoint, ...] = (Endpoint("", 9972),)
    "Default 9972."

    label: str = ""
    "Label of the build-info metric. Default empty."

    tag: str = ""
    "Label of the build-info metric. Default empty."


@dataclass(frozen=True, slots=True)
class Settings:
    """One configuration, complete and checked. Never changes; a reload makes another."""

    listen: tuple[Endpoint, ...] = ()
    "RTMP listeners, from `rtmp { listen }` or `listen`. Never empty but in a start without a file."

    rtmps: Rtmps | None = None
    "RTMP over TLS; None where it is off, the default."

    max_connections: int = bounded(1000, 1)
    "Connections of all kinds together; one more is closed after accept. Default 1000."

    chunk_size: int = limits.CHUNK_BYTES_OUT
    "Outgoing RTMP chunk size announced to clients, bytes, 1 to 16777215. Default 60000."

    pid: str = "./objs/srs.pid"
    "File that holds the process id, locked while the server runs. Default ./objs/srs.pid."

    daemon: bool = True
    "Run in the background. Default on; off with `in_docker on`, unless `disable_daemon_for_docker off`."

    in_docker: bool = False
    "Behave as in a container without looking for one. Default off."

    disable_daemon_for_docker: bool = True
    "Stay in the foreground in a container. Default on."

    work_dir: str = "./"
    "Directory to change to at start; relative paths follow. Default ./."

    log: LogSettings = field(default_factory=LogSettings)
    "Where the log goes, and how much of it."

    server_id: str = ""
    "Identity in the API and in hooks; empty = made at start and kept beside the pid file."

    utc_time: bool = False
    "Times in log lines and paths are UTC. Default off."

    asprocess: bool = False
    "Quit when the parent process does. Default off."

    empty_ip_ok: bool = True
    "Take connections whose peer has no address. Default on."

    pithy_print_ms: int = bounded(10_000, 1)
    "Time between two log lines of one connection, milliseconds. Default 10000."

    grace_start_wait: int = bounded(2300, 0)
    "SIGQUIT: wait before listeners close, milliseconds. Default 2300."

    grace_final_wait: int = bounded(3200, 0)
    "SIGQUIT: wait after the last connection ended, milliseconds. Default 3200."

    force_grace_quit: bool = False
    "SIGTERM is SIGQUIT. Default off."

    inotify_auto_reload: bool = False
    "Reload when the file changes. Default off."

    auto_reload_for_docker: bool = True
    "Reload when the file changes, in a container. Default on."

    fanout_threads: int = bounded(0, 0, limits.THREADS_MAX)
    "fastflv: threads that send to players; 0 = one per core. Default 0."

    http_server: HttpServer = field(default_factory=HttpServer)
    "Live streams and files over HTTP."

    http_api: HttpApi = field(default_factory=HttpApi)
    "The API."

    stats: Stats = field(default_factory=Stats)
    "What the API tells about the machine."

    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    "A POST from time to time."

    exporter: Exporter = field(default_factory=Exporter)
    "Prometheus metrics."

    vhosts: dict[str, Vhost] = field(default_factory=dict)
    "Vhosts by name, disabled ones too; of two with one name, the first. Ask through `vhost`."

    notices: tuple[Notice, ...] = ()
    "What to log at start, each once, in the order found."

    directive: Directive = field(default=Directive("", block=True), compare=False, repr=False)
    "The file as it was parsed, legacy spellings rewritten."

    def vhost(self, name: str) -> Vhost | None:
        """The vhost for requests to *name*: its own, else the default one; None = refuse.

        A disabled vhost is refused, it does not fall back to the default one.
        """
        found = self.vhosts.get(name) or self.vhosts.get(DEFAULT_VHOST)
        return found if found and found.enabled else None


def load(path: str | None, *, environ: Mapping[str, str], env_only: bool = False) -> Settings:
    """Read the configuration file at *path*, with the SRS_* variables of *environ* over it.

    *path* None: the built-in configuration. SRS_CONFIG_FILE beats *path*. *env_only*, or
    SRS_ENV_ONLY, is a start without any file: daemon off, log to the console, one default vhost.
    Raises ConfigFileError, ConfigSyntaxError, ConfigNameError or ConfigValueError, with file and line.
    """
    environment = Environment(environ)
    if env_only or environment.only:
        return _build(_without_file(), environment, env_only=True)
    path = environment.config_file or path
    if path is not None:
        return _build(parse_file(path), environment)
    built_in = resources.files("fastflv.config").joinpath("default.conf").read_text("utf-8")
    return _build(parse(built_in, "default.conf"), environment)


def load_text(text: str, file: str = "<text>", *, environ: Mapping[str, str] | None = None) -> Settings:
    """As `load`, for a configuration in memory; *file* labels places in messages."""
    return _build(parse(text, file), Environment(environ or {}))


def _without_file() -> Directive:
    values = {"daemon": "off", "srs_log_tank": "console"}
    vhost = Directive("vhost", (DEFAULT_VHOST,), block=True, file="environment")
    children = (*(Directive(name, (value,), file="environment") for name, value in values.items()), vhost)
    return Directive("", (), children, block=True, file="environment")


def _build(root: Directive, environment: Environment, env_only: bool = False) -> Settings:
    notices: list[Notice] = []
    check.check_filled(root)
    root = legacy.rewrite(root, notices)
    schema.check_names(root)
    section = Section(root, "", environment, notices)
    vhosts: dict[str, Vhost] = {}
    for each in section.subs("vhost"):
        vhost = read_vhost(each)
        vhosts.setdefault(vhost.name, vhost)
    in_docker = section.flag("in_docker", False)
    settings = section.fill(
        Settings,
        listen=_read_listen(section),
        rtmps=section.sub("rtmps").fill(Rtmps) if section.sub("rtmps").flag("enabled", False) else None,
        chunk_size=_read_chunk_size(section),
        daemon=section.flag("daemon", True)
        and not (in_docker and section.flag("disable_daemon_for_docker", True)),
        log=_read_log(section, in_docker),
        http_server=read_http_server(section),
        http_api=read_http_api(section),
        stats=section.sub("stats").fill(Stats),
        heartbeat=section.sub("heartbeat").fill(Heartbeat),
        exporter=section.sub("exporter").fill(Exporter),
        vhosts=vhosts,
        notices=(),
        directive=root,
    )
    survey(section)
    check.check_meaning(settings, section, env_only)
    return replace(settings, notices=tuple(dict.fromkeys(notices)))


def _read_listen(section: Section) -> tuple[Endpoint, ...]:
    # The environment first, then the newer home, then the older: each beats the next.
    older = section.value("listen")
    if older is None or not older.from_environment:
        newer = section.sub("rtmp").endpoints("listen", ())
        if newer:
            return newer
    return section.endpoints("listen", ())


def _read_chunk_size(section: Section) -> int:
    rtmp = section.sub("rtmp")
    older = section.value("chunk_size")
    if rtmp.value("chunk_size") is not None and not (older and older.from_environment):
        return read_chunk_size(rtmp, limits.CHUNK_BYTES_OUT)
    return read_chunk_size(section, limits.CHUNK_BYTES_OUT)


def _read_log(section: Section, in_docker: bool) -> LogSettings:
    tank = section.text("srs_log_tank", "console" if in_docker else "file")
    level = LEVELS[section.choice("srs_log_level", OldLogLevel.TRACE)]
    return LogSettings(
        # As SRS: whatever is not `console` is a file.
        LogTank.CONSOLE if tank == "console" else LogTank.FILE,
        section.choice("srs_log_level_v2", level),
        section.text("srs_log_file", LogSettings().file),
    )
