"""The top of the file: what holds for the whole process, and its small blocks."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from fastflv import limits
from fastflv.config.endpoint import Endpoint, same_ports
from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.section import Section, bounded
from fastflv.config.model.caster import FlvTcp, StreamCaster
from fastflv.config.model.limits import Limits
from fastflv.config.model.vhost import DEFAULT_VHOST, Vhost, read_chunk_size
from fastflv.config.model.webserver import HttpApi, HttpServer
from fastflv.config.notice import Notice


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


class LogFormat(Enum):
    """How a line is written."""

    PLAIN = "plain"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`srs_log_*`."""

    tank: LogTank = LogTank.FILE
    "file or console. Default file; console in a container."

    level: LogLevel = LogLevel.INFO
    "`srs_log_level_v2` where given, else `srs_log_level` in today's names. Default info."

    file: str = "./objs/srs.log"
    "Path, for tank file. Default ./objs/srs.log."

    format: LogFormat = LogFormat.PLAIN
    "fastflv: plain, or json: one object a line. Default plain."


@dataclass(frozen=True, slots=True)
class Rtmp:
    """`rtmp { }`, beside its `listen` and `chunk_size`, which stand in the settings themselves."""

    proxy_protocol: bool = False
    "fastflv: each connection begins with a PROXY header, version 1 or 2, of one of `trusted_proxies`. Default off."


@dataclass(frozen=True, slots=True)
class Rtmps:
    """`rtmps { }`, when enabled: RTMP over TLS."""

    listen: tuple[Endpoint, ...] = (Endpoint("", 1443),)
    "Default 1443."

    key: str = "./conf/server.key"
    "PEM file of the private key. Default ./conf/server.key."

    cert: str = "./conf/server.crt"
    "PEM file of the certificate chain. Default ./conf/server.crt."

    proxy_protocol: bool = False
    "fastflv: each connection begins with a PROXY header, version 1 or 2, of one of `trusted_proxies`. Default off."


@dataclass(frozen=True, slots=True)
class Stats:
    """`stats { }`: what the API tells about the machine."""

    enabled: bool = True
    "Off: counters of network and disks are 0. Default on."

    network: int = bounded(0, 0)
    "Index of the network interface that is reported, among those with an IPv4 address, loopback last. Default 0."

    disk: tuple[str, ...] = ()
    "Block devices whose counters are reported, by their names in /proc/diskstats. Default none."


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

    streams: int = bounded(limits.METRICS_STREAMS, 0, limits.METRICS_STREAMS_MAX)
    "fastflv: streams with series of their own, also at /metrics of the API; the others share a row. Default 500."


