"""What the process and the machine do: `/api/v1/summaries` and its like."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from fastflv import __version__
from fastflv.config.model.server import Stats
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.servers.api import machine, procfs
from fastflv.servers.api.census import Census
from fastflv.servers.api.disks import DiskMeter
from fastflv.servers.api.operation import Handler, Operation
from fastflv.servers.api.sample import Sample
from fastflv.servers.api.schema import COUNT, FLAG, INTEGER, NUMBER, TEXT, Schema, about, record

log = logging.getLogger(__name__)

SELF: Final = record(
    {
        "version": TEXT,
        "pid": COUNT,
        "ppid": COUNT,
        "argv": TEXT,
        "cwd": TEXT,
        "mem_kbyte": COUNT,
        "mem_percent": about(NUMBER, "Part of the memory, 0 to 1."),
        "cpu_percent": about(NUMBER, "Cores."),
        "srs_uptime": about(COUNT, "Seconds."),
    }
)
SYSTEM: Final = record(
    {
        **dict.fromkeys(("disk_read_KBps", "disk_write_KBps", "mem_ram_kbyte", "mem_swap_kbyte"), COUNT),
        **dict.fromkeys(("cpu_percent", "disk_busy_percent", "mem_ram_percent", "mem_swap_percent"), NUMBER),
        **dict.fromkeys(("cpus", "cpus_online"), COUNT),
        **dict.fromkeys(("uptime", "ilde_time", "load_1m", "load_5m", "load_15m"), NUMBER),
        **dict.fromkeys(
            ("net_sample_time", "net_recv_bytes", "net_send_bytes", "net_recvi_bytes", "net_sendi_bytes"),
            COUNT,
        ),
        **dict.fromkeys(("srs_sample_time", "srs_recv_bytes", "srs_send_bytes"), COUNT),
        **dict.fromkeys(("conn_sys", "conn_sys_et", "conn_sys_tw", "conn_sys_udp", "conn_srs"), COUNT),
    }
)
SUMMARY: Final = record({"ok": FLAG, "now_ms": COUNT, "self": SELF, "system": SYSTEM})

SAMPLE: Final = {"ok": FLAG, "sample_time": about(COUNT, "Wall clock, ms since 1970.")}
USAGE: Final = record({**SAMPLE, "ru_utime": COUNT, "ru_stime": COUNT, **dict.fromkeys(procfs.USAGE, COUNT)})
PROCESS: Final = record(
    {
        **SAMPLE,
        "percent": about(NUMBER, "Cores."),
        "pid": COUNT,
        "comm": TEXT,
        "state": TEXT,
        **dict.fromkeys(procfs.STAT, INTEGER),
    }
)
TIMES: Final = record({**SAMPLE, "percent": NUMBER, **dict.fromkeys(procfs.TIMES, COUNT)})
MEMORY: Final = record(
    {**SAMPLE, "percent_ram": NUMBER, "percent_swap": NUMBER, **dict.fromkeys(procfs.MEMORY, COUNT)}
)


class System:
    """The operations on process and machine."""

    def __init__(self, census: Census, connection_limit: ConnectionLimit, stats: Callable[[], Stats]) -> None:
        """*stats* returns the settings in force."""
        self._census = census
        self._connection_limit = connection_limit
        self._stats = stats
        self._checked: Stats | None = None
        self._cpu = machine.CpuMeter()
        self._disks = DiskMeter()
        self.summary = Sample(self._take_summary)
        "`data` of /api/v1/summaries."

    def operations(self) -> Iterable[Operation]:
        cpu = self._cpu
        shown: tuple[tuple[str, str, Callable[[], object], Schema], ...] = (
            ("summaries", "the summary(pid, argv, pwd, cpu, mem) of fastflv", self.summary, SUMMARY),
            ("rusages", "the rusage of fastflv", procfs.usage, USAGE),
            ("self_proc_stats", "the self process stats", lambda: procfs.process(cpu), PROCESS),
            ("system_proc_stats", "the system process stats", lambda: procfs.machine_times(cpu), TIMES),
            ("meminfos", "the meminfo of system", procfs.memory, MEMORY),
        )
        return tuple(
            Operation("GET", f"/api/v1/{name}", what, _showing(take), record({"data": schema}))
            for name, what, take, schema in shown
        )

    def _take_summary(self) -> dict[str, object]:
        traffic = self._census.traffic()
        stats = self._stats()
        if stats != self._checked:
            self._checked = stats
            for sentence in machine.absent(stats):
                log.warning("%s; its counters stay 0", sentence)
        return machine.summary(
            self._cpu,
            self._disks,
            stats,
            version=__version__,
            uptime=self._census.clock() - self._census.started,
            received=traffic.received,
            sent=traffic.sent,
            connections=self._connection_limit.taken,
        )


def _showing(take: Callable[[], object]) -> Handler:
    return lambda call: {"data": take()}