@dataclass(frozen=True, slots=True)
class Settings:
    """One configuration, complete and checked. Never changes; a reload makes another."""

    listen: tuple[Endpoint, ...] = ()
    "RTMP listeners, from `rtmp { listen }` or `listen`. Never empty but in a start without a file."

    rtmp: Rtmp = field(default_factory=Rtmp)
    "Further settings of the RTMP listeners."

    rtmps: Rtmps | None = None
    "RTMP over TLS; None where it is off, the default."

    trusted_proxies: tuple[str, ...] = ()
    "fastflv: addresses and networks whose PROXY headers and X-Forwarded-For, X-Real-IP and Forwarded fields count, each once, as `10.0.0.0/8`. Default none."

    max_connections: int = bounded(1000, 1)
    "Connections of all kinds together; one more is closed after accept. Default 1000."

    chunk_size: int = limits.CHUNK_BYTES_OUT
    "Outgoing RTMP chunk size announced to clients, bytes, 1 to 16777215. Default 60000."

    pid: str = "./objs/srs.pid"
    "File that holds the process id, locked while the server runs. Default ./objs/srs.pid."

    daemon: bool = True
    "Run in the background. Default on; off in a container, unless `disable_daemon_for_docker off`."

    in_docker: bool = False
    "The process runs in a container: foreground, console, reload on changes. Default off, unless one is found."

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
    "Graceful quit: wait before the listeners close, milliseconds. Default 2300."

    grace_final_wait: int = bounded(3200, 0)
    "Graceful quit: wait after the last connection ended, milliseconds. Default 3200."

    force_grace_quit: bool = False
    "SIGTERM is a graceful quit, as SIGQUIT. Default off."

    inotify_auto_reload: bool = False
    "Reload when the file changes. Default off."

    auto_reload_for_docker: bool = True
    "Reload when the file changes, in a container. Default on."

    reuse_port: bool = False
    "fastflv: other processes with this setting may listen on the same ports. Default off."

    fanout_threads: int = bounded(0, 0, limits.THREADS_MAX)
    "fastflv: threads that send to players; 0 = one per core. Default 0."

    http_server: HttpServer = field(default_factory=HttpServer)
    "Live streams and files over HTTP."

    http_api: HttpApi = field(default_factory=HttpApi)
    "The API."

    stream_casters: tuple[StreamCaster, ...] = ()
    "Each `stream_caster { caster flv; }` that is on."

    flv_tcp: FlvTcp = field(default_factory=FlvTcp)
    "Raw FLV over TCP."

    stats: Stats = field(default_factory=Stats)
    "Counters of the machine in /api/v1/summaries."

    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    "A POST from time to time."

    exporter: Exporter = field(default_factory=Exporter)
    "Prometheus metrics."

    limits: Limits = field(default_factory=Limits)
    "fastflv: how much clients may have, of all vhosts together."

    vhosts: dict[str, Vhost] = field(default_factory=dict)
    "Vhosts by name, disabled ones too; of two with one name, the first. Ask through `vhost`."

    notices: tuple[Notice, ...] = ()
    "What to log at start, each once, in the order found."

    source: Section | None = field(default=None, compare=False, repr=False)
    "The file as it was parsed, legacy spellings rewritten, and the environment over it."

    @property
    def directive(self) -> Directive:
        """The file as it was parsed; empty for settings that no file has."""
        found = self.source.directive if self.source else None
        return found or Directive("", block=True)

    @property
    def api_shared(self) -> bool:
        """The API answers on the ports of `http_server`."""
        server, api = self.http_server, self.http_api
        return server.enabled and api.enabled and same_ports(server.listen, api.listen)

    @property
    def api_https_shared(self) -> bool:
        """The API over TLS answers on the TLS ports of `http_server`."""
        server, api = self.http_server, self.http_api
        if not (server.https.enabled and api.https.enabled):
            return False
        return self.api_shared or same_ports(server.https.listen, api.https.listen)

    def numbered_app(self, vhost: str) -> str:
        """The app whose streams the vhost called *vhost* also has at `/0`, `/1` and so on; empty: it has none."""
        return self.flv_tcp.app if self.flv_tcp.enabled and vhost == DEFAULT_VHOST else ""

    def vhost(self, name: str) -> Vhost | None:
        """The vhost for requests to *name*: its own, else the default one; None = refuse.

        A disabled vhost is refused, it does not fall back to the default one.
        """
        found = self.vhosts.get(name) or self.vhosts.get(DEFAULT_VHOST)
        return found if found and found.enabled else None


def read_listen(section: Section) -> tuple[Endpoint, ...]:
    # The environment first, then the newer home, then the older: each beats the next.
    older = section.value("listen")
    if older is None or not older.from_environment:
        newer = section.sub("rtmp").endpoints("listen", ())
        if newer:
            return newer
    return section.endpoints("listen", ())


def read_trusted_proxies(section: Section) -> tuple[str, ...]:
    """Read `trusted_proxies`, whose statements add up; a word that is no address or network is a problem."""
    found: dict[str, None] = {}
    for value in section.values("trusted_proxies", split=True):
        for index, word in enumerate(value.words):
            try:
                found[str(ipaddress.ip_network(word, strict=False))] = None
            except ValueError:
                section.problems.add(
                    value.error(
                        f"cannot be '{word}'",
                        "write IP addresses and networks, as 10.0.0.0/8; names are not looked up",
                        word=index,
                    )
                )
    return tuple(found)


def read_root_chunk_size(section: Section) -> int:
    rtmp = section.sub("rtmp")
    older = section.value("chunk_size")
    if rtmp.value("chunk_size") is not None and not (older and older.from_environment):
        return read_chunk_size(rtmp, limits.CHUNK_BYTES_OUT)
    return read_chunk_size(section, limits.CHUNK_BYTES_OUT)


def read_log(section: Section, in_docker: bool) -> LogSettings:
    tank = section.text("srs_log_tank", "console" if in_docker else "file")
    level = LEVELS[section.choice("srs_log_level", OldLogLevel.TRACE)]
    return LogSettings(
        # As SRS: whatever is not `console` is a file.
        LogTank.CONSOLE if tank == "console" else LogTank.FILE,
        section.choice("srs_log_level_v2", level),
        section.text("srs_log_file", LogSettings().file),
        section.choice("srs_log_format", LogFormat.PLAIN),
    )
